"""Writes a recording of this machine in memwarden's plain text archive format (``memwarden-root 1``).

Runs inside the guest, with the standard library only. Neither environ nor cmdline of any process is read.
"""

from __future__ import annotations

import errno
import os
import re
import time

MACHINE = (
    "/proc/meminfo", "/proc/vmstat", "/proc/zoneinfo", "/proc/buddyinfo", "/proc/swaps",
    "/proc/cgroups",
    "/proc/self/mountinfo", "/proc/self/cgroup", "/proc/self/oom_score",
    "/proc/self/oom_score_adj", "/proc/uptime",
    "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory", "/proc/pressure/irq",
    "/proc/sys/kernel/osrelease", "/proc/sys/kernel/hostname", "/proc/sys/kernel/random/boot_id",
    "/sys/kernel/mm/lru_gen/enabled", "/sys/kernel/mm/lru_gen/min_ttl_ms",
    "/sys/kernel/mm/transparent_hugepage/enabled",
)  # fmt: skip
PROCESS = ("stat", "status", "statm", "smaps_rollup", "cgroup", "oom_score", "oom_score_adj", "comm")
_CGROUP_FILE = re.compile(r"^(memory\.|cgroup\.|cpu\.stat$|io\.stat$|tasks$|notify_on_release$)|\.pressure$")
_ESCAPE = re.compile(rb"[\x00-\x20%\x7f]")


def escape(path: bytes) -> bytes:
    """The path with the bytes an archive line cannot hold written as ``%XX``."""
    text = path.decode("utf-8", "surrogateescape")
    parts = []
    for char in text:
        if "\udc80" <= char <= "\udcff":
            parts.append(b"%%%02X" % (ord(char) - 0xDC00))
        else:
            parts.append(_ESCAPE.sub(lambda found: b"%%%02X" % found[0][0], char.encode()))
    return b"".join(parts)


class Writer:
    """Collects the entries of one archive."""

    def __init__(self) -> None:
        self.entries = 0
        self.parts = [b"memwarden-root 1\n"]

    def fact(self, key: str, value: object) -> None:
        self._add(b"FACT %s %s\n" % (key.encode(), str(value).encode()))

    def directory(self, path: bytes) -> None:
        self._add(b"DIR %d %s\n" % (os.stat(path).st_ino, escape(path)))

    def file(self, path: bytes) -> None:
        """One file's content, or the error that reading it gave."""
        try:
            with open(path, "rb", buffering=0) as file:
                data = b"".join(iter(lambda: file.read(1 << 16), b""))
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "EIO")
            self._add(b"ERR %s %s\n" % (name.encode(), escape(path)))
        else:
            self._add(b"FILE %d %s\n%s\n" % (len(data), escape(path), data))

    def _add(self, entry: bytes) -> None:
        self.parts.append(entry)
        self.entries += 1

    def finish(self) -> bytes:
        self.parts.append(b"END %d\n" % self.entries)
        return b"".join(self.parts)


def record(cgroup_mounts: list[str], *, kernel_threads: bool) -> bytes:
    """The whole machine as memwarden reads it; kernel threads only when asked, for they are many."""
    writer = Writer()
    _facts(writer)
    for path in MACHINE:
        writer.file(path.encode())
    for name in sorted(os.listdir(b"/proc/sys/vm")):
        writer.file(b"/proc/sys/vm/" + name)
    for mount in cgroup_mounts:
        _cgroup(writer, mount.encode())
    for name in sorted((n for n in os.listdir(b"/proc") if n.isdigit()), key=int):
        _process(writer, b"/proc/" + name, kernel_threads=kernel_threads)
    return writer.finish()


def _facts(writer: Writer) -> None:
    system = os.uname()
    writer.fact("kernel_release", system.release)
    writer.fact("arch", system.machine)
    writer.fact("hostname", "lab")
    writer.fact("page_size_bytes", os.sysconf("SC_PAGE_SIZE"))
    writer.fact("clk_tck", os.sysconf("SC_CLK_TCK"))
    writer.fact("hz", 250)  # CONFIG_HZ of every Debian kernel here
    writer.fact("cpus", os.cpu_count())
    writer.fact("taken_wall_us", time.time_ns() // 1000)
    writer.fact("taken_monotonic_us", time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)


def _cgroup(writer: Writer, path: bytes) -> None:
    writer.directory(path)
    below = []
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            below.append(entry.path)
        elif _CGROUP_FILE.search(entry.name.decode("utf-8", "surrogateescape")):
            writer.file(entry.path)
    for child in below:
        _cgroup(writer, child)


def _process(writer: Writer, path: bytes, *, kernel_threads: bool) -> None:
    try:
        with open(path + b"/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return  # gone since the listing
    flags = int(stat.rpartition(b")")[2].split()[6])
    is_kernel_thread = bool(flags & 0x00200000)  # PF_KTHREAD, include/linux/sched.h
    if is_kernel_thread and not kernel_threads:
        return
    writer.directory(path)
    for name in ("stat",) if is_kernel_thread else PROCESS:
        writer.file(path + b"/" + name.encode())
    state, threads = (stat.rpartition(b")")[2].split()[place] for place in (0, 17))
    if state == b"Z" and int(threads) > 1:
        _living_thread(writer, path)


def _living_thread(writer: Writer, path: bytes) -> None:
    """The status of another thread than the first, for that one has no memory any more."""
    names = sorted(os.listdir(path + b"/task"), key=int)
    writer.directory(path + b"/task")
    for name in names:
        if not path.endswith(b"/" + name):
            writer.directory(path + b"/task/" + name)
            for file in (b"status", b"cgroup"):
                writer.file(path + b"/task/" + name + b"/" + file)
            return
