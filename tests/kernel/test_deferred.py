"""Figures that are turned when one is asked for are as good as the dictionary they stand for."""

import pytest

from memwarden.errors import ParseError
from memwarden.kernel import memory_numa_stat, memory_stat
from memwarden.kernel.deferred import Deferred, Figures, Later, known, some


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


def stat():
    return Later(memory_stat.parse, memory_stat.KEYS, " ")


def flat():
    return Later(memory_stat.parse, memory_stat.KEYS, " ", flat=True)


def numa_stat():
    return Later(memory_numa_stat.parse, memory_stat.KEYS, " N0=")


TAKEN = [
    (stat, "anon 10\nfile 7\n", "anon 930\nfile 5\n", {"anon": 930, "file": 5}),
    # A digit in a key that is not the first: another key, which is not known.
    (stat, "anon 10\nfile 7\n", "anon 930\nfi3le 5\n", {"anon": 930}),
    (stat, "anon 10\nfrom_kernel_9 7\n", "anon 930\nfrom_kernel_10 5\n", {"anon": 930}),
    (numa_stat, "anon N0=10\nfile N0=7\n", "anon N0=930\nfile N0=5\n", {0: {"anon": 930, "file": 5}}),
]


@pytest.mark.parametrize(("maker", "before", "text", "figures"), TAKEN)
def test_the_second_of_a_form_is_parsed_later(maker, before, text, figures):
    later = maker()
    assert isinstance(later(before), dict)
    found = later(text)
    assert isinstance(found, Deferred)
    assert found == figures


@pytest.mark.parametrize(("before", "text", "figures"), [case[1:] for case in TAKEN if case[0] is stat])
def test_flat_figures_are_looked_for_when_they_are_asked_for(before, text, figures):
    later = flat()
    assert isinstance(later(before), dict)
    found = later(text)
    assert isinstance(found, Figures)
    assert (found, repr(found), len(found), list(found)) == (figures, repr(figures), len(figures), [*figures])
    assert dict(found.items()) == figures
    assert found.data == text.encode()
    assert found
    for key in ("anon", "file", "fi3le", "from_kernel_10", "no", 7):
        assert found.get(key) == figures.get(key)
        assert found.get(key, -1) == figures.get(key, -1)
        assert (key in found) == (key in figures)
    assert found["anon"] == figures["anon"]
    with pytest.raises(KeyError, match="from_kernel_10"):
        found["from_kernel_10"]


def test_several_figures_are_found_at_once():
    later = flat()
    first = later("file 1\nanon 2\npgscan 3\n")
    keys = ("anon", "no", "file", "swap")
    found = [some(figures, keys) for figures in (first, later("file 10\nanon 20\npgscan 30\n"))]
    assert found == [(2, None, 1, None), (20, None, 10, None)]
    other = later("anon 5\nfile 6\n")  # other lines: what was known of the form before is forgotten
    assert some(later("anon 7\nfile 8\n"), keys) == (7, None, 8, None)
    assert some(other, keys) == (5, None, 6, None)
    unknown = later("anon 7\nfile 8\n").some(("anon", "file", "anon"))
    assert unknown == (7, 8, 7)


def test_a_line_of_which_nothing_is_known_is_no_figure():
    later = flat()
    later("anon 1\nfrom_kernel_9 2\n")
    assert some(later("anon 3\nfrom_kernel_9 4\n"), ("from_kernel_9", "anon")) == (None, 3)


def test_of_a_key_that_is_there_twice_the_last_figure_counts_as_ever():
    later, text = flat(), "anon 1\nfile 2\nanon 3\n"
    assert [later(text)["anon"], later(text)["anon"], later("anon 5\nfile 2\nanon 7\n")["anon"]] == [3, 3, 7]


