"""The "flat keyed" format of cgroup v2 and of ``/proc/vmstat``: one ``KEY VALUE`` line per figure.

::

    anon 1323008
    file 4628480

Kernel: Documentation/admin-guide/cgroup-v2.rst, "Format".
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_LAST_KEYS: Final[dict[frozenset[str], tuple[list[str], list[bool], list[str]]]] = {}
"""Keys as they were in the last file of each kind, which of them are known, and those that are.

All that have the same keys hold them once: of a cgroup's ``memory.stat`` the words would take as much memory
as the figures. A list is replaced and never changed, so that another thread finds one or the other.
"""


def parse(text: str, known: frozenset[str], *, path: str) -> dict[str, int]:
    """The figures whose key is in ``known``; other keys are ignored, but every line must be well formed.

    Raises ``ParseError`` when a line is not a key and an unsigned number, or no key is known.
    """
    words = text.split()
    keys, values = words[::2], words[1::2]
    # Whole columns are tested and turned at once: a thousand of these files are read per snapshot.
    if len(keys) == len(values) == line_count(text):
        last = _LAST_KEYS.get(known)
        if last is None or keys != last[0]:
            asked = [key in known for key in keys]
            last = keys, asked, list(compress(keys, asked))
        _, asked, names = last
        try:
            _test(values)
            found = dict(zip(names, map(int, compress(values, asked)), strict=True))
        except ValueError:
            raise _first_wrong(text, path) from None
        if found:
            _LAST_KEYS[known] = last
            return found
    raise _first_wrong(text, path)


def line_count(text: str) -> int:
    """Lines of a file whose last line may lack its end."""
    return text.count("\n") + (not text.endswith("\n"))


def figures(keys: Sequence[str], values: Sequence[str], known: frozenset[str]) -> dict[str, int]:
    """Known keys to their values; raises ``ValueError`` when any value is not an unsigned number."""
    _test(values)
    found = dict(zip(keys, map(int, values), strict=True))
    if known.issuperset(found):
        return found
    return {key: value for key, value in found.items() if key in known}


def _test(values: Sequence[str]) -> None:
    digits = "".join(values)
    # As bytes, the test is five times as quick. What cannot be encoded raises a ValueError too.
    if not digits.encode().isdigit():
        raise ValueError(digits)


def _first_wrong(text: str, path: str) -> ParseError:
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            _key, value = line.split()
            unsigned(value)
        except ValueError:
            return ParseError(path, line, "not a key and an unsigned number", line_number=number)
    return ParseError(path, text, "no known key")
