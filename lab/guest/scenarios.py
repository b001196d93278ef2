"""The scenarios, as data. The host reads this table too: what a row says is what the comparison expects.

Sizes are MiB. ``limit`` names the cgroup whose limit is hit (the OOM domain), ``None`` means the machine's memory.
Each process is forked from one agent, so all of them carry the same few MiB of interpreter; margins between the
first and the second candidate are several MiB, beyond what per-CPU counters can hide.
"""

from __future__ import annotations

from typing import NamedTuple


class Group(NamedTuple):
    """A cgroup and what is written into it: MiB for sizes, 0 or 1 for oom_group, ``None`` for untouched."""

    path: str
    max: float | None = None
    swap_max: int | None = 0
    low: int | None = None
    min: int | None = None
    oom_group: int = 0
    memsw: int | None = None  # v1 only


class Proc(NamedTuple):
    """A process: its name, where it lives, what it holds and what the kernel is told about it."""

    name: str
    group: str
    mib: float = 0
    adj: int = 0
    does: str = "anon"
    comm: bytes | None = None


class Scenario(NamedTuple):
    """One situation that ends in a shortage of memory, and what is expected of it."""

    name: str
    groups: tuple[Group, ...]
    procs: tuple[Proc, ...]
    limit: str | None
    grower: str = "/t"
    """Where the process that asks for more lives; it is unkillable unless `grows` names another."""
    grows: str | None = None
    grow_does: str = "anon"
    kills: str | None = None
    """Who dies first, as arithmetic on this row says; ``None`` where nobody does."""
    group_kill: tuple[str, ...] = ()
    act: str = "grow"
    """How it is brought about: ``grow``, ``lower-max``, ``sysrq``, ``no-victim``, ``pressure``."""
    swap: bool = False
    mglru: int | None = None
    cause: str | None = None
    """What explain must call it, where the row leaves no doubt."""


def _adj(name: str, a: int, b: int, kills: str) -> Scenario:
    """A (40 MiB) against B (10 MiB) below one limit of 96 MiB, where a point of adj is 24 pages, 0.094 MiB."""
    procs = (Proc("a", "/t", 40, a), Proc("b", "/t", 10, b))
    return Scenario(name, (Group("/t", 96),), procs, "/t", kills=kills, cause="memcg-anon")


_ABC = (Proc("a", "/t/x", 40), Proc("b", "/t/x", 6), Proc("c", "/t/y", 20))


def _protect(name: str, kind: str, mglru: int | None) -> Scenario:
    """Cache of 60 MiB in a protected and 60 MiB in an unprotected cgroup, and a sibling that grows."""
    kept = Group("/t/kept", low=40) if kind == "low" else Group("/t/kept", min=40)
    groups = (Group("/t", 160), kept, Group("/t/bare"), Group("/t/grows"))
    procs = (Proc("kept", "/t/kept", 60, 0, "cache"), Proc("bare", "/t/bare", 60, 0, "cache"),
             Proc("c", "/t/bare", 12))  # fmt: skip
    return Scenario(name, groups, procs, "/t", "/t/grows", act="pressure", mglru=mglru, kills="c")


