"""The flight recorder and the incidents: what is there after a kill -9, and what is put aside at a death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import jsonschema
import pytest

from memwarden.collect.flight import Decoder
from memwarden.collect.flight_blocks import BLOCK, blocks_of, records_of
from memwarden.collect.woken import Woken
from memwarden.daemon.incidents import BEFORE_US, LOG, LONGEST_US, SETTLED_US, Incidents
from memwarden.daemon.ledger import Ledger
from memwarden.daemon.memory import Keeper
from memwarden.daemon.recorder import NAME, WAITING, Recorder
from memwarden.guard.pulse import Beat, Reply
from memwarden.host.own_files import Blocks, Folders, own_directory
from memwarden.present.incident_json import schema
from memwarden.state.cgroup import Cgroup
from memwarden.state.intents import ProcessId
from memwarden.state.snapshot import Instant, Snapshot
from memwarden.testing.clock import ManualClock
from memwarden.units import SECOND_US
from tests.daemon.at_once import AtOnce
from tests.guard.decisions import BOOT, GONE, KILL, KILLED, NOTIFY, WITHHELD

SIZE = 16 * BLOCK
BEAT = Beat(1_000_000, 900 << 20, 20 << 20, 0, 5, 6)
REPLY = Reply("all tasks stalled", sweep=False, sleep_us=50_000)


@pytest.fixture
def state(tmp_path):
    fd = own_directory(str(tmp_path / "state"), purpose="the test")
    yield fd, tmp_path / "state"
    os.close(fd)


def look(at_us, *, kills=0, total=None, inode=2, local=True):
    events = {"oom_kill": kills}
    cgroup = Cgroup("/a", inode, events=events, events_local=events if local else None)
    return Snapshot(
        Instant(at_us, at_us), vmstat=None if total is None else {"oom_kill": total}, cgroups={"/a": cgroup}
    )


def read(path):
    return [*Decoder().read(records_of(blocks_of((path / NAME).read_bytes())))]


def test_what_was_seen_is_in_the_file_after_the_flush(state):
    recorder = Recorder(Blocks(state[0], NAME, size=SIZE), AtOnce(), size=SIZE)
    recorder.beat(BEAT, REPLY)
    recorder.look(look(1_000_001))
    assert read(state[1]) == []
    recorder.flush()
    recorder.flush()
    [woken, seen] = read(state[1])
    assert woken == Woken(
        1_000_000, 900 << 20, 20 << 20, 0, 5, 6, 0, signalled=False, alarm="all tasks stalled"
    )
    assert seen.cgroups["/a"].events == {"oom_kill": 0}
    recorder.close()


def test_a_guard_that_is_killed_leaves_its_record_and_the_next_goes_on_behind_it(state):
    program = f"""
import os, signal
from tests.daemon.test_recorder import *
from memwarden.host.clock import SystemClock
from memwarden.host.writer import Writer
writer = Writer("", SystemClock())
recorder = Recorder(Blocks(os.open({str(state[1])!r}, os.O_RDONLY), NAME, size=SIZE), writer, size=SIZE)
for number in range(5):
    recorder.look(look(number, kills=number))
    recorder.flush()
assert writer.wait(60_000_000)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [one.instant.monotonic_us for one in read(state[1])] == [0, 1, 2, 3, 4]
    again = Recorder(Blocks(state[0], NAME, size=SIZE), AtOnce(), size=SIZE)
    again.look(look(9))
    again.close()
    assert [one.instant.monotonic_us for one in read(state[1])] == [0, 1, 2, 3, 4, 9]


def test_the_ring_keeps_the_latest_and_its_size(state):
    recorder = Recorder(Blocks(state[0], NAME, size=SIZE), AtOnce(), size=SIZE)
    for number in range(9000):
        recorder.look(look(number, kills=number))
        recorder.flush()
    found = [one.instant.monotonic_us for one in read(state[1])]
    assert found == [*range(found[0], 9000)]
    assert 500 < len(found) < 9000
    assert (state[1] / NAME).stat().st_size == SIZE
    latest = b"".join(recorder.latest(8 * BLOCK))
    assert len(latest) <= 8 * BLOCK
    part = [*Decoder().read(records_of(blocks_of(latest)))]
    assert part[-1].instant.monotonic_us == 8999
    recorder.close()


def test_what_cannot_be_kept_is_counted(state):
    blocks = Blocks(state[0], NAME, size=SIZE)
    recorder = Recorder(blocks, AtOnce(), size=SIZE)
    for number in range(WAITING + 2):
        recorder.look(look(number))
    assert recorder.dropped == 2
    blocks.close()
    blocks._fd = -1
    recorder.flush()
    assert recorder.dropped == WAITING + 2
    assert recorder.error == "Bad file descriptor"


