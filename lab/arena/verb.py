"""``python -m lab arena run|report|machine|simulated``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.arena import document, judged, machine, runs, simulated
from lab.arena.bars import SEEDS, bars, table

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

AT_ONCE = 5
"""Scenarios to a boot: a guest that dies loses no more than these, and a boot takes less than one of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What they take."""
    parser.add_argument(
        "what",
        choices=("run", "report", "machine", "simulated"),
        help="run what is missing, only write the pages, measure the machine, or simulate all anew",
    )
    parser.add_argument("--column", action="append", default=[], help="only this column")
    parser.add_argument("--scenario", action="append", default=[], help="only this scenario")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"seeds 1 to N ({SEEDS})")
    parser.add_argument("--again", action="store_true", help="run also what is there and up to date")


def main(arguments: argparse.Namespace) -> int:
    """Run, write, print; 1 when a boot failed, or a bar is missed."""
    failed = _run(arguments) if arguments.what == "run" else 0
    if arguments.what == "machine":
        print(machine.measure())
        return 0
    if arguments.what == "simulated":
        simulated.keep(arguments.column, arguments.scenario)
    for path in document.write():
        print(_short(path))
    found = bars(table(judged.current(judged.read())))
    old = runs.wanted([], [], range(1, SEEDS + 1))
    print(f"{len(old)} turns are missing, or were made with something else than what is here now")
    for bar in found:
        if bar.held is False:
            print(f"missed: {bar.column}, {bar.scenario}: {bar.asked}: {bar.measured}")
    print(
        f"{sum(1 for bar in found if bar.held)} of {len(found)} bars hold,"
        f" {sum(1 for bar in found if bar.held is None)} are open"
    )
    return 1 if failed or any(bar.held is False for bar in found) else 0


def _boots(turns: list[runs.Turn]) -> list[list[runs.Turn]]:
    return [
        batch[first : first + AT_ONCE]
        for batch in runs.batches(turns)
        for first in range(0, len(batch), AT_ONCE)
    ]


def _run(arguments: argparse.Namespace) -> int:
    turns = runs.wanted(
        arguments.column, arguments.scenario, range(1, arguments.seeds + 1), again=arguments.again
    )
    boots = _boots(turns)
    begin, failed = time.monotonic(), 0
    for number, batch in enumerate(boots, 1):
        turn, names = batch[0], ", ".join(turn.scenario.name for turn in batch)
        print(
            f"arena: boot {number} of {len(boots)}: {turn.column.name}, seed {turn.seed}: {names}", flush=True
        )
        try:
            runs.run(batch)
        except Exception as error:
            failed += 1
            print(f"FAILED {error}", flush=True)
        left_s = (time.monotonic() - begin) / number * (len(boots) - number)
        print(f"arena: about {left_s / 60:.0f} min left", flush=True)
    return failed


def _short(path: Path) -> str:
    return str(path.relative_to(document.REPOSITORY))
