"""The OOM killer: whom ``rules.victim`` names, with its group, and what the waiting charge does then.

``mm/oom_kill.c:out_of_memory``, ``oom_kill_process``; ``mm/memcontrol.c:mem_cgroup_oom`` (v6.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from memwarden.rules.scope import memcg_scope, system_scope
from memwarden.rules.victim import rank
from memwarden.sim.result import Kind
from memwarden.sim.view import snapshot
from memwarden.sim.world.process import Died, Proc, Retry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.rules.scope import Scope
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.process import Task
    from memwarden.sim.world.world import World

SPIN_US: Final = 5_000.0
"""A fault that nobody can be killed for is tried again at once: 140 to 300 times a second were measured."""
REAPER_US: Final = 2_000_000
"""``OOM_REAPER_DELAY``: after that the reaper takes what a victim holds, if it is still there."""
KILL_US: Final = 200.0
"""Choosing a victim and writing the report."""


def memcg(task: Task, over: Memcg) -> NoReturn:
    """A charge at ``over`` failed for good.

    While a victim is on its way out nobody else dies, and the charge is tried again at once, as after a kill
    (``mem_cgroup_oom``: "passed_oom"). Where its exit hangs, that is looked at once per jiffy.
    """
    world = task.world
    over.count("oom")
    seen = [proc for proc in dying(over.subtree) if _seen(proc)]
    if seen:
        hangs = all(proc.program.exit_held_us for proc in seen)
        raise Retry(world.jiffy_us if hangs else 0.0, spins=True)
    _after(task, kill(world, over, task.reclaim * world.slow))


def machine(task: Task) -> NoReturn:
    """An allocation failed for good: anybody may die for it.

    While a victim is on its way out, ``out_of_memory`` says that there is progress, and direct reclaim is
    tried from the start again (``__alloc_pages_slowpath``: ``no_progress_loops = 0``), without a sleep.
    Where nobody may be killed the kernel panics ("System is deadlocked on memory"): nothing happens any more.
    """
    world = task.world
    if any(dying(world.root.subtree)):
        raise Retry(world.jiffy_us, spins=True)
    killed = kill(world, None)
    if not killed:
        world.panicked = True
        world.say(Kind.PANIC)
    _after(task, killed)


def _after(task: Task, killed: list[Proc]) -> NoReturn:
    if task.proc in killed:
        raise Died
    raise Retry(KILL_US if killed else SPIN_US, spins=True)


def dying(domain: tuple[Memcg, ...]) -> Iterator[Proc]:
    """Victims that still hold memory: the scan is given up and nobody else dies (``oom_evaluate_task``).

    Not so for one from which all was taken that can be.
    """
    return (proc for memcg in domain for proc in memcg.procs if proc.dying and not proc.reaped)


def _seen(proc: Proc) -> bool:
    """Whether ``mem_cgroup_scan_tasks`` comes by it: with ``over_kill`` not while it exits.

    The machine's OOM killer goes through all processes, and sees it (``select_bad_process``).
    """
    begin, end = proc.hidden
    return not (proc.world.machine.traits.over_kill and begin <= proc.world.now < end)


def kill(world: World, over: Memcg | None, took_us: float = 0.0) -> list[Proc]:
    """Choose and kill; ``over`` is the cgroup whose limit was hit, ``None`` the machine.

    ``took_us``: what the passes in vain before it took, in which nobody dies yet.
    """
    path = over.path if over else "/"
    world.say(Kind.OOM, path, stretch=True)
    seen = snapshot(world)
    over_kill = over and world.machine.traits.over_kill
    passed = {pid for pid, one in world.procs.items() if one.reaped or (over_kill and one.dying)}
    if passed:
        seen = seen._replace(processes={pid: one for pid, one in seen.processes.items() if pid not in passed})
    scope: Scope | None = memcg_scope(seen, over.path) if over else system_scope(seen)
    assert scope is not None
    ranking = rank(seen, scope)
    if ranking.victim is None:
        return []
    victims = [world.procs[ranking.victim.process.pid]]
    if ranking.group:
        # The scan of the group counts the victim again (kernel.md, oom_kill is one too high).
        _kill(world, victims[0], over, took_us)
        world.groups[ranking.group.path].count("oom_group_kill")
        victims = [world.procs[one.pid] for one in ranking.group.killed]
    for proc in victims:
        _kill(world, proc, over, took_us)
    return victims


def _kill(world: World, proc: Proc, over: Memcg | None, took_us: float) -> None:
    proc.memcg.count("oom_kill")
    world.oom_kills += 1
    if not proc.dying:
        where = over.path if over else "/"
        held = proc.resident, proc.swapped
        world.say(Kind.OOM_KILL, proc.memcg.path, proc=proc, amount=held[0], detail=where, swap=held[1])
        proc.kill(took_us=took_us, reap_us=REAPER_US)
