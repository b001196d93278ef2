"""The ledger: what is told is written, later, once, and bounded."""

from __future__ import annotations

import json
import os
import socket

import pytest

from memwarden.daemon.ledger import NAME, Ledger
from memwarden.daemon.memory import AGAIN_US, TROUBLES, Keeper
from memwarden.host.journald import Journald
from memwarden.host.own_files import Lines, own_directory
from memwarden.state.intents import Outcome
from memwarden.testing.clock import ManualClock
from tests.daemon.at_once import AtOnce
from tests.guard.decisions import AT, BOOT, GONE, HOOK, KILL, KILLED, WITHHELD


@pytest.fixture
def state(tmp_path):
    fd = own_directory(str(tmp_path / "state"), purpose="the test")
    yield fd, tmp_path / "state"
    os.close(fd)


def read(state):
    return [json.loads(line) for line in (state[1] / NAME).read_text().splitlines()]


def keeper(state, clock=None, **options):
    ledger = Ledger(boot=BOOT, writer=AtOnce(), lines=Lines(state[0], NAME), **options)
    return Keeper(clock=clock or ManualClock(5_000_000, 1_000_000_000), writer=AtOnce(), ledger=ledger)


def test_nothing_is_written_before_there_is_time(state):
    kept = keeper(state)
    kept.decided(KILL, KILLED)
    assert read(state) == []
    kept.flush()
    assert [one["id"] for one in read(state)] == ["41ec32-7"]
    kept.flush()
    assert len(read(state)) == 1


def test_everything_is_one_object_a_line_in_order(state):
    kept = keeper(state)
    kept.decided(WITHHELD, ())
    kept.decided(HOOK, ())
    kept.ended(HOOK.id, Outcome(HOOK.intents[0], done=True))
    kept.decided(KILL, KILLED)
    kept.result(GONE)
    kept.trouble("no pressure file")
    kept.flush()
    found = read(state)
    assert [one["schema"].removeprefix("memwarden.") for one in found] == [
        "decision/1",
        "decision/1",
        "outcome/1",
        "decision/1",
        "result/1",
        "trouble/1",
    ]
    assert {one["boot_id"] for one in found} == {BOOT}
    assert found[0]["at"]["wall_us"] == AT.wall_us - 2_000_000
    assert found[4]["at"] == {"monotonic_us": 5_000_000, "wall_us": 1_000_000_000}


def test_a_dry_run_is_marked(state):
    kept = keeper(state)
    kept.pretend(True)
    kept.decided(KILL, ())
    kept.flush()
    assert read(state)[0]["dry"] is True


def test_what_does_not_fit_the_queue_is_counted_and_said(state):
    kept = keeper(state, waiting=2)
    for _ in range(5):
        kept.decided(KILL, KILLED)
    kept.flush()
    kept.flush()
    found = read(state)
    assert [one["schema"] for one in found[:2]] == ["memwarden.decision/1"] * 2
    assert found[2]["message"] == "3 entries of the ledger were dropped: too many at once"
    assert len(found) == 3


def test_a_ledger_that_cannot_be_written_stops_nobody(state, tmp_path):
    class Full:
        name = "decisions.jsonl"

        def append(self, line):
            raise OSError(28, "No space left on device")

    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.setblocking(False)
        journald = Journald(path)
        ledger = Ledger(boot=BOOT, writer=AtOnce(), lines=Full(), journald=journald)
        kept = Keeper(clock=ManualClock(), writer=AtOnce(), ledger=ledger)
        kept.decided(KILL, KILLED)
        kept.flush()
        kept.flush()
        assert b"MEMWARDEN_RULE=memory ends\n" in receiver.recv(1 << 16)
        assert receiver.recv(1 << 16).startswith(
            b"MESSAGE=the ledger cannot be written: decisions.jsonl: No space left on device\n"
        )
        journald.close()
    assert ledger.lost == 2


def test_the_kernels_log_gets_a_line_where_that_is_asked_for(tmp_path):
    read_fd, write_fd = os.pipe()
    ledger = Ledger(boot=BOOT, writer=AtOnce(), kmsg_fd=write_fd)
    ledger.decided(KILL, KILLED)
    ledger.flush()
    said = b"killed /system.slice/leak.service (memory ends: memory ends in 0.6 s at the earliest)"
    assert os.read(read_fd, 4096) == b"<12>memwarden: " + said
    os.close(write_fd)
    ledger.decided(KILL, KILLED)
    ledger.flush()
    assert ledger.lost == 1
    os.close(read_fd)


def test_the_same_trouble_is_told_once_a_minute(state):
    clock = ManualClock(0, 0)
    kept = keeper(state, clock)
    for _ in range(70):
        kept.trouble("blind")
        clock.sleep_us(1_000_000)
    kept.flush()
    assert AGAIN_US == 60_000_000
    assert len(read(state)) == 2


def test_many_different_troubles_do_not_pile_up(state):
    kept = keeper(state)
    for number in range(3 * TROUBLES):
        kept.trouble(f"trouble {number}")
    assert len(kept._told) <= TROUBLES
