"""The guard as a process of its own, on this machine, with a policy that never fires."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from memwarden.daemon.hands import Hands
from memwarden.daemon.options import Options, pack, unpack
from memwarden.daemon.start import NOTES, Process
from memwarden.errors import InputError
from memwarden.guard import ir
from memwarden.host import undo
from memwarden.host.effects import Effects
from memwarden.host.journal import Journal
from memwarden.present.ctl import schema
from memwarden.state.intents import CgroupId, Outcome, RunHook
from tests.collect.test_glances import TOP, Watched
from tests.daemon.test_loop import decision
from tests.repo.tree import REPOSITORY

pytestmark = pytest.mark.live
IDLE = """
[[rule]]
name = "never"
  [[rule.when]]
  constant = { fires = false }
  [[rule.do]]
  notify = {}
"""


@pytest.fixture
def places(tmp_path):
    (tmp_path / "idle.toml").write_text(IDLE)
    for name in ("state", "run"):
        (tmp_path / name).mkdir(mode=0o700)
    return [
        "--policy", str(tmp_path / "idle.toml"),
        "--state", str(tmp_path / "state"), "--run", str(tmp_path / "run"),
    ]  # fmt: skip


def start(*words, under=()):
    return subprocess.Popen(
        [*under, sys.executable, "-m", "memwarden", "guard", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def until_locked(tmp_path, guard):
    """Wait for the guard's pid in the lock file: it has taken it by then."""
    poll = select.poll()
    poll.register(guard.stderr.fileno(), select.POLLIN)
    for _ in range(600):
        lock = tmp_path / "run/lock"
        if lock.exists() and lock.read_text().strip() == str(guard.pid):
            return
        assert not poll.poll(50), guard.stderr.read()
    raise AssertionError("the guard did not start within half a minute")


def test_options_survive_their_way_through_a_command_line():
    options = Options(policy="a b\n", dry_run=True, cgroup_root="/x")
    assert unpack(pack(options)) == options


def test_once_and_dry_looks_and_ends(tmp_path, places):
    done = start("--once", "--dry-run", *places)
    out, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, b"")
    looked, doing = out.decode().splitlines()
    assert re.fullmatch(
        r"[0-9]+ cgroups, [0-9.]+ .iB of [0-9.]+ .iB available: nothing is to be done", looked
    )
    assert doing == f"dry run by the policy {tmp_path}/idle.toml, 1 rule"
    assert not (tmp_path / "run/lock").exists()
    lines = (tmp_path / "state/decisions.jsonl").read_text().splitlines()
    assert {json.loads(line)["schema"] for line in lines} <= {"memwarden.trouble/1"}


def test_once_says_what_of_another_tools_policy_could_not_be_expressed(tmp_path, places):
    places[1] = str(tmp_path / "earlyoom")
    Path(places[1]).write_text("earlyoom -n -m 1 -s 1\n")
    done = start("--once", "--dry-run", *places)
    _, err = done.communicate(timeout=60)
    assert done.returncode == 0
    assert re.fullmatch(rb"memwarden: [^\n]*-n: memwarden does not notify through D-Bus[^\n]*\n", err)


def test_a_name_that_a_terminal_would_obey_is_spelled_out(places):
    places[1] = "\x1b]0;x\x07\u202e\x9b2J"
    done = start("--once", "--dry-run", *places)
    out, err = done.communicate(timeout=60)
    assert (done.returncode, out) == (3, b"")
    assert err.startswith(rb"memwarden: \x1b]0;x\x07\u202e\x9b2J: cannot be opened")


def test_no_name_is_not_the_built_in_policy(places):
    places[1] = ""
    done = start("--once", "--dry-run", *places)
    _, err = done.communicate(timeout=60)
    assert done.returncode == 2
    assert err.startswith(
        b"memwarden guard: argument --policy: the value is empty; give one, or leave it out\n"
    )


@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_on_a_terminal_it_says_what_it_does_and_how_to_end_it(tmp_path, places, signalled):
    ours, its = pty.openpty()
    guard = subprocess.Popen(
        [sys.executable, "-m", "memwarden", "guard", "--dry-run", *places], stdout=its, stderr=its
    )
    os.close(its)
    with os.fdopen(ours, encoding="utf-8", newline="") as terminal:
        try:
            said = [terminal.readline() for _ in range(3)]
        finally:
            guard.send_signal(signalled)
            assert guard.wait(timeout=60) == 0
    assert said[0].startswith(f"memwarden: dry run by the policy {tmp_path}/idle.toml, 1 rule; it watches")
    assert f"{tmp_path}/state/decisions.jsonl; memwarden why --state {tmp_path}/state" in said[1]
    assert said[2] == "memwarden: Ctrl-C ends it\r\n"


