"""``/proc/PID/oom_score``: RAM and swap are 250000 pages unless said, so that a thousandth is 250 pages."""

from __future__ import annotations

import pytest

from memwarden.rules.badness import TaskMemory, oom_badness
from memwarden.rules.oom_score import is_new_mapping, oom_score
from memwarden.state.traits import BadnessRule

SIGNED = BadnessRule.SIGNED


@pytest.mark.parametrize(
    ("adj", "score"),
    [
        (0, 666),  # (1000 + 0) * 2 // 3
        (-500, 333),  # (1000 - 500) * 2 // 3
        (1000, 1333),  # 2000 * 2 // 3
        (-999, 0),  # (1000 - 999) * 2 // 3: 0 does not mean unkillable
        (300, 866),  # 1300 * 2 // 3
    ],
)
def test_idle_task(adj, score):
    badness = oom_badness(TaskMemory(0, 0, 0, adj), 250_000, SIGNED)
    assert badness is not None
    assert oom_score(badness.points, 250_000, SIGNED) == score


def test_memory_moves_the_score_by_thousandths_of_the_machine():
    # 100 MiB = 25600 pages of 250000: 102 thousandths, (1000 + 102) * 2 // 3 = 734.
    assert oom_score(25_600, 250_000, SIGNED) == 734
    assert oom_score(25_600, 250_000, BadnessRule.UNSIGNED) == 102
    assert oom_score(25_600, 250_000, BadnessRule.UNSIGNED_ROOT_BONUS) == 102


def test_division_truncates_towards_zero():
    # -1 * 1000 / 250000 is 0 in C, not -1: the score stays 666.
    assert oom_score(-1, 250_000, SIGNED) == 666
    # -499 pages: -1.996 becomes -1, (1000 - 1) * 2 // 3 = 666; floor division would give 665.
    assert oom_score(-499, 250_000, SIGNED) == 666
    assert oom_score(-500, 250_000, SIGNED) == 665


def test_ineligible_reads_zero():
    for rule in BadnessRule:
        assert oom_score(None, 250_000, rule) == 0


def test_permille_points_are_the_score():
    assert oom_score(250, 16384, BadnessRule.PERMILLE) == 250


def test_no_total():
    assert oom_score(5, 0, BadnessRule.UNSIGNED) == 5000


def test_probe():
    assert is_new_mapping(666)
    assert not is_new_mapping(0)
    assert not is_new_mapping(599)


def test_the_order_of_the_file_is_wrong_for_a_cgroup():
    # Host of 64 GiB: A 153600 pages adj 0; B 25600 pages adj 300, 25600 + 300 * 16777 = 5058700.
    total = 16_777_216
    score_a, score_b = oom_score(153_600, total, SIGNED), oom_score(5_058_700, total, SIGNED)
    # A: 9 thousandths -> 672; B: 301 thousandths -> 867. In a cgroup of 1 GiB A dies all the same.
    assert (score_a, score_b) == (672, 867)
