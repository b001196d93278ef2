"""Cgroups at a glance: what may have changed is read, the rest is taken as it was.

A page is charged to a cgroup and all above it, so that a cgroup whose ``memory.current`` is what it was has
nothing below it that took or gave memory. Only where it moved are the other figures read, and one goes
further down. Now and then everything is read: limits, lists of processes, new cgroups. Those that a limit
of their own holds up, or that are watched by name, are read at each look, since they may stall at a steady
size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.collect.cgroup_survey import Surveyor
from memwarden.collect.cgroup_v2 import USAGE
from memwarden.collect.leniency import gap
from memwarden.errors import ReadError
from memwarden.state.gaps import Gap, GapReason
from memwarden.units import Max

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.collect.cgroup_survey import Known
    from memwarden.collect.leniency import Reading
    from memwarden.collect.source import Directory
    from memwarden.state.cgroup import Cgroup
    from memwarden.units import Limit

WHOLE_US: Final = 2_000_000
"""How often everything is read while one looks again and again."""
HOT: Final = frozenset(
    (
        USAGE,
        "cgroup.events",
        "memory.events",
        "memory.events.local",
        "memory.pressure",
        "memory.stat",
        "memory.swap.current",
    )
)
"""What moves with every page; limits and the like move when somebody writes them."""


class _Node:
    """One cgroup that was met: its directory, what is known of it, and those below it by name."""

    __slots__ = ("below", "directory", "fresh", "hot", "known", "names", "usage", "watched")

    def __init__(self, directory: Directory, known: Known, *, watched: bool) -> None:
        self.directory = directory
        self.known = known
        self.below: dict[str, _Node] = {}
        self.watched = watched
        self.fresh = False
        self.hot = [place for place, name in enumerate(known.names) if name in HOT]
        self.names = [known.names[place] for place in self.hot]
        self.usage = known.names.index(USAGE) if USAGE in known.names else None

    def held(self) -> bool:
        """Whether a limit of its own may hold it up."""
        cgroup = self.known.cgroup
        return _limited(cgroup.high_bytes) or _limited(cgroup.max_bytes)

    def moved(self) -> bool:
        """Whether its usage is not what it was; the root has no usage and counts as moved."""
        if self.usage is None:
            return not self.known.names or self.known.cgroup.path == "/"
        try:
            return self.directory.read(USAGE) != self.known.datas[self.usage]
        except ReadError:
            return True


class Glances:
    """Looks at one v2 hierarchy again and again. ``watched`` says whose figures are read at each look."""

    def __init__(
        self,
        mount_point: str,
        *,
        marks: bool = False,
        only: frozenset[str] | None = None,
        watched: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        self._mount_point = mount_point
        self._surveyor = Surveyor(2, marks=marks, only=only)
        self._watched = watched
        self._root: _Node | None = None
        self._whole_us: int | None = None

    def read(self, reading: Reading, now_us: int) -> dict[str, Cgroup]:
        """All cgroups by path, pre-order, children in the order of their names."""
        whole = self._whole_us is None or not 0 <= now_us - self._whole_us < WHOLE_US
        if whole or self._root is None:
            self._whole_us = now_us
            try:
                directory = reading.source.cgroups(self._mount_point)
            except ReadError as error:
                reading.gaps.append(gap(error, self._mount_point))
                self._root = None
                return {}
            self._root = self._met(reading, "/", directory, self._root)
        if self._root is None:
            return {}
        nodes: list[_Node] = []
        waiting = [(self._root, True)]
        while waiting:
            node, look = waiting.pop()
            nodes.append(node)
            if whole:
                self._list(reading, node)
            elif look:
                look = node.moved() and self._glance(node)
                node.fresh = look
            waiting.extend([(one, look) for one in reversed(node.below.values())])
        for node in nodes:
            if not (whole or node.fresh) and (node.watched or node.held()):
                self._glance(node)
            node.fresh = False
        return {node.known.cgroup.path: node.known.cgroup for node in nodes}

    def _glance(self, node: _Node) -> bool:
        """Read what moves; what cannot be told by that is left for the next look at everything."""
        datas: list[Any] = list(node.known.datas)
        for place, data in zip(node.hot, node.directory.read_all(node.names), strict=True):
            datas[place] = data
        if any(isinstance(datas[place], ReadError) for place in node.hot):
            self._whole_us = None  # gone, or changed: everything is read at the next look
            return False
        node.known.update(datas)
        return True

    def _list(self, reading: Reading, node: _Node) -> None:
        """Meet the cgroups below again, those that are new with them, without those that are gone."""
        below: dict[str, _Node] = {}
        try:
            names = sorted([name for name, _ in node.directory.subdirectories()])
        except ReadError as error:
            names = []
            reading.gaps.append(gap(error, node.directory.path))
        prefix = "" if node.known.cgroup.path == "/" else node.known.cgroup.path
        for name in names:
            try:
                directory = node.directory.child(name)
            except ReadError as error:
                reading.gaps.append(Gap(error.path, GapReason.GONE))
                continue
            one = self._met(reading, f"{prefix}/{name}", directory, node.below.get(name))
            if one is not None:
                below[name] = one
        node.below = below
        children = tuple([f"{prefix}/{name}" for name in below])
        if children != node.known.cgroup.children:
            node.known.cgroup = node.known.cgroup._replace(children=children)

    def _met(self, reading: Reading, path: str, directory: Directory, last: _Node | None) -> _Node | None:
        """Read everything of one cgroup; ``None`` when it is gone."""
        if last is not None and last.known.inode == directory.inode:
            datas = directory.read_all(last.known.names)
            if datas == last.known.datas or last.known.update(datas):
                last.directory = directory
                return last
        known = self._surveyor.survey(path, directory)
        if known is None:
            reading.gaps.append(Gap(directory.path, GapReason.GONE))
            return None
        reading.gaps.extend(known.gaps)
        return _Node(directory, known, watched=self._watched(path))


def _limited(limit: Limit | None) -> bool:
    return limit is not None and not isinstance(limit, Max)