def test_an_answer_has_some_notes_of_many(tmp_path):
    guard = Process.__new__(Process)
    guard.notes = [str(number) for number in range(NOTES + 2)]
    assert guard.some_notes() == [
        *(str(number) for number in range(NOTES)), "2 more; memwarden policy check has them all"
    ]  # fmt: skip
    del guard.notes[NOTES:]
    assert len(guard.some_notes()) == NOTES


def test_once_with_nobody_who_listens_is_no_failure(places):
    done = start("--once", "--observe", *places)
    done.stdout.close()
    assert done.stderr.read() == b""
    assert done.wait(timeout=60) == 0
    done.stderr.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="a guard that may act is run by root")
def test_it_ends_when_told_and_a_second_one_is_refused(tmp_path, places):
    guard = start(*places)
    try:
        until_locked(tmp_path, guard)
        second = start(*places)
        _, err = second.communicate(timeout=60)
        assert second.returncode == 3
        assert f"another guard runs here (pid {guard.pid}".encode() in err
        # Handlers are set after the lock is taken; a SIGTERM before them ends the process all the same.
        guard.send_signal(signal.SIGTERM)
        assert guard.wait(timeout=60) in (0, -signal.SIGTERM)
    finally:
        guard.kill()
        guard.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="a guard that may act is run by root")
def test_what_a_dead_guard_left_is_told_in_words(tmp_path, places):
    left = Journal(str(tmp_path / "run"))
    left.begin(undo.FREEZE, CgroupId("/no-such-cgroup", 5), "", "1")
    left.close()
    _, err = start("--once", *places).communicate(timeout=60)
    assert err == b""
    said = [json.loads(line) for line in (tmp_path / "state/decisions.jsonl").read_text().splitlines()]
    assert "left as it is: /no-such-cgroup: it is gone" in [one.get("message") for one in said]


class Blind:
    """Eyes for which nothing is there any more."""

    def look(self):
        raise InputError("no cgroup hierarchy is mounted here")


class Told:
    def __init__(self):
        self.sentences = []

    def trouble(self, sentence):
        self.sentences.append(sentence)


@pytest.mark.parametrize(("resource", "seen"), [("cpu", True), ("memory", False)])
def test_a_cgroups_cpu_pressure_is_read_where_the_policy_asks_for_it(tmp_path, resource, seen):
    here = Watched(tmp_path)
    here.root.write(f"{TOP}/a.slice/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")
    guard = object.__new__(Process)  # what its eyes are made of, and no more
    guard.source, guard.options = here.source, Options(cgroup_root="/sys/fs/cgroup")
    stall = ir.Stall(50_000, cgroups=("/a.slice",), resource=resource)
    looked = guard._eyes(ir.Policy("p", (ir.Rule("r", (ir.Group("g", (stall,)),), ()),))).look()
    assert (looked.cgroups["/a.slice"].cpu_pressure is not None) is seen


def test_a_guard_that_cannot_look_undoes_what_is_in_its_journal(tmp_path):
    app = tmp_path / "cg/app"
    app.mkdir(parents=True)
    (app / "cgroup.freeze").write_text("1")
    (tmp_path / "run").mkdir(mode=0o700)
    guard = object.__new__(Process)  # what the end of a guard needs, and no more
    guard.eyes, guard.memory, guard.journal = Blind(), Told(), Journal(str(tmp_path / "run"))
    guard.journal.begin(undo.FREEZE, CgroupId("/app", app.stat().st_ino), "", "1")
    guard.effects = Effects(str(tmp_path / "cg"), journal=guard.journal)
    guard.restore()
    assert (app / "cgroup.freeze").read_text() == "0"
    assert guard.memory.sentences == ["no cgroup hierarchy is mounted here", "undone: /app was frozen"]
    guard.effects.close()
    guard.journal.close()


class Quiet:
    """Whoever is told things here and need not answer."""

    def __getattr__(self, name):
        return lambda *_arguments: ()


def test_a_hook_that_ends_while_the_guard_is_paused_is_told():
    hook = RunHook(("/bin/true",), CgroupId("/app", 7), 1_000_000)
    guard = object.__new__(Process)  # what a pause needs, and no more
    guard.eyes, guard.memory, guard.loop = Quiet(), Kept(), SimpleNamespace(engine=Kept())
    guard.loop.engine.restore = lambda _snapshot: ()
    guard.effects = SimpleNamespace(apply=lambda _: None, settle=lambda: [Outcome(hook, done=True)])
    guard.hands = Hands(guard.effects)
    guard.hands.carry(decision(hook))
    guard.restore()
    assert guard.memory.told == guard.loop.engine.told == [("1-1", Outcome(hook, done=True))]


