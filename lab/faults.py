"""The guard's acts on real kernels: what it kills, freezes and limits, and what is left when somebody dies.

``guest/faults`` has the checks of its acts and of the whole daemon; one boot per kernel runs them all.
``guest/unit`` has those of the unit, in a guest that systemd starts.
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
from typing import TYPE_CHECKING, NamedTuple

from lab import image, vm
from lab.arena import image as systemd
from lab.errors import LabError
from lab.paths import CACHE, LAB, REPOSITORY, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.kernels import Kernel

GUEST = vm.Guest(memory_mib=768, swap_mib=256, timeout_s=2400, instruction_ns=2, own_time=True)
"""In a time of its own: what the checks wait for has to happen within seconds, also on a busy host."""
SERIES = "6.12"
"""The kernel of the boots that are not made with all of them."""
SYSTEMD = CACHE / "root" / f"arena-{fingerprint(Path(systemd.__file__))}.ext4"
"""What ``lab.arena.image`` makes: it takes minutes."""
UNIT = REPOSITORY / "deploy" / "memwarden-guard.service"


class Boot(NamedTuple):
    """One guest: the folder of its job, how it is booted, and which checks; none named is all of them."""

    name: str
    kernel: Kernel
    guest: vm.Guest
    folder: Path
    checks: tuple[str, ...] = ()


def boots(kernels: Sequence[Kernel], checks: tuple[str, ...] = ()) -> list[Boot]:
    """Every kernel; one of them without PSI, and once under systemd."""
    faults, unit = LAB / "guest" / "faults", LAB / "guest" / "unit"
    found = [Boot(kernel.series, kernel, GUEST, faults, checks) for kernel in kernels]
    for kernel in kernels:
        if kernel.series == SERIES:
            blind = ("leak-is-killed", "kernel-kill-is-kept", "stopped-for-a-while", "policy-emptied")
            without = GUEST._replace(append="psi=0")
            found.append(Boot(f"{SERIES}-nopsi", kernel, without, faults, checks or blind))
            init = "lab.init=systemd systemd.show_status=0"
            own = GUEST._replace(memory_mib=900, swap_mib=0, append=init, root=SYSTEMD)
            found.append(Boot(f"{SERIES}-systemd", kernel, own, unit))
    return found


def run(wanted: Sequence[Boot], *, parallel: int = 2, cgroups: int = 1000) -> int:
    """Boot each guest once, `parallel` at a time; print the table and what failed; 1 if anything did.

    ``cgroups``: of the check of many.
    """
    begin = time.monotonic()
    image.root_disk()
    for boot in wanted:  # here, not in the threads
        image.initramfs(boot.kernel)
        if boot.guest.root:
            systemd.root_disk()
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        results = pool.map(partial(_boot, cgroups=cgroups), wanted)
        found = dict(zip([boot.name for boot in wanted], results, strict=True))
    code = judge(found)
    print(f"faults: {len(wanted)} boots in {time.monotonic() - begin:.0f} s", flush=True)
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


def _boot(boot: Boot, *, cgroups: int) -> dict[str, dict[str, object]]:
    """What became of each check of one guest."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        shutil.copytree(boot.folder, job, dirs_exist_ok=True)
        shutil.copy(LAB / "arena" / "guest" / "units.py", job)
        shutil.copy(UNIT, job)
        shutil.copytree(REPOSITORY / "src", job / "src", ignore=shutil.ignore_patterns("__pycache__"))
        (job / "cgroups").write_text(str(cgroups))
        (job / "only").write_text("\n".join(boot.checks))
        try:
            result = vm.run_job(boot.kernel, job, CACHE / "faults" / boot.name, boot.guest)
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
