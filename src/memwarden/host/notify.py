"""What systemd is told: ready, reloading, stopping, alive, and a line of status.

sd_notify(3) in few words: a datagram of ``NAME=value`` lines to the socket named in ``NOTIFY_SOCKET``; an
``@`` at its start stands for a NUL, a name that is in no file system. Without that variable nothing happens.
"""

from __future__ import annotations

import os
import time
from typing import Final

from memwarden.host.unix_socket import Socket

VARIABLE: Final = "NOTIFY_SOCKET"


class Notify:
    """The socket, opened once. Nothing here raises or waits: a guard does not fall over its supervisor.

    What it has no room for just now is lost, but for :meth:`ready`, without which it would end us.
    """

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get(VARIABLE, "") if address is None else address
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: Socket | None = None
        self._owed = ""
        if address.startswith(("/", "@")):
            self._socket = Socket.datagrams()

    def __bool__(self) -> bool:
        return self._socket is not None

    def send(self, **variables: str | int) -> bool:
        """Tell variables, as ``READY=1``; whether they were taken."""
        if self._socket is None:
            return False
        text = "\n".join(f"{name}={_line(str(value))}" for name, value in variables.items())
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            return False
        return True

    def ready(self, status: str) -> bool:
        """We guard. Where that is not taken, :meth:`again` tells it once more."""
        told = self.send(READY=1, STATUS=status)
        self._owed = "" if told or self._socket is None else status
        return told

    def again(self) -> None:
        """Tell what :meth:`ready` could not."""
        if self._owed:
            self.ready(self._owed)

    def reloading(self) -> bool:
        """A new policy is being read; :meth:`ready` ends it."""
        return self.send(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)

    def stopping(self) -> bool:
        """We restore what we have changed, and end."""
        return self.send(STOPPING=1)

    def status(self, text: str) -> bool:
        """A line for ``systemctl status``."""
        return self.send(STATUS=text)

    def watchdog(self) -> bool:
        """We are alive."""
        return self.send(WATCHDOG=1)

    def close(self) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def watchdog_us() -> int | None:
    """How often :meth:`Notify.watchdog` is wanted at least; ``None`` where nobody watches us."""
    value, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not value.isdecimal() or int(value) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(value)


def _line(text: str) -> str:
    """One line, without what cannot be encoded."""
    return text.replace("\n", " ").encode("utf-8", "replace").decode()