V2: tuple[Scenario, ...] = (
    Scenario("single", (Group("/t", 96),), (Proc("a", "/t", 30), Proc("b", "/t", 18), Proc("c", "/t", 8)), "/t",
             kills="a", cause="memcg-anon"),
    Scenario("self", (Group("/t", 96),), (Proc("a", "/t", 40), Proc("b", "/t", 18)), "/t", grows="a", kills="a", cause="memcg-anon"),
    Scenario("parent", (Group("/t", 96), Group("/t/x", 300), Group("/t/y", 200), Group("/t/y/z"), Group("/t/y/w")),
             (Proc("a", "/t/x", 18), Proc("b", "/t/y/z", 32), Proc("c", "/t/y/w", 8)), "/t", "/t/x", kills="b", cause="memcg-anon"),
    Scenario("group-leaf", (Group("/t", 96, oom_group=1),),
             (Proc("a", "/t", 30), Proc("b", "/t", 10), Proc("c", "/t", 5), Proc("safe", "/t", 5, -1000)), "/t",
             kills="a", group_kill=("a", "b", "c"), cause="memcg-anon"),
    Scenario("group-ancestor", (Group("/t", 96, oom_group=1), Group("/t/x"), Group("/t/y")), _ABC, "/t", "/t/y",
             kills="a", group_kill=("a", "b", "c"), cause="memcg-anon"),
    Scenario("group-inner", (Group("/t", 96), Group("/t/x", oom_group=1), Group("/t/y")), _ABC, "/t", "/t/y",
             kills="a", group_kill=("a", "b"), cause="memcg-anon"),
    Scenario("group-above", (Group("/t", oom_group=1), Group("/t/x", 80), Group("/t/y")), _ABC, "/t/x", "/t/x",
             kills="a", cause="memcg-anon"),
    _adj("adj-plus-200", 0, 200, "a"),  # b: 10 + 18.75 < 40
    _adj("adj-plus-500", 0, 500, "b"),  # b: 10 + 46.9 > 40
    _adj("adj-plus-1000", 0, 1000, "b"),
    _adj("adj-minus-200", -200, 0, "a"),  # a: 40 - 18.75 > 10
    _adj("adj-minus-500", -500, 0, "b"),  # a: 40 - 46.9 < 10
    _adj("adj-minus-999", -999, 0, "b"),
    _adj("adj-minus-999-only", -999, -1000, "a"),  # negative points, yet nobody else is eligible
    _adj("adj-minus-1000", -1000, 0, "b"),
    Scenario("shmem", (Group("/t", 96),), (Proc("w", "/t", 48, 0, "shmem"), Proc("a", "/t", 20), Proc("b", "/t", 8)),
             "/t", kills="a", cause="memcg-shmem"),
    Scenario("mlock", (Group("/t", 96),), (Proc("a", "/t", 40, 0, "mlock"), Proc("b", "/t", 16)), "/t", kills="a", cause="memcg-anon"),
    Scenario("many-small", (Group("/t", 128),),
             (*(Proc(f"s{n}", "/t", 4) for n in range(16)), Proc("big", "/t", 20)), "/t", kills="big", cause="memcg-anon"),
    Scenario("pgtables", (Group("/t", 96),), (Proc("a", "/t", 40, 0, "pgtables"), Proc("b", "/t", 20)), "/t",
             kills="a", cause="memcg-kernel"),
    Scenario("pipes", (Group("/t", 96),), (Proc("w", "/t", 48, 0, "pipes"), Proc("a", "/t", 20), Proc("b", "/t", 8)),
             "/t", kills="a", cause="memcg-kernel"),
    Scenario("order", (Group("/t", 64),), (Proc("a", "/t", 24), Proc("b", "/t", 10)), "/t", grow_does="pipe-rings",
             kills="a"),
    Scenario("tiny-max", (Group("/t", 3.8),), (Proc("a", "/t", 1.4), Proc("b", "/t", 0.2, 1000)), "/t", kills="a"),
    Scenario("lower-max", (Group("/t", 128),), (Proc("a", "/t", 50), Proc("b", "/t", 20)), "/t", kills="a",
             act="lower-max", cause="memcg-anon"),
    Scenario("hostile", (Group("/t"), Group("/t/a b\\x2dc ü"), Group("/t/a b\\x2dc ü/(d)", 96)),
             (Proc("a", "/t/a b\\x2dc ü/(d)", 40, 0, "anon", b"a) R 1\n(x"),
              Proc("b", "/t/a b\\x2dc ü/(d)", 12, 0, "anon", b"b (c) d")),
             "/t/a b\\x2dc ü/(d)", "/t/a b\\x2dc ü/(d)", kills="a"),
    Scenario("no-victim", (Group("/t", 64),), (Proc("a", "/t", 20, -1000),), "/t", act="no-victim", cause="no-victim"),
    Scenario("swap", (Group("/t", 96, swap_max=None),), (Proc("a", "/t", 120), Proc("b", "/t", 30)), "/t", swap=True,
             kills="a"),
    Scenario("swap-limit", (Group("/t", 96, swap_max=24),), (Proc("a", "/t", 60), Proc("b", "/t", 24)), "/t",
             swap=True, kills="a", cause="memcg-swap-limit"),
    _protect("low", "low", None),
    _protect("low-mglru-off", "low", 0),
    _protect("low-mglru-on", "low", 7),
    _protect("min", "min", None),
    _protect("min-mglru-off", "min", 0),
    _protect("min-mglru-on", "min", 7),
    Scenario("low-recursive", (Group("/t", 160), Group("/t/q", low=40), Group("/t/q/kept"), Group("/t/bare"),
                               Group("/t/grows")),
             (Proc("kept", "/t/q/kept", 60, 0, "cache"), Proc("bare", "/t/bare", 60, 0, "cache"),
              Proc("c", "/t/bare", 12)), "/t", "/t/grows", act="pressure", kills="c"),
    Scenario("global", (Group("/t"), Group("/t/x"), Group("/t/y")),
             (Proc("a", "/t/x", 300), Proc("b", "/t/y", 180), Proc("c", "/t/y", 20, -400)), None, "/t/y", kills="a", cause="system-anon"),
    Scenario("global-adj", (Group("/t"), Group("/t/x", swap_max=None), Group("/t/y", swap_max=None)),
             (Proc("a", "/t/x", 300), Proc("b", "/t/y", 60, 600)), None, "/t/y", kills="b", cause="system-anon"),
    Scenario("global-swap", (Group("/t", swap_max=None), Group("/t/x", swap_max=None)),
             (Proc("a", "/t/x", 420), Proc("b", "/t/x", 200)), None, "/t/x", swap=True, kills="a", cause="system-anon"),
    Scenario("sysrq", (Group("/t"),), (Proc("a", "/t", 200), Proc("b", "/t", 60)), None, act="sysrq", kills="a", cause="manual"),
)  # fmt: skip

V1: tuple[Scenario, ...] = (
    Scenario("v1-single", (Group("/t", 96, None),), (Proc("a", "/t", 30), Proc("b", "/t", 18)), "/t", kills="a", cause="memcg-anon"),
    Scenario("v1-parent", (Group("/t", 96, None), Group("/t/x", 300, None), Group("/t/y", None, None)),
             (Proc("a", "/t/x", 18), Proc("b", "/t/y", 32)), "/t", "/t/x", kills="b", cause="memcg-anon"),
    Scenario("v1-adj", (Group("/t", 96, None),), (Proc("a", "/t", 40, -500), Proc("b", "/t", 10)), "/t", kills="b", cause="memcg-anon"),
    Scenario("v1-memsw", (Group("/t", 64, None, memsw=96),), (Proc("a", "/t", 44), Proc("b", "/t", 20)), "/t",
             swap=True, kills="a"),
    Scenario("v1-global", (Group("/t", None, None),), (Proc("a", "/t", 300), Proc("b", "/t", 180)), None, kills="a", cause="system-anon"),
)  # fmt: skip
