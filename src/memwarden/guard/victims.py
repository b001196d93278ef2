"""Whom we acted on: until they are gone, what that freed, and what has to be undone.

One shortage must never cost two lives where one would have done. So as long as a victim is there and its time
is not over, nobody else is killed; what its death freed is measured before anything is decided again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from memwarden.guard.pulse import of_snapshot
from memwarden.state.cgroup import ancestry
from memwarden.state.intents import CgroupId, Freeze, Kill, ProcessId, SetHigh, Terminate, Thaw
from memwarden.units import SECOND_US, size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.guard.view import View
    from memwarden.state.intents import Intent, Outcome, Target
    from memwarden.state.snapshot import Snapshot


class Result(NamedTuple):
    """What came of a decision. ``freed_bytes`` is by how much free memory and swap rose meanwhile."""

    decision: str
    target: Target
    gone: bool
    freed_bytes: int | None
    took_us: int

    @property
    def text(self) -> str:
        """The same in words."""
        took = f"{self.took_us / SECOND_US:.2f} s"
        if not self.gone:
            return f"still there after {took}"
        freed = "" if self.freed_bytes is None else f", {size(self.freed_bytes)} more are free"
        return f"gone after {took}{freed}"


class _Pending(NamedTuple):
    decision: str
    target: Target
    at_us: int
    until_us: int
    free_bytes: int | None
    final: bool


class _Change(NamedTuple):
    """Which decisions changed something, what undoes it, and when that is due at the latest."""

    decisions: tuple[str, ...]
    undo: Intent
    until_us: int | None


class Victims:
    """Kept by the engine over all rules."""

    __slots__ = ("_changed", "_pending", "failed", "last_gone_us")

    def __init__(self) -> None:
        self._pending: dict[Target, _Pending] = {}
        self._changed: dict[tuple[CgroupId, bool], _Change] = {}
        self.failed: dict[Target, str] = {}
        """Who could not be killed, or does not die, and why; they are not chosen again."""
        self.last_gone_us: int | None = None

    @property
    def pending(self) -> tuple[Target, ...]:
        """Whose death is waited for."""
        return tuple(self._pending)

    @property
    def awaited(self) -> frozenset[str]:
        """The paths of those that are cgroups, with the ones that did not die in time."""
        waited = (*self._pending, *self.failed)
        return frozenset([target.path for target in waited if isinstance(target, CgroupId)])

    @property
    def dying(self) -> tuple[Target, ...]:
        """The same without those who were only asked to end and may stay: another rule may kill them."""
        return tuple(target for target, pending in self._pending.items() if pending.final)

    def waits(self, target: Target) -> bool:
        """Whether the death of this one is waited for."""
        return target in self._pending

    def strike(
        self, decision: str, intents: Iterable[Intent], view: View, within_us: int, *, final: bool = True
    ) -> None:
        """These are about to be done: note what free memory was, and what is changed.

        ``final``: SIGKILL, or SIGTERM that it follows.
        """
        now = view.now_us
        for intent in intents:
            if isinstance(intent, Kill | Terminate):
                known = self._pending.get(intent.target)
                free = free_bytes(view.snapshot) if known is None else known.free_bytes
                at = now if known is None else known.at_us
                until = now + within_us
                self._pending[intent.target] = _Pending(decision, intent.target, at, until, free, final)
            elif isinstance(intent, SetHigh) and intent.restore is not None:
                self._change(decision, intent, SetHigh(intent.cgroup, intent.restore), None)
            elif isinstance(intent, Freeze):
                self._change(decision, intent, Thaw(intent.cgroup), now + within_us)

    def _change(self, decision: str, intent: SetHigh | Freeze, undo: Intent, until_us: int | None) -> None:
        """Note a change; the first one of a cgroup knows what it was before us."""
        first = self._changed.get(_key(intent), _Change((), undo, until_us))
        self._changed[_key(intent)] = first._replace(decisions=(*first.decisions, decision))

    def outcome(self, decision: str, outcome: Outcome) -> None:
        """An intent of a decision was carried out, or not."""
        intent = outcome.intent
        if outcome.done:
            return
        if isinstance(intent, Kill | Terminate):
            self._pending.pop(intent.target, None)
            self.failed[intent.target] = outcome.error or "could not be killed"
        elif isinstance(intent, Thaw) or (isinstance(intent, SetHigh) and intent.restore is None):
            # It is as we changed it, still.
            self._changed.setdefault(_key(intent), _Change((decision,), intent, None))
        elif isinstance(intent, SetHigh | Freeze):
            known = self._changed.pop(_key(intent), None)
            others = tuple(one for one in known.decisions if one != decision) if known is not None else ()
            # What others have done to it has to be undone all the same.
            if known is not None and others:
                self._changed[_key(intent)] = known._replace(decisions=others)

    def settle(self, snapshot: Snapshot) -> tuple[Result, ...]:
        """Who is gone by now, and whose time is over."""
        now = snapshot.instant.monotonic_us
        for target in [target for target in self.failed if is_gone(snapshot, target)]:
            del self.failed[target]
        results = []
        for target, pending in list(self._pending.items()):
            gone = is_gone(snapshot, target)
            if not gone and now < pending.until_us:
                continue
            del self._pending[target]
            if gone:
                self.last_gone_us = now
            else:
                self.failed[target] = (
                    f"does not die: still there {(now - pending.at_us) / SECOND_US:.1f} s after"
                )
            free = free_bytes(snapshot)
            freed = None if free is None or pending.free_bytes is None else free - pending.free_bytes
            results.append(Result(pending.decision, target, gone, freed, now - pending.at_us))
        return tuple(results)

    def bury(self, target: Target | None, now_us: int) -> None:
        """Take it as gone: on a recording, where nobody dies of our decisions."""
        if target is not None:
            self._pending.pop(target, None)
            self.failed[target] = "would be dead already"
        self.last_gone_us = now_us

    def undo(self, snapshot: Snapshot, *, due: bool = False) -> tuple[tuple[str, Intent], ...]:
        """What restores everything that was changed and is there, newest first; forgotten here.

        ``due``: only what was frozen for as long as it may be, and is not being killed.
        """
        now = snapshot.instant.monotonic_us
        undone = []
        for key, change in reversed(list(self._changed.items())):
            if due and (change.until_us is None or now < change.until_us or key[0] in self._pending):
                continue
            del self._changed[key]
            if not _was_removed(snapshot, key[0]):
                undone.append((change.decisions[0], change.undo))
        return tuple(undone)

    def shift(self, by_us: int) -> None:
        """The clock has gone back by so much."""
        self._pending = {
            target: one._replace(at_us=one.at_us - by_us, until_us=one.until_us - by_us)
            for target, one in self._pending.items()
        }
        self._changed = {
            key: one if one.until_us is None else one._replace(until_us=one.until_us - by_us)
            for key, one in self._changed.items()
        }
        if self.last_gone_us is not None:
            self.last_gone_us -= by_us

    @property
    def changed(self) -> tuple[CgroupId, ...]:
        """Cgroups that are throttled or frozen by us."""
        return tuple(dict.fromkeys(cgroup for cgroup, _ in self._changed))


def _key(intent: SetHigh | Freeze | Thaw) -> tuple[CgroupId, bool]:
    """A cgroup may be throttled and frozen, and each is undone for itself."""
    return intent.cgroup, isinstance(intent, SetHigh)


def _was_removed(snapshot: Snapshot, cgroup: CgroupId) -> bool:
    """Whether it is not there any more, or another is in its place; what is listed may just not be read."""
    now = snapshot.cgroups.get(cgroup.path)
    if now is not None:
        return now.inode != cgroup.inode
    below = cgroup.path
    for path in ancestry(cgroup.path)[1:]:
        above = snapshot.cgroups.get(path)
        if above is not None:
            return below not in above.children
        below = path
    return False


def is_gone(snapshot: Snapshot, target: Target) -> bool:
    """Whether a target is dead, as far as this snapshot knows; what it did not read is not gone."""
    if isinstance(target, CgroupId):
        cgroup = snapshot.cgroups.get(target.path)
        return _was_removed(snapshot, target) or (cgroup is not None and cgroup.populated is False)
    return bool(snapshot.processes) and _dead(snapshot, target)


def _dead(snapshot: Snapshot, target: ProcessId) -> bool:
    process = snapshot.processes.get(target.pid)
    # A zombie has given its memory back; a leader that exited before its threads has no figures either.
    return (
        process is None
        or process.start_time_ticks != target.start_time_ticks
        or (process.state == "Z" and not process.rss_bytes)
    )


def free_bytes(snapshot: Snapshot) -> int | None:
    """Available memory and free swap of the machine."""
    beat = of_snapshot(snapshot)
    return None if beat is None else beat.available_bytes + beat.swap_free_bytes
