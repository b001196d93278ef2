"""The line of each key, against texts whose lines are known because the test wrote them."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.words.lines import line_index, line_of_depth

ODD = """\
# a = 1
"q.\\u0041" . 'b c' = 1979-05-27 07:32:00 # ]
text = \"\"\" [x]
y = 3 \\\"\"\" \"\"\"\"\"
raw = '''
[z]
''''

never = [ # {
  "a", # ]
  'b]',
]
[[rule]]
name = '#x'
  [[rule.when]]
  stall = { kind = "full]", above.x = "}" , list = [1, [2, {deep = 3}]] }
  [[rule.when]]
  [rule.when.stall]
  above = +1_000
[[rule]]
do = [ {a = {}},
  {b = {c.d = 2}},

  {}
]
[x.y]
[x]
z = nan
"""


def test_a_text_with_everything_in_it():
    found = line_index(ODD, tomllib.loads(ODD))
    assert found[("q.A", "b c")] == 2
    assert found[("text",)] == 3
    assert found[("raw",)] == 5
    assert found[("never",)] == 9
    assert (found[("never", 0)], found[("never", 1)]) == (10, 11)
    assert found[("rule",)] == found[("rule", 0)] == 13
    assert found[("rule", 0, "name")] == 14
    assert found[("rule", 0, "when", 0)] == 15
    assert found[("rule", 0, "when", 0, "stall", "list", 1, 1, "deep")] == 16
    assert found[("rule", 0, "when", 1)] == 17
    assert found[("rule", 0, "when", 1, "stall")] == 18
    assert found[("rule", 0, "when", 1, "stall", "above")] == 19
    assert found[("rule", 1)] == 20
    assert found[("rule", 1, "do", 1, "b", "c", "d")] == 22
    assert found[("rule", 1, "do", 2)] == 24
    assert found[("x", "y")] == 26
    assert found[("x", "z")] == 28


def test_lines_may_end_as_on_windows():
    text = 'a = """\r\n\r\n"""\r\nb = 1\r\n'
    assert line_index(text, tomllib.loads(text))[("b",)] == 4


@pytest.mark.parametrize("text", ["a = ", "a", "[a", '"\\q" = 1', "a = [1", "a = {b", "= 1", '"a', "[[a]"])
def test_about_what_it_does_not_understand_it_says_nothing(text):
    assert line_index(text, {"a": 1}) == {}


def test_about_a_document_that_is_another_one_it_says_nothing():
    assert line_index("a = 1\nb = 2", {"a": 1}) == {}


def test_nested_too_deeply():
    assert line_index("a = " + "[" * 5000 + "]" * 5000, {"a": 1}) == {}


KEYS = st.sampled_from(["a", "b-1", "c_2", '"d.e"', "'f#g'", '"\\u0041="', "12", '""'])
SCALARS = st.sampled_from(
    [
        "1", "-0.5e3", "true", '"x"', "'y'", '"]"', "'}#'", '"\\" , a = 1 #"', '"""\nx = 1\n[y]\n"""',
        "'''\n'''", '""""x"""""', "1979-05-27", "1979-05-27 07:32:00Z", "inf", '""', "''",
    ]
)  # fmt: skip
GAPS = st.sampled_from(["", " ", "\t", "  "])
BREAKS = st.sampled_from(["", " ", "\n", " # no ] comment\n", "\n\n  "])


@st.composite
def values(draw, depth=2):
    kind = draw(st.sampled_from(["scalar", "list", "table"])) if depth else "scalar"
    if kind == "scalar":
        return draw(SCALARS)
    if kind == "list":
        items = [
            draw(BREAKS) + draw(values(depth=depth - 1)) + draw(BREAKS)
            for _ in range(draw(st.integers(0, 3)))
        ]
        return "[" + ",".join(items) + ("," if items and draw(st.booleans()) else "") + draw(BREAKS) + "]"
    pairs = [
        f"{key} = {draw(values(depth=depth - 1))}" for key in draw(st.lists(KEYS, max_size=3, unique=True))
    ]
    return "{ " + ", ".join(pairs) + " }"


@st.composite
def documents(draw):
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["pair", "pair", "table", "tables", "comment"]))
        keys = draw(GAPS).join(["", ".".join(draw(st.lists(KEYS, min_size=1, max_size=3))), ""])
        if kind == "pair":
            lines.append(f"{draw(GAPS)}{keys}={draw(GAPS)}{draw(values())}{draw(GAPS)}")
        elif kind == "comment":
            lines.append('# [x] """ y = 1')
        else:
            lines.append(f"[{keys}]" if kind == "table" else f"[[{keys}]]")
    return "\n".join(lines)


def paths(value, at=()):
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in below:
        yield (*at, key)
        yield from paths(one, (*at, key))


def parsed(text):
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@given(documents())
def test_it_agrees_with_tomllib_on_every_text(text):
    tree = parsed(text)
    if tree is None:  # a key twice, or a table that is a value already
        return
    found = line_index(text, tree)
    assert found.keys() == set(paths(tree)), text
    lines = text.split("\n")
    for path, number in found.items():
        written = lines[number - 1]
        if isinstance(path[-1], str):
            assert path[-1].strip("A=") in written


@given(st.text(alphabet=" \n\"'[]{}=.,#ab1\\", max_size=40))
def test_it_takes_any_text(text):
    tree = parsed(text)
    assert set(line_index(text, tree or {})) in (set(), set(paths(tree or {})))


@pytest.mark.parametrize(
    ("text", "levels", "line"),
    [
        ("a = 1\n[b]\nc.d = 2\ne = 3\n", 3, 3),
        ("a = [\n  [\n    [1],\n  ],\n]", 4, 3),
        ("a = 1\r\n[b.c]\r\n", 2, 2),
        # Nothing is so deep, or the text is none that is understood before that is reached.
        ("a = 1\n[b]\nc.d = 2\n", 4, None),
        ("a = 1\nb c = 2\nd.e.f = 3\n", 3, None),
        ('"\\z" = 1\na.b.c = 2\n', 3, None),
    ],
)
def test_the_line_where_it_is_so_deep(text, levels, line):
    assert line_of_depth(text, levels) == line


@given(st.text(alphabet=" \n\"'[]{}=.,#ab1\\", max_size=40), st.integers(1, 4))
def test_a_line_is_found_in_any_text_or_none(text, levels):
    assert line_of_depth(text, levels) in (None, *range(1, text.count("\n") + 2))
