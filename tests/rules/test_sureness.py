"""How sure a ranking is."""

from __future__ import annotations

import pytest

from memwarden.rules.sureness import Sureness, rss_error_pages, sureness
from memwarden.state.traits import KernelTraits


@pytest.mark.parametrize(
    ("threads", "cpus", "pages"),
    [
        (1, 2, 256),  # max(32, 4) * 2 * 4 counters
        (1, 64, 32768),  # max(32, 128) * 64 * 4: 32 MiB of each counter
        (100, 2, 6400),  # 64 events in each of 100 threads
    ],
)
def test_error_of_approximate_counters(threads, cpus, pages):
    for known in (True, None):
        assert rss_error_pages(KernelTraits(approximate_rss=known), threads=threads, cpus=cpus) == pages


def test_exact_counters():
    assert rss_error_pages(KernelTraits(approximate_rss=False), threads=100, cpus=64) == 0


@pytest.mark.parametrize(
    ("margin", "error", "unread", "expected"),
    [
        (None, 100, 0, Sureness.CERTAIN),
        (101, 100, 0, Sureness.CERTAIN),
        (100, 100, 0, Sureness.LIKELY),
        (1, 0, 0, Sureness.CERTAIN),
        (0, 0, 0, Sureness.TIE),
        (0, 100, 0, Sureness.TIE),
        (1000, 0, 1, Sureness.PARTIAL),
    ],
)
def test_sureness(margin, error, unread, expected):
    assert sureness(margin, error, unread=unread) is expected
