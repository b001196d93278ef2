"""What ``doctor`` finds worth doing, or worth knowing, in one snapshot: each check is a function."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.present.text import counted, escape, percent, size
from memwarden.rules.headroom import Headrooms
from memwarden.rules.protection import NONE, effective_protections
from memwarden.rules.scope import memcg_scope, system_scope
from memwarden.rules.victim import Outcome, rank
from memwarden.rules.waiting import waiting
from memwarden.state.snapshot import CgroupMode
from memwarden.units import MAX, Max

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memwarden.present.status_rows import StatusRow
    from memwarden.rules.victim import Ranking
    from memwarden.state.snapshot import Snapshot

CLOSE_PCT: Final = 10
STALLED_PCT: Final = 10
WEIGHTLESS_PAGES: Final = 1000
"""Below it oom_score_adj weighs nothing: ``mm/oom_kill.c:oom_badness`` divides the total by 1000 first."""


class Finding(NamedTuple):
    """One thing. ``act``: worth doing something about now; otherwise worth knowing."""

    check: str
    act: bool
    what: str
    command: str | None = None


class Case(NamedTuple):
    """What the checks look at."""

    snapshot: Snapshot
    rows: Mapping[str, StatusRow]
    rankings: Mapping[str, Ranking]
    """Of each cgroup with a limit and somebody in it, by path; of the machine under ``machine``."""


MACHINE: Final = "machine"


def examine(snapshot: Snapshot, rows: Mapping[str, StatusRow]) -> Case:
    """Rank every scope that can run out."""
    rankings = {}
    whole = system_scope(snapshot)
    if whole is not None:
        rankings[MACHINE] = rank(snapshot, whole)
    for path in snapshot.cgroups:
        scope = memcg_scope(snapshot, path)
        if scope is not None and any(True for _ in snapshot.members(path)):
            rankings[path] = rank(snapshot, scope)
    return Case(snapshot, rows, rankings)


def findings(case: Case) -> list[Finding]:
    """Everything found, what asks for action first."""
    found = [one for check in CHECKS for one in check(case)]
    return sorted(found, key=lambda one: not one.act)


def close_to_a_limit(case: Case) -> Iterator[Finding]:
    """One finding per limit, not per cgroup below it."""
    headrooms = Headrooms(case.snapshot)
    for path in case.rows:
        tightest = headrooms.of(path).effective
        if tightest is None or tightest.kind == "machine" or tightest.path != path:
            continue
        limit, left = tightest.limit_bytes, tightest.effective_bytes
        if isinstance(limit, int) and isinstance(left, int) and left * 100 < CLOSE_PCT * limit:
            freeable = tightest.ladder.reclaimable_bytes if tightest.ladder else 0
            yield Finding(
                "close-to-a-limit",
                act=True,
                what=f"{escape(path)} has {size(left)} left of {size(limit)}, "
                f"{size(freeable)} of reclaimable memory included",
                command=_about("rank --cgroup", path),
            )


def machine_is_short(case: Case) -> Iterator[Finding]:
    """Of the machine's term of headroom, too little is left."""
    level = Headrooms(case.snapshot).of("/").effective
    if level is None or not isinstance(level.limit_bytes, int) or not isinstance(level.effective_bytes, int):
        return
    if level.effective_bytes * 100 < CLOSE_PCT * level.limit_bytes:
        share = percent(level.effective_bytes, level.limit_bytes)
        yield Finding(
            "machine-is-short",
            act=True,
            what=f"the machine has {size(level.effective_bytes)} left ({share} of RAM), swap included",
            command="memwarden rank --system",
        )


def tasks_wait(case: Case) -> Iterator[Finding]:
    """Pressure, for the machine or at cgroups that no child explains."""
    waiting = {path for path, row in case.rows.items() if (row.memory_some_avg10_pct or 0) >= STALLED_PCT}
    for path in sorted(waiting):
        if not any(child in waiting for child in case.snapshot.cgroups[path].children):
            where = "the machine" if path == "/" else escape(path)
            share = case.rows[path].memory_some_avg10_pct
            yield Finding(
                "tasks-wait",
                act=True,
                what=f"tasks of {where} waited for memory {share:.0f} % of the last 10 s",
                command=_about("status", path),
            )


