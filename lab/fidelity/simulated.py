"""The same scenarios for the simulator, on a machine that is as fast as the guest was measured to be.

The measured speeds and the kernel's traits are all that differs from kernel to kernel; nothing is tuned for
a scenario.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from lab.fidelity.scenarios import FILES, MIB
from memwarden.sim.scenario import (
    Disk,
    Forks,
    Group,
    Grow,
    KernelMemory,
    Machine,
    Mlock,
    Part,
    Program,
    ReadFile,
    Sawtooth,
    Scenario,
    SwapDevice,
    Tmpfs,
    WriteFile,
)
from memwarden.state.traits import KernelTraits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.fidelity import scenarios

SERIES_6_12 = KernelTraits(
    hz=250,
    charge_batch_pages=64,
    mglru=True,
    mglru_proportional_protection=False,
    recursive_protection=True,
    stale_protection_bug=False,
    stale_dirty_counts=True,
    partial_walks=True,
)
TRAITS = {
    "5.10": KernelTraits(
        hz=250,
        charge_batch_pages=32,
        mglru=False,
        recursive_protection=True,
        stale_protection_bug=True,
        reaps_locked=False,
        process_mrelease=False,
        memory_reclaim=False,
    ),
    "6.1": KernelTraits(
        hz=250, charge_batch_pages=64, mglru=False, recursive_protection=True, stale_protection_bug=True
    ),
    "6.12": SERIES_6_12,
    "7.2": SERIES_6_12._replace(
        mglru_proportional_protection=True, over_kill=True, kswapd_stays_down=True, mglru_exact=True
    ),
}
"""Of Debian's builds: CONFIG_HZ, MEMCG_CHARGE_BATCH and CONFIG_LRU_GEN_ENABLED of their sources."""
OWN_BYTES = {"read": 264 << 10, "write": 264 << 10}
"""What those who go through files have charged besides: data and stack, the kernel's stack of them, and page
tables.
"""
OTHERS_BYTES = 112 << 10
"""The same of all others, without the page tables of what they take: 60 KiB of the kernel's (``kernel`` of
who keeps 100 MiB, less a page in 512), and their data.
"""
DATA_BYTES = {"read": 172 << 10, "write": 112 << 10}
"""Of them what counts when a victim is chosen (``anon``): the reader's buffer is the larger one."""
OTHERS_DATA_BYTES = 52 << 10
"""The same of all others: ``anon`` of who keeps 100 MiB, less those."""
KILLED_MIB = 2
"""Of the process whose death was measured (``measure.py:costs``)."""
SWAP_MIB = 128
PAGE = 4096
TABLE = 512
"""A page of page tables is for so many."""


def machine(series: str, speeds: Mapping[str, Any], *, swap: bool) -> Machine:
    """The guest as the simulator's machine."""
    each = {name: median(values) for name, values in speeds["each"].items()}
    # A cold read of one page takes the latency and its bytes.
    latency_us = max(1, int(each["random_us"] - PAGE / each["read_bps"] * 1e6))
    disk = Disk(read_bps=int(each["read_bps"]), write_bps=int(each["write_bps"]), latency_us=latency_us)
    return Machine(
        ram_bytes=speeds["ram_bytes"],
        cpus=speeds["cpus"],
        kernel_bytes=speeds["ram_bytes"] - speeds["free_bytes"],
        min_free_bytes=speeds["min_free_kbytes"] * 1024,
        swappiness=speeds["swappiness"],
        thp=False,  # the programs ask for none, so that a rate is of pages
        swap=SwapDevice(SWAP_MIB * MIB, _swap_disk(each), synchronous=True) if swap else None,
        disk=disk,
        fault_us=each["fault_us"],
        copy_us=PAGE / each["cached_bps"] * 1e6,
        # The disks are memory: what a cold page takes is the processor's work.
        read_us=PAGE / each["read_bps"] * 1e6,
        reclaim_us=each["reclaim_us"],
        # Measured with what looking at the page costs.
        swap_us=max(each["swap_us"] - each["reclaim_us"], 0.0),
        pass_us=each["pass_us"],
        # Measured with the pages of 2 MiB.
        exit_us=max(each["exit_us"] - KILLED_MIB * MIB // PAGE * each["free_us"], 0.0),
        free_us=each["free_us"],
        page_tables=True,
        traits=TRAITS[series],
    )


def _swap_disk(each: Mapping[str, float]) -> Disk:
    """The swap device by its requests: one page takes the latency and its bytes, 32 pages theirs."""
    small, large = each["swap_write_4k_us"], each["swap_write_128k_us"]
    bps = 31 * PAGE / max(large - small, 1.0) * 1e6
    latency_us = max(each["swap_read_4k_us"] - PAGE / bps * 1e6, 1.0)
    return Disk(read_bps=int(bps), write_bps=int(bps), latency_us=int(latency_us))


def scenario(series: str, speeds: Mapping[str, Any], row: scenarios.Scenario) -> Scenario:
    """A row for the simulator."""
    return Scenario(
        name=row.name,
        machine=machine(series, speeds, swap=row.swap),
        groups=tuple(_group(group) for group in row.groups),
        programs=tuple(
            Program(
                load.name,
                load.group,
                (*_own(str(load.words[0])), _part(load.words)),
                oom_score_adj=load.adj,
                start_us=int(load.start_s * 1e6),
            )
            for load in row.loads
        ),
        duration_us=int(row.seconds * 1e6),
        sample_us=20_000,
        text=row.text,
    )


def _group(group: scenarios.Group) -> Group:
    knobs = {
        "oom_group" if knob == "oom.group" else f"{knob.replace('.', '_')}_bytes": bool(value)
        if knob == "oom.group"
        else value * MIB
        for knob, value in group.knobs
    }
    return Group(group.path, **knobs)


def _own(what: str) -> tuple[Part, ...]:
    """What every program holds besides."""
    data = DATA_BYTES.get(what, OTHERS_DATA_BYTES)
    kernel = KernelMemory("other", None, OWN_BYTES.get(what, OTHERS_BYTES) - data)
    return (kernel, Grow(None, data))


def _part(words: tuple[str | int, ...]) -> Part:
    """What a program of ``load.c`` does, as a part."""
    what, *rest = words
    if what == "read":
        return ReadFile(str(rest[0]), FILES[str(rest[0])] * MIB, float(rest[1]) * MIB or None)
    if what == "write":
        return WriteFile(str(rest[0]), int(rest[1]) * MIB, float(rest[2]) * MIB)
    if what == "tmpfs":
        return Tmpfs(float(rest[2]) * MIB, int(rest[1]) * MIB)
    if what == "forks":
        return Forks(int(rest[0]), float(rest[1]), int(rest[2]) * MIB)
    sizes = [int(word) * MIB for word in rest[:-1]]
    if what == "mlock":
        return Mlock(sizes[1], float(sizes[0]))
    if what == "leak":
        return Grow(float(sizes[0]), sizes[1])
    if what == "saw":
        return Sawtooth(float(sizes[0]), sizes[1], sizes[2])
    raise ValueError(f"no part does what {what!r} does")
