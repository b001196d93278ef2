"""What a report says (facts), and what follows from it (verdict).

The dataclasses mirror the JSON document ``memwarden.explain/1`` one to one. Whatever the text does
not say is ``None``, never 0; an unlimited limit is ``MAX``. Memory is in bytes; page counts that the
table prints are kept beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from memwarden.state.traits import KernelTraits
    from memwarden.units import Limit

Scope = Literal["memcg", "system", "cpuset", "mempolicy", "unknown"]
Via = Literal["selected", "oom.group", "allocating-task", "other"]
PageSizeBasis = Literal["text", "architecture", "assumed"]
Confidence = Literal["certain", "likely", "possible"]
Cause = Literal[
    "memcg-anon",
    "memcg-file",
    "memcg-shmem",
    "memcg-kernel",
    "memcg-unevictable",
    "memcg-swap-limit",
    "memcg-unknown",
    "system-anon",
    "system-shmem",
    "system-slab",
    "system-hugepages",
    "system-unevictable",
    "system-unknown",
    "fragmentation",
    "low-zone",
    "numa-bound",
    "manual",
    "no-victim",
    "spurious",
    "unknown",
]
MarkKind = Literal[
    "header",  # "X invoked oom-killer: ..."
    "cpuset",  # "X cpuset=/ mems_allowed=0"
    "cpu",  # "CPU: 0 PID: 1 Comm: ..." or "Pid: ..."
    "trace",  # a frame of the call trace that decides the scope
    "task-in",  # "Task in A killed as a result of limit of B"
    "usage",  # "memory: usage ..., limit ..., failcnt ..."
    "memsw",  # "memory+swap: usage ..."
    "swap",  # "swap: usage ..." (v2)
    "kmem",  # "kmem: usage ..."
    "stats",  # "Memory cgroup stats for ..."
    "stat-line",  # one line of the statistics that carries figures
    "protection",  # "Memory cgroup min protection ..."
    "mem-info",  # "Mem-Info:" and its counters
    "node",  # "Node 0 active_anon:..."
    "zone",  # "Node 0 DMA free:..."
    "free-list",  # "Node 0 DMA: 1*4kB ..."
    "hugepages",
    "swap-free",  # "Free swap  = ..."
    "swap-total",
    "ram",  # "N pages RAM"
    "slab",  # "Unreclaimable slab info:" and its rows
    "table",  # header of the task table
    "task",  # one row
    "oom-kill",  # "oom-kill:constraint=..."
    "kill",  # "Killed process ..."
    "kill-choice",  # "Kill process N (comm) score S or sacrifice child"
    "group",  # "Tasks in X are going to be killed due to memory.oom.group set"
    "reaper",  # "oom_reaper: reaped process ..."
    "no-victim",  # "Out of memory and no killable processes..."
    "panic",
    "suppressed",  # "oom_kill_process: N callbacks suppressed"
    "other",
]


class Mark(NamedTuple):
    """A line of the text that a fact rests on."""

    kind: MarkKind
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the report stands. Lines count from 1 in the text as given; ``unparsed_lines`` lie inside it."""

    file: str
    first_line: int
    last_line: int
    complete: bool
    unparsed_lines: int = 0


@dataclass(frozen=True, slots=True)
class When:
    """Time of the first stamped line. ``wall`` is ISO 8601 where a date is known, else as printed."""

    monotonic_us: int | None = None
    wall: str | None = None


@dataclass(frozen=True, slots=True)
class HostInfo:
    """The machine the report speaks of."""

    name: str | None = None
    kernel: str | None = None
    page_size_bytes: int = 4096
    page_size_basis: PageSizeBasis = "assumed"


@dataclass(frozen=True, slots=True)
class Invoker:
    """Who asked for the page that could not be had; ``pid`` is a thread id."""

    comm: str | None = None
    pid: int | None = None
    gfp_mask: int | None = None
    gfp_flags: tuple[str, ...] | None = None
    order: int | None = None
    oom_score_adj: int | None = None


