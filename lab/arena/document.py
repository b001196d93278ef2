"""Writes ``docs/arena.md`` and its pictures from the results: the same bytes for the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.arena import judged, picture, runs, scenarios, simulated_page
from lab.arena.bars import OURS, SEEDS, Cell, Table, bars, figure, table
from lab.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from lab.arena.judged import Judged
    from lab.arena.scenarios import Scenario

PAGE = REPOSITORY / "docs" / "arena.md"
PICTURES = REPOSITORY / "docs" / "arena"
FIGURES = (
    ("full stall s", "stall_s"),
    ("trouble s", "trouble_s"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("longest ms", "max_ms"),
    ("late s", "late_s"),
    ("waits s", "waited_s"),
    ("CPU ms", "cpu_ms"),
    ("RSS MiB", "rss_mib"),
)
MEMORY, NS, LATE = runs.MEMORY_MIB, runs.INSTRUCTION_NS, judged.LATE_US // 1000
SHORT, STALL = f"{judged.SHORT_SHARE:.0%}", f"{judged.STALL_SHARE:.0%}"
MARK = " (earlier version)"
"""After columns some of whose results were made with other programs than those that are here."""
HEAD = f"""\
# The arena

Who keeps the right process alive? The kernel alone, four daemons from Debian's packages as they come, and
memwarden, in the same guest with the same troubles. `make arena` runs what is missing and writes this
page; `python -m lab arena report` only writes it. Nothing here is typed by hand but the words.

The guest has {MEMORY} MiB and two CPUs, runs Debian 13 under systemd, and has a database (a program that
is asked 200 times a second, on a fixed schedule, and whose latency counts from when a request was due).
Who makes the trouble runs beside it. What may die is said in `lab/arena/scenarios.py` before anything
runs, and so is the window, which is the same for all. systemd-oomd and oomd are told to watch the slice
of those who make the trouble (60 % pressure, oomd for 10 s; swap), since they do nothing by themselves;
the others run with the configuration of their package. `memwarden` is the default policy,
`memwarden+objective` adds that the database must not stall for more than 50 ms in any second.

The guest's clock counts instructions ({NS} ns each), and time in which nothing is to be done passes at
once: what else the host does is not seen in a latency. Its disks are memory, whose requests cost no more than
the processor's time that they take; its processors are emulated. Times are those of a slow machine, and only
comparisons between columns mean anything. What differs from seed to seed is seen in the ranges: a
difference between two columns that is smaller than these is noise.

