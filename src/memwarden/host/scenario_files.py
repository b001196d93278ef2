"""Scenario files and the library of named ones that ships: read, never written."""

from __future__ import annotations

import os
import stat

from memwarden.errors import InputError

_LIBRARY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sim", "scenarios")
MOST = 1 << 20
STDIN = "-"


def names() -> list[str]:
    """The named scenarios, in order."""
    return sorted(name.removesuffix(".toml") for name in os.listdir(_LIBRARY) if name.endswith(".toml"))


def is_file(where: str) -> bool:
    """Whether this is meant as a file, and not as a name of the library."""
    return "/" in where or where.endswith(".toml")


def read(where: str, beside: str = "") -> tuple[str, str]:
    """A scenario by its name, or by its file, looked for beside another one: how it is called, and its text.

    ``-`` is standard input. Raises :class:`InputError`.
    """
    if where == STDIN:
        return "standard input", _text(0, "standard input")
    if not is_file(where):
        if where not in names():
            raise InputError(f"{where}: there is no scenario of this name")
        return f"{where}.toml", _text(os.path.join(_LIBRARY, f"{where}.toml"), where)
    path = _short(os.path.join(os.path.dirname(beside), where)) if beside and is_file(beside) else where
    return path, _text(path, path)


def _short(path: str) -> str:
    """Without detours, so that who comes round to a file knows it; as it is where a link makes them count."""
    short = os.path.normpath(path)
    return short if os.path.realpath(short) == os.path.realpath(path) else path


def _text(where: str | int, name: str) -> str:
    """What is in a file, by its path or its open descriptor."""
    by_path = isinstance(where, str)
    try:
        with open(where, "rb", closefd=by_path, opener=_at_once) as file:
            if by_path and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{name}: is no plain file; pipe it into standard input, and name that: -")
            data = file.read(MOST + 1)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    if len(data) > MOST:
        raise InputError(f"{name}: is larger than 1 MiB; a scenario is not")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: is not UTF-8; save the file as UTF-8") from error


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever writes to a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK)
