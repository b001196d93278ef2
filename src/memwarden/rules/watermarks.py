"""When the machine counts as short of memory: min, low and high.

``mm/page_alloc.c:calculate_min_free_kbytes``, ``__setup_per_zone_wmarks`` and
``mm/khugepaged.c:set_recommended_min_free_kbytes`` (v5.10, v6.1, v6.12), summed over the zones. Below low
kswapd reclaims until high; below min whoever allocates reclaims itself.
"""

from math import isqrt
from typing import Final, NamedTuple

from memwarden.units import GIB, KIB

PAGEBLOCK_PAGES: Final = 512
"""``pageblock_nr_pages`` with huge pages of 2 MiB."""
PCP_TYPES: Final = 3
"""``MIGRATE_PCPTYPES``."""
DMA32_END: Final = 4 * GIB
HOLE_BYTES: Final = GIB
"""Below 4 GiB so much is taken by devices, roughly: memory from there on is in zone Normal."""


class Watermarks(NamedTuple):
    """Pages of free memory."""

    min_pages: int
    low_pages: int
    high_pages: int


def zones(ram_bytes: int) -> int:
    """How many zones have memory: DMA and DMA32, and Normal above 4 GiB of addresses."""
    return 2 if ram_bytes <= DMA32_END - HOLE_BYTES else 3


def min_free_bytes(managed_bytes: int, *, thp: bool, zone_count: int) -> int:
    """``vm.min_free_kbytes`` as the kernel sets it by itself, in bytes.

    The square root of 16 times the memory in KiB, within 128 KiB and 256 MiB; with transparent huge pages at
    least two pageblocks per zone and nine more against fragmentation, but no more than 5 % of memory.
    """
    by_size = min(max(isqrt(managed_bytes // KIB * 16), 128), 262144) * KIB
    if not thp:
        return by_size
    recommended = PAGEBLOCK_PAGES * zone_count * (2 + PCP_TYPES * PCP_TYPES)
    recommended = min(recommended, managed_bytes // 4096 // 20)
    return max(by_size, recommended * 4096)


def watermarks(managed_pages: int, min_pages: int, scale_factor: int) -> Watermarks:
    """The three marks; ``scale_factor`` is ``vm.watermark_scale_factor``, in ten-thousandths of memory."""
    step = max(min_pages // 4, managed_pages * scale_factor // 10000)
    return Watermarks(min_pages, min_pages + step, min_pages + 2 * step)
