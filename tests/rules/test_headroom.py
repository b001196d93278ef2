"""Headroom and effective headroom, level by level, in MiB."""

from __future__ import annotations

from memwarden.rules.headroom import Headrooms
from memwarden.units import MAX, MIB
from tests.rules.machines import cgroup, snapshot
from tests.rules.test_reclaimable import stat

MEMINFO = {
    "MemTotal": 1024 * MIB, "MemAvailable": 500 * MIB, "SwapTotal": 100 * MIB, "SwapFree": 100 * MIB,
    "AnonPages": 300 * MIB, "Inactive(anon)": 300 * MIB, "Inactive(file)": 200 * MIB,
}  # fmt: skip


def tree(**limits):
    return (
        cgroup("/", controllers=("memory",)),
        cgroup(
            "/a", current_bytes=160 * MIB, stat=stat(100, 60), **({"max_bytes": MAX} | limits.get("a", {}))
        ),
        cgroup(
            "/a/b", current_bytes=80 * MIB, stat=stat(60, 20), **({"max_bytes": MAX} | limits.get("b", {}))
        ),
    )


def of(path="/a/b", meminfo=MEMINFO, **limits):
    return Headrooms(snapshot(tree(**limits), meminfo=meminfo)).of(path)


def test_without_limits_the_machine_is_the_tightest():
    found = of()
    assert [(level.kind, level.path) for level in found.levels] == [
        ("memory", "/a/b"), ("memory", "/a"), ("machine", "/"),
    ]  # fmt: skip
    assert found.headroom_bytes == 500 * MIB
    # Available memory counts file cache and slab already; 100 MiB can go to swap.
    assert found.effective_bytes == 600 * MIB
    assert found.limit is found.tightest is found.effective is found.levels[2]
    assert found.unknown == ()


def test_each_level_has_its_own_term():
    found = of(a={"max_bytes": 200 * MIB, "swap_max_bytes": 0}, b={"max_bytes": 150 * MIB})
    own, parent, machine = found.levels
    # b: 150 - 80 = 70, and its file cache 20; its swap is bounded by a's swap.max 0.
    assert (own.headroom_bytes, own.effective_bytes) == (70 * MIB, 90 * MIB)
    # a: 200 - 160 = 40, and 60 of file cache.
    assert (parent.headroom_bytes, parent.effective_bytes) == (40 * MIB, 100 * MIB)
    assert machine.effective_bytes is not None
    assert found.headroom_bytes == 40 * MIB
    assert found.tightest is parent
    # The tightest limit is not the one that will be hit first.
    assert found.effective_bytes == 90 * MIB
    assert found.effective is own
    assert found.limit is own


def test_nearest_of_equals():
    assert of(b={"max_bytes": 1024 * MIB}).limit.path == "/a/b"  # as much as the machine has
    same = of(a={"max_bytes": 200 * MIB}, b={"max_bytes": 120 * MIB})
    # 200 - 160 = 120 - 80.
    assert same.tightest is same.levels[0]


def test_usage_over_the_limit_is_negative():
    assert of(b={"max_bytes": 79 * MIB}).headroom_bytes == -MIB


def test_protection_as_seen_from_each_level():
    # b's own limit ignores b's protection; a's limit sees it: of 60 MiB file cache b's 20 are protected.
    found = of(
        a={"max_bytes": 200 * MIB, "swap_max_bytes": 0},
        b={"max_bytes": 150 * MIB, "min_bytes": MAX},
    )
    assert found.levels[0].effective_bytes == 90 * MIB
    assert found.levels[1].effective_bytes == (40 + 40) * MIB


def test_unknown_figures_are_named_and_do_not_count():
    found = of(b={"max_bytes": None})
    assert found.levels[0].headroom_bytes is None
    assert [level.path for level in found.unknown] == ["/a/b"]
    assert found.headroom_bytes == 500 * MIB
    blind = Headrooms(snapshot((cgroup("/a", max_bytes=10 * MIB),))).of("/a")
    assert (blind.headroom_bytes, blind.effective_bytes, blind.tightest) == (None, None, None)
    assert len(blind.unknown) == 2


def test_statistics_that_could_not_be_read_leave_the_plain_headroom():
    one = cgroup("/a", max_bytes=10 * MIB, current_bytes=4 * MIB)
    found = Headrooms(snapshot((one,), meminfo=MEMINFO)).of("/a")
    assert (found.levels[0].headroom_bytes, found.levels[0].effective_bytes) == (6 * MIB, 6 * MIB)
    assert found.unknown == (found.levels[0],)


def test_machine_figures_may_be_missing():
    found = of(meminfo={"MemTotal": 1024 * MIB, "MemFree": 1})
    assert found.levels[-1].headroom_bytes is None
    assert found.limit is found.levels[-1]
    assert found.headroom_bytes is MAX
    assert found.unknown == (found.levels[-1],)


def test_a_cgroup_without_the_memory_controller_is_no_level():
    cgroups = (cgroup("/a", controllers=("cpu",)), cgroup("/a/b", controllers=("memory",), max_bytes=MAX))
    found = Headrooms(snapshot(cgroups, meminfo=MEMINFO)).of("/a/b")
    assert [level.path for level in found.levels] == ["/a/b", "/"]


def test_v1_memory_and_swap():
    one = cgroup(
        "/a", version=1, current_bytes=80 * MIB, max_bytes=100 * MIB, stat=stat(60, 20),
        v1_memsw_max_bytes=110 * MIB, v1_memsw_current_bytes=85 * MIB,
    )  # fmt: skip
    memory, memsw, _ = Headrooms(snapshot((one,), meminfo=MEMINFO)).of("/a").levels
    assert (memory.kind, memory.headroom_bytes, memory.effective_bytes) == ("memory", 20 * MIB, 100 * MIB)
    # Swapping frees nothing of memory+swap: 110 - 85, and the file cache.
    assert (memsw.kind, memsw.headroom_bytes, memsw.effective_bytes) == ("memory+swap", 25 * MIB, 45 * MIB)
    unread = cgroup("/a", version=1, v1_memsw_max_bytes=MIB, v1_memsw_current_bytes=0)
    assert Headrooms(snapshot((unread,))).of("/a").levels[1].effective_bytes == MIB


def test_of_the_machine_itself():
    found = of("/")
    assert [level.kind for level in found.levels] == ["machine"]
    assert found.effective_bytes == 600 * MIB
    assert of("/", meminfo=None).headroom_bytes is None


def test_inside_a_container_the_root_has_a_limit():
    root = cgroup("/", current_bytes=80 * MIB, max_bytes=100 * MIB, swap_max_bytes=0, stat=stat(60, 20))
    child = cgroup("/a", current_bytes=10 * MIB, max_bytes=MAX, stat=stat(5, 5))
    found = Headrooms(snapshot((root, child), meminfo=MEMINFO)).of("/a")
    assert [(level.kind, level.path) for level in found.levels] == [
        ("memory", "/a"), ("memory", "/"), ("machine", "/"),
    ]  # fmt: skip
    assert (found.headroom_bytes, found.effective_bytes) == (20 * MIB, 40 * MIB)
    assert found.levels[2].effective_bytes == 600 * MIB


def test_of_a_cgroup_that_is_not_known():
    assert [level.path for level in of("/x/y").levels] == ["/"]


def test_ladders_are_worked_out_once():
    headrooms = Headrooms(snapshot(tree(), meminfo=MEMINFO))
    assert headrooms.ladder("/a") is headrooms.ladder("/a")
