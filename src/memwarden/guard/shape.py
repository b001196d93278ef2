"""Who is below whom, worked out anew only when somebody came or went."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from memwarden.state.cgroup import parent_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.state.cgroup import Cgroup


class Shape(NamedTuple):
    """A tree of cgroups: its paths, those whose parent is not among them, and how many each has in all.

    ``sizes`` count a cgroup itself and everybody below it.
    """

    paths: tuple[str, ...]
    roots: tuple[str, ...]
    sizes: Mapping[str, int]


EMPTY = Shape((), (), {})


def shape(cgroups: Mapping[str, Cgroup], last: Shape = EMPTY) -> Shape:
    """The shape of some cgroups; ``last`` itself where it has not changed."""
    paths = tuple(cgroups)
    if paths == last.paths:
        return last
    above = {path: parent_path(path) for path in paths}
    sizes = dict.fromkeys(paths, 1)
    for path in sorted(paths, key=len, reverse=True):  # a path is longer than those above it
        parent = above[path]
        if parent in sizes:
            sizes[parent] += sizes[path]
    return Shape(paths, tuple([path for path in paths if above[path] not in sizes]), sizes)
