"""The control socket: a line of JSON in, a JSON document out, for root and for who runs the guard.

It is served within the loop's poll and never waits: who connects and says nothing is dropped when others
come, and an answer is small enough for the socket's buffer. What takes time is answered when it is done.
"""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE
from typing import TYPE_CHECKING, Any, Final

from memwarden.daemon.loop import Heard
from memwarden.host import plain_json
from memwarden.host.blocks import Suppress

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.daemon.ears import Ears
    from memwarden.host.unix_socket import Socket

SCHEMA: Final = "memwarden.ctl/1"
NAME: Final = "socket"
LONGEST: Final = 1024
"""Bytes of a request."""
CONNECTIONS: Final = 4
NOTHING: Final = "/dev/null"
COMMANDS: Final = ("status", "pause", "resume", "dump", "reload")


class Control:
    """``answer`` does a command and calls what it is given, now or later and once, with what is to be said.

    That has a sentence in ``error`` where it failed.
    """

    def __init__(
        self,
        listener: Socket,
        ears: Ears,
        answer: Callable[[str, Callable[[dict[str, Any]], None]], None],
    ) -> None:
        self._listener = listener
        self._ears = ears
        self._answer = answer
        self._waiting: dict[int, tuple[Socket, bytearray]] = {}
        self._spare: int | None = os.open(NOTHING, os.O_RDONLY | os.O_CLOEXEC)
        """Let go of for a moment when no descriptor is left: who waits would keep poll awake for ever."""
        listener.setblocking(False)
        listener.listen(CONNECTIONS)
        ears.listen(listener.fileno(), self._come)

    def _come(self, _events: int) -> Heard:
        try:
            peer = self._listener.take()
        except OSError as error:
            if error.errno in (EMFILE, ENFILE):
                self._refuse()
            return Heard()  # or it is gone again
        if peer.peer_uid() not in (0, os.geteuid()):
            self._say(peer, refusal("", "only root may ask"))
            return Heard()
        if len(self._waiting) >= CONNECTIONS:
            self._drop(next(iter(self._waiting)))
        self._waiting[peer.fileno()] = peer, bytearray()
        self._ears.listen(peer.fileno(), lambda _events: self._hear(peer.fileno()))
        return Heard()

    def _refuse(self) -> None:
        """Hang up on who comes, for want of a descriptor; where others took the spare one, hear nobody."""
        if self._spare is None:
            self._ears.forget(self._listener.fileno())
            return
        os.close(self._spare)
        self._spare = None
        with Suppress(OSError):
            self._listener.take().close()
        with Suppress(OSError):
            self._spare = os.open(NOTHING, os.O_RDONLY | os.O_CLOEXEC)

    def _hear(self, fd: int) -> Heard:
        peer, heard = self._waiting[fd]
        try:
            more = peer.recv(LONGEST)
        except OSError:
            more = b""
        heard += more
        if more and b"\n" not in heard and len(heard) <= LONGEST:
            return Heard()
        # Nothing more is heard of it: its leaving would wake us for as long as it is not answered.
        del self._waiting[fd]
        self._ears.forget(fd)
        if heard:
            self._obey(peer, bytes(heard))
        else:
            peer.close()
        return Heard()

    def _obey(self, peer: Socket, line: bytes) -> None:
        try:
            command = plain_json.loads(line)["command"]
        except (ValueError, TypeError, KeyError, RecursionError):
            self._say(peer, refusal("", 'not a request; say {"command": "status"} and a line break'))
            return
        if command not in COMMANDS:
            self._say(peer, refusal(str(command), f"no such command; there are {', '.join(COMMANDS)}"))
            return
        nothing = {"schema": SCHEMA, "command": command, "error": "", "status": None, "dump": None}
        self._answer(command, lambda found: self._say(peer, nothing | found))

    @staticmethod
    def _say(peer: Socket, document: dict[str, Any]) -> None:
        """The last that it hears."""
        try:
            peer.send(plain_json.dumps(document).encode() + b"\n")
        except OSError:
            pass  # it has left, or does not read
        finally:
            peer.close()

    def _drop(self, fd: int) -> None:
        peer, _ = self._waiting.pop(fd)
        self._ears.forget(fd)
        peer.close()

    def close(self) -> None:
        """Close it; the socket's file stays for the next guard to replace."""
        for fd in list(self._waiting):
            self._drop(fd)
        self._ears.forget(self._listener.fileno())
        self._listener.close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None


def refusal(command: str, sentence: str) -> dict[str, Any]:
    """An answer that says why there is none."""
    return {"schema": SCHEMA, "command": command, "error": sentence, "status": None, "dump": None}
