"""What a guard remembers with is opened where it can be, and what cannot be is said."""

from __future__ import annotations

import json
import os

import pytest

from memwarden.daemon import recorder, remembering
from memwarden.daemon.memory import Keeper
from memwarden.daemon.options import Options
from memwarden.errors import InputError
from memwarden.host import kmsg
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
    assert set(keeper.counts().values()) == {0}


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
