r"""One process in words: ``/proc/PID/status``.

::

    Name:	a\\b\nc
    State:	S (sleeping)
    Tgid:	4242
    Pid:	4242
    PPid:	1
    Uid:	1000	1000	1000	1000
    NSpid:	4242	7
    VmSize:	    2928 kB
    VmLck:	       0 kB
    VmRSS:	    1856 kB
    RssAnon:	     116 kB
    RssFile:	    1740 kB
    RssShmem:	       0 kB
    VmPTE:	      44 kB
    VmSwap:	       0 kB
    HugetlbPages:	       0 kB
    Threads:	1
    CapEff:	000001fffeffffff

Kernel: Documentation/filesystems/proc.rst table 1-2, ``fs/proc/array.c:proc_pid_status``,
``fs/proc/task_mmu.c:task_mem``. In the name a newline is printed as ``\n`` and a backslash as ``\\``.
Kernel threads and zombies have no memory lines. These are the figures that badness is made of:
the RSS of the whole process, its swap entries and its page tables.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import hexadecimal, kilobytes, unsigned


class PidStatus(NamedTuple):
    """A process; memory in bytes, ``None`` where the line is missing.

    ``uid`` is the real user id, ``ns_pids`` the pid in each nested pid namespace, outermost first, and
    ``cap_effective`` the mask of ``CAP_*`` bits. ``pgtables_bytes`` has ``VmPMD`` in it, which kernels
    before 4.15 printed by itself.
    """

    name: str
    state: str
    tgid: int
    pid: int
    ppid: int
    uid: int
    threads: int
    ns_pids: tuple[int, ...] | None = None
    cap_effective: int | None = None
    total_vm_bytes: int | None = None
    peak_rss_bytes: int | None = None
    rss_bytes: int | None = None
    rss_anon_bytes: int | None = None
    rss_file_bytes: int | None = None
    rss_shmem_bytes: int | None = None
    swap_bytes: int | None = None
    pgtables_bytes: int | None = None
    locked_bytes: int | None = None
    hugetlb_bytes: int | None = None


def _name(value: str) -> str:
    # Split at escaped backslashes first: what is left of `\\n` then is a newline.
    return "\\".join([part.replace("\\n", "\n") for part in value.split("\\\\")])


def _first(value: str) -> int:
    return unsigned(value.partition("\t")[0])


def _pids(value: str) -> tuple[int, ...]:
    return tuple([unsigned(pid) for pid in value.split("\t")])


def _state(value: str) -> str:
    if not value[:1].isalpha():
        raise ValueError(value)
    return value[0]


_FIELDS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "Name": ("name", _name),
    "State": ("state", _state),
    "Tgid": ("tgid", unsigned),
    "Pid": ("pid", unsigned),
    "PPid": ("ppid", unsigned),
    "Uid": ("uid", _first),
    "Threads": ("threads", unsigned),
    "NSpid": ("ns_pids", _pids),
    "CapEff": ("cap_effective", hexadecimal),
    "VmSize": ("total_vm_bytes", kilobytes),
    "VmHWM": ("peak_rss_bytes", kilobytes),
    "VmRSS": ("rss_bytes", kilobytes),
    "RssAnon": ("rss_anon_bytes", kilobytes),
    "RssFile": ("rss_file_bytes", kilobytes),
    "RssShmem": ("rss_shmem_bytes", kilobytes),
    "VmSwap": ("swap_bytes", kilobytes),
    "VmPTE": ("pgtables_bytes", kilobytes),
    "VmPMD": ("pmd_bytes", kilobytes),
    "VmLck": ("locked_bytes", kilobytes),
    "HugetlbPages": ("hugetlb_bytes", kilobytes),
}
"""Key as printed to field and its reading."""


def parse(text: str, *, path: str = "<status>") -> PidStatus:
    """Parse the file, kB to bytes; a file without name, ids and threads is an error."""
    found: dict[str, Any] = {}
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: a name may hold other line ends
        key, _, value = line.partition(":\t")
        if key in _FIELDS:
            field, read = _FIELDS[key]
            try:
                found[field] = read(value)
            except ValueError:
                raise ParseError(path, line, f"not a value of {key}", line_number=number) from None
    if "pmd_bytes" in found:
        found["pgtables_bytes"] = found.get("pgtables_bytes", 0) + found.pop("pmd_bytes")
    try:
        return PidStatus(**found)
    except TypeError:
        raise ParseError(path, text, "no Name, State, Tgid, Pid, PPid, Uid or Threads line") from None
