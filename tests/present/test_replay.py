"""Replays in words and as a document: who, when, why, and what the kernel did itself."""

from __future__ import annotations

import jsonschema
import pytest

from memwarden.guard import ir
from memwarden.guard.played import Player, held_by
from memwarden.present.colour import PLAIN
from memwarden.present.replay_json import document, schema
from memwarden.present.replay_text import _intent, text
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Notify,
    Panic,
    ProcessId,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)
from memwarden.state.process import Process
from memwarden.state.snapshot import HostFacts, Instant
from memwarden.units import MAX, MIB
from tests.guard.test_engine import DB, EVERYBODY, KILL, LEAK, TICK, S, World, policy


def leaking(world, ticks):
    """Four calm seconds, then a stall in which the leak grows by 2 MiB a tick."""
    for _ in range(4):
        yield world.snapshot()
        world.go(S)
    for _ in range(ticks):
        world.held[LEAK] += 2
        world.full_us += 60_000
        world.go()
        yield world.snapshot()


def played(policies, snapshots, name="a.rootar"):
    player = Player(policies)
    for snapshot in snapshots:
        player.step(name, "archive", snapshot)
    return player


def words(player, notes=()):
    return text(player.tapes, player.played, notes, width=100, paint=PLAIN)


def test_a_time_line_of_a_throttle_and_a_kill():
    player = played(
        [policy(ir.DoThrottle(EVERYBODY, within_us=S), KILL, pause_us=60 * S)], leaking(World(), 20)
    )
    # The first tick of the stall is at 4.1 s: 102 MiB are held then, and a second later the kill.
    # 60 ms between the samples at 3 s and at 4.1 s are 55 ms in a second of it.
    assert words(player) == (
        "a.rootar: 24 snapshots over 6.0 s\n"
        "\n"
        # Six seconds are fifty cells: 4.1 s is in the one with the number 34, 5.1 s in 42.
        # Half of the memory, and 60 of 100 ms, are more than three eighths and less than five.
        f"memory    {'▄' * 50}  to 540 MiB, 54 %\n"
        f"stalled   {'▁' * 34}{'▄' * 16}  to 60 %\n"
        f"          0.0 s{'':40}6.0 s\n"
        f"policy    {'':34}o{'':7}x\n"
        "          x kills, o acts otherwise, . says, K the kernel kills\n"
        "\n"
        "test\n"
        f"   4.1 s  throttle {LEAK}: memory.high 102 MiB\n"
        "          r: full memory stall within 1.0 s: 55 ms > 50 ms\n"
        f"   5.1 s  kill {LEAK}\n"
        "          r: full memory stall within 1.0 s: 55 ms > 50 ms\n"
        "          it holds 122 MiB in memory and swap\n"  # ten ticks after the 102 MiB
        "\n"
        "Nobody dies in a replay: what is decided after the first kill is about a machine that would have\n"
        "looked different by then.\n"
    )


def test_the_document_of_the_same():
    player = played([policy(KILL)], leaking(World(), 3))
    made = document(player.tapes, player.played, ["cut off"])
    jsonschema.validate(made, schema())
    (one,) = made["policies"]
    target = {"kind": "cgroup", "path": LEAK, "inode": 11}
    assert (one["first_action_s"], one["first_action"], one["victim"]) == (4.1, "kill", target)
    decision = one["decisions"][0]
    assert (decision["time_s"], decision["rule"], decision["victim"]) == (4.1, "r", target)
    assert decision["holds_bytes"] == 102 * MIB
    assert decision["intents"] == [{"kind": "kill", "target": target, "release": True}]
    assert {each["target"]["path"] for each in decision["candidates"]} >= {LEAK, DB}
    assert made["notes"] == ["cut off"]


def test_a_table_where_there_are_several():
    never = policy(KILL, when=ir.Stall(above_us=900_000))._replace(name="never")
    lines = words(played([policy(KILL), never], leaking(World(), 3)), ["cut off"]).splitlines()
    at = lines.index("policy 2: never: does nothing; of 1 rule none came true")
    assert [line.split() for line in lines[at + 2 : at + 5]] == [
        ["POLICY", "FIRST", "ACTION", "AT", "VICTIM", "DECISIONS"],
        ["test", "4.1", "s", "kill", LEAK, "1"],
        ["never", "-", "-", "0"],
    ]
    assert lines[at + 6] == "cut off"


