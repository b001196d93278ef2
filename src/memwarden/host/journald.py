"""Messages to systemd's journal with fields of their own: its native protocol in few words.

A datagram of ``NAME=value`` lines to a socket; a value with a line break stands as its name, a line break,
its length in 64 bits little-endian, and the value (systemd, "Native Journal Protocol"). Values are kept so
short that a message always fits a datagram, so that nothing has to be passed by memfd.
"""

from __future__ import annotations

from errno import ECONNREFUSED, ENOENT
from typing import TYPE_CHECKING, Final

from memwarden.host.unix_socket import Socket

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET: Final = "/run/systemd/journal/socket"
ABSENT: Final = (ENOENT, ECONNREFUSED)
"""There is no journal, as in a container."""
LONGEST: Final = 2048
"""Bytes of one value. Twenty of them are less than the least send buffer that a socket has by default."""


class Journald:
    """The socket. Nothing here raises or waits. ``dropped``: what a journal that is there did not take."""

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path
        self._socket = Socket.datagrams()
        self.dropped = 0

    def send(self, fields: Mapping[str, str]) -> bool:
        """Send one message; whether it was taken. A journal that is full, or not there, takes none."""
        try:
            self._socket.sendto(b"".join([_field(*one) for one in fields.items()]), self._path)
        except OSError as error:
            self.dropped += error.errno not in ABSENT
            return False
        return True

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "surrogateescape")[:LONGEST]
    if b"\n" in data:
        return b"%b\n%b%b\n" % (name.encode(), len(data).to_bytes(8, "little"), data)
    return b"%b=%b\n" % (name.encode(), data)
