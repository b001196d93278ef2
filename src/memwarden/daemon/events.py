"""``memory.events`` of one cgroup as a file to poll: whether a counter that matters has risen.

The kernel wakes for every change, at most once per 10 ms and file (``mm/memcontrol.c:memcg_memory_event``). A
cgroup full of page cache meets its ``memory.max`` all day, which is no trouble; so that what is asked for is
compared, and the rest is nothing.
"""

from __future__ import annotations

import os


class EventsFile:
    """An open file, ours to close, and the counters in it that matter."""

    def __init__(self, fd: int, counters: frozenset[str]) -> None:
        """Raises ``OSError`` where it cannot be read; then it is closed."""
        self._fd = fd
        self._counters = counters
        try:
            self._last = self._read()
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """For ``poll``."""
        return self._fd

    def rose(self) -> bool:
        """Whether one of the counters rose since this was asked last; raises ``OSError`` when it is gone.

        Reading it makes ``poll`` quiet again (``fs/kernfs/file.c:kernfs_seq_show``).
        """
        last, self._last = self._last, self._read()
        return any(count > last.get(name, 0) for name, count in self._last.items())

    def _read(self) -> dict[str, int]:
        found = {}
        for line in os.pread(self._fd, 4096, 0).splitlines():
            name, _, count = line.decode().partition(" ")
            if name in self._counters and count.isdecimal():
                found[name] = int(count)
        return found

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)