def test_deaths_by_the_kernel_stand_where_they_were_counted():
    world, snapshots = World(), []
    for kills in (0, 2):
        for path in (LEAK, "/app.slice"):
            world.events[path] = {"oom_kill": kills}
        snapshot = world.snapshot()
        snapshots.append(snapshot._replace(vmstat={**snapshot.vmstat, "oom_kill": kills * 3 // 2}))
        world.go(S)
    player = played([policy(KILL)], snapshots)
    assert words(player).splitlines()[1:3] == [
        f"   1.0 s  the kernel killed 2 processes in {LEAK}",
        "   1.0 s  the kernel killed 1 process",
    ]
    assert document(player.tapes, player.played, ())["recordings"][0]["kernel_kills"] == [
        {"time_s": 1.0, "cgroup": LEAK, "processes": 2},
        {"time_s": 1.0, "cgroup": None, "processes": 1},
    ]


@pytest.mark.parametrize(
    ("ticks", "said"),
    [
        (6, "0.5 s before the kernel's first kill"),  # decided with the first tick of the stall
        (1, "seen at the same time as the kernel's first kill"),
        (0, "1.1 s after the kernel's first kill"),
    ],
)
def test_a_kill_is_compared_with_that_of_the_kernel(ticks, said):
    world = World()
    world.events[LEAK] = {"oom_kill": 0}
    snapshots = []
    for count, snapshot in enumerate(leaking(world, 6), -3):
        events = {"oom_kill": int(count >= ticks)}
        cgroup = snapshot.cgroups[LEAK]._replace(events=events)
        snapshots.append(snapshot._replace(cgroups={**snapshot.cgroups, LEAK: cgroup}))
    lines = words(played([policy(KILL)], snapshots)).splitlines()
    assert f"          it holds 102 MiB in memory and swap; {said}" in lines


def test_what_a_process_holds_is_resident_and_swapped():
    process = Process(7, "seven", 70, rss_bytes=3 * MIB, swap_bytes=2 * MIB)
    snapshot = World().snapshot()._replace(processes={7: process, 8: process._replace(rss_bytes=None)})
    assert held_by(ProcessId(7, 70), snapshot) == 5 * MIB
    assert held_by(ProcessId(8, 70), snapshot) is None
    assert held_by(ProcessId(9, 70), snapshot) is None
    assert held_by(CgroupId("/gone", 1), snapshot) is None


def test_many_deaths_and_many_decisions_are_counted():
    world, snapshots = World(), []
    for kills in range(30):
        world.events[LEAK] = {"oom_kill": kills}
        snapshots.append(world.snapshot())
        world.go(S)
    notify = policy(ir.DoNotify("look"), when=ir.Constant(fires=True), pause_us=0)
    lines = words(played([notify], snapshots)).splitlines()
    assert lines[5] == "          and more: 25 times"
    # The same is said again after ten seconds: at 0, 10 and 20 s.
    assert [line for line in lines if "say:" in line] == [f"{t:>4}.0 s  say: look" for t in (0, 10, 20)]
    every = policy(KILL._replace(even_without_need=True), when=ir.Constant(fires=True), pause_us=0)
    world = World(**{f"/app.slice/a{n}.service": 1 for n in range(12)})
    snapshots = [world.snapshot()._replace(instant=Instant(n * S)) for n in range(1, 15)]
    assert "          and 6 decisions more; --format json lists them" in words(played([every], snapshots))


NEVER_KILLS = KILL._replace(even_without_need=True)
NOBODY = "no kill: there is nobody who may be killed"


def finds_nobody():
    """Fires all the time, and everybody is protected: withheld at once, and again after each ten seconds."""
    nobody = policy(NEVER_KILLS, when=ir.Constant(fires=True), pause_us=0, protect=("*",))
    snapshot = World().snapshot()
    return played([nobody], [snapshot._replace(instant=Instant(n * S)) for n in range(25)])


def told(player):
    lines = words(player).splitlines()
    return [line for line in lines[lines.index("test") + 1 :] if line[:10].endswith(" s  ")]


def instead(taken, **more):
    return taken._replace(decision=taken.decision._replace(**more))


FROZEN = {"intents": (Freeze(CgroupId(LEAK, 11)),), "withheld": ""}


def test_what_is_withheld_again_and_again_has_one_line():
    player = finds_nobody()
    assert told(player) == [f"   0.0 s  {NOBODY} (3 times to 20.0 s)"]
    made = document(player.tapes, player.played, ())
    jsonschema.validate(made, schema())
    assert [one["time_s"] for one in made["policies"][0]["decisions"]] == [0, 10, 20]


@pytest.mark.parametrize(
    ("between", "said"),
    [
        ({"intents": (Notify("look"),), "withheld": ""}, "say: look"),
        (
            {"withheld": "it is throttled already", "action": "throttle"},
            "no throttle: it is throttled already",
        ),
    ],
)
def test_the_line_goes_on_where_something_else_is_only_said(between, said):
    player = finds_nobody()
    taken = player.played[0].taken
    taken[1] = instead(taken[1], **between)
    assert told(player) == [f"   0.0 s  {NOBODY} (2 times to 20.0 s)", f"  10.0 s  {said}"]


def test_what_was_withheld_before_an_act_and_after_it_has_two_lines():
    player = finds_nobody()
    taken = player.played[0].taken
    taken[1] = instead(taken[1], **FROZEN)
    assert told(player) == [f"   0.0 s  {NOBODY}", f"  10.0 s  freeze {LEAK}", f"  20.0 s  {NOBODY}"]


def test_every_recording_has_lines_of_its_own():
    player = finds_nobody()
    taken = player.played[0].taken
    taken[1] = taken[1]._replace(tape="b")
    assert told(player) == [f"   0.0 s  {NOBODY} (2 times to 20.0 s)", f"  10.0 s  {NOBODY}"]


def test_a_machine_that_began_anew_is_another_time():
    player = finds_nobody()
    taken = player.played[0].taken
    taken += taken[:2]
    assert told(player) == [
        f"   0.0 s  {NOBODY} (3 times to 20.0 s)",
        f"   0.0 s  {NOBODY} (2 times to 10.0 s)",
    ]


def test_what_has_no_room_is_counted_by_decisions_and_not_by_lines():
    player = finds_nobody()
    taken = player.played[0].taken
    taken[1:1] = [instead(taken[0], **FROZEN)] * 9
    # Eight lines are those of acts; the ninth act, one that was withheld before and two after have none.
    assert told(player) == [f"   0.0 s  freeze {LEAK}"] * 8
    assert "          and 4 decisions more; --format json lists them" in words(player)


def test_recordings_that_go_on_and_those_that_do_not():
    world = World()
    parts = [world.snapshot()._replace(instant=Instant(n * S)) for n in (10, 11, 12)]
    player = Player([policy(KILL)])
    player.step("a", "archive", parts[0])
    player.step("a", "archive", parts[0])
    player.step("b", "archive", parts[1])
    other = parts[2]._replace(host=HostFacts(boot_id="x"))
    player.step("c", "archive", other)
    player.step("d", "archive", parts[0])
    assert [(tape.name, tape.zero_us // S) for tape in player.tapes] == [
        ("a", 10),
        ("b", 10),
        ("c", 12),
        ("d", 10),
    ]
    assert words(player).splitlines()[:3] == ["a: 2 snapshots over 0 us", "", "b: 1 snapshot"]


def test_where_there_are_several_recordings_a_line_says_which():
    player = Player([policy(KILL)])
    world = World()
    for number, snapshot in enumerate(leaking(world, 3)):
        player.step("ab"[number > 3], "archive", snapshot)
    assert f"   4.1 s  b: kill {LEAK}" in words(player)


def test_every_intent_has_words():
    cgroup, process = CgroupId("/a", 1), ProcessId(7, 1, "b\x1b")
    assert [
        _intent(intent)
        for intent in (
            Kill(process), Terminate(cgroup), SetHigh(cgroup, 3 * MIB, MAX), SetHigh(cgroup, MAX),
            Reclaim(cgroup, MIB), RunHook(("/bin/dump", "x"), cgroup, 1), Notify("hm"), Restart("u.service"),
            Panic(), Freeze(cgroup), Thaw(cgroup),
        )
    ] == [
        "kill b\\x1b (pid 7)", "SIGTERM to /a", "throttle /a: memory.high 3.00 MiB",
        "restore /a: memory.high max", "reclaim 1.00 MiB from /a", "run /bin/dump before a kill of /a",
        "say: hm", "restart u.service", "crash the kernel", "freeze /a", "thaw /a",
    ]  # fmt: skip


def test_a_policy_that_looks_at_intervals_is_shown_no_more():
    steady = policy(
        KILL._replace(even_without_need=True), when=ir.Constant(fires=True), pause_us=0, tick_us=S
    )
    world = World()
    snapshots = [world.snapshot()._replace(instant=Instant(100 * S + n * 7 * TICK)) for n in range(5)]
    times = []
    for one in (steady, steady._replace(steady=True)):
        player = played([one._replace(wait_for_death=False)], snapshots)
        times.append([taken.time_us // TICK for taken in player.played[0].taken if taken.kills])
    # Two can be killed. Ticks at 0 and 1 s: the first snapshot at or after 1 s is at 1.4 s.
    assert times == [[0, 7], [0, 14]]
