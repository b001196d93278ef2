"""Inside the guest: cgroups that are removed again, and children that do one thing in them."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import json
import mmap
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
ROOT = "/sys/fs/cgroup"
LIBC = ctypes.CDLL("libc.so.6", use_errno=True)
KEEP: list[Any] = []
"""What a child holds for as long as it lives."""
_NUMBERS = itertools.count(1)


def put(path: str, value: object) -> None:
    """Write one value with one write."""
    with open(path, "wb", buffering=0) as file:
        file.write(str(value).encode())


def get(path: str) -> str:
    """The content; empty where there is none."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def keyed(text: str, key: str) -> int:
    """A value of a flat-keyed file, 0 where the key is missing."""
    return next((int(line.split()[1]) for line in text.splitlines() if line.split()[0] == key), 0)


class Group:
    """A cgroup. Knobs are given as ``max=64`` in MiB, ``high``, ``low``, ``min``, ``swap_max``."""

    def __init__(self, parent: Group | None = None, *, oom_group: bool = False, **mib: float) -> None:
        self.path = f"{parent.path if parent else ROOT}/trial{next(_NUMBERS)}"
        os.mkdir(self.path)
        for knob, value in mib.items():
            self.set(knob.replace("_", "."), value)
        if oom_group:
            put(f"{self.path}/memory.oom.group", 1)

    def set(self, knob: str, mib: float) -> None:
        """Write a knob, in MiB."""
        put(f"{self.path}/memory.{knob}", int(mib * MIB))

    def delegate(self) -> None:
        """Let children have memory limits."""
        put(f"{self.path}/cgroup.subtree_control", "+memory")

    def mib(self, name: str) -> float:
        """A file with one number, in MiB."""
        return round(int(get(f"{self.path}/memory.{name}")) / MIB, 2)

    def stat(self, key: str) -> float:
        """A line of memory.stat, in MiB; a kernel that sums up every two seconds has to be waited for."""
        return round(keyed(get(f"{self.path}/memory.stat"), key) / MIB, 2)

    def event(self, key: str, *, local: bool = False) -> int:
        """A counter of memory.events."""
        return keyed(get(f"{self.path}/memory.events{'.local' if local else ''}"), key)

    def stalled_s(self) -> float:
        """Seconds for which some task stalled."""
        return int(get(f"{self.path}/memory.pressure").partition("\n")[0].rpartition("=")[2] or 0) / 1e6


class Child:
    """A process in a cgroup that runs a function and sends its answer as JSON."""

    def __init__(
        self, group: Group, does: Callable[..., Any], *args: Any, adj: int = 0, uid: int = 0
    ) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            _become(group, writer, functools.partial(does, *args), adj=adj, uid=uid)
        os.close(writer)
        self._reader = reader
        self.signal: int | None = None

    def answer(self, timeout_s: float = 60) -> Any:
        """What the function returned; ``None`` when the process died first, or has not ended in time."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        if not poll.poll(timeout_s * 1000):
            return None
        text = os.read(self._reader, 65536)
        return json.loads(text) if text else None

    @property
    def alive(self) -> bool:
        """Whether it still runs; reaps it."""
        if self.signal is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return self.signal is None

    def gone(self, timeout_s: float = 30) -> bool:
        """Wait for its death; whether it came in time."""
        end = time.monotonic() + timeout_s
        while self.alive and time.monotonic() < end:
            time.sleep(0.01)
        return not self.alive

    def end(self) -> None:
        """Kill and reap it."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            self.gone()
        with contextlib.suppress(OSError):
            os.close(self._reader)


def _become(group: Group, writer: int, does: Callable[[], Any], *, adj: int, uid: int) -> None:
    try:
        put("/proc/self/oom_score_adj", adj)
        put(f"{group.path}/cgroup.procs", 0)
        if uid:
            os.setuid(uid)
        os.write(writer, json.dumps(does()).encode())
        while True:
            signal.pause()
    finally:
        os._exit(1)


@contextlib.contextmanager
def cleaned(*things: Group | Child) -> Iterator[None]:
    """End the children and remove the cgroups, whatever happened."""
    try:
        yield
    finally:
        for child in things:
            if isinstance(child, Child):
                child.end()
        for group in reversed([one for one in things if isinstance(one, Group)]):
            for _ in range(200):
                try:
                    os.rmdir(group.path)
                except OSError:
                    time.sleep(0.02)
                else:
                    break


def area(size_mib: float, *, huge: bool = False) -> int:
    """Map memory that is not there yet; its address."""
    size = int(size_mib * MIB)
    mapped = mmap.mmap(-1, max(size, 4096), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):
        mapped.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
    KEEP.append(mapped)
    return ctypes.addressof(ctypes.c_char.from_buffer(mapped))


def touch(address: int, size_mib: float) -> None:
    """Write to memory."""
    LIBC.memset(ctypes.c_void_p(address), 0x5A, ctypes.c_size_t(int(size_mib * MIB)))


def anon(size_mib: float, *, huge: bool = False) -> bool:
    """Take anonymous memory."""
    touch(area(size_mib, huge=huge), size_mib)
    return True


def make_file(name: str, size_mib: int) -> str:
    """A file on the disk that is not in memory."""
    path = f"/scratch/{name}"
    if not os.path.exists(path) or os.path.getsize(path) != size_mib * MIB:
        os.makedirs("/scratch", exist_ok=True)
        with open(path, "wb", buffering=0) as file:
            file.writelines([b"\xa5" * MIB] * size_mib)
    fd = os.open(path, os.O_RDWR)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    return path


def read_file(path: str, times: int = 1) -> bool:
    """Read a file from end to end."""
    for _ in range(times):
        with open(path, "rb", buffering=0) as file:
            while file.read(MIB):
                pass
    return True


def memory(key: str) -> float:
    """A line of /proc/meminfo, in MiB."""
    return keyed(get("/proc/meminfo").replace(":", ""), key) / 1024


def swap(on: bool) -> None:
    """Have swap, or none."""
    device = "/dev/lab-swap"
    LIBC.swapoff(device.encode())
    if on and LIBC.swapon(device.encode(), 0):
        raise OSError(ctypes.get_errno(), "swapon")
