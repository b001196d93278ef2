"""The arena's root disk: a small Debian with systemd, the peers from Debian's packages, and Python."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.apt import KEYRING, archive_uri
from lab.errors import LabError
from lab.paths import CACHE, fingerprint, run

SUITE = "trixie"
PEERS = ("earlyoom", "nohang", "oomd", "systemd-oomd")
OTHERS = ("systemd", "systemd-sysv", "dbus", "python3", "procps")
SIZE_MIB = 3072
"""The system needs 350 MiB; the rest is for the files of the scenarios, which do not fit into memory."""
_DROP = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache",
    "var/lib/apt/lists",
)
OFF = ("systemd-tmpfiles-clean.timer", "serial-getty@ttyS0.service")
"""What systemd itself wants: it would start at odd times, or wait 90 s for a device that udev would name."""

JOB_UNIT = """\
[Unit]
Description=The job of this boot
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/lab-job
OOMScoreAdjust=-1000
MemoryMin=64M
TimeoutStartSec=infinity
"""
JOB_SCRIPT = """\
#!/bin/sh
echo "lab: job starts" >/dev/ttyS0
cd /job
OUT=/out ./run >/out/stdout 2>/out/stderr
echo $? >/out/exit
dmesg >/out/dmesg
tar cf - -C /out . >/dev/lab-out
sync
echo "lab: output written" >/dev/ttyS0
echo o >/proc/sysrq-trigger
"""


def root_disk() -> Path:
    """The ext4 image, built when it is missing or this file changed; guests write to snapshots of it only."""
    target = CACHE / "root" / f"arena-{fingerprint(Path(__file__))}.ext4"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    main = archive_uri(security=False)
    if main is None:
        raise LabError("no Debian archive in /etc/apt/sources.list or /etc/apt/sources.list.d: add one there")
    tree = target.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    run(
        "mmdebstrap", "--mode=root", "--variant=essential", "--format=directory", "--quiet",
        "--include=" + ",".join((*OTHERS, *PEERS)),
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        SUITE, tree, f"deb [signed-by={KEYRING}] {main} {SUITE} main",
        timeout_s=1800,
    )  # fmt: skip
    for name in _DROP:
        shutil.rmtree(tree / name, ignore_errors=True)
    _settle(tree)
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    run("mke2fs", "-q", "-t", "ext4", "-d", tree, part, f"{SIZE_MIB}M")
    part.replace(target)
    shutil.rmtree(tree)
    return target


def _settle(tree: Path) -> None:
    """Nothing that a package enabled starts by itself: a column starts its own daemon, and no other's."""
    folder = tree / "etc/systemd/system"
    for wants in folder.glob("*.wants"):
        shutil.rmtree(wants)
    for name in OFF:
        (folder / name).symlink_to("/dev/null")
    (folder / "lab-job.service").write_text(JOB_UNIT)
    (folder / "multi-user.target.wants").mkdir(exist_ok=True)
    (folder / "multi-user.target.wants/lab-job.service").symlink_to("../lab-job.service")
    script = tree / "usr/local/sbin/lab-job"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(JOB_SCRIPT)
    script.chmod(0o755)
    (tree / "etc/machine-id").write_text("00000000000000000000000000000001\n")
    (tree / "etc/fstab").write_text("")
    for name in ("job", "out"):
        (tree / name).mkdir(exist_ok=True)
