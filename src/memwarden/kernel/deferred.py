"""A file of many figures: tested when it is read, turned into figures when one of them is asked for.

A snapshot holds ``memory.stat`` and ``memory.numa_stat`` of every cgroup, a hundred figures of which most
are never looked at. That each line is what the interface prints is settled at once, as a malformed file is
a gap of its snapshot; the dictionary can wait.
"""

from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_ZEROS: Final = bytes.maketrans(b"123456789", b"0" * 9)


def only_digits_differ(before: str, text: str) -> bool:
    """Whether the two are alike, place by place, but for which ASCII digit stands where one has a digit.

    A text that differs so from a well-formed one need not be taken apart to be known as well-formed.
    """
    return _zeroed(before) == _zeroed(text)


def _zeroed(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(_ZEROS)


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
