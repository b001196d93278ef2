"""POSIX extended regular expressions in Python's words; glibc's ``grep -E`` answers the same."""

import re

import pytest

from memwarden.guard.foreign.posix_regex import python_regex


@pytest.mark.parametrize(
    ("posix", "matched", "others"),
    [
        ("^(apache|httpd)$", ["apache"], ["apache2"]),
        ("[[:alpha:]][[:digit:]]+$", ["a12"], ["12"]),
        ("[]x]", ["]", "x"], ["y"]),
        ("[^]x]", ["y"], ["]", "x"]),
        (r"[\d]", ["\\", "d"], ["1"]),  # within brackets a backslash is one
        (r"\d", ["d"], ["1"]),  # and before an ordinary character it does nothing
        (r"\<web\>", ["a web b"], ["webs"]),
        (r"\w\.", ["a."], ["ab"]),
        (r"\`a\'", ["a"], ["ba", "ab"]),
        ("^a+*$", ["", "aa"], ["b"]),
        ("^a++$", ["aa"], [""]),
        ("[[.-.]b-d]", ["-", "c"], ["e"]),
        ("[a&&b]", ["&"], ["c"]),
        ("^(a)b)$", ["ab)"], ["ab"]),
        ("[[:punct:]]", ["!", "]", "\\", "~"], ["a", " "]),
    ],
)
def test_expressions(posix, matched, others):
    pattern = python_regex(posix)
    assert [text for text in matched if not re.search(pattern, text)] == []
    assert [text for text in others if re.search(pattern, text)] == []


@pytest.mark.parametrize(
    "posix", ["*a", "(+a)", "a|*", "[[:nope:]]", "(" * 5000, "a{99999999999}", "[a", "a\\"]
)
def test_expressions_that_glibc_refuses(posix):
    with pytest.raises(ValueError):
        python_regex(posix)
