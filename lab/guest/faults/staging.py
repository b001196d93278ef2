"""Cgroups, victims and guards that die, for the checks of this folder."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import signal
import time
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from memwarden.host.effects import Effects, Hands
from memwarden.host.journal import Journal
from memwarden.state.intents import CgroupId, ProcessId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memwarden.state.intents import Intent, Outcome

ROOT = "/sys/fs/cgroup"
MIB = 1 << 20
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
LIBC = ctypes.CDLL(None, use_errno=True)


def get(path: str) -> str:
    """A file, stripped."""
    with open(path) as file:
        return file.read().strip()


def put(path: str, text: str) -> None:
    """One write."""
    with open(path, "wb", buffering=0) as file:
        file.write(text.encode())


def wait_until(what: Callable[[], bool], limit_s: float = 30) -> bool:
    """Whether it comes true in time."""
    until = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


class Group:
    """A cgroup of its own for one check; everybody in it is gone afterwards."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = f"{ROOT}/{name}"
        os.mkdir(self.path)
        self.started: list[int] = []

    @property
    def target(self) -> CgroupId:
        return CgroupId(self.path.removeprefix(ROOT), os.stat(self.path).st_ino)

    def file(self, name: str) -> str:
        return get(f"{self.path}/{name}")

    def set(self, name: str, text: str) -> None:
        put(f"{self.path}/{name}", text)

    def populated(self) -> bool:
        return "populated 1" in self.file("cgroup.events")

    def start(self, what: Callable[[], object]) -> int:
        """A process in this cgroup that does something and then waits; its pid when that is done."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self.set("cgroup.procs", "0")
                what()
                os.write(writer, b"!")
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(writer)
        self.started.append(pid)
        os.read(reader, 1)
        os.close(reader)
        return pid

    def remove(self) -> None:
        with_suppressed(self.set, "cgroup.freeze", "0")
        with suppress(OSError):
            for pid in [*self.started, *map(int, self.file("cgroup.procs").split())]:
                with_suppressed(os.kill, pid, signal.SIGKILL)
        for pid in self.started:
            with_suppressed(os.waitpid, pid, 0)
        wait_until(lambda: with_suppressed(os.rmdir, self.path) or not os.path.exists(self.path))


def with_suppressed(function: Callable[..., object], *arguments: object) -> bool:
    try:
        function(*arguments)
    except OSError:
        return False
    return True


def anon(size: int) -> Callable[[], object]:
    """Take private memory and keep it."""

    def take() -> object:
        area = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        address = ctypes.addressof(ctypes.c_char.from_buffer(area))
        LIBC.memset(ctypes.c_void_p(address), 0x5A, ctypes.c_size_t(size))
        _KEPT.append(area)
        return area

    return take


_KEPT: list[object] = []


def storm() -> None:
    """Fork without end: sixteen processes that make short-lived ones."""
    for _ in range(16):
        if os.fork() == 0:
            while True:
                pid = os.fork()
                if pid == 0:
                    time.sleep(0.02)
                    os._exit(0)
                os.waitpid(pid, 0)


@contextmanager
def frozen_disk() -> Iterator[None]:
    """Nobody can write to the root file system: who tries sleeps and cannot be interrupted."""
    fd = os.open("/", os.O_RDONLY)
    fcntl.ioctl(fd, FIFREEZE, 0)
    try:
        yield
    finally:
        fcntl.ioctl(fd, FITHAW, 0)
        os.close(fd)


def written_later(name: str) -> None:
    """Write to a file when everybody was told that all is ready."""
    signal.signal(signal.SIGALRM, lambda *_: put(name, "x"))
    signal.setitimer(signal.ITIMER_REAL, 0.1)


def state_of(pid: int) -> str:
    """The letter in ``/proc/PID/stat``."""
    try:
        return get(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def identity(pid: int) -> ProcessId:
    """A process as an intent names it."""
    return ProcessId(pid, int(get(f"/proc/{pid}/stat").rpartition(")")[2].split()[19]))


class WithoutKill(Hands):
    """A kernel without cgroup.kill."""

    def put(self, directory_fd: int, name: str, data: bytes) -> None:
        if name == "cgroup.kill":
            raise FileNotFoundError(2, "No such file or directory", name)
        super().put(directory_fd, name, data)


class Guard:
    """A journal and effects, as the daemon has them."""

    def __init__(self, hands: Hands | None = None) -> None:
        self.journal = Journal("/run/memwarden")
        self.closed = False
        self.effects = Effects(ROOT, journal=self.journal, hands=hands)

    def do(self, intent: Intent, limit_us: int = 5_000_000) -> Outcome:
        """Its outcome, waited for."""
        outcome = self.effects.apply(intent, limit_us=limit_us)
        return outcome or self.effects.settle(limit_us + 1_000_000)[0]

    def close(self) -> None:
        """Once or more."""
        if not self.closed:
            self.effects.close()
            self.journal.close()
        self.closed = True


def killed_guard(act: Callable[[Guard], object]) -> None:
    """A guard that does something and is killed with SIGKILL before it can undo it.

    Nobody who was forked while another guard held the lock may be alive: they hold it with it.
    """
    pid = os.fork()
    if pid == 0:
        try:
            act(Guard())
            os.kill(os.getpid(), signal.SIGKILL)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, (
        "the guard did not get as far as to be killed"
    )
