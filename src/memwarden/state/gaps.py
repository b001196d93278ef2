"""Why a value is absent."""

from enum import Enum
from typing import NamedTuple


class GapReason(Enum):
    """The five reasons for an absent value."""

    NO_FILE = "no-file"  # this kernel, or this cgroup, has no such file (ENOENT on a live directory)
    NOT_PERMITTED = "not-permitted"  # EACCES, EPERM
    NOT_SUPPORTED = "not-supported"  # EOPNOTSUPP: PSI switched off, controller absent; EINVAL on read
    GONE = "gone"  # the process or cgroup vanished between listing and reading (ENOENT, ENODEV, ESRCH)
    MALFORMED = "malformed"  # the text is not what the interface prints; ``detail`` has the reason


class Gap(NamedTuple):
    """One file that gave no value. ``path`` is absolute as on the machine it came from."""

    path: str
    reason: GapReason
    detail: str = ""
