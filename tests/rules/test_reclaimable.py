"""What reclaim at a limit could free below it, in MiB."""

from __future__ import annotations

import pytest

from memwarden.rules.reclaimable import (
    MACHINE,
    may_swap,
    reclaimable,
    reclaimable_on_machine,
    root_is_machine,
)
from memwarden.state.traits import KernelTraits
from memwarden.units import MAX, MIB
from tests.rules.machines import cgroup, snapshot

FREE_SWAP = {"MemTotal": 1024 * MIB, "SwapTotal": 100 * MIB, "SwapFree": 100 * MIB}
NO_SWAP = {"MemTotal": 1024 * MIB, "SwapTotal": 0, "SwapFree": 0}


def stat(anon=0, file=0, slab=0):
    return {
        "anon": anon * MIB, "file": file * MIB, "kernel": slab * MIB, "slab_reclaimable": slab * MIB,
        "inactive_anon": anon * MIB, "active_anon": 0, "inactive_file": file * MIB, "active_file": 0,
    }  # fmt: skip


def steps(ladder):
    assert ladder is not None
    return {name.removesuffix("_bytes"): size // MIB for name, size in ladder._asdict().items() if size}


def test_a_leaf():
    one = cgroup("/a", current_bytes=90 * MIB, stat=stat(60, 20, 10))
    assert steps(reclaimable(snapshot((one,), meminfo=NO_SWAP), "/a")) == {
        "clean_file": 20, "slab": 10, "anon_stuck": 60,
    }  # fmt: skip
    assert steps(reclaimable(snapshot((one,), meminfo=FREE_SWAP), "/a")) == {
        "clean_file": 20, "slab": 10, "anon_swap": 60,
    }  # fmt: skip


def test_unread_statistics():
    assert reclaimable(snapshot((cgroup("/a"),)), "/a") is None
    assert reclaimable(snapshot((cgroup("/a", stat={"anon": 1}),)), "/a") is None
    assert reclaimable(snapshot(), "/nowhere") is None
    assert reclaimable(snapshot(), MACHINE) is None
    assert reclaimable(snapshot((cgroup("/"),)), MACHINE) is None
    assert reclaimable_on_machine(snapshot()) is None


def family(**limits):
    """``/a`` with 10 MiB of its own file cache, b (60 anon, 20 file) and c (40 anon, 30 file)."""
    return (
        cgroup("/", stat=stat(100, 60)),
        cgroup("/a", current_bytes=160 * MIB, stat=stat(100, 60), **limits.get("a", {})),
        cgroup("/a/b", current_bytes=80 * MIB, stat=stat(60, 20), **limits.get("b", {})),
        cgroup("/a/c", current_bytes=70 * MIB, stat=stat(40, 30), **limits.get("c", {})),
    )


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, {"clean_file": 60, "anon_swap": 100}),
        # swap.max bounds where it stands, less what is used of it.
        ({"b": {"swap_max_bytes": 10 * MIB}}, {"clean_file": 60, "anon_swap": 50, "anon_stuck": 50}),
        (
            {"b": {"swap_max_bytes": 10 * MIB, "swap_current_bytes": 4 * MIB}},
            {"clean_file": 60, "anon_swap": 46, "anon_stuck": 54},
        ),
        ({"a": {"swap_max_bytes": 30 * MIB}}, {"clean_file": 60, "anon_swap": 30, "anon_stuck": 70}),
        ({"a": {"swap_max_bytes": MAX}}, {"clean_file": 60, "anon_swap": 100}),
        # Each child alone would fit, both together do not: 15 + 15 of the parent's 20.
        (
            {
                "a": {"swap_max_bytes": 20 * MIB},
                "b": {"swap_max_bytes": 15 * MIB},
                "c": {"swap_max_bytes": 15 * MIB},
            },
            {"clean_file": 60, "anon_swap": 20, "anon_stuck": 80},
        ),
        # memory.low 50 of b's 80: 30 can be had, file first, the other 50 only as a last resort.
        ({"b": {"low_bytes": 50 * MIB}}, {"clean_file": 60, "anon_swap": 50, "low": 50}),
        ({"b": {"min_bytes": MAX}}, {"clean_file": 40, "anon_swap": 40, "min": 80}),
        (
            {"b": {"min_bytes": 30 * MIB, "low_bytes": 70 * MIB}},
            {"clean_file": 50, "anon_swap": 40, "low": 40, "min": 30},
        ),
        # min above low: what min holds is never taken.
        (
            {"b": {"min_bytes": 70 * MIB, "low_bytes": 30 * MIB}},
            {"clean_file": 50, "anon_swap": 40, "min": 70},
        ),
        # A protection on the target itself does not count for its own limit.
        ({"a": {"min_bytes": MAX}}, {"clean_file": 60, "anon_swap": 100}),
    ],
)
def test_a_subtree(limits, expected):
    machine = snapshot(family(**limits), meminfo=FREE_SWAP)
    assert steps(reclaimable(machine, "/a")) == expected


def test_free_swap_is_shared():
    little = FREE_SWAP | {"SwapFree": 25 * MIB}
    assert steps(reclaimable(snapshot(family(), meminfo=little), "/a")) == {
        "clean_file": 60, "anon_swap": 25, "anon_stuck": 75,
    }  # fmt: skip