@dataclass(frozen=True, slots=True)
class MemcgFacts:
    """The cgroup whose limit was hit. ``stat`` is in bytes (counts stay counts), by v1 or v2 names."""

    oom_path: str | None = None
    usage_bytes: int | None = None
    limit_bytes: Limit | None = None
    failcnt: int | None = None
    swap_usage_bytes: int | None = None
    swap_limit_bytes: Limit | None = None
    swap_failcnt: int | None = None
    memsw_usage_bytes: int | None = None
    memsw_limit_bytes: Limit | None = None
    memsw_failcnt: int | None = None
    kmem_usage_bytes: int | None = None
    kmem_limit_bytes: Limit | None = None
    kmem_failcnt: int | None = None
    min_protection_bytes: int | None = None
    low_protection_bytes: int | None = None
    stat: dict[str, int] = field(default_factory=dict)
    """Of ``oom_path`` itself. Where old kernels print a line per descendant, see ``descendants``."""
    descendants: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """One zone of the Mem-Info block. ``name`` is DMA, DMA32, Normal, HighMem, Movable or Device."""

    node: int
    name: str
    free_bytes: int | None = None
    min_bytes: int | None = None
    low_bytes: int | None = None
    high_bytes: int | None = None
    reserved_highatomic_bytes: int | None = None
    present_bytes: int | None = None
    managed_bytes: int | None = None
    free_cma_bytes: int | None = None
    lowmem_reserve_pages: tuple[int, ...] = ()
    counters_bytes: dict[str, int] = field(default_factory=dict)
    """Every ``name:NkB`` of the line, in bytes, by its printed name."""
    all_unreclaimable: bool | None = None
    free_list: dict[int, int] | None = None
    """Block size in bytes to number of free blocks."""
    free_types: dict[int, str] | None = None
    """Block size in bytes to the letters behind its count: U M E C H R I (``show_migration_types``)."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The machine's memory as the Mem-Info block shows it, summed over nodes."""

    ram_bytes: int | None = None
    free_bytes: int | None = None
    total_swap_bytes: int | None = None
    free_swap_bytes: int | None = None
    active_anon_bytes: int | None = None
    inactive_anon_bytes: int | None = None
    active_file_bytes: int | None = None
    inactive_file_bytes: int | None = None
    unevictable_bytes: int | None = None
    shmem_bytes: int | None = None
    slab_reclaimable_bytes: int | None = None
    slab_unreclaimable_bytes: int | None = None
    pagetables_bytes: int | None = None
    hugepages_bytes: int | None = None
    reserved_bytes: int | None = None
    swap_cache_bytes: int | None = None
    pagecache_bytes: int | None = None
    counters_bytes: dict[str, int] = field(default_factory=dict)
    """Every counter of the Mem-Info header, by its printed name, in bytes."""
    zones: tuple[ZoneFacts, ...] = ()
    unreclaimable_slabs_bytes: dict[str, int] = field(default_factory=dict)
    allocations_bytes: dict[str, int] = field(default_factory=dict)
    """Rows of "Memory allocations:" (6.10 with memory profiling), by call site."""


class TaskRow(NamedTuple):
    """One row of the task table. Pages as printed; ``*_bytes`` are pages times the page size.

    A tuple, since a log may hold a hundred thousand rows.
    """

    line: int
    pid: int
    comm: str
    uid: int | None = None
    tgid: int | None = None
    total_vm_pages: int | None = None
    rss_pages: int | None = None
    rss_anon_pages: int | None = None
    rss_file_pages: int | None = None
    rss_shmem_pages: int | None = None
    pgtables_bytes: int | None = None
    swap_pages: int | None = None
    oom_adj: int | None = None
    oom_score_adj: int | None = None
    badness_pages: int | None = None
    """Set by the verdict: what :mod:`memwarden.rules.badness` makes of this row, ``None`` where it cannot."""


