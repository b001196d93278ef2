"""``measure.py`` for rows in which swap is limited, files stay in memory, and processes have children.

That file runs its plan as soon as it is loaded: all of it but the last line is taken from it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

MEASURE: dict = {}
with open("measure.py") as source:
    exec(compile(source.read().removesuffix("sys.exit(main())\n"), "measure.py", "exec"), MEASURE)
Turn, get, keyed, stall, ROOT = (MEASURE[name] for name in ("Turn", "get", "keyed", "stall", "ROOT"))
FILES = "/dev/shm"
MCL_CURRENT, MCL_FUTURE = 1, 2
THROTTLED_US = 8000
"""A sleep for memory.swap.high is a stall of 12 ms or more; reclaim between two looks is not."""


class Further(Turn):
    """A sample has the swap of every cgroup besides, behind what it has already."""

    def __init__(self, scenario: dict) -> None:
        super().__init__(scenario)
        self.throttled |= any("swap.high" in dict(group["knobs"]) for group in scenario["groups"])

    def sample(self, now: int) -> None:
        super().sample(now)
        row = self.samples[-1]
        for index, path in enumerate(self.groups):
            at = ROOT + path
            row.append(int(get(at + "/memory.swap.current") or 0))
            if keyed(get(at + "/memory.swap.events")).get("high"):
                self.first.setdefault(f"{path} swap.high", now)
            if f"{path} swap.high" in self.first and len(self.samples) > 1:
                full = 2 + 2 * index
                if row[full] - self.samples[-2][full] > THROTTLED_US:
                    self.first.setdefault(f"{path} throttled", now)

    def clear(self) -> None:
        """Files and children outlive who made them."""
        for name in os.listdir(FILES):
            os.remove(f"{FILES}/{name}")
        for pid in self.pids.values():
            MEASURE["end"](pid)
        self.pids.clear()
        for path in self.groups:
            for pid in get(f"{ROOT}{path}/cgroup.procs").split():
                os.kill(int(pid), signal.SIGKILL)
        super().clear()

    def found(self) -> dict[str, object]:
        """A group that is killed is counted to its end, which may come after the first of them is gone."""
        time.sleep(0.2)
        return super().found()


# Who looks is more urgent than all others: without its own text it would keep them from going on.
if MEASURE["LIBC"].mlockall(MCL_CURRENT | MCL_FUTURE):
    raise OSError(ctypes.get_errno(), "mlockall")
MEASURE["Turn"] = Further
sys.exit(MEASURE["main"]())
