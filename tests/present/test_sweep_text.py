"""A sweep in words: nothing is 0 in the table, and none in a sentence."""

from __future__ import annotations

from memwarden.present.sweep_text import nodes, text
from memwarden.sim.scenario import Machine, Scenario
from memwarden.sim.sweep import Point, Sweep
from memwarden.state.traits import KernelTraits

SCENARIO = Scenario("s", Machine(ram_bytes=1 << 30, cpus=1, traits=KernelTraits()), (), ())


def points(*stalls):
    return [Point(at, str(at), stall, 0, 0, None, 0, ()) for at, stall in enumerate(stalls)]


def test_a_knee_from_which_on_nobody_stalls():
    curve = points(9_000_000, 1_000_000, 0, 0, 0, 0, 0)
    shown = text(SCENARIO, Sweep("x", tuple(range(7)), tuple("0123456")), curve, width=200)
    assert "The knee is at 1: less costs much (stalls of 9.0 s at 0, 1.0 s here), more helps little" in shown
    assert " (none at 6)." in shown
    assert "2        0 " in shown
    assert "0 us" not in shown


def test_nodes_of_which_half_do_not_stall():
    shown = nodes(SCENARIO, points(0, 0, 0, 1500), width=80)
    assert "On 4 of 4 (100 %) nobody dies.\n" in shown
    assert "Of half of the nodes the programs do not stall.\n" in shown
    assert "Of nine of ten the programs stall at most 1.5 ms together.\n" in shown
