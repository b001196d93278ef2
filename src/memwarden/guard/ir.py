"""A policy after its words were understood: what every policy language is turned into.

A rule's detectors are ANDed within a group, its groups are ORed; its actions run in order until one ends the
chain. ``memwarden.guard.policy`` makes this from our own TOML, ``memwarden.guard.foreign`` from other tools'
files, ``memwarden.guard.engine`` runs it. Cgroups are named by globs over paths below the root of the
hierarchy,
as ``/system.slice/*.service``: ``*`` and ``?`` stay within one level, ``**`` spans any number of them,
``[...]``
as in fnmatch. A glob that does not start with ``/`` matches at any depth (``postgresql*.service``). ``.`` and
globs that start with ``./`` are relative to the cgroup of a rule that is run once per cgroup.
"""

from typing import Literal, NamedTuple, TypeAlias

from memwarden.units import SECOND_US

Resource: TypeAlias = Literal["memory", "io", "cpu"]
PressureKind: TypeAlias = Literal["some", "full"]
Globs: TypeAlias = tuple[str, ...]
"""Cgroups; empty means the machine."""


class Amount(NamedTuple):
    """A quantity of memory: bytes, or parts per million of a whole that the detector names."""

    bytes: int | None = None
    ppm: int | None = None

    def of(self, whole_bytes: int) -> int:
        """Bytes, given the whole; rounded down."""
        return self.bytes if self.bytes is not None else whole_bytes * (self.ppm or 0) // 1_000_000


# Detectors. ``for_us`` is how long it must have held without a break, seen at every tick; 0 is at once.


class Pressure(NamedTuple):
    """An average of PSI above a threshold, in hundredths of a percent, as the kernel prints it.

    Of several cgroups the worst counts, ``worst``: ``any`` by the average asked for, or ``weighted`` as oomd
    picks it, by 3 avg10 + 2 avg60 + avg300.
    """

    above_centi: int
    resource: Resource = "memory"
    kind: PressureKind = "full"
    average_s: Literal[10, 60, 300] = 10
    cgroups: Globs = ()
    for_us: int = 0
    worst: Literal["any", "weighted"] = "any"


class PressureRising(NamedTuple):
    """oomd's ``pressure_rising_beyond``: avg60 above for ``for_us``, avg10 above now and not falling fast.

    Falling fast is below the last avg10 times ``fast_fall_ppm``.
    """

    above_centi: int
    resource: Resource = "memory"
    cgroups: Globs = ()
    for_us: int = 0
    fast_fall_ppm: int = 850_000


class Stall(NamedTuple):
    """Stalled time within the last ``window_us``, from the totals of PSI: no average, no lag."""

    above_us: int
    window_us: int = SECOND_US
    resource: Resource = "memory"
    kind: PressureKind = "full"
    cgroups: Globs = ()
    for_us: int = 0


class Available(NamedTuple):
    """Available memory of the machine below an amount.

    ``whole``: ``total`` is MemTotal; ``user`` is MemAvailable + AnonPages, earlyoom's "user mem total".
    ``inclusive``: at the amount counts as below.
    """

    below: Amount
    whole: Literal["total", "user"] = "total"
    for_us: int = 0
    inclusive: bool = False


class SwapFree(NamedTuple):
    """Free swap below an amount (of SwapTotal), and swap-out at least so fast where that is asked for.

    ``without_swap`` is the answer on a machine that has none: oomd and systemd-oomd never fire, earlyoom
    counts it as exhausted.
    """

    below: Amount
    swap_out_bps: int = 0
    without_swap: bool = False
    for_us: int = 0
    inclusive: bool = False


class Usage(NamedTuple):
    """Memory (or anonymous memory only) of the largest of some cgroups above an amount (of MemTotal).

    The root's usage is MemTotal less what is ``available``, or less what is ``free``, which counts page cache
    as used (oomd's ``memory_above``).
    """

    above: Amount
    anon: bool = False
    cgroups: Globs = ("/",)
    for_us: int = 0
    root: Literal["available", "free"] = "available"


