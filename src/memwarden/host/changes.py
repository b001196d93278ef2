"""Changes that are undone: a cgroup frozen or limited, a process stopped. Each is written down first."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.errors import InputError
from memwarden.host import files, undo
from memwarden.host.targets import Refused, why
from memwarden.host.underway import Done
from memwarden.state.intents import ProcessId
from memwarden.units import Max

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.host.effects import Hands
    from memwarden.host.journal import Journal
    from memwarden.host.targets import Machine
    from memwarden.host.underway import Act, Underway
    from memwarden.host.undo import Entry
    from memwarden.host.workers import Job
    from memwarden.state.intents import CgroupId, Freeze, RunHook, SetHigh, Target, Thaw
    from memwarden.units import Limit

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
MANY: Final = 64
"""Changes that wait to be undone before it is asked which of their cgroups and processes are gone."""
_LEFT: Final = {
    undo.FREEZE: "memwarden has not frozen it, or has thawed it already",
    undo.HIGH: "memwarden has not limited it, or has lifted that already",
}
"""Why nothing is undone where the journal has nothing."""


class Undone(NamedTuple):
    """What became of a change that was to be undone.

    ``settled``: nobody needs to come back to it. ``text`` is empty for plain success.
    """

    entry: Entry
    settled: bool
    text: str

    def sentence(self, *, dry_run: bool = False) -> str:
        """The same in words."""
        if self.text:
            return f"{'left as it is' if self.settled else 'not undone'}: {self.text}"
        return f"{'would be undone' if dry_run else 'undone'}: {undo.said(self.entry)}"


class Changes:
    """Freezing, limits and stopping, with the journal. Without a journal nothing is changed: a dry run."""

    def __init__(self, machine: Machine, hands: Hands, journal: Journal | None, underway: Underway) -> None:
        self._machine = machine
        self._hands = hands
        self._journal = journal
        self._underway = underway
        self._writing: set[Entry] = set()
        """What a worker is about to write, or writes: memory.high may be either value still."""
        self.later: list[Entry] = []
        """What is to be undone as soon as it has been written, or that could not be when it was tried."""
        self._many = MANY

    def _find(self, kind: str, target: Target) -> Entry | None:
        return self._journal.find(kind, target) if self._journal is not None else None

    def _begin(self, kind: str, target: Target, was: str = "", now: str = "") -> Entry:
        """Write a change down that is about to be made; raises :class:`InputError` when it cannot be.

        Nobody undoes what was changed of whoever is gone. Those are struck out here, since the journal takes
        only so many.
        """
        journal = self._journal
        assert journal is not None
        if journal.waiting >= self._many:
            for entry in journal.pending():
                if self._is_gone(entry.target):
                    journal.done(entry)
            self._many = 2 * journal.waiting + MANY
        return journal.begin(kind, target, was, now)

    def _is_gone(self, target: Target) -> bool:
        machine = self._machine
        try:
            with machine.process(target) if isinstance(target, ProcessId) else machine.cgroup(target):
                return False
        except Refused:
            return True
        except OSError:
            return False

    def _make(self, kind: str, target: Target, fd: int, data: bytes, was: str = "") -> Entry:
        """Write a change down, then make it; one that fails is taken out of the journal."""
        assert self._journal is not None
        entry = self._begin(kind, target, was, data.decode())
        try:
            self._hands.put(fd, undo.FILES[kind], data)
        except OSError:
            self._journal.done(entry)
            raise
        return entry

    def freeze(self, intent: Freeze, act: Act) -> Done:
        """Freeze a group that nobody else has frozen; a second time is as good as the first."""
        target = intent.cgroup
        with self._machine.cgroup(target) as fd:
            self._machine.members(fd, target.path)
            entry = self._find(undo.FREEZE, target)
            if entry is None:
                if _frozen(fd):
                    raise Refused(f"{target.path}: somebody else has frozen it, and may thaw it at any time")
                if self._journal is not None:
                    self._make(undo.FREEZE, target, fd, b"1")
            elif entry in self.later:
                self.later.remove(entry)  # it could not be thawed, and is to stay frozen now
            return Done()

    def freeze_meanwhile(self, fd: int, target: CgroupId) -> Entry | None:
        """Freeze a group if that can be; ``None`` where it cannot, or is frozen already."""
        try:
            if not _frozen(fd):
                return self._make(undo.FREEZE, target, fd, b"1")
        except (OSError, InputError):
            pass
        return None

    def thaw(self, intent: Thaw, act: Act) -> Done:
        """Thaw what we have frozen, and nothing else."""
        return self._take_back(undo.FREEZE, intent.cgroup, "")

    def _take_back(self, kind: str, target: CgroupId, was: str) -> Done:
        """Undo a change that stands in the journal.

        What is left as it is on purpose is done with, and the outcome says so: whoever tried once more would
        not find an entry that knows our value from somebody else's. ``was`` is what we are asked to restore;
        the journal knows better when somebody set another value between two changes of ours.
        """
        if self._journal is None:
            return Done()
        entry = self._find(kind, target)
        if entry is None:
            return Done(True, f"left as it is: {target.path}: {_LEFT[kind]}")
        undone = self.undo(entry)
        if undone.text:
            return Done(undone.settled, undone.sentence() if undone.settled else undone.text)
        same = entry.was == was
        return Done(
            True, "" if same else f"restored {target.path} to {entry.was}, as somebody else had set it"
        )

    def set_high(self, intent: SetHigh, act: Act) -> Done | None:
        """Set memory.high by a worker; back to what it was, when that is asked for.

        A value that somebody else has written since stays, and so what is restored is what was found before
        the first of our own.
        """
        target, wanted = intent.cgroup, _limit_text(intent.high_bytes)
        if intent.restore is None:
            return self._take_back(undo.HIGH, target, wanted)
        with self._machine.cgroup(target) as fd:
            self._machine.members(fd, target.path)
            current = _high(fd)
            journal = self._journal
            if journal is None:
                return Done()
            earlier = journal.find(undo.HIGH, target)
            if earlier in self.later:
                self.later.remove(earlier)
            was = earlier.was if earlier is not None and earlier.now == current else current
            entry = self._begin(undo.HIGH, target, was, wanted)
            try:
                self._write_high(act, fd, wanted, (entry, earlier))
            except (OSError, Refused):
                journal.done(entry)
                raise
        return None

    def _write_high(self, act: Act, fd: int, wanted: str, entries: tuple[Entry, Entry | None]) -> None:
        journal = self._journal
        assert journal is not None
        entry, earlier = entries
        refused: list[OSError] = []
        run, take_back = self._writer(fd, wanted, entry, refused)

        def finish(late: bool) -> Done:
            settled = entry if refused else earlier
            if settled is not None:
                journal.done(settled)
            if refused:
                return Done(False, why(refused[0]))
            return Done(True, "the limit is set, and the kernel still reclaims down to it" if late else "")

        try:
            self._underway.hand_over(act, run, finish)
        except Refused:
            take_back()
            raise

    def _writer(
        self, fd: int, wanted: str, entry: Entry, refused: list[OSError]
    ) -> tuple[Callable[[Job], None], Callable[[], None]]:
        """A write of memory.high for a worker, and what to do instead when there is none."""
        directory = os.dup(fd)
        self._writing.add(entry)

        def take_back() -> None:
            self._writing.discard(entry)
            os.close(directory)

        def run(_job: Job) -> None:
            try:
                self._hands.put(directory, "memory.high", wanted.encode())
            except OSError as error:
                refused.append(error)
            finally:
                take_back()

        return run, take_back

    def hold_group(self, intent: RunHook, target: CgroupId, fd: int) -> list[Entry]:
        """Freeze or throttle a group while a hook runs, unless it is already."""
        if intent.meanwhile == "freeze" and not _frozen(fd):
            return [self._make(undo.FREEZE, target, fd, b"1")]
        if intent.meanwhile == "throttle" and self._find(undo.HIGH, target) is None:
            return self._throttle_meanwhile(target, fd)
        return []

    def _throttle_meanwhile(self, target: CgroupId, fd: int) -> list[Entry]:
        """Limit a group to what it uses, by a worker: it may grow, and then the write reclaims."""
        assert self._journal is not None
        was = _high(fd)
        usage = int(files.read_at(fd, "memory.current")) // PAGE * PAGE
        if was != "max" and int(was) <= usage:
            return []
        entry = self._begin(undo.HIGH, target, was, str(usage))
        run, take_back = self._writer(fd, str(usage), entry, [])
        if self._underway.start(run):
            return [entry]
        take_back()
        self._journal.done(entry)
        return []

    def hold_process(self, intent: RunHook, target: ProcessId, pidfd: int) -> list[Entry]:
        """Stop a process while a hook runs, unless it is already."""
        if intent.meanwhile == "throttle":
            raise Refused(
                f"pid {target.pid}: only a cgroup can be throttled; freeze it meanwhile, or do nothing"
            )
        stat = self._machine.stat(target.pid)
        if intent.meanwhile != "freeze" or stat is None or stat.state in "Tt":
            return []
        assert self._journal is not None
        entry = self._begin(undo.STOP, ProcessId(target.pid, target.start_time_ticks))
        try:
            self._hands.signal(pidfd, signal.SIGSTOP)
        except OSError:
            self._journal.done(entry)
            raise
        return [entry]

    def running(self, pid: int) -> Entry | None:
        """Write down that a program of ours runs: it is ended at the next start if we do not see to it."""
        stat = self._machine.stat(pid)
        if stat is None or self._journal is None:
            return None
        try:
            return self._begin(undo.HOOK, ProcessId(pid, stat.start_time_ticks))
        except InputError:
            return None

    def undo(self, entry: Entry, *, dry: bool = False) -> Undone:
        """Undo one change; one that cannot be undone now stays in the journal.

        That one, and one that is being written at this moment, is undone by :meth:`again`. For the reclaim
        that a limit begins, once it is set, nobody waits: the guard may end before it does.
        """
        if entry in self._writing and not self._is_there(entry):
            self._wait(entry)
            return Undone(entry, False, "")
        try:
            self._undo(entry, dry=dry)
            text = ""
        except Refused as reason:
            text = str(reason)
        except OSError as error:
            if not dry:
                self._wait(entry)
            return Undone(entry, False, f"{_where(entry)}: {why(error)}")
        if not dry and self._journal is not None:
            self._journal.done(entry)
        return Undone(entry, True, text)

    def _is_there(self, entry: Entry) -> bool:
        """Whether a limit was set (``mm/memcontrol.c:memory_high_write`` does so before it reclaims)."""
        assert not isinstance(entry.target, ProcessId)
        try:
            with self._machine.cgroup(entry.target) as fd:
                return _high(fd) == entry.now
        except (Refused, OSError):
            return False

    def _wait(self, entry: Entry) -> None:
        if entry not in self.later:
            self.later.append(entry)

    def again(self) -> None:
        """Undo what had to wait, as far as it is there still and can be undone now."""
        if not self.later:
            return
        assert self._journal is not None
        waiting, self.later = self.later, []
        there = self._journal.pending()
        for entry in waiting:
            if entry in there:
                self.undo(entry)

    def _undo(self, entry: Entry, *, dry: bool) -> None:
        """Raises :class:`Refused` when there is nothing to undo any more."""
        if isinstance(entry.target, ProcessId):
            with self._machine.process(entry.target) as pidfd:
                if not dry:
                    self._hands.signal(pidfd, signal.SIGCONT if entry.kind == undo.STOP else signal.SIGKILL)
            return
        with self._machine.cgroup(entry.target) as fd:
            if entry.kind == undo.HIGH:
                current = _high(fd)
                if current != entry.now:
                    raise Refused(f"{entry.target.path}: memory.high was changed to {current} since; left so")
            if not dry:
                self._hands.put(fd, undo.FILES[entry.kind], (entry.was or "0").encode())


def _frozen(directory_fd: int) -> bool:
    return files.read_at(directory_fd, "cgroup.freeze").strip() == b"1"


def _high(directory_fd: int) -> str:
    return files.read_at(directory_fd, "memory.high").decode().strip()


def _limit_text(value: Limit) -> str:
    """As the kernel prints it after it has rounded down to pages (``mm/page_counter.c``)."""
    return "max" if isinstance(value, Max) else str(max(value, 0) // PAGE * PAGE)


def _where(entry: Entry) -> str:
    return f"pid {entry.target.pid}" if isinstance(entry.target, ProcessId) else entry.target.path
