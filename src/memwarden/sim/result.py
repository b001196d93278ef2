"""What a simulation answers: a time line, events, and what each program got done."""

from enum import Enum
from typing import NamedTuple

from memwarden.sim.scenario import Scenario
from memwarden.units import Limit


class Kind(Enum):
    """What can happen."""

    __hash__ = object.__hash__  # as each stands once; an Enum's own hashes its name, with a call

    STARTED = "started"
    STOPPED = "stopped"  # by itself or by its supervisor, with no signal of ours
    RECLAIM = "reclaim"  # the first of a stretch, by the limit that drove it
    THROTTLED = "throttled"  # the first sleep of a stretch; ``detail``: memory.high or memory.swap.high
    MAX = "max"  # the first of a stretch at memory.max
    KSWAPD = "kswapd"  # woken at the low watermark
    DIRECT = "direct reclaim"  # below the min watermark
    OOM = "oom"  # the OOM killer was called
    OOM_KILL = "oom kill"  # who it killed
    PANIC = "panic"  # the machine's OOM killer found nobody that may be killed: the end of the simulation
    KILL = "kill"  # by the guard, or by a supervisor that lost patience
    TERM = "term"
    REAPED = "reaped"  # memory that was taken from a process that is killed and hangs
    GONE = "gone"  # a process's memory came back
    CHANGED = "changed"  # a knob was written
    FROZEN = "frozen"
    THAWED = "thawed"
    DECISION = "decision"  # of the guard; ``detail`` is its id


class Event(NamedTuple):
    """Something that happened. ``cgroup`` is whose limit or whose process it was; ``/`` is the machine.

    Of who is killed ``amount_bytes`` is in memory, and ``swap_bytes`` in swap: both count in its badness.
    """

    time_us: int
    kind: Kind
    cgroup: str = "/"
    program: str = ""
    pid: int = 0
    amount_bytes: int = 0
    detail: str = ""
    swap_bytes: int = 0


class Usage(NamedTuple):
    """Bytes of a cgroup (or of the machine) by kind, its descendants included."""

    anon: int = 0
    """With what is on its way to swap."""
    file: int = 0
    dirty: int = 0
    """Of ``file``: dirty, or being written."""
    shmem: int = 0
    """Of ``file``, as the kernel counts."""
    unevictable: int = 0
    """Of ``anon``: locked."""
    kernel: int = 0
    sock: int = 0
    swap: int = 0

    @property
    def total(self) -> int:
        """What counts against memory.max: all but swap."""
        return self.anon + self.file + self.kernel + self.sock


class GroupSample(NamedTuple):
    """One cgroup at one moment; pressure in microseconds since the start."""

    usage: Usage
    min_bytes: Limit
    low_bytes: Limit
    high_bytes: Limit
    max_bytes: Limit
    some_us: int
    full_us: int


class Sample(NamedTuple):
    """The machine and every cgroup at one moment."""

    time_us: int
    free_bytes: int
    available_bytes: int
    swap_free_bytes: int
    some_us: int
    full_us: int
    some_avg10: float
    full_avg10: float
    groups: dict[str, GroupSample]


class Work(NamedTuple):
    """What one program (all of its processes and restarts) got done.

    ``wanted_bytes`` is what it would have moved without a shortage at the rates of its parts; 0 where the
    rate is not bounded. Latencies are of a working set's requests, in microseconds.
    """

    program: str
    cgroup: str
    moved_bytes: int
    wanted_bytes: int
    requests: int
    requests_due: int
    p50_us: int | None
    p99_us: int | None
    max_us: int | None
    stalled_us: int
    throttled_us: int
    refaulted_bytes: int
    swapped_in_bytes: int
    deaths: int
    restarts: int


class Note(NamedTuple):
    """What the guard decided: the id and rule of the decision, and one line for people."""

    time_us: int
    id: str
    rule: str
    text: str


class Result(NamedTuple):
    """One run. ``counters`` are the kernel's memory.events by cgroup, ``peaks`` its memory.peak.

    ``peaks`` of ``/`` is what was used of RAM, without zram.
    """

    scenario: Scenario
    samples: tuple[Sample, ...]
    events: tuple[Event, ...]
    work: tuple[Work, ...]
    counters: dict[str, dict[str, int]]
    peaks: dict[str, int]
    notes: tuple[Note, ...] = ()
