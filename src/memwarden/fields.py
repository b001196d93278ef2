"""The field registry: what each figure is called, its unit, its kind and one line of help.

One table feeds CLI columns, sort keys, JSON documents and generated documentation, so that the
same figure has the same name and meaning everywhere.
"""

from enum import Enum
from typing import Final, NamedTuple


class Unit(Enum):
    """What a number counts."""

    BYTES = "bytes"
    MICROSECONDS = "microseconds"
    PERCENT = "percent"
    COUNT = "count"
    POINTS = "points"
    NONE = ""


class Kind(Enum):
    """How a figure behaves over time."""

    GAUGE = "gauge"
    COUNTER = "counter"
    LIMIT = "limit"
    TEXT = "text"


class Field(NamedTuple):
    """One figure: ``name`` is the JSON key, ``title`` the column head."""

    name: str
    title: str
    unit: Unit
    kind: Kind
    help: str


def _bytes(name: str, title: str, text: str) -> Field:
    return Field(name, title, Unit.BYTES, Kind.GAUGE, text)


def _limit(name: str, title: str, text: str) -> Field:
    return Field(name, title, Unit.BYTES, Kind.LIMIT, text)


def _text(name: str, title: str, text: str) -> Field:
    return Field(name, title, Unit.NONE, Kind.TEXT, text)


def _percent(name: str, title: str, text: str) -> Field:
    return Field(name, title, Unit.PERCENT, Kind.GAUGE, text)


def _count(name: str, title: str, text: str) -> Field:
    return Field(name, title, Unit.COUNT, Kind.COUNTER, text)


STATUS: Final[tuple[Field, ...]] = (
    _text("path", "CGROUP", "path below the root of the hierarchy that controls memory"),
    _bytes("usage_bytes", "USAGE", "memory charged to the cgroup and all below it (memory.current)"),
    _limit("max_bytes", "MAX", "its own hard limit (memory.max)"),
    _limit("high_bytes", "HIGH", "its own throttling limit (memory.high)"),
    _limit("effective_limit_bytes", "LIMIT", "the tightest memory.max of the cgroup and its ancestors"),
    _text("limited_by", "SET BY", "whose memory.max is the effective limit; null where none has one"),
    _limit("effective_min_bytes", "MIN", "memory.min as it holds against the tightest limit above"),
    _limit("effective_low_bytes", "LOW", "memory.low as it holds against the tightest limit above"),
    _bytes("reclaimable_bytes", "RECL", "what the kernel could free here without killing"),
    _limit("headroom_bytes", "ROOM", "least of limit - usage over the cgroup, its ancestors and the machine"),
    _limit("effective_headroom_bytes", "EFF.ROOM", "the same with what is reclaimable at each level added"),
    _text("headroom_at", "TIGHT AT", "the level where effective headroom is least: a cgroup, or machine"),
    _percent("left_pct", "LEFT", "effective headroom as a share of the limit (or of RAM) at that level"),
    _bytes("swap_bytes", "SWAP", "swap used by the cgroup and all below it (memory.swap.current)"),
    _limit("swap_max_bytes", "SWAP MAX", "its own swap limit (memory.swap.max)"),
    _percent("memory_some_avg10_pct", "SOME", "share of the last 10 s in which some task waited for memory"),
    _percent("memory_full_avg10_pct", "FULL", "share of the last 10 s in which all tasks did"),
    _count("events_high", "high", "times a task of it was throttled for being above memory.high"),
    _count("events_max", "max", "times usage was about to go over memory.max (attempts, not incidents)"),
    _count("events_oom", "oom", "times it was out of memory (attempts: up to thousands for one kill)"),
    _count("events_oom_kill", "kill", "processes of it killed by the OOM killer, whatever the limit"),
    _count("events_oom_group_kill", "group", "times all of it was killed at once by memory.oom.group"),
)
"""Columns of ``status``; all counts are since the cgroup was made, or since the last look under --watch."""
RANK: Final[tuple[Field, ...]] = (
    Field("pid", "PID", Unit.NONE, Kind.GAUGE, "process id"),
    _text("comm", "NAME", "name of the process, up to 15 characters (comm)"),
    Field("uid", "UID", Unit.NONE, Kind.GAUGE, "user that runs it"),
    _text("cgroup", "CGROUP", "its cgroup, below the root of the hierarchy that controls memory"),
    Field("points", "POINTS", Unit.POINTS, Kind.GAUGE, "badness as the kernel compares it: pages"),
    _bytes("badness_bytes", "BADNESS", "the same in bytes: the sum of the five that follow"),
    _bytes("rss_bytes", "RSS", "resident memory that it maps, shared memory in full"),
    _bytes("swap_bytes", "SWAP", "its memory in swap"),
    _bytes("pgtables_bytes", "PGTBL", "its page tables"),
    _bytes("adj_bytes", "ADJ.ADDS", "what its oom_score_adj adds in this scope, or takes off"),
    _bytes("root_bonus_bytes", "ROOT", "what old kernels take off for CAP_SYS_ADMIN (before 4.17)"),
    Field("oom_score_adj", "ADJ", Unit.NONE, Kind.GAUGE, "its oom_score_adj, -1000 to 1000"),
    Field("oom_score", "SCORE", Unit.POINTS, Kind.GAUGE, "/proc/PID/oom_score, right for the machine only"),
    _bytes("frees_bytes", "FREES", "at most what its death frees at once: anonymous memory, page tables"),
    _bytes("frees_swap_bytes", "SWAP.FREED", "swap that its death frees"),
)
"""Columns of ``rank``, the next to die first."""
