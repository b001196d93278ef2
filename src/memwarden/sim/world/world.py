"""The machine: memory and what is free of it, swap, disks, files, cgroups, the queue, the events."""

from __future__ import annotations

from heapq import heappop, heappush
from math import ceil
from typing import TYPE_CHECKING, Final

from memwarden.rules.watermarks import min_free_bytes, watermarks, zones
from memwarden.sim.result import Event, Kind
from memwarden.sim.scenario import BATCH, HZ, Group
from memwarden.sim.world.device import Device
from memwarden.sim.world.holding import File
from memwarden.sim.world.memcg import PAGE, Memcg
from memwarden.sim.world.pressure import Pressure
from memwarden.state.cgroup import ancestry
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.sim.scenario import Machine, Program, Scenario
    from memwarden.sim.world.holding import FilePages
    from memwarden.sim.world.process import Proc, Task
    from memwarden.sim.world.tally import Tally

STRETCH_US: Final = 5 * SECOND_US
"""What happens again within so long of the last time is the same stretch, and said once."""
FIRST_INODE: Final = 1000
FIRST_PID: Final = 1000


def kept_free(machine: Machine) -> int:
    """``vm.min_free_kbytes`` of a machine in bytes, which nobody but the kernel may have."""
    if machine.min_free_bytes is not None:
        return machine.min_free_bytes
    return min_free_bytes(machine.ram_bytes, thp=machine.thp, zone_count=zones(machine.ram_bytes))


