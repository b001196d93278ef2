"""Boots one kernel in QEMU, hands it a job, and brings back what the job wrote.

The job is a folder with an executable ``run``; it goes in as a tar on one virtio disk and everything it
leaves in ``/out`` comes back as a tar on another, which is binary safe and as fast as the guest's memory. The
serial port carries the kernel's console and the init's progress.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lab import image, tools
from lab.errors import LabError
from lab.paths import CACHE, ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.kernels import Kernel

_STARTED = "lab: job starts"
_WRITTEN = "lab: output written"
_OUT_MIB = 512
_NOT_SAID = 255
"""The exit status of a job that could not be written down, as on a full disk."""
_APPEND = "console=ttyS0 loglevel=4 panic=-1 log_buf_len=16M swapaccount=1 mitigations=off"


class Guest(NamedTuple):
    """The machine a job wants."""

    memory_mib: int = 1024
    cpus: int = 2
    swap_mib: int = 0
    nodes: int = 1
    append: str = ""
    timeout_s: float = 600
    root: Path | None = None
    """A root disk of its own; else the one that all share."""
    instruction_ns: int = 0
    """A clock of its own: an instruction takes so long (a power of 2), however busy the host is.

    While its processors are idle it follows the host's clock, though: a host that does not let QEMU go on in
    time is seen as a late wake-up in there.
    """
    apart: bool = False
    """QEMU goes before everything else, and its busiest thread has a processor to itself, if we may do so."""


PLAIN = Guest()


class Result(NamedTuple):
    """What came back: the folder with the job's output, its exit status, and how the guest ran."""

    out: Path
    exit_status: int
    console: str
    seconds: float
    boot_seconds: float
    boots: int
    waited_s: float = 0.0
    """How long QEMU's busiest thread was ready and the host did not run it."""

    @property
    def dmesg(self) -> str:
        """The kernel's log as the guest's dmesg printed it after the job."""
        return (self.out / "dmesg").read_text(errors="replace")


class _Boot(NamedTuple):
    console: str
    seconds: float
    boot_seconds: float
    waited_s: float
    failure: str | None
    again: bool  # the failure is of the kind that a second boot is for


def _command(kernel: Kernel, guest: Guest, work: Path) -> list[str | Path]:
    """The command line: no devices but virtio disks and one serial port, and QEMU dies when we do."""
    disks = [
        ("root", guest.root or image.root_disk(), "snapshot=on"),
        ("job", work / "job.tar", "readonly=on"),
        ("out", work / "out.tar", "cache=unsafe"),
    ]
    if guest.swap_mib:
        disks.append(("swap", work / "swap", "cache=unsafe"))
    words: list[str | Path] = [
        "setpriv", "--pdeathsig", "KILL",
        tools.QEMU, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "pc",
        *tools.accelerator(counting=bool(guest.instruction_ns)),
        "-smp", str(guest.cpus), "-m", f"{guest.memory_mib}M",
        "-kernel", kernel.vmlinuz, "-initrd", image.initramfs(kernel),
        "-append", f"{_APPEND} {guest.append}",
        "-serial", f"file:{work}/console",
    ]  # fmt: skip
    if guest.instruction_ns:
        words += ["-icount", f"shift={guest.instruction_ns.bit_length() - 1},sleep=on"]
    for node in range(guest.nodes) if guest.nodes > 1 else ():
        words += ["-object", f"memory-backend-ram,id=node{node},size={guest.memory_mib // guest.nodes}M"]
        words += ["-numa", f"node,nodeid={node},memdev=node{node},cpus={node}"]
    for name, path, flags in disks:
        words += ["-drive", f"file={path},if=none,id={name},format=raw,{flags}"]
        words += ["-device", f"virtio-blk-pci,drive={name},serial={name}"]
    return words


def _pack(job: Path, target: Path) -> None:
    """The job folder as a tar; the image is padded so that its size is a whole number of sectors."""
    with tarfile.open(target, "w") as tar:
        tar.add(job, arcname=".")


def _sparse(path: Path, mib: int) -> None:
    with path.open("wb") as file:
        file.truncate(mib << 20)


def _swap_disk(path: Path, mib: int) -> None:
    _sparse(path, mib)
    subprocess.run(["mkswap", path], env=ENVIRONMENT, capture_output=True, check=True)


