"""What some modules of Python are in the guard's process, which keeps all that it imports in memory, locked.

``typing`` is :mod:`memwarden.daemon.hints`, ``ctypes`` is ``calls``, ``enum`` is this, and where the compiled
half of a module does for us, the half written in Python stays out: 2 MiB less together. Pythons that are not
known to start so keep their own.
"""

from __future__ import annotations

import _collections  # type: ignore[import-not-found]  # no stub knows it
import _collections_abc
import _heapq
import _operator
import _signal  # type: ignore[import-not-found]  # no stub knows it
import sys

from memwarden.daemon import calls, hints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KNOWN = ((3, 11), (3, 12), (3, 13))


def install() -> None:
    """Have everything that is imported from now on find these."""
    if sys.version_info[:2] in KNOWN:
        sys.modules |= {
            "collections": _collections,
            "collections.abc": _collections_abc,
            "ctypes": calls,
            "enum": sys.modules[__name__],
            "heapq": _heapq,
            "operator": _operator,
            "signal": _signal,
            "typing": hints,
        }


class _Members(type):
    """Makes one instance of each name that a class body gives a value."""

    _by_value: dict[object, object]

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, object]) -> _Members:
        values = {key: body[key] for key in body if not key.startswith("_")}
        made = super().__new__(cls, name, bases, body)
        made._by_value = {}
        new: Callable[[type], object] = object.__new__
        for key, value in values.items():
            one = new(made)
            vars(one).update(name=key, value=value)
            made._by_value[value] = one
            setattr(made, key, one)
        return made

    def __call__(cls, value: object) -> object:
        try:
            return cls._by_value[value]
        except KeyError:
            raise ValueError(f"{value!r} is not a valid {cls.__name__}") from None

    def __iter__(cls) -> Iterator[object]:
        return iter(cls._by_value.values())

    def __len__(cls) -> int:
        return len(cls._by_value)


class Enum(metaclass=_Members):
    """Members with a name and a value each, and nothing else: no aliases, methods or flags."""

    name: str
    value: object

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__}.{self.name}: {self.value!r}>"

    def __str__(self) -> str:
        return f"{self.__class__.__name__}.{self.name}"
