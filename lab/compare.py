"""The comparisons between memwarden and the kernel that can fail, one function each.

Every expected value is the kernel's: who died, what its files showed, what its log says.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Final

from lab.check import Check
from memwarden.cli.main import run
from memwarden.rules.accounting import account
from memwarden.rules.eligible import Eligibility, eligibility
from memwarden.rules.scope import memcg_scope, nodes_scope, system_scope
from memwarden.rules.victim import Outcome, Ranking, expected_score, rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recordings import Recording

WAITING: Final = "wait for memory now"
"""In the words of status, rank and doctor about a cgroup that is under OOM and kills nobody."""


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
    """The name of the process that memwarden names, ``None`` where it says that nobody is killed."""
    found = ranking(recording)
    if found.victim is None or found.outcome is not Outcome.KILL:
        return None
    return recording.named(found.victim.process.pid)


def check_victim(recording: Recording) -> Iterator[Check]:
    """The first to die is the one ranked first; the row's own arithmetic must say the same."""
    row = recording.scenario
    actual = recording.killed[0] if recording.killed else None
    guess = predicted(recording)
    yield Check("victim", guess == actual, f"rank names {guess}, the kernel killed {actual}")
    yield Check("arithmetic", row.kills == actual, f"the row says {row.kills}, the kernel killed {actual}")
    spared = set(row.along) - set(recording.result["died"])
    yield Check("victim", not spared, f"{sorted(spared)} survived, whose memory is that of the victim")
    if row.kills is None:
        outcome = ranking(recording).outcome
        want = Outcome.HANG if row.act == "hang" else Outcome.NO_VICTIM
        yield Check("victim", outcome is want, f"outcome {outcome.value} where nobody can die")


def check_waiting(recording: Recording) -> Iterator[Check]:
    """v1 with its OOM killer off: nobody dies, tasks wait, and status, rank and doctor say so."""
    during, path = recording.during, recording.scenario.limit
    if recording.scenario.act != "hang" or path is None:
        return
    died = recording.result["died"]
    yield Check("waiting", not died, f"{died} died with oom_kill_disable set")
    yield Check("waiting", during is not None, "no recording of the machine while tasks waited")
    if during is None:
        return
    cgroup = during.cgroups[path]
    told = (cgroup.v1_oom_kill_disable, cgroup.v1_under_oom)
    yield Check("waiting", told == (True, True), f"oom_kill_disable, under_oom: {told}")
    for verb, where in (("status", []), ("rank", ["--cgroup", path]), ("doctor", [])):
        text = _said(verb, "--root", str(recording.folder / "during.rootar"), *where)
        silent = f"{verb} does not say that tasks of {path} wait: {text[:400]}"
        yield Check("waiting", f"tasks of {path} {WAITING}" in text, silent)


def _said(*words: str) -> str:
    """What the command prints, with its lines joined."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        run(words)
    return " ".join(out.getvalue().split())


def check_group(recording: Recording) -> Iterator[Check]:
    """Whom memory.oom.group takes along, and whom it spares."""
    group = ranking(recording).group
    guess = {recording.named(process.pid) for process in group.killed} if group else set()
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

    The guest made the kernel flush its statistics, so that only what CPUs charge in advance is left. While
    the kernel swaps, statistics lag behind by what it moves meanwhile: a hundredth of the usage; and 5.10
    does not itemise the swap cache.
    """
    snapshot = recording.before
    swapping = recording.scenario.swap
    for path, cgroup in snapshot.cgroups.items():
        flushed = recording.result.get("stirred", False)
        sums = account(cgroup, snapshot.traits, cpus=snapshot.host.cpus or 1, flushed=flushed)
        if path == "/" or sums is None:
            continue
        detail = (
            f"{path}: usage {sums.usage_bytes}, parts {dict(sums.parts)}, rest {sums.unexplained_bytes}, "
            f"uncounted {sums.uncounted_bytes}, lag {sums.lag_bytes}"
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
        row = rows.get(name.removesuffix("2"))
        want = row.group if row else recording.scenario.grower
        yield Check("reading", where == want, f"{name} ({pid}) is in {where!r}, was put into {want!r}")
