"""The verdicts come from numbers and could be others; the page is what was measured."""

import pytest

from lab.truth import document, runs, verdicts
from lab.truth.statements import BY_NAME, STATEMENTS
from tests.repo.tree import REPOSITORY


def judge(name, **numbers):
    return BY_NAME[name].judge(numbers)


@pytest.mark.parametrize(
    ("name", "numbers", "word"),
    [
        ("max-kills-at-once", {"kills_while_reading": 0, "max": 18, "oom": 1}, "false"),
        ("max-kills-at-once", {"kills_while_reading": 1, "max": 18, "oom": 1}, "true"),
        ("max-kills-at-once", {"kills_while_reading": 0, "max": 1, "oom": 1}, "true"),
        ("high-never-kills", {"kills": 0}, "true"),
        ("high-never-kills", {"kills": 1}, "false"),
        # 64 s * r^2 for each batch: four times as long at twice the overage; in proportion would be twice.
        ("delay-is-linear", {"s_at_8": 1.64, "s_at_16": 6.55}, "false"),
        ("delay-is-linear", {"s_at_8": 1.64, "s_at_16": 3.28}, "true"),
        # 200 of 620 MiB are 323 thousandths; 3 percent of them are 9.7, and two thirds of that are 6 points.
        ("root-has-a-bonus", {"root": 876, "user": 882}, "true"),
        ("root-has-a-bonus", {"root": 881, "user": 882}, "false"),
        ("anon-needs-swap", {"before": 64, "after": 32}, "half true"),
        ("anon-needs-swap", {"before": 64, "after": 64}, "true"),
        ("anon-needs-swap", {"before": 64, "after": 4}, "false"),
        ("current-is-the-sum", {"kernel_is_told": True, "rest_kib": -300}, "true"),
        ("current-is-the-sum", {"kernel_is_told": False, "rest_kib": 0}, "false"),
        ("min-is-never-reclaimed", {"from_outside": 40, "by_own_limit": 16}, "half true"),
        ("low-is-a-guarantee", {"beside_cache": 40, "beside_anon": 40}, "true"),
        ("kills-count-the-dead", {"kills": 3, "dead": 2}, "false"),
        ("swap-makes-it-worse",
         {"stalled_with": 2, "stalled_without": 1, "s_with": 6, "s_without": 3}, "half true"),
    ],
)  # fmt: skip
def test_a_verdict_is_a_matter_of_numbers(name, numbers, word):
    assert judge(name, **numbers) == word


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["true"] * 4, "true"),
        (["true", "true", "true", "false"], "false, but true up to 6.12"),
        (["false", "half true", "half true", "half true"], "half true, but false up to 5.10"),
    ],
)
def test_kernels_that_differ_are_told_apart(words, said):
    assert verdicts.overall(dict(zip(verdicts.SERIES, words, strict=True))) == said


def test_the_page_is_what_was_measured():
    assert document.PAGE.read_text() == document.make(), "run `python -m lab truth`"


def test_every_statement_was_measured_on_every_kernel():
    missing = [one.name for one in STATEMENTS if set(runs.kept(one.name)) != set(verdicts.SERIES)]
    assert missing == []


@pytest.mark.parametrize("series", verdicts.SERIES)
def test_what_is_said_of_the_delay_is_what_was_measured(series):
    """A MiB that met a fifth batch of pages takes 1.25 times as long, and the square would not be seen."""
    found = runs.kept("delay-is-linear")[series]
    assert found["s_at_12"] / found["s_at_8"] == pytest.approx((14 / 10) ** 2, rel=0.03)
    assert found["s_at_12_far_max"] == pytest.approx(found["s_at_12"], rel=0.03)


def test_classic_lists_and_the_multi_generational_lru_differ_as_is_said():
    found = runs.kept("clean-dirty-anon")
    assert all(found[series]["anon_in_use"] > 8 for series in ("5.10", "6.1"))
    assert all(found[series]["anon_in_use"] < 1 for series in ("6.12", "7.2"))


def test_what_was_to_be_tried_at_least_was_tried():
    """The statements that the page was made for; there may be more."""
    asked = (
        "max-kills-at-once", "high-never-kills", "delay-is-linear", "clean-dirty-anon", "anon-needs-swap",
        "locked-kernel-huge", "current-is-the-sum", "cache-kills", "tmpfs-is-cache", "root-has-a-bonus",
        "score-is-a-percentage", "exempt-is-never-killed", "guaranteed-dies-last", "min-is-never-reclaimed",
        "low-is-a-guarantee", "group-kills-all-or-none", "failcnt-counts-ooms", "no-oom-no-kill",
        "highest-score-dies", "avg10-warns", "swap-makes-it-worse", "overcommit-prevents",
        "lowering-max-fails", "free-memory-protects",
    )  # fmt: skip
    page = document.PAGE.read_text()
    assert [name for name in asked if f"`python -m lab truth {name} --again`" not in page] == []


def test_every_statement_has_a_trial():
    trials = "".join(path.read_text() for path in (REPOSITORY / "lab/truth/guest").glob("*.py"))
    assert [one.name for one in STATEMENTS if f'"{one.name}": ' not in trials] == []
