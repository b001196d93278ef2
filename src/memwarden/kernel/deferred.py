"""A file of many figures: tested when it is read, turned into figures when one of them is asked for.

A snapshot holds ``memory.stat`` and ``memory.numa_stat`` of every cgroup, a hundred figures of which most
are never looked at. That each line is what the interface prints is settled at once, as a malformed file is
a gap of its snapshot; the dictionary can wait.
"""

from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

K = TypeVar("K")
V = TypeVar("V")

_DIGITS: Final = b"0123456789"
Places: TypeAlias = dict[tuple[str, ...], tuple[int | None, ...]]
"""Among the words of a file, where the figures of some keys are: the same in all files of one form,
as no kernel prints keys in which digits move."""
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


class Figures(Mapping[str, int]):
    """A flat keyed file as it was printed: a figure is looked for when it is asked for, and not kept.

    A dictionary of ``memory.stat`` takes three times as much memory as the file, and of most cgroups a guard
    asks for some figures once. ``data`` has a key of ``known`` in its first line and none twice, and each
    line is ``KEY VALUE``: whoever makes one of these has tested that.
    """

    __slots__ = ("_known", "_places", "data")

    def __init__(self, data: bytes, known: frozenset[str], places: Places) -> None:
        self.data: Final = data
        """The file as it was printed, for whoever keeps it too to hold it once."""
        self._known = known
        self._places = places

    def get(self, key: object, default: Any = None) -> Any:
        """The figure, or another."""
        if key not in self._known:
            return default
        needle = _NEEDLES.get(key)
        if needle is None:
            needle = _NEEDLES[str(key)] = b"\n%b " % str(key).encode()
        data = self.data
        at = data.find(needle)
        if at < 0 and not data.startswith(needle[1:]):
            return default
        begin = at + len(needle)  # in the first line there is no line end before the key
        return int(data[begin : data.index(b"\n", begin)])

    def some(self, keys: tuple[str, ...]) -> tuple[int | None, ...]:
        """Several figures, ``None`` for what is not there: quicker than one after the other."""
        words = self.data.split()
        places = self._places.get(keys)
        if places is None:
            found = {key: 2 * line + 1 for line, key in enumerate(map(bytes.decode, words[::2]))}
            places = self._places[keys] = tuple(
                [found.get(key) if key in self._known else None for key in keys]
            )
        return tuple([None if place is None else int(words[place]) for place in places])

    def __getitem__(self, key: str) -> int:
        found: int | None = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    def __bool__(self) -> bool:
        return True

    def _all(self) -> dict[str, int]:
        pairs = [line.split(b" ") for line in self.data.splitlines()]
        found = {key.decode("utf-8", "surrogatepass"): int(value) for key, value in pairs}
        return {key: value for key, value in found.items() if key in self._known}

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def items(self) -> ItemsView[str, int]:
        """All of them at once."""
        return self._all().items()

    def __repr__(self) -> str:
        return repr(self._all())


def some(figures: Mapping[str, int], keys: tuple[str, ...]) -> tuple[int | None, ...]:
    """Several figures of any file of them, ``None`` for what is not there."""
    return figures.some(keys) if isinstance(figures, Figures) else tuple(map(figures.get, keys))


def known(figures: Mapping[str, int], keys: tuple[str, ...]) -> dict[str, int]:
    """Those of several figures that are there."""
    return {key: value for key, value in zip(keys, some(figures, keys), strict=True) if value is not None}


_NEEDLES: Final[dict[str, bytes]] = {}
"""Keys that were asked for, as they stand in a file."""


class Later(Generic[K, V]):
    """Parses with ``parse``, but later where it is sure that ``parse`` would take the text.

    All cgroups of a kernel print the same lines with other figures. So the last text that was taken is
    remembered without its digits, if each line is a key, the ``mark`` before values, and a value.
    One that is the same without its own, begins with a known key and has a digit after every mark, is
    well-formed too: a digit elsewhere can only make an unknown key of another. All others are parsed at
    once, and refused as ever. ``flat``: a value is a number, and what is parsed later is :class:`Figures`.
    """

    def __init__(
        self, parse: Callable[[str], Mapping[K, V]], keys: frozenset[str], mark: str, *, flat: bool = False
    ) -> None:
        self._parse = parse
        self._keys = keys
        self._flat = flat
        self._mark = mark
        self._no_value = mark[-1] + "\n"
        self._form: bytes | None = None
        self._start = ""
        self._places: Places = {}

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
            return (
                cast("Mapping[K, V]", Figures(data, self._keys, self._places))
                if self._flat
                else Deferred(text, self._parse)
            )
        figures = self._parse(text)
        self._form = form if self._is_plain(text) else None
        self._places = {}
        return figures

    def _is_plain(self, text: str) -> bool:
        first = text.partition(self._mark)[0]
        self._start = first + self._mark
        *lines, rest = text.split("\n")
        parts = [line.partition(self._mark) for line in lines]
        return (
            first in self._keys
            and not rest
            and len({key for key, _, _ in parts}) == len(parts)
            and all(value.isdecimal() and key.split() == [key] for key, _, value in parts)
        )
