"""The watermark test redone: __zone_watermark_ok by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memwarden.postmortem.cause_zones import configured_zones, highest_zone, zone_verdict
from memwarden.units import KIB, MIB
from tests.postmortem.verdict_reports import (
    GFP_HIGHUSER_MOVABLE,
    GFP_KERNEL,
    node_facts,
    report,
    system_report,
    with_invoker,
    zone,
)

GFP_HIGHUSER = 0x100CC2


def names(zones):
    return [one.name for one in zones]


def verdict(*zones, mask=GFP_KERNEL, order=0, ram=4096, **mib):
    made = system_report(node_facts(ram, zones=zones, **mib))
    return zone_verdict(with_invoker(made, gfp_mask=mask, order=order))


@pytest.mark.parametrize(
    ("mask", "highest"),
    [
        (0xCC0, "Normal"),
        (0xCC1, "DMA"),
        (0xCC4, "DMA32"),
        (0xCC2, "HighMem"),
        (0xCCA, "Movable"),
        (0xCC8, "Normal"),
    ],
)
def test_highest_zone_is_gfp_zone(mask, highest):
    assert highest_zone(mask) == highest


def test_nothing_to_test():
    assert zone_verdict(report()) is None
    assert verdict(zone("Normal", 1), mask=None) is None
    assert verdict(zone("Normal", 1, min_bytes=None), zone("Device", 1)) is None


def test_all_zones_out_is_an_ordinary_shortage():
    found = verdict(zone("DMA32", 15), zone("Normal", 15), mask=GFP_HIGHUSER_MOVABLE)
    assert not found.passing
    assert not found.low


def test_a_zone_keeps_its_reserve_from_those_who_could_go_higher():
    # 20 MiB free, min 16 MiB; 2048 pages (8 MiB) kept from requests for zone Normal.
    reserve = {"lowmem_reserve_pages": (0, 0, 2048, 2048)}
    found = verdict(zone("DMA", 20, **reserve), zone("Normal", 10))
    assert names(found.passing) == []
    assert names(verdict(zone("DMA", 30, **reserve), zone("Normal", 10)).passing) == ["DMA"]


def test_a_reserve_list_that_is_cut_short_counts_by_its_last_figure():
    found = verdict(zone("DMA", 20, lowmem_reserve_pages=(2048,)), zone("Normal", 10))
    assert names(found.passing) == []


def test_low_zone_with_highmem_free():
    found = verdict(zone("Normal", 4), zone("HighMem", 900))
    assert found.low
    assert names(found.spare) == ["HighMem"]


def test_highmem_at_its_high_watermark_has_nothing_to_spare():
    assert not verdict(zone("Normal", 4), zone("HighMem", 24)).low
    # Above the watermark, but less than a twentieth of the zone.
    assert not verdict(zone("Normal", 4), zone("HighMem", 50)).low


def test_a_zone_between_min_and_low_is_short_too():
    found = verdict(zone("Normal", 18), zone("HighMem", 900))
    assert found.low
    assert names(found.passing) == ["Normal"]


def test_a_zone_above_low_is_not_short():
    assert not verdict(zone("Normal", 21), zone("HighMem", 900)).low


def test_without_highmem_a_highuser_request_uses_normal():
    found = verdict(zone("Normal", 4), zone("Movable", 900), mask=GFP_HIGHUSER)
    assert found.highest == "Normal"
    assert found.low


def test_contiguous_memory_set_aside_does_not_count_for_what_cannot_move():
    # 200 MiB free, 190 of them CMA: 10 MiB for everybody else.
    found = verdict(zone("Normal", 200, free_cma_bytes=190 * MIB))
    assert found.low
    assert found.set_aside_bytes == 190 * MIB
    movable = verdict(zone("Normal", 200, free_cma_bytes=190 * MIB), mask=GFP_HIGHUSER_MOVABLE)
    assert not movable.low


def test_a_little_contiguous_memory_is_no_reason():
    assert not verdict(zone("Normal", 14, free_cma_bytes=6 * MIB)).low


def test_high_atomic_reserve_does_not_count():
    assert not verdict(zone("Normal", 20, reserved_highatomic_bytes=5 * MIB)).passing


def blocks(**letters):
    sizes = {"k4": 4 * KIB, "k8": 8 * KIB, "k16": 16 * KIB, "k32": 32 * KIB}
    return {
        "free_list": {size: 10 if name in letters else 0 for name, size in sizes.items()},
        "free_types": {sizes[name]: kinds for name, kinds in letters.items()},
    }


def test_fragmented_when_no_block_is_large_enough():
    found = verdict(zone("Normal", 200, **blocks(k4="UME", k8="UM")), order=3)
    assert found.fragmented


@pytest.mark.parametrize(
    ("letters", "mask", "fragmented"),
    [
        ("UME", GFP_KERNEL, False),
        ("M", GFP_KERNEL, False),
        ("C", GFP_KERNEL, True),
        ("H", GFP_KERNEL, True),
        ("C", GFP_HIGHUSER_MOVABLE, False),
        ("H", GFP_HIGHUSER_MOVABLE, True),
    ],
)
def test_whose_blocks_count(letters, mask, fragmented):
    found = verdict(zone("Normal", 200, **blocks(k4="UME", k32=letters)), order=3, mask=mask)
    assert found.fragmented is fragmented


def test_old_kernels_print_no_letters():
    assert not verdict(zone("Normal", 200, free_list={32 * KIB: 1}), order=3).fragmented


def test_without_free_lists_fragments_cannot_be_told():
    assert not verdict(zone("Normal", 200), order=3).fragmented


def test_out_of_memory_is_not_fragmented():
    assert not verdict(zone("Normal", 4, **blocks(k4="UME")), order=3).fragmented


def test_of_what_is_free_a_request_of_several_pages_cannot_count_all():
    # Recorded on 5.10, order 2: zone DMA with 928 pages free, min 35 and 891 kept back. 928 - (2^2 - 1) is
    # 925, not above 926: though a large block is free there, the zone could not serve, and DMA32 had none.
    low = zone(
        "DMA",
        0,
        free_bytes=3712 * KIB,
        min_bytes=140 * KIB,
        low_bytes=172 * KIB,
        lowmem_reserve_pages=(0, 891, 891, 891, 891),
        **blocks(k4="U", k32="M"),
    )
    found = verdict(low, zone("DMA32", 134, 8, **blocks(k4="UME", k8="UE")), order=2)
    assert found.fragmented
    assert names(found.passing) == ["DMA", "DMA32"]
    # With two pages more it could have served.
    more = replace(low, free_bytes=3720 * KIB)
    assert not verdict(more, zone("DMA32", 134, 8, **blocks(k4="UME", k8="UE")), order=2).fragmented


def test_by_hand_has_order_minus_one():
    assert not verdict(zone("Normal", 200), order=-1).fragmented


def test_half_of_the_machine_free():
    assert verdict(zone("Normal", 2100), ram=4096, free=2100).mostly_free
    assert not verdict(zone("Normal", 1000, managed_mib=4096), ram=4096, free=1000).mostly_free
    assert not verdict(zone("Normal", 1000, managed_bytes=None, present_bytes=None), ram=None).mostly_free


@pytest.mark.parametrize(
    ("shown", "length", "configured"),
    [
        ({"DMA", "Normal", "HighMem"}, 4, ("DMA", "Normal", "HighMem", "Movable")),
        ({"DMA", "DMA32", "Normal"}, 5, ("DMA", "DMA32", "Normal", "Movable", "Device")),
        ({"DMA"}, 4, ("DMA", "DMA32", "Normal", "Movable")),
        ({"Normal"}, 2, ("Normal", "Movable")),
        ({"DMA", "DMA32", "Normal", "HighMem", "Movable", "Device"}, 2, ("DMA", "DMA32")),
    ],
)
def test_zone_types_of_a_reserve_list(shown, length, configured):
    assert configured_zones(shown, length) == configured


def test_a_zone_without_a_low_watermark_counts_by_min():
    assert names(verdict(zone("Normal", 17, low_bytes=None)).ample) == ["Normal"]
    assert names(verdict(zone("HighMem", 17, high_bytes=None), zone("Normal", 1)).spare) == []
