"""What is held: arithmetic over the parts."""

from __future__ import annotations

from memwarden.guard.held import held_bytes, held_on_machine
from tests.guard.ticks import group, tick

STAT = {
    "anon": 1000, "file": 9999, "shmem": 200, "kernel": 500, "slab_reclaimable": 300, "zswap": 50,
    "swapcached": 70, "sock": 5,
}  # fmt: skip


def test_parts():
    # Anonymous, shared, swapped less what is in the swap cache too, kernel less slab less zswap.
    assert held_bytes(group("/a", stat=STAT, swap_current_bytes=400)) == 1000 + 200 + (400 - 70) + (
        500 - 300 - 50
    )


def test_absent_and_contradicting_figures():
    assert held_bytes(group("/a")) is None
    assert held_bytes(group("/a", stat={})) == 0
    assert held_bytes(group("/a", stat={"slab_reclaimable": 10, "swapcached": 10}, swap_current_bytes=4)) == 0


def test_kernels_that_do_not_sum_up_kernel_memory():
    stat = {"anon": 1, "slab_reclaimable": 10, "slab_unreclaimable": 20, "kernel_stack": 300, "percpu": 4000}
    assert held_bytes(group("/a", stat=stat)) == 1 + 20 + 300 + 4000


def test_v1_has_a_counter_for_kernel_memory():
    one = group(
        "/a", stat={"anon": 10, "shmem": 5}, version=1, v1_kmem_current_bytes=100, swap_current_bytes=7
    )
    assert held_bytes(one) == 122
    assert held_bytes(one._replace(v1_kmem_current_bytes=None)) == 22


def test_moving_a_page_to_swap_and_back_changes_nothing():
    resident = group("/a", stat={"anon": 8192}, swap_current_bytes=0)
    swapped = group("/a", stat={"anon": 4096}, swap_current_bytes=4096)
    read_again = group("/a", stat={"anon": 8192, "swapcached": 4096}, swap_current_bytes=4096)
    assert held_bytes(resident) == held_bytes(swapped) == held_bytes(read_again) == 8192


def test_the_machine():
    meminfo = {
        "AnonPages": 1000, "Shmem": 200, "SUnreclaim": 30, "KernelStack": 4, "PageTables": 5, "Percpu": 6,
        "SwapTotal": 500, "SwapFree": 300, "SwapCached": 50, "Cached": 9999,
    }  # fmt: skip
    assert held_on_machine(tick(0, meminfo=meminfo)) == 1000 + 200 + 30 + 4 + 5 + 6 + (500 - 300 - 50)
    assert held_on_machine(tick(0)) is None
    assert held_on_machine(tick(0, meminfo={"MemTotal": 5})) is None
