"""The field registry: what each figure is called, its unit, its kind and one line of help.

One table feeds CLI columns, sort keys, JSON documents and generated documentation, so that the
same figure has the same name and meaning everywhere.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple


class Unit(Enum):
    """What a number counts."""

    BYTES = "bytes"
    MICROSECONDS = "microseconds"
    PERCENT = "percent"
    COUNT = "count"
    POINTS = "points"
    NONE = ""


class Kind(Enum):
    """How a figure behaves over time."""

    GAUGE = "gauge"
    COUNTER = "counter"
    LIMIT = "limit"
    TEXT = "text"


class Field(NamedTuple):
    """One figure: ``name`` is the JSON key, ``title`` the column head."""

    name: str
    title: str
    unit: Unit
    kind: Kind
    help: str


STATUS: Final[tuple[Field, ...]] = ()
RANK: Final[tuple[Field, ...]] = ()
