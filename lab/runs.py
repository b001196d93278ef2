"""Runs the guest's scenarios on the kernels and keeps what comes back under ``lab/.cache/runs``."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lab import image, vm
from lab.errors import LabError
from lab.paths import CACHE, LAB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.kernels import Kernel

RUNS = CACHE / "runs"
GUEST_FILES = (
    "run",
    "agent.py",
    "stage.py",
    "worker.py",
    "cgroups.py",
    "kmsg.py",
    "rootar.py",
    "scenarios.py",
)
_SWAP_MIB = 128


class Boot(NamedTuple):
    """One boot of one kernel; `kind` is ``""`` for cgroup v2, ``v1``, or ``numa`` for v2 on two nodes."""

    kernel: Kernel
    kind: str = ""

    @property
    def name(self) -> str:
        """``6.1`` or ``6.1-v1``."""
        return "-".join(filter(None, (self.kernel.series, self.kind)))

    @property
    def guest(self) -> vm.Guest:
        """The machine for it."""
        return vm.Guest(
            swap_mib=_SWAP_MIB,
            append="lab.cgroup=v1" if self.kind == "v1" else "",
            nodes=2 if self.kind == "numa" else 1,
            timeout_s=900,
        )


class Run(NamedTuple):
    """What one boot brought back."""

    boot: Boot
    result: vm.Result


def boots(kernels: Iterable[Kernel]) -> list[Boot]:
    """Every kernel with cgroup v2, with v1 where it still has its memory controller, and on two nodes."""
    return [
        Boot(kernel, kind)
        for kernel in kernels
        for kind in ("", "v1", "numa")
        if kind != "v1" or kernel.memcg_v1
    ]


def run(boot: Boot, only: Sequence[str] = ()) -> Run:
    """Run the scenarios of one boot (all, or those named)."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        for name in GUEST_FILES:
            shutil.copy(LAB / "guest" / name, job / name)
        (job / "only").write_text(" ".join(only))
        result = vm.run_job(boot.kernel, job, RUNS / boot.name, boot.guest)
    (result.out / "kernel").write_text(f"{boot.kernel.release} {boot.kernel.version}\n")
    return Run(boot, result)


def run_all(wanted: Sequence[Boot], only: Sequence[str] = (), *, parallel: int = 2) -> list[str]:
    """Run the boots, `parallel` at a time, and say how long each took; returns what went wrong."""
    image.root_disk()
    for boot in wanted:  # here, not in the threads: two boots of one kernel share it
        image.initramfs(boot.kernel)
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        begin = time.monotonic()
        problems = [problem for problem in pool.map(lambda boot: _report(boot, only), wanted) if problem]
    print(f"lab: {len(wanted)} boots in {time.monotonic() - begin:.0f} s", flush=True)
    return problems


def _report(boot: Boot, only: Sequence[str]) -> str | None:
    """Run one boot and print one line about it; a sentence when it failed."""
    try:
        result = run(boot, only).result
    except LabError as error:
        return str(error)
    again = " at the second attempt" if result.boots > 1 else ""
    print(
        f"lab: {boot.name:7} {boot.kernel.release}: booted in {result.boot_seconds:.0f} s{again}, "
        f"done after {result.seconds:.0f} s",
        flush=True,
    )
    for line in (result.out / "stdout").read_text(errors="replace").splitlines():
        if line.endswith("; once more"):
            print(f"lab: {boot.name}: {line}", flush=True)
    if result.exit_status:
        return f"{boot.name}: the job ended with {result.exit_status}: {vm.tail_of_job(result)}"
    return None
