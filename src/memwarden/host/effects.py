"""Every act on others: the one file in which something is killed, stopped, limited, reclaimed or run.

:class:`Hands` has the writes themselves, each a system call or two. :class:`Effects` carries out the intents
of :mod:`memwarden.state.intents` with them. The order is the same for each intent: the target is found again
by its identity (``targets``), what may never be touched is refused whatever the intent says, what has to be
undone is written down (``journal``), then it is done, and one :class:`Outcome` says what became of it. In a
dry run everything is checked and nothing is done.

What the kernel may not answer at once (a reclaim, a limit below the usage, a hook, systemctl) goes on by
itself: :meth:`Effects.apply` returns ``None``, and :meth:`Effects.ended` the outcome later.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from errno import EAGAIN
from typing import TYPE_CHECKING, Final, NoReturn

from memwarden.errors import InputError
from memwarden.host import abilities, programs
from memwarden.host.blocks import Suppress
from memwarden.host.changes import Changes
from memwarden.host.clock import SystemClock
from memwarden.host.hooks import Hooks
from memwarden.host.killing import POLL_MS, Killing
from memwarden.host.reclaiming import Reclaiming
from memwarden.host.targets import Machine, Refused, why
from memwarden.host.underway import Act, Done, Underway, ready
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Notify,
    Outcome,
    Panic,
    ProcessId,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memwarden.host.changes import Undone
    from memwarden.host.clock import Clock
    from memwarden.host.journal import Journal
    from memwarden.state.intents import Intent

LIMIT_US: Final = 5 * SECOND_US
"""How long a reclaim, a limit or systemctl may take when nothing else is said."""
RESTORE_US: Final = SECOND_US
REAP_MS: Final = 1000
WORKERS: Final = 3
RELEASE_TRIES: Final = 4
NR_PROCESS_MRELEASE: Final = 448
"""On every architecture but alpha (``scripts/syscall.tbl``)."""
WRITE_FLAGS: Final = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""``O_NONBLOCK``: 7.2 then sets memory.high without reclaiming for it; older kernels do not look at it."""
PROGRAM_LIMITS: Final = (
    (resource.RLIMIT_DATA, 1 << 29),  # private writable memory, not addresses, of which a JVM reserves many
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NOFILE, 1024),
)

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Effects:
    """Acts on the machine. ``journal`` may be ``None`` in a dry run only."""

    def __init__(
        self,
        cgroup_root: str,
        *,
        journal: Journal | None,
        dry_run: bool = False,
        proc: str = "/proc",
        allow_panic: bool = False,
        clock: Clock | None = None,
        hands: Hands | None = None,
    ) -> None:
        assert journal is not None or dry_run, "changes that cannot be written down are not made"
        self._dry = dry_run
        self._allow_panic = allow_panic
        self._journal = journal
        self._clock = clock or SystemClock()
        self._hands = hands or Hands()
        self._machine = Machine(cgroup_root, proc)
        self._underway = Underway(0 if dry_run else WORKERS)
        self._changes = Changes(self._machine, self._hands, None if dry_run else journal, self._underway)
        self._killing = Killing(self._machine, self._hands, self._changes, self._underway, dry=dry_run)
        self._hooks = Hooks(self._machine, self._hands, self._changes, dry=dry_run)
        self._handlers: dict[type, Callable[..., Done | None]] = {
            Notify: lambda _intent, _act: Done(),
            Reclaim: Reclaiming(self._machine, self._hands, self._underway, dry=dry_run).reclaim,
            SetHigh: self._changes.set_high,
            Freeze: self._changes.freeze,
            Thaw: self._changes.thaw,
            RunHook: self._hooks.run,
            Terminate: self._killing.terminate,
            Kill: self._killing.kill,
            Restart: self._hooks.restart,
            Panic: self._panic,
        }

    @property
    def released(self) -> int:
        """Processes whose memory ``process_mrelease`` has taken back so far."""
        return self._killing.released

    def probe(self) -> abilities.Abilities:
        """What can be done here, tried without changing anything."""
        return abilities.probe(self._machine, self._hands)

    def apply(self, intent: Intent, *, limit_us: int = LIMIT_US) -> Outcome | None:
        """Do it. ``None`` when it goes on by itself, at most ``limit_us``, or a hook's own limit."""
        act = Act(intent, self._clock.monotonic_us(), getattr(intent, "limit_us", limit_us))
        try:
            done = self._handlers[type(intent)](intent, act)
        except (Refused, InputError) as reason:
            done = Done(False, str(reason))
        except OSError as error:
            done = Done(False, f"{_name(intent)}: {why(error)}")
        if done is None:
            self._underway.add(act)
            return None
        return self._outcome(act, done)

    def _outcome(self, act: Act, done: Done) -> Outcome:
        took = self._clock.monotonic_us() - act.began_us
        return Outcome(act.intent, done.done, done.error, done.signalled, took, self._dry, done.output)

    def _panic(self, intent: Panic, act: Act) -> Done:
        if not self._allow_panic:
            raise Refused("a panic was not allowed by name; nothing is crashed")
        if not self._dry:
            self._hands.put_path(f"{self._machine.proc}/sysrq-trigger", b"c")
        return Done()

    def filenos(self) -> list[int]:
        """Descriptors to ``poll`` for POLLIN; when one is ready, or at :meth:`next_us`, :meth:`ended`."""
        return self._underway.filenos()

    def next_us(self) -> int | None:
        """When the first limit of what goes on is over, on the monotonic clock."""
        return self._underway.next_us()

    @property
    def unsettled(self) -> bool:
        """Whether something is to be undone that could not be yet: :meth:`ended` tries again."""
        return bool(self._changes.later)

    def ended(self) -> list[Outcome]:
        """Outcomes of what has ended, or is given up because its limit is over; never waits."""
        self._hooks.reap()
        self._changes.again()
        return [self._outcome(act, done) for act, done in self._underway.ended(self._clock.monotonic_us())]

    def settle(self, limit_us: int = LIMIT_US) -> list[Outcome]:
        """Wait until everything has ended, at most so long."""
        until = self._clock.monotonic_us() + limit_us
        outcomes = self.ended()
        while (self._underway or self.unsettled) and (now := self._clock.monotonic_us()) < until:
            left = max(min(until, self.next_us() or until) - now, 0)
            ready(self.filenos(), -(-left // 1000))
            outcomes += self.ended()
        return outcomes

    def restore(self) -> list[Undone]:
        """Undo everything in the journal, the latest first; what others have changed since is left alone.

        What is under way is waited for, shortly, so that it does not change again what was restored.
        """
        assert self._journal is not None
        self.settle(RESTORE_US)
        return [self._changes.undo(entry, dry=self._dry) for entry in self._journal.pending()]

    def close(self) -> None:
        """Give up what goes on, release who is held for it, and let the workers end."""
        self._underway.close()
        self._hooks.reap(REAP_MS)
        self._machine.close()


def _name(intent: object) -> str:
    target = getattr(intent, "target", None) or getattr(intent, "cgroup", None)
    if isinstance(target, CgroupId):
        return target.path
    if isinstance(target, ProcessId):
        return f"pid {target.pid}"
    return type(intent).__name__


class Hands:
    """The writes. Whoever calls them has checked whom they hit; each raises ``OSError``."""

    def open(self, directory_fd: int, name: str) -> None:
        """Open a file of a cgroup for writing and write nothing."""
        os.close(os.open(name, WRITE_FLAGS, dir_fd=directory_fd))

    def put(self, directory_fd: int, name: str, data: bytes) -> None:
        """Write a file of a cgroup whose directory is open."""
        fd = os.open(name, WRITE_FLAGS, dir_fd=directory_fd)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def put_path(self, path: str, data: bytes) -> None:
        """Write a file by its path."""
        fd = os.open(path, WRITE_FLAGS)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def signal(self, pidfd: int, number: int) -> None:
        """Signal the process that a pidfd holds."""
        signal.pidfd_send_signal(pidfd, number)

    def release_errno(self, pidfd: int) -> int:
        """``process_mrelease`` (``mm/oom_kill.c``): take a dying process's memory back; 0 or an errno."""
        return ctypes.get_errno() if _LIBC.syscall(NR_PROCESS_MRELEASE, pidfd, 0) else 0

    def release(self, pidfd: int) -> bool:
        """The same until it is taken back (EAGAIN: in part); false where it has exited or cannot be."""
        for _ in range(RELEASE_TRIES):
            failed = self.release_errno(pidfd)
            if failed != EAGAIN:
                return not failed
        return False

    def spawn(
        self, argv: Sequence[str], environment: dict[str, str], limit_us: int, keep: int = programs.KEPT
    ) -> programs.Program:
        """Start a program without a shell; what it gets is in :func:`_become`.

        A fork, not ``posix_spawn``: that keeps its caller until the program's first pages are read, which
        takes long when memory is short.
        """
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            pid = os.fork()
            if pid == 0:
                _become(argv, environment, theirs, limit_us)
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            # Nobody could watch it. It was not reaped, so that the number is still its own.
            os.kill(pid, signal.SIGKILL)
            os.close(ours)
            raise
        return programs.Program(pid, pidfd, ours, keep)

    def end(self, program: programs.Program) -> int | None:
        """Kill what is left of a program's session and reap it; as :meth:`reap`."""
        program.collect()
        with Suppress(OSError):
            os.killpg(program.pid, signal.SIGKILL)  # nobody else has this number before the leader is reaped
        with Suppress(OSError):
            self.signal(program.pidfd, signal.SIGKILL)
        return self.reap(program, POLL_MS)

    def reap(self, program: programs.Program, wait_ms: int) -> int | None:
        """The exit code of a program that was killed, or minus the signal that did it.

        ``None`` when it has not died in that time, being in the kernel: ask again.
        """
        ready([program.pidfd], wait_ms)
        found = os.waitid(os.P_PIDFD, program.pidfd, os.WEXITED | os.WNOHANG)
        if found is None:
            return None
        program.close()
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _become(argv: Sequence[str], environment: dict[str, str], out: int, limit_us: int) -> NoReturn:
    """The child: a session, limits, priority and badness of its own, nothing of ours; then the program."""
    try:
        os.setsid()
        os.chdir("/")
        null = os.open("/dev/null", os.O_RDWR)
        for fd, target in ((null, 0), (out, 1), (out, 2)):
            os.dup2(fd, target)
        os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        with Suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        with Suppress(OSError):
            Hands().put_path("/proc/self/oom_score_adj", b"0")
        cpu = (resource.RLIMIT_CPU, -(-limit_us // SECOND_US) + 1)
        for what, most in (*PROGRAM_LIMITS, cpu):
            resource.setrlimit(what, (most, most))
        os.execve(argv[0], list(argv), environment)  # noqa: S606 - no shell, on purpose
    except BaseException as error:  # noqa: BLE001 - a child must not go on as a second guard
        os.write(1, f"cannot be run: {error}\n".encode())
    finally:
        os._exit(127)
