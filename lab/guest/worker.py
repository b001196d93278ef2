"""The processes of a scenario: each joins its cgroup, takes its memory, and then waits for commands.

They are forked from the agent, so that none of them needs an interpreter of its own to start.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import signal
import socket
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios import Proc

MIB = 1 << 20
_LIBC = ctypes.CDLL("libc.so.6", use_errno=True)
_KEEP: list[Any] = []  # what a process holds, for as long as it lives


def anon(size: int) -> None:
    """Touch `size` bytes of private anonymous memory, with a pattern that is not zero."""
    area = mmap.mmap(-1, max(size, 4096), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    _KEEP.append(area)
    _LIBC.memset(ctypes.c_void_p(_address(area)), 0x5A, ctypes.c_size_t(size))


def _address(area: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(area))


def mlocked(size: int) -> None:
    """The same, locked."""
    anon(size)
    if _LIBC.mlock(ctypes.c_void_p(_address(_KEEP[-1])), ctypes.c_size_t(size)):
        raise OSError(ctypes.get_errno(), "mlock")


def shmem(size: int) -> None:
    """A tmpfs file of `size` bytes that nobody maps: charged, but in nobody's resident set."""
    with open(f"/dev/shm/{os.getpid()}", "wb", buffering=0) as file:
        file.writelines([b"\x5a" * MIB] * (size // MIB))


def cache(size: int) -> None:
    """Page cache: read the file that was written for this process and has left memory since."""
    with open("/proc/self/comm") as comm, open(f"/scratch/{comm.read().strip()}", "rb", buffering=0) as file:
        left = size
        while left > 0 and (block := file.read(min(left, MIB))):
            left -= len(block)


def pgtables(size: int) -> None:
    """Page tables without resident pages: read one page in every 2 MiB, which maps the shared zero page."""
    span = 2 * MIB
    count = size // 4096
    area = mmap.mmap(-1, count * span, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_NORESERVE)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    _KEEP.append(area)
    for index in range(count):
        area[index * span]


def pipes(size: int) -> None:
    """Kernel memory: pipes filled to the brim."""
    block = b"\x5a" * MIB
    for _ in range(size // MIB):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, 1031, MIB)  # F_SETPIPE_SZ
        os.write(writer, block)
        _KEEP.append((reader, writer))


def pipe_rings(size: int) -> None:
    """Kernel memory in blocks of several pages: each widened pipe takes a ring of 256 buffers of 40 bytes."""
    for _ in range(size // 16384):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, 1031, MIB)
        _KEEP.append((reader, writer))


def bound(size: int) -> None:
    """Anonymous memory of node 1 only: set_mempolicy(MPOL_BIND), as numactl --membind does."""
    nodes = ctypes.c_ulong(1 << 1)
    if _LIBC.syscall(238, 2, ctypes.byref(nodes), ctypes.c_ulong(64)):  # SYS_set_mempolicy on x86-64
        raise OSError(ctypes.get_errno(), "set_mempolicy")
    anon(size)


KINDS = {
    "anon": anon, "mlock": mlocked, "shmem": shmem, "cache": cache, "pgtables": pgtables, "pipes": pipes,
    "pipe-rings": pipe_rings, "bound": bound,
}  # fmt: skip


class Worker:
    """The agent's end of one process."""

    def __init__(self, name: str, pid: int, link: socket.socket) -> None:
        self.name = name
        self.pid = pid
        self.link = link
        self.busy = False

    def ask(self, command: str) -> None:
        """Send a command and do not wait: the kernel may keep the process for long."""
        self.busy = True
        self.link.send(command.encode())

    def answer(self, timeout_s: float) -> str | None:
        """The answer, or None when it has not come in time or the process is gone."""
        self.link.settimeout(max(timeout_s, 0.001))
        try:
            text = self.link.recv(4096).decode()
        except (TimeoutError, ConnectionError):
            return None
        self.busy = bool(not text)
        return text or None


def start(proc: Proc, procs_file: str) -> Worker:
    """Fork a process that joins the cgroup, sets its oom_score_adj and takes its memory."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            _live(theirs, procs_file, proc)
        except BaseException:
            theirs.send(traceback.format_exc().encode()[:4000])
        finally:
            os._exit(1)
    theirs.close()
    return Worker(proc.name, pid, ours)


def _live(link: socket.socket, procs_file: str, proc: Proc) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with open(procs_file, "wb", buffering=0) as file:
        file.write(b"0\n")
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"%d\n" % proc.adj)
    with open("/proc/self/comm", "wb", buffering=0) as file:
        file.write(proc.comm or proc.name.encode())
    if proc.mib:
        KINDS[proc.does](int(proc.mib * MIB))
    link.send(b"ready")
    while command := link.recv(4096).decode():
        what, _, amount = command.partition(" ")
        try:
            KINDS[what](int(amount))
        except OSError as error:
            link.send(b"failed: " + str(error).encode())
        else:
            link.send(b"done")
