"""What the turn that decides costs, in counts: of those in which nothing happens, hardly anything."""

from __future__ import annotations

import os
import sys

import pytest

from memwarden.collect.focus import Focused
from memwarden.daemon import reading
from memwarden.daemon.beats import Beats
from memwarden.daemon.following import Follower
from memwarden.daemon.loop import Heard, Loop
from memwarden.guard.engine import Engine
from memwarden.guard.never import Guarded
from memwarden.guard.pulse import Pulse
from memwarden.guard.watched import heeded, watched
from memwarden.host.cgroup import CgroupDirectory
from memwarden.host.live import Live
from memwarden.state.intents import Kill, Outcome
from memwarden.testing.clock import ManualClock
from memwarden.units import MIB
from tests.collect.machines import machine

TOTAL = 1000 * MIB
RATE_BPS = 100 * MIB
CALM_US = 6_000_000
SLICES = 4
LEAK = "/top.slice/0.slice/leak.service"
STALLS = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"


class Machine:
    """Slices of services in which nothing happens, and one service that takes memory; the parts of a loop."""

    busy = False

    def __init__(self, tmp_path, calm):
        self.root = machine(tmp_path)
        self.root.write("proc/pressure/memory", STALLS)
        self.root.write("proc/vmstat", {"pgscan_kswapd": 0, "pgscan_direct": 0, "oom_kill": 0})
        self.root.write("proc/self/cgroup", "0::/\n")
        self.clock = ManualClock(1_000_000, 0)
        self.taken = 0
        self.leaks = False
        self.machine()
        self.group("/top.slice")
        for number in range(SLICES):
            self.group(f"/top.slice/{number}.slice")
        # The one that leaks has few beside it, whom it takes to tell them apart from it.
        for number in range(4):
            self.group(f"/top.slice/0.slice/{number}.service", pid=10 + number)
        for number in range(calm):
            self.group(f"/top.slice/{1 + number % (SLICES - 1)}.slice/{number}.service", pid=100 + number)
        self.group(LEAK, pid=99)
        self.root.add_process(99, cgroup=LEAK)
        self.reads = []
        self.steps = 0
        self.killed = None
        self.count = False

    def group(self, path, anon=MIB, pid=None):
        self.root.add_cgroup(
            path,
            {
                "cgroup.controllers": "memory\n",
                "cgroup.events": {"populated": 1, "frozen": 0},
                "cgroup.procs": "" if pid is None else f"{pid}\n",
                "memory.events": {"low": 0, "high": 0, "max": 0, "oom": 0, "oom_kill": 0},
                "memory.high": "max\n",
                "memory.max": "max\n",
            },
        )
        self.charge(path, anon)

    def charge(self, path, anon):
        self.root.write(f"sys/fs/cgroup{path}/memory.current", anon)
        self.root.write(f"sys/fs/cgroup{path}/memory.stat", {"anon": anon, "file": 0, "kernel": 0})

    def machine(self):
        free = (TOTAL - 300 * MIB - self.taken) // 1024
        used = (300 * MIB + self.taken) // 1024
        figures = {"MemTotal": TOTAL // 1024, "MemFree": free, "MemAvailable": free, "AnonPages": used}
        swap = {"SwapTotal": 0, "SwapFree": 0}
        self.root.write("proc/meminfo", "".join(f"{key}: {kb} kB\n" for key, kb in (figures | swap).items()))

    def loop(self):
        policy, _ = reading.read(None)
        source = Live(str(self.root.proc), str(self.root.path), keep=100, clock=self.clock)
        eyes = Focused(source, cgroup_root="/sys/fs/cgroup", glance=True, watched=watched(policy))
        return Loop(
            clock=self.clock,
            beats=Beats(source),
            pulse=Pulse(),
            engine=Engine(policy, Guarded(policy.never, policy.protect, os.getpid())),
            ears=self,
            eyes=eyes,
            hands=self,
            memory=self,
            follower=Follower(self, heeded(policy)),
            haste=self,
        )

    # ears

    def wait(self, timeout_us):
        self.clock.sleep_us(timeout_us)
        if self.leaks:
            self.taken += RATE_BPS * timeout_us // 1_000_000
            for path in (LEAK, "/top.slice/0.slice", "/top.slice"):
                self.charge(path, MIB + self.taken)
            self.machine()
        self.reads.clear()
        self.steps = 0
        if self.count:
            sys.settrace(self.trace)
        return Heard(silent=True)

    def trace(self, frame, event, _argument):
        if not frame.f_globals.get("__name__", "").startswith("memwarden."):
            return None  # the collector of garbage may call whoever asked to be called
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.steps += event == "opcode"
        return self.trace

    # hands

    def carry(self, decision):
        sys.settrace(None)
        if any(isinstance(intent, Kill) for intent in decision.intents):
            self.killed = decision
        return [Outcome(intent, done=True) for intent in decision.intents]

    def ended(self, *_arguments):
        return ()

    def ignore(self, *_arguments):
        pass

    first = along = beat = seen = decided = result = flush = watch_stalls = watch_events = ignore

    def trouble(self, sentence):
        raise AssertionError(sentence)


def deciding(tmp_path, calm, monkeypatch):
    """The steps of Python, the cgroups read, and the decision of the turn that kills."""
    here = Machine(tmp_path / str(calm), calm)
    one, many = CgroupDirectory.read, CgroupDirectory.read_all
    monkeypatch.setattr(
        CgroupDirectory, "read", lambda self, name: here.reads.append(name) or one(self, name)
    )
    monkeypatch.setattr(
        CgroupDirectory, "read_all", lambda self, names: here.reads.extend(names) or many(self, names)
    )
    loop = here.loop()
    while here.clock.monotonic_us() < CALM_US:
        loop.turn()
    here.leaks = here.count = True
    before = sys.gettrace()  # of whoever measures what the tests cover
    try:
        while here.killed is None:
            loop.turn()
            assert here.taken < TOTAL
    finally:
        sys.settrace(before)
        monkeypatch.undo()
    return here.steps, len(here.reads), here.killed


@pytest.fixture(scope="module")
def turns(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return [deciding(tmp_path_factory.mktemp("root"), calm, patch) for calm in (90, 360)]


def test_the_one_that_takes_memory_is_chosen_whoever_else_is_there(turns):
    assert [decision.candidates[0].target.path for _, _, decision in turns] == [LEAK, LEAK]


def test_what_is_read_does_not_grow_with_those_in_which_nothing_happens(turns):
    few, many = (reads for _, reads, _ in turns)
    assert few == many


def test_what_is_done_does_not_grow_with_those_in_which_nothing_happens(turns):
    few, many = (steps for steps, _, _ in turns)
    assert few > 0
    # Fewer than one for each that is more: what is remembered by content may be forgotten in between.
    assert abs(many - few) < 270


def test_a_subtree_in_which_nothing_happens_is_one_entry(turns):
    few, many = (decision.candidates for _, _, decision in turns)
    assert len(few) == len(many)
    pruned = [one.stands_for for one in many if one.why_not.startswith("pruned")]
    assert pruned == [1 + 360 // (SLICES - 1)] * (SLICES - 1)
    # Everybody that may be killed as one is accounted for.
    assert sum(one.stands_for for one in many) == 5 + sum(pruned)
