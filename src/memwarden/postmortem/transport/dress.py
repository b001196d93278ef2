"""What mail programs, terminals and web pages do to a line, undone before anything reads it."""

from __future__ import annotations

import re
from typing import Final

_ANSI: Final = re.compile(r"(?:\x1b|#033)(?:\[[0-9;:?]*[A-Za-z]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[()][AB0])")
_QUOTE: Final = re.compile(r"[ \t]*(?:>[ \t]?)+")
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&"))
_BREAK: Final = re.compile(r"<br ?/?>\s*$")
_BLANKS: Final = str.maketrans({"\xa0": " ", "\u2007": " ", "\u202f": " ", "\u200b": None, "\ufeff": None, "\0": None})


def undress(line: str) -> str:
    """The line as the kernel's console would have shown it: no colours, quote marks, entities, CR.

    >>> undress("> > \\x1b[33mMem-Info:\\x1b[0m\\r")
    'Mem-Info:'
    """
    if not line.isascii() or "\0" in line:
        line = line.translate(_BLANKS)
    if "\r" in line:
        line = line.strip("\r").replace("\r", " ")
    if "\x1b" in line or "#033" in line:
        line = _ANSI.sub("", line)
    if "&" in line and ";" in line:
        line = _unescape(line)
    if ">" in line and (quote := _QUOTE.match(line)) is not None:
        line = line[quote.end() :]
    return line


def _unescape(line: str) -> str:
    for entity, character in _ENTITIES:
        line = line.replace(entity, character)
    return _BREAK.sub("", line)
