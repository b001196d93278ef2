"""The processes of a scenario: each joins its cgroup, takes its memory, and then waits for commands.

They are forked from the agent, so that none of them needs an interpreter of its own to start.
"""

from __future__ import annotations

import _thread
import ctypes
import fcntl
import itertools
import mmap
import os
import signal
import socket
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios import Proc

MIB = 1 << 20
F_SETPIPE_SZ = 1031
CLONE_VM, CLONE_VFORK, CLONE_PARENT = 0x100, 0x4000, 0x8000  # include/uapi/linux/sched.h
_LIBC = ctypes.CDLL("libc.so.6", use_errno=True)
_KEEP: list[Any] = []  # what a process holds, for as long as it lives
_SPARE: list[int] = []  # the writing ends of pipes that have the ring they were born with


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
        fcntl.fcntl(writer, F_SETPIPE_SZ, MIB)
        os.write(writer, block)
        _KEEP.append((reader, writer))


def pipe_rings(size: int) -> None:
    """Kernel memory in blocks of 2^2 pages: each widened pipe takes a ring of 256 buffers of 40 bytes.

    The pipes are made beforehand, so that nothing else is asked for when there is no more.
    """
    for _ in range(size // 16384):
        if not _SPARE:
            _SPARE.extend(itertools.chain.from_iterable(os.pipe()[1:] for _ in range(3072)))
        fcntl.fcntl(_SPARE.pop(), F_SETPIPE_SZ, MIB)


def holes(size: int) -> None:
    """Take the machine's free memory but for `size` bytes, and give every second page of it back.

    Pages in pipes cannot be moved. Written to two pipes in turn by one CPU, neighbours come to belong to
    different pipes.
    """
    os.sched_setaffinity(0, {0})
    page = b"\x5a" * 4096
    given = []
    while _free() > size:
        one, other = os.pipe(), os.pipe()
        for pipe in (one, other):
            fcntl.fcntl(pipe[1], F_SETPIPE_SZ, MIB)
        for _ in range(256):
            os.write(one[1], page)
            os.write(other[1], page)
        given.extend(other)
    for file in given:
        os.close(file)


def _free() -> int:
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemFree:")) * 1024


def bound(size: int) -> None:
    """Anonymous memory of node 1 only: set_mempolicy(MPOL_BIND), as numactl --membind does."""
    nodes = ctypes.c_ulong(1 << 1)
    if _LIBC.syscall(238, 2, ctypes.byref(nodes), ctypes.c_ulong(64)):  # SYS_set_mempolicy on x86-64
        raise OSError(ctypes.get_errno(), "set_mempolicy")
    anon(size)


KINDS = {
    "anon": anon, "mlock": mlocked, "shmem": shmem, "cache": cache, "pgtables": pgtables, "pipes": pipes,
    "pipe-rings": pipe_rings, "bound": bound, "holes": holes,
    "leaderless": anon, "shares": anon, "vforks": anon,
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
    LIVES.get(proc.does, _alone)(link, proc.name)


def _alone(link: socket.socket, _name: str) -> None:
    link.send(b"ready")
    _serve(link)


def _leaderless(link: socket.socket, name: str) -> None:
    """Go on in a second thread and end the first one, which is not to end the process."""

    def go_on() -> None:
        link.send(b"ready %s=%d" % (name.encode(), _thread.get_native_id()))
        _serve(link)
        os._exit(0)

    _thread.start_new_thread(go_on, ())
    _LIBC.syscall(60, 0)  # SYS_exit on x86-64


def _shares(link: socket.socket, name: str) -> None:
    """Another process of the same memory, brother to this one, that does nothing at all."""
    stack = mmap.mmap(-1, 65536)
    _KEEP.append(stack)
    top = ctypes.c_void_p(_address(stack) + 65536)
    pause = ctypes.cast(_LIBC.pause, ctypes.c_void_p)
    pid = _LIBC.clone(pause, top, ctypes.c_int(CLONE_VM | CLONE_PARENT | signal.SIGCHLD), None)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    link.send(b"ready %s2=%d" % (name.encode(), pid))
    _serve(link)


def _vforks(link: socket.socket, name: str) -> None:
    """Stand still in vfork; the child, on the memory of this process, exempts itself and goes on.

    It never returns: both are killed together, and so the stack that they share is nobody's harm.
    """
    if _LIBC.syscall(56, CLONE_VM | CLONE_VFORK | signal.SIGCHLD, 0, 0, 0, 0) == 0:  # SYS_clone on x86-64
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(b"-1000\n")
        link.send(b"ready %s2=%d" % (name.encode(), os.getpid()))
        _serve(link)
        signal.pause()
    raise OSError(ctypes.get_errno(), "clone")


def _serve(link: socket.socket) -> None:
    """Do what is asked until the link is closed."""
    while command := link.recv(4096).decode():
        what, _, amount = command.partition(" ")
        try:
            KINDS[what](int(amount))
        except OSError as error:
            link.send(b"failed: " + str(error).encode())
        else:
            link.send(b"done")


LIVES = {"leaderless": _leaderless, "shares": _shares, "vforks": _vforks}