def nobody_to_kill(case: Case) -> Iterator[Finding]:
    """A limit at which the kernel cannot kill: the tasks would spin, or wait for ever."""
    now = waiting(case.snapshot)
    for path in now:
        yield Finding(
            "nobody-to-kill",
            act=True,
            what=f"tasks of {escape(path)} wait until its limit is raised or memory is freed: it is at its "
            "limit, and oom_kill_disable is set",
            command=_about("rank --cgroup", path),
        )
    for path, ranking in case.rankings.items():
        if path not in (MACHINE, *now) and ranking.outcome in (Outcome.NO_VICTIM, Outcome.HANG):
            why = (
                "oom_kill_disable is set"
                if ranking.outcome is Outcome.HANG
                else "everybody has oom_score_adj -1000"
            )
            yield Finding(
                "nobody-to-kill",
                act=True,
                what=f"if {escape(path)} reached its limit nobody could be killed ({why}), and it would hang",
                command=_about("rank --cgroup", path),
            )


def panics(case: Case) -> Iterator[Finding]:
    """``mm/oom_kill.c:check_panic_on_oom``."""
    setting = case.snapshot.sysctl.get("panic_on_oom", 0)
    if setting == 2:
        yield Finding(
            "panics",
            act=True,
            what="vm.panic_on_oom is 2: the limit of a single cgroup panics the whole machine",
            command="sysctl vm.panic_on_oom=0",
        )
    elif setting:
        yield Finding("panics", act=False, what="vm.panic_on_oom is 1: the machine panics when it runs out")


def allocating_task(case: Case) -> Iterator[Finding]:
    """``mm/oom_kill.c:out_of_memory``."""
    if case.snapshot.sysctl.get("oom_kill_allocating_task", 0):
        yield Finding(
            "allocating-task",
            act=False,
            what="vm.oom_kill_allocating_task is set: when the machine runs out, whoever asks next dies",
            command="sysctl vm.oom_kill_allocating_task=0",
        )


def caches_kept(case: Case) -> Iterator[Finding]:
    """Dentries and inodes are never reclaimed (Documentation/admin-guide/sysctl/vm.rst)."""
    if case.snapshot.sysctl.get("vfs_cache_pressure", 100) == 0:
        yield Finding(
            "caches-kept",
            act=True,
            what="vm.vfs_cache_pressure is 0: dentries and inodes are never freed and can fill the machine",
            command="sysctl vm.vfs_cache_pressure=100",
        )


def lost_protection(case: Case) -> Iterator[Finding]:
    """memory.low or memory.min that no reclaim from above heeds, since an ancestor does not pass it on."""
    effective = effective_protections(case.snapshot)
    for cgroup in case.snapshot.cgroups.values():
        holding = effective.get(cgroup.path, NONE)
        if not cgroup.current_bytes or _limited_above(case.snapshot, cgroup.path):
            continue
        for name, setting, holds in (
            ("memory.min", cgroup.min_bytes, holding.min_bytes),
            ("memory.low", cgroup.low_bytes, holding.low_bytes),
        ):
            if setting and holds == 0:
                yield Finding(
                    "lost-protection",
                    act=True,
                    what=f"{name} {size(setting)} of {escape(cgroup.path)} protects nothing: "
                    "the cgroups above it have none to pass on",
                    command=_pass_on(case.snapshot, cgroup.path, name, setting),
                )


def _limited_above(snapshot: Snapshot, path: str) -> bool:
    """Whether a limit above may be what the protection is meant against."""
    return any(isinstance(one.max_bytes, int) for one in snapshot.ancestors(path))


