"""The outcome as one table: scenarios down, kernels across, predicted against actual."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lab.check import Check
from lab.compare import (
    check_group,
    check_reading,
    check_scores,
    check_sums,
    check_victim,
    check_waiting,
    predicted,
)
from lab.explained import check_report, check_transport
from lab.guest.scenarios import BY_NAME
from lab.protected import check_protection
from lab.recordings import Recording, boots_on_disk, recordings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KINDS = (
    "victim",
    "arithmetic",
    "group",
    "oom_score",
    "sums",
    "reading",
    "explain",
    "dmesg",
    "protection",
    "waiting",
    "staging",
)


class Outcome(NamedTuple):
    """One scenario on one kernel with its comparisons."""

    recording: Recording
    predicted: str | None
    checks: list[Check]

    @property
    def failed(self) -> list[Check]:
        """The comparisons that did not hold."""
        return [check for check in self.checks if not check.ok]

    @property
    def cell(self) -> str:
        """``a`` when the predicted one died first, ``a≠b`` when another did, ``+1`` per further death."""
        if self.recording.error:
            return "error"
        actual = self.recording.killed[0] if self.recording.killed else None
        text = str(actual or "nobody") if self.predicted == actual else f"{self.predicted}≠{actual}"
        if self.recording.scenario.group_kill:
            text += "*"
        extra = len(self.recording.over_kill)
        return text + (f" +{extra}" if extra else "") + ("!" if self.failed else "")


COMPARISONS = (
    check_victim, check_group, check_scores, check_sums, check_reading, check_report, check_transport,
    check_protection, check_waiting,
)  # fmt: skip


def checks(recording: Recording) -> list[Check]:
    """Every comparison of one scenario."""
    if recording.error:
        return [Check("staging", ok=False, detail=recording.error)]
    return [check for compare in COMPARISONS for check in compare(recording)]


def outcomes(boots: Iterable[str] | None = None) -> list[Outcome]:
    """Every comparison of what is on disk."""
    found = []
    for boot in boots or boots_on_disk():
        for recording in recordings(boot):
            guess = None if recording.error else predicted(recording)
            found.append(Outcome(recording, guess, checks(recording)))
    return found


def render(found: Sequence[Outcome]) -> str:
    """The table, the sums below it, and one line per comparison that failed."""
    boots = list(dict.fromkeys(outcome.recording.boot for outcome in found))
    cells = {(o.recording.scenario.name, o.recording.boot): o.cell for o in found}
    names = [name for name in BY_NAME if any((name, boot) in cells for boot in boots)]
    rows = [["scenario", *boots]]
    rows += [[name, *(cells.get((name, boot), "-") for boot in boots)] for name in names]
    rows.append(["over-kills", *(_over_kills(found, boot) for boot in boots)])
    rows += [[kind, *(_score(found, boot, kind) for boot in boots)] for kind in KINDS]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines.insert(2 + len(names), "")
    lines += [
        "",
        "name: ranked first and died first; *: with its oom.group; +n: further deaths; !: see below",
    ]
    return "\n".join(lines + _failures(found)) + "\n"


def _over_kills(found: Iterable[Outcome], boot: str) -> str:
    ours = [o.recording for o in found if o.recording.boot == boot and not o.recording.error]
    return f"{sum(bool(r.over_kill) for r in ours)} of {len(ours)}"


def _score(found: Iterable[Outcome], boot: str, kind: str) -> str:
    ours = [check.ok for o in found if o.recording.boot == boot for check in o.checks if check.kind == kind]
    return f"{sum(ours)}/{len(ours)}" if ours else "-"


def _failures(found: Iterable[Outcome]) -> list[str]:
    return [
        f"FAILED {o.recording.boot} {o.recording.scenario.name}: {check.kind}: {check.detail}"
        for o in found
        for check in o.failed
    ]
