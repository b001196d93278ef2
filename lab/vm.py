"""Boots one kernel in QEMU, hands it a job, and brings back what the job wrote.

The job is a folder with an executable ``run``; it goes in as a tar on one virtio disk and everything it
leaves in ``/out`` comes back as a tar on another, which is binary safe and as fast as the guest's memory. The
serial port carries the kernel's console and the init's progress.
"""

from __future__ import annotations

import io
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
    from collections.abc import Iterator, Sequence

    from lab.kernels import Kernel

_STARTED = "lab: job starts"
_WRITTEN = "lab: output written"
_OUT_MIB = 512
_OWN_TIME = " lab.memory_disks=1 swiotlb=noforce"
"""Without the second a machine that may have memory above 4 GiB puts 64 MiB aside for devices that cannot."""
_MOST_MEMORY = "16G"
"""Of a machine whose disks are memory: room for their addresses."""
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
    own_time: bool = False
    """Nothing of the host's time at all: the clock goes on to the next timer at once where the processors are
    idle, and root and swap are memory, whose requests are done when they are made. With ``instruction_ns``.
    """


PLAIN = Guest()


class Result(NamedTuple):
    """What came back: the folder with the job's output, its exit status, and how the guest ran."""

    out: Path
    exit_status: int
    console: str
    seconds: float
    boot_seconds: float
    boots: int

    @property
    def dmesg(self) -> str:
        """The kernel's log as the guest's dmesg printed it after the job."""
        return (self.out / "dmesg").read_text(errors="replace")


class _Boot(NamedTuple):
    console: str
    seconds: float
    boot_seconds: float
    failure: str | None
    again: bool  # the failure is of the kind that a second boot is for


def _command(kernel: Kernel, guest: Guest, work: Path, initramfs: Path) -> list[str | Path]:
    """The command line: no devices but disks and one serial port, and QEMU dies when we do."""
    root, swap = guest.root or image.root_disk(), work / "swap"
    disks = [("job", work / "job.tar", "readonly=on"), ("out", work / "out.tar", "cache=unsafe")]
    size, machine, append = f"{guest.memory_mib}M", "pc", f"{_APPEND} {guest.append}"
    memory: list[str | Path] = []
    if guest.own_time:
        kept = [root, swap] if guest.swap_mib else [root]
        memory = [*_memory_disks(kept)]
        size, machine = f"{size},slots={len(kept)},maxmem={_MOST_MEMORY}", "pc,nvdimm=on"
        append += _OWN_TIME
    else:
        disks.insert(0, ("root", root, "snapshot=on"))
        if guest.swap_mib:
            disks.append(("swap", swap, "cache=unsafe"))
    words: list[str | Path] = [
        "setpriv", "--pdeathsig", "KILL",
        tools.QEMU, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", machine,
        *tools.accelerator(counting=bool(guest.instruction_ns)),
        "-smp", str(guest.cpus), "-m", size,
        "-kernel", kernel.vmlinuz, "-initrd", initramfs,
        "-append", append,
        "-serial", f"file:{work}/console", *memory,
    ]  # fmt: skip
    if guest.instruction_ns:
        idle = "off" if guest.own_time else "on"  # whether the clock stands still while nothing is to be done
        words += ["-icount", f"shift={guest.instruction_ns.bit_length() - 1},sleep={idle}"]
    for node in range(guest.nodes) if guest.nodes > 1 else ():
        words += ["-object", f"memory-backend-ram,id=node{node},size={guest.memory_mib // guest.nodes}M"]
        words += ["-numa", f"node,nodeid={node},memdev=node{node},cpus={node}"]
    for name, path, flags in disks:
        words += ["-drive", f"file={path},if=none,id={name},format=raw,{flags}"]
        words += ["-device", f"virtio-blk-pci,drive={name},serial={name}"]
    return words


def _memory_disks(paths: Sequence[Path]) -> Iterator[str]:
    """Options for disks that are memory, as /dev/pmem0 and so on; what is written to them is not kept."""
    for number, path in enumerate(paths):
        file = f"mem-path={path},size={path.stat().st_size},share=off"
        yield from ("-object", f"memory-backend-file,id=memory{number},{file}")
        yield from ("-device", f"nvdimm,id=pmem{number},memdev=memory{number}")


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
    booted = 0.0
    with (work / "qemu.log").open("wb") as log:
        process = subprocess.Popen(
            _command(kernel, guest, work, image.initramfs(kernel)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            while process.poll() is None and time.monotonic() - begin < guest.timeout_s:
                if not booted and _STARTED in console.read_text(errors="replace"):
                    booted = time.monotonic() - begin
                time.sleep(0.1)
            timed_out = process.poll() is None
        finally:
            process.kill()
            process.wait()
    text = console.read_text(errors="replace")
    seconds = time.monotonic() - begin
    if process.returncode not in (0, -9):
        words = (work / "qemu.log").read_text(errors="replace").strip()[-300:]
        return _Boot(text, seconds, booted, f"QEMU itself failed: {words}", again=True)
    if _STARTED not in text:
        return _Boot(text, seconds, booted, f"did not boot; its console ends: {_last(text)}", again=True)
    if _WRITTEN not in text:
        died = f"died before its job ended{_crash(text)}"
        why = f"did not end within {guest.timeout_s:.0f} s" if timed_out else died
        # A guest's kernel may crash by itself: 7.2 did once, and not when it was booted again.
        return _Boot(text, seconds, booted, f"{why}; its console ends: {_last(text)}", again=not timed_out)
    return _Boot(text, seconds, booted, None, again=False)


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

    A guest that does not reach its job, whose kernel crashes, or whose QEMU fails, is booted once more, with
    a word on it; the second time is an error.
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
    return Result(out, status, boot.console, boot.seconds, boot.boot_seconds, attempt)


def _crash(console: str) -> str:
    """What its kernel said first when it crashed."""
    words = ("Kernel panic", "BUG:", "Oops:")
    found = next((line for line in console.splitlines() if any(word in line for word in words)), "")
    return f" ({found.partition('] ')[2].strip() or found})" if found else ""


def _last(console: str) -> str:
    return " | ".join(console.strip().splitlines()[-4:]) or "(nothing)"


def tail_of_job(result: Result, lines: Sequence[str] = ("stdout", "stderr")) -> str:
    """What the job printed last, for a message about its failure."""
    return " | ".join((result.out / name).read_text(errors="replace").strip()[-600:] for name in lines)
