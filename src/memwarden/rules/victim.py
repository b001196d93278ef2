"""Who dies next: the ranking of a scope's processes, and what the kernel does with the first.

``mm/oom_kill.c:select_bad_process``, ``oom_evaluate_task``, ``oom_kill_process`` and ``out_of_memory``.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from memwarden.rules.badness import Badness, oom_badness
from memwarden.rules.eligible import Eligibility, eligibility, is_exempt, task_memory
from memwarden.rules.group import GroupKill, group_kill, oom_group_of
from memwarden.rules.oom_score import oom_score
from memwarden.rules.scope import Scope, system_scope, visiting_order
from memwarden.rules.sureness import Sureness, rss_error_pages, sureness
from memwarden.state.process import Process
from memwarden.state.snapshot import Snapshot


class Outcome(Enum):
    """What happens when the scope runs out."""

    KILL = "kill"
    ALLOCATING_TASK = "allocating-task"  # vm.oom_kill_allocating_task: whoever asks for the page dies
    PANIC = "panic"  # vm.panic_on_oom, or nobody left to kill on the whole machine
    HANG = "hang"  # v1 oom_kill_disable: tasks wait for the limit or the usage to change
    NO_VICTIM = "no-victim"  # a memcg with nobody to kill: its page faults are retried for ever
    UNKNOWN = "unknown"  # no process has memory that can be read, or the kernel's rule cannot be computed


class Candidate(NamedTuple):
    """A process that may be killed. ``order`` counts visits from 0; ``badness`` is the kernel's sum."""

    process: Process
    badness: Badness
    order: int

    @property
    def points(self) -> int:
        """What the kernel compares."""
        return self.badness.points


class Ranking(NamedTuple):
    """The processes of a scope, the next victim first.

    ``excluded`` are those that may not be killed or whose memory is unknown, with the reason.
    ``first`` is whom the kernel selects; ``victim`` who then dies, which is another only where a child is
    sacrificed (before 5.1). ``group`` is the cgroup killed with the victim. ``margin`` is the distance in
    points from first to second, ``None`` when there is no second.
    """

    scope: Scope
    outcome: Outcome
    candidates: tuple[Candidate, ...]
    excluded: tuple[tuple[Process, Eligibility], ...]
    first: Candidate | None
    victim: Candidate | None
    group: GroupKill | None
    margin: int | None
    error_pages: int
    sureness: Sureness


def rank(snapshot: Snapshot, scope: Scope) -> Ranking:
    """Rank the processes of ``scope`` as the kernel would now, and say what it would do."""
    candidates, excluded = _judge(snapshot, scope)
    ordered = kernel_order(candidates, last_of_equals=snapshot.traits.last_of_equals)
    unread = sum(status is Eligibility.UNKNOWN for _, status in excluded)
    first = ordered[0] if ordered else None
    victim = _sacrificed(snapshot, first, candidates) if first else None
    margin = ordered[0].points - ordered[1].points if len(ordered) > 1 else None
    error = sum(_error(snapshot, candidate.process) for candidate in ordered[:2])
    return Ranking(
        scope=scope,
        outcome=_outcome(snapshot, scope, found=bool(ordered), unread=unread),
        candidates=ordered,
        excluded=tuple(excluded),
        first=first,
        victim=victim,
        group=_group(snapshot, scope, victim),
        margin=margin,
        error_pages=error,
        sureness=sureness(margin, error, unread=unread),
    )


def kernel_order(candidates: Iterable[Candidate], *, last_of_equals: bool | None) -> tuple[Candidate, ...]:
    """Sort by points; of equals the last visited comes first, with ``last_of_equals=False`` the first.

    ``oom_evaluate_task`` (v6.12) skips only what is strictly smaller than the best so far; before 5.2 a
    thread group leader kept its place against an equal.
    """
    sign = 1 if last_of_equals is False else -1
    return tuple(sorted(candidates, key=lambda candidate: (-candidate.points, sign * candidate.order)))


def _judge(snapshot: Snapshot, scope: Scope) -> tuple[list[Candidate], list[tuple[Process, Eligibility]]]:
    machine = system_scope(snapshot)
    own_namespace = snapshot.host.container_view is not None
    candidates: list[Candidate] = []
    excluded: list[tuple[Process, Eligibility]] = []
    for order, process in enumerate(visiting_order(snapshot, scope)):
        status = eligibility(process, own_pid_namespace=own_namespace)
        if status is not Eligibility.ELIGIBLE:
            excluded.append((process, status))
            continue
        badness = process_badness(snapshot, process, scope.total_pages)
        if badness is None:
            excluded.append((process, Eligibility.UNKNOWN))
        elif machine is not None and is_exempt(process, expected_score(snapshot, process, machine)):
            excluded.append((process, Eligibility.EXEMPT))
        else:
            candidates.append(Candidate(process, badness, order))
    return candidates, excluded


def process_badness(snapshot: Snapshot, process: Process, total_pages: int) -> Badness | None:
    """Badness of a process with known memory; ``None`` on a kernel whose rule cannot be computed."""
    traits = snapshot.traits
    return oom_badness(task_memory(process, traits.page_size_bytes), total_pages, traits.badness)


def expected_score(snapshot: Snapshot, process: Process, machine: Scope) -> int:
    """What ``/proc/PID/oom_score`` should show of an eligible process with known memory."""
    badness = process_badness(snapshot, process, machine.total_pages)
    return oom_score(badness.points if badness else None, machine.total_pages, snapshot.traits.badness)


def _outcome(snapshot: Snapshot, scope: Scope, *, found: bool, unread: int) -> Outcome:
    """``mm/oom_kill.c:out_of_memory``: panic comes before the allocating task, and that before the scan."""
    cgroup = snapshot.cgroups.get(scope.path) if scope.path is not None else None
    if cgroup is not None and cgroup.v1_oom_kill_disable:
        return Outcome.HANG
    panic = snapshot.sysctl.get("panic_on_oom", 0)
    if panic == 2 or (panic and scope.kind == "system"):
        return Outcome.PANIC
    if scope.kind != "memcg" and snapshot.sysctl.get("oom_kill_allocating_task", 0):
        return Outcome.ALLOCATING_TASK
    if unread and not found:
        return Outcome.UNKNOWN
    if not found:
        return Outcome.NO_VICTIM if scope.kind == "memcg" else Outcome.PANIC
    return Outcome.KILL


def _sacrificed(snapshot: Snapshot, first: Candidate, candidates: list[Candidate]) -> Candidate:
    """Before 5.1, the child with the most points dies in place of the process selected.

    ``mm/oom_kill.c:oom_kill_process`` (v4.19). Children that share the parent's memory do not count, which
    /proc does not show. Since Linux kernel commit bbbe48029720 ("mm, oom: remove 'prefer children over
    parent' heuristic") (in v5.1), there is no such thing.
    """
    if not snapshot.traits.sacrifice_child:
        return first
    children = [candidate for candidate in candidates if candidate.process.ppid == first.process.pid]
    # max() keeps the first of equals, as the kernel does.
    return max(children, key=lambda child: child.points, default=first)


def _group(snapshot: Snapshot, scope: Scope, victim: Candidate | None) -> GroupKill | None:
    if victim is None or victim.process.cgroup is None:
        return None
    path = oom_group_of(snapshot, victim.process.cgroup, scope.path)
    if path is None:
        return None
    return group_kill(snapshot, path, own_pid_namespace=snapshot.host.container_view is not None)


def _error(snapshot: Snapshot, process: Process) -> int:
    return rss_error_pages(snapshot.traits, threads=process.threads or 1, cpus=snapshot.host.cpus or 1)
