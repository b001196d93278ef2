"""Between which releases a report's format lies.

Every form of a line came with one release and went with another (Linux kernel sources,
``mm/oom_kill.c``, ``mm/memcontrol.c``, ``lib/show_mem.c``); together they leave a span. Vendors carry
forms back, so a span is a better witness of the code than a version string, and may even be empty.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.postmortem.draft import Draft

Release: TypeAlias = tuple[int, ...]
"""``(6, 1)``, or ``(2, 6, 32)`` where the third figure counts."""

FIRST: Final[Release] = (2, 6, 24)
LAST: Final[Release] = (999,)
_RELEASE: Final = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?")


def release_of(text: str | None) -> Release | None:
    """The mainline release in a release string.

    >>> release_of("6.1.0-18-amd64"), release_of("2.6.32-642.el6.x86_64"), release_of(None)
    ((6, 1), (2, 6, 32), None)
    """
    found = _RELEASE.match(text or "")
    if found is None:
        return None
    major, minor, patch = int(found[1]), int(found[2]), int(found[3] or 0)
    return (major, minor, patch) if major < 3 else (major, minor)


def span_of(draft: Draft) -> tuple[Release, Release]:
    """First and last release that print such a report; first is after last where a vendor mixed forms."""
    low, high = FIRST, LAST
    for first, last in (*_of_header(draft), *_of_table(draft), *_of_end(draft), *_of_memory(draft)):
        low, high = max(low, first), min(high, last)
    return low, high


def _of_header(draft: Draft) -> Iterator[tuple[Release, Release]]:
    header = draft.header
    if header is None or header.gfp_mask is None:
        return
    if header.oom_adj is not None:
        yield (FIRST, (2, 6, 35)) if header.oom_score_adj is None else ((2, 6, 36), (3, 6))
    elif header.gfp_flags is None:
        yield (3, 7), (4, 5)
    else:
        yield ((4, 6), LAST) if header.nodemask is None else ((4, 10), (4, 20))


def _of_table(draft: Draft) -> Iterator[tuple[Release, Release]]:
    columns = draft.columns
    if "oom_adj" in columns:
        yield (FIRST, (2, 6, 35)) if "oom_score_adj" not in columns else ((2, 6, 36), (3, 6))
    if "nr_ptes" in columns:
        yield ((4, 1), (4, 14)) if "nr_pmds" in columns else ((3, 7), (4, 0))
    if "pgtables_bytes" in columns:
        yield (4, 15), LAST
    if "rss_anon" in columns:
        yield (6, 8), LAST
    if draft.tasks_state:
        yield (4, 19), LAST


def _of_end(draft: Draft) -> Iterator[tuple[Release, Release]]:
    if draft.oom_kill is not None:
        yield (5, 0), LAST
    if draft.choice is not None:
        yield FIRST, (5, 0)
    if any(known.kill.pgtables_kb is not None for known in draft.kills.values()):
        yield (5, 4), LAST


def _of_memory(draft: Draft) -> Iterator[tuple[Release, Release]]:
    counters, stat = draft.mem.counters_pages, draft.memcg.stat
    if "unstable" in counters:
        yield FIRST, (5, 7)
    if "kernel_misc_reclaimable" in counters:
        yield (5, 18), LAST
    if any("boost" in zone.kb for zone, _ in draft.mem.zones):
        yield (5, 13), LAST
    if "workingset_refault" in stat:
        yield FIRST, (5, 8)
    if "percpu" in stat or "workingset_refault_anon" in stat:
        yield (5, 9), LAST
    if "kernel" in stat:
        yield (5, 18), LAST
    if draft.memcg.protection is not None:
        yield (6, 18), LAST