class Scene:
    """A keeper with everything, a clock, and what it put aside."""

    def __init__(self, state, **options):
        self.path = state[1] / "incidents"
        self.clock = ManualClock(10_000_000, 1_795_669_821_000_000)
        self.recorder = Recorder(Blocks(state[0], NAME, size=SIZE), AtOnce(), size=SIZE)
        self.folders = Folders(state[0], "incidents", most=3)
        incidents = Incidents(self.folders, self.recorder.latest, AtOnce(), boot=BOOT, **options)
        self.ledger = Ledger(boot=BOOT, writer=AtOnce())
        self.keeper = Keeper(
            clock=self.clock,
            writer=AtOnce(),
            ledger=self.ledger,
            recorder=self.recorder,
            incidents=incidents,
        )

    def settle(self):
        self.keeper.flush()
        self.clock.sleep_us(SETTLED_US)
        self.keeper.flush()

    def documents(self):
        found = [
            json.loads((self.path / name / "incident.json").read_text()) for name in self.folders.names()
        ]
        for one in found:
            jsonschema.validate(one, schema())
        return found


@pytest.fixture
def scene(state):
    return Scene(state)


def at(scene, decision):
    return decision._replace(at=scene.clock.instant())


def test_a_victim_of_ours(scene):
    scene.keeper.beat(BEAT, REPLY)
    scene.keeper.seen(look(10_000_000))
    scene.keeper.decided(at(scene, WITHHELD), ())
    scene.keeper.decided(at(scene, NOTIFY), ())
    scene.keeper.decided(at(scene, KILL), KILLED)
    scene.keeper.result(GONE)
    scene.keeper.flush()
    assert scene.documents() == []  # others may die yet
    scene.settle()
    [found] = scene.documents()
    assert found["id"] == "20261126-051021-1"
    assert found["message"] == "killed by memwarden: /system.slice/leak.service"
    assert [one["id"] for one in found["decisions"]] == [NOTIFY.id, KILL.id]
    assert found["results"][0]["freed_bytes"] == 355 << 20
    flight = (scene.path / found["id"] / "flight").read_bytes()
    assert len([*Decoder().read(records_of(blocks_of(flight)))]) == 2
    assert not (scene.path / found["id"] / "kernel.log").exists()


def test_a_process_of_ours_and_one_that_does_not_die(scene):
    scene.keeper.result(GONE._replace(gone=False))
    scene.settle()
    assert scene.documents() == []
    scene.keeper.result(GONE._replace(target=ProcessId(42, 9, "hog")))
    scene.settle()
    assert scene.documents()[0]["message"] == "killed by memwarden: process 42"


def test_kills_of_the_kernel_are_seen_by_its_counts(scene):
    scene.keeper.seen(look(1, kills=3, total=7))
    scene.settle()
    assert scene.documents() == []  # they were there before we came
    scene.keeper.seen(look(2, kills=5, total=9))
    scene.settle()
    [found] = scene.documents()
    assert found["message"] == "killed by the kernel: /a"
    assert found["deaths"] == [{"by": "kernel", "cgroup": "/a", "pid": None, "decision": None, "count": 2}]
    scene.keeper.seen(look(3, kills=1, total=10, inode=5))  # another cgroup has the name
    scene.settle()
    assert scene.documents()[1]["deaths"][0]["count"] == 1


def test_who_could_not_be_read_for_one_look_has_not_died_again(scene):
    there = look(1, kills=3, total=7)
    for seen in (there, there._replace(cgroups={}), look(3, kills=3, total=7)):
        scene.keeper.seen(seen)
        scene.keeper.flush()
    scene.settle()
    assert scene.documents() == []


def test_a_kill_in_a_cgroup_that_was_not_seen(scene):
    scene.keeper.seen(look(1, total=7))
    scene.keeper.flush()
    scene.keeper.seen(look(2, total=9))
    scene.settle()
    assert scene.documents()[0]["deaths"] == [
        {"by": "kernel", "cgroup": None, "pid": None, "decision": None, "count": 2}
    ]


def test_without_local_counts_only_the_lowest_cgroup_is_named(scene):
    parent = Cgroup("/", 1, events={"oom_kill": 1}, children=("/a",))
    for kills in (0, 1):
        seen = look(1, kills=kills, local=False)
        scene.keeper.seen(seen._replace(cgroups={"/": parent, **seen.cgroups}))
        scene.keeper.flush()
    scene.settle()
    assert [one["cgroup"] for one in scene.documents()[0]["deaths"]] == ["/a"]


