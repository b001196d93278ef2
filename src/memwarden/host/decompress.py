"""Decompression by what the bytes say, not by the name of the file: gzip, xz, bzip2 and zstd.

Whatever can be read of a truncated or damaged file is given, with a note. Output comes in pieces of bounded
size, so that a small file that unpacks to a huge one costs time but no memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from memwarden.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PIECE: Final = 1 << 20
ZSTD_INPUT: Final = 1 << 8
"""Four bytes can stand for a block of 128 KiB: so many at once are 8 MiB at the very worst."""


class Decompressor(Protocol):
    """The interface that lzma, bz2 and Python 3.14's zstd have."""

    @property
    def eof(self) -> bool:
        """The end of a stream was reached; others may follow in ``unused_data``."""

    @property
    def needs_input(self) -> bool:
        """There is no more output without more input."""

    @property
    def unused_data(self) -> bytes:
        """What came behind the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take input, give at most ``max_length`` bytes of output."""


class _Gzip:
    """zlib's object with the interface of the others."""

    def __init__(self) -> None:
        import zlib  # noqa: PLC0415 - only a compressed file pays for it

        self._object = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


class _Zstandard:
    """The object of the zstandard package with the interface of the others."""

    def __init__(self) -> None:
        import zstandard  # noqa: PLC0415 - only a compressed file pays for it

        self._object = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
        self._input = b""
        self._at = 0
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def needs_input(self) -> bool:
        return self._at >= len(self._input)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        # It has no bound on its output: the input is bounded instead.
        if data:
            self._input, self._at = data, 0  # the rest was used up, or more would not have been asked for
        end = self._at + ZSTD_INPUT
        out = bytes(self._object.decompress(self._input[self._at : end]))
        self._at = end
        if self._object.eof:
            self.unused_data = self._object.unused_data + self._input[end:]
        return out


def _xz() -> Decompressor:
    import lzma  # noqa: PLC0415 - only a compressed file pays for it

    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ)


def _bzip2() -> Decompressor:
    import bz2  # noqa: PLC0415 - only a compressed file pays for it

    return bz2.BZ2Decompressor()


def _zstd() -> Decompressor:
    try:
        from compression import zstd  # noqa: PLC0415 - Python 3.14 and later

        found: Decompressor = zstd.ZstdDecompressor()
    except ImportError:
        return _Zstandard()
    return found


class Format(NamedTuple):
    """How a compressed stream begins, what it is called and what unpacks it."""

    magic: bytes
    name: str
    make: Callable[[], Decompressor]


FORMATS: Final = (
    Format(b"\x1f\x8b", "gzip", _Gzip),
    Format(b"\xfd7zXZ\x00", "xz", _xz),
    Format(b"BZh", "bzip2", _bzip2),
    Format(b"\x28\xb5\x2f\xfd", "zstd", _zstd),
)


def decompressed(chunks: Iterable[bytes], name: str, notes: list[str]) -> Iterator[bytes]:
    """The content of a file whose chunks may be compressed; plain chunks are passed on as they are."""
    stream = iter(chunks)
    first = _at_least(stream, max(len(kind.magic) for kind in FORMATS))
    kind = format_of(first)
    return _plain(first, stream) if kind is None else _Unpacker(stream, name, notes, kind).run(first)


def format_of(data: bytes) -> Format | None:
    """How data is compressed that begins so; ``None``: it is not."""
    return next((kind for kind in FORMATS if data.startswith(kind.magic)), None)


def _plain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
        yield from rest


def _at_least(stream: Iterator[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size and (more := next(stream, b"")):
        data += more
    return data


class _Unpacker:
    def __init__(self, stream: Iterator[bytes], name: str, notes: list[str], kind: Format) -> None:
        self._stream = stream
        self._name = name
        self._notes = notes
        self._magic, self._kind, self._make = kind
        self._given = 0

    def run(self, data: bytes) -> Iterator[bytes]:
        """Unpack one stream after the other, as ``cat a.gz b.gz`` makes them."""
        while data.startswith(self._magic):
            unpacker = self._new()
            while not unpacker.eof:
                try:
                    piece = unpacker.decompress(data, PIECE)
                except Exception as error:  # noqa: BLE001 - zlib, lzma and zstd have no common base
                    self._broken("is damaged", error)
                    return
                if piece:
                    self._given += len(piece)
                    yield piece
                data = b""
                if not piece and unpacker.needs_input and not unpacker.eof:
                    data = next(self._stream, b"")
                    if not data:
                        self._broken("is cut off", None)
                        return
            data = unpacker.unused_data or next(self._stream, b"")
            if data and len(data) < len(self._magic):
                data += _at_least(self._stream, len(self._magic))
        if data.strip(b"\0"):  # zeros are padding, as tape drives and xz make it
            self._notes.append(f"{self._name}: other data follows the {self._kind} data; ignored")

    def _new(self) -> Decompressor:
        try:
            return self._make()
        except ImportError:
            raise InputError(
                f"{self._name}: is packed with zstd, which needs Python 3.14 or the zstandard package "
                f"(pip install 'memwarden[zstd]'); or unpack it: zstd -dc {self._name} | memwarden explain -"
            ) from None

    def _broken(self, what: str, error: Exception | None) -> None:
        because = f" ({error})" if error is not None else ""
        if not self._given:
            raise InputError(
                f"{self._name}: {what} before anything in it could be unpacked{because}; copy the file again"
            ) from error
        self._notes.append(
            f"{self._name}: {what}{because}; the {self._given} bytes unpacked before that were read"
        )
