"""Watermarks and sizes of each zone: ``/proc/zoneinfo``.

::

    Node 0, zone    DMA32
      pages free     772792
            boost    0
            min      9118
            low      11397
            high     13676
            spanned  1044480
            present  782336
            managed  772918
            protection: (0, 0, 2560, 2560)
          nr_zone_inactive_file 471306

Kernel: ``mm/vmstat.c:zoneinfo_show_print``; all in pages. An allocation that could use a higher zone
must leave ``protection`` pages more than the watermark in this one (``lowmem_reserve``).
"""

from typing import Final, NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned


class Zone(NamedTuple):
    """One zone of one node, in bytes. A zone without memory has ``managed_bytes`` 0.

    ``protection_bytes[n]`` is what an allocation that could use zone number ``n`` must leave here.
    From ``boost_bytes`` on, ``None`` is what the kernel did not print: older ones lack ``boost`` and
    ``cma``, and a zone without memory has no lists.
    """

    node: int
    name: str
    free_bytes: int
    min_bytes: int
    low_bytes: int
    high_bytes: int
    spanned_bytes: int
    present_bytes: int
    managed_bytes: int
    protection_bytes: tuple[int, ...]
    boost_bytes: int | None = None
    cma_bytes: int | None = None
    inactive_anon_bytes: int | None = None
    active_anon_bytes: int | None = None
    inactive_file_bytes: int | None = None
    active_file_bytes: int | None = None
    unevictable_bytes: int | None = None
    write_pending_bytes: int | None = None
    mlock_bytes: int | None = None


_FIELDS: Final = {
    "free": "free_bytes",
    "min": "min_bytes",
    "low": "low_bytes",
    "high": "high_bytes",
    "boost": "boost_bytes",
    "spanned": "spanned_bytes",
    "present": "present_bytes",
    "managed": "managed_bytes",
    "cma": "cma_bytes",
    "nr_zone_inactive_anon": "inactive_anon_bytes",
    "nr_zone_active_anon": "active_anon_bytes",
    "nr_zone_inactive_file": "inactive_file_bytes",
    "nr_zone_active_file": "active_file_bytes",
    "nr_zone_unevictable": "unevictable_bytes",
    "nr_zone_write_pending": "write_pending_bytes",
    "nr_mlock": "mlock_bytes",
}


def parse(text: str, *, path: str = "<zoneinfo>", page_size: int = 4096) -> tuple[Zone, ...]:
    """Parse the file, zones in the order printed, pages to bytes of ``page_size``."""
    if not text.startswith("Node"):
        raise ParseError(path, text, "no zone")
    zones: list[Zone] = []
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("Node")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        try:
            zones.append(_zone(lines[start:end], page_size))
        except (ValueError, TypeError):
            raise ParseError(
                path, lines[start], "not a zone with its watermarks", line_number=start + 1
            ) from None
    return tuple(zones)


def heading(words: list[str]) -> tuple[int, str]:
    """Node and name of ``Node 0, zone DMA32``; raises ``ValueError``."""
    node_word, node, zone_word, name = words
    if node_word != "Node" or not node.endswith(",") or zone_word != "zone":
        raise ValueError(words)
    return unsigned(node[:-1]), name


def _zone(lines: list[str], page_size: int) -> Zone:
    node, name = heading(lines[0].split())
    pages: dict[str, int] = {}
    protection: tuple[int, ...] = ()
    for line in lines[1:]:
        key, _, value = line.strip().removeprefix("pages ").partition(" ")
        if key in _FIELDS:
            pages[_FIELDS[key]] = unsigned(value.strip()) * page_size
        elif key == "protection:":
            protection = tuple([unsigned(word) * page_size for word in value.strip("()").split(", ")])
    return Zone(node=node, name=name, protection_bytes=protection, **pages)
