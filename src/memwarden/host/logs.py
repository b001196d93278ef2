"""Opens logs and recordings: files, standard input, plain or compressed; gives chunks of bytes."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.host.decompress import decompressed

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK: Final = 1 << 18
STDIN: Final = "-"
SNIFF: Final = 1 << 12
_TEXT: Final = bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100)) + b"\t\n\r\x1b\b\0"
CONTROL_SHARE: Final = 20
"""A text in which more than one byte in 20 is a control character is none; of random bytes one in ten is."""

_NOT_LOGS: Final = (
    (
        b"LPKSHHRH",
        "is a systemd journal; try: journalctl -k -o export --file {} | memwarden explain -",
    ),
    (
        b"\x7fELF",
        "is a program or a memory dump; take the log out of a dump with: makedumpfile --dump-dmesg {} LOG",
    ),
    (b"KDUMP   ", "is a memory dump; take the log out of it with: makedumpfile --dump-dmesg {} LOG"),
    (b"memwarden-root", "is a recording of a machine, not a log; give it to status or rank with --root"),
    (b"PK\x03\x04", "is a zip archive; unpack it first"),
    (b"\x04\x22\x4d\x18", "is packed with lz4; unpack it: lz4 -dc {} | memwarden explain -"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
)


class Log:
    """A log being read: iterating gives chunks of bytes; ``notes`` says afterwards what could not be read."""

    def __init__(self, name: str, chunks: Iterator[bytes], notes: list[str]) -> None:
        self.name = name
        self.notes = notes
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


def open_file(path: str, *, binary: bool = False) -> Log:
    """A file, or standard input for ``-``, unpacked if it is compressed.

    Raises :class:`InputError` at once when it cannot be read or, unless ``binary``, is no text; later when
    the disk fails. What is truncated or damaged leaves a note.
    """
    name = "standard input" if path == STDIN else path
    notes: list[str] = []
    fd = 0 if path == STDIN else _open(path, "recording" if binary else "log")
    chunks = decompressed(_chunks(fd, name), name, notes)
    if not binary:
        chunks = _checked(chunks, name)
    return Log(name, chunks, notes)


def _open(path: str, wanted: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as error:
        raise InputError(
            f"{path}: may not be read by this user; try with sudo, or as a member of group adm"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    kind = os.fstat(fd).st_mode
    if stat.S_ISDIR(kind) or stat.S_ISBLK(kind):
        os.close(fd)
        what = "directory" if stat.S_ISDIR(kind) else "block device"
        raise InputError(f"{path}: is a {what}, not a {wanted}; name a file")
    return fd


def _chunks(fd: int, name: str) -> Iterator[bytes]:
    try:
        while chunk := os.read(fd, CHUNK):
            yield chunk
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    finally:
        if fd != 0:
            os.close(fd)


def _checked(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    first = next(chunks, b"")
    head = first[:SNIFF]
    for magic, sentence in _NOT_LOGS:
        if head.startswith(magic):
            raise InputError(f"{name}: {sentence.format(name)}")
    if head and (len(head.translate(None, _TEXT)) * CONTROL_SHARE > len(head) or not head.strip(b"\0")):
        raise InputError(f"{name}: is binary data, not a log; give a kernel log as text, plain or compressed")
    return _again(first, chunks)


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
        yield from rest
