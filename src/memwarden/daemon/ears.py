"""What wakes the guard: pressure triggers, memory.events, the kernel log, its socket, signals; or the timer.

One ``poll`` waits for all of them. Pressure triggers (``full`` and ``some`` of the machine, and of what the
policy watches) tell of shortage within a tenth of their window. Which cgroups are listened to is for
``following`` to say.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final, TypeAlias

from memwarden.daemon.loop import Heard
from memwarden.errors import UnsupportedError
from memwarden.host import psi
from memwarden.units import MILLISECOND_US, SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from memwarden.daemon.events import EventsFile
    from memwarden.host.clock import Clock
    from memwarden.host.kmsg import Kmsg

QUIET_US: Final = SECOND_US
"""How long a memory.events file is not listened to after it spoke."""
LONGEST_MS: Final = (1 << 31) - 1
"""What ``poll`` can wait for, an ``int``."""
SILENT: Final = Heard(silent=True)
GONE: Final = select.POLLNVAL | select.POLLHUP
OF_MEMORY: Final = (b"oom", b"Out of memory", b"Killed process")
"""What the kernel's log says when memory is out."""
DEAF: Final = 16
"""Sentences of what cannot be listened to that are kept."""
Stall: TypeAlias = tuple[str, int, str, str]
"""A cgroup by path and inode, whose pressure, and ``some`` or ``full``."""
WANTED: Final = (("full", 20 * MILLISECOND_US), ("some", 100 * MILLISECOND_US))
"""Stall within a second that wakes us: what the pulse takes for an alarm."""


class Ears:
    """Waits. ``deaf`` names what could not be listened to, and why; the timer stands in for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._poll = select.poll()
        self._callers: dict[int, Callable[[int], Heard]] = {}
        self._triggers: dict[int, psi.Trigger] = {}
        self._events: dict[int, EventsFile] = {}
        self._quiet: dict[int, int] = {}
        self._stalls: dict[Stall, psi.Trigger | None] = {}
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

    def arm(self, path: str) -> None:
        """Arm the triggers of the machine's pressure file."""
        for kind, stall_us in WANTED:
            try:
                trigger = psi.arm(path, kind=kind, stall_us=stall_us, window_us=SECOND_US)
            except UnsupportedError as error:
                self.deaf.append(str(error))
            else:
                self._add(trigger)

    def _add(self, trigger: psi.Trigger) -> None:
        self._triggers[trigger.fileno()] = trigger
        self._poll.register(trigger.fileno(), select.POLLPRI)

    def watch_stalls(self, root: str, wanted: Mapping[Stall, tuple[int, int]]) -> None:
        """Have triggers in these cgroups, so much stall within so long, and no longer in others."""
        for key in self._stalls.keys() - wanted.keys():
            trigger = self._stalls.pop(key)
            if trigger is not None:
                self._poll.unregister(trigger.fileno())
                self._triggers.pop(trigger.fileno()).close()
        for key in wanted.keys() - self._stalls.keys():
            path, _, resource, kind = key
            stall_us, window_us = wanted[key]
            self._stalls[key] = None
            try:
                trigger = psi.arm(
                    f"{root}{path}/{resource}.pressure", kind=kind, stall_us=stall_us, window_us=window_us
                )
            except UnsupportedError as error:
                if len(self.deaf) < DEAF:
                    self.deaf.append(str(error))
            else:
                self._stalls[key] = trigger
                self._add(trigger)

    def _forget(self, trigger: psi.Trigger) -> None:
        for key in [key for key, one in self._stalls.items() if one is trigger]:
            self._stalls[key] = None  # its descriptor's number is another's soon
        trigger.close()

    def watch_events(self, files: Iterable[EventsFile]) -> None:
        """Listen to these memory.events files, which are ours to close, and no longer to those before."""
        for fd, file in self._events.items():
            if fd not in self._quiet:
                self._poll.unregister(fd)
            file.close()
        self._quiet.clear()
        self._events = {file.fileno(): file for file in files}
        for fd in self._events:
            self._poll.register(fd, select.POLLPRI)

    def read_kernel_log(self, log: Kmsg, keep: Callable[[bytes], None] = lambda _record: None) -> None:
        """Wake up when the kernel says that it is out of memory; ``keep`` is given every record.

        What ends or fails is let go of: poll would call it ready for ever.
        """

        def heard(_events: int) -> Heard:
            said, wrong = False, ""
            try:
                for record in log.records():
                    keep(record)
                    said = said or any(word in record for word in OF_MEMORY)
            except OSError as error:
                wrong = str(error.strerror)
            if log.ended or wrong:
                self.deaf.append(f"the kernel's log is not followed: {wrong or 'it ends, so it is none'}")
                self.forget(log.fileno())
                log.close()
            return Heard(signalled=said)

        self.listen(log.fileno(), heard)

    def wait(self, timeout_us: int) -> Heard:
        """Wait for something, or for the time; rounded up to milliseconds, as poll counts.

        A time that is longer than poll can wait is over earlier: nobody waits for a month.
        """
        if self._quiet:
            now_us = self._clock.monotonic_us()
            for fd in [fd for fd, until_us in self._quiet.items() if until_us <= now_us]:
                del self._quiet[fd]
                self._poll.register(fd, select.POLLPRI)
        ready = self._poll.poll(min(-(-timeout_us // 1000), LONGEST_MS))
        if not ready:
            return SILENT
        signalled = stop = reload = False
        for fd, events in ready:
            one = self._heard(fd, events)
            signalled, stop, reload = signalled or one.signalled, stop or one.stop, reload or one.reload
        return Heard(signalled, stop, reload)

    def _heard(self, fd: int, events: int) -> Heard:
        if fd in self._triggers:
            if events & (select.POLLERR | GONE):  # its cgroup is gone, and may be there anew
                self._poll.unregister(fd)
                self._forget(self._triggers.pop(fd))
            return Heard(signalled=True)
        if fd in self._events:
            # kernfs says POLLERR|POLLPRI for a change as for a removal.
            self._poll.unregister(fd)
            try:
                rose = self._events[fd].rose()
            except OSError:
                self._events.pop(fd).close()
                return Heard(signalled=True)
            self._quiet[fd] = self._clock.monotonic_us() + QUIET_US
            return Heard(signalled=rose)
        caller = self._callers.get(fd)
        return Heard() if caller is None else caller(events)

    def close(self) -> None:
        """Let go of triggers and files."""
        for trigger in self._triggers.values():
            trigger.close()
        self._triggers.clear()
        self._stalls.clear()
        self.watch_events(())
