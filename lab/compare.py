"""The comparisons between memwarden and the kernel that can fail, one function each.

Every expected value is the kernel's: who died, what its files showed, what its log says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.check import Check
from memwarden.rules.accounting import account
from memwarden.rules.eligible import Eligibility, eligibility
from memwarden.rules.scope import memcg_scope, nodes_scope, system_scope
from memwarden.rules.victim import Outcome, Ranking, expected_score, rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recordings import Recording


def ranking(recording: Recording) -> Ranking:
    """Who memwarden says dies next when the scenario's limit is hit."""
    snapshot, row = recording.before, recording.scenario
    if row.bound is not None:
        scope = nodes_scope(snapshot, [1], row.bound)
    else:
        scope = system_scope(snapshot) if row.limit is None else memcg_scope(snapshot, row.limit)
    assert scope is not None, f"{recording.folder}: no scope for {row.limit}"
    return rank(snapshot, scope)


def predicted(recording: Recording) -> str | None:
    """The name of the process that memwarden names, ``None`` where it says that nobody can be killed."""
    victim = ranking(recording).victim
    if victim is None:
        return None
    return recording.names.get(victim.process.pid, f"pid {victim.process.pid}")


def check_victim(recording: Recording) -> Iterator[Check]:
    """The first to die is the one ranked first; the row's own arithmetic must say the same."""
    row = recording.scenario
    actual = recording.killed[0] if recording.killed else None
    guess = predicted(recording)
    yield Check("victim", guess == actual, f"rank names {guess}, the kernel killed {actual}")
    yield Check("arithmetic", row.kills == actual, f"the row says {row.kills}, the kernel killed {actual}")
    if row.kills is None:
        outcome = ranking(recording).outcome
        yield Check("victim", outcome is Outcome.NO_VICTIM, f"outcome {outcome.value} where nobody can die")


def check_group(recording: Recording) -> Iterator[Check]:
    """Whom memory.oom.group takes along, and whom it spares."""
    group = ranking(recording).group
    names = recording.names
    guess = {names.get(process.pid, str(process.pid)) for process in group.killed} if group else set()
    row = set(recording.scenario.group_kill)
    yield Check("group", guess == row, f"rank says the group {sorted(guess)}, the row {sorted(row)}")
    missing = row - set(recording.result["died"])
    yield Check("group", not missing, f"{sorted(missing)} of the group survived")


def check_scores(recording: Recording) -> Iterator[Check]:
    """/proc/PID/oom_score of every process is the computed one, ± 1 for the time between the readings."""
    snapshot = recording.before
    machine = system_scope(snapshot)
    assert machine is not None
    for process in snapshot.processes.values():
        if process.oom_score is None or process.is_kernel_thread:
            continue
        able = eligibility(process) is Eligibility.ELIGIBLE
        want = expected_score(snapshot, process, machine) if able else 0
        detail = f"{process.comm}: /proc/{process.pid}/oom_score {process.oom_score}, computed {want}"
        yield Check("oom_score", abs(want - process.oom_score) <= 1, detail)


def check_sums(recording: Recording) -> Iterator[Check]:
    """The parts of memory.stat make up the usage of every cgroup of the scenario.

    While the kernel swaps, statistics lag behind by what it moves between two flushes (2 s): a hundredth of
    the usage; and 5.10 does not itemise the swap cache.
    """
    snapshot = recording.before
    swapping = recording.scenario.swap
    for path, cgroup in snapshot.cgroups.items():
        sums = account(cgroup, snapshot.traits, cpus=snapshot.host.cpus or 1)
        if path == "/" or sums is None:
            continue
        detail = (
            f"{path}: usage {sums.usage_bytes}, parts {dict(sums.parts)}, rest {sums.unexplained_bytes}, "
            f"tolerance {sums.tolerance_bytes}"
        )
        lag = sums.usage_bytes // 100 + (snapshot.meminfo or {}).get("SwapCached", 0) if swapping else 0
        near = abs(sums.unexplained_bytes) <= sums.tolerance_bytes + lag
        yield Check("sums", sums.holds or (swapping and near), detail)


def check_reading(recording: Recording) -> Iterator[Check]:
    """Nothing that the guest has was misread: no malformed file, each process in its cgroup."""
    snapshot = recording.before
    malformed = [gap for gap in snapshot.gaps if gap.reason.value == "malformed"]
    yield Check("reading", not malformed, f"malformed: {malformed}")
    rows = {proc.name: proc for proc in recording.scenario.procs}
    for pid, name in recording.names.items():
        process = snapshot.processes.get(pid)
        where = process.cgroup if process else None
        want = rows[name].group if name in rows else recording.scenario.grower
        yield Check("reading", where == want, f"{name} ({pid}) is in {where!r}, was put into {want!r}")
