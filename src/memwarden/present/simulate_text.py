"""A simulation as text that is read in ten seconds: who died, who stalled, what was lost, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.present import simulate_words as said
from memwarden.present.colour import PLAIN
from memwarden.present.spark import spark
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, counted, duration, escape, short_size
from memwarden.present.wrap import wrap
from memwarden.sim.result import Kind
from memwarden.sim.summary import DEATHS, lost, summary, told
from memwarden.units import MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.present.colour import Paint
    from memwarden.sim.result import Result, Work
    from memwarden.sim.summary import GroupSum, Told

EVENTS: Final = 12
"""Events that stand one by one; the rest is counted."""
GROUPS: Final = 12
PROGRAMS: Final = 16
CHART: Final = 24
"""Cells of a chart in a table."""
FIRST: Final = (*DEATHS, Kind.PANIC, Kind.OOM, Kind.DECISION, Kind.THROTTLED, Kind.MAX, Kind.CHANGED)
"""What is told before everything else where there is too much."""

GROUP_COLUMNS: Final = (
    Column("CGROUP", right=False, flexible=True, least=14),
    Column("PEAK"),
    Column("LIMIT"),
    Column("STALLED"),
    Column("USAGE OVER TIME", right=False),
)
WORK_COLUMNS: Final = (
    Column("PROGRAM", right=False, flexible=True, least=10),
    Column("DIED"),
    Column("STALLED"),
    Column("THROTTLED"),
    Column("P99", keep_empty=False),
    Column("READ AGAIN", drop=1),
    Column("LOST"),
)


def text(result: Result, *, width: int, paint: Paint = PLAIN, policy: str | None = None) -> str:
    """One run; ``policy`` is what acted in it, ``None`` for the kernel alone."""
    scenario, found = result.scenario, summary(result)
    title = f"{scenario.name}: {scenario.text}" if scenario.text else scenario.name
    verdict = wrap(said.headline(found), width)
    bad = found.deaths or found.panic_us is not None
    blocks = [
        [*wrap(escape(title), width), *wrap(said.machine_line(result) + _acted(policy, result), width)],
        [paint(line, "bold", *(["red"] if bad else [])) for line in verdict],
        _events(result, width, paint),
        _groups(result, found.groups, width, paint),
        _work(result.work, width, paint),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _acted(policy: str | None, result: Result) -> str:
    if policy is None:
        return ""
    return f"; policy {escape(policy)}: {counted(len(result.notes), 'decision')}"


def _events(result: Result, width: int, paint: Paint) -> list[str]:
    every = told(result.events)
    shown = _shown(every)
    lines: list[str] = []
    for one in shown:
        style = ("red",) if one.event.kind in (*DEATHS, Kind.PANIC) else ()
        first = f"{said.at(one.event.time_us)}  "
        lines += [paint(line, *style) for line in wrap(said.event(one, result), width, first=first)]
    if len(every) > len(shown):
        lines.append(f"{'':10}and {len(every) - len(shown)} more; --format json lists them")
    return lines


def _shown(every: Sequence[Told]) -> list[Told]:
    """The first few, in order; what decides goes before what only happens."""
    numbers = sorted(range(len(every)), key=lambda at: (every[at].event.kind not in FIRST, at))[:EVENTS]
    return [every[at] for at in sorted(numbers)]


def _groups(result: Result, groups: Sequence[GroupSum], width: int, paint: Paint) -> list[str]:
    ram = result.scenario.machine.ram_bytes
    used = [ram - sample.free_bytes for sample in result.samples]
    rows = [_machine_row(result, used)]
    kept = sorted(groups, key=lambda one: (-one.stalled_us, -one.peak_bytes, one.path))
    kept = [one for one in kept if one.path != said.MACHINE]
    empty = sum(not one.peak_bytes for one in kept)
    kept = [one for one in kept if one.peak_bytes]
    for one in sorted(kept[:GROUPS], key=lambda one: one.path):
        usage = [s.groups[one.path].usage.total if one.path in s.groups else 0 for s in result.samples]
        whole = ram if one.limit_bytes == MAX else one.limit_bytes
        assert isinstance(whole, int)
        rows.append(
            Row(
                (
                    escape(one.path),
                    short_size(one.peak_bytes),
                    short_size(one.limit_bytes),
                    said.time_of(one.stalled_us),
                    spark(usage, whole, CHART),
                )
            )
        )
    lines = render(GROUP_COLUMNS, rows, width, paint)
    if more := len(kept[GROUPS:]):
        lines.append(f"and {counted(more, 'more cgroup')}, which stalled no longer")
    if empty:
        lines.append(f"and {counted(empty, 'cgroup')} that {'holds' if empty == 1 else 'hold'} nothing")
    return lines


def _machine_row(result: Result, used: Sequence[int]) -> Row:
    ram = result.scenario.machine.ram_bytes
    stalled = result.samples[-1].some_us if result.samples else 0
    peak = max(*used, result.peaks[said.MACHINE])
    chart = spark(used, ram, CHART)
    return Row(("the machine", short_size(peak), short_size(ram), said.time_of(stalled), chart))


def _work(work: Sequence[Work], width: int, paint: Paint) -> list[str]:
    """Where there are too many, who died goes first, and who stalled longest."""
    rows = []
    first = sorted(range(len(work)), key=lambda at: (not work[at].deaths, -work[at].stalled_us, at))
    shown = [work[at] for at in sorted(first[:PROGRAMS])]
    for one in shown:
        share = lost(one)
        again = one.refaulted_bytes + one.swapped_in_bytes
        rows.append(
            Row(
                (
                    escape(one.program),
                    str(one.deaths),
                    said.time_of(one.stalled_us),
                    said.time_of(one.throttled_us),
                    ABSENT if one.p99_us is None else duration(one.p99_us),
                    short_size(again) if again else "0",
                    ABSENT if share is None else said.share(share),
                ),
                {1: ("red",)} if one.deaths else {},
            )
        )
    lines = render(WORK_COLUMNS, rows, width, paint) if rows else []
    if more := len(work) - len(shown):
        died = sum(bool(work[at].deaths) for at in first[PROGRAMS:])
        ends = "which died" if died == more else f"of which {died or 'nobody'} died"
        lines.append(f"and {counted(more, 'more program')}, {ends}")
    return lines