class Headroom(NamedTuple):
    """Headroom below an amount (of the limit at the tightest level); effective headroom by default."""

    below: Amount
    effective: bool = True
    cgroups: Globs = ()
    for_us: int = 0


class Events(NamedTuple):
    """A counter of ``memory.events`` rose by ``at_least`` within ``window_us``."""

    counter: Literal["low", "high", "max", "oom", "oom_kill", "oom_group_kill"]
    at_least: int = 1
    window_us: int = 10 * SECOND_US
    local: bool = False
    cgroups: Globs = ("**",)


class Refault(NamedTuple):
    """Pages per second that were read again soon after they had been reclaimed: thrashing."""

    above_per_s: int
    window_us: int = 2 * SECOND_US
    what: Literal["any", "file", "anon"] = "any"
    cgroups: Globs = ()
    for_us: int = 0


class SwapOut(NamedTuple):
    """Bytes per second written to swap within ``window_us``."""

    above_bps: int
    window_us: int = 2 * SECOND_US
    for_us: int = 0


class Reclaiming(NamedTuple):
    """Pages were scanned for reclaim within the last ``within_us``.

    ``since_start``: whether what was scanned before the first look counts as scanned then, and cgroups as one
    sum, as oomd has it. It counts whole seconds: its duration of 10 is ``within_us`` of 10,999,999.
    """

    within_us: int
    cgroups: Globs = ()
    since_start: bool = False


class Growth(NamedTuple):
    """Anonymous memory and swap of a cgroup (or of the machine) grew faster than ``above_bps``."""

    above_bps: int
    window_us: int = 5 * SECOND_US
    cgroups: Globs = ()
    for_us: int = 0


class Exhaustion(NamedTuple):
    """Memory ends within ``within_us``: the forecast, its error included.

    From the growth of anon + swap against effective headroom, of the machine or of each limited cgroup.
    """

    within_us: int
    cgroups: Globs = ()
    for_us: int = 0


class Dying(NamedTuple):
    """Any cgroup with at most (``lte``) or more than ``bound`` dying descendants."""

    bound: int
    lte: bool = False
    cgroups: Globs = ("/",)


class Exists(NamedTuple):
    """At least one cgroup matches; with ``negate``, none does."""

    cgroups: Globs
    negate: bool = False


class Spinning(NamedTuple):
    """A cgroup spins at its limit with nothing killable in it: ``oom`` rises, ``oom_kill`` does not."""

    at_least: int = 3
    window_us: int = 10 * SECOND_US
    cgroups: Globs = ("**",)


class Stuck(NamedTuple):
    """A cgroup is held at its own memory.high and gets nowhere: ``high`` rises, and all its tasks stall.

    ``mm/memcontrol.c:mem_cgroup_handle_over_high`` lets each task of such a cgroup wait for up to two seconds
    at a time, and neither kills nor gives up. It stalled in full for longer than ``above_us`` within
    ``window_us``, and has next to nothing that reclaim could take; ``for_us`` counts for each by itself.
    """

    above_us: int
    window_us: int = SECOND_US
    cgroups: Globs = ("**",)
    for_us: int = 0


class Blackout(NamedTuple):
    """We were not scheduled for ``above_us`` longer than we had asked to sleep, within ``window_us``."""

    above_us: int
    window_us: int = 10 * SECOND_US


class Constant(NamedTuple):
    """Always true, or never: oomd's ``continue`` and ``stop``."""

    fires: bool


Detector: TypeAlias = (
    Pressure
    | PressureRising
    | Stall
    | Available
    | SwapFree
    | Usage
    | Headroom
    | Events
    | Refault
    | SwapOut
    | Reclaiming
    | Growth
    | Exhaustion
    | Dying
    | Exists
    | Spinning
    | Stuck
    | Blackout
    | Constant
)


class Group(NamedTuple):
    """Detectors that must all fire."""

    name: str
    detectors: tuple[Detector, ...]


# Choosing.

