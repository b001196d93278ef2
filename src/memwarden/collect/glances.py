"""Cgroups at a glance: what may have changed is read, the rest is taken as it was.

A page is charged to a cgroup and all above it, so that a cgroup whose ``memory.current`` is what it was has
nothing below it that took or gave memory. Only where it moved are the other figures read, and one goes
further down, and asks whether somebody came or went below; what moves seldom, such as limits and marks, is
read there too when that was long ago. Those that a limit of their own holds up, or that are watched by name,
are read at each look, since they may stall at a steady size. All others have their turn in time, a few after
each look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.collect.cgroup_survey import Surveyor
from memwarden.collect.cgroup_v2 import USAGE
from memwarden.collect.leniency import PASSING, gap
from memwarden.errors import ReadError
from memwarden.state import looked
from memwarden.state.cgroup import ancestry
from memwarden.state.gaps import Gap, GapReason
from memwarden.units import SECOND_US, Max

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memwarden.collect.cgroup_survey import Known
    from memwarden.collect.leniency import Reading
    from memwarden.collect.source import Directory
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.looked import Looked
    from memwarden.units import Limit

WHOLE_US: Final = 6 * SECOND_US
"""How old what moves seldom may be in a cgroup that takes or gives memory, or is held at its limit."""
FRESH_US: Final = 2 * SECOND_US
"""The same where somebody is to be chosen among all."""
OLDEST_US: Final = 30 * SECOND_US
"""The same for the others, as far as their turn comes:"""
TURNS: Final = 4
"""so many of them are read wholly after each look,"""
ASKED: Final = 32
"""of so many that are asked how old they are."""
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
WATCHED: Final = HOT | {"cpu.pressure", "io.pressure", "io.stat"}
"""What moves all the time, and is asked for where somebody is watched by name."""
GONE: Final = frozenset(("ENOENT", "ENODEV"))
"""Errors of a cgroup that was removed meanwhile; nobody is in it."""
_NEVER: Final = -WHOLE_US - OLDEST_US


class _Node:
    """One cgroup that was met: its directory, what is known of it, and those below it by name.

    ``whole_us`` is when everything of it was read, its list of those below included; ``partly``, that some of
    it could not be, for a reason that passes.
    """

    __slots__ = (
        "below", "directory", "hot", "known", "links", "names", "parent", "partly", "usage", "watched",
        "whole_us",
    )  # fmt: skip

    def __init__(
        self,
        directory: Directory,
        known: Known,
        parent: _Node | None,
        *,
        watched: bool,
        hot: frozenset[str],
    ) -> None:
        self.directory = directory
        self.parent = parent
        self.below: dict[str, _Node] = {}
        self.watched = watched
        self.whole_us = _NEVER
        self.links = 0
        """Of its directory, when those below were listed."""
        self.take(known, hot)

    def take(self, known: Known, hot: frozenset[str]) -> None:
        """Another survey found other files."""
        self.known = known
        self.partly = any(map(_passes, known.datas))
        hot = WATCHED if self.watched else hot
        self.hot = [place for place, name in enumerate(known.names) if name in hot]
        self.names = [known.names[place] for place in self.hot]
        self.usage = known.names.index(USAGE) if USAGE in known.names else None

    @property
    def prefix(self) -> str:
        """What the paths of those below begin with."""
        path = self.known.cgroup.path
        return "" if path == "/" else path

    def pinned(self) -> bool:
        """Whether it is read at each look: it is watched, or a limit of its own may hold it up."""
        cgroup = self.known.cgroup
        return self.watched or _limited(cgroup.high_bytes) or _limited(cgroup.max_bytes)

    def moved(self) -> bool:
        """Whether its usage is not what it was; the root has no usage and counts as moved."""
        if self.usage is None:
            return not self.known.names or self.known.cgroup.path == "/"
        try:
            return self.directory.read(USAGE) != self.known.datas[self.usage]
        except ReadError:
            return True

    def says_else(self, names: frozenset[str]) -> bool:
        """Whether one of some files is not what it was; one that could not be read says nothing."""
        for name, data in zip(self.known.names, self.known.datas, strict=True):
            if name in names and isinstance(data, bytes):
                try:
                    if self.directory.read(name) != data:
                        return True
                except ReadError:
                    return True
        return False

    def walk(self) -> Iterator[_Node]:
        """It and all below it, pre-order, children in the order of their names."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.below.values()))