class Kept:
    """Keeps what became of intents."""

    def __init__(self):
        self.told = []

    def ended(self, decision_id, outcome):
        self.told.append((decision_id, outcome))

    report = ended


def test_a_policy_that_is_wrong_is_said_in_one_sentence(tmp_path, places):
    (tmp_path / "idle.toml").write_text("[guard]\ntick = 50\n")
    done = start("--once", "--dry-run", *places)
    _, err = done.communicate(timeout=60)
    assert done.returncode == 3
    assert err.startswith(b"memwarden: ")
    assert b"idle.toml:2" in err
    assert err.count(b"\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="a guard that may act is run by root")
def test_it_may_open_as_many_files_as_it_is_allowed_to(tmp_path, places):
    guard = start(*places, under=("prlimit", "--nofile=256:8192"))
    try:
        until_locked(tmp_path, guard)
        limits = Path(f"/proc/{guard.pid}/limits").read_text()
    finally:
        guard.terminate()
        guard.communicate(timeout=60)
    assert re.search(r"Max open files +(\d+) +\1 ", limits), limits


@pytest.mark.skipif(os.geteuid() != 0, reason="a guard that may act is run by root")
def test_it_answers_and_its_record_is_there_after_a_kill(tmp_path, places, cli):
    guard = start(*places)
    try:
        until_locked(tmp_path, guard)
        for _ in range(600):
            asked = cli("ctl", "status", "--run", str(tmp_path / "run"), "--format", "json")
            if asked.code == 0:
                break
            assert guard.poll() is None, guard.stderr.read()
            select.select([], [], [], 0.05)  # it prepares itself still
        document = json.loads(asked.out)
        jsonschema.validate(document, schema())
        assert document["status"]["pid"] == guard.pid
        paused = cli("ctl", "pause", "--run", str(tmp_path / "run"), "--format", "json")
        assert json.loads(paused.out)["status"]["paused"] is True
        reloaded = cli("ctl", "reload", "--run", str(tmp_path / "run"), "--format", "json")
        assert json.loads(reloaded.out)["error"] == ""
        dumped = json.loads(cli("ctl", "dump", "--run", str(tmp_path / "run"), "--format", "json").out)
        folder = tmp_path / "state/incidents" / dumped["dump"]
        assert sorted(os.listdir(folder)) == ["flight", "incident.json"]
    finally:
        guard.kill()
        guard.communicate()
    shown = cli("status", "--root", str(tmp_path / "state/flight"), "--format", "json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)["machine"]["ram_bytes"] > 0


def granted(places, tmp_path, cli, *before):
    """What a guard that is started this way was granted."""
    words = [*before, sys.executable, "-m", "memwarden", "guard", *places]
    guard = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for _ in range(600):
            asked = cli("ctl", "status", "--run", str(tmp_path / "run"), "--format", "json")
            if asked.code == 0:
                break
            assert guard.poll() is None, guard.stderr.read()
            select.select([], [], [], 0.05)
        status = json.loads(asked.out)["status"]
        with open(f"/proc/{guard.pid}/status") as file:
            effective = next(line.split()[1] for line in file if line.startswith("CapEff"))
    finally:
        guard.kill()
        guard.communicate()
    wanted = {one["what"] for one in status["granted"] if one["granted"]}
    return int(effective, 16), wanted, status["cannot"]


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_the_capabilities_of_the_unit_are_enough(tmp_path, places, cli):
    text = (REPOSITORY / "deploy/memwarden-guard.service").read_text()
    names = re.search(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)[1].lower().split()
    only = ",".join(["-all", *(f"+{name.removeprefix('cap_')}" for name in names)])
    everything, as_root, cannot = granted(places, tmp_path, cli)
    effective, with_these, cannot_with_these = granted(
        places, tmp_path, cli, "setpriv", f"--bounding-set={only}"
    )
    # This very machine may lack some itself, as a container does.
    assert 0 < effective.bit_count() <= len(names) < everything.bit_count()
    assert with_these == as_root
    assert cannot_with_these == cannot


def test_a_guard_whose_parent_ignored_its_children_has_some(places):
    """``SIG_IGN`` outlives an exec, and who ignores SIGCHLD has no children to wait for (``wait(2)``)."""
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    done = start("--once", "--dry-run", *places, under=(sys.executable, "-c", ignoring))
    _, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, b"")
