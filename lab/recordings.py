"""What a run left behind, scenario by scenario, as the comparisons want it."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lab.guest.scenarios import BY_NAME
from lab.runs import RUNS
from memwarden.collect.open import open_source
from memwarden.collect.snapshot import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.guest.scenarios import Scenario
    from memwarden.state.snapshot import Snapshot

_KILLED = re.compile(rb"[;,] ?(?:Memory cgroup out of memory|Out of memory[^:]*): Killed process (\d+) ")


class Recording:
    """One scenario on one kernel: the row it was made from and what came back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.boot = folder.parent.name
        self.kernel = (folder.parent / "kernel").read_text().split()[0]
        self.scenario: Scenario = BY_NAME[folder.name]
        self.result: dict[str, Any] = json.loads((folder / "result.json").read_text())

    @property
    def error(self) -> str | None:
        """The last line of the guest's traceback when the scenario could not be staged."""
        text = self.result.get("error")
        return text.strip().splitlines()[-1] if text else None

    @cached_property
    def during(self) -> Snapshot | None:
        """The machine while tasks waited for memory, of a scenario in which they do."""
        path = self.folder / "during.rootar"
        return Collector(open_source(str(path))).snapshot() if path.exists() else None

    @cached_property
    def before(self) -> Snapshot:
        """The machine just before the shortage, as memwarden reads it."""
        return Collector(open_source(str(self.folder / "before.rootar"))).snapshot()

    @cached_property
    def kmsg(self) -> bytes:
        """The kernel's records of this scenario, as /dev/kmsg gave them."""
        return (self.folder / "kmsg").read_bytes()

    @cached_property
    def dmesg(self) -> bytes:
        """The same as dmesg printed it: what stands between the marks of this scenario."""
        text = (self.folder.parent / "dmesg").read_bytes()
        marks = [f"lab: scenario {self.scenario.name} {word}\n".encode() for word in ("begins", "ends")]
        after = text.rpartition(marks[0])[2]
        return after.partition(marks[1])[0].rpartition(b"\n")[0] + b"\n"

    @property
    def names(self) -> dict[int, str]:
        """Pid to name in the scenario's row."""
        return {pid: name for name, pid in self.result["pids"].items()}

    def named(self, pid: int) -> str:
        """The name in the row of a process, by its pid or by the id of one of its threads."""
        return self.names.get(pid) or self.result.get("threads", {}).get(str(pid)) or f"pid {pid}"

    @cached_property
    def killed(self) -> list[str]:
        """Who was killed by the kernel, in the order of its log, each once."""
        pids = [int(match[1]) for match in _KILLED.finditer(self.kmsg)]
        return list(dict.fromkeys(self.named(pid) for pid in pids))

    @property
    def over_kill(self) -> list[str]:
        """Who died beyond the first victim and the group that dies with it."""
        expected = self.scenario.group_kill or self.killed[:1]
        return [name for name in self.killed if name not in expected]


def recordings(boot: str) -> Iterator[Recording]:
    """Every scenario that this boot came back with, in the order of the table."""
    for name in BY_NAME:
        folder = RUNS / boot / name
        if (folder / "result.json").exists():
            yield Recording(folder)


def boots_on_disk() -> list[str]:
    """The boots that have been run, by kind and from the oldest kernel on."""
    found = [path.name for path in RUNS.iterdir() if path.is_dir()] if RUNS.exists() else []
    return sorted(
        found, key=lambda name: (name.partition("-")[2], [int(x) for x in re.findall(r"\d+", name)[:2]])
    )
