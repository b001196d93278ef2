"""The scenarios, as data. The host reads this table too: what a row says is what the comparison expects.

Sizes are MiB. ``limit`` names the cgroup whose limit is hit (the OOM domain), ``None`` means the machine's
memory. Each process is forked from one agent, so all of them carry the same few MiB of interpreter; margins
between the first and the second candidate are several MiB, beyond what per-CPU counters can hide.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Group(NamedTuple):
    """A cgroup and what is written into it: MiB for sizes, 0 or 1 for oom_group, ``None`` for untouched."""

    path: str
    max: float | None = None
    swap_max: int | None = 0
    low: int | None = None
    min: int | None = None
    oom_group: int = 0
    memsw: int | None = None  # v1 only
    oom_kill_disable: bool = False  # v1 only
    mems: str | None = None  # NUMA nodes, by the cpuset controller


class Proc(NamedTuple):
    """A process: its name, where it lives, what it holds and what the kernel is told about it."""

    name: str
    group: str
    mib: float = 0
    adj: int = 0
    does: str = "anon"
    comm: bytes | None = None


class Scenario(NamedTuple):
    """One situation that ends in a shortage of memory, and what is expected of it."""

    name: str
    groups: tuple[Group, ...]
    procs: tuple[Proc, ...]
    limit: str | None
    grower: str = "/t"
    """Where the process that asks for more lives; it is unkillable unless `grows` names another."""
    grows: str | None = None
    grow_does: str = "anon"
    kills: str | None = None
    """Who dies first, as arithmetic on this row says; ``None`` where nobody does."""
    group_kill: tuple[str, ...] = ()
    along: tuple[str, ...] = ()
    """Who dies with the first without a word in the log, for it shares the memory of that one."""
    act: str = "grow"
    """How it is brought about: ``grow``, ``lower-max``, ``sysrq``, ``no-victim``, ``pressure``, ``hang``, and
    ``burst``, which is to grow only after the recording."""
    order: int = 0
    """Of the request that fails; 2^order pages in one piece."""
    sysctl: tuple[tuple[str, str], ...] = ()
    """Of vm, while it runs."""
    swap: bool = False
    mglru: int | None = None
    bound: Literal["cpuset", "mempolicy"] | None = None
    """``cpuset`` or ``mempolicy``: everybody is bound to node 1 and its memory is what runs out."""
    cause: str | None = None
    """What explain must call it, where the row leaves no doubt."""


def _one(
    name: str, limit: float, *procs: Proc, kills: str | None = "a", cause: str | None = None
) -> Scenario:
    """Processes in one cgroup with a limit in MiB."""
    return Scenario(name, (Group("/t", limit),), procs, "/t", kills=kills, cause=cause)


def _adj(name: str, a: int, b: int, kills: str) -> Scenario:
    """A (40 MiB) against B (10 MiB) below 96 MiB, where a point of adj is 24 pages, 0.094 MiB."""
    return _one(name, 96, Proc("a", "/t", 40, a), Proc("b", "/t", 10, b), kills=kills, cause="memcg-anon")


def _group(name: str, limit: str, grower: str, groups: tuple[Group, ...], *dies: str) -> Scenario:
    """A (40) and B (6) in /t/x, C (20) in /t/y: who dies together depends on where the flag is."""
    procs = (Proc("a", "/t/x", 40), Proc("b", "/t/x", 6), Proc("c", "/t/y", 20))
    return Scenario(name, groups, procs, limit, grower, kills="a", group_kill=dies, cause="memcg-anon")


def _protect(name: str, groups: tuple[Group, ...], kept: str, mglru: int | None = None) -> Scenario:
    """Cache of 60 MiB in a protected and 60 MiB in an unprotected cgroup, and a sibling that grows."""
    procs = (
        Proc("kept", kept, 60, 0, "cache"),
        Proc("bare", "/t/bare", 60, 0, "cache"),
        Proc("c", "/t/bare", 12),
    )
    around = (Group("/t", 160), *groups, Group("/t/bare"), Group("/t/grows"))
    return Scenario(name, around, procs, "/t", "/t/grows", act="pressure", mglru=mglru, kills="c")


def _machine(
    name: str, *procs: Proc, swap: bool = False, act: str = "grow", cause: str = "system-anon"
) -> Scenario:
    """Processes in cgroups without limits; what runs out is the machine's memory."""
    swap_max = None if swap else 0
    groups = (Group("/t", None, swap_max), Group("/t/x", None, swap_max), Group("/t/y", None, swap_max))
    kills = "b" if name == "global-adj" else "a"
    return Scenario(name, groups, procs, None, "/t/y", swap=swap, act=act, kills=kills, cause=cause)


_LOW, _MIN = (Group("/t/kept", low=40),), (Group("/t/kept", min=40),)
_XY = (Group("/t/x"), Group("/t/y"))
_ODD = "/t/a b\\x2dc ü/(d)"

