"""The arena's scenarios in the simulator: who dies under each column's policy, and when.

``memwarden simulate`` has a scenario of each name; that their numbers are the arena's is tested
(``tests/sim/test_library.py``). What a run came to is kept in ``simulated.json``, so that the page is written
without simulating; :func:`run` makes it anew.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.arena import policies
from lab.arena.columns import COLUMNS
from lab.arena.scenarios import SCENARIOS
from lab.paths import LAB
from memwarden.cli.inside import Inside
from memwarden.cli.simulate import scenario as named
from memwarden.sim.result import Kind
from memwarden.sim.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT = LAB / "arena" / "simulated.json"
SETTLE_S = 4.0
"""The window begins so long after the simulation (``guest/arena.py``)."""
KILLS = (Kind.OOM_KILL, Kind.KILL, Kind.TERM)


class Deaths(NamedTuple):
    """What one run came to, in seconds into the window.

    ``whole``: programs none of whose processes is left, and when the last one was gone. ``processes``: how
    many were killed of programs that went on. ``stall_s``: seconds in which all tasks waited for memory.
    """

    whole: tuple[tuple[str, float], ...]
    processes: int
    stall_s: float


def run(column: str, stage: str) -> Deaths:
    """Simulate one scenario under one column's policy."""
    policy = policies.policy(column)
    simulation = Run(named(stage, ()), None if policy is None else Inside(policy))
    result = simulation.run(None)
    left = {proc.program.name for proc in simulation.world.procs.values()}
    killed = {(one.program, one.pid) for one in result.events if one.kind in KILLS}
    gone = {one.program: _window_s(one.time_us) for one in result.events if one.kind is Kind.GONE}
    whole = tuple(
        (name, gone[name]) for name in dict.fromkeys(gone) if name in {who for who, _ in killed} - left
    )
    dead = {name for name, _ in whole}
    begin = next(one for one in result.samples if one.time_us >= SETTLE_S * 1e6)
    stall_us = result.samples[-1].full_us - begin.full_us
    return Deaths(whole, sum(1 for name, _ in killed if name not in dead), round(stall_us / 1e6, 2))


def _window_s(time_us: int) -> float:
    return round(time_us / 1e6 - SETTLE_S, 2)


def keep(names: Iterable[str] = (), stages: Iterable[str] = ()) -> None:
    """Simulate all, or those of some columns and scenarios, and keep what came of it."""
    names, stages = tuple(names), tuple(stages)
    old = read()
    found = {
        (column.name, stage.name): run(column.name, stage.name)
        if (not names or column.name in names) and (not stages or stage.name in stages)
        else old[column.name, stage.name]
        for stage in SCENARIOS
        for column in COLUMNS
    }
    lines = [f"{json.dumps([*key, *value])}" for key, value in found.items()]
    KEPT.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def read() -> dict[tuple[str, str], Deaths]:
    """What is kept, by column and scenario."""
    if not KEPT.exists():
        return {}
    rows: list[Any] = json.loads(KEPT.read_text())
    return {
        (column, stage): Deaths(tuple((name, at_s) for name, at_s in whole), processes, stall_s)
        for column, stage, whole, processes, stall_s in rows
    }
