"""What the host must have, and the one function that installs it on a bare Debian machine."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from lab.apt import Apt, host_codename, open_suite
from lab.errors import LabError
from lab.paths import run

QEMU = "qemu-system-x86_64"
NEEDED = {  # program -> package
    QEMU: "qemu-system-x86",
    "busybox": "busybox-static",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "cpio": "cpio",
    "xz": "xz-utils",
    "zstd": "zstd",
    "dpkg-deb": "dpkg",
}
BACKPORTS = {"bookworm": "bookworm-backports"}  # suites whose own QEMU is older than 10


def missing() -> list[str]:
    """Packages whose program is not on this machine."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [package for program, package in NEEDED.items() if shutil.which(program, path=path) is None]


def qemu_major() -> int:
    """The major version of the installed QEMU."""
    match = re.search(r"version (\d+)\.", run(QEMU, "--version"))
    if not match:
        raise LabError(f"{QEMU} --version prints no version")
    return int(match[1])


def check() -> None:
    """Raise a LabError that names what is not installed."""
    wanted = missing()
    if wanted:
        raise LabError("not installed: " + " ".join(wanted) + "; run 'python3 -m lab install' as root")


def install() -> list[str]:
    """Install what is missing and return the packages; QEMU comes from backports where the suite's is old."""
    wanted = missing()
    if not wanted:
        return []
    if os.geteuid() != 0:
        check()
    environment_options = ["-y", "-q", "--no-install-recommends"]
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    backports = BACKPORTS.get(host_codename())
    if "qemu-system-x86" in wanted and backports:
        try:
            apt = open_with_base(backports)
            apt.call("apt-get", "install", *environment_options, "-t", backports, "qemu-system-x86")
            wanted.remove("qemu-system-x86")
        except LabError as error:
            print(f"lab: no QEMU from {backports} ({error}); taking the older one", flush=True)
    if wanted:
        run("apt-get", "update", "-q")
        run("apt-get", "install", *environment_options, *wanted)
    return wanted


def open_with_base(suite: str) -> Apt:
    """The backports suite together with the host's own suite, which its packages depend on."""
    apt = open_suite(suite)
    base = Apt(host_codename(), keyring=apt.keyring)
    (apt.root / "sources.list").write_text("\n".join([*apt.lines(), *base.lines()]) + "\n")
    apt.call("apt-get", "update", "-q")
    return apt


_NO_FAST_STRINGS = ",-erms,-fsrm,-fzrm,-fsrs"
"""Where instructions are counted a string instruction is one for every byte: with these the kernel would
clear a page by 4096 of them, which makes up half of what a page fault costs then."""


def accelerator(*, counting: bool = False) -> list[str]:
    """QEMU's options for the processor: KVM where it really runs, else software emulation.

    ``counting``: one that can count instructions, which is emulation of all processors in one thread.
    QEMU before 10 now and then corrupts a guest kernel through cmpxchg16b, so it is hidden there.
    """
    if kvm_runs() and not counting:
        return ["-accel", "kvm", "-cpu", "host"]
    cpu = "max" if qemu_major() >= 10 else "Nehalem,-cx16"
    if counting and qemu_major() >= 10:
        cpu += _NO_FAST_STRINGS
    return ["-accel", f"tcg,thread={'single' if counting else 'multi'}", "-cpu", cpu]


def kvm_runs() -> bool:
    """Whether guests can run under KVM: the device opens and this processor has the instructions for it.

    Some sandboxes have a /dev/kvm that even creates virtual processors, but on which no kernel boots.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    return bool(re.search(r"(?m)^flags\s*:.*\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text()))
