"""The Mem-Info block: counters in pages, nodes and zones in kB, free lists, swap, RAM.

``lib/show_mem.c`` and ``mm/show_mem.c:show_free_areas`` (``mm/page_alloc.c`` before 6.4). Without NUMA
zone lines carry no ``Node N``. Whatever counters a line has are kept by their printed names.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_COUNTER: Final = re.compile(r"(?<![A-Za-z_-])([A-Za-z_-]{1,40}(?:\([a-z]{1,9}\))?):(\d+)(?=\s|$)")
_PLACE: Final = re.compile(r"(?:Node (\d+) )?(DMA|DMA32|Normal|HighMem|Movable|Device)\b(:| free:| per-cpu)")
_NODE: Final = re.compile(r"Node (\d+) (?=active_anon:|inactive_anon:)")
_KB: Final = re.compile(r"(?<![a-z0-9_])([a-z][a-z0-9_]{1,40}(?:\([a-z]{1,9}\))?): ?(\d+) ?[kK] ?B")
_UNRECLAIMABLE: Final = re.compile(r"all_unreclaimable\? ?(yes|no)")
_BLOCKS: Final = re.compile(r"(\d+)\* ?(\d+)kB")
_TYPES: Final = re.compile(r"\*(\d+)kB \(([A-Z]+)\)")
_HUGE: Final = re.compile(
    r"Node (\d+) hugepages_total=(\d+)\s+hugepages_free=(\d+)\s+hugepages_surp=(\d+)\s+hugepages_size=(\d+)kB"
)
_PAGES: Final = re.compile(r"(\d+) (total pagecache pages|reserved pages|pages [A-Za-z][A-Za-z/ -]*[a-zA-Z])")
_OLD_NAMES: Final = {
    "pages of RAM": "pages RAM",
    "reserved pages": "pages reserved",
    "pages swap cached": "pages in swap cache",
}
_SWAP: Final = re.compile(r"(Free|Total) swap\s*[=:]\s*(\d+) ?kB")
_RESERVE: Final = re.compile(r"lowmem_reserve\[\]:((?: \d+)+)")


class Zone(NamedTuple):
    """One zone line, kB by printed name."""

    node: int
    name: str
    kb: dict[str, int]
    all_unreclaimable: bool | None


class FreeList(NamedTuple):
    """One line of the buddy allocator: block size in kB to number of blocks, and to the letters behind it."""

    node: int
    name: str
    blocks: dict[int, int]
    letters: dict[int, str]


class HugePages(NamedTuple):
    """One pool of huge pages on one node."""

    node: int
    total: int
    free: int
    surplus: int
    size_kb: int


def parse_counters(message: str) -> dict[str, int]:
    """Counters of the head of the block, in pages by printed name.

    >>> parse_counters("active_file:14 inactive_file:66 isolated_file:2")
    {'active_file': 14, 'inactive_file': 66, 'isolated_file': 2}
    """
    return {name: int(pages) for name, pages in _COUNTER.findall(message)}


def parse_node(message: str) -> tuple[int, dict[str, int], bool | None] | None:
    """``Node 0 active_anon:...kB ...`` (4.8 and later): node, kB by name, whether given up on."""
    found = _NODE.match(message)
    if found is None:
        return None
    return int(found[1]), kilobytes(message), _given_up(message)


def parse_zone(message: str) -> Zone | FreeList | None:
    """A zone's line (``free:``) or its free list (``:``); ``None`` for others, such as per-cpu heads."""
    found = _PLACE.match(message)
    if found is None or found[3] == " per-cpu":
        return None
    node, name = int(found[1] or 0), found[2]
    if found[3] == ":":
        blocks = {int(size): int(count) for count, size in _BLOCKS.findall(message)}
        letters = {int(size): types for size, types in _TYPES.findall(message)}
        return FreeList(node, name, blocks, letters) if blocks else None
    return Zone(node, name, kilobytes(message[found.end(2) :]), _given_up(message))


def kilobytes(text: str) -> dict[str, int]:
    """Every ``name:NkB`` of a text."""
    return {name: int(value) for name, value in _KB.findall(text)}


def _given_up(message: str) -> bool | None:
    found = _UNRECLAIMABLE.search(message)
    return found[1] == "yes" if found else None


def parse_reserve(message: str) -> tuple[int, ...]:
    """``lowmem_reserve[]:`` in pages, one figure per zone type."""
    found = _RESERVE.match(message)
    return tuple(int(pages) for pages in found[1].split()) if found else ()


def parse_hugepages(message: str) -> HugePages | None:
    """``Node 0 hugepages_total=... hugepages_size=...kB`` (3.10 and later)."""
    found = _HUGE.match(message)
    return HugePages(*(int(group) for group in found.groups())) if found else None


def parse_pages(message: str) -> tuple[str, int] | None:
    """``N pages RAM`` and its like: what is counted, and pages.

    >>> parse_pages("0 pages HighMem/MovableOnly")
    ('pages HighMem/MovableOnly', 0)
    """
    found = _PAGES.match(message)
    return (_OLD_NAMES.get(found[2], found[2]), int(found[1])) if found else None


def parse_swap(message: str) -> tuple[str, int] | None:
    """``Free swap  = NkB`` or ``Total swap = NkB``: ``("Free", kB)``."""
    found = _SWAP.match(message)
    return (found[1], int(found[2])) if found else None
