"""The verdicts on a folder of real reports as one table that a person reads in a minute.

Run ``python tests/oomlogs/verdicts.py [FOLDER]``: a line per report with the cause that a careful reader
keyed, the cause that memwarden names, how sure it is, whether the recomputed choice fits, and the summary.
The last line counts. Exit 1 when a cause is neither the key's nor one that it also allows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from memwarden.postmortem.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.postmortem.model import Incident

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.oomlogs.score import FOLDER, scored


class Row(NamedTuple):
    """One report: the key and the verdict, ``None`` where no report was found."""

    name: str
    key: dict[str, Any]
    incident: Incident | None

    @property
    def right(self) -> bool:
        """Whether the cause is the key's, or one that a careful reader could defend."""
        got = self.incident.verdict.cause if self.incident is not None else None
        return got in (self.key["cause"], *self.key["also"])


def rows(folder: Path) -> Iterator[Row]:
    """Every report of the folder with its verdict."""
    keys = json.loads((folder / "causes.json").read_text(encoding="utf-8"))
    for name, _, report in scored(folder):
        yield Row(name, keys[name], judge(report) if report is not None else None)


def line(row: Row) -> str:
    """One line of the table."""
    if row.incident is None:
        return f"{row.name} BAD   {row.key['cause']:18} no report found"
    verdict = row.incident.verdict
    mark = "ok " if verdict.cause == row.key["cause"] else "also" if row.right else "BAD"
    checked = {True: "yes", False: "no", None: "-"}[verdict.choice_checked]
    return (
        f"{row.name} {mark:4} {row.key['cause']:18} {verdict.cause:18} {verdict.confidence:8} {checked:3} "
        f"{verdict.summary}"
    )


def main() -> int:
    """Print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    print("     ok?  keyed              found              sure     fit summary")
    found = list(rows(folder))
    for row in found:
        print(line(row))
    right = sum(row.right for row in found)
    print(f"{right} of {len(found)} causes right")
    return 0 if right == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
