"""A sweep as a picture: stalls, throughput lost and kills over the values of one key, with the knee."""

from __future__ import annotations

from html import escape as html_escape
from itertools import pairwise
from math import isnan, nan
from typing import TYPE_CHECKING, Any

from memwarden.present.explain_page import END, head
from memwarden.present.plot import figures, saved
from memwarden.present.sweep_text import heading, nodes, text
from memwarden.sim.sweep import SEED, knee, safe
from memwarden.units import MIB, SECOND_US

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from memwarden.sim.scenario import Scenario
    from memwarden.sim.sweep import Point, Sweep


def write(
    scenario: Scenario,
    swept: Sweep,
    points: Sequence[Point],
    path: str,
    file: BinaryIO,
    *,
    policy: str | None = None,
) -> None:
    """Draw the curve, of one point or more; ``policy`` is what acted, ``None`` for the kernel alone."""
    drawn = _draw(scenario, swept, points, policy)
    if path.endswith(".html"):
        svg = saved(drawn, "svg").decode()
        top = html_escape(f"{scenario.name}: {swept.key}")
        said = text(scenario, swept, points, width=100, policy=policy)
        if swept.key == SEED:
            said = nodes(scenario, points, width=100, policy=policy)
        page = f'{head(top)}<h1>{top}</h1>\n<div class="wide">{svg[svg.index("<svg") :]}</div>\n'
        file.write(f"{page}<pre>{html_escape(said)}</pre>\n{END}".encode())
    else:
        file.write(saved(drawn, path.rpartition(".")[2]))


def _draw(scenario: Scenario, swept: Sweep, points: Sequence[Point], policy: str | None = None) -> Any:
    sizes = all(text.endswith("B") for text in swept.texts)
    xs = [one.value / MIB if sizes else one.value for one in points]
    drawn = figures().Figure(figsize=(9, 6.2), layout="constrained")
    stalls, losses, kills = drawn.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [3, 2, 1.2]})
    stalls.plot(xs, [one.stalled_us / SECOND_US for one in points], marker="o", markersize=3, color="#0072b2",
                label="stalled")  # fmt: skip
    stalls.plot(xs, [one.throttled_us / SECOND_US for one in points], marker="o", markersize=3,
                color="#e69f00", label="of it, throttled at memory.high")  # fmt: skip
    stalls.set_ylabel("seconds, all programs")
    _from_nothing(stalls)
    shares = [nan if one.lost is None else 100 * one.lost for one in points]  # a gap where it is not known
    losses.plot(xs, shares, marker="o", markersize=3, color="#d55e00")
    losses.set_ylabel("% lost of what\nwas asked for")
    _from_nothing(losses)
    kills.bar(xs, [one.kills for one in points], width=_width(xs), color="#b3261e")
    kills.set_ylabel("processes\nkilled")
    kills.set_ylim(0, max(1, *(one.kills for one in points)))
    kills.yaxis.get_major_locator().set_params(integer=True)
    if len(xs) == 1:  # else its bar is all of the picture
        kills.set_xlim(xs[0] - 3, xs[0] + 3)
        kills.set_xticks(xs)
    elif not sizes:  # no seed 1.5
        kills.xaxis.get_major_locator().set_params(integer=True)
    kills.set_xlabel(f"{swept.key}, MiB" if sizes else swept.key)
    if swept.key != SEED:  # seeds have no order
        _marks((stalls, losses, kills), xs, points)
    stalls.legend(frameon=False)
    drawn.suptitle(heading(scenario, policy), x=0.01, ha="left", fontsize=10)
    return drawn


def _from_nothing(axis: Any) -> None:
    """Begin at 0 with the highest marker whole: lines that are all but flat leave next to no margin."""
    known = [value for line in axis.lines for value in line.get_ydata() if not isnan(value)]
    highest = max(known, default=0.0)
    axis.set_ylim(0, 1.08 * highest or 1)
    for line in axis.lines:
        line.set_clip_on(False)


def _width(xs: Sequence[float]) -> float:
    return 0.6 * min((b - a for a, b in pairwise(xs)), default=1.0)


def _marks(axes: Sequence[Any], xs: Sequence[float], points: Sequence[Point]) -> None:
    """The knee, and from where on nobody dies."""
    for number, label, colour in (
        (knee(points), "knee", "#444444"),
        (safe(points), "nobody dies from here on", "#3b7d3b"),
    ):
        if number is not None and (label == "knee" or number):
            for axis in axes:
                axis.axvline(xs[number], color=colour, linestyle="--", linewidth=1)
            axes[0].lines[-1].set_label(f"{label}: {points[number].text}")
