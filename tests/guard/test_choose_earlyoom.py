"""Choosing as earlyoom does: the order of its own tests (``testsuite_unit_test.go``, ``Test_is_larger``)."""

from __future__ import annotations

import itertools

import pytest

from memwarden.state.process import PF_KTHREAD
from memwarden.units import KIB
from tests.guard.choices import by, candidates, chosen, ranked, seen, why_not
from tests.rules.machines import process

# oom_score, rss in KiB, the state where its leader has exited while a thread lives on
BY_SCORE = ((100, 1234, "S"), (100, 1238, "S"), (101, 4, "S"), (102, 4, "S"), (103, 0, "Z"))
BY_RSS = ((100, 4, "S"), (100, 8, "S"), (101, 8, "S"), (99, 12, "S"), (102, 0, "Z"), (102, 12, "S"))


def processes(rows):
    return {
        100 + number: process(
            100 + number, oom_score=score, rss_bytes=rss * KIB or None, state=state, threads=2, cgroup="/a"
        )
        for number, (score, rss, state) in enumerate(rows)
    }


def larger(rows, choice):
    return [rows[pid - 100] for pid in ranked(choice, seen(processes=processes(rows)))]


def test_by_score():
    choice = by("oom-score", units="process", ties=("rss",))
    for rows in itertools.permutations(BY_SCORE):
        assert larger(rows, choice) == list(reversed(BY_SCORE))


def test_by_resident_memory():
    choice = by("rss", units="process", ties=("oom-score",))
    for rows in itertools.permutations(BY_RSS):
        assert larger(rows, choice) == list(reversed(BY_RSS))


@pytest.mark.parametrize(
    ("adjust", "expected"),
    [
        ((), 100),
        ((("comm~^b", 300.0),), 101),
        ((("comm~^a", -300.0),), 101),
        ((("comm~^b", 99.0),), 100),
        ((("comm~^b", 300.0), ("comm:b", -300.0)), 100),
        ((("cgroup~^/y$", 300.0),), 101),
        ((("cgroup~^/$", 300.0),), 100),
        ((("/y", 300.0),), 101),
        ((("uid:7", 300.0),), 101),
    ],
)
def test_prefer_and_avoid_are_300_points(adjust, expected):
    known = {
        100: process(100, comm="a", oom_score=800, cgroup="/x"),
        101: process(101, comm="b", oom_score=700, cgroup="/y", uid=7),
        102: process(102, comm="c", oom_score=1, cgroup=None),
    }
    assert chosen(by("oom-score", units="process", adjust=adjust), seen(processes=known)) == expected


def test_ignored_ones_and_those_nobody_may_kill():
    known = {
        1: process(1, oom_score=999),
        2: process(2, oom_score=999, flags=PF_KTHREAD),
        7: process(7, oom_score=900, oom_score_adj=-1000),
        8: process(8, oom_score=800, comm="java"),
        9: process(9, oom_score=700, state="Z"),
        10: process(10, oom_score=600, state="X"),
        11: process(11, oom_score=5, uid=0),
        12: process(12, oom_score=3),
    }
    choice = by("oom-score", units="process", omit=("comm~^java$", "uid:0"))
    view = seen(processes=known)
    assert chosen(choice, view) == 12
    assert why_not(choice, view) == {
        1: "never: init",
        7: "never: oom_score_adj -1000 exempts it",
        8: "omit: comm~^java$",
        9: "gone: it has exited",
        10: "gone: it has exited",
        11: "omit: uid:0",
        12: "",
    }


def test_a_process_by_its_own_numbers():
    view = seen(processes={7: process(7, 3, oom_score=12, swap_bytes=5, pgtables_bytes=4096)})
    [found] = candidates(by("oom-score", units="process"), view)
    assert found.target == (7, 7, "p7")
    assert dict(found.numbers) == {"oom-score": 12, "size": 3 * 1024 * KIB + 5 + 4096}
    assert found.unit is None
