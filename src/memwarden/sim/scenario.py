"""What is simulated: a machine, its cgroups, and what runs in them.

Data only; ``sim.words`` reads it from TOML.
"""

from typing import Final, NamedTuple, TypeAlias

from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, MAX, MIB, Limit

HZ: Final = 250
BATCH: Final = 64
LEFT_OUT: Final = KernelTraits(
    hz=HZ,
    charge_batch_pages=BATCH,
    mglru=False,
    mglru_proportional_protection=False,
    recursive_protection=False,
    stale_protection_bug=False,
    local_events=False,
    hugetlb_accounting=False,
    approximate_rss=False,
    last_of_equals=True,
    sacrifice_child=False,
    over_kill=False,
    stale_dirty_counts=False,
    stat_itemises_kernel=False,
    reaps_locked=True,
    process_mrelease=True,
    memory_reclaim=True,
    kswapd_stays_down=False,
    mglru_exact=False,
    partial_walks=False,
)
"""What holds where a scenario says nothing of a trait."""


class Disk(NamedTuple):
    """A block device: bytes per second each way, and the time that every request takes besides."""

    read_bps: int = 200 * MIB
    write_bps: int = 150 * MIB
    latency_us: int = 100


class SwapDevice(NamedTuple):
    """Swap. ``ram_ratio``: of zram, how many bytes are kept in one byte of memory; ``None`` for a disk.

    ``synchronous``: a disk that is memory itself, whose requests are done when they are made. What is written
    there is free at once (``mm/vmscan.c:shrink_folio_list``: "A synchronous write - probably a ramdisk"), and
    the write is part of ``swap_us``. It is a mapped one (dm on pmem), of which the kernel does not know that
    (``SWP_SYNCHRONOUS_IO``): a page that comes back keeps its slot as from any disk.
    """

    size_bytes: int
    disk: Disk = Disk()
    ram_ratio: float | None = None
    synchronous: bool = False


class Zswap(NamedTuple):
    """Compressed pages in memory before the swap device: at most ``pool_share`` of memory."""

    pool_share: float = 0.2
    ratio: float = 3.0


class Machine(NamedTuple):
    """The host. ``kernel_bytes`` is what the kernel holds from the start and never gives back.

    ``min_free_bytes``: ``vm.min_free_kbytes``; ``None`` is what the kernel sets by itself. ``fault_us`` is
    what a new page costs, ``reclaim_us`` what looking at a page in reclaim costs, ``swap_us`` what the
    processor does for a page swapped; a death takes ``exit_us``, and ``free_us`` for every page that it gives
    back (``exit_mmap``); ``unmap_us`` is what a page of a file that is in page tables costs in reclaim
    besides. All are measured in the lab. ``cores``: how many processors' worth of work all ``cpus`` together
    do; ``None`` is as many as there are. Threads of one core share what it can do.
    """

    ram_bytes: int = 4 * GIB
    cpus: int = 2
    kernel_bytes: int = 100 * MIB
    min_free_bytes: int | None = None
    watermark_scale_factor: int = 10
    swappiness: int = 60
    thp: bool = True
    swap: SwapDevice | None = None
    zswap: Zswap | None = None
    disk: Disk = Disk()
    fault_us: float = 0.5
    reclaim_us: float = 0.3
    swap_us: float = 2.0
    traits: KernelTraits = KernelTraits()
    free_us: float = 0.05
    """What giving a page back costs when a process ends (``exit_mmap``)."""
    pass_us: float = 5.0
    """What a pass of reclaim costs though it finds nothing: all priorities, and every shrinker."""
    exit_us: float = 300.0
    cores: int | None = None
    copy_us: float = 0.4
    """What a page of a file costs who reads it from the cache, or writes it."""
    read_us: float | None = None
    """What one costs the processor that comes from the disk; ``None``: a new page and a copy."""
    unmap_us: float = 1.0
    age_us: float | None = None
    """What a page costs of a program whose page tables kswapd walks (``walk_mm`` of the multi-generational
    LRU); ``None``: pages are looked at one by one."""
    page_tables: bool = False
    """Whether page tables are charged as programs take memory; else they are in what a program is given."""


class Group(NamedTuple):
    """A cgroup and its knobs. ``path`` starts with ``/``; parents without knobs need not be named."""

    path: str
    min_bytes: Limit = 0
    low_bytes: Limit = 0
    high_bytes: Limit = MAX
    max_bytes: Limit = MAX
    swap_high_bytes: Limit = MAX
    swap_max_bytes: Limit = MAX
    zswap_max_bytes: Limit = MAX
    oom_group: bool = False