V2: tuple[Scenario, ...] = (
    _one("single", 96, Proc("a", "/t", 30), Proc("b", "/t", 18), Proc("c", "/t", 8), cause="memcg-anon"),
    _one("self", 96, Proc("a", "/t", 40), Proc("b", "/t", 18), cause="memcg-anon")._replace(grows="a"),
    Scenario(
        "parent",
        (Group("/t", 96), Group("/t/x", 300), Group("/t/y", 200), Group("/t/y/z"), Group("/t/y/w")),
        (Proc("a", "/t/x", 18), Proc("b", "/t/y/z", 32), Proc("c", "/t/y/w", 8)),
        "/t",
        "/t/x",
        kills="b",
        cause="memcg-anon",
    ),
    Scenario(
        "group-leaf",
        (Group("/t", 96, oom_group=1),),
        (Proc("a", "/t", 30), Proc("b", "/t", 10), Proc("c", "/t", 5), Proc("safe", "/t", 5, -1000)),
        "/t",
        kills="a",
        group_kill=("a", "b", "c"),
        cause="memcg-anon",
    ),
    _group("group-ancestor", "/t", "/t/y", (Group("/t", 96, oom_group=1), *_XY), "a", "b", "c"),
    _group(
        "group-inner", "/t", "/t/y", (Group("/t", 96), Group("/t/x", oom_group=1), Group("/t/y")), "a", "b"
    ),
    _group("group-above", "/t/x", "/t/x", (Group("/t", oom_group=1), Group("/t/x", 80), Group("/t/y"))),
    _adj("adj-plus-200", 0, 200, "a"),  # b: 10 + 18.75 < 40
    _adj("adj-plus-500", 0, 500, "b"),  # b: 10 + 46.9 > 40
    _adj("adj-plus-1000", 0, 1000, "b"),
    _adj("adj-minus-200", -200, 0, "a"),  # a: 40 - 18.75 > 10
    _adj("adj-minus-500", -500, 0, "b"),  # a: 40 - 46.9 < 10
    _adj("adj-minus-999", -999, 0, "b"),
    _adj("adj-minus-999-only", -999, -1000, "a"),  # negative points, yet nobody else is eligible
    _adj("adj-minus-1000", -1000, 0, "b"),
    _one(
        "shmem",
        96,
        Proc("w", "/t", 56, 0, "shmem"),
        Proc("a", "/t", 16),
        Proc("b", "/t", 6),
        cause="memcg-shmem",
    ),
    _one("mlock", 96, Proc("a", "/t", 40, 0, "mlock"), Proc("b", "/t", 16)),
    _one(
        "many-small",
        128,
        *(Proc(f"s{n}", "/t", 4) for n in range(16)),
        Proc("big", "/t", 20),
        kills="big",
        cause="memcg-anon",
    ),
    _one("pgtables", 96, Proc("a", "/t", 60, 0, "pgtables"), Proc("b", "/t", 12), cause="memcg-kernel"),
    _one(
        "pipes",
        96,
        Proc("w", "/t", 60, 0, "pipes"),
        Proc("a", "/t", 16),
        Proc("b", "/t", 6),
        cause="memcg-kernel",
    ),
    # A ring of 256 pipe buffers is 10 KiB. Above two pages (KMALLOC_MAX_CACHE_SIZE) kmalloc takes whole
    # pages, here 2^2, and try_charge tells that order to the OOM killer, on all four kernels. But a charge
    # needs no pages in one piece: that the order is above 0 does not make it fragmentation.
    _one("order", 64, Proc("a", "/t", 16), Proc("b", "/t", 6), cause="memcg-kernel")._replace(
        grow_does="pipe-rings", order=2
    ),
    # oom_badness and the kill look for any thread with memory (find_lock_task_mm), and cgroup.procs keeps a
    # dead leader as long as its threads live: that the first thread is gone changes nothing.
    _one("leaderless", 96, Proc("a", "/t", 40, 0, "leaderless"), Proc("b", "/t", 16), cause="memcg-anon"),
    # Two processes, one memory: equal points, of which the later one is chosen. __oom_kill_process kills
    # whoever shares the victim's memory, too.
    _one("shared-vm", 96, Proc("a", "/t", 40, 0, "shares"), Proc("b", "/t", 16), kills="a2")._replace(
        along=("a",)
    ),
    # The child of vfork that has set its own adj to -1000 is passed over twice, for that and for in_vfork;
    # yet it dies with its parent, for the kill asks for neither.
    _one("vfork-exempt", 96, Proc("a", "/t", 40, 0, "vforks"), Proc("b", "/t", 16))._replace(along=("a2",)),
    _one("tiny-max", 3.8, Proc("a", "/t", 1.4), Proc("b", "/t", 0.2, 1000)),  # 972 pages: adj has no weight
    _one("lower-max", 128, Proc("a", "/t", 50), Proc("b", "/t", 20), cause="memcg-anon")._replace(
        act="lower-max"
    ),
    Scenario(
        "hostile",
        (Group("/t"), Group(_ODD.rpartition("/")[0]), Group(_ODD, 96)),
        (Proc("a", _ODD, 40, 0, "anon", b"a) R 1\n(x"), Proc("b", _ODD, 12, 0, "anon", b"b (c) d")),
        _ODD,
        _ODD,
        kills="a",
    ),
    _one("no-victim", 64, Proc("a", "/t", 20, -1000), kills=None, cause="no-victim")._replace(
        act="no-victim"
    ),
    Scenario(
        "swap",
        (Group("/t", 96, None),),
        (Proc("a", "/t", 120), Proc("b", "/t", 30)),
        "/t",
        swap=True,
        kills="a",
    ),
    Scenario(
        "swap-limit",
        (Group("/t", 96, 24),),
        (Proc("a", "/t", 60), Proc("b", "/t", 24)),
        "/t",
        swap=True,
        kills="a",
        cause="memcg-anon",
    ),
    _protect("low", _LOW, "/t/kept"),
    _protect("low-mglru-off", _LOW, "/t/kept", 0),
    _protect("low-mglru-on", _LOW, "/t/kept", 7),
    _protect("min", _MIN, "/t/kept"),
    _protect("min-mglru-off", _MIN, "/t/kept", 0),
    _protect("min-mglru-on", _MIN, "/t/kept", 7),
    _protect("low-recursive", (Group("/t/q", low=40), Group("/t/q/kept")), "/t/q/kept"),
    _machine("global", Proc("a", "/t/x", 300), Proc("b", "/t/y", 180), Proc("c", "/t/y", 20, -400)),
    _machine("global-adj", Proc("a", "/t/x", 300), Proc("b", "/t/y", 60, 600)),
    _machine("global-swap", Proc("a", "/t/x", 420), Proc("b", "/t/x", 200), swap=True),
    _machine("sysrq", Proc("a", "/t/x", 200), Proc("b", "/t/y", 60), act="sysrq", cause="manual")._replace(
        order=-1
    ),
    # Every second page is free, and none of the others can be moved or reclaimed: an eighth of the machine is
    # free, and there are no four pages in one piece.
    _machine(
        "fragments",
        Proc("a", "/t/x", 480, 0, "mlock"),
        Proc("b", "/t/x", 60, 0, "mlock"),
        Proc("holes", "/t/y", 24, 0, "holes"),
        act="burst",
        cause="fragmentation",
    )._replace(
        grow_does="pipe-rings",
        order=2,
        sysctl=(("min_free_kbytes", "8192"), ("compact_unevictable_allowed", "0")),
    ),
)

