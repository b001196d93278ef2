"""The front of a line of text: syslog and journal forms, log level, seconds since boot, caller."""

from __future__ import annotations

import re
from typing import Final

from memwarden.postmortem.transport.stamp import Stamp

_DATE: Final = (
    r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\w+\.? \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [A-Z][A-Za-z0-9+-]*"
)
_COMMON: Final = re.compile(
    rf"\s*(?:(?P<wall>{_DATE}) (?:(?P<host>\S+) )?(?:kernel|vmunix|klogd)(?:\[-?\d*\])?:)?\s*"
    r"(?:<\d{1,3}>)?"
    r"(?:\[ *(?P<mono>\d+\.\d+)\](?: ?\[ *(?P<caller>[TC]\d+)\])?)?"
)


def split(line: str) -> tuple[Stamp | None, str]:
    """Stamp and message of one line; the stamp is ``None`` where the line carries none."""
    found = _COMMON.match(line)
    assert found is not None
    end = found.end()
    if found.lastgroup is None:
        return None, line
    wall, host, mono, caller = found.groups()
    return Stamp(wall, host, mono, caller), line[end:]
