"""What wakes the guard: pressure triggers, memory.events, the kernel log, its socket, signals; or the timer.

One ``poll`` waits for all of them. Pressure triggers (``full`` and ``some`` of the machine, and of what the
policy watches) tell of shortage within a tenth of their window. ``memory.events`` of the cgroups right below
the root tell of limits that were met anywhere below, since events are counted in all ancestors; the kernel
notifies at most once per 10 ms and file (``mm/memcontrol.c:memcg_memory_event``): still too often for
a container that is throttled all day, so that a file that spoke is not listened to for a while.
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Final

from memwarden.daemon.loop import Heard
from memwarden.errors import UnsupportedError
from memwarden.host import psi
from memwarden.units import MILLISECOND_US, SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memwarden.host.clock import Clock
    from memwarden.host.kmsg import Kmsg

QUIET_US: Final = SECOND_US
"""How long a memory.events file is not listened to after it spoke."""
GONE: Final = select.POLLNVAL | select.POLLHUP
WANTED: Final = (("full", 20 * MILLISECOND_US), ("some", 100 * MILLISECOND_US))
"""Stall within a second that wakes us: what the pulse takes for an alarm."""


class Ears:
    """Waits. ``deaf`` names what could not be listened to, and why; the timer stands in for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._poll = select.poll()
        self._callers: dict[int, Callable[[int], Heard]] = {}
        self._triggers: dict[int, psi.Trigger] = {}
        self._events: dict[int, int] = {}
        self._quiet: dict[int, int] = {}
        self.deaf: list[str] = []

    @property
    def blind(self) -> bool:
        """Whether no pressure trigger is armed."""
        return not self._triggers

    def listen(self, fd: int, heard: Callable[[int], Heard]) -> None:
        """Call ``heard`` with poll's events when the descriptor has something to read."""
        self._callers[fd] = heard
        self._poll.register(fd, select.POLLIN)

    def forget(self, fd: int) -> None:
        """No longer listen to a descriptor."""
        if self._callers.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def arm(self, path: str, *, dir_fd: int | None = None, window_us: int = SECOND_US) -> None:
        """Arm the triggers of a pressure file."""
        for kind, stall_us in WANTED:
            try:
                trigger = psi.arm(path, kind=kind, stall_us=stall_us, window_us=window_us, dir_fd=dir_fd)
            except UnsupportedError as error:
                self.deaf.append(str(error))
            else:
                self._triggers[trigger.fileno()] = trigger
                self._poll.register(trigger.fileno(), select.POLLPRI)

    def watch_events(self, fds: Iterable[int]) -> None:
        """Listen to these memory.events files, which are ours to close, and no longer to those before."""
        for fd in [*self._events, *self._quiet]:
            self._drop(fd)
        for fd in fds:
            self._hush(fd)
            self._events[fd] = 0
            self._poll.register(fd, select.POLLPRI)

    def read_kernel_log(self, log: Kmsg, keep: Callable[[bytes], None] = lambda _record: None) -> None:
        """Wake up when the kernel says that it is out of memory; ``keep`` is given every record."""

        def heard(_events: int) -> Heard:
            said = False
            for record in log.records():
                keep(record)
                said = said or b"oom" in record or b"Out of memory" in record or b"Killed process" in record
            return Heard(signalled=said)

        self.listen(log.fileno(), heard)

    def wait(self, timeout_us: int) -> Heard:
        """Wait for something, or for the time; rounded up to milliseconds, as poll counts."""
        now_us = self._clock.monotonic_us()
        for fd in [fd for fd, until_us in self._quiet.items() if until_us <= now_us]:
            del self._quiet[fd]
            self._events[fd] = 0
            self._poll.register(fd, select.POLLPRI)
        signalled = stop = reload = False
        for fd, events in self._poll.poll(-(-timeout_us // 1000)):
            one = self._heard(fd, events)
            signalled, stop, reload = signalled or one.signalled, stop or one.stop, reload or one.reload
        return Heard(signalled, stop, reload)

    def _heard(self, fd: int, events: int) -> Heard:
        if fd in self._triggers:
            if events & (select.POLLERR | GONE):  # its cgroup is gone
                self._poll.unregister(fd)
                self._triggers.pop(fd).close()
                return Heard()
            return Heard(signalled=True)
        if fd in self._events:
            # kernfs says POLLERR|POLLPRI for a change as for a removal; reading makes it quiet again.
            self._poll.unregister(fd)
            del self._events[fd]
            if self._hush(fd) and not events & GONE:
                self._quiet[fd] = self._clock.monotonic_us() + QUIET_US
                return Heard(signalled=True)
            os.close(fd)
            return Heard(signalled=True)
        caller = self._callers.get(fd)
        return Heard() if caller is None else caller(events)

    @staticmethod
    def _hush(fd: int) -> bool:
        try:
            os.pread(fd, 512, 0)
        except OSError:
            return False
        return True

    def _drop(self, fd: int) -> None:
        if self._events.pop(fd, None) is not None:
            self._poll.unregister(fd)
        self._quiet.pop(fd, None)
        os.close(fd)

    def close(self) -> None:
        """Let go of triggers and files."""
        for trigger in self._triggers.values():
            trigger.close()
        self._triggers.clear()
        self.watch_events(())
