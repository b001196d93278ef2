"""The loop, without a machine: when it looks, how long it sleeps, what it does with what was decided."""

from __future__ import annotations

import pytest

from memwarden.daemon.loop import LONGEST_REST_US, LONGEST_TICK_US, UNKNOWN_US, Heard, Loop
from memwarden.errors import InputError
from memwarden.guard.engine import Step
from memwarden.guard.pulse import SHORTEST_US, Beat, Reply
from memwarden.guard.record import Decision
from memwarden.guard.victims import Result
from memwarden.state.intents import CgroupId, Kill, Notify, Outcome
from memwarden.state.process import Process
from memwarden.state.snapshot import Instant, Snapshot
from memwarden.testing.clock import ManualClock

S = 1_000_000
TICK = 100_000
CALM = Reply("", False, 2 * S)
ALARM = Reply("all tasks stalled", False, 50_000)
QUIET = Step((), (), False, TICK)


def decision(*intents, name="1-1"):
    return Decision(name, Instant(0), "p", "r", "g", 0, "kill", (), "stall", intents=tuple(intents))


class Policy:
    steady = False
    tick_us = TICK


class World:
    """Everything the loop holds; each part answers from a list, the last answer for ever."""

    def __init__(self, replies=(CALM,), steps=(QUIET,), *, look_us=0):
        self.clock = ManualClock(S, 0)
        self.replies, self.steps, self.look_us = list(replies), list(steps), look_us
        self.heeded, self.hastes = [], []
        self.slept, self.looks, self.told, self.reported = [], [], [], []
        self.heard = Heard(silent=True)
        self.naps, self.rests = [], []
        self.beaten = Beat(0, 100, 50, 0)
        self.policy = Policy()
        self.late_us = self.early_us = 0
        self.carried, self.caught_up = [], []
        self.over = []
        self.failing = None
        self.loop = Loop(
            clock=self.clock,
            beats=self,
            pulse=self,
            engine=self,
            ears=self,
            eyes=self,
            hands=self,
            memory=self,
            follower=self,
            haste=self,
        )

    blind = busy = False
    missing = False

    # haste
    def first(self):
        self.hastes.append("first")

    def along(self):
        self.hastes.append("along")

    # follower
    def heed(self, snapshot):
        self.heeded.append(snapshot.instant.monotonic_us)

    def due(self, _now_us):
        return self.missing

    # free memory, and naps: how long each may last, none when the list is empty
    def free_bytes(self):
        return 7

    def nap_us(self, _now_us, free_bytes, rest_us=None):
        assert free_bytes == 7
        self.rests.append(rest_us)
        return self.naps.pop(0) if self.naps else 0

    # ears
    def wait(self, timeout_us):
        self.slept.append(timeout_us)
        self.clock.sleep_us(self.early_us or timeout_us + self.late_us)
        return self.heard

    # beats and pulse
    def read(self, *, late_us, signalled):
        self.told.append(("late", late_us, signalled))
        return self.beaten and self.beaten._replace(now_us=self.clock.monotonic_us())

    def feel(self, _beat):
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    relieved_times = 0

    def relieved(self):
        self.relieved_times += 1

    # eyes
    awaited = frozenset(("/dying",))
    pending = ()
    changed = ()

    def look(self, closely):
        assert closely == self.awaited
        if self.failing:
            raise self.failing
        self.looks.append("look")
        self.hastes.append("look")
        self.clock.sleep_us(self.look_us)
        return Snapshot(Instant(self.clock.monotonic_us()))

    def meet(self, snapshot, paths):
        self.looks.append(sorted(paths))
        return snapshot._replace(processes={7: Process(7, "a", 1)})

    def catch_up(self):
        self.caught_up.append(len(self.carried))

    # engine
    def step(self, _snapshot, **options):
        self.told.append(("step", options))
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]

    def report(self, decision_id, outcome):
        self.reported.append((decision_id, outcome))

    # hands
    def carry(self, decided):
        self.carried.append(decided)
        self.hastes.append("act")
        return [Outcome(intent, done=True) for intent in decided.intents]

    def ended(self, *arguments):
        if arguments:
            return self.told.append(("ended", *arguments))
        over, self.over = self.over, []
        return over

    # memory
    def beat(self, _beat, _reply):
        pass

    def seen(self, _snapshot):
        pass

    def decided(self, decided, outcomes):
        self.told.append(("decided", decided.id, len(outcomes)))

    def result(self, result):
        self.told.append(("result", result))

    def trouble(self, sentence):
        self.told.append(("trouble", sentence))

    def flush(self):
        self.hastes.append("write")


