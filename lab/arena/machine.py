"""What the arena's machine can do, measured in it: the figures of ``sim/scenarios/arena-machine.toml``.

The programs are those that measure the machines of the fidelity runs. What is kept, ``machine.json``, is what
the guest wrote; the simulated machine has to have these figures, which is tested.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab import kernels, vm
from lab.arena import runs
from lab.errors import LabError
from lab.fidelity.runs import FILES, rows
from lab.fidelity.simulated import machine
from lab.paths import CACHE, LAB

if TYPE_CHECKING:
    from memwarden.sim.memory.machine import Machine

KEPT = LAB / "arena" / "machine.json"
PROGRAMS = LAB / "fidelity" / "guest"


def measure() -> Path:
    """Boot the arena's machine, measure it, keep what came of it; the file."""
    kernel = next((one for one in kernels.fetch_all() if one.series == runs.SERIES), None)
    if kernel is None:
        raise LabError(f"there is no kernel {runs.SERIES} to measure the arena's machine with")
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        shutil.copytree(PROGRAMS, job, dirs_exist_ok=True)
        for source in PROGRAMS.glob("*.c"):
            subprocess.run(["cc", "-O2", "-static", "-o", job / source.stem, source], check=True)
        plan = {"files": FILES, "scenarios": [{**rows()[0], "times": 0}]}  # none of them is run
        (job / "plan.json").write_text(json.dumps(plan))
        result = vm.run_job(kernel, job, CACHE / "arena-machine", runs.MACHINE)
    if result.exit_status:
        raise LabError(f"arena: its machine was not measured: {vm.tail_of_job(result)}")
    KEPT.write_text((result.out / "found.json").read_text().rstrip() + "\n")
    return KEPT


def measured() -> Machine:
    """The machine that was measured, as the simulator has machines."""
    return machine(runs.SERIES, json.loads(KEPT.read_text())["speeds"], swap=True)
