"""Fails when a part of the package is covered less than promised: lines and branches together.

The pure parts promise every branch, since all they do can be asked for by a test. What touches the
machine has branches that only another machine takes; its figures only go up.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from coverage import Coverage

FLOORS = {
    "kernel": 100.0,
    "state": 100.0,
    "rules": 100.0,
    "postmortem": 100.0,
    "guard": 100.0,
    "words": 100.0,
    "host": 90.0,
    "collect": 90.0,
    "present": 95.0,
    "cli": 90.0,
    # start.py locks memory and takes signals: it is run as a process of its own, whose lines are not counted.
    "daemon": 80.0,
}
"""Percent of lines and branches, by the first folder below ``src/memwarden``."""
OTHERS = 95.0


def measured() -> dict[str, dict]:
    """Coverage's own JSON report: its ``files``, by path."""
    coverage = Coverage()
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        coverage.json_report(outfile=str(report))
        return json.loads(report.read_text())["files"]


def missing(file: dict) -> str:
    """What no test ran, as ``12, 14->exit``."""
    lines = [str(line) for line in file["missing_lines"]]
    gone = set(file["missing_lines"])
    arcs = [
        f"{start}->{end if end > 0 else 'exit'}"
        for start, end in file["missing_branches"]
        if start not in gone
    ]
    return ", ".join(lines + arcs)


def main() -> int:
    """Print one line per part; 1 when one is below its floor."""
    parts = defaultdict(list)
    for path, file in measured().items():
        first, slash, _ = path.rpartition("src/memwarden/")[2].partition("/")
        parts[first if slash else "(top)"].append((path, file))
    low = 0
    for name, files in sorted(parts.items()):
        floor = FLOORS.get(name, OTHERS)
        sums = [file["summary"] for _, file in files]
        met = sum(one["covered_lines"] + one["covered_branches"] for one in sums)
        wanted = sum(one["num_statements"] + one["num_branches"] for one in sums)
        short = met * 100 < floor * wanted
        low += short
        share = 100 * met / wanted if wanted else 100.0
        print(f"coverage {name:<11} {share:6.2f} %  (floor {floor:g} %){'  TOO LOW' if short else ''}")
        if short:
            print("\n".join(f"    {path}: {lines}" for path, file in files if (lines := missing(file))))
    return 1 if low or not parts else 0


if __name__ == "__main__":
    sys.exit(main())