def high_above_max(case: Case) -> Iterator[Finding]:
    """A memory.high that is never reached."""
    for cgroup in case.snapshot.cgroups.values():
        high, limit = cgroup.high_bytes, cgroup.max_bytes
        if high is not None and limit is not None and not isinstance(high, Max) and high >= limit:
            yield Finding(
                "high-above-max",
                act=False,
                what=f"memory.high {size(high)} of {escape(cgroup.path)} never slows anything down: "
                f"its memory.max is {size(limit)}",
            )


def weightless_adj(case: Case) -> Iterator[Finding]:
    """oom_score_adj has no weight below 1000 pages."""
    page = case.snapshot.traits.page_size_bytes
    for path, ranking in case.rankings.items():
        adjusted = any(one.process.oom_score_adj for one in ranking.candidates)
        if ranking.scope.total_pages < WEIGHTLESS_PAGES and adjusted:
            yield Finding(
                "weightless-adj",
                act=False,
                what=f"oom_score_adj weighs nothing in {escape(path)}: its limit is below "
                f"{size(WEIGHTLESS_PAGES * page)}",
            )


def killed_before(case: Case) -> Iterator[Finding]:
    """The machine's own count; cgroups that were removed took theirs with them."""
    kills = (case.snapshot.vmstat or {}).get("oom_kill")
    if kills:
        where = [
            f"{escape(cgroup.path)} ({count})"
            for cgroup in case.snapshot.cgroups.values()
            if (count := (cgroup.events_local or {}).get("oom_kill"))
        ]
        more = f", in {', '.join(where[:3])}{' and others' if len(where) > 3 else ''}" if where else ""
        yield Finding(
            "killed-before",
            act=False,
            what=f"the OOM killer has killed {counted(kills, 'process', 'processes')} since boot{more}",
            command="memwarden explain --live",
        )


def no_swap(case: Case) -> Iterator[Finding]:
    """Without swap anonymous memory is freed only by a death."""
    if (case.snapshot.meminfo or {}).get("SwapTotal") == 0:
        yield Finding(
            "no-swap",
            act=False,
            what="there is no swap: memory that programs allocated can only be freed by ending them",
        )


def old_hierarchy(case: Case) -> Iterator[Finding]:
    """What v2 would give."""
    if case.snapshot.cgroup_mode in (CgroupMode.V1, CgroupMode.HYBRID):
        yield Finding(
            "old-hierarchy",
            act=False,
            what="memory is on cgroup v1; v2 (boot with systemd.unified_cgroup_hierarchy=1) has "
            "memory.high, protection, pressure per cgroup and group kills",
        )


CHECKS: Final = (
    machine_is_short,
    close_to_a_limit,
    tasks_wait,
    nobody_to_kill,
    lost_protection,
    panics,
    caches_kept,
    killed_before,
    allocating_task,
    high_above_max,
    weightless_adj,
    no_swap,
    old_hierarchy,
)


def _about(verb: str, path: str) -> str | None:
    """A command line about a cgroup; ``None`` where its name cannot be shown as it is."""
    return f"memwarden {verb} {shlex.quote(path)}" if escape(path) == path else None


def _pass_on(snapshot: Snapshot, path: str, name: str, value: int | Max) -> str | None:
    """What sets the protection on every ancestor that has none."""
    wanting = [
        one.path
        for one in snapshot.ancestors(path)
        if one.path != "/" and not (one.min_bytes if name == "memory.min" else one.low_bytes)
    ]
    if any(escape(one) != one for one in wanting):
        return None
    return "; ".join(_set(snapshot, one, name, value) for one in wanting)


def _set(snapshot: Snapshot, path: str, name: str, value: int | Max) -> str:
    unit = path.rpartition("/")[2]
    if unit.endswith((".slice", ".service", ".scope")):
        word = "MemoryMin" if name == "memory.min" else "MemoryLow"
        return f"systemctl set-property {shlex.quote(unit)} {word}={'infinity' if value == MAX else value}"
    return f"echo {value} > {shlex.quote(f'{snapshot.cgroup_root}{path}/{name}')}"
