"""The simulated machine as a :class:`~memwarden.state.snapshot.Snapshot`: what a guard on it would read."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar, cast

from memwarden.kernel.swaps import SwapArea
from memwarden.rules.badness import TaskMemory, oom_badness
from memwarden.rules.oom_score import oom_score
from memwarden.sim.world.memcg import NO_LIMIT, NOT_COUNTED, PAGE, Memcg
from memwarden.state.cgroup import Cgroup
from memwarden.state.process import Process
from memwarden.state.snapshot import CgroupMode, HostFacts, Instant, Snapshot
from memwarden.units import MAX, Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memwarden.kernel.meminfo import Meminfo
    from memwarden.kernel.memory_events import MemoryEvents, SwapEvents
    from memwarden.kernel.memory_stat import MemoryStat
    from memwarden.kernel.vmstat import Vmstat
    from memwarden.sim.world.process import Proc
    from memwarden.sim.world.world import World

K = TypeVar("K")
V = TypeVar("V")

TICKS: Final = 100
"""``CLK_TCK``."""
UID: Final = 1000
POOLS: Final = (
    "anon", "inactive_file", "active_file", "dirty", "writeback", "shmem", "locked", "slab", "kernel",
    "sock", "swap_own", "zswapped", "zswap_pool", "leaving",
)  # fmt: skip
_POOLS_OF: Final = attrgetter(*POOLS)


def snapshot(world: World) -> Snapshot:
    """The whole machine now."""
    pages = _machine(world)
    traits = world.machine.traits
    return Snapshot(
        instant=Instant(world.now, None),
        host=HostFacts(
            hostname="simulated",
            arch="x86_64",
            cpus=world.machine.cpus,
            clock_ticks=TICKS,
            boot_id="simulated",
        ),
        traits=traits,
        cgroup_mode=CgroupMode.V2,
        mount_options=("memory_recursiveprot",) if traits.recursive_protection else (),
        meminfo=_meminfo(world, pages),
        vmstat=_vmstat(world, pages),
        swaps=(SwapArea("/dev/swap", "partition", world.swap_total * PAGE, world.swap_used * PAGE, -2),)
        if world.swap_total
        else (),
        memory_pressure=world.root.pressure.read(world.now),
        sysctl={"swappiness": world.machine.swappiness, "panic_on_oom": 0, "oom_kill_allocating_task": 0},
        cgroups=Later(lambda: _cgroups(world)),
        processes=Later(lambda: {pid: _process(world, proc) for pid, proc in world.procs.items()}),
    )


class Later(Mapping[K, V]):
    """A mapping that is made when it is first looked into: a calm guard looks at neither.

    It shows the world as it is at that moment, so that whoever keeps it looks into it at once.
    """

    __slots__ = ("_found", "_make")

    def __init__(self, make: Callable[[], dict[K, V]]) -> None:
        self._make = make
        self._found: dict[K, V] | None = None

    def _all(self) -> dict[K, V]:
        if self._found is None:
            self._found = self._make()
        return self._found

    def __getitem__(self, key: K) -> V:
        return self._all()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _machine(world: World) -> dict[str, int]:
    """The pools and counters of all cgroups together, in pages: all that a calm guard looks at."""
    rows = [(*_POOLS_OF(memcg), *memcg.counts.values()) for memcg in world.root.subtree]
    return dict(zip(_names(world), map(sum, zip(*rows, strict=True)), strict=True))


def _names(world: World) -> tuple[str, ...]:
    return (*POOLS, *world.root.counts)  # which are the same in all


def _cgroups(world: World) -> dict[str, Cgroup]:
    """Each cgroup, with the pools and counters of all below it, which come first and are summed up."""
    names = _names(world)
    rows: dict[str, tuple[int, ...]] = {}
    for path, memcg in reversed(world.groups.items()):
        mine = (*_POOLS_OF(memcg), *memcg.counts.values())
        if memcg.children:
            mine = tuple(map(sum, zip(mine, *[rows[child.path] for child in memcg.children], strict=True)))
        rows[path] = mine
    return {
        path: _cgroup(world, memcg, dict(zip(names, rows[path], strict=True)))
        for path, memcg in world.groups.items()
    }


def limit_bytes(pages: int) -> Limit:
    """A page counter's limit as its file prints it."""
    return MAX if pages == NO_LIMIT else pages * PAGE


def _meminfo(world: World, pages: dict[str, int]) -> Meminfo:
    cache = pages["inactive_file"] + pages["active_file"] + pages["dirty"] + pages["writeback"]
    figures = {
        "MemTotal": world.ram,
        "MemFree": max(world.free, 0),
        "MemAvailable": world.available,
        "Cached": cache + pages["shmem"],
        "SwapCached": pages["leaving"],
        "Active(anon)": 0,
        "Inactive(anon)": pages["anon"] - pages["locked"] + pages["shmem"],
        "Active(file)": pages["active_file"],
        "Inactive(file)": cache - pages["active_file"],
        "Unevictable": pages["locked"],
        "Mlocked": pages["locked"],
        "SwapTotal": world.swap_total,
        "SwapFree": world.swap_free,
        "Dirty": pages["dirty"],
        "Writeback": pages["writeback"],
        "AnonPages": pages["anon"],
        "Shmem": pages["shmem"],
        "Zswap": pages["zswap_pool"],
        "Zswapped": pages["zswapped"],
        "SReclaimable": pages["slab"],
        "SUnreclaim": pages["kernel"] + world.kernel,
    }
    return cast("Meminfo", {name: value * PAGE for name, value in figures.items()})


