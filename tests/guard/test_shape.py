"""Who is below whom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memwarden.guard.shape import EMPTY, shape
from memwarden.state.snapshot import Instant, Snapshot
from tests.guard.ticks import group

PATHS = st.sets(
    st.lists(st.sampled_from("abc"), max_size=4).map(lambda names: "/" + "/".join(names)), max_size=12
)


@given(PATHS)
def test_sizes_are_what_a_walk_counts_and_roots_have_nobody_above(paths):
    cgroups = {
        path: group(path, children=tuple(each for each in sorted(paths) if _above(each) == path))
        for path in sorted(paths)
    }
    found = shape(cgroups)
    walked = Snapshot(Instant(0), cgroups=cgroups)
    assert {path: sum(1 for _ in walked.subtree(path)) for path in cgroups} == found.sizes
    assert set(found.roots) == {path for path in paths if _above(path) not in paths}


def _above(path):
    return None if path == "/" else path.rpartition("/")[0] or "/"


def test_it_is_worked_out_anew_only_when_somebody_came_or_went():
    two = {path: group(path) for path in ("/", "/a")}
    first = shape(two)
    assert shape({path: group(path, held=1) for path in two}, first) is first
    assert shape({**two, "/b": group("/b")}, first).sizes == {"/": 3, "/a": 1, "/b": 1}
    assert EMPTY.sizes == {}
