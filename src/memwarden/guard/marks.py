"""Who is to die before all others, after all others, or not at all: marks by name and by extended attribute.

A mark by name holds for what is below the cgroup too, one by attribute for that very cgroup. When several
apply the most careful of the names decides, and before any attribute.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from memwarden.guard.names import Names
from memwarden.kernel.cgroup_marks import UNTRUE
from memwarden.state.cgroup import Cgroup, ancestry
from memwarden.state.looked import special

if TYPE_CHECKING:
    from memwarden.guard.ir import Preferences
    from memwarden.state.process import Process
    from memwarden.state.snapshot import Snapshot

Mark: TypeAlias = Literal["prefer", "normal", "avoid", "omit"]

ORDER: Final[dict[Mark, int]] = {"prefer": 0, "normal": 1, "avoid": 2, "omit": 3}
"""The lower, the earlier it dies; ``omit`` never."""


class Marked(NamedTuple):
    """A mark and what set it."""

    mark: Mark
    why: str = ""


NORMAL: Final = Marked("normal")
_MARKS: Final = itemgetter(Cgroup._fields.index("marks"))


class Marker:
    """The marks of one policy's preferences. Raises :class:`InputError` for an entry that cannot be read."""

    __slots__ = ("_by_name", "_xattrs", "asks_processes")

    def __init__(self, preferences: Preferences) -> None:
        by_name: tuple[tuple[Mark, Names], ...] = (
            ("omit", Names(preferences.omit)),
            ("avoid", Names(preferences.avoid)),
            ("prefer", Names(preferences.prefer)),
        )
        self._by_name = tuple((mark, names) for mark, names in by_name if names)
        self._xattrs = preferences.xattrs
        self.asks_processes = any(names.speak_of_processes for _, names in by_name)

    def of_cgroup(
        self, cgroup: Cgroup, snapshot: Snapshot, *, watched_uid: int = 0, whole: bool = True
    ) -> Marked:
        """The mark of a cgroup by what it is, by what is above, and, killed as a ``whole``, by what it holds.

        ``watched_uid`` owns the cgroup that is looked after: its own user's marks count below it.
        """
        members = tuple(snapshot.members(cgroup.path)) if whole and self.asks_processes else ()
        for mark, names in self._by_name:
            entry = names.of_path_or_above(cgroup.path) or names.of_any(members)
            if entry is not None:
                return Marked(mark, entry)
        return by_attributes(cgroup, self._xattrs, watched_uid=watched_uid)

    def omitted_by_name(self, path: str) -> str | None:
        """The entry by which this cgroup and all below it is never killed."""
        for mark, names in self._by_name:
            if mark == "omit":
                return names.of_path_or_above(path)
        return None

    def preferred(self, snapshot: Snapshot) -> frozenset[str]:
        """The paths of all cgroups that are preferred, and of all above them."""
        by_name = any(mark == "prefer" for mark, _ in self._by_name)
        cgroups = snapshot.cgroups
        found: set[str] = set()
        for cgroup in cgroups.values() if by_name else filter(_MARKS, special(cgroups)):
            if self.of_cgroup(cgroup, snapshot).mark == "prefer":
                found.update(ancestry(cgroup.path))
        return frozenset(found)

    def of_process(self, process: Process, snapshot: Snapshot, *, watched_uid: int = 0) -> Marked:
        """The mark of a single process, by itself and by its cgroup."""
        for mark, names in self._by_name:
            entry = names.of_process(process)
            if entry is None and process.cgroup is not None:
                entry = names.of_path_or_above(process.cgroup)
            if entry is not None:
                return Marked(mark, entry)
        cgroup = snapshot.cgroups.get(process.cgroup or "")
        return NORMAL if cgroup is None else by_attributes(cgroup, self._xattrs, watched_uid=watched_uid)

    def omitted_below(self, cgroup: Cgroup, snapshot: Snapshot, *, watched_uid: int = 0) -> str | None:
        """A cgroup below this one that is never to be killed, for which this one cannot be either."""
        below = snapshot.subtree(cgroup.path)
        next(below, None)
        for each in below:
            if self.of_cgroup(each, snapshot, watched_uid=watched_uid).mark == "omit":
                return each.path
        return None


def by_attributes(cgroup: Cgroup, tools: tuple[str, ...], *, watched_uid: int = 0) -> Marked:
    """The mark that a cgroup's extended attributes set.

    systemd-oomd (``src/oom/oomd-util.c:oomd_fetch_cgroup_oom_preference``): ``user.oomd_omit`` before
    ``user.oomd_avoid``, of a cgroup that root owns, or whoever owns the cgroup that is watched, so that no
    user hides from root. oomd (``src/oomd/util/Fs.cpp:readKillPreferenceAt``): prefer before avoid, whoever
    set them and whatever the value. Where both count, a user's avoid has to keep systemd's rule.
    """
    names = cgroup.marks
    if not names:
        return NORMAL
    trusted = cgroup.owner_uid is not None and cgroup.owner_uid in (0, watched_uid)
    if "systemd" in tools and trusted and "user.oomd_omit" in names:
        return Marked("omit", "user.oomd_omit")
    found = None
    if "oomd" in tools:
        found = _first(names, ("trusted.oomd_prefer", "user.oomd_prefer"), "prefer")
        found = found or _first(names, ("trusted.oomd_avoid",), "avoid")
        if found is None and "systemd" not in tools:
            found = _first(names, ("user.oomd_avoid",), "avoid")
    if found is None and "systemd" in tools and trusted and "user.oomd_avoid" in names:
        found = Marked("avoid", "user.oomd_avoid")
    return found or NORMAL


def _first(names: tuple[str, ...], wanted: tuple[str, ...], mark: Mark) -> Marked | None:
    for name in wanted:
        if name in names or name + UNTRUE in names:
            return Marked(mark, name)
    return None
