"""Every write about ourselves: PSI triggers that we arm for us, limits, locked memory, badness and priority.

What a guard asks for to live through a shortage may be refused, by a missing capability above all. It works
without, less surely; so each returns a :class:`Grant` that says what was granted or why not, and none raises.
"""

from __future__ import annotations

import gc
import mmap
import os
import resource
import signal
import sys
import time
from errno import EOPNOTSUPP
from typing import Final, NamedTuple

from memwarden.errors import MemwardenError
from memwarden.host import files
from memwarden.host.blocks import Suppress
from memwarden.kernel import cgroup_procs, pid_cgroup

MCL_CURRENT: Final = 1
MCL_FUTURE: Final = 2
MCL_ONFAULT: Final = 4
"""``include/uapi/asm-generic/mman.h``, and all architectures but alpha, powerpc and sparc."""
CAP_IPC_LOCK: Final = 14
OTHER_ARCHITECTURES: Final = ("alpha", "ppc", "ppc64", "ppc64le", "sparc", "sparc64")
REAL_TIME: Final = 1
"""The lowest real-time priority: above everything that is not real-time, below all that is."""
NICE: Final = -20
SLICE_NS: Final = 100_000_000
"""The longest slice of a CPU that can be asked for (``kernel/sched/syscalls.c:__setparam_fair``, v6.12)."""
SCHED_RESET_ON_FORK: Final = 1
NR_SCHED_SETATTR: Final = {
    "x86_64": 314, "aarch64": 274, "riscv64": 274, "loongarch64": 274, "ppc64le": 355, "s390x": 345,
}  # fmt: skip
"""By machine, for the C library has a name for it only since glibc 2.41."""
FILLS: Final = 4
SECOND_NS: Final = 1_000_000_000
FREE_PAGES: Final = os.sysconf_names["SC_AVPHYS_PAGES"]
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
OTHER_FILES: Final = 128
"""Standard streams, files of the machine, triggers, a log, and directories on the way to a cgroup."""


def open_trigger(path: str, trigger: bytes, *, dir_fd: int | None = None) -> int:
    """Open a pressure file and write a trigger into it; closing the descriptor removes it.

    Raises ``OSError``: EINVAL for a window or threshold that this kernel refuses, EACCES, EOPNOTSUPP with
    ``psi=0`` and for what is no pressure file, ENOENT.
    """
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=dir_fd)
    try:
        # An ordinary file may lie over it, as in a container. It would take what is written, and never fire.
        ordinary = os.pread(fd, 5, 0) != b"some "
        if not ordinary:
            os.write(fd, trigger)
    except OSError:
        os.close(fd)
        raise
    if ordinary:
        os.close(fd)
        raise OSError(EOPNOTSUPP, os.strerror(EOPNOTSUPP))
    return fd


def await_children() -> None:
    """Have children that can be waited for.

    Who started us may have ignored SIGCHLD, which outlives an exec; then they are gone unasked (wait(2)).
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def raise_file_limit() -> int:
    """Raise our soft limit on open files to the hard one; returns what it is.

    It stays as it was where the kernel gives less than the hard one says (``fs.nr_open``, lowered since).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
    return hard


