"""A sweep as a curve in a table, with its knee; many nodes as shares."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from memwarden.present.simulate_words import share, time_of, who_dies
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, counted, duration, escape
from memwarden.present.wrap import wrap
from memwarden.sim.sweep import knee, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.sim.scenario import Scenario
    from memwarden.sim.sweep import Point, Sweep

BAR: Final = 20
NO_KNEE: Final = "No knee: the curve of stalls has no bend in this range."
RANKS: Final = ((50, "half of the nodes"), (90, "nine of ten"), (99, "99 of 100"))


def heading(scenario: Scenario, policy: str | None) -> str:
    """What was simulated, and who acted in it; ``None`` is the kernel alone, which is not said."""
    title = f"{scenario.name}: {scenario.text}" if scenario.text else scenario.name
    return escape(title if policy is None else f"{title}; policy {policy}")


def text(
    scenario: Scenario, swept: Sweep, points: Sequence[Point], *, width: int, policy: str | None = None
) -> str:
    """One line for each value, and where the curve bends."""
    if not points:
        return f"{scenario.name}: {swept.key}: nothing is done yet\n"
    whole = len(points) == len(swept.values)
    bend, alive = knee(points) if whole else None, safe(points)
    columns = (
        Column(swept.key, flexible=True, least=16),
        Column("STALLED"),
        Column("", right=False, drop=1),
        Column("THROTTLED", keep_empty=False),
        Column("LOST"),
        Column("DIE", right=False, flexible=True, least=8),
        Column("", right=False, keep_empty=False),
    )
    tallest = max(one.stalled_us for one in points)
    rows = [_row(one, tallest, "<- knee" if at == bend else "") for at, one in enumerate(points)]
    lines = [*wrap(heading(scenario, policy), width), ""]
    lines += [*render(columns, rows, width), ""]
    lines += wrap(_verdict(swept, points, bend, alive), width)
    return "\n".join(lines) + "\n"


def _row(one: Point, tallest: int, mark: str) -> Row:
    bar = "█" * round(one.stalled_us * BAR / tallest) if tallest else ""
    lost = ABSENT if one.lost is None else share(one.lost)
    throttled = duration(one.throttled_us) if one.throttled_us else ""
    return Row((one.text, time_of(one.stalled_us), bar, throttled, lost, who_dies(one.deaths), mark))


def _verdict(swept: Sweep, points: Sequence[Point], bend: int | None, alive: int | None) -> str:
    done = len(points) == len(swept.values)
    said = [_bend(points, bend)] if bend is not None else [NO_KNEE] if done else []
    if alive is None:
        said.append("Somebody dies at the highest value too.")
    elif alive:
        said.append(f"From {points[alive].text} on nobody dies.")
    else:
        said.append("Nobody dies at any value.")
    if not done:
        said.append(f"{len(points)} of {len(swept.values)} values are done; a knee is named when all are.")
    return " ".join(said)


def _bend(points: Sequence[Point], at: int) -> str:
    one = points[at]
    worst = max(points[:at], key=lambda other: other.stalled_us)
    return (
        f"The knee is at {one.text}: less costs much (stalls of {duration(worst.stalled_us)} at "
        f"{worst.text}, {_stalls(one)} here), more helps little "
        f"({_stalls(points[-1])} at {points[-1].text})."
    )


def _stalls(one: Point) -> str:
    return duration(one.stalled_us) if one.stalled_us else "none"


def nodes(scenario: Scenario, points: Sequence[Point], *, width: int, policy: str | None = None) -> str:
    """Independent nodes: how many lose somebody, whom, and how long they stall."""
    if not points:
        return f"{scenario.name}: nothing is done yet\n"
    acting = "" if policy is None else f"; policy {policy}"
    lines = wrap(escape(f"{scenario.name} on {counted(len(points), 'node')}{acting}"), width)
    calm = sum(not one.kills for one in points)
    lines += ["", f"{_on(calm, points)} nobody dies." if calm else "On each of them somebody dies."]
    victims = Counter(name for one in points for name in one.deaths)
    for name, count in victims.most_common():
        lines.append(f"{_on(count, points)} {escape(name)} dies.")
    stalls = sorted(one.stalled_us for one in points)
    for rank, said in RANKS:
        at = min(len(stalls) - 1, len(stalls) * rank // 100)
        most = f"stall at most {duration(stalls[at])} together" if stalls[at] else "do not stall"
        lines.append(f"Of {said} the programs {most}.")
    return "\n".join(lines) + "\n"


def _on(count: int, points: Sequence[Point]) -> str:
    return f"On {count} of {len(points)} ({share(count / len(points))})"
