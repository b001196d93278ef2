"""JSON by the part of Python's ``json`` that is written in C, for a process that has to be small.

``json`` itself imports ``re``, for what we have no use for: indentation, hooks, and the line and column of an
error.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder, make_scanner
from typing import Any, Final


class _Manner:
    """How ``_json`` is told to read a document: as ``json.loads`` does."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: Final[dict[str, str]] = {}


_SPACE: Final = " \t\n\r"
_scan: Final[Any] = make_scanner(_Manner)  # type: ignore[arg-type]  # it only asks for attributes


def loads(text: str | bytes) -> Any:
    """A document, in UTF-8 where it is bytes; raises ``ValueError`` for what is none.

    >>> loads('{"a": [1, true]}')
    {'a': [1, True]}
    """
    if not isinstance(text, str):
        text = text.decode()
    try:
        found, end = _scan(text, len(text) - len(text.lstrip(_SPACE)))
    except StopIteration:
        raise ValueError("not a JSON document") from None
    if text[end:].strip(_SPACE):
        raise ValueError("more than a JSON document")
    return found


def dumps(value: Any, *, separators: tuple[str, str] = (", ", ": ")) -> str:
    r"""A document in ASCII, on one line; raises ``TypeError`` for what is no part of JSON.

    >>> dumps({"a": "é"})
    '{"a": "\\u00e9"}'
    """
    item, key = separators
    encode: Any = make_encoder({}, _refuse, encode_basestring_ascii, None, key, item, False, False, True)
    return "".join(encode(value, 0))


def _refuse(value: object) -> None:
    raise TypeError(f"{type(value).__name__} is no part of JSON")
