"""Boots the kernels, runs the scenarios in them, and keeps what they did as one file per kernel.

A file is known by what it was made with: the kernel's release, the guest's programs and the rows. It is made
again only when one of these changed. Rows come in suites that are measured apart, each with the machine's
speeds of its own boot.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lab import image, vm
from lab.errors import LabError
from lab.fidelity.further import FURTHER
from lab.fidelity.scenarios import FILES, SCENARIOS
from lab.paths import CACHE, LAB, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.fidelity.scenarios import Scenario
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


class Suite(NamedTuple):
    """Rows that are measured in one boot, and folders of programs; those of a later one replace others."""

    name: str
    scenarios: tuple[Scenario, ...]
    folders: tuple[str, ...]

    def file(self, series: str) -> Path:
        """Where the results of a kernel are."""
        return RESULTS / f"{'-'.join(filter(None, (self.name, series)))}.json"

    def programs(self) -> list[Path]:
        """What the guest runs."""
        return [path for folder in self.folders for path in sorted((HERE / folder).iterdir())]


FIRST = Suite("", SCENARIOS, ("guest",))
SUITES = (FIRST, Suite("further", FURTHER, ("guest", "guest_further")))


def plan(suite: Suite = FIRST) -> dict[str, Any]:
    """What the guest is to run."""
    return {"files": FILES, "scenarios": [{**row, "times": TIMES} for row in rows(suite)]}


def rows(suite: Suite) -> list[dict[str, Any]]:
    """The scenarios, as the guest reads them."""
    return [
        {
            **scenario._asdict(),
            "groups": [group._asdict() for group in scenario.groups],
            "loads": [load._asdict() for load in scenario.loads],
        }
        for scenario in suite.scenarios
    ]


def inputs(release: str, suite: Suite = FIRST) -> str:
    """What a result depends on, as a short hash; how often a row was run is to be seen in it."""
    parts = [
        release,
        fingerprint(*suite.programs()),
        json.dumps([FILES, rows(suite)]),
        f"{GUEST.cpus} {GUEST.instruction_ns} own time",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def measured(series: str, suite: Suite = FIRST) -> dict[str, Any] | None:
    """What is kept of a kernel."""
    try:
        return dict(json.loads(suite.file(series).read_text()))
    except FileNotFoundError:
        return None


def run(kernels: Sequence[Kernel], *, parallel: int = 1, again: bool = False) -> None:
    """Measure the kernels whose file is not there, or was made with something else."""
    stale = [
        (kernel, suite)
        for kernel in kernels
        for suite in SUITES
        if again or (measured(kernel.series, suite) or {}).get("inputs") != inputs(kernel.release, suite)
    ]
    if not stale:
        return
    image.root_disk()
    for kernel, _ in stale:  # here, not in the threads
        image.initramfs(kernel)
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        list(pool.map(lambda one: _boot(*one), stale))


def _boot(kernel: Kernel, suite: Suite) -> None:
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        for source in suite.programs():
            if source.name == "load.c" and (job / "load.c").exists():
                (job / "load.c").rename(job / "load_plain.c")
            shutil.copy(source, job)
        for source in job.glob("*.c"):
            if source.stem != "load_plain":
                subprocess.run(["cc", "-O2", "-static", "-o", job / source.stem, source], check=True)
        (job / "plan.json").write_text(json.dumps(plan(suite)))
        result = vm.run_job(kernel, job, CACHE / "fidelity" / suite.file(kernel.series).stem, GUEST)
    if result.exit_status:
        raise LabError(f"fidelity: {kernel.release}: the job failed: {vm.tail_of_job(result)}")
    found = json.loads((result.out / "found.json").read_text())
    found["inputs"] = inputs(kernel.release, suite)
    RESULTS.mkdir(parents=True, exist_ok=True)
    suite.file(kernel.series).write_text(json.dumps(found, separators=(",", ":")) + "\n")
    print(f"fidelity: {kernel.release} {suite.name}: measured in {result.seconds:.0f} s", flush=True)