V1: tuple[Scenario, ...] = (
    _one("v1-single", 96, Proc("a", "/t", 30), Proc("b", "/t", 18), cause="memcg-anon"),
    Scenario(
        "v1-parent",
        (Group("/t", 96), Group("/t/x", 300), Group("/t/y")),
        (Proc("a", "/t/x", 18), Proc("b", "/t/y", 32)),
        "/t",
        "/t/x",
        kills="b",
        cause="memcg-anon",
    ),
    _adj("v1-adj", -500, 0, "b"),
    Scenario(
        "v1-memsw",
        (Group("/t", 64, memsw=96),),
        (Proc("a", "/t", 44), Proc("b", "/t", 20)),
        "/t",
        swap=True,
        kills="a",
    ),
    # mem_cgroup_oom kills nobody; mem_cgroup_oom_synchronize puts the task that faulted to sleep and marks
    # the cgroup as being under OOM.
    Scenario(
        "v1-disable",
        (Group("/t", 64, oom_kill_disable=True),),
        (Proc("a", "/t", 24), Proc("b", "/t", 10)),
        "/t",
        act="hang",
    ),
    _one("v1-leaderless", 96, Proc("a", "/t", 40, 0, "leaderless"), Proc("b", "/t", 16), cause="memcg-anon"),
    _machine("v1-global", Proc("a", "/t/x", 300), Proc("b", "/t/y", 180)),
)

# A node of 512 MiB has 131072 pages: a point of adj is 131 of them there, and 232 on the whole machine. With
# 131, B is at 40 + 300 * 131 / 256 = 193 MiB, below A's 220; with 232 it would be at 312 and die.
NUMA: tuple[Scenario, ...] = (
    Scenario(
        "mempolicy",
        (Group("/t"), Group("/t/x"), Group("/t/y")),
        (Proc("a", "/t/x", 220, 0, "bound"), Proc("b", "/t/y", 40, 300, "bound")),
        None,
        "/t/y",
        kills="a",
        bound="mempolicy",
        cause="numa-bound",
    ),
    Scenario(
        "cpuset",
        (Group("/t"), Group("/t/x", mems="1"), Group("/t/y", mems="1")),
        (Proc("a", "/t/x", 220), Proc("b", "/t/y", 40, 300)),
        None,
        "/t/y",
        kills="a",
        bound="cpuset",
        cause="numa-bound",
    ),
)

BY_NAME = {scenario.name: scenario for scenario in (*V2, *V1, *NUMA)}
