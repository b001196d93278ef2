"""The ladder of one cgroup."""

from __future__ import annotations

from memwarden.rules.ladder import Ladder, ladder, machine_stat
from memwarden.units import KIB

STAT = {
    "inactive_file": 40, "active_file": 20, "file_dirty": 6, "file_writeback": 4,
    "inactive_anon": 50, "active_anon": 30, "shmem": 15, "unevictable": 7,
    "kernel": 22, "slab_reclaimable": 12, "sock": 3,
}  # fmt: skip


def test_steps():
    found = ladder(STAT, swaps=True)
    assert found == Ladder(
        clean_file_bytes=50,  # 60 on the file lists, 10 of them dirty or under writeback
        dirty_file_bytes=10,
        anon_swap_bytes=65,  # 80 on the anon lists, 15 of them shmem
        shmem_swap_bytes=15,
        slab_bytes=12,
        unevictable_bytes=7,
        kernel_bytes=10,  # 22 - 12
        sock_bytes=3,
    )
    assert (found.reclaimable_bytes, found.swap_bytes) == (152, 80)


def test_without_swap_anonymous_memory_is_stuck():
    found = ladder(STAT, swaps=False)
    assert (found.anon_swap_bytes, found.shmem_swap_bytes) == (0, 0)
    assert (found.anon_stuck_bytes, found.shmem_stuck_bytes) == (65, 15)
    assert found.reclaimable_bytes == 72


def test_swap_room_goes_to_anonymous_memory_first():
    found = ladder(STAT, swaps=True).with_swap_room(70)
    assert (found.anon_swap_bytes, found.shmem_swap_bytes) == (65, 5)
    assert (found.anon_stuck_bytes, found.shmem_stuck_bytes) == (0, 10)
    found = ladder(STAT, swaps=True).with_swap_room(60)
    assert (found.anon_swap_bytes, found.shmem_swap_bytes) == (60, 0)
    assert ladder(STAT, swaps=True).with_swap_room(80) == ladder(STAT, swaps=True).with_swap_room(None)


def test_figures_of_different_instants_never_go_below_zero():
    found = ladder(
        {
            "inactive_file": 5,
            "file_dirty": 9,
            "inactive_anon": 2,
            "shmem": 8,
            "kernel": 1,
            "slab_reclaimable": 4,
        },
        swaps=True,
    )
    assert min(found) == 0
    assert (found.clean_file_bytes, found.dirty_file_bytes, found.shmem_swap_bytes) == (0, 5, 2)


def test_protection_cuts_from_the_end():
    whole = ladder(STAT, swaps=True)
    # 152 reclaimable: above low 55, above min 100.
    found = whole.protected(above_min_bytes=100, above_low_bytes=55)
    assert found[:5] == (50, 5, 0, 0, 0)
    assert (found.low_bytes, found.min_bytes) == (45, 52)
    assert sum(found) == sum(whole)
    assert whole.protected(above_min_bytes=500, above_low_bytes=500) == whole
    nothing = whole.protected(above_min_bytes=-3, above_low_bytes=-9)
    assert (nothing.reclaimable_bytes, nothing.low_bytes, nothing.min_bytes) == (0, 0, 152)


def test_plus():
    assert Ladder(1, 2).plus(Ladder(10, 20, sock_bytes=5)) == Ladder(11, 22, sock_bytes=5)


def test_machine_figures_under_the_names_of_memory_stat():
    meminfo = {
        "AnonPages": 5 * KIB, "Cached": 7 * KIB, "Buffers": KIB, "Shmem": 2 * KIB,
        "SReclaimable": 3 * KIB, "SUnreclaim": 4 * KIB, "KernelStack": KIB, "PageTables": KIB,
        "Inactive(anon)": 6 * KIB, "Active(file)": 2 * KIB, "Unevictable": KIB,
    }  # fmt: skip
    found = machine_stat(meminfo)
    assert found["file"] == 8 * KIB
    assert found["kernel"] == (3 + 4 + 1 + 1) * KIB
    assert (found["inactive_anon"], found["active_file"], found["unevictable"]) == (6 * KIB, 2 * KIB, KIB)
    assert found["slab_reclaimable"] == 3 * KIB
    # From 4.20 more than slab is known to be reclaimable.
    assert machine_stat({"KReclaimable": 9, "SReclaimable": 3})["slab_reclaimable"] == 9