def test_an_ancestors_swap_limit_binds_too():
    machine = snapshot(family(a={"swap_max_bytes": 5 * MIB}), meminfo=FREE_SWAP)
    assert steps(reclaimable(machine, "/a/b")) == {"clean_file": 20, "anon_swap": 5, "anon_stuck": 55}


def test_slab_is_counted_where_anonymous_memory_has_no_swap():
    # Usage 130, low 100: 30 above it. Without swap file 20 and slab 10 make the 30.
    child = cgroup("/a/b", current_bytes=130 * MIB, low_bytes=100 * MIB, stat=stat(100, 20, 10))
    machine = snapshot((cgroup("/a", stat=stat(100, 20, 10)), child), meminfo=NO_SWAP)
    assert steps(reclaimable(machine, "/a")) == {"clean_file": 20, "slab": 10, "anon_stuck": 100}


def test_a_child_that_could_not_be_read_counts_as_its_parents():
    cgroups = family(b={"min_bytes": MAX})
    unread = tuple(one._replace(stat=None) if one.path == "/a/b" else one for one in cgroups)
    below = cgroup("/a/b/d", current_bytes=50 * MIB, stat=stat(50, 0))
    machine = snapshot((*unread, below), meminfo=FREE_SWAP)
    assert steps(reclaimable(machine, "/a")) == {"clean_file": 60, "anon_swap": 100}


def test_a_child_that_vanished():
    machine = snapshot(family(), meminfo=FREE_SWAP)
    gone = machine._replace(cgroups={path: one for path, one in machine.cgroups.items() if path != "/a/b"})
    assert steps(reclaimable(gone, "/a")) == {"clean_file": 60, "anon_swap": 100}


MEMINFO = FREE_SWAP | {
    "AnonPages": 150 * MIB, "Inactive(anon)": 150 * MIB, "Inactive(file)": 90 * MIB, "SReclaimable": 8 * MIB,
}  # fmt: skip


def test_the_machine():
    # 150 anon and 90 file in all, of which /a has 100 and 60; swap 100 for everyone.
    machine = snapshot(family(a={"min_bytes": 160 * MIB}, b={"min_bytes": 80 * MIB}), meminfo=MEMINFO)
    assert reclaimable_on_machine(machine) == reclaimable(machine, MACHINE)
    assert steps(reclaimable(machine, MACHINE)) == {
        # The root's own: 30 file, 50 anon, 8 slab. /a keeps its own 10 (usage is within its min), b its 80;
        # c's 70 are not protected, since /a has no recursive protection to hand on.
        "clean_file": 60, "anon_swap": 90, "slab": 8, "min": 90,
    }  # fmt: skip


def test_the_machine_without_a_hierarchy():
    assert steps(reclaimable_on_machine(snapshot(meminfo=MEMINFO))) == {
        "clean_file": 90, "anon_swap": 100, "anon_stuck": 50, "slab": 8,
    }  # fmt: skip


def test_meminfo_unknown_leaves_swap_unbounded():
    assert steps(reclaimable(snapshot(family()), "/a")) == {"clean_file": 60, "anon_swap": 100}


def test_inside_a_container_the_root_is_a_cgroup():
    # The root of a cgroup namespace has a usage file; its own figures count, and meminfo is the machine's.
    root = cgroup("/", current_bytes=80 * MIB, max_bytes=100 * MIB, stat=stat(60, 20))
    machine = snapshot((root,), meminfo=MEMINFO, sysctl={"swappiness": 0})
    assert not root_is_machine(machine)
    assert steps(reclaimable(machine, MACHINE)) == {"clean_file": 20, "anon_stuck": 60}
    assert steps(reclaimable_on_machine(machine)) == {
        "clean_file": 90, "anon_swap": 100, "anon_stuck": 50, "slab": 8,
    }  # fmt: skip


def test_the_root_of_the_machine():
    assert root_is_machine(snapshot())
    assert root_is_machine(snapshot((cgroup("/"),)))
    # On v1 it has a usage file too, but never a limit.
    assert root_is_machine(snapshot((cgroup("/", version=1, current_bytes=1, max_bytes=MAX),)))
    assert not root_is_machine(snapshot((cgroup("/", version=1, current_bytes=1, max_bytes=MIB),)))


@pytest.mark.parametrize(
    ("swappiness", "own", "whole", "mglru", "expected"),
    [
        (60, None, False, False, True),
        (0, None, False, False, False),
        (0, None, True, False, True),
        (0, None, True, True, False),
        (60, 0, False, False, False),
        (0, 60, False, False, True),
        (None, None, False, None, True),
    ],
)
def test_swappiness(swappiness, own, whole, mglru, expected):
    machine = snapshot(
        sysctl={} if swappiness is None else {"swappiness": swappiness}, traits=KernelTraits(mglru=mglru)
    )
    assert may_swap(machine, cgroup("/a", v1_swappiness=own), machine=whole) is expected


def test_swappiness_of_a_machine_without_a_hierarchy():
    assert may_swap(snapshot(), None, machine=True)