class Grow(NamedTuple):
    """Anonymous memory, taken once and kept: a leak. ``rate_bps`` ``None``: as fast as it goes."""

    rate_bps: float | None
    limit_bytes: int | None = None


class Steps(NamedTuple):
    """Anonymous memory in steps: ``step_bytes`` at once every ``every_us``, up to a limit."""

    step_bytes: int
    every_us: int
    limit_bytes: int | None = None


class Sawtooth(NamedTuple):
    """A heap with a collector: grows from ``bottom_bytes`` to ``top_bytes``, then falls to the bottom."""

    rate_bps: float
    top_bytes: int
    bottom_bytes: int


class Spike(NamedTuple):
    """Takes ``top_bytes`` as fast as it goes, keeps them for ``hold_us``, gives them back."""

    top_bytes: int
    hold_us: int


class WorkingSet(NamedTuple):
    """Anonymous memory and a file that are used: requests at a rate, each touching pages at random.

    ``hot_share`` of the touches go to the first ``hot_bytes``, the others anywhere. A request that is late
    waits in line (open loop): its latency counts from when it was due. A file that is ``mapped``, as programs
    and libraries are, is faulted in, and each fault brings what is around it.
    """

    anon_bytes: int
    hot_bytes: int = 0
    hot_share: float = 0.0
    file_bytes: int = 0
    requests_per_s: float = 100.0
    anon_touches: int = 32
    file_touches: int = 2
    mapped: bool = False


class ReadFile(NamedTuple):
    """Reads a file from end to end again and again: its size is the reuse distance.

    Readers of the same ``name`` share its pages; ``None`` rate: as fast as it goes; ``None`` times: for ever.
    """

    name: str
    file_bytes: int
    rate_bps: float | None = None
    times: int | None = None


class WriteFile(NamedTuple):
    """Writes a file again and again: pages are dirty until they were written back."""

    name: str
    file_bytes: int
    rate_bps: float | None = None
    times: int | None = None


class Tmpfs(NamedTuple):
    """Fills a tmpfs; what was written stays when the writer dies.

    ``size_bytes`` is the file system's: a write beyond it fails (ENOSPC), and the writer gives up and ends.
    """

    rate_bps: float | None
    limit_bytes: int
    size_bytes: int | None = None


class Mlock(NamedTuple):
    """Anonymous memory that is locked: never reclaimed."""

    amount_bytes: int
    rate_bps: float | None = None


class KernelMemory(NamedTuple):
    """Memory that the kernel holds for the process: ``sock``, ``dentries`` (reclaimable) or ``other``.

    Dentries outlive it, as a tmpfs does.
    """

    kind: str
    rate_bps: float | None
    limit_bytes: int


class Forks(NamedTuple):
    """Starts children that take ``each_bytes`` and stay."""

    children: int
    per_s: float
    each_bytes: int


Part: TypeAlias = (
    Grow | Steps | Sawtooth | Spike | WorkingSet | ReadFile | WriteFile | Tmpfs | Mlock | KernelMemory | Forks
)


class Program(NamedTuple):
    """What runs: a process (or several ``instances``) in a cgroup, made of parts that go on at the same time.

    ``cap_sys_admin`` matters to old kernels only. ``sigterm_us`` is how long it needs to end after SIGTERM,
    ``None`` when it does not care. ``patience_us``: how long one allocation may stall before its supervisor
    takes it for dead and kills it. ``restart_us``: it is started again so long after its death.
    ``exit_held_us``: killed, it waits so long for what no signal ends, as a file system that hangs, and holds
    its memory until then, but for what the OOM reaper takes.
    """

    name: str
    cgroup: str
    parts: tuple[Part, ...]
    instances: int = 1
    oom_score_adj: int = 0
    start_us: int = 0
    stop_us: int | None = None
    sigterm_us: int | None = 0
    patience_us: int | None = None
    restart_us: int | None = None
    exit_held_us: int = 0


class Change(NamedTuple):
    """A knob that is written while all this runs: ``knob`` by the kernel's name, ``memory.high``."""

    at_us: int
    cgroup: str
    knob: str
    value: Limit


class Scenario(NamedTuple):
    """All of it. ``sample_us`` is how often the time line has a point."""

    name: str
    machine: Machine = Machine()
    groups: tuple[Group, ...] = ()
    programs: tuple[Program, ...] = ()
    changes: tuple[Change, ...] = ()
    duration_us: int = 60_000_000
    sample_us: int = 100_000
    seed: int = 1
    text: str = ""
    """What it shows, for people."""
