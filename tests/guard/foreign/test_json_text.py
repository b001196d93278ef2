"""JSON as jsoncpp takes it; Debian's oomd 0.5.0 with jsoncpp 1.9.5 takes and refuses these too."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.errors import InputError
from memwarden.guard.foreign.json_text import as_text, read


def plain(node):
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(value) for value in node.value]
    return node.value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(VALUES, st.sampled_from([None, 2]))
def test_all_that_is_json(value, indent):
    assert plain(read("x", json.dumps(value, indent=indent))) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\ufeff// a\n/* [ */ [1, /*,*/ 2,] and more", [1, 2]),
        ('{"a": 1, "a": 2,}', {"a": 2}),
        ('"// no /* comment */"', "// no /* comment */"),
        ('"a\nb\\u00e9\\"\\\\"', 'a\nbé"\\'),
        ("[1.5, -2e3, 1., 123456789012345678901]", [1.5, -2000.0, 1.0, 123456789012345678901.0]),
        ("[]", []),
        ("{}", {}),
    ],
)
def test_what_jsoncpp_takes(text, value):
    assert plain(read("x", text)) == value


def test_lines():
    node = read("x", '\n{"a":\n[1,\n2]}')
    assert (node.line, node.value["a"].line, node.value["a"].value[1].line) == (2, 3, 4)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "x:1: the file ends where JSON needs a value"),
        ("\n]", "x:2: there is ']' where JSON needs a value"),
        ("{1: 2}", "x:1: there is '1' where JSON needs a key in quotes or \"}\""),
        ('{"a" 2}', "x:1: there is '2' where JSON needs \":\""),
        ('{"a": 2', 'x:1: the file ends where JSON needs "," or "}"'),
        ("[1 2]", 'x:1: there is \'2\' where JSON needs "," or "]"'),
        ("[1,,2]", "x:1: there is ',' where JSON needs a value"),
        ("{'a': 1}", "x:1: this is not JSON: \"'a': 1}\"; correct it here"),
        ("/* open", "x:1: this is not JSON: '/* open'; correct it here"),
        ('"\\q"', "x:1: a bad escape in the string '\"\\\\q\"'"),
        ('"\\ud800"', "x:1: a bad escape in the string '\"\\\\ud800\"'"),
        ("1e999", "x:1: '1e999' is too large a number"),
        ("[" * 200, "x:1: nested more than 100 deep; no policy needs that"),
    ],
)
def test_what_it_does_not(text, sentence):
    with pytest.raises(InputError) as caught:
        read("x", text)
    assert str(caught.value) == sentence


def test_values_as_texts():
    assert [as_text(value) for value in (True, False, -3, 1e300, 0.1, "a")] == [
        "true",
        "false",
        "-3",
        "1.0000000000000001e+300",  # printf("%.17g")
        "0.10000000000000001",
        "a",
    ]
