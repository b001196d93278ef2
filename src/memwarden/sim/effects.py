"""Intents done to the simulated machine, with the checks and the answers of ``host.effects``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from memwarden.sim import knobs
from memwarden.sim.result import Kind
from memwarden.sim.view import start_ticks
from memwarden.sim.world.memcg import PAGE, pages_of
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Intent,
    Kill,
    Notify,
    Outcome,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Target,
    Terminate,
    Thaw,
)
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.process import Proc
    from memwarden.sim.world.world import World


STOP_US: Final = 90 * SECOND_US
"""How long systemd waits for what was asked to end (``DefaultTimeoutStopSec=``)."""


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The target is not there any more, or this cannot be done here."""


class Effects:
    """Acts on a world. What takes time is reported when that time is over."""

    def __init__(self, world: World) -> None:
        self._world = world

    def apply(self, intent: Intent, report: Callable[[Outcome], None]) -> None:
        """Do it, and report what became of it."""
        try:
            if isinstance(intent, SetHigh):
                self._set_high(intent, report)
                return
            if isinstance(intent, Reclaim):
                self._reclaim(intent, report)
                return
            outcome = self._do(intent)
        except Refused as reason:
            report(Outcome(intent, done=False, error=str(reason)))
            return
        self._tell(outcome, outcome.took_us, report)

    def _tell(self, outcome: Outcome, in_us: int, report: Callable[[Outcome], None]) -> None:
        if in_us:
            self._world.at(self._world.now + in_us, lambda _token: report(outcome))
        else:
            report(outcome)

    def _do(self, intent: Intent) -> Outcome:
        world = self._world
        match intent:
            case Notify():
                return Outcome(intent, done=True)
            case Freeze(cgroup) | Thaw(cgroup):
                knobs.freeze(world, self._memcg(cgroup), frozen=isinstance(intent, Freeze))
                return Outcome(intent, done=True)
            case Terminate(target):
                return Outcome(intent, done=True, signalled=self._terminate(target))
            case Kill(target, release):
                return Outcome(intent, done=True, signalled=self._kill(target, release=release))
            case RunHook():
                return Outcome(intent, done=True, output="not run: this is a simulation")
            case Restart(unit):
                return Outcome(intent, done=True, signalled=self._restart(unit))
            case _:
                raise Refused("a simulated machine does not panic")

    def _set_high(self, intent: SetHigh, report: Callable[[Outcome], None]) -> None:
        """Done when what is above was reclaimed, or could not be: that may take the disk a while."""

        def lowered(writer: knobs.Writer) -> None:
            rest_us = int(writer.took_us)
            outcome = Outcome(intent, done=True, took_us=writer.passed_us + rest_us)
            self._tell(outcome, rest_us, report)

        memcg = self._memcg(intent.cgroup)
        memcg.high = pages_of(intent.high_bytes)
        self._world.say(Kind.CHANGED, memcg.path, detail=f"memory.high={intent.high_bytes}")
        knobs.Lowering(self._world, memcg, memcg.high, lowered).go_on()

    def _reclaim(self, intent: Reclaim, report: Callable[[Outcome], None]) -> None:
        """``memory.reclaim``: EAGAIN where less than asked for was freed, after 17 rounds in vain."""

        def ended(writer: knobs.Writer) -> None:
            enough = writer.missing() <= 0
            rest_us, got = int(writer.took_us), writer.freed * PAGE
            error = "" if enough else f"memory.reclaim of {memcg.path}: only {got} bytes could be freed"
            done, took_us = got > 0 or enough, writer.passed_us + rest_us
            self._tell(Outcome(intent, done=done, error=error, took_us=took_us), rest_us, report)

        memcg = self._memcg(intent.cgroup)
        if self._world.machine.traits.memory_reclaim is False:
            raise Refused(f"{memcg.path}: it has no memory.reclaim: this kernel does not offer it")
        asked = intent.amount_bytes // PAGE, intent.swappiness
        knobs.Reclaiming(self._world, memcg, asked, ended).go_on()

    def _terminate(self, target: Target) -> int:
        procs = self._procs(target)
        for proc in procs:
            self._world.say(Kind.TERM, proc.memcg.path, proc=proc)
            if proc.program.sigterm_us is not None and not proc.memcg.live_frozen():
                self._world.at(self._world.now + proc.program.sigterm_us, partial(_exit, proc))
        return len(procs)

    def _kill(self, target: Target, *, release: bool) -> int:
        """SIGKILL, and ``process_mrelease``, which does at once what the OOM reaper does in a while.

        A kernel without it says ENOSYS, and the memory comes back when the process ends by itself.
        """
        release = release and self._world.machine.traits.process_mrelease is not False
        procs = self._procs(target)
        for proc in procs:
            held = proc.resident, proc.swapped
            self._world.say(Kind.KILL, proc.memcg.path, proc=proc, amount=held[0], swap=held[1])
            proc.kill(reap_us=0 if release else None)
        return len(procs)

    def _restart(self, unit: str) -> int:
        """Stop and start what runs in the unit's cgroup, as systemd does.

        It sends SIGTERM, then SIGKILL to what does not end, and starts a program when it is gone.
        """
        found = [memcg for path, memcg in self._world.groups.items() if path.rpartition("/")[2] == unit]
        if not found:
            raise Refused(f"there is no unit {unit}")
        procs = [proc for memcg in found[0].subtree for proc in memcg.procs if not proc.dying]
        for proc in procs:
            self._world.say(Kind.TERM, proc.memcg.path, proc=proc)
            proc.renewed = True
            needed_us = proc.program.sigterm_us
            ends_us = STOP_US if needed_us is None else min(needed_us, STOP_US)
            self._world.at(self._world.now + ends_us, partial(_exit, proc))
        return len(procs)

    def _memcg(self, cgroup: CgroupId) -> Memcg:
        memcg = self._world.groups.get(cgroup.path)
        if memcg is None or memcg.inode != cgroup.inode:
            raise Refused(f"{cgroup.path} is not the cgroup it was")
        return memcg

    def _procs(self, target: Target) -> list[Proc]:
        """The living processes of a target."""
        if isinstance(target, CgroupId):
            memcg = self._memcg(target)
            return [proc for below in memcg.subtree for proc in below.procs if not proc.dying]
        proc = self._world.procs.get(target.pid)
        if proc is None or start_ticks(proc) != target.start_time_ticks:
            raise Refused(f"process {target.pid} is not the one it was")
        return [] if proc.dying else [proc]


def _exit(proc: Proc, _token: int) -> None:
    proc.kill()