def files_to_keep(wanted: int) -> int:
    """How many files may stay open so that there is room for the others a program needs."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, min(wanted, soft - OTHER_FILES))


class Grant(NamedTuple):
    """What was asked for, whether it was granted, and in what form or why not."""

    what: str
    granted: bool
    detail: str


def lock_memory() -> Grant:
    """Keep every page that we touch from being reclaimed: ``mlockall`` with MCL_ONFAULT (since 4.4).

    Python has no name for this call and the kernel no other way for a running process, so ``ctypes`` it is
    (0.5 MiB, which ``effects`` has loaded anyway). Without CAP_IPC_LOCK it is not asked for: RLIMIT_MEMLOCK
    would turn every later allocation into a failure.
    """
    what = "memory locked"
    if os.uname().machine in OTHER_ARCHITECTURES:
        return Grant(what, False, "not known how on this architecture")
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not capable(CAP_IPC_LOCK):
        return Grant(what, False, "needs CAP_IPC_LOCK, or LimitMEMLOCK=infinity")
    import ctypes  # noqa: PLC0415 - only a guard locks its memory

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT):
        return Grant(what, False, os.strerror(ctypes.get_errno()))
    return Grant(what, True, "pages stay once they were touched")


def capable(number: int, proc: str = "/proc") -> bool:
    """Whether a capability is in our effective set (``CapEff`` of ``/proc/self/status``)."""
    for line in _read(f"{proc}/self/status").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def set_oom_score_adj(value: int = -1000, proc: str = "/proc") -> Grant:
    """Our ``oom_score_adj``; -1000 keeps the kernel from choosing us. Lowering it needs CAP_SYS_RESOURCE."""
    path = f"{proc}/self/oom_score_adj"
    try:
        _write(path, b"%d" % value)
    except OSError as error:
        now = _read(path).strip()
        return Grant(f"oom_score_adj {value}", False, f"{error.strerror}; it is {now}")
    return Grant(f"oom_score_adj {value}", True, "")


def protect_memory(cgroup_root: str, size_bytes: int, proc: str = "/proc") -> Grant:
    """``memory.min`` of our cgroup of v2, when nobody else is in it: others must not share in it."""
    what = f"memory.min {size_bytes}"
    path = _own_cgroup(proc)
    if path in (None, "/"):
        return Grant(what, False, "we are in the root cgroup, or in none of v2")
    directory = f"{cgroup_root}{path}"
    try:
        others = set(cgroup_procs.parse(_read(f"{directory}/cgroup.procs"))) - {os.getpid()}
        if others:
            return Grant(what, False, f"{path} holds other processes too; run as a unit of our own")
        _write(f"{directory}/memory.min", b"%d" % size_bytes)
    except OSError as error:
        return Grant(what, False, f"{path}: {error.strerror}")
    except MemwardenError as error:
        return Grant(what, False, str(error))
    return Grant(what, True, path or "")


def _own_cgroup(proc: str) -> str | None:
    try:
        return pid_cgroup.memory_path(pid_cgroup.parse(_read(f"{proc}/self/cgroup")), version=2)
    except MemwardenError:
        return None


class Haste:
    """How we are scheduled: before everybody while we wait and act, like anybody while we read.

    A look at many cgroups takes a while, and a database whose CPU we took for all of it would wait as long as
    for the shortage itself. A nice value would not do: whoever has -20 weighs 87 times as much as others
    (``kernel/sched/core.c:sched_prio_to_weight``), who pay for half a millisecond with 43 of ours. Where
    real-time priority is refused we are niced while we wait and act. Children start as usual.

    While we read we ask for the longest slice. Whoever wakes with a shorter one, as all do that ask for none,
    need not wait for the end of ours. Not so where real-time is refused: by its long slice a task that is
    scheduled like anybody is also woken later. Since Linux kernel commit 857b158dc5e8 ("sched/eevdf: Use
    sched_attr::sched_runtime to set request/slice suggestion") (in v6.12); earlier kernels take no notice.
    """

    def __init__(self) -> None:
        self._real_time = self._niced = False
        self._usual = os.getpriority(os.PRIO_PROCESS, 0)

    def hurry(self) -> Grant:
        """Ask for it, once."""
        what = "scheduled first"
        try:
            _be_real_time()
            take_long_slices(self._usual)
            _be_real_time()
        except OSError as refused:
            try:
                os.setpriority(os.PRIO_PROCESS, 0, NICE)
            except OSError as error:
                return Grant(what, False, f"{error.strerror}; needs CAP_SYS_NICE")
            self._niced = True
            return Grant(what, True, f"nice {NICE}; real-time: {refused.strerror}")
        self._real_time = True
        return Grant(what, True, f"real-time, priority {REAL_TIME}")

    def first(self) -> None:
        """To be woken, and to act.

        What was granted may be refused later, as in a cgroup without real-time (CONFIG_RT_GROUP_SCHED); a
        guard that is not first goes on.
        """
        with Suppress(OSError):
            if self._real_time:
                _be_real_time()
            elif self._niced:
                os.setpriority(os.PRIO_PROCESS, 0, NICE)

    def along(self) -> None:
        """To read: others get their share of a CPU meanwhile."""
        with Suppress(OSError):
            if self._real_time:
                os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
            elif self._niced:
                os.setpriority(os.PRIO_PROCESS, 0, self._usual)


def _be_real_time() -> None:
    os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME))


def take_long_slices(nice: int) -> bool:
    """Ask for the longest slices whenever we are scheduled like anybody; whether that was known and taken.

    They stay asked for while we are real-time (``kernel/sched/syscalls.c:_sched_setscheduler``, v6.12), and
    children have the usual ones.
    """
    number = NR_SCHED_SETATTR.get(os.uname().machine)
    if number is None:
        return False
    import ctypes  # noqa: PLC0415 - only a guard is scheduled otherwise than usual

    # struct sched_attr (include/uapi/linux/sched/types.h): size, policy, flags, nice, priority, runtime, ...
    parts = (
        (48, 4),
        (os.SCHED_OTHER, 4),
        (SCHED_RESET_ON_FORK, 8),
        (nice, 4),
        (0, 4),
        (SLICE_NS, 8),
        (0, 16),
    )
    attr = b"".join([value.to_bytes(length, sys.byteorder, signed=True) for value, length in parts])
    return bool(ctypes.CDLL(None).syscall(number, 0, attr, 0) == 0)


def freeze_collector() -> Grant:
    """Collect once, and keep the garbage collector from what lives now: the last step of a start."""
    gc.collect()
    gc.freeze()
    return Grant("garbage collector frozen", True, f"{gc.get_freeze_count()} objects")


def _read(path: str) -> str:
    """A file of ours as text, empty where it cannot be read."""
    try:
        fd = os.open(path, files.FILE_FLAGS)
    except OSError:
        return ""
    try:
        return os.fsdecode(files.read_fd(fd))
    finally:
        os.close(fd)


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def free_bytes() -> int:
    """Free memory of the machine, ``MemFree``: sysinfo(2) by way of the C library.

    No file is printed and none is parsed, which makes it ten times cheaper than ``/proc/meminfo``. musl adds
    buffers, which :meth:`memwarden.daemon.beats.Beats.heed_free` notices when they matter.
    """
    return os.sysconf(FREE_PAGES) * PAGE_BYTES


def fill_rate_bps(size_bytes: int = 1 << 18, cpus: int | None = None) -> int:
    """How fast this machine can fill its memory at the most: our own rate of first touches, times the CPUs.

    A page fault that zeroes a page is the usual way to take one (``mm/memory.c:do_anonymous_page``), and each
    CPU does one at a time. Huge pages are left out: they are taken 512 at a time, but there are few when
    memory is short. The fastest of some tries counts; they are small, being part of what we hold at most.
    """
    pattern = b"\1" * size_bytes
    took = min(_touch_ns(pattern) for _ in range(FILLS))
    return size_bytes * SECOND_NS // max(took, 1) * (cpus or os.cpu_count() or 1)


def _touch_ns(pattern: bytes) -> int:
    """How long it takes to write to so much memory for the first time; it is given back at once."""
    with mmap.mmap(-1, len(pattern), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        with Suppress(OSError):  # a kernel without huge pages
            area.madvise(mmap.MADV_NOHUGEPAGE)
        begin = time.monotonic_ns()
        area.write(pattern)
        return time.monotonic_ns() - begin
