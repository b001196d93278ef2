"""Runs columns and scenarios in guests and keeps each result as a file of its own.

A result is known by column, scenario and seed, and by what it was made with: the kernel, the versions of the
packages, the programs of the guest, the scenario's row, and for memwarden its sources. It is run again only
when one of these changed, so that a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lab import kernels, vm
from lab.arena import columns, image, scenarios
from lab.errors import LabError
from lab.paths import LAB, REPOSITORY, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.arena.columns import Column
    from lab.arena.scenarios import Scenario

GUEST = LAB / "arena" / "guest"
RESULTS = LAB / "arena" / "results"
SERIES = "6.12"
MEMORY_MIB = 900
SWAP_MIB = 920
"""The swap disk; a scenario uses as much of it as it says."""
INSTRUCTION_NS = 2
"""The guest's clock counts instructions: both its CPUs together do 500 million of them in a second of theirs,
and time in which they are idle passes at once. What else the host does is not seen in there, where it would
be a latency, and a scenario takes as long as its instructions."""
MACHINE = vm.Guest(memory_mib=MEMORY_MIB, swap_mib=SWAP_MIB, instruction_ns=INSTRUCTION_NS, own_time=True)
SLOWER = 10
"""How much slower than its own clock a guest may be."""
START_S = 25
"""What a scenario takes besides its window."""


class Turn(NamedTuple):
    """One scenario under one column with one seed."""

    column: Column
    scenario: Scenario
    seed: int

    @property
    def path(self) -> Path:
        """Where its result is kept."""
        return RESULTS / self.column.name / f"{self.scenario.name}.{self.seed}.json"


def inputs(turn: Turn) -> str:
    """What the result depends on, as a short hash."""
    parts = [
        fingerprint(*sorted(GUEST.iterdir()), Path(image.__file__)),
        repr(turn.scenario),
        repr(turn.column),
        f"{INSTRUCTION_NS} {MEMORY_MIB} own time, no fast strings",
    ]
    if turn.column.name.startswith("memwarden"):
        parts.append(fingerprint(*guard_sources()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def guard_sources() -> list[Path]:
    """What the guard is made of: all but the rooms that it never enters, and the verbs that are not it."""
    root = REPOSITORY / "src" / "memwarden"
    sources = [
        path
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).parts[0] not in ("present", "postmortem", "sim", "words")
        and (path.parent.name != "cli" or path.stem in ("guard", "main"))
    ]
    return [*sources, *sorted((root / "guard").rglob("*.toml"))]


def wanted(
    names: Iterable[str], stages: Iterable[str], seeds: Iterable[int], *, again: bool = False
) -> list[Turn]:
    """The turns that are not there yet, or were made with something else."""
    turns = [
        Turn(column, scenario, seed)
        for column in columns.COLUMNS
        for seed in seeds
        for scenario in scenarios.of(column.name)
        if (not names or column.name in names) and (not stages or scenario.name in stages)
    ]
    return [turn for turn in turns if again or _stale(turn)]


def _stale(turn: Turn) -> bool:
    try:
        found = json.loads(turn.path.read_text())
    except FileNotFoundError:
        return True
    return bool(found["inputs"] != inputs(turn))


def batches(turns: list[Turn]) -> Iterator[list[Turn]]:
    """One boot each: one column and one seed."""
    keys = dict.fromkeys((turn.column.name, turn.seed) for turn in turns)
    for name, seed in keys:
        yield [turn for turn in turns if (turn.column.name, turn.seed) == (name, seed)]


def run(batch: list[Turn]) -> list[Path]:
    """Boot a guest, run its turns, keep the results; returns their files."""
    kernel = next((one for one in kernels.fetch_all() if one.series == SERIES), None)
    if kernel is None:
        raise LabError(f"there is no kernel {SERIES} to run the arena on")
    guest = MACHINE._replace(
        append="lab.init=systemd systemd.show_status=0",
        timeout_s=600 + SLOWER * sum(turn.scenario.window_s + START_S * 2 for turn in batch),
        root=image.root_disk(),
    )
    with tempfile.TemporaryDirectory() as scratch:
        job, out = Path(scratch) / "job", Path(scratch) / "out"
        _pack(job, batch)
        result = vm.run_job(kernel, job, out, guest)
        kept = [_keep(turn, out, kernel.release) for turn in batch if _result(turn, out).exists()]
        if result.exit_status or len(kept) < len(batch):
            raise LabError(
                f"arena: the job ended with {result.exit_status} after {len(kept)} of {len(batch)} turns:"
                f" {vm.tail_of_job(result)}"
            )
        return kept


def _pack(job: Path, batch: list[Turn]) -> None:
    shutil.copytree(GUEST, job)
    ignored = shutil.ignore_patterns("__pycache__", "samples", "postmortem")
    shutil.copytree(REPOSITORY / "src", job / "src", ignore=ignored)
    subprocess.run(["cc", "-O2", "-static", "-o", job / "load", GUEST / "load.c"], check=True)
    programs = {load.unit for turn in batch for load in turn.scenario.loads} | {"postgres"}
    plan = {
        "programs": sorted(programs),
        "turns": [
            {
                "column": turn.column._asdict(),
                "scenario": {
                    **turn.scenario._asdict(),
                    "loads": [load._asdict() for load in turn.scenario.loads],
                },
                "seed": turn.seed,
            }
            for turn in batch
        ],
    }
    (job / "plan.json").write_text(json.dumps(plan))


def _result(turn: Turn, out: Path) -> Path:
    return out / "results" / f"{turn.column.name}.{turn.scenario.name}.{turn.seed}.json"


def _keep(turn: Turn, out: Path, release: str) -> Path:
    found = json.loads(_result(turn, out).read_text())
    found["kernel"] = release
    found["package"] = (
        (out / "versions" / turn.column.package).read_text().strip() if turn.column.package else ""
    )
    found["inputs"] = inputs(turn)
    turn.path.parent.mkdir(parents=True, exist_ok=True)
    turn.path.write_text(json.dumps(found, separators=(",", ":")) + "\n")
    return turn.path