def _vmstat(world: World, pages: dict[str, int]) -> Vmstat:
    return cast(
        "Vmstat",
        {
            "pgscan_kswapd": world.kswapd_scanned,
            "pgscan_direct": world.scanned - world.kswapd_scanned,
            "pgsteal_kswapd": world.kswapd_stolen,
            "pgsteal_direct": world.stolen - world.kswapd_stolen,
            "pgfault": pages["pgfault"],
            "pgmajfault": pages["pgmajfault"],
            "pswpin": pages["pswpin"],
            "pswpout": pages["pswpout"],
            "workingset_refault_anon": pages["refault_anon"],
            "workingset_refault_file": pages["refault_file"],
            "oom_kill": world.oom_kills,
        },
    )


def _cgroup(world: World, memcg: Memcg, pages: dict[str, int]) -> Cgroup:
    root = memcg.parent is None
    memcg.counted = (NOT_COUNTED, 0, 0)  # memory_stat_show: who reads the statistics has them added up
    return Cgroup(
        path=memcg.path,
        inode=memcg.inode,
        populated=any(below.procs for below in memcg.subtree),
        frozen=None if root else memcg.frozen,
        procs=tuple([proc.pid for proc in memcg.procs]),
        current_bytes=None if root else memcg.usage * PAGE,
        peak_bytes=None if root else memcg.peak * PAGE,
        min_bytes=None if root else limit_bytes(memcg.min),
        low_bytes=None if root else limit_bytes(memcg.low),
        high_bytes=None if root else limit_bytes(memcg.high),
        max_bytes=None if root else limit_bytes(memcg.max),
        oom_group=None if root else memcg.oom_group,
        swap_current_bytes=None if root else memcg.swap * PAGE,
        swap_high_bytes=None if root else limit_bytes(memcg.swap_high),
        swap_max_bytes=None if root else limit_bytes(memcg.swap_max),
        zswap_current_bytes=None if root else pages["zswap_pool"] * PAGE,
        zswap_max_bytes=None if root else limit_bytes(memcg.zswap_max),
        stat=_stat(pages),
        events=None if root else cast("MemoryEvents", dict(memcg.events)),
        events_local=None if root else cast("MemoryEvents", dict(memcg.local)),
        swap_events=None if root else cast("SwapEvents", dict(memcg.swap_events)),
        memory_pressure=memcg.pressure.read(world.now),
        controllers=("memory",),
        has_kill=not root,
        has_reclaim=world.machine.traits.memory_reclaim is not False,
        children=tuple([child.path for child in memcg.children]),
    )


def _stat(pages: dict[str, int]) -> MemoryStat:
    cache = pages["inactive_file"] + pages["active_file"] + pages["dirty"] + pages["writeback"]
    kernel = pages["kernel"] + pages["slab"] + pages["zswap_pool"]
    figures = {
        "anon": pages["anon"],
        "file": cache + pages["shmem"],
        "kernel": kernel,
        "sock": pages["sock"],
        "shmem": pages["shmem"],
        "zswap": pages["zswap_pool"],
        "zswapped": pages["zswapped"],
        "file_mapped": 0,
        "file_dirty": pages["dirty"],
        "file_writeback": pages["writeback"],
        "swapcached": 0,
        "inactive_anon": pages["anon"] - pages["locked"] + pages["shmem"],
        "active_anon": 0,
        "inactive_file": cache - pages["active_file"],
        "active_file": pages["active_file"],
        "unevictable": pages["locked"],
        "slab_reclaimable": pages["slab"],
        "slab_unreclaimable": 0,
        "slab": pages["slab"],
    }
    stat = {name: value * PAGE for name, value in figures.items()}
    stat |= {
        "workingset_refault_anon": pages["refault_anon"],
        "workingset_refault_file": pages["refault_file"],
        "pgscan": pages["pgscan"],
        "pgsteal": pages["pgsteal"],
        "pgfault": pages["pgfault"],
        "pgmajfault": pages["pgmajfault"],
        "pswpin": pages["pswpin"],
        "pswpout": pages["pswpout"],
        "zswpin": pages["zswpin"],
        "zswpout": pages["zswpout"],
    }
    return cast("MemoryStat", stat)


def _process(world: World, proc: Proc) -> Process:
    rss, swapped, tables = proc.resident, proc.swapped, proc.pgtables
    total = world.ram + world.swap_total
    adj = proc.program.oom_score_adj
    rule = world.machine.traits.badness
    memory = TaskMemory(rss, swapped, tables, adj)
    badness = oom_badness(memory, total, rule)
    return Process(
        pid=proc.pid,
        comm=proc.program.name[:15],
        start_time_ticks=start_ticks(proc),
        ppid=proc.parent_pid,
        state="S",
        uid=UID,
        flags=0,
        threads=max(len(proc.tasks), 1),
        cgroup=proc.memcg.path,
        total_vm_bytes=(rss + swapped) * PAGE,
        rss_bytes=rss * PAGE,
        rss_anon_bytes=rss * PAGE,
        rss_file_bytes=0,
        rss_shmem_bytes=0,
        swap_bytes=swapped * PAGE,
        pgtables_bytes=tables * PAGE,
        locked_bytes=sum([held.resident for held in proc.holdings if held.kind == "locked"]) * PAGE,
        oom_score=0 if adj == -1000 else oom_score(badness.points if badness else None, total, rule),
        oom_score_adj=adj,
    )


def start_ticks(proc: Proc) -> int:
    """When the process started, as field 22 of its stat has it."""
    return proc.start_us * TICKS // 1_000_000
