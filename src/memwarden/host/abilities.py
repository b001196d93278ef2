"""What this kernel and our permissions let the guard do, found by trying and never by a version."""

import os
from errno import EBADF
from typing import TYPE_CHECKING, NamedTuple

from memwarden.host import programs

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.host.effects import Hands
    from memwarden.host.targets import Machine


class Abilities(NamedTuple):
    """Each was tried; :attr:`missing` says in sentences what is not there and what follows from it.

    ``where`` is the cgroup whose files were tried, empty where there is none but the root, which has none of
    them: then everything about cgroups is false for want of one.
    """

    where: str
    kill: bool  # cgroup.kill
    freeze: bool  # cgroup.freeze
    high: bool  # memory.high
    reclaim: bool  # memory.reclaim
    swappiness: bool  # memory.reclaim takes swappiness=
    signal: bool  # pidfd_open and pidfd_send_signal, tried with signal 0 on ourselves
    release: bool  # process_mrelease
    restart: bool  # systemctl

    @property
    def missing(self) -> tuple[str, ...]:
        """What is missing, the worst first."""
        return tuple(text for name, text in _MISSING if not getattr(self, name))


_MISSING = (
    ("signal", "processes cannot be held by pidfd here, so nothing can be killed one by one"),
    ("kill", "no cgroup.kill: a group is killed process by process, frozen meanwhile where it can be"),
    ("freeze", "no cgroup.freeze: groups cannot be frozen"),
    ("high", "no memory.high: nothing can be throttled"),
    ("reclaim", "no memory.reclaim: memory cannot be reclaimed ahead of need"),
    ("swappiness", "memory.reclaim takes no swappiness: it is left out"),
    ("release", "no process_mrelease: a victim's memory comes back when it exits by itself"),
    ("restart", "no systemctl: units cannot be restarted"),
)


def probe(machine: "Machine", hands: "Hands") -> Abilities:
    """Try everything in a way that changes nothing: reclaim of 0 bytes, signal 0, opening for writing."""
    sample = machine.sample()
    path, fd = sample if sample is not None else ("", -1)
    try:
        return Abilities(
            where=path,
            kill=_can(hands.open, fd, "cgroup.kill"),
            freeze=_can(hands.open, fd, "cgroup.freeze"),
            high=_can(hands.open, fd, "memory.high"),
            reclaim=_can(hands.put, fd, "memory.reclaim", b"0"),
            swappiness=_can(hands.put, fd, "memory.reclaim", b"0 swappiness=60"),
            signal=_can(_signal_ourselves, hands, machine.pid),
            release=_can_release(hands),
            restart=programs.find("systemctl") is not None,
        )
    finally:
        if fd >= 0:
            os.close(fd)


def _can(function: "Callable[..., None]", *arguments: object) -> bool:
    try:
        function(*arguments)
    except OSError:
        return False
    return True


def _signal_ourselves(hands: "Hands", pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        hands.signal(pidfd, 0)
    finally:
        os.close(pidfd)


def _can_release(hands: "Hands") -> bool:
    """Descriptor -1 gives EBADF where the call exists, ENOSYS where not, and EPERM behind some filters."""
    return hands.release_errno(-1) == EBADF
