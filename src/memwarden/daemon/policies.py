"""The policy of the daemon, read by a child: what reads policies is never in the guard's own memory."""

from __future__ import annotations

import marshal
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.guard.flat import unflatten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.ir import Policy

READER: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reading.py")
LIMIT_MS: Final = 30_000
"""A reader that takes longer is given up; a policy is read in a tenth of a second."""
CHUNK: Final = 1 << 16


def read(where: str | None, *, bug_compatible: bool = False) -> tuple[Policy, list[str]]:
    """The policy, and what is odd about it in words. Raises :class:`InputError` with all that is wrong."""
    printed = _ask(where or "", "1" if bug_compatible else "0")
    try:
        found = marshal.loads(printed)  # noqa: S302 - our own child's, of the same version
    except (EOFError, ValueError, TypeError):
        raise InputError(
            "the policy could not be read: its reader died; try: memwarden policy check"
        ) from None
    if isinstance(found, str):
        raise InputError(found)
    return unflatten(found[0]), list(found[1])


def _ask(*words: str) -> bytes:
    """What the reader prints; nothing when it did not end in time."""
    try:
        reader, pid = _spawn(words)
    except OSError as error:
        raise InputError(f"the policy could not be read: {error.strerror}") from None
    try:
        return _read(reader)
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)  # ours, and not reaped yet: nobody else has its pid
        os.waitpid(pid, 0)


def _spawn(words: Sequence[str]) -> tuple[int, int]:
    """Where it prints to, and its pid."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", READER, *words],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)],
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP],
        )
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return reader, pid


def _read(reader: int) -> bytes:
    poll, printed = select.poll(), bytearray()
    poll.register(reader, select.POLLIN)
    while poll.poll(LIMIT_MS):
        chunk = os.read(reader, CHUNK)
        if not chunk:
            return bytes(printed)
        printed += chunk
    return b""
