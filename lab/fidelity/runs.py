"""Boots the kernels, runs the scenarios in them, and keeps what they did as one file per kernel.

A file is known by what it was made with: the kernel's release, the guest's programs and the rows. It is made
again only when one of these changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import image, vm
from lab.errors import LabError
from lab.fidelity.scenarios import FILES, SCENARIOS
from lab.paths import CACHE, LAB, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.kernels import Kernel

HERE = LAB / "fidelity"
RESULTS = HERE / "results"
TIMES = 5
"""How often a row is run. Nothing of the host's is in a run, but a program that starts microseconds later
meets another tick: several runs say what is chance.
"""
GUEST = vm.Guest(memory_mib=640, cpus=1, swap_mib=128, timeout_s=3600, instruction_ns=2, own_time=True)
"""It has a time of its own, in which 500 million instructions are a second, and its disks are memory. All
processors of such a guest share the instructions, so that two of them would each be half as fast when both
run, which no machine is: it has one.
"""


def plan() -> dict[str, Any]:
    """What the guest is to run."""
    return {"files": FILES, "scenarios": [{**row, "times": TIMES} for row in rows()]}


def rows() -> list[dict[str, Any]]:
    """The scenarios, as the guest reads them."""
    return [
        {
            **scenario._asdict(),
            "groups": [group._asdict() for group in scenario.groups],
            "loads": [load._asdict() for load in scenario.loads],
        }
        for scenario in SCENARIOS
    ]


def inputs(release: str) -> str:
    """What a result depends on, as a short hash; how often a row was run is to be seen in it."""
    parts = [
        release,
        fingerprint(*sorted((HERE / "guest").iterdir())),
        json.dumps([FILES, rows()]),
        f"{GUEST.cpus} {GUEST.instruction_ns} own time",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def measured(series: str) -> dict[str, Any] | None:
    """What is kept of a kernel."""
    try:
        return dict(json.loads((RESULTS / f"{series}.json").read_text()))
    except FileNotFoundError:
        return None


def run(kernels: Sequence[Kernel], *, parallel: int = 1, again: bool = False) -> None:
    """Measure the kernels whose file is not there, or was made with something else."""
    stale = [
        kernel
        for kernel in kernels
        if again or (measured(kernel.series) or {}).get("inputs") != inputs(kernel.release)
    ]
    if not stale:
        return
    image.root_disk()
    for kernel in stale:  # here, not in the threads
        image.initramfs(kernel)
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        list(pool.map(_boot, stale))


def _boot(kernel: Kernel) -> None:
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        shutil.copytree(HERE / "guest", job, dirs_exist_ok=True)
        for source in (HERE / "guest").glob("*.c"):
            subprocess.run(["cc", "-O2", "-static", "-o", job / source.stem, source], check=True)
        (job / "plan.json").write_text(json.dumps(plan()))
        result = vm.run_job(kernel, job, CACHE / "fidelity" / kernel.series, GUEST)
    if result.exit_status:
        raise LabError(f"fidelity: {kernel.release}: the job failed: {vm.tail_of_job(result)}")
    found = json.loads((result.out / "found.json").read_text())
    found["inputs"] = inputs(kernel.release)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{kernel.series}.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
    print(f"fidelity: {kernel.release}: measured in {result.seconds:.0f} s", flush=True)