def _boot(kernel: Kernel, guest: Guest, work: Path) -> _Boot:
    """Run one guest to its end; the process never outlives this call."""
    _sparse(work / "out.tar", _OUT_MIB)
    if guest.swap_mib:
        _swap_disk(work / "swap", guest.swap_mib)
    console = work / "console"
    console.write_bytes(b"")
    begin = time.monotonic()
    booted = waited_s = 0.0
    with (work / "qemu.log").open("wb") as log:
        process = subprocess.Popen(
            _command(kernel, guest, work), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            while process.poll() is None and time.monotonic() - begin < guest.timeout_s:
                if not booted and _STARTED in console.read_text(errors="replace"):
                    booted = time.monotonic() - begin
                threads = _threads(process.pid)
                waited_s = max(waited_s, _waited_s(threads))
                if guest.apart:
                    _set_apart(threads)
                time.sleep(0.1)
            timed_out = process.poll() is None
        finally:
            process.kill()
            process.wait()
    text = console.read_text(errors="replace")
    seconds = time.monotonic() - begin
    if process.returncode not in (0, -9):
        words = (work / "qemu.log").read_text(errors="replace").strip()[-300:]
        return _Boot(text, seconds, booted, waited_s, f"QEMU itself failed: {words}", again=True)
    if _STARTED not in text:
        return _Boot(
            text, seconds, booted, waited_s, f"did not boot; its console ends: {_last(text)}", again=True
        )
    if _WRITTEN not in text:
        why = f"did not end within {guest.timeout_s:.0f} s" if timed_out else "died before its job ended"
        return _Boot(text, seconds, booted, waited_s, f"{why}; its console ends: {_last(text)}", again=False)
    return _Boot(text, seconds, booted, waited_s, None, again=False)


def _threads(pid: int) -> list[tuple[int, int, int]]:
    """How long each thread of a process ran and waited for a CPU, in ns (``schedstat``), and its number."""
    threads = []
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            ran_ns, waited_ns, _ = map(int, path.read_text().split())
            threads.append((ran_ns, waited_ns, int(path.parent.name)))
    return threads


def _waited_s(threads: list[tuple[int, int, int]]) -> float:
    """How long the busiest one waited for a CPU; 0 where there is none."""
    return max(threads, default=(0, 0, 0))[1] / 1e9


def _set_apart(threads: list[tuple[int, int, int]]) -> None:
    """The busiest thread, which is the guest's processors, on our last CPU, the others not; all real-time.

    What is done already is not done again, and what is refused is left: the host may be quiet enough.
    """
    cpus, busiest = sorted(os.sched_getaffinity(0)), max(threads, default=(0, 0, 0))[2]
    with contextlib.suppress(OSError):
        for _, _, thread in threads:
            mine = {cpus[-1]} if thread == busiest else set(cpus[:-1] or cpus)
            # Whoever serves the guest's disks is not to wait for the guest.
            priority = 1 if thread == busiest else 2
            if os.sched_getaffinity(thread) != mine:
                os.sched_setaffinity(thread, mine)
            if os.sched_getparam(thread).sched_priority != priority:
                os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(priority))


def _unpack(archive: Path, target: Path) -> None:
    """Take the regular files out of the guest's tar; names that leave the folder are refused."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with archive.open("rb") as raw, tarfile.open(fileobj=io.BufferedReader(raw, 1 << 20), mode="r|") as tar:
        for member in tar:
            path = (target / member.name).resolve()
            if not path.is_relative_to(target.resolve()):
                raise LabError(f"the guest's output holds {member.name!r}, which lies outside its folder")
            content = tar.extractfile(member) if member.isfile() else None
            if content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())


def run_job(kernel: Kernel, job: Path, out: Path, guest: Guest = PLAIN) -> Result:
    """Boot `kernel`, run the job folder's ``run`` and unpack what it wrote into `out`.

    A guest that does not reach its job, or whose QEMU fails, is booted once more, with a word on it; the
    second time is an error.
    """
    scratch = CACHE / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        work = Path(folder)
        _pack(job, work / "job.tar")
        attempt, boot = 1, _boot(kernel, guest, work)
        if boot.failure and boot.again:
            print(f"lab: {kernel.release}: {boot.failure}; trying once more", flush=True)
            attempt, boot = 2, _boot(kernel, guest, work)
        if boot.failure:
            raise LabError(f"{kernel.release}: {boot.failure}" + (" (twice)" if attempt == 2 else ""))
        _unpack(work / "out.tar", out)
    (out / "console").write_text(boot.console)
    written = (out / "exit").read_text().strip()
    status = int(written) if written else _NOT_SAID
    return Result(out, status, boot.console, boot.seconds, boot.boot_seconds, attempt, boot.waited_s)


def _last(console: str) -> str:
    return " | ".join(console.strip().splitlines()[-4:]) or "(nothing)"


def tail_of_job(result: Result, lines: Sequence[str] = ("stdout", "stderr")) -> str:
    """What the job printed last, for a message about its failure."""
    return " | ".join((result.out / name).read_text(errors="replace").strip()[-600:] for name in lines)
