"""Badness, by arithmetic shown here.

MiB are 256 pages of 4 KiB. 64 MiB = 16384 pages, so one point of oom_score_adj is 16384 // 1000 = 16 pages.
"""

from __future__ import annotations

import pytest

from memwarden.rules.badness import (
    TaskMemory,
    memcg_total_pages,
    memcg_v1_total_pages,
    nodes_total_pages,
    oom_badness,
    system_total_pages,
)
from memwarden.state.traits import BadnessRule
from memwarden.units import MAX

SIGNED = BadnessRule.SIGNED


def points(rss, adj, total, *, swap=0, pgtables=0, rule=SIGNED, root=False):
    badness = oom_badness(TaskMemory(rss, swap, pgtables, adj, root), total, rule)
    assert badness is not None
    return badness.points


def test_terms_add_up():
    badness = oom_badness(TaskMemory(1000, 200, 30, -5), 16384, SIGNED)
    assert badness is not None
    # 1000 + 200 + 30 - 5 * 16 = 1150
    assert badness.points == 1150
    assert badness.memory_pages == 1230
    assert (badness.unit_pages, badness.adj_pages, badness.root_bonus_pages) == (16, -80, 0)
    assert badness.exact
    assert not badness.raised


def test_unknown_terms_make_it_inexact():
    badness = oom_badness(TaskMemory(1000, None, None, 0), 16384, SIGNED)
    assert badness is not None
    assert (badness.points, badness.exact, badness.memory_pages) == (1000, False, 1000)
    assert badness.swap_pages is None


def test_adj_decides_in_a_64_mib_cgroup():
    total = memcg_total_pages(16384, 0, 0)
    assert total == 16384
    # A: 7680 pages, adj 0. B: 2560 pages, adj 300: 2560 + 300 * 16 = 7360, so A dies.
    assert points(2560, 300, total) == 7360
    assert points(7680, 0, total) > points(2560, 300, total)
    # adj 330: 2560 + 330 * 16 = 7840, so B dies (7840 - 7680 = 160 pages of margin).
    assert points(2560, 330, total) == 7840
    assert points(2560, 330, total) - points(7680, 0, total) == 160


def test_swap_counts_in_the_total():
    # memory.max 64 MiB, swap.max = max, 96 MiB of swap whose header takes a page: 16384 + 24575 = 40959.
    total = memcg_total_pages(16384, MAX, 24575)
    assert total == 40959
    assert points(0, 1, total) == 40
    # swap.max 16 MiB = 4096 pages: 16384 + 4096.
    assert memcg_total_pages(16384, 4096, 24575) == 20480
    assert memcg_total_pages(16384, MAX, 24575, swappiness=0) == 16384


def test_memcg_and_system_disagree():
    # 64 GiB without swap: 16777216 pages, one point 16777; memcg of 1 GiB: 262144, one point 262.
    # A 600 MiB adj 0 = 153600; B 100 MiB adj 300 = 25600 + 300 * 262 = 104200, or + 300 * 16777 = 5058700.
    machine = system_total_pages(16777216, 0)
    memcg = memcg_total_pages(262144, 0, 0)
    assert points(153600, 0, memcg) == 153600 == points(153600, 0, machine)
    assert points(25600, 300, memcg) == 104200
    assert points(25600, 300, machine) == 5058700


def test_below_a_thousand_pages_adj_weighs_nothing():
    # memory.max 3900 KiB = 975 pages, 975 // 1000 = 0: 409 pages die before 204 pages with adj 1000.
    assert points(409, 0, 975) == 409
    assert points(204, 1000, 975) == 204
    assert points(204, 1000, 0) == 204


def test_negative_points_stay_negative_when_signed():
    assert points(100, -999, 16384) == 100 - 999 * 16


def test_before_5_9_every_eligible_task_has_a_point():
    badness = oom_badness(TaskMemory(100, 0, 0, -999), 16384, BadnessRule.UNSIGNED)
    assert badness is not None
    assert (badness.points, badness.raised) == (1, True)
    assert points(0, 0, 16384, rule=BadnessRule.UNSIGNED) == 1
    assert points(0, 0, 16384, rule=SIGNED) == 0
    assert points(100, 0, 16384, rule=BadnessRule.UNSIGNED) == 100


def test_root_bonus_by_generation():
    # 1000 pages of root, 3 percent: 30 pages. 1033 * 3 // 100 = 30 (30.99).
    bonus = BadnessRule.UNSIGNED_ROOT_BONUS
    assert points(1000, 0, 16384, rule=bonus, root=True) == 970
    assert points(1033, 0, 16384, rule=bonus, root=True) == 1003
    assert points(1000, 0, 16384, rule=bonus) == 1000
    # The share is taken of the memory, not of the sum with adj: 1000 - 30 + 10 * 16.
    assert points(1000, 10, 16384, rule=bonus, root=True) == 1130
    # 3.5 to 3.13: adj - 30, 1000 - 30 * 16 = 520.
    assert points(1000, 0, 16384, rule=BadnessRule.UNSIGNED_ROOT_ADJ, root=True) == 520
    assert points(400, 0, 16384, rule=BadnessRule.UNSIGNED_ROOT_ADJ, root=True) == 1
    # From 4.17 root is like everyone.
    for rule in (BadnessRule.UNSIGNED, SIGNED):
        assert points(1000, 0, 16384, rule=rule, root=True) == 1000


def test_permille():
    rule = BadnessRule.PERMILLE
    # 4096 of 16384 pages are 250 thousandths; root has 30 less; adj adds as it is.
    assert points(4096, 0, 16384, rule=rule) == 250
    assert points(4096, 0, 16384, rule=rule, root=True) == 220
    assert points(4096, 300, 16384, rule=rule) == 550
    assert points(4096, 900, 16384, rule=rule) == 1000
    assert points(10, 0, 16384, rule=rule) == 1
    assert points(4096, -900, 16384, rule=rule) == 1
    # Swap and page tables belong to the share: (4000 + 64 + 32) = 4096.
    assert points(4000, 0, 16384, swap=64, pgtables=32, rule=rule) == 250


def test_legacy_cannot_be_computed():
    assert oom_badness(TaskMemory(1, 1, 1, 0), 1, BadnessRule.LEGACY) is None


def test_totals_of_the_scopes():
    assert system_total_pages(1000, 24) == 1024
    assert nodes_total_pages([100, 200], 24) == 324
    assert nodes_total_pages([], 24) == 24
    assert memcg_total_pages(0, 0, 0) == 1


@pytest.mark.parametrize(
    ("limit", "memsw", "swap", "swappiness", "total"),
    [
        (1000, 1500, 9999, 60, 1500),  # 1000 + min(500, 9999)
        (1000, 1500, 200, 60, 1200),  # 1000 + min(500, 200)
        (1000, MAX, 200, 60, 1200),  # no swap accounting
        (1000, 1000, 200, 60, 1000),
        (1000, 1500, 9999, 0, 1000),
    ],
)
def test_v1_total(limit, memsw, swap, swappiness, total):
    assert memcg_v1_total_pages(limit, memsw, swap, swappiness=swappiness) == total