class Glances:
    """Looks at one v2 hierarchy again and again. ``watched`` says whose figures are read at each look.

    ``anywhere``: files beside the usage that tell of what is below, as stalled time does, which is counted in
    all cgroups above too.
    """

    def __init__(
        self,
        mount_point: str,
        *,
        marks: bool = False,
        only: frozenset[str] | None = None,
        watched: Callable[[str], bool] = lambda _path: False,
        anywhere: frozenset[str] = frozenset(),
    ) -> None:
        self._mount_point = mount_point
        self._surveyor = Surveyor(2, marks=marks, only=only)
        self._watched = watched
        self._anywhere = anywhere
        self._hot = HOT | anywhere
        self._root: _Node | None = None
        self._now_us = 0
        self._cgroups: dict[str, Cgroup] = {}
        """All by path, in the order of a walk."""
        self._looked = looked.of({})
        """The same, as the last look had them."""
        self._read: list[_Node] = []
        """Whose figures may be others than there."""
        self._pinned: list[_Node] = []
        self._turns: Iterator[_Node] = iter(())
        """Those whose turn to be read wholly is still to come in this round."""
        self._changed = False
        """Somebody came or went, or a limit did: the lists are made anew."""

    def forget(self) -> None:
        """Let the next look read everything."""
        for node in self._root.walk() if self._root is not None else ():
            node.whole_us = _NEVER

    def read(self, reading: Reading, now_us: int, closely: frozenset[str] = frozenset()) -> Looked:
        """All cgroups by path, pre-order, children in the order of their names.

        Those that are looked at ``closely`` are read, moved or not: who dies has given its memory back before
        it is gone.
        """
        if now_us < self._now_us:
            self.forget()  # another clock: nobody knows how old anything is
        self._now_us = now_us
        root = self._top(reading)
        if root is None:
            return looked.of({})
        read = self._look(reading, root)
        for node in (*self._pinned, *map(self._at, closely)):
            if node is not None and node not in read:
                read.add(node)
                self._again(reading, node)
                node.directory.release()
        self._looked = looked.of(self._list_all(root)) if self._changed else self._updated()
        self._read.clear()
        return self._looked

    def _updated(self) -> Looked:
        """The cgroups of this look: the same as in the last one, some of them others."""
        changed = []
        for node in self._read:
            cgroup = node.known.cgroup
            if self._cgroups.get(cgroup.path) is not cgroup:
                self._cgroups[cgroup.path] = cgroup
                changed.append(cgroup.path)
        return self._looked.after(self._cgroups, changed) if changed else self._looked

    def refresh(self, reading: Reading, paths: frozenset[str]) -> dict[str, Cgroup]:
        """Some cgroups, and those above and below them, with everything as it is now; those still there.

        Whoever is as the look gave it is left out; whoever came since is not. What was read wholly at this
        look is not read again, nor is, of the whole machine (``/``), what was a short time ago.
        """
        asked: list[_Node] = []
        age_us = FRESH_US if "/" in paths else 1
        for path in dict.fromkeys(above for one in paths for above in ancestry(one)):
            node = self._at(path)
            if node is None:
                continue
            if path not in paths:  # who is beside those that are asked for does not matter
                asked.append(node)
                if self._is_due(node, age_us):
                    self._all_figures(reading, node)
                    node.directory.release()
                continue
            for one in node.walk():
                asked.append(one)
                if self._is_due(one, age_us):
                    self._wholly(reading, one)
        # Compared last of all: who is gone may have been below somebody that was read before.
        cgroups = [(node, node.known.cgroup) for node in asked]
        return {
            cgroup.path: cgroup
            for node, cgroup in cgroups
            if self._cgroups.get(cgroup.path) is not cgroup and self._at(cgroup.path) is node
        }

    def _at(self, path: str) -> _Node | None:
        """The one that has this path."""
        node = self._root
        for name in path.split("/") if path != "/" else ():
            if name and node is not None:
                node = node.below.get(name)
        return node

    def _top(self, reading: Reading) -> _Node | None:
        """The root cgroup: the one that was met, as long as no other is mounted in its place."""
        if self._root is not None and not self._is_due(self._root, WHOLE_US):
            return self._root
        root: _Node | None = None
        try:
            directory = reading.source.cgroups(self._mount_point)
        except ReadError as error:
            reading.gaps.append(gap(error, self._mount_point))
        else:
            root = self._root
            if root is None or root.known.inode != directory.inode:
                root = self._met(reading, "/", directory, None)
            else:
                root.directory = directory
        self._root = root
        return root

    def _look(self, reading: Reading, root: _Node) -> set[_Node]:
        """Go down where memory moved; who was read."""
        read: set[_Node] = set()
        anywhere = self._anywhere
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node.whole_us == _NEVER or node.moved() or (anywhere and node.says_else(anywhere)):
                read.add(node)
                if self._again(reading, node):
                    waiting.extend(node.below.values())
            node.directory.release()
        return read

    def take_turns(self, reading: Reading) -> None:
        """Read a few of those that have not been read wholly for long; the next look has what they say.

        To be called after each look, when what was seen has been acted on.
        """
        left = TURNS
        for _ in range(ASKED):
            node = next(self._turns, None)
            if node is None:
                self._turns = iter(()) if self._root is None else self._root.walk()
                return
            if self._is_due(node, OLDEST_US) and self._at(node.known.cgroup.path) is node:
                self._wholly(reading, node)
                left -= 1
                if not left:
                    return

    def _is_due(self, node: _Node, age_us: int) -> bool:
        return self._now_us - node.whole_us >= age_us

    def _again(self, reading: Reading, node: _Node) -> bool:
        """Read what moves, and everything where that was long ago; whether it is still there."""
        if self._is_due(node, WHOLE_US):
            return self._wholly(reading, node)
        self._read.append(node)
        known, datas = node.known, list[Any](node.known.datas)
        failed = gone = False
        for place, data in zip(node.hot, node.directory.read_all(node.names), strict=True):
            if not isinstance(data, ReadError):
                datas[place] = data
            elif not known.fails_alike(place, data):  # as memory.pressure does each time with psi=0
                failed = True
                gone |= data.errno_name in GONE
        there = not gone and (datas == known.datas or known.update(datas))
        if failed or not there:
            self._lost(node)
        elif node.directory.links() != node.links:
            whole_us = node.whole_us
            self._list(reading, node)
            node.whole_us = min(node.whole_us, whole_us)  # of itself not all was read
        return there

    def _lost(self, node: _Node) -> None:
        """Gone, changed, or not read: the next look goes to it, moved or not. Who is gone is missed at once.

        A kill of who is gone fails, and the one that would be next is to live then.
        """
        above: _Node | None = node
        while above is not None:
            above.whole_us = _NEVER
            above = above.parent
        if node.parent is not None and not node.directory.alive():
            self._leave(
                node.parent, {name: one for name, one in node.parent.below.items() if one is not node}
            )

    def _leave(self, node: _Node, below: dict[str, _Node]) -> None:
        """Take these for those below a cgroup."""
        self._changed |= below.keys() != node.below.keys()
        node.below = below
        prefix = node.prefix
        children = tuple([f"{prefix}/{name}" for name in below])
        if children != node.known.cgroup.children:
            node.known.cgroup = node.known.cgroup._replace(children=children)

    def _wholly(self, reading: Reading, node: _Node) -> bool:
        """Read everything of a cgroup, and who is below it; whether it is still there."""
        there = self._all_figures(reading, node)
        if there:
            self._list(reading, node)
        return there

    def _all_figures(self, reading: Reading, node: _Node) -> bool:
        """Read everything of a cgroup but who is below it; whether it is still there."""
        self._read.append(node)
        known, pinned = node.known, node.pinned()
        datas = node.directory.read_all(known.names)
        node.partly = False
        if datas == known.datas:
            pass
        elif known.update(datas):
            node.partly = any(map(_passes, datas))
        else:
            path = known.cgroup.path
            other = self._surveyor.survey(path, node.directory)
            if other is None:
                reading.gaps.append(Gap(node.directory.path, GapReason.GONE))
                self._lost(node)
                return False
            reading.gaps.extend(other.gaps)
            other.cgroup = other.cgroup._replace(children=known.cgroup.children)
            node.take(other, self._hot)
        self._changed |= node.pinned() != pinned
        return True

    def _list(self, reading: Reading, top: _Node) -> None:
        """Meet those below that are new, and whoever is below these; leave those that are gone."""
        waiting = [top]
        while waiting:
            node = waiting.pop()
            node.whole_us, node.links = self._now_us, node.directory.links()
            below: dict[str, _Node] = {}
            for name, directory in self._children(reading, node):
                one = node.below.get(name)
                if directory is not None and (one is None or one.known.inode != directory.inode):
                    one = self._met(reading, f"{node.prefix}/{name}", directory, node)
                    waiting.extend(() if one is None else (one,))
                if one is not None:
                    below[name] = one
            self._leave(node, below)
            if node.partly:
                self._lost(node)
            node.directory.release()

    def _children(self, reading: Reading, node: _Node) -> Iterator[tuple[str, Directory | None]]:
        """Those below by name; ``None`` for one that is there and cannot be opened.

        Only who is gone is left out. With too many files open nobody can be listed, and all live on.
        """
        try:
            names = sorted([name for name, _ in node.directory.subdirectories()])
        except ReadError as error:
            names = [] if error.errno_name in GONE else list(node.below)
            node.partly |= error.errno_name in PASSING
            reading.gaps.append(gap(error, node.directory.path))
        for name in names:
            try:
                directory = node.directory.child(name)
            except ReadError as error:
                gone = error.errno_name in GONE
                node.partly |= error.errno_name in PASSING
                reading.gaps.append(Gap(error.path, GapReason.GONE) if gone else gap(error, error.path))
                if not gone:
                    yield name, None
                continue
            yield name, directory
            directory.release()

    def _met(self, reading: Reading, path: str, directory: Directory, parent: _Node | None) -> _Node | None:
        """Survey a cgroup that is new; ``None`` when it is gone already."""
        known = self._surveyor.survey(path, directory)
        if known is None:
            reading.gaps.append(Gap(directory.path, GapReason.GONE))
            return None
        reading.gaps.extend(known.gaps)
        self._changed = True
        return _Node(directory, known, parent, watched=self._watched(path), hot=self._hot)

    def _list_all(self, root: _Node) -> dict[str, Cgroup]:
        self._changed = False
        self._cgroups = {node.known.cgroup.path: node.known.cgroup for node in root.walk()}
        self._pinned = [node for node in root.walk() if node.pinned()]
        return self._cgroups


def _passes(data: bytes | ReadError | None) -> bool:
    """Whether it is an error that the next look may not meet."""
    return isinstance(data, ReadError) and data.errno_name in PASSING


def _limited(limit: Limit | None) -> bool:
    return limit is not None and not isinstance(limit, Max)
