"""One process in one line: ``/proc/PID/stat``.

::

    4242 (a (b) c) S 1 4242 4242 0 -1 4194560 301 0 2 0 7 3 0 0 20 0 5 0 83310 2998272 410 …

Kernel: Documentation/filesystems/proc.rst table 1-4, ``fs/proc/array.c:do_task_stat``. The name is printed
as it is, with blanks, parentheses and newlines, so it ends at the last ``)``; all after it are numbers.
"""

from typing import NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import signed, unsigned


class PidStat(NamedTuple):
    """Some of the 52 fields. ``flags`` are ``PF_*``; ticks are ``1 / CLK_TCK`` s, the start since boot."""

    pid: int
    comm: str
    state: str
    ppid: int
    flags: int
    minor_faults: int
    major_faults: int
    user_ticks: int
    system_ticks: int
    nice: int
    threads: int
    start_time_ticks: int
    total_vm_bytes: int


def parse(text: str, *, path: str = "<stat>") -> PidStat:
    """Parse the line up to the size of the address space; later fields are ignored."""
    head, _, tail = text.rpartition(")")
    pid, _, comm = head.partition(" (")
    words = tail.split()
    try:
        return PidStat(
            pid=unsigned(pid),
            comm=comm,
            state=words[0],
            ppid=unsigned(words[1]),
            flags=unsigned(words[6]),
            minor_faults=unsigned(words[7]),
            major_faults=unsigned(words[9]),
            user_ticks=unsigned(words[11]),
            system_ticks=unsigned(words[12]),
            nice=signed(words[16]),
            threads=unsigned(words[17]),
            start_time_ticks=unsigned(words[19]),
            total_vm_bytes=unsigned(words[20]),
        )
    except (ValueError, IndexError):
        raise ParseError(path, text, "not 'pid (comm) state' and numbers") from None
