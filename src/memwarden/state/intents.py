"""Decisions as data: what shall be done to a machine, by whoever can.

``host.effects`` does it for real, ``sim.world`` pretends, ``present`` prints it in a dry run. An intent
names its
target by what cannot be used again by somebody else: a cgroup by path and inode, a process by pid and start
time. Whoever acts checks both first, and refuses when they differ.
"""

from typing import NamedTuple, TypeAlias

from memwarden.units import Limit


class CgroupId(NamedTuple):
    """A cgroup: its path below the root of the hierarchy, and the inode of its directory."""

    path: str
    inode: int


class ProcessId(NamedTuple):
    """A process: ``start_time_ticks`` is field 22 of ``/proc/PID/stat``; ``comm`` is for people only."""

    pid: int
    start_time_ticks: int
    comm: str = ""


Target: TypeAlias = CgroupId | ProcessId


class Notify(NamedTuple):
    """Say it and change nothing."""

    text: str


class Reclaim(NamedTuple):
    """Write ``amount_bytes`` to ``memory.reclaim``; ``swappiness`` only where the kernel takes it."""

    cgroup: CgroupId
    amount_bytes: int
    swappiness: int | None = None


class SetHigh(NamedTuple):
    """Write ``memory.high``.

    ``restore`` is what it was, for the undo journal; ``None``: this undoes what stands there, nothing else.
    """

    cgroup: CgroupId
    high_bytes: Limit
    restore: Limit | None = None


class Freeze(NamedTuple):
    """Write 1 to ``cgroup.freeze``; undone by ``Thaw``."""

    cgroup: CgroupId


class Thaw(NamedTuple):
    """Write 0 to ``cgroup.freeze``."""

    cgroup: CgroupId


class RunHook(NamedTuple):
    """Run a program before a kill, without a shell; what it prints is kept, its death is ours to see to.

    ``meanwhile`` is what happens to the victim until the hook ends or ``limit_us`` are over: ``freeze``,
    ``throttle`` (memory.high at its usage) or ``nothing``. The environment is made of ``environment`` only.
    """

    argv: tuple[str, ...]
    target: Target
    limit_us: int
    meanwhile: str = "freeze"
    environment: tuple[tuple[str, str], ...] = ()


class Terminate(NamedTuple):
    """SIGTERM to a process, or to every process of a cgroup's subtree."""

    target: Target


class Kill(NamedTuple):
    """SIGKILL to a process, or to a cgroup's whole subtree; then ``process_mrelease`` where it exists."""

    target: Target
    release: bool = True


class Restart(NamedTuple):
    """Restart a systemd unit, as ``systemctl restart`` does."""

    unit: str


class Panic(NamedTuple):
    """Crash the kernel for a dump (``/proc/sysrq-trigger`` c). Nothing does this unless allowed by name."""


Intent: TypeAlias = Notify | Reclaim | SetHigh | Freeze | Thaw | RunHook | Terminate | Kill | Restart | Panic


class Outcome(NamedTuple):
    """What became of an intent.

    ``done`` is whether it took effect at all; ``error`` one sentence where it did not, or not wholly.
    ``signalled``
    counts processes. ``took_us`` is how long the act itself took; what it freed is measured by later
    snapshots. ``output`` is what a program printed, cut.
    """

    intent: Intent
    done: bool
    error: str = ""
    signalled: int = 0
    took_us: int = 0
    dry: bool = False
    output: str = ""