def test_a_calm_machine_is_not_looked_at():
    world = World()
    for _ in range(3):
        world.loop.turn()
    assert world.looks == []
    assert world.slept == [0, 2 * S, 2 * S]


def test_naps_come_between_the_beats_of_a_calm_machine():
    world = World()
    world.naps = [300_000, 400_000, 0]
    for _ in range(2):
        world.loop.turn()
    assert world.slept == [0, 300_000, 400_000]
    assert world.loop.turns == 2
    world.loop.turn()
    assert world.slept[3:] == [2 * S]


def test_whoever_says_something_ends_the_nap():
    world = World()
    world.naps = [300_000, 300_000]
    world.loop.turn()
    world.heard = Heard()  # the control socket: nothing to do with memory, but not the time
    world.loop.turn()
    assert world.slept == [0, 300_000]
    assert world.naps == []  # asked after the beat, not instead of it


def test_a_nap_that_ends_late_is_followed_by_a_beat():
    world = World()
    world.naps = [300_000, 300_000]
    world.loop.turn()
    world.late_us = 600_000
    world.loop.turn()
    assert ("late", 600_000, False) in world.told
    assert world.slept == [0, 300_000]


@pytest.mark.parametrize("reply", [ALARM, CALM._replace(sweep=True)])
def test_naps_come_between_two_looks_too(reply):
    """A look takes 5 ms, and 159 times as long nobody is to look again."""
    world = World([reply], [QUIET._replace(busy=True)], look_us=5000)
    world.naps = [300_000, 400_000, 0, 0]
    for _ in range(3):
        world.loop.turn()
    assert world.rests == [795_000, None, None, 795_000, 795_000]
    assert (world.looks, world.slept) == (["look"] * 3, [0, 300_000, 400_000, 795_000])