@dataclass(frozen=True, slots=True)
class Victim:
    """One killed process. Memory is that of its kill line."""

    line: int
    pid: int
    comm: str
    via: Via = "selected"
    uid: int | None = None
    total_vm_bytes: int | None = None
    anon_rss_bytes: int | None = None
    file_rss_bytes: int | None = None
    shmem_rss_bytes: int | None = None
    pgtables_bytes: int | None = None
    oom_score_adj: int | None = None
    reaped: bool | None = None
    """True when ``oom_reaper: reaped`` was seen, False for ``unable to reap``."""
    reaper_left_anon_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class OomReport:
    """Everything one report says, before any judgement."""

    source: Source
    when: When = field(default_factory=When)
    host: HostInfo = field(default_factory=HostInfo)
    scope: Scope = "unknown"
    scope_from_text: bool = False
    """True when a line says the scope; False when it was inferred from the trace or the blocks present."""
    constraint: str | None = None
    nodemask: str | None = None
    cpuset: str | None = None
    mems_allowed: str | None = None
    killed: bool | None = None
    panic: bool = False
    no_killable: bool = False
    manual: bool = False
    """Asked for by a person: sysrq-f (order -1, or moom_callback in the trace)."""
    page_fault_path: bool = False
    """Raised by ``pagefault_out_of_memory`` without a charge or an allocation below it."""
    invoker: Invoker = field(default_factory=Invoker)
    task_path: str | None = None
    memcg: MemcgFacts | None = None
    node: NodeFacts | None = None
    table_columns: tuple[str, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
    tasks_dropped: int = 0
    """Rows of a table too long to keep that are not in ``tasks``."""
    chosen: tuple[int, str, int] | None = None
    """Pid, comm and printed score of "Kill process ... score ...", the task before a child was sacrificed."""
    group_path: str | None = None
    """Cgroup named by "Tasks in ... are going to be killed due to memory.oom.group set"."""
    victims: tuple[Victim, ...] = ()
    traits: KernelTraits | None = None
    marks: tuple[Mark, ...] = ()

    @property
    def tasks_listed(self) -> int:
        """Rows counted; 0 if none."""
        return len(self.tasks) + self.tasks_dropped


@dataclass(frozen=True, slots=True)
class Container:
    """A container as its cgroup's name tells it; ``runtime`` is containerd, cri-o, docker, podman, lxc..."""

    runtime: str
    id: str


@dataclass(frozen=True, slots=True)
class KubernetesPod:
    """A pod as its cgroup's name tells it. ``level``: container, pod, qos, node-allocatable."""

    qos: str | None
    pod_uid: str | None
    level: str


class Evidence(NamedTuple):
    """A line the verdict rests on."""

    line: int
    text: str


class Advice(NamedTuple):
    """What to do; ``command`` is ready to paste, or ``None``."""

    what: str
    command: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of the verdict and the lines it rests on."""

    text: str
    evidence: tuple[Evidence, ...] = ()
    confidence: Confidence = "certain"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the reader wants to know."""

    cause: Cause
    confidence: Confidence
    summary: str
    died: Statement | None = None
    """Who died, with how much memory; or that nobody did, or that the text ends before one can know."""
    limit: Statement | None = None
    """Whose limit was hit, which one, with its figures."""
    filled: Statement | None = None
    """What filled it, in words; ``filled_by`` has the same as figures."""
    why_victim: tuple[Statement, ...] = ()
    why_while_free: tuple[Statement, ...] = ()
    filled_by: tuple[tuple[str, int], ...] = ()
    """What filled the limit or the machine: word and bytes, largest first; the rest is ``unexplained``.

    The words are those of :mod:`memwarden.postmortem.filled`.
    """
    filled_of_bytes: int | None = None
    """The whole that ``filled_by`` divides: the cgroup's usage or the machine's managed memory."""
    statements: tuple[Statement, ...] = ()
    """Everything else worth saying: which limit, whose, group kills, doubts about the text."""
    choice_checked: bool | None = None
    """True: recomputed badness names the kernel's victim; False: another; None: cannot be checked."""
    choice_note: str | None = None
    advice: tuple[Advice, ...] = ()
    would_have_helped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """One report with its verdict and the names that its paths resolve to."""

    report: OomReport
    tasks: tuple[TaskRow, ...]
    """The report's rows with ``badness_pages`` filled in where the rule allows it."""
    verdict: Verdict
    unit: str | None = None
    container: Container | None = None
    kubernetes: KubernetesPod | None = None
