"""What is true of this machine while it is up and stands in no file that is read anyway."""

from __future__ import annotations

import os


def facts() -> dict[str, str]:
    """Facts by the names they have in a recording (docs/reference/rootar.md)."""
    machine = os.uname()
    return {
        "kernel_release": machine.release,
        "arch": machine.machine,
        "hostname": machine.nodename,
        "page_size_bytes": str(os.sysconf("SC_PAGE_SIZE")),
        "clk_tck": str(os.sysconf("SC_CLK_TCK")),
        "cpus": str(os.sysconf("SC_NPROCESSORS_ONLN")),
    }