RankKey: TypeAlias = Literal[
    "culprit",  # bytes taken since the last calm moment, above what protects it
    "size",  # anonymous memory, shared memory, swap and kernel memory that cannot be reclaimed
    "current",  # memory.current
    "effective",  # memory.current less its share of memory.min and memory.low, as oomd computes it
    "growth",  # bytes per second of anon + swap
    "swap",  # memory.swap.current
    "swap-biased",  # the same above its fair share given its protection (oomd)
    "pressure",  # of its own, (avg10 + avg60) / 2 of full memory pressure
    "io-pressure",
    "pgscan",  # pages scanned since the last look
    "io-cost",  # rate of reads and writes since the last look
    "badness",  # the kernel's points for the machine, largest process of a cgroup
    "oom-score",  # /proc/PID/oom_score
    "rss",
    "qos",  # Kubernetes: BestEffort 3, Burstable 2, Guaranteed 1, none 0
    "priority",  # Kubernetes priority by oom_score_adj and labels where known; lower dies first
    "oomd-growth",  # oomd's tuple (size over the threshold, growth ratio, effective usage)
]


class Weight(NamedTuple):
    """One term of a ranking: each term is scaled to the greatest of the candidates, then summed by weight."""

    key: RankKey
    weight: float = 1.0


class Ranking(NamedTuple):
    """How candidates are put in order, the first to die first.

    With one weight the key itself orders, else the weighted sum; among equals the keys of ``ties`` do, one
    after the other. ``adjust`` adds so much to the first key of whom an entry names, an entry being as in
    ``Preferences``; all that apply are added up. ``parameters`` are of keys that have some. ``oomd-growth``
    has ``size_threshold`` and ``growing_size_percentile`` (percent), ``min_growth_ratio``, and
    ``average_from_zero`` (1: the running average starts at a quarter of the first look, as oomd's does, 0:
    at the first look itself). ``swap`` and ``swap-biased`` have ``totals_int32`` (1: SwapTotal and MemTotal
    in bytes wrap to a signed number of 32 bits, as in oomd).
    """

    weights: tuple[Weight, ...] = (Weight("culprit"),)
    least: Amount = Amount(bytes=0)
    """What a candidate must have more of, in the first key, to be one at all (of SwapTotal for swap).

    For ``swap-biased`` it is the swap itself that counts; -1 bytes leaves in who has nothing of the key.
    Keys that are no amount (pressure, badness, a class) ask for it only where it is above 0.
    """
    parameters: tuple[tuple[str, float], ...] = ()
    ties: tuple[RankKey, ...] = ()
    adjust: tuple[tuple[str, float], ...] = ()


class Preferences(NamedTuple):
    """Marks by name. ``omit`` is never killed, ``avoid`` after all others, ``prefer`` before all others.

    Entries: a cgroup glob (holds a ``/`` or ends like a unit), ``comm:GLOB``, or ``comm~REGEX`` (searched, as
    earlyoom does); ``cgroup~REGEX``, searched in the path; ``uid:N`` and ``uid~REGEX``, of the user;
    ``adj<=N``, of ``oom_score_adj``. Of a cgroup, what speaks of a process holds when it does for any in it.
    ``xattrs``: marks set by systemd-oomd's and oomd's extended attributes are taken too: ``systemd`` with
    systemd's rule of ownership, ``oomd`` those of oomd.
    """

    prefer: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    xattrs: tuple[Literal["systemd", "oomd"], ...] = ("systemd", "oomd")


class Choice(NamedTuple):
    """Among whom an action chooses.

    ``units``: what may be killed as one.
    ``leaf``: cgroups that have no children or have memory.oom.group (systemd-oomd);
    ``recursive``: the best of the siblings, then the best below it, down to a leaf or oom.group (oomd);
    ``matched``: just the cgroups that match; ``process``: single processes.
    """

    cgroups: Globs = ("/**",)
    units: Literal["leaf", "recursive", "matched", "process"] = "leaf"
    ranking: Ranking = Ranking()
    preferences: Preferences = Preferences()


