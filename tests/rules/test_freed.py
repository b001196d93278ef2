"""What a death gives back."""

from __future__ import annotations

from memwarden.rules.freed import Freed, freed_by, freed_by_all
from memwarden.units import MIB
from tests.rules.machines import process


def test_anonymous_memory_and_page_tables():
    one = process(2, 10, pgtables_bytes=40960, swap_bytes=MIB, rss_bytes=30 * MIB)
    assert freed_by(one) == Freed(10 * MIB + 40960, MIB)


def test_memory_shared_after_fork_is_bounded_by_the_proportional_size():
    assert freed_by(process(2, 10, pss_bytes=4 * MIB)).memory_bytes == 4 * MIB
    assert freed_by(process(2, 10, pss_bytes=40 * MIB)).memory_bytes == 10 * MIB


def test_unknown_stays_unknown():
    old = process(2, 10, rss_anon_bytes=None, swap_bytes=None, pgtables_bytes=None)
    assert freed_by(old) == Freed(None, None)
    assert freed_by_all([process(3, 5), old]) == Freed(None, None)
    assert freed_by(process(2, 10, pgtables_bytes=None)).memory_bytes == 10 * MIB


def test_sum():
    assert freed_by_all([process(2, 10), process(3, 5, swap_bytes=7)]) == Freed(15 * MIB, 7)
    assert freed_by_all([]) == Freed(0, 0)
