"""What ``typing`` is in the guard's process: records, and hints that mean nothing once it runs.

The module itself, and what it makes of each record, take 1.5 MiB that would be locked for ever, of which the
guard uses records (``NamedTuple``) only. Here they share their methods. What checks types reads the real one.
"""

from __future__ import annotations

from _collections import _tuplegetter  # type: ignore[import-not-found]  # no stub knows it

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class _Hint:
    """Stands for any hint: it can be subscripted and joined with others, and is still one."""

    __slots__ = ()

    def __getitem__(self, _parameters: object) -> _Hint:
        return self

    def __or__(self, _other: object) -> _Hint:
        return self

    __ror__ = __or__


class Protocol:
    """A class like any other."""

    __slots__ = ()

    def __class_getitem__(cls, _parameters: object) -> type:
        return cls


Generic = Protocol
Any = Final = Literal = NoReturn = Self = TypeAlias = Union = _Hint()


def TypeVar(_name: str, *_among: object, bound: object = None) -> _Hint:  # noqa: N802 - typing's own
    """A hint."""
    return Any


def cast(_kind: object, value: object) -> object:
    """The value."""
    return value


def final(one: object) -> object:
    """The class or function."""
    return one


class _Record(tuple[object, ...]):
    """What all records have, as ``collections.namedtuple`` makes it for each of them."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    @classmethod
    def _make(cls, values: Iterable[object]) -> _Record:
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    def _replace(self, /, **values: object) -> _Record:
        made = self._make(map(values.pop, self._fields, self))
        if values:
            raise ValueError(f"Got unexpected field names: {[*values]!r}")
        return made

    def _asdict(self) -> dict[str, object]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        parts = [f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)]
        return f"{self.__class__.__name__}({', '.join(parts)})"


class _Records(type):
    """Makes a record of a class body: its annotations are the fields, their values what they default to."""

    def __new__(cls, name: str, _bases: tuple[type, ...], body: dict[str, object]) -> type:
        fields = tuple(_annotations(body))
        wanted = "".join([f"{field}, " for field in fields])
        new = eval(f"lambda _cls, {wanted}: _new(_cls, ({wanted}))", {"_new": tuple.__new__})  # noqa: S307 - names
        new.__defaults__ = tuple([body.pop(field) for field in fields if field in body])
        body.update({field: _tuplegetter(place, None) for place, field in enumerate(fields)})
        body.update(__new__=new, __slots__=(), _fields=fields, __match_args__=fields)
        return type(name, (_Record,), body)


class _Keys(type):
    """Makes a class of which only the annotations are asked for, with those of the classes above it."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, object], **_options: object) -> type:
        hints: dict[str, object] = {}
        for base in bases:
            hints |= _annotations(vars(base))
        return type.__new__(cls, name, (dict,), body | {"__annotations__": hints | _annotations(body)})

    def __init__(
        cls, name: str, bases: tuple[type, ...], body: dict[str, object], **_options: object
    ) -> None:
        type.__init__(cls, name, bases, body)


def _annotations(body: Mapping[str, object]) -> dict[str, object]:
    found = body.get("__annotations__", {})
    assert isinstance(found, dict)
    return found


class _Above:
    """Stands for a class among those above another, whose body is then given to the class's metaclass."""

    __slots__ = ("_made",)

    def __init__(self, kind: type[type]) -> None:
        self._made = type.__new__(kind, "", (), {})

    def __mro_entries__(self, _bases: tuple[object, ...]) -> tuple[type, ...]:
        return (self._made,)


class _Dictionaries(_Above):
    def __call__(self, name: str, fields: dict[str, object], **_options: object) -> type:
        return _Keys(name, (), {"__annotations__": fields})


NamedTuple = _Above(_Records)
TypedDict = _Dictionaries(_Keys)
