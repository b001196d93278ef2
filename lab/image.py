"""What a guest boots from: an initramfs of busybox and drivers per kernel, and one root disk for all."""

from __future__ import annotations

import lzma
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lab.apt import KEYRING, archive_uri
from lab.errors import LabError
from lab.paths import CACHE, LAB, fingerprint, run

if TYPE_CHECKING:
    from lab.kernels import Kernel

INIT = LAB / "guest" / "init"
MAPPED = LAB / "guest" / "mapped.c"
_DRIVERS = (
    "virtio.ko", "virtio_ring.ko", "virtio_pci.ko", "virtio_pci_modern_dev.ko", "virtio_pci_legacy_dev.ko",
    "virtio_blk.ko", "ext4.ko", "jbd2.ko", "mbcache.ko", "crc16.ko", "crc32c_generic.ko", "crc32c-intel.ko",
    "crc32c-cryptoapi.ko", "libcrc32c.ko", "failover.ko",
)  # fmt: skip
_MEMORY_DISKS = ("libnvdimm.ko", "nfit.ko", "nd_btt.ko", "nd_pmem.ko", "dm-mod.ko")
"""What disks need that are memory of QEMU's; loaded where they are asked for."""
_ROOT_SUITE = "trixie"
_ROOT_MIB = 768
_DROP = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache",
    "var/lib/apt/lists",
)


def _unpack_module(source: Path) -> bytes:
    """A module's ELF bytes; Debian compresses them with xz since trixie."""
    data = source.read_bytes()
    if source.suffix == ".xz":
        return lzma.decompress(data)
    if source.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", source], capture_output=True, check=True).stdout
    return data


def initramfs(kernel: Kernel) -> Path:
    """The initramfs of this kernel, built when it is missing or its parts changed."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise LabError("busybox: not installed; run 'python3 -m lab install' as root")
    made_of = fingerprint(INIT, MAPPED, Path(busybox), Path(__file__))
    name = f"initramfs-{kernel.release}-{made_of}.cpio"
    target = CACHE / "initramfs" / name
    if target.exists():
        return target
    tree = target.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ("bin", "modules/memory"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(busybox, tree / "bin" / "busybox")
    (tree / "bin" / "sh").symlink_to("busybox")
    shutil.copy(INIT, tree / "init")
    (tree / "init").chmod(0o755)
    run("cc", "-O2", "-static", "-o", tree / "bin" / "mapped", MAPPED)
    for path in sorted(kernel.modules.rglob("*.ko*")):
        bare = path.name.split(".ko")[0] + ".ko"
        if bare in _DRIVERS:
            (tree / "modules" / bare).write_bytes(_unpack_module(path))
        elif bare in _MEMORY_DISKS:
            (tree / "modules" / "memory" / bare).write_bytes(_unpack_module(path))
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"],
        input=names.encode(),
        cwd=tree,
        capture_output=True,
        check=True,
    )
    target.with_suffix(".part").write_bytes(packed.stdout)
    target.with_suffix(".part").replace(target)
    shutil.rmtree(tree)
    return target


def root_disk() -> Path:
    """The guests' root: a small Debian with Python, an ext4 image that guests write to in snapshots only."""
    target = CACHE / "root" / f"root-{fingerprint(Path(__file__))}.ext4"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    main = archive_uri(security=False)
    if main is None:
        raise LabError("no Debian archive in /etc/apt/sources.list or /etc/apt/sources.list.d: add one there")
    tree = target.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    source = f"deb [signed-by={KEYRING}] {main} {_ROOT_SUITE} main"
    run(
        "mmdebstrap", "--mode=root", "--variant=essential", "--format=directory", "--quiet",
        "--include=python3",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        _ROOT_SUITE, tree, source,
        timeout_s=1200,
    )  # fmt: skip
    for name in _DROP:
        shutil.rmtree(tree / name, ignore_errors=True)
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    run("mke2fs", "-q", "-t", "ext4", "-d", tree, part, f"{_ROOT_MIB}M")
    part.replace(target)
    shutil.rmtree(tree)
    return target
