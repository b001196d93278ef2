"""A file of many figures: tested when it is read, turned into figures when one of them is asked for.

A snapshot holds ``memory.stat`` and ``memory.numa_stat`` of every cgroup, a hundred figures of which most
are never looked at. That each line is what the interface prints is settled at once, as a malformed file is
a gap of its snapshot; the dictionary can wait.
"""

from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_DIGITS: Final = b"0123456789"
_INT_TAKES: Final = 640
"""Digits that ``int()`` takes however it is configured (``sys.int_info.str_digits_check_threshold``)."""


class Deferred(Mapping[K, V]):
    """What ``parse`` makes of ``text``, made at first use; equal to it, and as little to be changed.

    ``parse`` must take the text: whoever makes one of these has tested it.
    """

    __slots__ = ("_held",)

    def __init__(self, text: str, parse: Callable[[str], Mapping[K, V]]) -> None:
        # In one place, so that another thread finds either the text or what it means.
        self._held: tuple[str, Callable[[str], Mapping[K, V]]] | Mapping[K, V] = (text, parse)

    def _figures(self) -> Mapping[K, V]:
        held = self._held
        if isinstance(held, tuple):
            text, parse = held
            held = self._held = parse(text)
        return held

    def __getitem__(self, key: K) -> V:
        return self._figures()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._figures()

    def __iter__(self) -> Iterator[K]:
        return iter(self._figures())

    def __len__(self) -> int:
        return len(self._figures())

    def items(self) -> ItemsView[K, V]:
        """The dictionary's own, which is quicker than the one that is made of the above."""
        return self._figures().items()

    def __repr__(self) -> str:
        return repr(self._figures())


class Later(Generic[K, V]):
    """Parses with ``parse``, but later where it is sure that ``parse`` would take the text.

    All cgroups of a kernel print the same lines with other figures. So the last text that was taken is
    remembered without its digits, if each line is a key, the ``mark`` before values, and a value.
    One that is the same without its own, begins with a known key and has a digit after every mark, is
    well-formed too: a digit elsewhere can only make an unknown key of another. All others are parsed at
    once, and refused as ever.
    """

    def __init__(self, parse: Callable[[str], Mapping[K, V]], keys: frozenset[str], mark: str) -> None:
        self._parse = parse
        self._keys = keys
        self._mark = mark
        self._no_value = mark[-1] + "\n"
        self._form: bytes | None = None
        self._start = ""

    def __call__(self, text: str) -> Mapping[K, V]:
        """The figures, or what will be; raises ``ParseError`` where ``parse`` does."""
        data = text.encode("utf-8", "surrogatepass")
        form = data.translate(None, _DIGITS)
        mark = self._mark
        if (
            form == self._form
            and len(data) - len(form) <= _INT_TAKES
            and text.startswith(self._start)
            and self._no_value not in text
            and text.endswith("\n")
            and (len(mark) == 1 or text.count(mark) == text.count(mark[-1]))
        ):
            return Deferred(text, self._parse)
        figures = self._parse(text)
        self._form = form if self._is_plain(text) else None
        return figures

    def _is_plain(self, text: str) -> bool:
        first = text.partition(self._mark)[0]
        self._start = first + self._mark
        *lines, rest = text.split("\n")
        parts = [line.partition(self._mark) for line in lines]
        return (
            first in self._keys
            and not rest
            and all(value.isdecimal() and key.split() == [key] for key, _, value in parts)
        )
