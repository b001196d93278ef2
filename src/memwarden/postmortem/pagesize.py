"""How large a page is: from figures that are printed in both units, from the machine, or assumed."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memwarden.postmortem.draft import Draft
    from memwarden.postmortem.model import PageSizeBasis

_KIB: Final = 1024
_SIZES: Final = (4096, 8192, 16384, 65536)

_RELEASE_SIZES: Final = tuple(
    (re.compile(hint), size)
    for hint, size in (
        (r"[-+_.]64k", 65536),
        (r"[-+_.]16k", 16384),
        # RHEL 7 and 8 and their kin build for 64 KiB on 64-bit ARM and POWER; RHEL 9 says so where it does.
        (r"\.el[78]\w*\.aarch64", 65536),
        (r"ppc64", 65536),
        (r"sparc64|alpha", 8192),
        (r"ia64", 16384),
        (r"x86_64|amd64|i[3-6]86|[-.]686|s390|armv7|armhf|armmp", 4096),
    )
)


def page_size(draft: Draft) -> tuple[int, PageSizeBasis]:
    """Bytes of a page and what that rests on.

    The smallest block of a free list is one page. A counter printed in pages and the same in kB, or a
    table row and its kill line, give the ratio exactly. Else the machine's own size as its registers
    or its kernel's release tell it, else 4 KiB.
    """
    for entry in draft.mem.free_lists:
        smallest = min(entry.blocks) * _KIB
        if smallest in _SIZES:
            return smallest, "text"
    ratio = _from_counters(draft) or _from_rows(draft)
    if ratio is not None:
        return ratio, "text"
    if draft.machine:
        return 4096, "architecture"
    return _from_release(draft.cpu.kernel if draft.cpu else None)


def _from_counters(draft: Draft) -> int | None:
    """Pages of the head against kB of the node lines."""
    for name in ("inactive_anon", "active_anon", "active_file", "inactive_file"):
        pages = draft.mem.counters_pages.get(name, 0)
        kb = sum(node.get(name, 0) for _, node in draft.mem.nodes_kb)
        if pages >= 64 and (size := _nearest(kb * _KIB / pages)) is not None:
            return size
    return None


def _nearest(ratio: float) -> int | None:
    """The page size within 10 percent: the two figures are read at slightly different times."""
    for size in _SIZES:
        if abs(ratio - size) * 10 <= size:
            return size
    return None


def _from_rows(draft: Draft) -> int | None:
    """total_vm of a victim's row, in pages, against its kill line's, in kB."""
    if "total_vm" not in draft.columns:
        return None
    place = draft.columns.index("total_vm")
    for known in islice(draft.kills.values(), 4):
        count = next((row.numbers[place] for row in draft.rows if row.pid == known.kill.pid), None)
        kb = known.kill.total_vm_kb
        if count and count > 0 and kb and kb * _KIB % count == 0 and kb * _KIB // count in _SIZES:
            return kb * _KIB // count
    return None


def _from_release(release: str | None) -> tuple[int, PageSizeBasis]:
    """Distributions put the machine, and some the page size, into the release string."""
    for hint, size in _RELEASE_SIZES:
        if hint.search(release or ""):
            return size, "architecture"
    return 4096, "assumed"