# Actions. ``within_us`` is an action's time limit: relief is looked for until then; without it,
# the next one runs.


class DoNotify(NamedTuple):
    """Say it; never ends the chain."""

    text: str = ""


class DoReclaim(NamedTuple):
    """Have the kernel reclaim from the first of the ranking, by ``memory.reclaim``."""

    choice: Choice
    amount: Amount = Amount(ppm=100_000)
    """Of its usage."""
    swappiness: int | None = None
    within_us: int = SECOND_US


class DoThrottle(NamedTuple):
    """Set memory.high of the first of the ranking to ``at_ppm`` of its usage; restored when all is calm."""

    choice: Choice
    at_ppm: int = 1_000_000
    within_us: int = SECOND_US


class DoFreeze(NamedTuple):
    """Freeze the first of the ranking; thawed after ``within_us`` at the latest when nothing followed."""

    choice: Choice
    within_us: int = SECOND_US


class DoKill(NamedTuple):
    """Kill the first of the ranking that can be killed.

    ``term_us``: SIGTERM first, and SIGKILL that much later (0: SIGKILL at once). Without ``escalate`` it is
    only waited that long, and SIGKILL is left to another rule, which may choose the same victim.
    ``hook``: run before.
    ``within_us``: until when what it held should be free. ``pause_us``: the rule rests so long afterwards;
    ``None``: the rule's own. ``go_on``: the chain goes on after a kill. ``even_without_need``: also when
    there is
    no stall, no reclaim and no forecast of exhaustion; policies of other tools kill on thresholds alone.
    """

    choice: Choice
    term_us: int = 0
    hook: tuple[str, ...] = ()
    hook_limit_us: int = 5 * SECOND_US
    hook_meanwhile: Literal["freeze", "throttle", "nothing"] = "freeze"
    within_us: int = 2 * SECOND_US
    pause_us: int | None = None
    go_on: bool = False
    even_without_need: bool = False
    dry: bool = False
    release: bool = True
    escalate: bool = True


class DoRestart(NamedTuple):
    """Restart a unit."""

    unit: str
    pause_us: int = 15 * SECOND_US
    dry: bool = False


class DoPanic(NamedTuple):
    """Crash the kernel (oomd's ``kernel_panic``); the daemon does it only when started with leave to."""


class DoNothing(NamedTuple):
    """oomd's ``continue`` (goes on) and ``stop`` (ends the chain) as actions."""

    stop: bool = False


Action: TypeAlias = DoNotify | DoReclaim | DoThrottle | DoFreeze | DoKill | DoRestart | DoPanic | DoNothing


class Rule(NamedTuple):
    """One thing to watch for and what to do about it.

    ``pause_us`` is how long it rests after an action that ended its chain; its detectors go on seeing.
    ``per_cgroup``: it runs once for each cgroup that matches, with its own state each. Rules that have the
    same word in ``rests_with`` rest together: systemd-oomd pauses for all units after killing for one.
    """

    name: str
    groups: tuple[Group, ...]
    actions: tuple[Action, ...]
    pause_us: int = 15 * SECOND_US
    per_cgroup: Globs = ()
    xattr_filter: str | None = None
    rests_with: str = ""


class Policy(NamedTuple):
    """Rules and what holds for all of them.

    ``never`` is never killed, whatever a rule says: the built-in list is in it unless a policy explicitly
    takes an entry out. ``protect`` is never killed by our own rules either, as services that are to be kept
    alive; foreign policies leave it empty. ``tick_us`` is how often rules are looked at when something is
    wrong, or always where ``steady``: policies of other tools look at fixed intervals. ``notes`` name what
    of a
    foreign policy could not be expressed.
    """

    name: str
    rules: tuple[Rule, ...]
    never: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    tick_us: int = SECOND_US // 10
    steady: bool = False
    wait_for_death: bool = True
    """While a victim is not gone yet no rule kills; oomd and systemd-oomd do not wait."""
    kill_pause_us: int = 0
    """The same for so long after the victim is gone."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False
    """Everything is decided and nothing done."""
