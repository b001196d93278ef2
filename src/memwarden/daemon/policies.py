"""The policy of the daemon, read by a child: what reads policies is never in the guard's own memory.

Nor in its way: a reload is most of all slow where memory is short, and then the guard has to guard.
"""

from __future__ import annotations

import marshal
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from memwarden.daemon.loop import Heard
from memwarden.errors import InputError
from memwarden.guard.flat import unflatten
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memwarden.daemon.ears import Ears
    from memwarden.guard.ir import Policy
    from memwarden.host.clock import Clock

READER: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reading.py")
LIMIT_US: Final = 30 * SECOND_US
"""A reader that takes longer is given up; a policy is read in a tenth of a second."""
CHUNK: Final = 1 << 16


def understood(printed: bytes | str) -> tuple[Policy, list[str]]:
    """The policy that a reader printed, and what is odd about it in words.

    Raises :class:`InputError` with all that is wrong; a sentence says why nothing was read at all.
    """
    if isinstance(printed, str):
        raise InputError(printed)
    try:
        found = marshal.loads(printed)  # noqa: S302 - our own child's, of the same version
    except (EOFError, ValueError, TypeError):
        raise InputError(
            "the policy could not be read: its reader died; try: memwarden policy check"
        ) from None
    if isinstance(found, str):
        raise InputError(found)
    return unflatten(found[0]), list(found[1])


class Reader:
    """Has policies read, one at a time, by children that the ears listen to.

    None of them is waited for: whoever waits for a disk does not even die before that answers. They are
    reaped at turns to come.
    """

    def __init__(self, ears: Ears, clock: Clock) -> None:
        self._ears = ears
        self._clock = clock
        self._told: Callable[[bytes | str], None] | None = None
        """Who is told what is being read; nobody while nothing is."""
        self._pipe = self._pid = self._until_us = 0
        self._printed = bytearray()
        self._ended = False
        self._killed: list[int] = []
        """Pids that are ours still."""

    def read(self, where: str | None, *, bug_compatible: bool = False) -> tuple[Policy, list[str]]:
        """The policy and what is odd about it, waited for, with ears that nobody else needs yet."""
        found: list[bytes | str] = []
        self.begin(where, bug_compatible=bug_compatible, told=found.append)
        while not found:
            self._ears.wait(max(self._until_us - self._clock.monotonic_us(), 0))
            self.turn()
        return understood(found[0])

    def begin(self, where: str | None, *, bug_compatible: bool, told: Callable[[bytes | str], None]) -> None:
        """Have it read when nothing else is; ``told`` is called once, with what :func:`understood` takes."""
        try:
            self._pipe, self._pid = _spawn((where or "", "1" if bug_compatible else "0"))
        except OSError as error:
            told(f"the policy could not be read: {error.strerror}")
            return
        self._told, self._ended = told, False
        self._until_us = self._clock.monotonic_us() + LIMIT_US
        self._ears.listen(self._pipe, self._hear)

    def _hear(self, _events: int) -> Heard:
        try:
            chunk = os.read(self._pipe, CHUNK)
        except BlockingIOError:  # meant for the pipe before, which had this number
            return Heard()
        self._printed += chunk
        if not chunk:
            self._ended = True  # whoever is told changes much, which is for between two turns
            self._ears.forget(self._pipe)
        return Heard()

    def turn(self) -> None:
        """Between two turns of the loop: tell what has been read, end what takes too long, reap."""
        if self._told is None:
            pass
        elif self._ended:
            self._end(bytes(self._printed))
        elif self._clock.monotonic_us() >= self._until_us:
            self._end(b"")
        self._killed = [pid for pid in self._killed if os.waitpid(pid, os.WNOHANG) == (0, 0)]

    def give_up(self, why: str) -> None:
        """Read no further, if anything is being read; who asked for it is told why."""
        if self._told is not None:
            self._end(why)

    def _end(self, found: bytes | str) -> None:
        assert self._told is not None
        told, self._told = self._told, None
        self._ears.forget(self._pipe)
        os.close(self._pipe)
        os.kill(self._pid, signal.SIGKILL)  # ours, and not reaped yet: nobody else has its pid
        self._killed.append(self._pid)
        self._printed = bytearray()
        told(found)


def _spawn(words: Sequence[str]) -> tuple[int, int]:
    """Where it prints to, and its pid."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", READER, *words],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)],
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP],
        )
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    os.set_blocking(reader, False)
    return reader, pid