@pytest.mark.parametrize(
    ("maker", "before", "text", "figures"),
    [
        (stat, "anon 10\nfile 7\n", "file 10\nanon 7\n", {"file": 10, "anon": 7}),
        (stat, "anon 10\nfile 7\n", "a1non 10\nfile 7\n", {"file": 7}),
        (stat, "of_kernel_9 10\nfile 7\n", "of_kernel_9 9\nfile 8\n", {"file": 8}),
        (stat, "anon 10\nfile 7", "anon 11\nfile 8", {"anon": 11, "file": 8}),
        (stat, "anon 1", "anon 2", {"anon": 2}),
        (stat, "a\u00e9 1\nanon 2\n", "a\u00e9 1\nanon 3\n", {"anon": 3}),
        (numa_stat, "anon N0=10\nfile N0=7\n", "anon N1=10\nfile N1=7\n", {1: {"anon": 10, "file": 7}}),
        (numa_stat, "anon N0=1 N1=2\n", "anon N0=3 N1=4\n", {0: {"anon": 3}, 1: {"anon": 4}}),
    ],
)
def test_one_of_which_that_is_not_sure_is_parsed_at_once(maker, before, text, figures):
    later = maker()
    later(before)
    found = later(text)
    assert isinstance(found, dict)
    assert found == figures


@pytest.mark.parametrize(
    ("maker", "before", "text", "where"),
    [
        (stat, "anon 1\nfile 2\n", "anon 1\nfile x\n", (2, "file x")),
        (stat, "anon 1\nfile 2\n", "anon 1\nfile \n", (2, "file ")),
        (stat, "anon 1\nfile 2\n", "anon 1\nfile2 \n", (2, "file2 ")),
        (stat, "anon 1\nfile 2\n", "anon 1\nfile 2 2\n", (2, "file 2 2")),
        (stat, "anon 1\nfile 2\n", "anon 1\nfile 2²\n", (2, "file 2²")),
        (stat, "anon 1\nfile 2\n", "anon 1\nfile ٣\n", (2, "file ٣")),
        (stat, "anon 1\nfile 2\n", "anon 1\n7file \n", (2, "7file ")),
        (stat, "anon 1\nfile 2", "anon 1\nfile ", (2, "file ")),
        # White space that parse() forgives is nothing to remember.
        (stat, "anon 1\t\n", "anon \t\n", (1, "anon \t")),
        (stat, "anon\t1\n", "anon\t\n", (1, "anon\t")),
        (stat, "anon 1\nfile \x0b2\n", "anon 1\nfile \x0b\n", (2, "file \x0b")),
        (numa_stat, "anon N0=1 \n", "anon N0= \n", (1, "anon N0= ")),
        (stat, "anon 1\n", "anon " + "9" * 5000 + "\n", (1, "anon " + "9" * 75)),
        (stat, "anon 1\n", "a1non 1\n", (0, "a1non 1\n")),
        (stat, "anon 1\n", "", (1, "")),
        (numa_stat, "anon N0=1\nfile N0=2\n", "anon N0=1\nfile N1=2\n", (2, "file N1=2")),
        (numa_stat, "anon N0=1\nfile N0=2\n", "anon N0=1\nfile 1N0=2\n", (2, "file 1N0=2")),
        (numa_stat, "anon N0=1\nfile N0=2\n", "anon N0=1\nfile N0=\n", (2, "file N0=")),
        (numa_stat, "anon N0=1\nfile N0=2\n", "anon N0=1\nfile3 N0=\n", (2, "file3 N0=")),
        (numa_stat, "anon N0=1\nfile N0=2\n", "anon N0=1\nfile N0=x\n", (2, "file N0=x")),
        (numa_stat, "anon N0=1\n", "anon N0=" + "9" * 5000 + "\n", (1, "anon N0=" + "9" * 72)),
        (
            numa_stat,
            "anon N0=1 N1=1\nfile N0=2 N1=2\n",
            "anon N0=1 N1=1\nfile N1=2 N0=2\n",
            (2, "file N1=2 N0=2"),
        ),
    ],
)
def test_what_is_malformed_is_refused_when_it_is_read(maker, before, text, where):
    later = maker()
    later(before)

    with pytest.raises(ParseError) as caught:
        later(text)
    assert (caught.value.line_number, caught.value.line) == where
    assert later(before) == maker()(before)


@pytest.mark.parametrize("key", sorted(memory_stat.KEYS))
def test_no_key_has_a_digit_so_that_one_with_a_digit_is_no_other(key):
    assert not any(char.isdigit() for char in key)


def test_of_several_figures_those_that_are_there():
    later = flat()
    later("anon 10\nfile 7\n")
    found = later("anon 930\nfile 5\n")
    assert isinstance(found, Figures)
    assert known(found, ("anon", "gone")) == {"anon": 930}
    assert known({"anon": 3}, ("gone", "anon")) == {"anon": 3}
