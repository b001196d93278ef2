"""Which limit was hit."""

from __future__ import annotations

import pytest

from memwarden.postmortem.cause_limit import is_v1, limit_hit
from memwarden.postmortem.model import MemcgFacts
from memwarden.units import KIB, MAX, MIB
from tests.postmortem.verdict_reports import memcg_facts, memcg_report, report, with_invoker


def hit(**fields):
    usage = fields.pop("usage", 100)
    return limit_hit(memcg_report(memcg_facts(usage, **fields)))


def test_memory_at_its_limit():
    found = hit()
    assert (found.which, found.reached, found.failcnt) == ("memory", True, 7)


def test_memory_within_one_batch_of_its_limit():
    # 64 pages are 256 KiB; half a percent of 40 MiB is less.
    assert hit(usage=40, limit=40 * MIB + 256 * KIB).reached
    assert not hit(usage=40, limit=40 * MIB + 260 * KIB).reached


def test_half_a_percent_of_a_large_limit_may_have_been_freed_since():
    assert hit(usage=995, limit=1000 * MIB).reached
    assert not hit(usage=994, limit=1000 * MIB).reached


def test_a_large_request_fails_earlier():
    made = memcg_report(memcg_facts(9, limit=10 * MIB))
    assert not limit_hit(made).reached
    assert limit_hit(with_invoker(made, order=8)).reached  # 256 pages are 1 MiB


def test_a_tiny_limit_is_not_always_near():
    assert not hit(usage=0.25, limit=512 * KIB).reached
    assert not hit(usage=0, limit=0 * KIB + 16 * KIB).reached


def test_memory_and_swap_together():
    found = hit(
        usage=40, limit=100 * MIB, memsw_usage_bytes=200 * MIB, memsw_limit_bytes=200 * MIB, memsw_failcnt=3
    )
    assert (found.which, found.usage_bytes, found.failcnt) == ("memory+swap", 200 * MIB, 3)


def test_memory_comes_first_where_both_are_full():
    found = hit(memsw_usage_bytes=200 * MIB, memsw_limit_bytes=200 * MIB)
    assert found.which == "memory"
    assert found.near == ("memory", "memory+swap")


def test_kernel_memory():
    found = hit(usage=40, limit=100 * MIB, kmem_usage_bytes=16 * MIB, kmem_limit_bytes=16 * MIB)
    assert found.which == "kmem"


def test_no_limit_at_all():
    assert hit(limit=MAX).which == "none"


def test_usage_that_fell_again():
    found = hit(limit=200 * MIB)
    assert (found.which, found.reached) == ("memory", False)


def test_figures_that_are_not_in_the_text():
    assert limit_hit(memcg_report(memcg_facts(None))).which == "unknown"
    assert limit_hit(report()).which == "unknown"


@pytest.mark.parametrize(
    ("fields", "v1"),
    [
        ({"memsw_limit_bytes": MAX}, True),
        ({"kmem_limit_bytes": MAX}, True),
        ({"swap_limit_bytes": MAX}, False),
        ({}, None),
    ],
)
def test_generation_by_the_lines_printed(fields, v1):
    assert is_v1(MemcgFacts(**fields)) is v1
