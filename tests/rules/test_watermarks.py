"""Watermarks, against figures of real machines."""

from memwarden.rules.watermarks import min_free_bytes, watermarks, zones
from memwarden.units import GIB, KIB, MIB


def test_a_machine_of_one_gibibyte_with_huge_pages_keeps_45_mb():
    # 512 pages * 2 zones * 11 = 11264 pages = 45056 kB
    assert min_free_bytes(963 * MIB, thp=True, zone_count=zones(GIB)) == 45056 * KIB


def test_a_machine_of_three_zones_with_huge_pages_keeps_67584_kb():
    # the figure of every ordinary machine with 4 to 250 GiB: 512 * 3 * 11 pages
    assert min_free_bytes(16 * GIB, thp=True, zone_count=zones(16 * GIB)) == 67584 * KIB


def test_without_huge_pages_it_is_the_root_of_sixteen_times_the_memory():
    # sqrt(16 * 1048576 kB) = 4096 kB
    assert min_free_bytes(GIB, thp=False, zone_count=2) == 4096 * KIB
    assert min_free_bytes(MIB // 2, thp=False, zone_count=2) == 128 * KIB
    # 16 TiB: sqrt(16 * 2**34) is 524288 kB, above the ceiling
    assert min_free_bytes(16384 * GIB, thp=False, zone_count=3) == 262144 * KIB


def test_huge_pages_take_no_more_than_a_twentieth():
    # 64 MiB are 16384 pages, of which 819 are 5 %
    assert min_free_bytes(64 * MIB, thp=True, zone_count=2) == 819 * 4096


def test_the_marks_are_a_quarter_of_min_apart_or_the_factor_of_memory():
    assert watermarks(250_000, 11264, 10) == (11264, 11264 + 2816, 11264 + 2 * 2816)
    # 0.1 % of 16 GiB are 4194 pages, more than a quarter of 16896 is 4224; 1 % are 41943
    assert watermarks(4_194_304, 16896, 10) == (16896, 16896 + 4224, 16896 + 2 * 4224)
    assert watermarks(4_194_304, 16896, 100) == (16896, 16896 + 41943, 16896 + 2 * 41943)