def test_whoever_takes_memory_faster_meanwhile_ends_the_rest():
    """Memory lasted for 20 s, a fifth of which would have been slept; then it does for one."""
    filling = ALARM._replace(lasts_us=20 * S)
    world = World([filling, ALARM._replace(lasts_us=S)], look_us=10_000)
    world.naps = [300_000, 0]
    for _ in range(3):
        world.loop.turn()
    assert world.rests[:3] == [4 * S, None, S // 5]
    assert (world.looks, world.slept) == (["look"] * 3, [0, 300_000, S // 5])


def test_nobody_rests_long_where_no_glance_tells_of_it():
    world = World([ALARM._replace(lasts_us=60 * S)])
    world.loop.turn()
    world.loop.turn()
    assert world.slept == [0, LONGEST_REST_US]


def test_an_alarm_is_looked_into_at_the_engines_tick():
    world = World([ALARM])
    world.loop.turn()
    world.loop.turn()
    assert world.looks == ["look", "look"]
    assert world.slept == [0, TICK]


def test_a_sweep_looks_once_and_sleeps_on():
    world = World([CALM._replace(sweep=True), CALM])
    world.loop.turn()
    world.loop.turn()
    assert world.looks == ["look"]
    assert world.slept == [0, 2 * S]


def test_what_is_under_way_is_looked_after_though_all_is_calm():
    world = World([ALARM, CALM], [QUIET._replace(busy=True), QUIET])
    for _ in range(3):
        world.loop.turn()
    assert world.looks == ["look", "look"]


def test_a_steady_policy_looks_always_at_its_own_tick():
    world = World(steps=[QUIET._replace(sleep_us=5 * S)])
    world.policy.steady = True
    world.loop.turn()
    world.loop.turn()
    assert (world.looks, world.slept) == (["look", "look"], [0, 5 * S])


@pytest.mark.parametrize(
    ("reply", "look_us", "sleep_us"),
    [
        (ALARM, 10_000, 1_590_000),  # a 160th of a CPU while memory is not filling
        (ALARM, 300_000, 4_500_000),  # a 16th in any case
        (ALARM, 20_000, 2 * S),  # it would be 3.18 s
        (ALARM._replace(lasts_us=2 * S), 40_000, 15 * 40_000),
        (ALARM._replace(lasts_us=S), 80_000, S // 2),  # and never too late
        (ALARM._replace(lasts_us=60 * S), 20_000, 2 * S),
        (ALARM._replace(mild=True), 10_000, 1_590_000),
        (ALARM._replace(mild=True), 20_000, 2 * S),
    ],
)
def test_looking_does_not_take_the_cpu_that_others_need(reply, look_us, sleep_us):
    world = World([reply], look_us=look_us)
    world.loop.turn()
    world.loop.turn()
    assert world.slept == [0, sleep_us]


@pytest.mark.parametrize("lasts_us", [None, 60 * S])
def test_a_death_is_waited_for_and_not_slept_through(lasts_us):
    world = World([ALARM._replace(lasts_us=lasts_us)], [QUIET._replace(busy=True)], look_us=20_000)
    world.pending = (CgroupId("/dying", 1),)
    world.loop.turn()
    world.loop.turn()
    assert world.slept == [0, 15 * 20_000]


@pytest.mark.parametrize(("lasts_us", "sleep_us"), [(S, S // 2), (60_000, TICK // 2)])
def test_a_death_that_is_waited_for_does_not_outlast_the_memory(lasts_us, sleep_us):
    world = World([ALARM._replace(lasts_us=lasts_us)], [QUIET._replace(busy=True)], look_us=40_000)
    world.pending = (CgroupId("/dying", 1),)
    world.loop.turn()
    world.loop.turn()
    assert world.slept == [0, sleep_us]
    world.early_us = 1000  # nor is a trigger heard out later than that
    world.loop.turn()
    world.early_us = 0
    world.loop.turn()
    assert world.slept[-1] == min(TICK, sleep_us) - 1000


def test_who_wakes_us_while_tasks_stall_but_little_is_heard_out_later():
    mild = ALARM._replace(mild=True)
    world = World([mild, mild, mild, ALARM], look_us=20_000)
    world.loop.turn()
    assert (world.looks, world.slept) == (["look"], [0])
    world.early_us = 500_000  # a trigger fires half a second after each look or rest began
    world.loop.turn()
    world.loop.turn()
    assert (world.looks, world.slept) == (["look"], [0, 2 * S, 2 * S - 500_000])
    world.loop.turn()  # it is worse now
    assert (world.looks, world.slept[-1]) == (["look"] * 2, S)


def test_what_is_under_way_is_looked_after_though_tasks_stall_but_little():
    mild = ALARM._replace(mild=True)
    world = World([mild], [QUIET._replace(busy=True)], look_us=80_000)
    world.loop.turn()
    world.early_us = 1000
    world.loop.turn()
    assert world.looks == ["look"]
    world.early_us = 0
    world.loop.turn()
    assert world.looks == ["look"] * 2
    assert world.slept[2] == 5 * TICK - 1000  # memory is not filling


@pytest.mark.parametrize(("lasts_us", "apart_us"), [(5 * S, TICK), (None, 5 * TICK)])
def test_whoever_fires_all_the_time_gets_no_more_than_a_look_in_a_tick(lasts_us, apart_us):
    """While memory fills; else in five of them."""
    world = World([ALARM._replace(lasts_us=lasts_us)], [QUIET._replace(busy=True)], look_us=20_000)
    world.loop.turn()
    world.early_us = 1000
    for _ in range(1000):
        world.loop.turn()
    # A second of wake-ups, each a millisecond apart; a look takes 20 ms.
    assert len(world.looks) == 1 + 1_000_000 // apart_us


def test_in_a_hurry_nobody_waits_for_a_tick():
    """Memory lasts for 60 ms: half a tick is slept, and a trigger is heard out then at the latest."""
    world = World([ALARM._replace(lasts_us=60_000)], [QUIET._replace(busy=True)], look_us=1000)
    world.loop.turn()
    world.early_us = 14_000
    world.loop.turn()
    assert world.looks == ["look"]
    world.loop.turn()
    assert world.looks == ["look"] * 2  # 15 ms, 15 times what a look takes, are over


def test_a_clock_that_goes_back_makes_nobody_wait():
    world = World([ALARM], [QUIET._replace(busy=True)], look_us=20_000)
    for now_us in (100 * S, 0):
        world.loop._clock = world.clock = ManualClock(now_us, 0)
        world.early_us = 1000
        world.loop.turn()
    assert world.looks == ["look"] * 2


def test_who_is_throttled_or_frozen_is_looked_after_however_calm_it_is():
    world = World()
    world.changed = ("/frozen",)
    world.naps = [S]
    for _ in range(3):
        world.loop.turn()
    assert world.looks == ["look"] * 3
    assert world.slept == [0, S, S]


@pytest.mark.parametrize("reply", [CALM, ALARM])
def test_the_end_of_a_hook_and_its_time_are_seen_within_a_tick(reply):
    """A victim is frozen meanwhile, and a kill comes after it."""
    world = World([reply], look_us=10_000)
    world.busy, world.naps = True, [S]
    for _ in range(3):
        world.loop.turn()
    assert world.slept == [0, TICK, TICK]


@pytest.mark.parametrize(
    ("lasts_us", "sleep_us"),
    [
        (60 * S, LONGEST_TICK_US),  # a fifth would be twelve seconds
        (5 * S, S),
        (S // 2, TICK),
        (100_000, TICK // 2),  # half of what is left, and not less than half a tick
    ],
)
def test_the_nearer_the_end_the_more_often(lasts_us, sleep_us):
    world = World([ALARM._replace(lasts_us=lasts_us)])
    world.loop.turn()
    assert world.rests == [sleep_us]


def test_processes_are_read_when_the_engine_wants_them():
    wants = [frozenset({"/b", "/a"}), frozenset({"/"}), frozenset()]
    world = World([ALARM], [QUIET._replace(wants_processes=one) for one in wants])
    world.loop.turn()
    assert world.looks == ["look", ["/a", "/b"], ["/"]]
    told = [told[1]["processes_of"] for told in world.told if told[0] == "step"]
    assert told == [frozenset(), {"/a", "/b"}, {"/"}]


def test_who_wants_the_same_processes_again_waits_for_the_next_turn():
    world = World([ALARM], [QUIET._replace(wants_processes=frozenset({"/"}))])
    world.loop.turn()
    assert world.looks == ["look", ["/"]]


def test_what_is_decided_is_done_told_and_kept():
    kill = Kill(CgroupId("/a", 1))
    gone = Result("1-0", kill.target, gone=True, freed_bytes=4096, took_us=S)
    world = World([ALARM], [QUIET._replace(decisions=(decision(kill),), results=(gone,))])
    world.loop.turn()
    assert [one.id for one in world.carried] == ["1-1"]
    assert world.reported == [("1-1", Outcome(kill, done=True))]
    assert ("decided", "1-1", 1) in world.told
    assert ("result", gone) in world.told
    assert world.relieved_times == 1


def test_who_did_not_die_gave_nothing_back():
    still = Result("1-0", CgroupId("/a", 1), gone=False, freed_bytes=0, took_us=S)
    world = World([ALARM], [QUIET._replace(results=(still,))])
    world.loop.turn()
    assert world.relieved_times == 0


@pytest.mark.parametrize(("lasts_us", "before"), [(None, ["along"]), (S // 2, ["along"]), (S // 5, [])])
def test_others_get_their_cpu_while_we_look_unless_memory_ends_and_we_act_first(lasts_us, before):
    step = Step((decision(Notify("x")),), (), False, TICK)
    world = World([ALARM._replace(lasts_us=lasts_us)], [step])
    world.loop.turn()
    after = ["along", "write", "first"]
    assert world.hastes == [*before, "look", "first", "act", "first", *after]


def test_who_could_not_look_waits_before_others_again():
    world = World([ALARM])
    world.failing = InputError("gone")
    world.loop.turn()
    assert world.hastes == ["along", "first", "along", "write", "first"]


def test_what_ends_later_is_told_to_the_engine():
    world = World()
    outcome = Outcome(Notify("x"), done=True)
    world.over = [("7-7", outcome)]
    world.loop.turn()
    assert world.reported == [("7-7", outcome)]
    assert ("ended", "7-7", outcome) in world.told


def test_a_machine_that_does_not_say_how_much_is_available():
    world = World()
    world.beaten = None
    world.loop.turn()
    world.loop.turn()
    assert world.slept == [0, UNKNOWN_US]
    assert world.told[1][0] == "trouble"


def test_a_beat_that_fails_in_an_alarm_is_tried_again_at_once_and_told_once():
    world = World([ALARM])
    world.loop.turn()
    beaten, world.beaten = world.beaten, None
    world.loop.turn()
    world.beaten = beaten
    world.loop.turn()
    assert world.looks == ["look"] * 2
    assert world.slept == [0, TICK, SHORTEST_US]
    assert [told[0] for told in world.told].count("trouble") == 1


def test_who_says_nothing_for_long_is_asked_less_and_less_often():
    world = World([ALARM])
    world.loop.turn()
    beaten, world.beaten = world.beaten, None
    for _ in range(8):
        world.loop.turn()
    assert world.slept[2:] == [50_000, 100_000, 200_000, 400_000, 800_000, UNKNOWN_US, UNKNOWN_US]
    world.beaten = beaten
    world.loop.turn()
    world.beaten = None
    world.loop.turn()
    world.loop.turn()
    assert world.slept[-1] == SHORTEST_US


def test_a_look_that_fails_is_told_and_not_the_end():
    world = World([ALARM])
    world.failing = InputError("cannot be read")
    world.loop.turn()
    assert ("trouble", "cannot be read") in world.told
    world.failing = None
    world.loop.turn()
    assert world.looks == ["look"]


def test_being_late_is_measured():
    world = World()
    world.loop.turn()
    world.late_us = 700_000
    world.heard = Heard(signalled=True)
    assert world.loop.turn().signalled
    assert world.told[-1] == ("late", 700_000, True)


def test_a_machine_that_was_suspended_is_not_late():
    # CLOCK_MONOTONIC stands still meanwhile, as do PSI and poll's timer (kernel/time/timekeeping.c); the wall
    # clock has gone on by a minute.
    world = World()
    world.loop.turn()
    world.clock = world.loop._clock = ManualClock(world.clock.monotonic_us(), 60 * S)
    world.loop.turn()
    assert world.told[-1] == ("late", 0, False)
    assert world.looks == []


def test_a_pressure_file_that_goes_is_told_once_each_time():
    world = World()
    for blind in (False, True, True, False, True):
        world.blind = blind
        world.loop.turn()
    told = [one for one in world.told if one[0] == "trouble"]
    assert told == [("trouble", "pressure cannot be read: stalls are not seen, only growth is")] * 2


def test_what_is_old_is_read_when_what_was_decided_is_done():
    world = World([ALARM], [QUIET._replace(decisions=(decision(Kill(CgroupId("/a", 1), True)),))])
    world.loop.turn()
    assert (world.looks, world.caught_up) == (["look"], [1])


def test_who_came_or_went_is_heeded_at_each_look_and_looked_for():
    world = World(replies=[CALM])
    world.loop.turn()
    assert world.heeded == []
    world.missing = True
    world.loop.turn()
    assert len(world.heeded) == len(world.looks) == 1
