"""The named scenarios load without a fault, and those of the arena are what the arena stages."""

from __future__ import annotations

import pytest

from lab.arena.scenarios import SCENARIOS
from memwarden.host import scenario_files
from memwarden.sim import scenario as sim
from memwarden.sim.result import Kind
from memwarden.sim.run import simulate
from memwarden.sim.words.load import load
from memwarden.sim.words.render import render
from memwarden.units import MIB, SECOND_US
from memwarden.words.document import Text

SETTLE_US = 4 * SECOND_US
"""lab/arena/guest/arena.py: the database has so long to itself."""
BEGINS_US = 100_000
"""So long after it was asked for a unit's program runs: by what the arena's leaks hold, 0.09 to 0.14 s."""
SHM = 386 * MIB
"""What fits into /dev/shm of that guest: half of its memory."""


def read(name):
    loaded = load(
        Text(*scenario_files.read(name)),
        name=name,
        fetch=lambda base, beside: Text(*scenario_files.read(base, beside)),
    )
    assert loaded.problems == ()
    return loaded.scenario


@pytest.mark.parametrize("name", scenario_files.names())
def test_a_named_scenario_loads_says_what_it_shows_and_is_written_again(name):
    scenario = read(name)
    assert scenario.name == name
    assert 20 <= len(scenario.text) <= 110
    assert load(Text("x", render(scenario)), name="x").scenario == scenario


def part(command, files):
    """A line of lab/arena/guest/load.c as a part."""
    what, *words = command.split()
    match what:
        case "leak":
            return sim.Grow(float(words[0]) * MIB, int(words[1]) * MIB)
        case "saw":
            return sim.Sawtooth(*(int(word) * MIB for word in words[:3]))
        case "spike":
            return sim.Spike(int(words[0]) * MIB, int(words[1]) * 1000)
        case "read":
            name = words[0].rpartition("/")[2]
            return sim.ReadFile(name, files[name] * MIB, int(words[1]) * MIB)
        case "write":
            return sim.WriteFile(words[0].rpartition("/")[2], int(words[1]) * MIB, int(words[2]) * MIB)
        case "storm":
            return sim.Forks(int(words[0]), float(words[2]), int(words[1]) * MIB)
        case "tmpfs":
            return sim.Tmpfs(int(words[1]) * MIB, int(words[2]) * MIB, SHM)


OWN_TEXT = {"crawler": (sim.WorkingSet(0, 0, 0.0, 12 << 10, 20.0, 0, 3, mapped=True),)}
"""Three pages of a program, where it matters that they are looked at."""


@pytest.mark.parametrize("stage", SCENARIOS, ids=lambda stage: stage.name)
def test_a_scenario_of_the_arena_has_the_arenas_numbers(stage):
    scenario = read(stage.name)
    assert scenario.text == stage.why
    assert scenario.duration_us == SETTLE_US + stage.window_s * SECOND_US
    swap = scenario.machine.swap
    assert (swap.size_bytes if swap else 0) == stage.swap_mib * MIB
    programs = {one.name: one for one in scenario.programs}
    database = programs.pop("database").parts
    assert database == (
        sim.WorkingSet(stage.database_mib * MIB, 0, 0.0, stage.database_file_mib * MIB, 200.0, 32, 2),
    )
    assert programs.pop("system").oom_score_adj == -1000
    assert list(programs) == [one.unit for one in stage.loads]
    groups = {one.path: one for one in scenario.groups}
    for one in stage.loads:
        program = programs[one.unit]
        assert program.cgroup == f"/{one.slice}.slice/{one.unit}.service"
        assert program.start_us == SETTLE_US + round(one.at_s * SECOND_US) + BEGINS_US
        assert program.parts == (part(one.command, dict(stage.files)), *OWN_TEXT.get(one.unit, ()))
        high = sim.MAX if one.high_mib is None else one.high_mib * MIB
        assert groups[program.cgroup].high_bytes == high
    assert len([path for path in groups if path.startswith("/tenants.slice/idle")]) == stage.cgroups


def test_of_two_tenants_the_calm_one_keeps_what_memory_low_says():
    """Protection is a floor while anything else can go (kernel.md 3): usage is above it before and after."""
    told = read("two-tenants")
    bare = told._replace(groups=tuple(one._replace(low_bytes=0) for one in told.groups))
    low = next(one.low_bytes for one in told.groups if one.path == "/tenants/calm")
    held, died = [], []
    for scenario in (told, bare):
        result = simulate(scenario)
        calm = [one.groups["/tenants/calm"].usage for one in result.samples if one.time_us > 31 * SECOND_US]
        held.append([usage.anon + usage.file for usage in calm])
        died.append([one.program for one in result.events if one.kind is Kind.OOM_KILL])
    assert held[0][0] > low + 100 * MIB
    assert low <= min(held[0]) < low + 50 * MIB
    assert min(held[1]) < low - 100 * MIB
    assert died == [["leaky", "helper"]] * 2  # memory.oom.group
