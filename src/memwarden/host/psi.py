"""Pressure triggers: the kernel wakes us when tasks were stalled for so long within a window.

Kernel: Documentation/accounting/psi.rst, ``kernel/sched/psi.c:psi_trigger_create``.
"""

from __future__ import annotations

import os
import select
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.errors import UnsupportedError
from memwarden.host import self as ourselves
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST_US: Final = SECOND_US // 2
"""The shortest window of 5.10 and 6.1; 6.12 takes any."""
PERIOD_US: Final = 2 * SECOND_US
"""Without CAP_SYS_RESOURCE a window has to be a multiple of the averaging period."""


class Granted(Enum):
    """Which window the kernel took, best first; it decides how soon a trigger fires."""

    AS_ASKED = "as-asked"
    SHORTEST = "shortest"  # half a second, on kernels that take no less
    PERIODS = "periods"  # a multiple of two seconds, for those without CAP_SYS_RESOURCE


class Woken(NamedTuple):
    """What a wait gave: triggers that fired, and those whose cgroup is gone."""

    fired: tuple[Trigger, ...]
    gone: tuple[Trigger, ...]


class Trigger:
    """An armed trigger. ``window_us`` and ``stall_us`` are those that the kernel took."""

    def __init__(self, fd: int, path: str, stall_us: int, window_us: int, granted: Granted) -> None:
        self.path = path
        self.stall_us = stall_us
        self.window_us = window_us
        self.granted = granted
        self._fd = fd

    def fileno(self) -> int:
        """For ``poll``."""
        return self._fd

    def close(self) -> None:
        """Remove the trigger."""
        os.close(self._fd)


def arm(
    path: str, *, kind: str = "some", stall_us: int, window_us: int, dir_fd: int | None = None
) -> Trigger:
    """Arm a trigger on ``/proc/pressure/*``, or on a ``*.pressure`` file in the cgroup held by ``dir_fd``.

    Where the kernel refuses the window, half a second and then the next multiple of two seconds are tried,
    with the same share of it as threshold; ``granted`` of the trigger says which. Raises
    :class:`UnsupportedError` where no trigger can be had: the caller reads the file at intervals instead.
    """
    refused: OSError | None = None
    for granted, window in _windows(window_us):
        stall = stall_us * window // window_us
        try:
            fd = ourselves.open_trigger(path, _text(kind, stall, window), dir_fd=dir_fd)
        except OSError as error:
            refused = refused or error
        else:
            return Trigger(fd, path, stall, window, granted)
    assert refused is not None
    raise UnsupportedError(
        f"{path}: no trigger for {stall_us} us in {window_us} us can be armed: {refused.strerror}; "
        "pressure is read at intervals instead"
    ) from refused


def _windows(window_us: int) -> list[tuple[Granted, int]]:
    tries = [(Granted.AS_ASKED, window_us)]
    if window_us < SHORTEST_US:
        tries.append((Granted.SHORTEST, SHORTEST_US))
    return [*tries, (Granted.PERIODS, -(-window_us // PERIOD_US) * PERIOD_US)]


def _text(kind: str, stall_us: int, window_us: int) -> bytes:
    # kernel/sched/psi.c:psi_write puts a NUL over the last byte it is given: without the newline the window
    # would lose its last digit, silently where it is long enough.
    return b"%s %d %d\n" % (kind.encode(), stall_us, window_us)


def wait(triggers: Iterable[Trigger], timeout_us: int) -> Woken:
    """Wait until a trigger fires or its cgroup is gone, at most ``timeout_us``."""
    by_fd = {trigger.fileno(): trigger for trigger in triggers}
    poll = select.poll()
    for fd in by_fd:
        poll.register(fd, select.POLLPRI)
    fired: list[Trigger] = []
    gone: list[Trigger] = []
    for fd, events in poll.poll(-(-timeout_us // 1000)):
        (gone if events & (select.POLLERR | select.POLLNVAL | select.POLLHUP) else fired).append(by_fd[fd])
    return Woken(tuple(fired), tuple(gone))
