"""The words of a scenario: one set of tables for reading, writing and the reference."""

from __future__ import annotations

from typing import Final

from memwarden.sim import scenario as sim
from memwarden.sim.words.kinds import (
    BADNESS,
    CGROUP,
    COST,
    FLOW,
    FREQUENCY,
    LIMIT,
    RATE,
    RATIO,
    SHARE,
    SIGTERM,
    SIZE,
)
from memwarden.state.traits import KernelTraits
from memwarden.words.kinds import DURATION, FLAG, NAME, TEXT, count, one_of
from memwarden.words.word import Key, Word

SCENARIO: Final = Word(
    "scenario",
    sim.Scenario,
    (
        Key("name", "name", NAME, "how it is called; after its file when it is left out", optional=True),
        Key("text", "text", TEXT, "what it shows, for people"),
        Key("duration", "duration_us", DURATION, "how long is simulated"),
        Key("sample", "sample_us", DURATION, "how often the time line has a point"),
        Key("seed", "seed", count(0), "of everything that is random"),
    ),
    "what is run and how long; `extends` names a scenario or a file that this one goes over",
)
MACHINE: Final = Word(
    "machine",
    sim.Machine,
    (
        Key("ram", "ram_bytes", SIZE, "memory that the kernel manages (MemTotal)"),
        Key("cpus", "cpus", count(1, 4096), "processors"),
        Key("cores", "cores", count(1, 4096), "whose speed they share; as many as processors when left out"),
        Key("kernel", "kernel_bytes", SIZE, "what the kernel holds from the start and never gives back"),
        Key("min_free", "min_free_bytes", SIZE, "vm.min_free_kbytes; what the kernel sets when left out"),
        Key("watermark_scale_factor", "watermark_scale_factor", count(1, 3000), "vm.watermark_scale_factor"),
        Key("swappiness", "swappiness", count(0, 200), "vm.swappiness"),
        Key("thp", "thp", FLAG, "transparent huge pages"),
        Key("page_tables", "page_tables", FLAG, "charge a page of page tables for 512 that are taken"),
        Key("fault", "fault_us", COST, "what a new page costs"),
        Key("copy", "copy_us", COST, "what a page of a file costs that is in the cache"),
        Key("read_page", "read_us", COST, "what one from the disk costs; a new page and a copy if left out"),
        Key("free", "free_us", COST, "what giving a page back costs when a process ends"),
        Key("reclaim", "reclaim_us", COST, "what looking at a page in reclaim costs"),
        Key(
            "age", "age_us", COST, "the same where kswapd walks page tables (MGLRU); one by one when left out"
        ),
        Key("unmap", "unmap_us", COST, "what taking a page of a file out of page tables costs besides"),
        Key("swap_page", "swap_us", COST, "what the processor does for a page that is swapped"),
        Key("pass", "pass_us", COST, "what a pass of reclaim costs though it finds nothing"),
        Key("exit", "exit_us", COST, "what the death of a process takes besides its memory"),
    ),
    "the host",
)
DISK: Final = Word(
    "disk",
    sim.Disk,
    (
        Key("read", "read_bps", RATE, "how fast it reads"),
        Key("write", "write_bps", RATE, "how fast it writes"),
        Key("latency", "latency_us", DURATION, "what every request takes besides"),
    ),
    "a block device",
)
SWAP: Final = Word(
    "swap",
    sim.SwapDevice,
    (
        Key("size", "size_bytes", SIZE, "how much fits"),
        Key("ram_ratio", "ram_ratio", RATIO, "zram: bytes kept in one byte of memory; left out for a disk"),
        Key("synchronous", "synchronous", FLAG, "a disk that is memory: what is written is free at once"),
    ),
    "the swap device; none when it is left out. `disk = { ... }` as of the machine",
)
ZSWAP: Final = Word(
    "zswap",
    sim.Zswap,
    (
        Key("pool", "pool_share", SHARE, "of memory, at most"),
        Key("ratio", "ratio", RATIO, "bytes kept in one byte of memory"),
    ),
    "compressed pages before the swap device; none when it is left out",
)
_FLAGS: Final = (
    ("mglru", "the multi-generational LRU"),
    ("mglru_proportional_protection", "it reclaims above protection in proportion"),
    ("recursive_protection", "cgroup2 is mounted with memory_recursiveprot"),
    ("stale_protection_bug", "protection of an earlier reclaim is taken for this one's"),
    ("local_events", "memory.events counts what happened here only"),
    ("hugetlb_accounting", "huge pages of hugetlbfs are charged"),
    ("approximate_rss", "RSS may lag behind"),
    ("last_of_equals", "of equal victims the last visited"),
    ("sacrifice_child", "a child of the victim dies first"),
    ("over_kill", "a cgroup's OOM killer does not see who exits"),
    ("stale_dirty_counts", "a cgroup's dirty pages are counted every 2 s"),
    ("stat_itemises_kernel", "memory.stat has `kernel`"),
    ("reaps_locked", "the OOM reaper takes locked memory, as since 5.18"),
    ("process_mrelease", "who kills has memory taken at once; not in 5.10"),
    ("memory_reclaim", "cgroups have memory.reclaim, as since 5.19"),
    ("kswapd_stays_down", "kswapd that gave up stays so, as since 7.0"),
    ("mglru_exact", "MGLRU looks at small shares of a list, too, as in 7.0"),
    ("partial_walks", "a cgroup's reclaim ends where it has enough, as since 6.11"),
)
TRAITS: Final = Word(
    "traits",
    KernelTraits,
    (
        Key("page_size", "page_size_bytes", SIZE, "of a page; no other than 4 KiB is simulated"),
        Key("badness", "badness", BADNESS, "how victims are chosen"),
        Key("hz", "hz", count(100, 1000), "ticks a second (CONFIG_HZ)"),
        Key("charge_batch", "charge_batch_pages", count(1), "pages charged at a time (MEMCG_CHARGE_BATCH)"),
        *(Key(name, name, FLAG, says) for name, says in _FLAGS),
    ),
    "what this kernel does, where kernels differ",
)
GROUP: Final = Word(
    "group",
    sim.Group,
    (
        Key("memory.min", "min_bytes", LIMIT, "never reclaimed from outside below this"),
        Key("memory.low", "low_bytes", LIMIT, "reclaimed below this only when nothing else is left"),
        Key("memory.high", "high_bytes", LIMIT, "throttled and reclaimed above this"),
        Key("memory.max", "max_bytes", LIMIT, "killed when reclaim cannot keep it below this"),
        Key("memory.swap.high", "swap_high_bytes", LIMIT, "throttled when it has more than this in swap"),
        Key("memory.swap.max", "swap_max_bytes", LIMIT, "the most it may have in swap"),
        Key("memory.zswap.max", "zswap_max_bytes", LIMIT, "the most it may have in zswap"),
        Key("memory.oom.group", "oom_group", FLAG, "all of it is killed together"),
    ),
    "a cgroup, by its path, with the kernel's files as keys",
)
PROGRAM: Final = Word(
    "program",
    sim.Program,
    (
        Key("cgroup", "cgroup", CGROUP, "where it runs; the cgroup has to be there"),
        Key("instances", "instances", count(1, 100_000), "how many processes of it"),
        Key("oom_score_adj", "oom_score_adj", count(-1000, 1000), "as in /proc/PID/oom_score_adj"),
        Key("start", "start_us", DURATION, "when it starts"),
        Key("stop", "stop_us", DURATION, "when it ends by itself; never when left out"),
        Key("sigterm", "sigterm_us", SIGTERM, "how long it needs to end after SIGTERM"),
        Key("patience", "patience_us", DURATION, "a stall so long, and its supervisor kills it"),
        Key("restart", "restart_us", DURATION, "started again so long after its death; never when left out"),
        Key("exit_held", "exit_held_us", DURATION, "killed, it hangs for so long before its exit"),
    ),
    "what runs, made of the parts below, which go on at the same time",
)
PARTS: Final = (
    Word(
        "grow",
        sim.Grow,
        (
            Key("rate", "rate_bps", FLOW, "how fast"),
            Key("limit", "limit_bytes", SIZE, "until it has so much; for ever when left out"),
        ),
        "anonymous memory, taken and kept: a leak, or a heap that fills",
    ),
    Word(
        "steps",
        sim.Steps,
        (
            Key("step", "step_bytes", SIZE, "how much at once"),
            Key("every", "every_us", DURATION, "how often"),
            Key("limit", "limit_bytes", SIZE, "until it has so much; for ever when left out"),
        ),
        "anonymous memory in steps",
    ),
    Word(
        "sawtooth",
        sim.Sawtooth,
        (
            Key("rate", "rate_bps", RATE, "how fast it grows"),
            Key("top", "top_bytes", SIZE, "where the collector runs"),
            Key("bottom", "bottom_bytes", SIZE, "what is left then"),
        ),
        "a heap with a garbage collector",
    ),
    Word(
        "spike",
        sim.Spike,
        (
            Key("top", "top_bytes", SIZE, "how much, as fast as it goes"),
            Key("hold", "hold_us", DURATION, "how long it is kept"),
        ),
        "a lot of memory for a moment",
    ),
    Word(
        "working_set",
        sim.WorkingSet,
        (
            Key("anon", "anon_bytes", SIZE, "its anonymous memory"),
            Key("hot", "hot_bytes", SIZE, "the part of it that is used most"),
            Key("hot_share", "hot_share", SHARE, "of the touches that go there"),
            Key("file", "file_bytes", SIZE, "a file that requests read at random"),
            Key("requests", "requests_per_s", FREQUENCY, "how many come, whether it is fast enough or not"),
            Key("anon_touches", "anon_touches", count(0), "pages of memory that a request touches"),
            Key("file_touches", "file_touches", count(0), "pages of the file that a request reads"),
            Key("mapped", "mapped", FLAG, "whether the file is mapped, as programs are, and faulted in"),
        ),
        "memory and a file that are used: what stalls when they are reclaimed",
    ),
    Word(
        "read",
        sim.ReadFile,
        (
            Key("name", "name", NAME, "of the file; readers of one name share its pages"),
            Key("size", "file_bytes", SIZE, "of the file: its reuse distance"),
            Key("rate", "rate_bps", FLOW, "how fast"),
            Key("times", "times", count(1), "how often; for ever when left out"),
        ),
        "reads a file from end to end",
    ),
    Word(
        "write",
        sim.WriteFile,
        (
            Key("name", "name", NAME, "of the file"),
            Key("size", "file_bytes", SIZE, "of the file"),
            Key("rate", "rate_bps", FLOW, "how fast"),
            Key("times", "times", count(1), "how often; for ever when left out"),
        ),
        "writes a file: pages are dirty until they were written back",
    ),
    Word(
        "tmpfs",
        sim.Tmpfs,
        (
            Key("rate", "rate_bps", FLOW, "how fast"),
            Key("limit", "limit_bytes", SIZE, "until it has so much"),
            Key(
                "size", "size_bytes", SIZE, "the file system's: who writes beyond it gets an error, and ends"
            ),
        ),
        "fills a tmpfs; what was written stays when the writer dies",
    ),
    Word(
        "mlock",
        sim.Mlock,
        (
            Key("amount", "amount_bytes", SIZE, "how much"),
            Key("rate", "rate_bps", FLOW, "how fast"),
        ),
        "anonymous memory that is locked and never reclaimed",
    ),
    Word(
        "kernel",
        sim.KernelMemory,
        (
            Key(
                "kind",
                "kind",
                one_of("sock", "dentries", "other"),
                "sockets; reclaimable slab, which stays; the rest",
            ),
            Key("rate", "rate_bps", FLOW, "how fast"),
            Key("limit", "limit_bytes", SIZE, "until it has so much"),
        ),
        "memory that the kernel holds for the process",
    ),
    Word(
        "forks",
        sim.Forks,
        (
            Key("children", "children", count(1, 1_000_000), "how many"),
            Key("per_s", "per_s", FREQUENCY, "how many a second"),
            Key("each", "each_bytes", SIZE, "what each takes"),
        ),
        "starts children that take memory and stay",
    ),
)
PART_OF: Final = {word.record: word for word in PARTS}
PART_NAMED: Final = {word.name: word for word in PARTS}
CHANGE: Final = Word(
    "change",
    sim.Change,
    (
        Key("at", "at_us", DURATION, "when"),
        Key("cgroup", "cgroup", CGROUP, "which cgroup"),
    ),
    'a file of a cgroup that is written meanwhile: `memory.high = "1GiB"` and the like stand beside',
)
KNOBS: Final = {key.name: key.kind for key in GROUP.keys if key.kind is LIMIT}
"""What a change can write."""
