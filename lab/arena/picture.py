"""One picture per scenario: what every column's machine went through, on one axis of time.

Available memory is a line, free swap a dashed one, full stall a bar for each sample, a death a dashed upright
line with its name, a kill by memwarden a filled triangle and a milder act of it an open one. Shapes and
dashes say the same as the colours (those of Okabe and Ito, which the colour-blind tell apart).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from lab.arena.bars import figure
from lab.arena.judged import DATABASE, DEADLY, Judged, acted

if TYPE_CHECKING:
    from lab.arena.scenarios import Scenario

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP = 900, 170, 58, 76, 78, 20
BLUE, ORANGE, RED, GREY, GREEN = "#0072B2", "#E69F00", "#D55E00", "#555555", "#007A5A"
KIB = 1024
PLOT = WIDTH - LEFT - RIGHT
PLOT_HEIGHT = PANEL - 4
HALO = 'stroke="white" stroke-width="3" paint-order="stroke"'
FONT = 'font-family="sans-serif" font-size="11" role="img"'


def draw(scenario: Scenario, found: list[dict[str, Any]], verdicts: list[Judged]) -> str:
    """The picture of a scenario as SVG: a panel for each result, in the order given."""
    height = TOP + len(found) * (PANEL + GAP) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f"<title>{escape(scenario.name)}: {escape(scenario.why)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(LEFT, 18, f"{scenario.name} ({scenario.kind})", size=14, bold=True),
        _text(LEFT, 36, scenario.why, colour=GREY),
        *_legend(LEFT, 58, swap=bool(scenario.swap_mib)),
    ]
    scale_mib = _scale_mib(scenario, found)
    for place, (one, verdict) in enumerate(zip(found, verdicts, strict=True)):
        parts += _panel(scenario, one, verdict, TOP + place * (PANEL + GAP), scale_mib)
    parts += _axis(scenario.window_s, TOP + len(found) * (PANEL + GAP) - GAP)
    return "\n".join([*parts, "</svg>", ""])


def _x(scenario_s: float, at_s: float) -> float:
    return round(LEFT + PLOT * min(at_s / scenario_s, 1.0), 1)


def _scale_mib(scenario: Scenario, found: list[dict[str, Any]]) -> int:
    """What the height of a panel stands for: the most that was available or free, to the next hundred."""
    figures = (2, 1) if scenario.swap_mib else (1,)
    most = max((now[place] for one in found for now in one["samples"] for place in figures), default=0)
    return max(100, -(-most // KIB // 100) * 100)


def _panel(scenario: Scenario, one: dict[str, Any], verdict: Judged, top: float, scale_mib: int) -> list[str]:
    full_kib, window, bottom = scale_mib * KIB, scenario.window_s, top + PANEL
    samples = one["samples"]

    def y(kib: float) -> float:
        return round(bottom - PLOT_HEIGHT * min(kib / full_kib, 1.0), 1)

    parts = [
        f'<rect x="{LEFT}" y="{top}" width="{PLOT}" height="{PANEL}" fill="none" stroke="#cccccc"/>',
        _text(LEFT - 8, top + 18, one["column"], anchor="end", bold=True),
        _text(
            LEFT - 8,
            top + 34,
            f"{'✓' if verdict.right else '✗'} {verdict.word}",
            anchor="end",
            colour=GREEN if verdict.right else RED,
        ),
        _text(WIDTH - RIGHT + 4, top + 10, f"{scale_mib} MiB", colour=GREY),
        _text(WIDTH - RIGHT + 4, bottom, "0", colour=GREY),
        _text(LEFT - 8, top + 50, f"full stall {figure(verdict.stall_s)} s", anchor="end", colour=GREY),
        _text(LEFT - 8, top + 66, f"p99 {figure(verdict.p99_ms)} ms", anchor="end", colour=GREY),
    ]
    for before, now in itertools.pairwise(samples):
        share = (now[4] - before[4]) / 1e6 / max(now[0] - before[0], 1e-6)
        if share > 0.01:
            x, tall = _x(window, before[0]), round(PANEL * min(share, 1.0), 1)
            width = max(round(_x(window, now[0]) - x, 1), 1)
            parts.append(f'<rect x="{x}" y="{top}" width="{width}" height="{tall}" fill="{ORANGE}"/>')
    parts.append(_line([(_x(window, now[0]), y(now[1])) for now in samples], BLUE))
    if scenario.swap_mib:
        parts.append(_line([(_x(window, now[0]), y(now[2])) for now in samples], BLUE, dashes="4 3"))
    return [*parts, *_deaths(one, window, top), *_acts(one, window, top)]


def _deaths(one: dict[str, Any], window: float, top: float) -> list[str]:
    """Upright lines with names; names that would lie on one another are on lines of their own."""
    parts, last, row = [], -1000.0, 0
    for name, at_s in sorted(one["died"].items(), key=lambda pair: (pair[1], pair[0])):
        x = _x(window, at_s)
        row = (row + 1) % 5 if x - last < 60 else 0
        last = x
        mine = name == DATABASE
        word = "DATABASE" if mine else name.removesuffix(".service")
        parts.append(
            f'<line x1="{x}" y1="{top}" x2="{x}" y2="{top + PANEL}" stroke="{RED}"'
            f' stroke-width="{3 if mine else 1.5}" stroke-dasharray="6 2"/>'
        )
        near_end = x > WIDTH - 90
        parts.append(
            _text(
                x - 4 if near_end else x + 4, top + 12 + 13 * row, f"✕ {word}",
                colour=RED, bold=mine, anchor="end" if near_end else "start",
            )
        )  # fmt: skip
    return parts


def _acts(one: dict[str, Any], window: float, top: float) -> list[str]:
    """Triangles where memwarden acted: filled for a kill, open for what can be undone."""
    parts = []
    for line in one["decisions"]:
        if acted(line):
            fill = "black" if line["action"] in DEADLY else "white"
            x = _x(window, max(0.0, (line["at"]["monotonic_us"] - one["begin_us"]) / 1e6))
            parts.append(f'<path d="M{x - 4} {top - 7}h8l-4 7z" fill="{fill}" stroke="black"/>')
    return parts


def _axis(window: float, bottom: float) -> list[str]:
    step = 5 if window <= 40 else 10
    parts = []
    for at_s in range(0, int(window) + 1, step):
        x = _x(window, at_s)
        parts.append(f'<line x1="{x}" y1="{bottom}" x2="{x}" y2="{bottom + 4}" stroke="{GREY}"/>')
        parts.append(_text(x, bottom + 17, f"{at_s} s", anchor="middle", colour=GREY))
    return parts


def _legend(x: float, y: float, *, swap: bool) -> list[str]:
    dashed = [_line([(x + 146, y - 4), (x + 170, y - 4)], BLUE, dashes="4 3"), _text(x + 176, y, "swap free")]
    return [
        _line([(x, y - 4), (x + 24, y - 4)], BLUE),
        _text(x + 30, y, "memory available"),
        *(dashed if swap else ()),
        f'<rect x="{x + 246}" y="{y - 9}" width="10" height="10" fill="{ORANGE}"/>',
        _text(x + 262, y, "share of time in which all tasks stall"),
        _text(x + 472, y, "✕ death", colour=RED),
        f'<path d="M{x + 532} {y - 8}h8l-4 7z" fill="black"/>',
        _text(x + 544, y, "memwarden kills"),
        f'<path d="M{x + 644} {y - 8}h8l-4 7z" fill="white" stroke="black"/>',
        _text(x + 656, y, "acts"),
    ]


def _line(points: list[tuple[float, float]], colour: str, dashes: str = "") -> str:
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>'


def _text(
    x: float, y: float, words: str, *, size: int = 11, bold: bool = False, anchor: str = "start",
    colour: str = "black",
) -> str:  # fmt: skip
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{round(x, 1)}" y="{round(y, 1)}" font-size="{size}" text-anchor="{anchor}"'
        f' fill="{colour}"{weight} {HALO}>{escape(words)}</text>'
    )
