"""A recording to try policies on: a desktop in small in which a program leaks until the kernel kills.

``guest/leak`` has what happens in the guest; what comes back is ``record --interval``'s own archive.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab import vm
from lab.errors import LabError
from lab.paths import CACHE, LAB, REPOSITORY

if TYPE_CHECKING:
    from lab.kernels import Kernel

SERIES = "6.12"
GUEST = vm.Guest(memory_mib=768, swap_mib=128, timeout_s=900)


def run(kernel: Kernel) -> Path:
    """Boot the guest; the archive. Raises ``LabError`` where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        shutil.copytree(LAB / "guest" / "leak", job, dirs_exist_ok=True)
        shutil.copytree(REPOSITORY / "src", job / "src", ignore=shutil.ignore_patterns("__pycache__"))
        result = vm.run_job(kernel, job, CACHE / "leak", GUEST)
    archive = result.out / "leak.rootar"
    if result.exit_status or not archive.exists():
        raise LabError(f"nothing was recorded: {vm.tail_of_job(result)}")
    return archive