REPORT = (
    b"4,100,10500000,-;stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n",
    b"6,101,10500001,-;Mem-Info:",
    b"3,102,10500002,-;Out of memory: Killed process 77 (stress)\n",
    b"6,103,10500003,-;oom_reaper: reaped process 77 (stress)\n",
)


def test_the_kernels_report_is_kept_whole(scene):
    scene.keeper.kernel_said(b"6,99,10400000,-;eth0: link up\n")
    for record in REPORT:
        scene.keeper.kernel_said(record)
    scene.settle()
    [found] = scene.documents()
    assert found["message"] == "killed by the kernel: see the kernel log"
    assert (scene.path / found["id"] / "kernel.log").read_bytes() == b"".join(
        record.rstrip(b"\n") + b"\n" for record in REPORT
    )


def test_the_kernels_clock_may_be_behind_ours(scene):
    for record in REPORT:
        scene.keeper.kernel_said(record.replace(b",105", b",95"))
    scene.settle()
    assert len(scene.documents()) == 1


def test_a_report_without_a_death_is_none(scene):
    scene.keeper.kernel_said(REPORT[0])
    scene.settle()
    assert scene.documents() == []


def test_a_report_without_end_is_cut(scene):
    for record in (REPORT[0], *[b"x" * 9999] * 60, REPORT[2]):
        scene.keeper.kernel_said(record)
    scene.keeper.close()
    [found] = scene.documents()
    assert (scene.path / found["id"] / "kernel.log").stat().st_size <= LOG


def test_a_kernel_that_goes_on_talking_does_not_keep_an_incident_open(scene):
    for record in REPORT:
        scene.keeper.kernel_said(record)
    for _ in range(LONGEST_US // SECOND_US):
        scene.clock.sleep_us(SECOND_US)
        scene.keeper.kernel_said(b"4,104,11500003,-;[UFW BLOCK] IN=eth0\n")
        scene.keeper.flush()
    assert len(scene.documents()) == 1


def test_deaths_without_end_are_several_incidents(scene):
    for _ in range(2 * (LONGEST_US // SECOND_US + 1)):
        scene.clock.sleep_us(SECOND_US)
        scene.keeper.result(GONE)
        scene.keeper.flush()
    assert len(scene.documents()) == 2


def test_decisions_of_long_ago_do_not_belong_to_it(scene):
    scene.keeper.decided(at(scene, KILL), KILLED)
    scene.keeper.result(GONE)
    scene.settle()
    scene.clock.sleep_us(BEFORE_US + 1)
    scene.keeper.result(GONE)
    scene.settle()
    assert [len(one["decisions"]) for one in scene.documents()] == [1, 0]


def test_many_deaths_are_bounded_and_so_are_incidents(scene):
    for _ in range(5):
        for _ in range(40):
            scene.keeper.result(GONE)
        scene.settle()
    assert len(scene.documents()) == 3
    assert len(scene.documents()[0]["deaths"]) == 32


def test_an_incident_that_cannot_be_written_is_a_trouble(scene):
    scene.folders.close()
    scene.folders._fd = -1
    scene.keeper.result(GONE)
    scene.settle()
    scene.keeper.flush()
    assert [*scene.keeper._told] == ["incident 20261126-051021-1 cannot be written: Bad file descriptor"]


def test_a_recorder_that_cannot_be_written_is_a_trouble(scene):
    scene.recorder._blocks.close()
    scene.recorder._blocks._fd = -1
    scene.keeper.seen(look(1))
    scene.keeper.flush()
    scene.keeper.flush()
    assert [*scene.keeper._told] == ["the flight recorder cannot be written: Bad file descriptor"]


def test_without_a_wall_clock_incidents_are_in_order_of_boot_time(scene):
    incidents = scene.keeper._incidents
    incidents.result(GONE, Instant(5))
    incidents.close()
    assert incidents.wrong == {}
    assert scene.folders.names() == ["boot-0000000000000005-1"]


def test_without_a_disk_there_is_nothing_but_the_ledger():
    keeper = Keeper(clock=ManualClock(), writer=AtOnce(), ledger=Ledger(boot=BOOT, writer=AtOnce()))
    keeper.beat(BEAT, REPLY)
    keeper.seen(look(1))
    keeper.decided(KILL, KILLED)
    keeper.result(GONE)
    keeper.kernel_said(REPORT[0])
    keeper.close()
    assert keeper._told == {}


def test_a_search_of_the_kernels_that_ended_without_a_death_is_forgotten(scene):
    scene.keeper.kernel_said(REPORT[0])
    scene.keeper.close()
    assert scene.documents() == []
    scene.keeper._incidents.close()
    assert scene.documents() == []
