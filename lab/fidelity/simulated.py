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
    Group,
    Grow,
    Machine,
    Part,
    Program,
    ReadFile,
    Sawtooth,
    Scenario,
    SwapDevice,
    WriteFile,
)
from memwarden.state.traits import KernelTraits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.fidelity import scenarios

TRAITS = {
    "5.10": KernelTraits(
        hz=250, charge_batch_pages=32, mglru=False, recursive_protection=True, stale_protection_bug=True
    ),
    "6.1": KernelTraits(
        hz=250, charge_batch_pages=64, mglru=False, recursive_protection=True, stale_protection_bug=True
    ),
    "6.12": KernelTraits(
        hz=250,
        charge_batch_pages=64,
        mglru=True,
        mglru_proportional_protection=False,
        recursive_protection=True,
        stale_protection_bug=False,
    ),
    "7.2": KernelTraits(
        hz=250,
        charge_batch_pages=64,
        mglru=True,
        mglru_proportional_protection=True,
        recursive_protection=True,
        stale_protection_bug=False,
    ),
}
"""Of Debian's builds: CONFIG_HZ, MEMCG_CHARGE_BATCH and CONFIG_LRU_GEN_ENABLED of their sources."""
SWAP_MIB = 128
PAGE = 4096


def machine(series: str, speeds: Mapping[str, Any], *, swap: bool) -> Machine:
    """The guest as the simulator's machine."""
    each = {name: median(values) for name, values in speeds["each"].items()}
    # A cold read of one page takes the latency and its bytes; a page swapped out its bytes and our work.
    latency_us = max(1, int(each["random_us"] - PAGE / each["read_bps"] * 1e6))
    swap_us = max(0.5, each["swap_us"] - PAGE / each["write_bps"] * 1e6)
    disk = Disk(read_bps=int(each["read_bps"]), write_bps=int(each["write_bps"]), latency_us=latency_us)
    return Machine(
        ram_bytes=speeds["ram_bytes"],
        cpus=speeds["cpus"],
        kernel_bytes=speeds["ram_bytes"] - speeds["free_bytes"],
        min_free_bytes=speeds["min_free_kbytes"] * 1024,
        swappiness=speeds["swappiness"],
        thp=False,  # the programs ask for none, so that a rate is of pages
        swap=SwapDevice(SWAP_MIB * MIB, disk) if swap else None,
        disk=disk,
        fault_us=each["fault_us"],
        reclaim_us=each["reclaim_us"],
        swap_us=swap_us,
        traits=TRAITS[series],
    )


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
                (_part(load.words),),
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


def _part(words: tuple[str | int, ...]) -> Part:
    """What a program of ``load.c`` does, as a part."""
    what, *rest = words
    if what == "read":
        return ReadFile(str(rest[0]), FILES[str(rest[0])] * MIB)
    if what == "write":
        return WriteFile(str(rest[0]), int(rest[1]) * MIB, float(rest[2]) * MIB)
    sizes = [int(word) * MIB for word in rest[:-1]]
    if what == "leak":
        return Grow(float(sizes[0]), sizes[1])
    if what == "saw":
        return Sawtooth(float(sizes[0]), sizes[1], sizes[2])
    raise ValueError(f"no part does what {what!r} does")
