"""A full snapshot of 1,000 real cgroups in a guest, against a C loop that preads the same files.

The guest is the lab's 6.12 kernel. The C loop (``bench/preads.c``, static, -O2) opens every file once and
reads each with one ``pread``; memwarden reads the same files, parses them and builds the Snapshot,
machine-wide files included. Bar: 3 times the loop's time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import median, ratio
from bench.report import Claim
from lab import kernels, vm

if TYPE_CHECKING:
    from collections.abc import Iterator

SERIES = "6.12"
HERE = Path(__file__).parent


def job(folder: Path, what: str) -> None:
    """What the guest needs: the package, the program ``what`` with its parts, and the compiled loops."""
    package = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HERE / "guest", folder / "bench" / "guest", ignore=package)
    shutil.copy(HERE / "guest" / "run", folder / "run")
    (folder / "what").write_text(what)
    shutil.copytree(HERE.parent / "src", folder / "src", ignore=package)
    compiler = os.environ.get("CC", "cc")
    for name in ("preads", "preadlist"):
        subprocess.run(
            [compiler, "-O2", "-Wall", "-static", "-o", folder / name, HERE / f"{name}.c"], check=True
        )


def claims() -> Iterator[Claim]:
    """One ratio for cgroups in which nothing happened between snapshots, one for cgroups that all changed."""
    kernel = next(k for k in kernels.fetch_all() if k.series == SERIES)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "job"
        job(folder, "snapshots")
        result = vm.run_job(kernel, folder, Path(scratch) / "out", vm.Guest(memory_mib=3072, timeout_s=900))
        if result.exit_status:
            raise SystemExit(f"bench: the guest's job failed: {vm.tail_of_job(result)}")
        got = json.loads((result.out / "bench.json").read_text())
    for kind, what in (("idle", "unchanged"), ("busy", "every one changed")):
        ours, floor = ([float(us) for us in got[kind][side]] for side in ("ours_us", "floor_us"))
        yield Claim(
            f"snapshot of {got['cgroups']} cgroups, {what}: {got['files']} files (guest, {kernel.release})",
            "bench/preads.c",
            "wall time",
            ratio(ours, floor),
            at_most=3.0,
            detail=f"{median(ours) / 1000:.0f} ms against {median(floor) / 1000:.0f} ms",
        )
