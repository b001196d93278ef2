"""What mail programs, terminals and web pages do to a line, undone before anything reads it."""

from __future__ import annotations

import re
from typing import Final

_ANSI: Final = re.compile(
    r"(?:\x1b|#033)(?:\[[0-9;:?]*[A-Za-z]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[()][AB0])"
)
_QUOTE: Final = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_ENTITY: Final = re.compile(r"&(?:lt|gt|quot|#39|nbsp|amp);")
_ENTITIES: Final = (
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", '"'),
    ("&#39;", "'"),
    ("&nbsp;", " "),
    ("&amp;", "&"),
)
_BREAK: Final = re.compile(r"<br ?/?>[ \t]*$", re.MULTILINE)
_CSV: Final = re.compile(
    r'^(?:(\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)|"(\d{4}-\d\d-\d\dT[^"\n]{8,24})"|"[^"\n]{0,64}"|\d{10,19})'
    r',"((?:[^"\n]++|"")*+)"[ \t]*+$',
    re.MULTILINE,
)
"""Two columns of a table: when, and the line in quotes."""
_BLANKS: Final = str.maketrans(
    {"\xa0": " ", "\u2007": " ", "\u202f": " ", "\u200b": None, "\ufeff": None, "\x01": None}
)


def undress(text: str) -> str:
    r"""Lines as the kernel's console would have shown them: no colours, quote marks, entities, CR.

    The number of lines stays the same.

    >>> undress("> > \x1b[33mMem-Info:\x1b[0m\r")
    'Mem-Info:'
    """
    if not text.isascii() or "\x01" in text:
        text = text.translate(_BLANKS)
    if "\r" in text:
        text = "\n".join([line.strip("\r").replace("\r", " ") for line in text.split("\n")])
    if "\x1b" in text or "#033" in text:
        text = _ANSI.sub("", text)
    if ',"' in text:
        text = _CSV.sub(_cells, text)
    if "&" in text and _ENTITY.search(text):
        text = _unescape(text)
    if (
        text[:1] == ">"
        or "\n>" in text
        or (">" in text and ("\n " in text or "\n\t" in text or text[:1].isspace()))
    ):
        text = _QUOTE.sub("", text)
    return text


def _cells(found: re.Match[str]) -> str:
    """The line, behind the time if that is written in full."""
    when = found[1] or found[2]
    return (f"{when} " if when else "") + found[3].replace('""', '"')


def _unescape(line: str) -> str:
    for entity, character in _ENTITIES:
        line = line.replace(entity, character)
    return _BREAK.sub("", line)
