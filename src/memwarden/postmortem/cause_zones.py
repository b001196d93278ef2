"""Whether the machine's zones could have served the request: the kernel's watermark test, redone.

``mm/page_alloc.c:__zone_watermark_ok`` (v6.12): of a zone's free pages those in CMA count only for movable
requests, those reserved for high-order atomic requests do not count, nor do 2^order - 1 of the rest; what is
left must exceed ``min`` plus the reserve that the zone keeps against requests which could have gone higher;
and for order > 0 a block of the order must be free in a list that the request may use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from memwarden.postmortem.cause_limit import requested_bytes
from memwarden.postmortem.filled_system import managed_bytes

if TYPE_CHECKING:
    from memwarden.postmortem.model import OomReport, ZoneFacts

ZONES: Final = ("DMA", "DMA32", "Normal", "HighMem", "Movable", "Device")
_UNSURE_ZONES: Final = ("HighMem", "Device", "DMA32", "DMA")

# include/linux/gfp_types.h: the low bits have kept their meaning since 2.6.30.
GFP_DMA: Final = 0x01
GFP_HIGHMEM: Final = 0x02
GFP_DMA32: Final = 0x04
GFP_MOVABLE: Final = 0x08

PLENTY: Final = 20
"""A zone has plenty when more than a twentieth of it is free, and free is above its high watermark."""

MOST: Final = 2
"""Half of all memory free is no shortage of memory, whatever the watermarks say."""


@dataclass(frozen=True, slots=True)
class ZoneVerdict:
    """What the watermark test says of the zones a request could use.

    ``passing`` zones could have served a single page, being above ``min``; ``ample`` ones were above ``low``,
    so that nothing was being reclaimed in them; ``spare`` are zones it could not use that had plenty;
    ``set_aside_bytes`` is free memory in usable zones that only others may take (CMA).
    """

    highest: str
    eligible: tuple[ZoneFacts, ...]
    passing: tuple[ZoneFacts, ...]
    ample: tuple[ZoneFacts, ...]
    spare: tuple[ZoneFacts, ...]
    set_aside_bytes: int
    blocks_short: bool
    """Order > 0: zones had memory enough, but none of them a free block that the request may use."""
    mostly_free: bool
    """More than half of the listed memory was free."""

    @property
    def low(self) -> bool:
        """Every usable zone was short while others, or memory set aside for others, had plenty.

        A little above ``min`` is short too: other processes free memory while the kernel prints.
        """
        return not self.ample and bool(self.eligible) and (bool(self.spare) or self.set_aside_bytes > 0)

    @property
    def fragmented(self) -> bool:
        """Memory was there, but not in one piece."""
        return self.blocks_short and bool(self.passing)


def highest_zone(mask: int) -> str:
    """The highest zone a request may take (``include/linux/gfp.h:gfp_zone``, v6.12).

    >>> highest_zone(0xcc0), highest_zone(0x100cca), highest_zone(0x500cc2)
    ('Normal', 'Movable', 'HighMem')
    """
    if mask & GFP_DMA:
        return "DMA"
    if mask & GFP_DMA32:
        return "DMA32"
    if mask & GFP_HIGHMEM:
        return "Movable" if mask & GFP_MOVABLE else "HighMem"
    return "Normal"


def zone_verdict(report: OomReport) -> ZoneVerdict | None:
    """Redo the test for the request of the header; ``None`` without a mask or without zone lines."""
    node, mask = report.node, report.invoker.gfp_mask
    zones = () if node is None else tuple(zone for zone in node.zones if _testable(zone))
    if mask is None or not zones:
        return None
    movable = bool(mask & GFP_MOVABLE)
    page = report.host.page_size_bytes
    names = {zone.name for zone in zones}
    highest = highest_zone(mask)
    if highest == "HighMem" and highest not in names:
        highest = "Normal"  # a kernel without HighMem maps the request to the zone below
    top = ZONES.index(highest)
    eligible = tuple(zone for zone in zones if ZONES.index(zone.name) <= top)
    kept = [_kept(zone, highest, names, page) for zone in eligible]
    over = [_usable(zone, movable=movable) - reserve for zone, reserve in zip(eligible, kept, strict=True)]
    passing = tuple(zone for zone, room in zip(eligible, over, strict=True) if room > (zone.min_bytes or 0))
    wanted = requested_bytes(report)
    serving = [
        zone
        for zone, room in zip(eligible, over, strict=True)
        if room - wanted + page > (zone.min_bytes or 0)
    ]
    able = [_has_block(zone, wanted, movable=movable) for zone in serving] if wanted > page else [True]
    free = sum(zone.free_bytes or 0 for zone in zones)
    managed = managed_bytes(node) if node is not None else None
    return ZoneVerdict(
        highest,
        eligible,
        passing,
        tuple(zone for zone, room in zip(eligible, over, strict=True) if room > _low(zone)),
        tuple(zone for zone in zones if zone not in eligible and _plenty(zone)),
        sum(_set_aside(zone, room, movable=movable) for zone, room in zip(eligible, over, strict=True)),
        blocks_short=bool(able) and not any(one in (True, None) for one in able),
        mostly_free=managed is not None and free * MOST > managed,
    )


def _testable(zone: ZoneFacts) -> bool:
    return zone.name in ZONES[:-1] and zone.free_bytes is not None and zone.min_bytes is not None


def _usable(zone: ZoneFacts, *, movable: bool) -> int:
    cma = 0 if movable else zone.free_cma_bytes or 0
    return (zone.free_bytes or 0) - cma - (zone.reserved_highatomic_bytes or 0)


def _kept(zone: ZoneFacts, highest: str, names: set[str], page: int) -> int:
    """What the zone keeps back from requests that could have used a higher zone (``lowmem_reserve``)."""
    reserve = zone.lowmem_reserve_pages
    if not reserve or highest == zone.name:
        return 0
    configured = configured_zones(names, len(reserve))
    index = configured.index(highest) if highest in configured else len(reserve) - 1
    return reserve[index] * page


def configured_zones(names: set[str], length: int) -> tuple[str, ...]:
    """The zone types the kernel was built with, in the order of ``lowmem_reserve[]``.

    The list has one figure per type, empty types included, and does not name them: the types that the text
    shows are in it, and Movable always is.

    >>> configured_zones({"DMA", "Normal", "HighMem"}, 4)
    ('DMA', 'Normal', 'HighMem', 'Movable')
    >>> configured_zones({"DMA", "DMA32", "Normal"}, 5)
    ('DMA', 'DMA32', 'Normal', 'Movable', 'Device')
    """
    kept = list(ZONES)
    for name in _UNSURE_ZONES:
        if len(kept) > length and name not in names:
            kept.remove(name)
    return tuple(kept[:length])


def _plenty(zone: ZoneFacts) -> bool:
    free = zone.free_bytes or 0
    whole = zone.managed_bytes or zone.present_bytes or 0
    return free > (zone.high_bytes or zone.min_bytes or 0) and free * PLENTY > whole


def _low(zone: ZoneFacts) -> int:
    return zone.min_bytes or 0 if zone.low_bytes is None else zone.low_bytes


def _set_aside(zone: ZoneFacts, room: int, *, movable: bool) -> int:
    """Free memory that would make the zone ample, were it not CMA, which this request cannot use."""
    cma = 0 if movable else zone.free_cma_bytes or 0
    return cma if room <= _low(zone) < room + cma and cma * 2 > (zone.free_bytes or 0) else 0


def _has_block(zone: ZoneFacts, size_bytes: int, *, movable: bool) -> bool | None:
    """Whether a block of at least this size is free in a list the request may use; ``None`` without lists.

    Letters behind a count say which lists hold such blocks: U, M and E serve everybody, C (CMA) only movable
    requests, H (high-atomic), R (reserve) and I (isolated) nobody here (``show_migration_types``, v6.12).
    """
    if zone.free_list is None:
        return None
    for block, count in zone.free_list.items():
        if block >= size_bytes and count > 0:
            letters = (zone.free_types or {}).get(block)
            if letters is None or set(letters) & ({"U", "M", "E", "C"} if movable else {"U", "M", "E"}):
                return True
    return False
