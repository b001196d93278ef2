"""A desktop in small: a service with its data, a reader of a file, and a program that leaks.

``memwarden record --interval`` looks on until the kernel has killed somebody, and a little longer.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = "/sys/fs/cgroup"
MIB = 1 << 20
SERVICE = "/system.slice/postgresql.service"
READER = "/user.slice/user-1000.slice/session-2.scope"
LEAK = "/user.slice/user-1000.slice/user@1000.service/app.slice/browser.scope"
RECORDER = "/system.slice/recorder.service"
LIBC = ctypes.CDLL(None)
LEAK_MIB_S = 20
CALM_S = 6
LONGEST_S = 240
AFTER_S = 3
FILE = "/scratch-file"


def put(path: str, text: str) -> None:
    """One write."""
    with open(path, "wb", buffering=0) as file:
        file.write(text.encode())


def make(cgroup: str) -> None:
    """A cgroup with the memory controller, and all above it."""
    path = ROOT
    put(f"{path}/cgroup.subtree_control", "+memory")
    *above, last = cgroup.strip("/").split("/")
    for name in above:
        path += f"/{name}"
        os.makedirs(path, exist_ok=True)
        put(f"{path}/cgroup.subtree_control", "+memory")
    os.makedirs(f"{path}/{last}", exist_ok=True)


def start(cgroup: str, name: bytes, what: Callable[[], None]) -> int:
    """A process of that name in a cgroup."""
    make(cgroup)
    pid = os.fork()
    if pid == 0:
        put(f"{ROOT}{cgroup}/cgroup.procs", "0")
        LIBC.prctl(15, name)  # PR_SET_NAME
        what()
        os._exit(0)
    return pid


def take(mib: int) -> mmap.mmap:
    """Private memory that is not zero."""
    area = mmap.mmap(-1, mib * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    LIBC.memset(ctypes.c_void_p(address), 0x5A, ctypes.c_size_t(mib * MIB))
    return area


def serve() -> None:
    """The data of a database: looked at all the time."""
    data = take(200)
    while True:
        for at in range(0, len(data), 64 * 4096):
            data[at]
        time.sleep(0.1)


def read() -> None:
    """A file that is read again and again, and so stays in the page cache."""
    block = bytearray(MIB)
    while True:
        with open(FILE, "rb", buffering=0) as file:
            while file.readinto(block):
                time.sleep(0.02)


def leak() -> None:
    """Calm first; then so much in every second."""
    held = [take(40)]
    time.sleep(CALM_S)
    begin = time.monotonic()
    for count in range(1, 10**6):
        held.append(take(LEAK_MIB_S // 4))
        time.sleep(max(0.0, begin + count / 4 - time.monotonic()))


def main() -> None:
    """Stage it, record it."""
    put("/proc/self/oom_score_adj", "0")
    if os.path.exists("/dev/lab-swap"):
        LIBC.swapon(b"/dev/lab-swap", 0)
    with open(FILE, "wb", buffering=0) as file:
        file.writelines([b"\xa5" * MIB] * 120)
    started = [start(SERVICE, b"postgres", serve), start(READER, b"reader", read)]
    time.sleep(3)
    make(RECORDER)
    command = [sys.executable, "-S", "-B", "-m", "memwarden"]
    command += ["record", "--interval", "1", "-o", "/out/leak.rootar"]
    recorder = subprocess.Popen(command)
    put(f"{ROOT}{RECORDER}/cgroup.procs", str(recorder.pid))
    put(f"/proc/{recorder.pid}/oom_score_adj", "-1000")
    victim = start(LEAK, b"browser", leak)
    until = time.monotonic() + LONGEST_S
    while os.waitpid(victim, os.WNOHANG) == (0, 0) and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(AFTER_S)
    recorder.send_signal(signal.SIGINT)
    recorder.wait()
    for pid in started:
        os.kill(pid, signal.SIGKILL)


main()
