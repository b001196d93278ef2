"""``memory.reclaim``, in slices, by a worker.

Kernel: ``mm/memcontrol.c:memory_reclaim`` (6.1), ``user_proactive_reclaim`` (7.2): EAGAIN after 17 rounds
that freed nothing, with what was freed before; no key is taken by 6.1.
"""

from __future__ import annotations

import os
from errno import EAGAIN, EINVAL
from typing import TYPE_CHECKING, Final

from memwarden.host.targets import Refused, why
from memwarden.host.underway import Done
from memwarden.units import MIB

if TYPE_CHECKING:
    from memwarden.host.effects import Hands
    from memwarden.host.targets import Machine
    from memwarden.host.underway import Act, Underway
    from memwarden.host.workers import Job
    from memwarden.state.intents import Reclaim

SLICE: Final = 16 * MIB
"""Bytes of one write; between two of them a reclaim can be given up."""


class Reclaiming:
    """Asks the kernel for memory of a cgroup."""

    def __init__(self, machine: Machine, hands: Hands, underway: Underway, *, dry: bool) -> None:
        self._machine = machine
        self._hands = hands
        self._underway = underway
        self._dry = dry

    def reclaim(self, intent: Reclaim, act: Act) -> Done | None:
        """Begin it. The outcome is done if anything was reclaimed."""
        with self._machine.cgroup(intent.cgroup) as fd:
            os.stat("memory.reclaim", dir_fd=fd, follow_symlinks=False)
            if self._dry:
                return Done()
            directory = os.dup(fd)
        state = _State()

        def run(job: Job) -> None:
            try:
                while state.got < intent.amount_bytes and not job.given_up:
                    part = min(SLICE, intent.amount_bytes - state.got)
                    self._ask(directory, part, intent.swappiness)
                    state.got += part
            except OSError as error:
                state.failed = error
            finally:
                os.close(directory)

        def finish(late: bool) -> Done:
            error = state.sentence(late=late)
            share = f"{state.got // MIB} of {intent.amount_bytes // MIB} MiB"
            return Done(
                state.got > 0 or not error, f"{intent.cgroup.path}: {error} ({share})" if error else ""
            )

        try:
            self._underway.hand_over(act, run, finish)
        except Refused:
            os.close(directory)
            raise
        return None

    def _ask(self, directory: int, amount: int, swappiness: int | None) -> None:
        if swappiness is not None:
            try:
                self._hands.put(directory, "memory.reclaim", b"%d swappiness=%d" % (amount, swappiness))
            except OSError as error:
                if error.errno != EINVAL:
                    raise
            else:
                return
        self._hands.put(directory, "memory.reclaim", b"%d" % amount)


class _State:
    """How far a reclaim has come: bytes of whole slices, and what ended it."""

    def __init__(self) -> None:
        self.got = 0
        self.failed: OSError | None = None

    def sentence(self, *, late: bool) -> str:
        if self.failed is not None:
            again = self.failed.errno == EAGAIN
            return "the kernel can reclaim no more" if again else why(self.failed)
        return "given up when its time was over" if late else ""
