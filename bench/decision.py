"""One decision at 1,000 cgroups in a guest, against a C loop that reads the files that were read for it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import median, ratio
from bench.report import Claim
from bench.snapshot import SERIES, job
from lab import kernels, vm

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINE = vm.Guest(memory_mib=1280, timeout_s=3000, instruction_ns=2, own_time=True)
"""In a time of its own, so that how busy the host is does not show in the figures."""


def claims() -> Iterator[Claim]:
    """The ratio of the turns that decided."""
    kernel = next(k for k in kernels.fetch_all() if k.series == SERIES)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "job"
        job(folder, "decisions")
        result = vm.run_job(kernel, folder, Path(scratch) / "out", MACHINE)
        if result.exit_status:
            raise SystemExit(f"bench: the guest's job failed: {vm.tail_of_job(result)}")
        got = json.loads((result.out / "bench.json").read_text())
    rounds = [one for one in got["rounds"] if not one.get("missed")]
    if not all(one["right"] for one in rounds):
        raise SystemExit("bench: another than the one that took the memory was chosen")
    missed = len(got["rounds"]) - len(rounds)
    ours, floor, everybody, files, all_files = (
        [float(one[side]) for one in rounds]
        for side in ("ours_us", "floor_us", "all_us", "files", "all_files")
    )
    yield Claim(
        f"decision at {got['cgroups']} cgroups (guest that counts instructions, {kernel.release})",
        "bench/preadlist.c",
        "guest's time",
        ratio(ours, floor),
        at_most=3.0,
        detail=f"{median(ours) / 1000:.1f} ms against {median(floor) / 1000:.1f} ms for the "
        f"{median(files):.0f} files that were read; what moves of all cgroups, {median(all_files):.0f} "
        f"files, takes the loop {median(everybody) / 1000:.0f} ms; {len(rounds)} rounds"
        + (f", in {missed} more the kernel killed first" if missed else ""),
    )
