"""A simulation from its start to its end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from memwarden.sim import knobs, timeline
from memwarden.sim.effects import Effects
from memwarden.sim.memory.machine import Kswapd
from memwarden.sim.memory.writeback import Flusher
from memwarden.sim.parts.kinds import task_of
from memwarden.sim.parts.text import Text
from memwarden.sim.result import Kind, Result, Sample
from memwarden.sim.view import snapshot
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.process import Proc
from memwarden.sim.world.tally import Tally
from memwarden.sim.world.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.sim.guarded import Guard
    from memwarden.sim.result import Note
    from memwarden.sim.scenario import Change, Program, Scenario

SLICE_US: Final = 1_000_000
"""How often progress is told at the most,"""
SLICES: Final = 1000
"""and how many times."""
LONGEST_CHUNK_US: Final = 5_000_000
SHORTEST_CHUNK_US: Final = 20_000
AGAIN_US: Final = 1_000
"""A guard that wants to look again at once looks again after so long: nothing takes no time."""


def simulate(
    scenario: Scenario, guard: Guard | None = None, *, progress: Callable[[int], None] | None = None
) -> Result:
    """Run a scenario; ``progress`` is told the simulated time in microseconds now and then."""
    return Run(scenario, guard).run(progress)


class Run:
    """One simulation."""

    def __init__(self, scenario: Scenario, guard: Guard | None = None) -> None:
        self.scenario = scenario
        self.world = world = World(scenario)
        self.guard = guard
        self.effects = Effects(world)
        self.notes: list[Note] = []
        self.samples: list[Sample] = []
        self._every = timeline.spacing_us(scenario, len(world.groups))
        world.chunk_us = max(min(self._every, LONGEST_CHUNK_US), SHORTEST_CHUNK_US)
        world.kswapd = Kswapd(world).wake
        world.flush = Flusher(world).wake
        world.start = self._start
        texts = {program.name: Text(world, program.name) for program in scenario.programs}
        world.execute = lambda task: texts[task.proc.program.name].needed(task)
        world.at(0, self._sample)
        for program in scenario.programs:
            tally = world.tallies.setdefault(program.name, Tally(program))
            for _ in range(program.instances):
                world.at(program.start_us, partial(self._begin, program, tally))
            if program.stop_us is not None:
                world.at(program.stop_us, partial(self._stop, program))
        for change in scenario.changes:
            world.at(change.at_us, partial(self._change, change))
        if guard is not None:
            world.at(0, self._look)

    def run(self, progress: Callable[[int], None] | None) -> Result:
        """Until the scenario's end, or until the kernel panics."""
        world, end = self.world, self.scenario.duration_us
        if progress is not None:
            step_us = max(SLICE_US, end // SLICES)
            for slice_us in range(step_us, end, step_us):
                world.go_on(slice_us)
                progress(slice_us)
        world.go_on(end)
        if world.panicked:
            for proc in world.procs.values():
                proc.tally.deaths += not (proc.ended or proc.dying)
        else:
            world.now = end
        if self.samples[-1].time_us < world.now:
            self.samples.append(timeline.sample(world))
        return Result(
            scenario=self.scenario,
            samples=tuple(self.samples),
            events=tuple(world.events),
            work=tuple(tally.work(end) for tally in world.tallies.values()),
            counters={path: dict(memcg.events) for path, memcg in world.groups.items() if path != "/"},
            notes=tuple(self.notes),
            peaks={path: memcg.peak * PAGE for path, memcg in world.groups.items()}
            | {"/": (world.kernel + world.root.peak) * PAGE},
        )

    def _sample(self, _token: int) -> None:
        self.samples.append(timeline.sample(self.world))
        self.world.at(self.world.now + self._every, self._sample)

    def _begin(self, program: Program, tally: Tally, _token: int) -> None:
        self._start(program, tally, False)

    def _start(self, program: Program, tally: Tally, again: bool) -> None:
        world = self.world
        if program.stop_us is not None and world.now >= program.stop_us:
            return
        tally.restarts += again
        proc = Proc(world, program, tally)
        for part in program.parts:
            task_of(proc, part).start()
        world.say(Kind.STARTED, program.cgroup, proc=proc)

    def _stop(self, program: Program, _token: int) -> None:
        for proc in list(self.world.procs.values()):
            if proc.program is program and not proc.dying:
                self.world.say(Kind.STOPPED, program.cgroup, proc=proc)
                proc.stopping = proc.ended = True
                proc.kill()

    def _change(self, change: Change, _token: int) -> None:
        knobs.write(self.world, change)

    def _look(self, _token: int) -> None:
        """One tick of the guard: it sees the machine, and what it wants is done."""
        assert self.guard is not None
        world = self.world
        reply = self.guard.look(snapshot(world))
        self.notes.extend(reply.notes)
        for note in reply.notes:
            world.say(Kind.DECISION, detail=note.id)
        for decision, intent in reply.acts:
            self.effects.apply(intent, partial(self.guard.report, decision))
        world.at(world.now + max(reply.sleep_us, AGAIN_US), self._look)
