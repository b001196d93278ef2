"""What an hour of a node costs, in instructions of the interpreter: a clock would measure the machine."""

from __future__ import annotations

import sys

import pytest

from bench.simulate import node
from memwarden.sim.run import Run
from memwarden.sim.scenario import Disk, Group, Machine, Program, Scenario, WriteFile
from memwarden.sim.view import snapshot
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.process import Task
from memwarden.units import MIB

A_WHILE_US = 10_000_000


def instructions(do):
    """How many instructions of the interpreter a call takes, and how often a task does a chunk in it."""
    found = [0, 0]

    def trace(frame, event, _argument):
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            found[1] += frame.f_code is Task.fire.__code__
        found[0] += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        do()
    finally:
        sys.settrace(before)
    return found


def test_a_chunk_of_a_task_that_is_far_from_every_limit_takes_few_steps():
    run = Run(node(20, A_WHILE_US))
    steps, chunks = instructions(lambda: run.run(None))
    assert chunks > 1000
    assert steps / chunks < 1500


def test_a_calm_look_of_a_guard_takes_a_few_steps_for_each_cgroup():
    few, many = (Run(node(count, A_WHILE_US)).world for count in (10, 110))
    (less, _), (more, _) = (instructions(lambda world=world: snapshot(world)) for world in (few, many))
    assert (more - less) / 100 < 50


def test_what_is_done_at_once_is_what_is_done_step_by_step():
    whole, single, told = Run(node(10, A_WHILE_US)), Run(node(10, A_WHILE_US)), []
    steps = 0
    while single.world.advance(A_WHILE_US):
        steps += 1
    assert whole.run(told.append) == single.run(None)
    assert whole.world.steps == single.world.steps == steps
    assert told == [second * 1_000_000 for second in range(1, 10)]


def test_progress_of_a_long_simulation_is_told_so_often_and_no_oftener():
    told = []
    Run(node(1, 5000 * 1_000_000)).run(told.append)
    assert told[:2] == [5_000_000, 10_000_000]
    assert len(told) == 999


def test_a_file_that_is_dirty_already_is_written_again_in_few_steps():
    disk = Disk(write_bps=20 * MIB)
    program = Program("p", "/a", (WriteFile("f", 200 * MIB),), instances=2)
    scenario = Scenario("again", Machine(disk=disk), (Group("/a"),), (program,), duration_us=A_WHILE_US)
    run = Run(scenario)
    work = run.run(None).work[0]
    # Both copy a page in 0.4 us, but for the first 200 MiB, which are new, and take 0.5 us more.
    assert work.moved_bytes / PAGE == pytest.approx(2 * A_WHILE_US / 0.4, rel=0.02)
    assert run.world.steps < 2 * 5 * A_WHILE_US / 10_000
