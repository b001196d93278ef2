"""The kernel's log as /dev/kmsg gives it: raw records, with the gaps it admits to."""

from __future__ import annotations

import errno
import os


class Kmsg:
    """Reads from the end of the log at the time of opening."""

    def __init__(self) -> None:
        self.fd = os.open("/dev/kmsg", os.O_RDWR | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)
        self.gaps = 0

    def mark(self, text: str) -> None:
        """Put a line of our own into the log."""
        os.write(self.fd, f"<6>lab: {text}\n".encode())

    def drain(self, limit: int = 20000) -> bytes:
        """Every record since the last call, as the kernel writes them."""
        records = []
        while len(records) < limit:
            try:
                records.append(os.read(self.fd, 8192))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.EPIPE:
                    raise
                self.gaps += 1
        return b"".join(records)
