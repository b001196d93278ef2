"""Programs that run for the guard: which may, what they print within bounds, and how they ended."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from memwarden.host import files
from memwarden.host.targets import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT: Final = 1 << 13
"""Bytes of output that are kept, the first ones; the rest is read and dropped so that nobody blocks."""
CHUNK: Final = 1 << 16
OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""Of the system's own programs."""
FOLDERS: Final = ("/usr/bin", "/bin")
LONGEST_UNIT: Final = 255
UNITS: Final = (".service", ".socket", ".timer", ".path", ".target")
"""Kinds of units that can be restarted."""
UNIT_CHARACTERS: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@")
"""``src/basic/unit-name.c:VALID_CHARS_WITH_AT`` (systemd 257)."""


class Program:
    """A child of ours in a session of its own. Who made it ends it, too, and reaps it."""

    __slots__ = ("_keep", "_pipe", "dropped", "output", "pid", "pidfd")

    def __init__(self, pid: int, pidfd: int, pipe: int, keep: int = KEPT) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self._keep = keep
        self._pipe = pipe
        os.set_blocking(pipe, False)
        self.output = bytearray()
        self.dropped = 0

    def filenos(self) -> tuple[int, ...]:
        """For ``poll``: its end, and what it prints for as long as that is open."""
        return (self.pidfd, self._pipe) if self._pipe >= 0 else (self.pidfd,)

    def collect(self) -> None:
        """Read what it has printed."""
        while self._pipe >= 0:
            try:
                chunk = os.read(self._pipe, CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                self._close_pipe()
                return
            room = self._keep - len(self.output)
            self.output += chunk[:room]
            self.dropped += max(len(chunk) - room, 0)

    def text(self) -> str:
        """What it printed, for a person."""
        said = self.output.decode("utf-8", "replace").rstrip("\n")
        return f"{said}\n({self.dropped} bytes more)" if self.dropped else said

    def close(self) -> None:
        """Close our ends."""
        self._close_pipe()
        os.close(self.pidfd)

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


def sentence(exit_code: int | None, limit_us: int, *, late: bool) -> str:
    """What was wrong with how a program ended; empty for success. ``None``: it has not, though killed."""
    if late or exit_code is None:
        return f"did not end within {limit_us / 1_000_000:g} s and was killed"
    if exit_code < 0:
        return f"was killed by signal {-exit_code}"
    return f"ended with exit code {exit_code}" if exit_code else ""


def find(name: str) -> str | None:
    """Where a program of the system is, ``None`` where it is not installed."""
    return next((f"{folder}/{name}" for folder in FOLDERS if os.access(f"{folder}/{name}", os.X_OK)), None)


def check_program(argv: Sequence[str]) -> None:
    """Raise :class:`Refused` for a program that is not there, or that others than its owner can replace."""
    path = argv[0] if argv else ""
    if not path.startswith("/"):
        raise Refused(f"{path or 'a hook'}: a program is named by its full path")
    try:
        found = os.stat(path)
    except OSError as error:
        raise Refused(f"{path}: cannot be run: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode) or not os.access(path, os.X_OK):
        raise Refused(f"{path}: is not a program that can be run")
    if found.st_mode & OTHERS_WRITE or found.st_uid not in (0, os.geteuid()):
        raise Refused(f"{path}: others can change it; chown it to root and chmod go-w")


def check_unit(unit: str, proc: str) -> None:
    """Raise :class:`Refused` for what is no name of a unit that can be restarted, and for our own unit."""
    if not unit.endswith(UNITS) or len(unit) > LONGEST_UNIT or not UNIT_CHARACTERS.issuperset(unit):
        raise Refused(f"{unit!r}: is not the name of a unit that can be restarted")
    fd = os.open(f"{proc}/self/cgroup", files.FILE_FLAGS & ~os.O_NOFOLLOW)
    try:
        ours = files.read_fd(fd).decode("utf-8", "replace")
    finally:
        os.close(fd)
    if any(unit in line.split("/") for line in ours.splitlines()):
        raise Refused(f"{unit}: memwarden itself runs in it")
