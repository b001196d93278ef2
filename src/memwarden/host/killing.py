"""SIGKILL and SIGTERM to a process or to everybody in a cgroup.

A group is killed by ``cgroup.kill`` where the kernel has it (``kernel/cgroup/cgroup.c:__cgroup_kill``). Where
not, it is frozen, so that it does not fork while it is killed one by one: a frozen task of v2 dies by SIGKILL
(``kernel/signal.c:get_signal``). On v1 nothing is frozen, and it takes more rounds.
"""

from __future__ import annotations

import os
import signal
from errno import EACCES, ENOENT, EPERM
from typing import TYPE_CHECKING, Final

from memwarden.host import targets
from memwarden.host.blocks import Suppress
from memwarden.host.targets import Refused
from memwarden.host.underway import Done, ready
from memwarden.state.intents import ProcessId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.host.changes import Changes
    from memwarden.host.effects import Hands
    from memwarden.host.targets import Machine
    from memwarden.host.underway import Act, Underway
    from memwarden.host.workers import Job
    from memwarden.state.intents import CgroupId, Kill, Terminate

ROUNDS: Final = 200
"""Of killing one by one: a fork begun when SIGKILL comes fails, or its child is seen in the next round."""
BATCH: Final = 256
"""Processes held by pidfd at a time."""
POLL_MS: Final = 5
RELEASED: Final = 64
"""Processes of a killed group whose memory is taken back at once; the others free theirs as they exit."""


class Killing:
    """``released`` counts processes whose memory was taken back before they had exited."""

    def __init__(
        self, machine: Machine, hands: Hands, changes: Changes, underway: Underway, *, dry: bool
    ) -> None:
        self._machine = machine
        self._hands = hands
        self._changes = changes
        self._underway = underway
        self._dry = dry
        self.released = 0

    def kill(self, intent: Kill, act: Act) -> Done:
        """SIGKILL, and then ``process_mrelease``."""
        if isinstance(intent.target, ProcessId):
            return self._one(intent.target, signal.SIGKILL, release=intent.release)
        with self._machine.cgroup(intent.target) as fd:
            pids = self._living(fd, intent.target.path)
            if self._dry:
                return Done(signalled=len(pids))
            held = [pidfd for _, pidfd in hold(pids[:RELEASED])] if intent.release else []
            try:
                return self._group(fd, intent.target, pids)
            finally:
                self._release(held)

    def terminate(self, intent: Terminate, act: Act) -> Done:
        """SIGTERM."""
        if isinstance(intent.target, ProcessId):
            return self._one(intent.target, signal.SIGTERM, release=False)
        with self._machine.cgroup(intent.target) as fd:
            pids = self._living(fd, intent.target.path)
            if self._dry:
                return Done(signalled=len(pids))
            sent = self._signal_members(fd, pids, signal.SIGTERM)
            return Done(
                bool(sent), "" if sent else f"{intent.target.path}: nobody could be signalled", len(sent)
            )

    def _living(self, fd: int, path: str) -> list[int]:
        pids = self._machine.members(fd, path)
        if not pids:
            raise Refused(f"{path}: no process is left in it")
        return pids

    def _one(self, target: ProcessId, number: int, *, release: bool) -> Done:
        with self._machine.process(target) as pidfd:
            if not self._dry:
                self._hands.signal(pidfd, number)
                if release:
                    self._release([os.dup(pidfd)])
            return Done(signalled=1)

    def _group(self, fd: int, target: CgroupId, pids: list[int]) -> Done:
        try:
            self._hands.put(fd, "cgroup.kill", b"1")
        except OSError as error:
            if error.errno not in (ENOENT, EACCES, EPERM):
                raise
        else:
            return Done(signalled=len(set(pids)))
        entry = self._changes.freeze_meanwhile(fd, target)
        try:
            return self._in_rounds(fd, target.path)
        finally:
            if entry is not None:
                self._changes.undo(entry)

    def _in_rounds(self, fd: int, path: str) -> Done:
        """Everybody, each round, until nobody new is there: a victim in the kernel may stay for a while."""
        killed: set[int] = set()
        for _ in range(ROUNDS):
            pids = self._machine.members(fd, path)
            new = set(pids) - killed
            if not new:
                error = "" if killed else f"{path}: no process is left in it"
                return Done(bool(killed), error, len(killed))
            sent = self._signal_members(fd, pids, signal.SIGKILL)
            if not sent and set(pids) <= set(targets.processes(fd)):
                return Done(bool(killed), f"{path}: processes in it may not be killed", len(killed))
            killed |= sent
        return Done(True, f"{path}: new processes come faster than they can be killed", len(killed))

    def _signal_members(self, fd: int, pids: Sequence[int], number: int) -> set[int]:
        """Signal processes of a cgroup; returns who was.

        Between reading ``cgroup.procs`` and ``pidfd_open`` a pid may have become somebody else's. So the list
        is read once more after they are held: a pid in it then is of the one held, or the one held is dead.
        """
        sent = set()
        for start in range(0, len(pids), BATCH):
            held = hold(pids[start : start + BATCH])
            try:
                still = set(targets.processes(fd))
                for pid, pidfd in held:
                    if pid in still:
                        with Suppress(OSError):
                            self._hands.signal(pidfd, number)
                            sent.add(pid)
                if number == signal.SIGKILL and held:
                    ready([pidfd for _, pidfd in held], POLL_MS)
            finally:
                for _, pidfd in held:
                    os.close(pidfd)
        return sent

    def _release(self, pidfds: list[int]) -> None:
        """Have the memory of dying processes taken back by a worker, if one is free; closes the pidfds."""

        def run(_job: Job | None) -> None:
            for pidfd in pidfds:
                self.released += self._hands.release(pidfd)
                os.close(pidfd)

        if not pidfds or not self._underway.start(run):
            for pidfd in pidfds:
                os.close(pidfd)


def hold(pids: Sequence[int]) -> list[tuple[int, int]]:
    """Pids with a pidfd each, without those that are gone."""
    held = []
    for pid in pids:
        with Suppress(OSError):
            held.append((pid, os.pidfd_open(pid)))
    return held
