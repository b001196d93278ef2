"""Figures that are turned when one is asked for are as good as the dictionary they stand for."""

import pytest

from memwarden.kernel import memory_numa_stat, memory_stat
from memwarden.kernel.deferred import Deferred, only_digits_differ
from tests.kernel.refused import refused


def counted(calls):
    def parse(text):
        calls.append(text)
        return {"anon": int(text)}

    return parse


def test_it_is_parsed_once_and_not_before_something_is_asked():
    calls = []
    figures = Deferred("7", counted(calls))
    assert calls == []
    assert (figures["anon"], len(figures), list(figures), "file" in figures) == (7, 1, ["anon"], False)
    assert calls == ["7"]


def test_it_is_equal_to_the_dictionary_from_both_sides():
    figures, plain = Deferred("7", counted([])), {"anon": 7}
    assert figures == plain
    assert plain == figures
    assert figures == Deferred("07", counted([]))
    assert figures != {"anon": 8}
    assert {**figures, "file": 1} == {"anon": 7, "file": 1}
    assert repr(figures) == "{'anon': 7}"
    assert dict(figures.items()) == plain


@pytest.mark.parametrize(
    ("before", "text", "alike"),
    [
        ("anon 10\n", "anon 93\n", True),
        ("anon 10\n", "anon 9\n", False),
        ("anon 10\n", "anon 1x\n", False),
        ("anon 10\n", "anom 10\n", False),
        ("anon 10\n", "anon 1٣\n", False),  # a digit, yet none that the kernel prints
        ("\xa0 1\n", "é 1\n", False),  # two characters beyond ASCII, of which one parts words
        ("\ud800 1\n", "\ud800 2\n", True),
        ("", "", True),
    ],
)
def test_what_differs_in_digits_only(before, text, alike):
    assert only_digits_differ(before, text) is alike


STATS = [
    ("anon 10\nfile 7\n", {"anon": 10, "file": 7}),
    ("anon 93\nfile 5\n", {"anon": 93, "file": 5}),
    ("anon 930\nfile 5\nof_kernel_9 1\n", {"anon": 930, "file": 5}),
]
NUMA_STATS = [
    ("anon N0=10\nfile N0=7\n", {0: {"anon": 10, "file": 7}}),
    ("anon N0=93\nfile N0=5\n", {0: {"anon": 93, "file": 5}}),
    ("anon N0=93 N1=2\nfile N0=5 N1=3\n", {0: {"anon": 93, "file": 5}, 1: {"anon": 2, "file": 3}}),
    ("anon N0=1 N1=4\nfile N0=5 N1=3\n", {0: {"anon": 1, "file": 5}, 1: {"anon": 4, "file": 3}}),
    ("anon N5=1\nfile N5=3\n", {5: {"anon": 1, "file": 3}}),
]


@pytest.mark.parametrize(
    ("module", "texts"), [(memory_stat, STATS), (memory_numa_stat, NUMA_STATS)], ids=["stat", "numa_stat"]
)
def test_whatever_the_text_of_last_time_was_the_figures_are_those_of_this_one(module, texts):
    for before in [None, *[text for text, _ in texts]]:
        for text, figures in texts:
            found = module.parse_later(text, before=before)
            assert isinstance(found, Deferred)
            assert found == figures


@pytest.mark.parametrize(
    ("before", "text", "where"),
    [
        ("anon 1\nfile 2\n", "anon 1\nfile x\n", (2, "file x")),
        ("anon 1\nfile 2\n", "anon 1\nfile \n", (2, "file ")),
        ("anon 1\nfile 22\n", "anon 1\nfile 2\x0b\n", None),  # white space as good as none, as with parse()
        ("anon 1\nfile 22\n", "anon 1\nfile 2 2\n", (2, "file 2 2")),
        ("anon 1\nfile 22\n", "anon 1\nfile 2²\n", (2, "file 2²")),
        (None, "anon " + "9" * 5000 + "\n", (1, "anon " + "9" * 75)),
        (None, "", (1, "")),
        (None, "of_kernel_9 1\n", (0, "of_kernel_9 1\n")),
    ],
)
def test_hostile_statistics_are_refused_when_they_are_read(before, text, where):
    def parse(text, *, path):
        return memory_stat.parse_later(text, before=before, path=path)

    if where is None:
        assert parse(text, path="x") == memory_stat.parse(text)
    else:
        assert refused(parse, text) == refused(memory_stat.parse, text) == where


@pytest.mark.parametrize(
    ("before", "text", "where"),
    [
        # Only digits differ, but they are those of a node's name.
        ("anon N0=1\nfile N0=2\n", "anon N0=1\nfile N1=2\n", (2, "file N1=2")),
        ("anon N0=1 N1=1\nfile N0=2 N1=2\n", "anon N0=1 N1=1\nfile N1=2 N0=2\n", (2, "file N1=2 N0=2")),
        ("anon N0=1\nfile N0=2\n", "anon N0=1\nfile N0=x\n", (2, "file N0=x")),
        (None, "", (1, "")),
        (None, "anon N0=" + "9" * 5000 + "\n", (1, "anon N0=" + "9" * 72)),
    ],
)
def test_hostile_statistics_of_nodes_are_refused_when_they_are_read(before, text, where):
    def parse(text, *, path):
        return memory_numa_stat.parse_later(text, before=before, path=path)

    assert refused(parse, text) == refused(memory_numa_stat.parse, text) == where


@pytest.mark.parametrize("key", sorted(memory_stat.KEYS))
def test_no_key_has_a_digit_which_only_digits_differ_builds_upon(key):
    assert not any(char.isdigit() for char in key)
