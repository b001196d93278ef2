"""A word: a table of a document, and the record that it stands for.

Each of its keys fills one field of one record; what a field is when its key is left
out, and whether it may be, the record itself says.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from memwarden.words.kinds import Kind


class Key(NamedTuple):
    """One key: its spelling, the field it fills, how its value is written, and one line about it.

    ``part`` names the record within the word's own that the field is of, if any.
    ``also`` is a field and the value it has whenever this key is used.
    """

    name: str
    field: str
    kind: Kind
    help: str
    part: str = ""
    also: tuple[str, Any] | None = None
    optional: bool = False
    """It may be left out although the field has no default: somebody else fills it."""


class Word(NamedTuple):
    """A table of the document, the record it stands for, its keys and a line about it."""

    name: str
    record: Any
    keys: tuple[Key, ...]
    help: str
    parts: Mapping[str, Any] = MappingProxyType({})
    """By the name of a part, the record that has its defaults."""

    def key_of(self, name: str) -> Key | None:
        """The key that is spelled so."""
        return next((key for key in self.keys if key.name == name), None)


REQUIRED: Final = object()
"""Stands for the default of a field that has none."""


def default_of(word: Word, key: Key) -> Any:
    """What the field is when the key is left out, or :data:`REQUIRED`."""
    if key.part:
        return getattr(word.parts[key.part], key.field)
    return word.record._field_defaults.get(key.field, None if key.optional else REQUIRED)
