"""The line of ``dump_stack``: who was on which CPU, and the kernel's release.

``lib/dump_stack.c:dump_stack_print_info`` (3.9 and later), before that ``Pid: N, comm: X ...`` of the
architectures; Linux 6.12 puts ``UID: n`` before ``PID:``.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class CpuLine(NamedTuple):
    """``pid`` is a thread id; ``kernel`` the release string."""

    pid: int
    comm: str
    kernel: str | None


_NEW: Final = re.compile(r"CPU: +\d+ (?:UID: +\d+ )?PID: +(\d+) Comm: (.*)")
_OLD: Final = re.compile(r"Pid: +(\d+), comm: +(.*)")
_RELEASE: Final = re.compile(r"(?:Not tainted|Tainted:[A-Z \t]*)[ \t](\d+\.\d\S*)")
_STATE: Final = re.compile(r" +(?:Kdump: loaded +)?(?:Not tainted|Tainted:)")


def parse_cpu(message: str) -> CpuLine | None:
    """Read a ``CPU:`` or ``Pid:`` line; ``None`` when it is another line that begins so.

    >>> parse_cpu("CPU: 3 UID: 0 PID: 41 Comm: tmux: server Not tainted 6.12.1 #1 PREEMPT(lazy)")
    CpuLine(pid=41, comm='tmux: server', kernel='6.12.1')
    """
    found = _NEW.match(message) or _OLD.match(message)
    if found is None:
        return None
    state = _STATE.search(found[2])
    release = _RELEASE.search(found[2])
    comm = found[2][: state.start()] if state else found[2].rstrip()
    return CpuLine(int(found[1]), comm, release[1] if release else None)
