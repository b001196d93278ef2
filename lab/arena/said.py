"""Whom the daemons that kill single processes say they killed.

A unit's cgroup stays populated when one of its processes dies, and the system's own services are not watched
at all; both are seen in the daemon's journal only. Of a turn its last 200 lines are kept, so there may have
been more. A journal that was late has lines of the turn before, which end where systemd says that it started
the daemon. oomd and systemd-oomd kill whole cgroups, memwarden keeps its decisions in a file of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMS = {
    # earlyoom 1.8, kill.c:kill_process
    "earlyoom": re.compile(r'sending SIG(?:TERM|KILL) to process \d+ uid \d+ "(?P<name>.+?)":'),
    # nohang 0.2, print_stat_dict: what it did since its start, repeated after each deed
    "nohang": re.compile(r"\[ OK \] Sending SIG(?:TERM|KILL) to (?P<name>.+): \d+$"),
}

STARTED = re.compile(r"Started \S+\.service - ")


def killed(column: str, lines: Iterable[str]) -> tuple[str, ...]:
    """Names of processes, each once, in alphabetical order.

    >>> killed("nohang", ["  [ OK ] Sending SIGKILL to systemd-logind: 1", "OK; total response time: 759ms"])
    ('systemd-logind',)
    """
    form = FORMS.get(column)
    lines = list(lines)
    begin = max((number for number, line in enumerate(lines) if STARTED.match(line)), default=0)
    found = (form.search(line) for line in lines[begin:]) if form else ()
    return tuple(sorted({match["name"] for match in found if match}))
