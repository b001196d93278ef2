"""Boots the kernels, runs trials, keeps what they measured: one file per statement."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import kernels, vm
from lab.errors import LabError
from lab.paths import CACHE, LAB
from lab.truth.statements import STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.kernels import Kernel

GUEST = LAB / "truth" / "guest"
RESULTS = LAB / "truth" / "results"
MACHINE = vm.Guest(memory_mib=768, swap_mib=128, timeout_s=1800, instruction_ns=2, own_time=True)
"""In a time of its own: how busy the host is does not lengthen what is measured."""


def kept(name: str) -> dict[str, dict[str, Any]]:
    """What was measured for a statement, by series of kernels; each with its release."""
    try:
        return dict(json.loads((RESULTS / f"{name}.json").read_text()))
    except FileNotFoundError:
        return {}


def run(names: Iterable[str], series: Iterable[str], *, again: bool = False) -> list[str]:
    """Run what is missing, or all that is named; what went wrong, a line each."""
    wanted = list(names) or [statement.name for statement in STATEMENTS]
    problems = []
    for kernel in kernels.fetch_all():
        if series and kernel.series not in series:
            continue
        missing = [name for name in wanted if again or kernel.series not in kept(name)]
        if missing:
            problems += _boot(kernel, missing)
    return problems


def _boot(kernel: Kernel, names: list[str]) -> list[str]:
    print(f"truth: {kernel.release}: {len(names)} statements", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job"
        shutil.copytree(GUEST, job)
        (job / "only").write_text(" ".join(names))
        try:
            result = vm.run_job(kernel, job, CACHE / "truth" / kernel.series, MACHINE)
        except LabError as error:
            return [str(error)]
    file = result.out / "found.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    problems = [
        f"{kernel.release} {name}: {found[name]['failed']}" for name in found if "failed" in found[name]
    ]
    for name in found.keys() - {problem.split()[1].rstrip(":") for problem in problems}:
        _keep(name, kernel, found[name])
    if len(found) < len(names):
        problems.append(f"{kernel.release}: {len(names) - len(found)} did not run: {vm.tail_of_job(result)}")
    return problems


def _keep(name: str, kernel: Kernel, numbers: dict[str, Any]) -> None:
    known = kept(name)
    known[kernel.series] = {"release": kernel.release, **numbers}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
