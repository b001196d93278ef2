"""``memwarden ctl``: what is asked, and what is said of the answer. The guard is a thread with a socket."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager

import jsonschema
import pytest

from memwarden.cli import ctl as verb
from memwarden.daemon import control
from memwarden.present.ctl import schema

STATUS = {
    "version": "0.1.0",
    "pid": 42,
    "doing": "guarding",
    "paused": False,
    "policy": "default",
    "rules": 7,
    "turns": 1,
    "started_us": 1_000_000,
    "now_us": 61_000_000,
    "waits_for": [{"kind": "process", "pid": 7, "start_time_ticks": 9, "comm": "hog"}],
    "changed": [{"kind": "cgroup", "path": "/leak", "inode": 3}],
    "notes": ["earlyoom:1: -n: no D-Bus"],
    "cannot": ["no PSI"],
    "granted": [
        {"what": "memory locked", "granted": True, "detail": ""},
        {"what": "scheduled first", "granted": False, "detail": "needs CAP_SYS_NICE"},
    ],
    "ledger_dropped": 0,
    "ledger_lost": 2,
    "journal_dropped": 0,
    "recorder_dropped": 0,
}


def answer(**fields):
    return {
        "schema": "memwarden.ctl/1",
        "command": "status",
        "error": "",
        "status": STATUS,
        "dump": None,
    } | fields


@contextmanager
def guard(tmp_path, said):
    """Answers once; what it was asked is in the list."""
    asked = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()

        def serve():
            peer, _ = listener.accept()
            with peer:
                asked.append(json.loads(peer.recv(4096)))
                peer.sendall(said if isinstance(said, bytes) else json.dumps(said).encode())

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def test_how_it_is(cli, tmp_path):
    with guard(tmp_path, answer()) as asked:
        ran = cli("ctl", "status", "--run", str(tmp_path))
    assert asked == [{"command": "status"}]
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "memwarden 0.1.0 is guarding (pid 42, for 1 min 0 s)",
        "policy default, 7 rules; woken 1 time",
        "waits for the end of process 7 (hog)",
        "throttled or frozen by it: /leak",
        "not granted: scheduled first: needs CAP_SYS_NICE",
        "note: earlyoom:1: -n: no D-Bus",
        "cannot: no PSI",
        "2 lines of the ledger could not be written",
    ]


def test_paused_and_dumped(cli, tmp_path):
    calm = STATUS | {"paused": True, "waits_for": ["?"], "changed": [], "cannot": [], "granted": [None]}
    with guard(tmp_path, answer(status=calm, dump="20261126-051021-1")):
        ran = cli("ctl", "dump", "--run", str(tmp_path))
    assert "is guarding, paused: it decides nothing" in " ".join(ran.out.split())
    assert "the last minutes are in incidents/20261126-051021-1 of its --state" in " ".join(ran.out.split())


@pytest.mark.parametrize("command", ["status", "resume"])
def test_an_observer_is_not_called_paused_and_cannot_be_resumed(cli, tmp_path, command):
    observer = STATUS | {"doing": "observing", "paused": True}
    with guard(tmp_path, {**answer(status=observer), "command": command}):
        out = " ".join(cli("ctl", command, "--run", str(tmp_path)).out.split())
    assert "is observing: it decides nothing (pid 42" in out
    assert "paused" not in out
    assert ("resume changes nothing: it was started with --observe" in out) == (command == "resume")


def test_a_dry_run_is_called_one(cli, tmp_path):
    with guard(tmp_path, answer(status=STATUS | {"doing": "dry-run"})):
        assert "is on a dry run: it does nothing (pid 42" in cli("ctl", "status", "--run", str(tmp_path)).out


def test_as_json(cli, tmp_path):
    with guard(tmp_path, answer()):
        document = json.loads(cli("ctl", "status", "--run", str(tmp_path), "--format", "json").out)
    jsonschema.validate(document, schema())
    jsonschema.validate(control.refusal("x", "only root may ask"), schema())


def test_what_could_not_be_done(cli, tmp_path):
    with guard(tmp_path, answer(error="the policy stays as it was: x.toml:1: no")):
        ran = cli("ctl", "reload", "--run", str(tmp_path))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "memwarden: the policy stays as it was: x.toml:1: no\n"
    (tmp_path / "socket").unlink()
    with guard(tmp_path, control.refusal("", "only root may ask")):
        ran = cli("ctl", "status", "--run", str(tmp_path), "--format", "json")
    assert ran.code == 3
    assert json.loads(ran.out)["error"] == "only root may ask"


@pytest.mark.parametrize(
    "said", [b"", b"hello", {}, answer(error=None), answer(status=None), answer(status={}), answer(status=7)]
)
def test_something_else_listens_there(cli, tmp_path, said):
    with guard(tmp_path, said):
        ran = cli("ctl", "status", "--run", str(tmp_path))
    assert ran.code == 3
    assert "no guard of this version" in ran.err


def test_no_guard_runs(cli, tmp_path):
    ran = cli("ctl", "status", "--run", str(tmp_path))
    assert ran.code == 3
    assert (
        ran.err
        == f"memwarden: {tmp_path}/socket: no guard runs here (No such file or directory); --run says where\n"
    )


@pytest.mark.parametrize(("command", "wait"), [("status", "WAIT_S"), ("reload", "RELOAD_S")])
def test_one_that_does_not_answer(cli, tmp_path, monkeypatch, command, wait):
    monkeypatch.setattr(verb, wait, 0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        ran = cli("ctl", command, "--run", str(tmp_path))
    assert "the guard does not answer" in ran.err


def test_who_may_not_ask(cli, tmp_path, monkeypatch):
    def refuse(_self, _path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert "only root may ask the guard; try with sudo" in cli("ctl", "status", "--run", str(tmp_path)).err


def test_both_sides_know_the_same_commands():
    assert verb.COMMANDS == control.COMMANDS
