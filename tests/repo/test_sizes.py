"""Sizes that keep it livable (median, 90th percentile, largest), per part of the repository."""

from __future__ import annotations

import pytest

from tests.repo.tree import functions, python_files, relative

PARTS = [("src",), ("lab", "bench"), ("tests", "docs")]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@pytest.mark.parametrize("part", PARTS, ids="+".join)
def test_files_are_small(part):
    lines = {relative(path): len(path.read_text().splitlines()) for path in python_files(*part)}
    assert {name: count for name, count in lines.items() if count > 600} == {}
    assert percentile(lines.values(), 0.9) <= 400
    assert percentile(lines.values(), 0.5) <= 150


@pytest.mark.parametrize("part", PARTS, ids="+".join)
def test_functions_are_small(part):
    sizes = [function.lines for path in python_files(*part) for function in functions(path)]
    assert percentile(sizes, 0.9) <= 40
    assert percentile(sizes, 0.5) <= 10


def test_percentile_is_the_nearest_rank():
    assert percentile(range(1, 11), 0.5) == 6
    assert percentile(range(1, 11), 0.9) == 10
    assert percentile([7], 0.9) == 7
