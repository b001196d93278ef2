"""A disk that hangs holds neither the loop nor whoever asks, and everything is there once it is back."""

from __future__ import annotations

import json
import os
import socket

import pytest

from memwarden.collect.flight_blocks import BLOCK
from memwarden.daemon import memory
from memwarden.daemon.incidents import Incidents
from memwarden.daemon.ledger import Ledger
from memwarden.daemon.memory import STUCK_US, Keeper
from memwarden.daemon.recorder import Recorder
from memwarden.daemon.saying import say_at_once
from memwarden.host import writer as writers
from memwarden.host.journald import Journald
from memwarden.host.own_files import Blocks, Folders, own_directory
from memwarden.host.writer import Writer
from memwarden.testing.clock import ManualClock
from tests.daemon.test_recorder import SIZE, look
from tests.guard.decisions import BOOT, KILL, KILLED
from tests.host.test_writer import LONG_US, Disk

SLOW = (
    "the files below /state have not taken a write for 5 s: what is to be written waits, 2.00 MiB of it at "
    "most, and more is dropped"
)
AGAIN = "the files below /state take writes again"
NOTHING = dict.fromkeys(("ledger_dropped", "ledger_lost", "journal_dropped", "recorder_dropped"), 0)


class Scene:
    """A guard's memory with a ledger that hangs before everything else."""

    def __init__(self, path):
        self.disk = Disk()
        self.clock = ManualClock(10_000_000, 1_795_669_821_000_000)
        self.writer = Writer("/state", self.clock)
        self.receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver.bind(str(path / "journal"))
        self.receiver.setblocking(False)
        self.journald = Journald(str(path / "journal"))
        self.ledger = Ledger(boot=BOOT, writer=self.writer, lines=self.disk, journald=self.journald)
        fd = own_directory(str(path / "state"), purpose="the test")
        self.blocks = Blocks(fd, "flight", size=SIZE)
        self.recorder = Recorder(self.blocks, self.writer, size=SIZE)
        self.folders = Folders(fd, "incidents", most=3)
        os.close(fd)
        self.keeper = Keeper(
            clock=self.clock,
            writer=self.writer,
            ledger=self.ledger,
            recorder=self.recorder,
            incidents=Incidents(self.folders, self.recorder.latest, self.writer, boot=BOOT),
        )
        self.keeper.decided(KILL, KILLED)
        self.keeper.flush()

    def turn(self):
        """A look, two seconds later."""
        self.clock.sleep_us(2_000_000)
        self.keeper.seen(look(self.clock.monotonic_us()))
        self.keeper.flush()

    def told(self):
        """What the journal was told, without that kill."""
        found = []
        while True:
            try:
                said = self.receiver.recv(1 << 16).decode()
            except BlockingIOError:
                return [one for one in found if not one.startswith("killed ")]
            found.append(said.partition("\n")[0].removeprefix("MESSAGE="))

    def kept(self):
        """The messages of the lines that the disk has taken."""
        return [json.loads(line)["message"] for line in self.disk.lines]

    def let_go(self):
        self.disk.let_go()
        assert self.writer.wait(LONG_US)

    def close(self):
        self.let_go()
        self.writer.close()
        self.journald.close()
        self.receiver.close()


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.close()


def test_a_disk_that_hangs_is_told_of_once_where_it_is_not_needed(scene):
    assert STUCK_US == 5_000_000
    scene.turn()
    scene.turn()
    assert scene.told() == []
    for _ in range(20):
        scene.turn()
    assert scene.told() == [SLOW]
    assert scene.kept() == []
    assert scene.keeper.counts() == NOTHING
    scene.let_go()
    scene.turn()
    assert scene.told() == [AGAIN]
    assert scene.writer.wait(LONG_US)
    assert scene.kept()[1:] == [SLOW, AGAIN]
    assert len(b"".join(scene.recorder.latest(SIZE))) == BLOCK


def test_what_may_not_wait_any_more_is_counted_and_said(scene, monkeypatch):
    monkeypatch.setattr(writers, "MOST", 3)
    scene.turn()
    scene.turn()
    scene.keeper.decided(KILL, KILLED)
    scene.turn()
    assert scene.told() == [SLOW]
    assert scene.keeper.counts() == NOTHING | {"ledger_lost": 2, "recorder_dropped": 1}
    scene.let_go()
    scene.turn()
    why = "the disk does not answer, and no more may wait for it"
    assert scene.told() == [
        AGAIN,
        f"the ledger cannot be written: decisions.jsonl: {why}",
        f"the flight recorder cannot be written: {why}",
    ]


def test_an_error_comes_back_and_is_told(scene, monkeypatch):
    def fail(_line):
        raise OSError(28, "No space left on device")

    scene.let_go()
    with monkeypatch.context() as patched:
        patched.setattr(scene.disk, "append", fail)
        scene.keeper.decided(KILL, KILLED)
        scene.turn()
        assert scene.writer.wait(LONG_US)
    scene.turn()
    assert scene.told() == ["the ledger cannot be written: decisions.jsonl: No space left on device"]
    assert scene.keeper.counts()["ledger_lost"] == 1


def test_who_asks_for_the_last_minutes_is_answered_in_time(scene, monkeypatch):
    monkeypatch.setattr(memory, "ANSWER_US", 1)
    scene.turn()
    name, wrong = scene.keeper.dump()
    assert wrong == f"incident {name} is not written yet: the files below /state do not answer"
    assert scene.folders.names() == []
    for _ in range(3):
        scene.turn()
    monkeypatch.setattr(memory, "ANSWER_US", LONG_US)  # it is known by now, and not waited for
    assert scene.keeper.dump()[1].endswith(" is not written yet: the files below /state do not answer")
    scene.let_go()
    assert len(scene.folders.names()) == 2
    scene.turn()
    name, wrong = scene.keeper.dump()
    assert (name in scene.folders.names(), wrong) == (True, "")


def test_a_dump_that_fails_says_why_itself(scene):
    scene.let_go()
    scene.folders.close()
    scene.folders._fd = -1
    name, wrong = scene.keeper.dump()
    assert wrong == f"incident {name} cannot be written: Bad file descriptor"


def test_the_end_waits_for_a_while_only(scene, monkeypatch):
    monkeypatch.setattr(memory, "CLOSE_US", 1)
    scene.turn()
    scene.keeper.close()
    assert scene.told() == ["the files below /state do not answer: what waits for them is given up"]


def test_what_is_written_last_is_there_at_the_end_and_so_is_what_went_wrong(scene, monkeypatch):
    def fail(_offset, _data):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(memory, "CLOSE_US", LONG_US)
    monkeypatch.setattr(scene.blocks, "write", fail)
    scene.disk.let_go()
    scene.turn()
    scene.keeper.decided(KILL, KILLED)
    scene.keeper.close()
    assert len([one for one in scene.kept() if one.startswith("killed ")]) == 2
    assert scene.keeper.counts()["recorder_dropped"] == 1
    assert "the flight recorder cannot be written: Input/output error" in scene.told()


def test_what_is_said_at_once_waits_for_nobody(tmp_path):
    reader, writer = os.pipe2(os.O_NONBLOCK)
    say_at_once(writer, "slow")
    assert os.read(reader, 99) == b"memwarden: slow\n"
    os.write(writer, bytes(1 << 20))
    os.set_blocking(writer, True)
    say_at_once(writer, "full")  # would wait for ever
    os.close(reader)
    os.close(writer)
    say_at_once(writer, "closed")
    with open(tmp_path / "log", "wb") as file:
        say_at_once(file.fileno(), "a file may be on that disk")
    assert (tmp_path / "log").read_bytes() == b""
