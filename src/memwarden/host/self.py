"""Every write about ourselves: PSI triggers that we arm for us, and our own limit on open files."""

from __future__ import annotations

import os
import resource
from typing import Final

OTHER_FILES: Final = 128
"""Standard streams, files of the machine, triggers, a log, and directories on the way to a cgroup."""


def open_trigger(path: str, trigger: bytes, *, dir_fd: int | None = None) -> int:
    """Open a pressure file and write a trigger into it; closing the descriptor removes it.

    Raises ``OSError``: EINVAL for a window or threshold that this kernel refuses, EACCES, EOPNOTSUPP with
    ``psi=0``, ENOENT.
    """
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=dir_fd)
    try:
        os.write(fd, trigger)
    except OSError:
        os.close(fd)
        raise
    return fd


def raise_file_limit() -> int:
    """Raise our soft limit on open files to the hard one; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def files_to_keep(wanted: int) -> int:
    """How many files may stay open so that there is room for the others a program needs."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, min(wanted, soft - OTHER_FILES))
