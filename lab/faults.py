"""The guard's acts on real kernels: what it kills, freezes and limits, and what is left when somebody dies.

``guest/faults/checks.py`` has the checks; one boot per kernel runs them all.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lab import image, vm
from lab.errors import LabError
from lab.paths import CACHE, LAB, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.kernels import Kernel

GUEST = vm.Guest(memory_mib=768, swap_mib=256, timeout_s=1200)


def run(
    kernels: Sequence[Kernel], *, parallel: int = 2, cgroups: int = 1000, checks: Sequence[str] = ()
) -> int:
    """Boot each kernel once, `parallel` at a time; print the table and what failed; 1 if anything did.

    ``checks``: only these. ``cgroups``: of the check of many.
    """
    begin = time.monotonic()
    image.root_disk()
    for kernel in kernels:  # here, not in the threads
        image.initramfs(kernel)
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        found = dict(
            zip(
                [kernel.series for kernel in kernels],
                pool.map(partial(_boot, cgroups=cgroups, checks=checks), kernels),
                strict=True,
            )
        )
    code = judge(found)
    print(f"faults: {len(kernels)} boots in {time.monotonic() - begin:.0f} s", flush=True)
    return code


def judge(found: dict[str, dict[str, dict[str, object]]]) -> int:
    """Print what became of the checks of each kernel; 1 if one failed, or there were none."""
    print(table(found))
    failed = [
        (series, name, str(one["detail"]))
        for series, checks in found.items()
        for name, one in checks.items()
        if not one["ok"]
    ]
    for series, name, detail in failed:
        print(f"FAILED {series} {name}:\n{textwrap.indent(detail, '    ')}")
    count = sum(map(len, found.values()))
    print(f"faults: {count - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not count else 0


def _boot(kernel: Kernel, *, cgroups: int, checks: Sequence[str]) -> dict[str, dict[str, object]]:
    """What became of each check on one kernel."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        shutil.copytree(LAB / "guest" / "faults", job, dirs_exist_ok=True)
        shutil.copytree(REPOSITORY / "src", job / "src", ignore=shutil.ignore_patterns("__pycache__"))
        (job / "cgroups").write_text(str(cgroups))
        (job / "only").write_text("\n".join(checks))
        try:
            result = vm.run_job(kernel, job, CACHE / "faults" / kernel.series, GUEST)
        except LabError as error:
            return {"boot": {"ok": False, "detail": str(error)}}
    file = result.out / "checks.json"
    if result.exit_status or not file.exists():
        return {"job": {"ok": False, "detail": vm.tail_of_job(result)}}
    return dict(json.loads(file.read_text()))


def table(found: dict[str, dict[str, dict[str, object]]]) -> str:
    """Checks down, kernels across."""
    names = list(dict.fromkeys(name for checks in found.values() for name in checks))
    width = max(map(len, names), default=0)
    lines = [" " * width + "".join(f"{series:>8}" for series in found)]
    for name in names:
        cells = [_cell(checks.get(name)) for checks in found.values()]
        lines.append(name.ljust(width) + "".join(f"{cell:>8}" for cell in cells))
    remarks = [
        f"{series} {name}: {one['detail']}"
        for series, checks in found.items()
        for name, one in checks.items()
        if one["ok"] and one["detail"]
    ]
    return "\n".join([*lines, *remarks])


def _cell(check: dict[str, object] | None) -> str:
    return "-" if check is None else "ok" if check["ok"] else "FAILED"
