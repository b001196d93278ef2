"""The simulator's speed: a node of pods for an hour, alone and with the default policy inside; many nodes.

The limit is real time: a simulated hour of 100 cgroups in at most 5 s of one processor, and with the guard
in at most 36 s (100 times as fast). Processor time is measured, since the machine is shared. How it grows
with the number of cgroups and of events is said beside the first figure; the last of these is a node on which
every pod is at a limit that is too tight for it, where each batch of pages is an event.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

from bench.measure import OUTPUT, Ratio, compare, median, ratio, run
from bench.report import Claim
from memwarden.cli import policy
from memwarden.cli.inside import Inside
from memwarden.sim.run import Run
from memwarden.sim.scenario import (
    Group,
    Grow,
    Machine,
    Program,
    ReadFile,
    Sawtooth,
    Scenario,
    WorkingSet,
    WriteFile,
)
from memwarden.state.traits import KernelTraits
from memwarden.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.sim.scenario import Part

HOUR_US = 3_600_000_000
RUNS = 3
NODES = 1000
SIZES = (10, 100, 300)
ROOMY, TIGHT = 256 * MIB, 48 * MIB


def node(cgroups: int, duration_us: int = HOUR_US, max_bytes: int = ROOMY) -> Scenario:
    """Pods that serve, collect, read, write and leak slowly, a fifth of each; every fourth has memory.low."""
    kinds: tuple[Part, ...] = (
        WorkingSet(48 * MIB, 8 * MIB, 0.8, 16 * MIB, requests_per_s=50),
        Sawtooth(2 * MIB, 96 * MIB, 32 * MIB),
        ReadFile("", 64 * MIB, 4 * MIB),
        WriteFile("", 32 * MIB, MIB),
        Grow(20_000, 128 * MIB),
    )
    groups, programs = [], []
    for number in range(cgroups):
        path, part = f"/pods.slice/pod{number}", kinds[number % 5]
        if isinstance(part, ReadFile | WriteFile):
            part = part._replace(name=f"file{number}")
        groups.append(Group(path, low_bytes=0 if number % 4 else 32 * MIB, max_bytes=max_bytes))
        programs.append(Program(f"pod{number}", path, (part,), start_us=number * 10_000))
    traits = KernelTraits(mglru=True, recursive_protection=True)
    machine = Machine(ram_bytes=max(cgroups, 10) * 160 * MIB, cpus=8, traits=traits)
    return Scenario("node", machine, tuple(groups), tuple(programs), duration_us=duration_us)


def claims() -> Iterator[Claim]:
    """An hour without and with a guard, each in an interpreter of its own."""
    script = [sys.executable, "-m", "bench.simulate"]
    for what, guard, bar_s in (("guard off", "", 5.0), ("default policy inside", "guard", 36.0)):
        seen = [run([*script, "100", guard]) for _ in range(RUNS)]
        took = sorted(one.cpu_s for one in seen)
        grows = "" if guard else f"; {_grows(script)}"
        yield Claim(
            f"an hour of a node of 100 cgroups, simulated ({what})",
            f"{bar_s:.0f} s",
            "processor time, start-up included",
            Ratio(took[len(took) // 2] / bar_s, took[0] / bar_s, took[-1] / bar_s),
            at_most=1.0,
            detail=f"{took[len(took) // 2]:.1f} s, {3600 / took[len(took) // 2]:.0f} times real time, "
            f"{max(one.peak_rss_kib for one in seen) >> 10} MiB{grows}",
        )
    yield _nodes()


def _grows(script: list[str]) -> str:
    """What it takes with fewer and more cgroups, and with more events."""
    said = []
    for size, kind in (*((size, "") for size in SIZES), (100, "tight")):
        took_s = run([*script, str(size), kind]).cpu_s
        with open(OUTPUT, encoding="utf-8") as file:
            events = int(file.read().split()[0])
        where = f"{size} cgroups" if not kind else f"{size} at their limits"
        said.append(f"{where} {took_s:.1f} s for {events // 1000},000 events")
    return ", ".join(said)


def _nodes() -> Claim:
    """Independent nodes over all processors, beside the same on one; and how much memory a thousand take."""
    cpus = len(os.sched_getaffinity(0))

    def command(count: int, jobs: int) -> list[str]:
        words = ["simulate", "kubernetes-qos", "--seeds", str(count), "--jobs", str(jobs)]
        return [sys.executable, "-m", "memwarden", *words]

    alone, together = compare(command(NODES // 5, 1), command(NODES // 5, cpus), runs=RUNS)
    alone_s, together_s = ([one.wall_s for one in runs] for runs in (alone, together))
    few, many = run(command(NODES // 5, cpus)), run(command(NODES, cpus))
    return Claim(
        f"{NODES // 5} nodes simulated on {cpus} processors",
        "the same on one",
        "wall-clock time, start-up included",
        ratio(together_s, alone_s),
        at_most=1.2 / cpus,
        detail=f"{median(together_s):.0f} s against {median(alone_s):.0f} s;"
        f" {NODES} nodes {many.wall_s:.0f} s, largest process {many.peak_rss_kib >> 10} MiB"
        f" ({few.peak_rss_kib >> 10} MiB with {NODES // 5})",
    )


def main() -> None:
    """One hour: ``python -m bench.simulate CGROUPS [guard|tight]``."""
    kind = sys.argv[2] if sys.argv[2:] else ""
    found = policy.usable("default").policy if kind == "guard" else None
    scenario = node(int(sys.argv[1]), max_bytes=TIGHT if kind == "tight" else ROOMY)
    simulation = Run(scenario, Inside(found) if found else None)
    result = simulation.run(None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{simulation.world.steps} events, {len(result.samples)} samples, {peak} MiB")


if __name__ == "__main__":
    main()
