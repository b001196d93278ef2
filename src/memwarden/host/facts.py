"""What is true of this machine while it is up and stands in no file that is read anyway."""

from __future__ import annotations

import os
from errno import EBADF, ENOSYS
from typing import Final

_RELEASE: Final = {EBADF: {"process_mrelease": "1"}, ENOSYS: {"process_mrelease": "0"}}


def facts(*, config: bool = False) -> dict[str, str]:
    """Facts by the names they have in a recording (docs/reference/rootar.md).

    ``config`` adds what only the kernel's build configuration tells, a file of some 100 KiB: ``hz``.
    """
    machine = os.uname()
    known = {
        "kernel_release": machine.release,
        "arch": machine.machine,
        "hostname": machine.nodename,
        "page_size_bytes": str(os.sysconf("SC_PAGE_SIZE")),
        "clk_tck": str(os.sysconf("SC_CLK_TCK")),
        "cpus": str(os.sysconf("SC_NPROCESSORS_ONLN")),
    }
    for line in _config(machine.release).splitlines() if config else ():
        name, _, hz = line.partition(b"=")
        if name == b"CONFIG_HZ" and hz.isdigit():
            known["hz"] = hz.decode()
    return known


def of_release(errno: int) -> dict[str, str]:
    """What ``process_mrelease`` tells of itself by the error that it gives for no process at all.

    A filter of calls gives EPERM, and then nobody knows.
    """
    return _RELEASE.get(errno, {})


def _config(release: str) -> bytes:
    """The configuration the running kernel was built with; nothing where it is not published."""
    try:
        with open(f"/boot/config-{release}", "rb") as file:
            return file.read()
    except OSError:
        pass
    import zlib  # noqa: PLC0415 - only a recording pays for it

    try:
        with open("/proc/config.gz", "rb") as file:
            return zlib.decompress(file.read(), wbits=31)
    except (OSError, zlib.error):
        return b""
