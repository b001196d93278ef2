"""Sockets of the kind that stays on one machine, for a process that has to be small.

``socket`` imports ``selectors`` and makes enumerations of the constants of every protocol. What does the work
is ``_socket`` below it.
"""

from __future__ import annotations

from _socket import (
    AF_UNIX,
    SO_PEERCRED,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from struct import Struct
from typing import Final

_PEER: Final = Struct("3i")
"""``struct ucred``: pid, uid, gid."""


class Socket(socket):
    """A socket that does not outlive an exec: a connection, or ``datagrams`` that are sent and forgotten."""

    __slots__ = ()

    @classmethod
    def stream(cls) -> Socket:
        """One to connect, or to listen on."""
        return cls(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)

    @classmethod
    def datagrams(cls) -> Socket:
        """One to send messages by, which never waits."""
        return cls(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

    def take(self) -> Socket:
        """The next connection, which never waits; raises ``OSError``."""
        fd, _ = self._accept()  # type: ignore[attr-defined]  # accept4(2) with SOCK_CLOEXEC
        peer = Socket(AF_UNIX, SOCK_STREAM, 0, fileno=fd)
        peer.setblocking(False)
        return peer

    def peer_uid(self) -> int:
        """Who is at the other end, as the kernel noted when it connected."""
        uid: int = _PEER.unpack(self.getsockopt(SOL_SOCKET, SO_PEERCRED, _PEER.size))[1]
        return uid
