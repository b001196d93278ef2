"""Records and hints of the guard's process do what ``typing``'s do, as far as the guard can tell."""

from __future__ import annotations

import sys
import typing

import pytest

from memwarden.daemon import hints, lean

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] not in lean.KNOWN, reason="classes of this Python hold their annotations otherwise"
)
BODY = """
class Point({typing}.NamedTuple):
    "Where."
    x: int
    y: int | None = None
    label: str = "here"
    def moved(self):
        return self._replace(x=self.x + 1)
    @property
    def flat(self):
        return self.y is None
    @classmethod
    def origin(cls):
        return cls(0)

class Empty({typing}.NamedTuple):
    pass

class Sizes({typing}.TypedDict, total=False):
    anon: int

class Counts({typing}.TypedDict):
    pgfault: int

class Both(Sizes, Counts):
    more: {typing}.Any | None

Other = {typing}.TypedDict("Other", {{"Active(anon)": int}}, total=False)

class Source({typing}.Protocol):
    name: str
    def read(self): ...

class Mine(Source):
    pass

Key = {typing}.TypeVar("Key")

class Box({typing}.Generic[Key]):
    held: {typing}.Final[int] = 1
    kind: {typing}.Literal["a"] | None
    last: None | {typing}.Any

@{typing}.final
class Last:
    pass
"""


def made(name):
    """What a module that imports this ``typing`` has."""
    scope = {"typing": typing, "hints": hints, "__name__": "somewhere"}
    exec(BODY.format(typing=name), scope)
    return scope


@pytest.fixture(params=["hints", "typing"])
def module(request):
    return made(request.param)


def test_a_record_is_a_tuple_with_names(module):
    Point = module["Point"]  # noqa: N806 - it is a class
    one = Point(1, label="there")
    assert one == (1, None, "there")
    assert hash(one) == hash((1, None, "there"))
    assert repr(one) == "Point(x=1, y=None, label='there')"
    assert (one.x, one.y, one.label, one.flat) == (1, None, "there", True)
    assert one.moved() == Point(2, None, "there")
    assert type(one.moved()) is Point
    assert type(Point.origin()) is Point
    assert Point._fields == Point.__match_args__ == ("x", "y", "label")
    assert one._asdict() == {"x": 1, "y": None, "label": "there"}
    assert Point._make("abc") == Point("a", "b", "c")
    assert Point.__module__ == "somewhere"
    assert isinstance(one, tuple)
    assert not hasattr(one, "__dict__")
    match one:
        case Point(1, y=None, label=label):
            assert label == "there"
    assert module["Empty"]() == ()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda point: point(), TypeError),
        (lambda point: point(1, 2, "a", 4), TypeError),
        (lambda point: point(1, z=2), TypeError),
        (lambda point: point._make("ab"), TypeError),
        (lambda point: point(1)._replace(z=1), (TypeError, ValueError)),
        (lambda point: setattr(point(1), "x", 2), AttributeError),
        (lambda point: setattr(point(1), "z", 2), AttributeError),
    ],
)
def test_what_no_record_takes(module, wrong, error):
    with pytest.raises(error):
        wrong(module["Point"])


def test_keys_of_a_dictionary_with_those_of_the_classes_above(module):
    assert set(module["Sizes"].__annotations__) == {"anon"}
    assert set(module["Both"].__annotations__) == {"anon", "pgfault", "more"}
    assert set(module["Other"].__annotations__) == {"Active(anon)"}


def test_hints_are_no_more_than_that(module):
    assert module["Box"]().held == 1
    assert module["Mine"]().read() is None
    assert module["Last"]
    for one in (typing, hints):
        assert one.cast("int", "a") == "a"
        assert not one.TYPE_CHECKING
