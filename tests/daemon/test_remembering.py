"""What a guard remembers with is opened where it can be, and what cannot be is said."""

from __future__ import annotations

import json
import os
import threading

import pytest

from memwarden.daemon import recorder, remembering
from memwarden.daemon.memory import Keeper
from memwarden.daemon.options import Options
from memwarden.errors import InputError
from memwarden.guard.pulse import Beat, Reply
from memwarden.host import kmsg, own_files
from memwarden.host.aside import WAITING, Aside
from memwarden.testing.clock import ManualClock
from tests.guard.decisions import KILL, KILLED


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setattr(remembering, "Journald", lambda: None)  # nothing of a test is told to this machine
    return Options(state=str(tmp_path / "state"), run=str(tmp_path / "run"))


def opened(options):
    return remembering.keeper(options, ManualClock(5_000_000, 6_000_000), Keeper)


def lines(options):
    with open(f"{options.state}/decisions.jsonl") as file:
        return [json.loads(line) for line in file]


def test_everything_is_there_and_the_last_minutes_can_be_put_aside(options):
    keeper = opened(options)
    keeper.decided(KILL, KILLED)
    name, wrong = keeper.dump()
    keeper.close()
    assert wrong == ""
    assert sorted(os.listdir(options.state)) == ["decisions.jsonl", "flight", "incidents"]
    assert os.stat(f"{options.state}/flight").st_size == recorder.SIZE == 16 << 20
    with open(f"{options.state}/incidents/{name}/incident.json") as file:
        assert json.load(file)["message"] == "nobody died; somebody asked for the last minutes"
    assert [one["id"] for one in lines(options)] == [KILL.id]
    assert keeper.counts() == {"ledger_dropped": 0, "ledger_lost": 0, "recorder_dropped": 0}


def test_a_dry_run_is_marked_wherever_it_is_kept(options):
    keeper = opened(options)
    keeper.pretend(True)
    keeper.decided(KILL, ())
    name, _ = keeper.dump()
    keeper.close()
    assert lines(options)[0]["dry"] is True
    with open(f"{options.state}/incidents/{name}/incident.json") as file:
        assert [one["dry"] for one in json.load(file)["decisions"]] == [True]


def test_a_disk_without_room_for_the_recorder_is_a_trouble(options, monkeypatch):
    def full(*_words, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(remembering.own_files, "Blocks", full)
    keeper = opened(options)
    assert keeper.dump() == ("", "there is no flight recorder: its directory could not be used")
    assert keeper.counts()["recorder_dropped"] == 0
    keeper.close()
    assert lines(options)[0]["message"] == f"{options.state}: no flight recorder: No space left on device"


class Hanging:
    """A disk that takes no write before it is let go."""

    def __init__(self, monkeypatch):
        self.begun, self.gate = threading.Event(), threading.Event()
        for name in ("append", "write", "add"):
            kind = {"append": own_files.Lines, "write": own_files.Blocks, "add": own_files.Folders}[name]
            monkeypatch.setattr(kind, name, self._after_the_gate(getattr(kind, name)))

    def _after_the_gate(self, write):
        def late(*words):
            self.begun.set()
            assert self.gate.wait(30)
            return write(*words)

        return late


class Journal:
    def __init__(self):
        self.told = []

    def send(self, fields):
        self.told.append(fields["MESSAGE"])


def test_a_disk_that_hangs_holds_nobody(options, monkeypatch):
    journal = Journal()
    monkeypatch.setattr(remembering, "Journald", lambda: journal)
    monkeypatch.setattr(Aside.settle, "__defaults__", (10,))
    keeper, disk = opened(options), Hanging(monkeypatch)
    for _ in range(WAITING + 5):  # more than may wait
        keeper.decided(KILL, KILLED)
        keeper.beat(Beat(1, 2, 1, 0), Reply("", False, 1))
        keeper.flush()
    assert disk.begun.wait(30)
    keeper.flush()
    assert len([one for one in journal.told if one.startswith("killed")]) == WAITING + 5
    assert "the ledger cannot be written: decisions.jsonl: the disk does not answer" in journal.told
    assert "the flight recorder cannot be written: the disk does not answer" in journal.told
    name, wrong = keeper.dump()
    assert wrong == f"incident {name} cannot be written: the disk does not answer"
    counts = keeper.counts()
    assert counts["ledger_lost"] > 5
    assert counts["recorder_dropped"] > 5
    keeper.close()  # as at the end: nobody waits for ever
    disk.gate.set()
    assert keeper._settle()
    kept = lines(options)
    assert len(kept) + keeper.counts()["ledger_lost"] == len(journal.told)
    keeper.close()


def test_an_incident_that_is_not_written_yet_is_said_to_be(options, monkeypatch):
    monkeypatch.setattr(Aside.settle, "__defaults__", (10,))
    keeper, disk = opened(options), Hanging(monkeypatch)
    name, wrong = keeper.dump()
    assert wrong == f"{name}: the disk does not answer"
    disk.gate.set()
    assert keeper._settle()
    assert os.listdir(f"{options.state}/incidents") == [name]
    keeper.close()


def test_what_goes_wrong_aside_is_told(options, monkeypatch):
    keeper = opened(options)

    def failing(*_words):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(own_files.Folders, "add", failing)
    name, wrong = keeper.dump()
    assert wrong == f"incident {name} cannot be written: Input/output error"
    keeper.close()


def test_the_kernels_log_where_it_is_asked_for(options, tmp_path, monkeypatch):
    monkeypatch.setattr(kmsg.open_to_write, "__defaults__", (str(tmp_path / "kmsg"),))
    keeper = opened(options._replace(kmsg=True))
    keeper.close()
    assert lines(options)[0]["message"] == "/dev/kmsg: cannot be written: No such file or directory"
    (tmp_path / "kmsg").touch()
    keeper = opened(options._replace(kmsg=True))
    keeper.decided(KILL, KILLED)
    keeper.close()
    assert "memwarden: killed /system.slice/leak.service" in (tmp_path / "kmsg").read_text()


def test_without_a_ledger_there_is_no_guard(options):
    os.mkdir(options.state, 0o700)
    os.symlink("/etc/passwd", f"{options.state}/decisions.jsonl")
    with pytest.raises(InputError, match=r"decisions\.jsonl: cannot be written: "):
        opened(options)
