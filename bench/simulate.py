"""The simulator's speed: a node of pods for an hour, alone and with the default policy inside; many nodes.

The limit is real time: a simulated hour of 100 cgroups in at most 5 s of one processor, and with the guard
in at most 36 s (100 times as fast). Processor time is measured, since the machine is shared. How it grows
with the number of cgroups is said beside the first figure.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

from bench.measure import Ratio, compare, median, ratio, run
from bench.report import Claim
from memwarden.cli import policy
from memwarden.cli.inside import Inside
from memwarden.sim.run import simulate
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


def node(cgroups: int, duration_us: int = HOUR_US) -> Scenario:
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
        groups.append(Group(path, low_bytes=0 if number % 4 else 32 * MIB, max_bytes=256 * MIB))
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
        grows = "" if guard else "; " + ", ".join(
            f"{size} cgroups {run([*script, str(size), '']).cpu_s:.1f} s" for size in SIZES
        )  # fmt: skip
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
    """One hour: ``python -m bench.simulate CGROUPS [guard]``."""
    found = policy.usable("default").policy if sys.argv[2:] == ["guard"] else None
    result = simulate(node(int(sys.argv[1])), Inside(found) if found else None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{len(result.events)} events, {len(result.samples)} samples, {peak} MiB")


if __name__ == "__main__":
    main()
