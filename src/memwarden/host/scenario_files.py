"""Scenario files and the library of named ones that ships: read, never written."""

from __future__ import annotations

import os

from memwarden.errors import InputError

_LIBRARY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sim", "scenarios")
MOST = 1 << 20


def names() -> list[str]:
    """The named scenarios, in order."""
    return sorted(name.removesuffix(".toml") for name in os.listdir(_LIBRARY) if name.endswith(".toml"))


def is_file(where: str) -> bool:
    """Whether this is meant as a file, and not as a name of the library."""
    return "/" in where or where.endswith(".toml")


def read(where: str, beside: str = "") -> tuple[str, str]:
    """A scenario by its name, or by its file, looked for beside another one: how it is called, and its text.

    Raises :class:`InputError`.
    """
    if not is_file(where):
        if where not in names():
            raise InputError(f"{where}: there is no scenario of this name")
        return f"{where}.toml", _text(os.path.join(_LIBRARY, f"{where}.toml"))
    path = os.path.join(os.path.dirname(beside), where) if beside and is_file(beside) else where
    return path, _text(path)


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MOST:
        raise InputError(f"{path}: is larger than 1 MiB; a scenario is not")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text, and a scenario is TOML") from error
