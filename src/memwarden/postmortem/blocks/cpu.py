"""The line of ``dump_stack``: who was on which CPU, and the kernel's release.

``lib/dump_stack.c:dump_stack_print_info`` (3.9 and later), before that ``Pid: N, comm: X ...`` of most
architectures; Linux 6.12 puts ``UID: n`` before ``PID:``. Old kernels for ARM and s390 name the task
elsewhere: ``CPU: 0 Not tainted 2.6.28 #1``, then ``Process X (pid: n, task: ...)``.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class CpuLine(NamedTuple):
    """``pid`` is a thread id; ``kernel`` the release string; ``None`` for what the line does not say."""

    pid: int | None
    comm: str | None
    kernel: str | None


_NEW: Final = re.compile(r"CPU: +\d+ (?:UID: +\d+ )?PID: +(\d+) Comm: (.*)")
_OLD: Final = re.compile(r"Pid: +(\d+), comm: +(.*)")
_NOBODY: Final = re.compile(r"CPU: +\d+ +(?:Not tainted|Tainted:)")
_PROCESS: Final = re.compile(r"Process (.{1,64}?) \(pid: +(\d+)[,)]")
_RELEASE: Final = re.compile(r"(?:Not tainted|Tainted:[A-Z \t]*)[ \t]+\(?(\d+\.\d\S*)")
_STATE: Final = re.compile(r" +(?:Kdump: loaded +)?(?:Not tainted|Tainted:)")


def parse_cpu(message: str) -> CpuLine | None:
    """Read a ``CPU:`` or ``Pid:`` line; ``None`` when it is another line that begins so.

    >>> parse_cpu("CPU: 3 UID: 0 PID: 41 Comm: tmux: server Not tainted 6.12.1 #1 PREEMPT(lazy)")
    CpuLine(pid=41, comm='tmux: server', kernel='6.12.1')
    """
    found = _NEW.match(message) or _OLD.match(message)
    release = _RELEASE.search(message)
    kernel = release[1] if release else None
    if found is None:
        return CpuLine(None, None, kernel) if _NOBODY.match(message) else None
    state = _STATE.search(found[2])
    comm = found[2][: state.start()] if state else found[2].rstrip()
    return CpuLine(int(found[1]), comm, kernel)


def parse_process(message: str) -> tuple[str, int] | None:
    """Comm and pid of ``Process X (pid: n, ...)``."""
    found = _PROCESS.match(message)
    return (found[1], int(found[2])) if found else None