class World:
    """Everything, at ``now``. Figures in pages."""

    def __init__(self, scenario: Scenario) -> None:
        machine = scenario.machine
        self.scenario = scenario
        self.machine = machine
        self.hz = machine.traits.hz or HZ
        self.batch = machine.traits.charge_batch_pages or BATCH
        self.jiffy_us = SECOND_US // self.hz
        self.ram = machine.ram_bytes // PAGE
        self.kernel = machine.kernel_bytes // PAGE
        self.marks = watermarks(self.ram, kept_free(machine) // PAGE, machine.watermark_scale_factor)
        self.swap_total = machine.swap.size_bytes // PAGE if machine.swap else 0
        self._zram_ratio = machine.swap.ram_ratio if machine.swap else None
        self.swap_used = 0
        self.backed = 0
        """Pages in memory that still have their slots."""
        self.disk = Device(machine.disk)
        self.swap_disk = Device(machine.swap.disk) if machine.swap else self.disk
        self.zswapped = 0
        self.files: dict[str, File] = {}
        self.now = 0
        self.events: list[Event] = []
        self.panicked = False
        self._said: dict[tuple[Kind, str, str], int] = {}
        self._queue: list[tuple[int, int, Callable[[int], None], int]] = []
        self._number = 0
        self._next_pid = FIRST_PID
        self.running = 0.0
        """Processors' worth of tasks that run now."""
        self.cores = machine.cores or machine.cpus
        self.groups: dict[str, Memcg] = {}
        self.root = self._grow_tree(scenario)
        self.protected = False
        self.note_protection()
        self.procs: dict[int, Proc] = {}
        self.tallies: dict[str, Tally] = {}
        self.oom_kills = 0
        self.scanned = self.stolen = 0
        """Pages that reclaim of the machine looked at and freed; of a cgroup for its limit: not counted."""
        self.kswapd_scanned = self.kswapd_stolen = 0
        """Those of them that kswapd did."""
        self.kswapd_failures = 0
        """Runs of kswapd, one after the other, that freed nothing (``pgdat->kswapd_failures``)."""
        self.frozen = 0
        """How many cgroups are frozen by themselves."""
        self.executable = 0
        """Pages that programs execute from, in memory or not."""
        self.code = 0
        """Pages in memory that programs execute from; they are the root's."""
        self.arriving = 0
        """Those of them that are being read: on the lists, and locked."""
        self.unclean = 0
        """Pages of files that are dirty or under writeback."""
        self.dirtied: set[FilePages] = set()
        """Files of which some are dirty."""
        self._writers: dict[Task, int] = {}
        self.chunk_us = 100_000
        """How much a task that is far from everything does at a time."""
        self.kswapd: Callable[[], None]
        self.flush: Callable[[], None]
        self.execute: Callable[[Task], None]
        """Have the code of a task's program in memory."""
        self.start: Callable[[Program, Tally, bool], None]
        """Start a process; whether that is a restart."""

    def _grow_tree(self, scenario: Scenario) -> Memcg:
        knobs = {group.path: group for group in scenario.groups}
        wanted = {"/", *knobs, *(program.cgroup for program in scenario.programs)}
        paths = sorted({above for path in wanted for above in ancestry(path)})
        for number, path in enumerate(paths):
            parent = None if path == "/" else self.groups[ancestry(path)[1]]
            pressure = Pressure(self.machine.cpus, self.hz)
            memcg = Memcg(knobs.get(path) or Group(path), parent, FIRST_INODE + number, pressure)
            self.groups[path] = memcg
            if parent is not None:
                parent.children.append(memcg)
        for path in reversed(paths):
            memcg = self.groups[path]
            memcg.subtree = (memcg, *(below for child in memcg.children for below in child.subtree))
        return self.groups["/"]

    def note_protection(self) -> None:
        """Whether any cgroup has min or low."""
        self.protected = any(memcg.min or memcg.low for memcg in self.groups.values())

    # -- memory -------------------------------------------------------------------------------------------

    @property
    def zram(self) -> int:
        """Pages that hold what was swapped to compressed memory."""
        if self._zram_ratio is None:
            return 0
        return ceil((self.swap_used - self.zswapped) / self._zram_ratio)

    @property
    def free(self) -> int:
        """MemFree: RAM that nobody has. This equation is what keeps pages conserved."""
        zram = 0 if self._zram_ratio is None else self.zram
        return self.ram - self.kernel - self.root.usage - zram

    @property
    def swap_free(self) -> int:
        """Swap slots that nobody has."""
        return self.swap_total - self.swap_used

    @property
    def available(self) -> int:
        """MemAvailable (``mm/show_mem.c:si_mem_available``).

        Of what is free the high watermark is reserved (``mm/page_alloc.c:calculate_totalreserve_pages``);
        what zones keep from those that could use a higher one (``lowmem_reserve``) is left out: some MiB.
        """
        free = self.free - self.marks.high_pages
        cache = sum([m.inactive_file + m.active_file + m.dirty + m.writeback for m in self.root.subtree])
        cache -= min(cache // 2, self.marks.low_pages)
        slab = sum([m.slab for m in self.root.subtree])
        return max(free + cache + slab - min(slab // 2, self.marks.low_pages), 0)

    @property
    def slow(self) -> float:
        """How many times as long as alone one more task takes: all share what the cores can do."""
        slow = (self.running + 1.0) / self.cores
        return slow if slow > 1.0 else 1.0

    def charge(self, memcg: Memcg, pages: int) -> None:
        """Count pages here and above."""
        for above in memcg.chain:
            above.usage += pages
            if above.usage > above.peak:
                above.peak = above.usage

    def uncharge(self, memcg: Memcg, pages: int) -> None:
        """The pages are free again."""
        for above in memcg.chain:
            above.usage -= pages

    def swap_room(self, memcg: Memcg) -> int:
        """``mem_cgroup_get_nr_swap_pages``: slots that this cgroup may still take."""
        room = self.swap_free
        for above in memcg.chain:
            room = min(room, above.swap_max - above.swap)
        return max(room, 0)

    def file(self, name: str, size_bytes: int) -> File:
        """The file of that name, as large as its largest user says."""
        pages = max(-(-size_bytes // PAGE), 1)
        found = self.files.get(name)
        if found is None:
            found = self.files[name] = File(name, pages)
        found.size = max(found.size, pages)
        return found

    def writers(self, task: Task) -> int:
        """How many tasks wrote to files in about the last second, this one among them."""
        self._writers[task] = self.now
        self._writers = {one: at for one, at in self._writers.items() if self.now - at <= SECOND_US}
        return len(self._writers)

    # -- time ---------------------------------------------------------------------------------------------

    def at(self, time_us: int, do: Callable[[int], None], token: int = 0) -> None:
        """Call ``do(token)`` then; of equals, first come first served."""
        self._number += 1
        heappush(self._queue, (time_us, self._number, do, token))

    def advance(self, until_us: int) -> bool:
        """Do the next thing that is due by then; whether there was one. After a panic there is none."""
        if self.panicked or not self._queue or self._queue[0][0] > until_us:
            return False
        time_us, _, do, token = heappop(self._queue)
        self.now = time_us
        do(token)
        return True

    def go_on(self, until_us: int) -> None:
        """Do all that is due by then: as many times :meth:`advance`, and quicker."""
        queue = self._queue
        while queue and queue[0][0] <= until_us and not self.panicked:
            self.now, _, do, token = heappop(queue)
            do(token)

    @property
    def steps(self) -> int:
        """How much has been done so far: what a simulation costs grows with it."""
        return self._number - len(self._queue)

    def pid(self) -> int:
        """A pid that nobody had."""
        self._next_pid += 1
        return self._next_pid - 1

    def say(
        self,
        kind: Kind,
        cgroup: str = "/",
        *,
        proc: Proc | None = None,
        amount: int = 0,
        detail: str = "",
        swap: int = 0,
        stretch: bool = False,
    ) -> None:
        """Write an event down; ``stretch``: only the first of many. ``amount`` and ``swap`` in pages."""
        if stretch:
            key = (kind, cgroup, detail if kind is Kind.THROTTLED else "")
            last = self._said.get(key)
            self._said[key] = self.now
            if last is not None and self.now - last < STRETCH_US:
                return
        name, pid = (proc.program.name, proc.pid) if proc else ("", 0)
        self.events.append(Event(self.now, kind, cgroup, name, pid, amount * PAGE, detail, swap * PAGE))
