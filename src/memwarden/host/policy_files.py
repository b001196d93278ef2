"""The files of a policy: ``policy.toml`` and ``policy.d/*.toml`` in the order of their names.

Whoever can write them decides whom the guard kills as root. So a link must not lead out of the folder, only
plain files of a sensible size are read, and a file or folder that everybody may write is named.
"""

from __future__ import annotations

import os
import stat
from errno import ENOENT
from typing import TYPE_CHECKING, Final, NamedTuple

import memwarden
from memwarden.errors import InputError
from memwarden.host import files
from memwarden.host.decompress import format_of

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER: Final = "/etc/memwarden"
MAIN: Final = "policy.toml"
DROP_INS: Final = "policy.d"
BUILT_IN: Final = "default"
STDIN: Final = "-"
LARGEST_BYTES: Final = 1 << 20
MOST_FILES: Final = 256
_POLICIES: Final = os.path.join(os.path.dirname(memwarden.__file__), "guard", "policies")


class PolicyFiles(NamedTuple):
    """What was read: name and text of each file in order; paths, and what is odd about the files."""

    name: str
    texts: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...] = ()


def read_policy(where: str | None = None) -> PolicyFiles:
    """A policy's files.

    ``where`` is a file (``x.toml``, and ``x.d/*.toml`` beside it), a folder (``policy.toml``, or the built-in
    policy where there is none, and ``policy.d/*.toml``), ``default`` for the built-in policy, ``-`` for
    standard input. ``None``: the folder where a policy is installed, or the built-in one. Raises
    :class:`InputError`.
    """
    if where is None:
        where = FOLDER if _names_of(FOLDER) else BUILT_IN
    if where == BUILT_IN:
        return PolicyFiles(BUILT_IN, (_built_in(),))
    if where == STDIN:
        return PolicyFiles("standard input", (read_text(STDIN),))
    notes: list[tuple[str, str]] = []
    if os.path.isdir(where):
        where = where.rstrip("/") or "/"
        texts = _of_folder(where, notes)
    else:
        stem, _ = os.path.splitext(where)
        texts = [_read(where, None, notes)]
        if os.path.isdir(f"{stem}.d"):
            texts += _drop_ins(f"{stem}.d", os.path.dirname(where) or ".", notes)
    return PolicyFiles(where, tuple(texts), tuple(notes))


def read_text(path: str) -> tuple[str, str]:
    """Name and text of one file that a person named; ``-`` is standard input. Raises :class:`InputError`."""
    return ("standard input", _text(0, "standard input")) if path == STDIN else _read(path, None, [])


def read_folder(folder: str) -> tuple[tuple[str, str], ...]:
    """Name and text of what is in a folder of another tool's files, and in its folders of drop-ins, ``X.d``.

    Hidden files are left out, and what is no text: neither is a policy's. Who reads it only looks, and a link
    to a file may lead where it likes; one to a folder could lead to a folder above, and is left out. Raises
    :class:`InputError`.
    """
    folder = folder.rstrip("/") or "/"
    found = []
    for name in _all_of(folder):
        path = f"{folder}/{name}"
        if os.path.isfile(path):
            try:
                found.append(_read(path, None, []))
            except InputError:
                if not os.access(path, os.R_OK):
                    raise
        elif name.endswith(".d") and os.path.isdir(path) and not os.path.islink(path):
            found += read_folder(path)
    return tuple(found)


def is_ours(folder: str) -> bool:
    """Whether a folder holds a policy of ours."""
    return bool(_names_of(folder))


def _all_of(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}; try with sudo") from error


def _names_of(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name in (MAIN, DROP_INS)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}; try with sudo") from error


def _of_folder(folder: str, notes: list[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    names = _names_of(folder)
    if not names:
        raise InputError(
            f"{folder}: holds neither {MAIN} nor policy.d; name the folder of a policy, or its file"
        )
    _note_mode(os.stat(folder).st_mode, folder, notes)
    yield _read(f"{folder}/{MAIN}", folder, notes) if MAIN in names else _built_in()
    if DROP_INS in names:
        yield from _drop_ins(f"{folder}/{DROP_INS}", folder, notes)


def _drop_ins(folder: str, base: str, notes: list[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{folder}: is no folder; make it one, of drop-ins, or remove it") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}; try with sudo") from error
    if len(names) > MOST_FILES:
        raise InputError(f"{folder}: holds {len(names)} files; a policy has at most {MOST_FILES}")
    _note_mode(os.stat(folder).st_mode, folder, notes)
    for name in names:
        if name.endswith(".toml"):
            yield _read(f"{folder}/{name}", base, notes)
        else:
            notes.append((f"{folder}/{name}", "is not read, since its name does not end in .toml"))


def _built_in() -> tuple[str, str]:
    return "default.toml", _read(os.path.join(_POLICIES, "default.toml"), None, [])[1]


def _read(path: str, base: str | None, notes: list[tuple[str, str]]) -> tuple[str, str]:
    """A file's name and text; with ``base``, of no file outside of it."""
    if not path:
        raise InputError(f'the name of the file is empty; name one, or "{BUILT_IN}", the built-in policy')
    real = os.path.realpath(path)
    if base is not None and os.path.commonpath([real, top := os.path.realpath(base)]) != top:
        raise InputError(f"{path}: is a link out of {base}; put the file itself there")
    try:
        fd = os.open(real, files.FILE_FLAGS)
    except OSError as error:
        hint = "" if "/" in path or error.errno != ENOENT else f'; "{BUILT_IN}" names the built-in policy'
        if error.errno == ENOENT and os.path.islink(path):
            hint = f"; it is a link to {os.readlink(path)}, which is not there"
        raise InputError(f"{path}: cannot be opened: {error.strerror}{hint}") from error
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise InputError(
                f"{path}: is no plain file; name a policy in TOML, or a folder that holds {MAIN}"
            )
        _note_mode(mode, path, notes)
        return path, _text(fd, path)
    finally:
        os.close(fd)


def _text(fd: int, name: str) -> str:
    data = b""
    try:
        while len(data) <= LARGEST_BYTES and (chunk := os.read(fd, files.CHUNK)):
            data += chunk
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{name}: is larger than {LARGEST_BYTES >> 20} MiB; that is no policy")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if packed := format_of(data):
            raise InputError(f"{name}: is compressed with {packed.name}; unpack it first") from None
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: is not UTF-8; save the file as UTF-8") from error


def _note_mode(mode: int, path: str, notes: list[tuple[str, str]]) -> None:
    # In a folder with the sticky bit others cannot replace what is not theirs.
    if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
        notes.append((path, f"everybody may write it and decide whom the guard kills; run chmod o-w {path}"))
