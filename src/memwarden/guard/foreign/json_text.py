"""JSON as jsoncpp takes it, every value with its line.

jsoncpp 1.9.5 as oomd asks for it (``Json::CharReaderBuilder`` with ``allowComments``): ``//`` and ``/* */``
comments, a comma after the last element, anything behind the first value, raw line ends in strings; of equal
keys the last counts. Python's own reader takes none of that and gives no lines.
"""

import re
from collections.abc import Iterator
from json import JSONDecodeError, loads
from math import isinf
from typing import Final, NamedTuple, TypeAlias

from memwarden.guard.foreign.words import refused, shown

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<number>-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)
    |(?P<word>true|false|null)
    |(?P<mark>[{}\[\],:])""",
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = {"true": True, "false": False, "null": None}
_DEEPEST: Final = 100
_INTEGER_DIGITS: Final = 20  # what does not fit 64 bits is a double


class Node(NamedTuple):
    """A value and the line it begins in, counted from 1."""

    line: int
    value: "Value"


class Object(dict[str, Node]):
    """Members by their keys. ``again``: the keys that are there once more, with the line of the last."""

    def __init__(self) -> None:
        super().__init__()
        self.again: dict[str, int] = {}


Array: TypeAlias = tuple[Node, ...]
Value: TypeAlias = str | int | float | bool | Object | Array | None


class _Token(NamedTuple):
    line: int
    kind: str
    text: str


def read(path: str, text: str, *, alone: bool = False) -> Node:
    """The first value of a text. Raises ``InputError`` with the line where it is no JSON.

    ``alone``: also where something stands behind it, which jsoncpp does not look at.
    """
    tokens = _tokens(path, text.removeprefix("\ufeff"))
    found = _value(path, next(tokens), tokens, 0)
    if alone and (behind := next(tokens)).kind != "end":
        raise refused(path, behind.line, f"{shown(behind.text)} stands behind the end of it; take it out")
    return found


def _tokens(path: str, text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise refused(path, line, f"this is not JSON: {shown(text[at : at + 20])}; correct it here")
        if found.lastgroup != "space":
            yield _Token(line, str(found.lastgroup), found.group())
        line += found.group().count("\n")
        at = found.end()
    while True:
        yield _Token(line, "end", "")


def _value(path: str, token: _Token, tokens: Iterator[_Token], depth: int) -> Node:
    if depth > _DEEPEST:
        raise refused(path, token.line, f"nested more than {_DEEPEST} deep; no policy needs that")
    if token.kind == "string":
        return Node(token.line, _string(path, token))
    if token.kind == "number":
        return Node(token.line, _number(path, token))
    if token.kind == "word":
        return Node(token.line, _WORDS[token.text])
    if token.text == "{":
        return Node(token.line, _object(path, tokens, depth))
    if token.text == "[":
        return Node(token.line, _array(path, tokens, depth))
    raise _unexpected(path, token, "a value")


def _object(path: str, tokens: Iterator[_Token], depth: int) -> Object:
    members = Object()
    token = next(tokens)
    while token.text != "}":
        if token.kind != "string":
            raise _unexpected(path, token, 'a key in quotes or "}"')
        key = _string(path, token)
        if key in members:
            members.again[key] = token.line
        colon = next(tokens)
        if colon.text != ":":
            raise _unexpected(path, colon, '":"')
        members[key] = _value(path, next(tokens), tokens, depth + 1)
        token = _after_element(path, next(tokens), tokens, "}")
    return members


def _array(path: str, tokens: Iterator[_Token], depth: int) -> Array:
    elements = []
    token = next(tokens)
    while token.text != "]":
        elements.append(_value(path, token, tokens, depth + 1))
        token = _after_element(path, next(tokens), tokens, "]")
    return tuple(elements)


def _after_element(path: str, token: _Token, tokens: Iterator[_Token], end: str) -> _Token:
    if token.text == ",":
        return next(tokens)
    if token.text == end:
        return token
    raise _unexpected(path, token, f'"," or "{end}"')


def _unexpected(path: str, token: _Token, wanted: str) -> Exception:
    found = f"there is {shown(token.text)}" if token.text else "the file ends"
    return refused(path, token.line, f"{found} where JSON needs {wanted}")


def _string(path: str, token: _Token) -> str:
    try:
        text = str(loads(token.text, strict=False))
        text.encode()
    except (JSONDecodeError, UnicodeEncodeError):
        raise refused(path, token.line, f"a bad escape in the string {shown(token.text)}") from None
    return text


def _number(path: str, token: _Token) -> int | float:
    if token.text.lstrip("-").isdecimal() and len(token.text) <= _INTEGER_DIGITS:
        return int(token.text)
    number = float(token.text)
    if isinf(number):
        raise refused(path, token.line, f"{shown(token.text)} is too large a number")
    return number


def as_text(value: str | float) -> str:
    """A string, number or truth value as jsoncpp's ``asString`` gives it.

    >>> as_text(True), as_text(80), as_text(80.0), as_text(0.85)
    ('true', '80', '80.0', '0.84999999999999998')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        digits = f"{value:.17g}"
        return digits if "." in digits or "e" in digits else f"{digits}.0"
    return str(value)
