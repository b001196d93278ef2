"""Whose limit is hit, what it counts, and in what order its processes are visited."""

from __future__ import annotations

from memwarden.kernel.zoneinfo import Zone
from memwarden.rules.scope import (
    Scope,
    members,
    memcg_scope,
    nodes_scope,
    scope_of,
    system_scope,
    visiting_order,
)
from memwarden.units import GIB, MAX, MIB
from tests.rules.machines import cgroup, process, snapshot

MEMINFO = {"MemTotal": GIB, "SwapTotal": 96 * MIB - 4096}


def test_memcg_total_is_the_own_limit_and_swap():
    machine = snapshot(
        (
            cgroup("/", max_bytes=None),
            cgroup("/a", max_bytes=64 * MIB, swap_max_bytes=0),
            cgroup("/b", max_bytes=64 * MIB, swap_max_bytes=MAX),
            cgroup("/c", max_bytes=64 * MIB),
            cgroup("/d", max_bytes=64 * MIB, swap_max_bytes=16 * MIB),
            cgroup("/open", max_bytes=MAX),
        ),
        meminfo=MEMINFO,
    )
    assert memcg_scope(machine, "/a") == Scope("memcg", "/a", 16384)
    # 96 MiB of swap without its first page are 24575 pages.
    assert memcg_scope(machine, "/b") == Scope("memcg", "/b", 16384 + 24575)
    assert memcg_scope(machine, "/c") == Scope("memcg", "/c", 16384 + 24575)
    assert memcg_scope(machine, "/d") == Scope("memcg", "/d", 16384 + 4096)
    assert memcg_scope(machine, "/open") is None
    assert memcg_scope(machine, "/") is None
    assert memcg_scope(machine, "/nowhere") is None


def test_swappiness_0_takes_swap_out_of_the_total():
    cgroups = (cgroup("/a", max_bytes=64 * MIB, swap_max_bytes=MAX),)
    assert memcg_scope(snapshot(cgroups, meminfo=MEMINFO, sysctl={"swappiness": 0}), "/a") == Scope(
        "memcg", "/a", 16384
    )
    assert memcg_scope(snapshot(cgroups), "/a") == Scope("memcg", "/a", 16384)


def test_v1_total_counts_memory_and_swap_together():
    machine = snapshot(
        (
            cgroup("/a", version=1, max_bytes=64 * MIB, v1_memsw_max_bytes=80 * MIB),
            cgroup("/b", version=1, max_bytes=64 * MIB, v1_memsw_max_bytes=80 * MIB, v1_swappiness=0),
        ),
        meminfo=MEMINFO,
        sysctl={"swappiness": 60},
    )
    assert memcg_scope(machine, "/a") == Scope("memcg", "/a", 16384 + 4096)
    assert memcg_scope(machine, "/b") == Scope("memcg", "/b", 16384)


def test_system_scope():
    assert system_scope(snapshot(meminfo=MEMINFO)) == Scope("system", None, 262144 + 24575)
    assert system_scope(snapshot(meminfo={"MemTotal": GIB})) == Scope("system", None, 262144)
    assert system_scope(snapshot(meminfo={"MemFree": 1})) is None
    assert system_scope(snapshot()) is None


def zone(node, present_mib):
    return Zone(node, "Normal", 0, 0, 0, 0, 0, present_mib * MIB, 0, ())


def test_nodes_scope_counts_present_pages_and_all_swap():
    zones = (zone(0, 100), zone(0, 28), zone(1, 256))
    machine = snapshot(meminfo=MEMINFO, zones=zones)
    assert nodes_scope(machine, [0], "cpuset") == Scope("cpuset", None, 32768 + 24575)
    assert nodes_scope(machine, [0, 1], "mempolicy") == Scope("mempolicy", None, 98304 + 24575)
    assert nodes_scope(snapshot(zones=zones), [1], "cpuset") == Scope("cpuset", None, 65536)
    assert nodes_scope(snapshot(), [0], "cpuset") is None


def test_scope_of_is_the_nearest_limit():
    machine = snapshot(
        (
            cgroup("/"),
            cgroup("/a", max_bytes=64 * MIB, swap_max_bytes=0),
            cgroup("/a/b", max_bytes=MAX),
            cgroup("/c", max_bytes=MAX),
        ),
        meminfo=MEMINFO,
    )
    assert scope_of(machine, "/a/b") == Scope("memcg", "/a", 16384)
    found = scope_of(machine, "/c")
    assert found is not None
    assert found.kind == "system"
    assert scope_of(snapshot(), "/") is None


def test_memcg_is_visited_pre_order_siblings_as_they_were_made():
    processes = tuple(process(pid) for pid in range(2, 8))
    machine = snapshot(
        (
            cgroup("/a", procs=(2,), inode=10),
            cgroup("/a/old", procs=(5, 4), inode=11),
            cgroup("/a/old/deep", procs=(7,), inode=14),
            cgroup("/a/new", procs=(3, 99), inode=13),
            cgroup("/other", procs=(6,), inode=12),
        ),
        processes,
    )
    # "new" sorts before "old" by name, but was made later; 99 has vanished.
    assert [one.pid for one in members(machine, "/a")] == [2, 5, 4, 7, 3]
    assert [one.pid for one in visiting_order(machine, Scope("memcg", "/a", 1))] == [2, 5, 4, 7, 3]
    assert list(members(machine, "/nowhere")) == []


def test_a_child_that_vanished_is_passed_over():
    machine = snapshot((cgroup("/a", procs=(2,)), cgroup("/a/b", procs=(3,))), (process(2), process(3)))
    gone = machine._replace(cgroups={"/a": machine.cgroups["/a"]})
    assert gone.cgroups["/a"].children == ("/a/b",)
    assert [one.pid for one in members(gone, "/a")] == [2]


def test_the_machine_is_visited_in_order_of_fork():
    # After the pids have wrapped, a young process has a small one.
    processes = (
        process(900, start_time_ticks=1),
        process(5, start_time_ticks=2),
        process(4, start_time_ticks=2),
    )
    machine = snapshot((), processes, meminfo=MEMINFO)
    assert [one.pid for one in visiting_order(machine, Scope("system", None, 1))] == [900, 4, 5]