How to read the tables. *Right*: in how many seeds the outcome is the one asked for; where something must be
done, that is a permitted victim, nobody else, the database alive, and no kill by the kernel (*too slow*).
*Only in part*: some process of a permitted victim died and the rest went on. *Died* names units and, as far
as the daemon's own log tells, single processes, collateral ones in bold. *Full stall*: seconds of the
window in which all tasks waited for memory (PSI). *Trouble*: seconds from the first to the last moment in
which less than {SHORT} of memory was available or more than {STALL} of the time was full stall: from onset
to relief, or to the end of the window. *Late*: seconds in which some request took more than {LATE} ms.
*Waits*: seconds in which the database's cgroup stalled for more than 50 ms. CPU and RSS are the daemon's.
Medians over seeds; the range in brackets where there is one. "-": no request was answered. Latencies of a
database that was killed are those until then. *{MARK.strip()}* after a name: made with
other programs than those beside this page, as an earlier memwarden; `make arena` runs it again.
"""


def write() -> list[Path]:
    """Write the page and the pictures; the files."""
    pages = make()
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in set(PICTURES.glob("*.svg")) - set(pages):
        path.unlink()
    return sorted(pages)


def make() -> dict[Path, str]:
    """The page and the pictures, by path."""
    pairs = list(judged.every())
    ends = judged.undisturbed([found for found, _ in pairs])
    turns = [judged.judge(found, turn, ends) for found, turn in pairs]
    results = [found for found, _ in pairs]
    pages = {
        PICTURES / f"{scenario.name}.svg": _picture(scenario, results, turns) for scenario in _run(turns)
    }
    pages[simulated_page.PAGE] = simulated_page.make()
    pages[PAGE] = "\n".join([HEAD, *_versions(results), *_verdicts(turns), *_sections(turns)])
    return pages


def _run(turns: list[Judged]) -> list[Scenario]:
    there = {turn.scenario for turn in turns}
    return [scenario for scenario in scenarios.SCENARIOS if scenario.name in there]


def _picture(scenario: Scenario, results: list[dict[str, Any]], turns: list[Judged]) -> str:
    """Of each column the turn with the lowest seed."""
    shown: dict[str, tuple[dict[str, Any], Judged]] = {}
    for found, turn in zip(results, turns, strict=True):
        if turn.scenario == scenario.name and turn.column not in shown:
            shown[turn.column] = (found, turn)
    return picture.draw(scenario, [one for one, _ in shown.values()], [one for _, one in shown.values()])


def _versions(results: list[dict[str, Any]]) -> list[str]:
    if not results:
        return ["Nothing has been run yet.", ""]
    kernels = sorted({found["kernel"] for found in results})
    packages = sorted({f"{found['column']} {found['package']}" for found in results if found["package"]})
    seeds = max(found["seed"] for found in results)
    return [f"{'; '.join(['Kernel ' + ', '.join(kernels), *packages])}; seeds 1 to {seeds}.", ""]


def _verdicts(turns: list[Judged]) -> list[str]:
    """The bars, those that are missed first."""
    found = bars(table(judged.current(turns)))
    held = [bar for bar in found if bar.held]
    missed = [bar for bar in found if bar.held is False]
    lines = [
        "## The bars",
        "",
        (
            f"Of {len(found)} bars {len(held)} hold, {len(missed)} are missed, and"
            f" {len(found) - len(held) - len(missed)} are open, as of some column that they compare"
            f" fewer than {SEEDS} seeds were run with what is here now."
        ),
        "",
        "| | column | scenario | asked | measured |",
        "|---|---|---|---|---|",
    ]
    words = {False: "**missed**", None: "open", True: "holds"}
    for state in (False, None, True):
        lines += [
            f"| {words[state]} | {bar.column} | {bar.scenario} | {bar.asked} | {bar.measured} |"
            for bar in found
            if bar.held is state
        ]
    return [*lines, ""]


def _sections(turns: list[Judged]) -> list[str]:
    cells, lines = table(turns), []
    for scenario in _run(turns):
        lines += [f"## {scenario.name}", "", f"{_capital(scenario.why)}. {_asked(scenario)}", ""]
        lines += ["| column | right | outcome | died | " + " | ".join(word for word, _ in FIGURES) + " |"]
        lines += ["|---|---|---|---|" + "---:|" * len(FIGURES)]
        lines += [_row(cell) for (_, name), cell in cells.items() if name == scenario.name]
        lines += _control(scenario, cells)
        lines += [
            "",
            f"![{scenario.name}: memory, stall and deaths over time](arena/{scenario.name}.svg)",
            "",
        ]
    return lines


def _control(scenario: Scenario, cells: Table) -> list[str]:
    """What remains where whoever may die was never there."""
    control = scenarios.CONTROLS.get(scenario.name)
    cell = cells.get((scenarios.ALONE, control.name)) if control else None
    if control is None or cell is None:
        return []
    text = (
        f"Without {' and '.join(scenario.permitted)} and any daemon ({len(cell.turns)} seeds): {control.why}."
    )
    return ["", f"{text} Full stall {_spread(cell, 'stall_s')} s, p99 {_spread(cell, 'p99_ms')} ms."]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _asked(scenario: Scenario) -> str:
    window = f"Window {scenario.window_s} s."
    if scenario.kind == scenarios.MUST:
        return f"Must act; may die: {', '.join(scenario.permitted)}. {window}"
    return f"Nobody may die and nothing be done beyond notices. {window}"


def _row(cell: Cell) -> str:
    first = cell.turns[0]
    words = sorted({turn.word for turn in cell.turns})
    died = sorted({name for turn in cell.turns for name in (*turn.killed, *turn.in_part)})
    died += sorted({f"**{name}**" for turn in cell.turns for name in turn.wrongly})
    if not cell.database_lived:
        died.insert(0, "**database**")
    mixed = len({turn.inputs for turn in cell.turns}) > 1
    name = f"{first.column} (seeds of several versions)" if mixed else first.column
    name += MARK if len(judged.current(cell.turns)) < len(cell.turns) else ""
    figures = (_spread(cell, field) for _, field in FIGURES)
    ours = f"**{name}**" if first.column in OURS else name
    return (
        f"| {ours} | {cell.right}/{len(cell.turns)} | {', '.join(words)} | {', '.join(died) or 'nobody'} | "
        + " | ".join(figures)
        + " |"
    )


def _spread(cell: Cell, field: str) -> str:
    found = cell.spread(field)
    least, most = figure(found.least), figure(found.most)
    return figure(found.median) if least == most else f"{figure(found.median)} ({least} to {most})"
