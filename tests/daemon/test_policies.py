"""The reader of policies beside the loop, and what a reload does with what it reads. Readers are real."""

from __future__ import annotations

import json
import marshal
import os
import re
import signal
import socket
from errno import EAGAIN
from types import SimpleNamespace

import pytest

from memwarden.daemon import policies, reading
from memwarden.daemon.control import Control
from memwarden.daemon.ears import SILENT, Ears
from memwarden.daemon.hands import Hands
from memwarden.daemon.loop import Heard
from memwarden.daemon.options import Options
from memwarden.daemon.start import Process
from memwarden.errors import InputError
from memwarden.guard import ir
from memwarden.guard.engine import Engine
from memwarden.guard.flat import flatten
from memwarden.guard.never import Guarded
from memwarden.host.clock import SystemClock
from memwarden.host.own_files import own_socket
from memwarden.testing.clock import ManualClock
from tests.daemon.test_process import IDLE

pytestmark = pytest.mark.live
HELD = "import os, sys; os.write(1, open(sys.argv[1], 'rb').read())\n"
"""A reader that prints what somebody writes into a FIFO, once that is written."""
LONG_US = 60_000_000
DIED = "the policy could not be read: its reader died; try: memwarden policy check"
STAYED = "the policy stays as it was: "
ANOTHER = "another reload came before it was read"


def read(where):
    clock = SystemClock()
    return policies.Reader(Ears(clock), clock).read(where)


@pytest.mark.parametrize("read", [read, reading.read], ids=["by a child", "here"])
def test_policies_of_any_language(tmp_path, read):
    (tmp_path / "earlyoom").write_text('EARLYOOM_ARGS="-m 5"\n')
    policy, notes = read(str(tmp_path / "earlyoom"))
    assert policy.steady
    assert isinstance(notes, list)
    (tmp_path / "p.toml").write_text(IDLE)
    policy, notes = read(str(tmp_path / "p.toml"))
    assert [rule.name for rule in policy.rules] == ["never"]
    (tmp_path / "p.toml").write_text("[guard\n")
    with pytest.raises(InputError, match=r"p\.toml"):
        read(str(tmp_path / "p.toml"))
    (tmp_path / "p.toml").write_text("")  # a disk that was full, an editor that was killed
    with pytest.raises(InputError, match=r"p\.toml: there is no rule in it, and nothing would ever be done"):
        read(str(tmp_path / "p.toml"))


@pytest.fixture
def instead(monkeypatch, tmp_path):
    """Another program that reads policies."""

    def have(text):
        program = tmp_path / "reading.py"
        program.write_text(text)
        monkeypatch.setattr(policies, "READER", str(program))

    return have


def test_a_reader_of_policies_that_dies_is_one_sentence(instead):
    instead("raise SystemExit(1)\n")
    with pytest.raises(InputError, match=f"^{DIED}$"):
        read(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"foo": 1}', "and nothing in it says whose policy"),
        ('[{"foo": 1}]', "but a list, and no tool's"),
    ],
)
def test_what_nobody_can_read_is_said_to_be_that(tmp_path, text, said):
    typo = tmp_path / "typo.json"
    typo.write_text(text)
    with pytest.raises(InputError, match=f"^{re.escape(str(typo))}: is JSON, {said}"):
        read(str(typo))


def test_a_reader_that_cannot_be_started_costs_no_descriptor(monkeypatch):
    def refused(*_arguments, **_options):
        raise BlockingIOError(EAGAIN, os.strerror(EAGAIN))

    clock = SystemClock()
    reader = policies.Reader(Ears(clock), clock)
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(os, "posix_spawn", refused)
    with pytest.raises(InputError, match="the policy could not be read: Resource temporarily unavailable"):
        reader.read(None)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    "text", ["import signal; signal.pause()\n", "import os\nwhile True: os.write(1, b'x')\n"]
)
def test_a_reader_that_does_not_end_is_given_up(instead, monkeypatch, text):
    instead(text)
    monkeypatch.setattr(policies, "LIMIT_US", 1000)
    with pytest.raises(InputError, match=DIED):
        read(None)


class Reading:
    """A reader whose child prints what the test writes, when it does."""

    def __init__(self, directory):
        self.fifo = str(directory / "fifo")
        os.mkfifo(self.fifo)
        self.clock = ManualClock()
        self.ears = Ears(self.clock)
        self.reader = policies.Reader(self.ears, self.clock)
        self.told = []

    def begin(self):
        self.reader.begin(self.fifo, bug_compatible=False, told=self.told.append)

    def print(self, printed):
        """What the child prints, which has opened its end when this returns."""
        with open(self.fifo, "wb") as file:
            file.write(printed)

    def hear(self):
        """Turns until the pipe has ended; a poll waits in them."""
        for _ in range(100):
            if self.told:
                return
            assert self.ears.wait(LONG_US) != SILENT
            self.reader.turn()

    def reap(self):
        """Turns until nobody is left; the kernel is waited for, and the child stays to be reaped."""
        for pid in self.reader._killed:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.reader.turn()
        assert self.reader._killed == []


@pytest.fixture
def held(instead, tmp_path):
    instead(HELD)
    one = Reading(tmp_path)
    yield one
    one.reader.give_up("the test ends")
    one.reap()


def test_while_a_policy_is_read_turns_go_on(held):
    held.begin()
    for _ in range(3):
        assert held.ears.wait(0) == SILENT
        held.reader.turn()
    assert held.told == []
    held.print(b"a policy" * policies.CHUNK)
    held.hear()
    assert held.told == [b"a policy" * policies.CHUNK]
    assert held.ears.wait(0) == SILENT
    held.reap()
    held.reader.turn()
    assert len(held.told) == 1


def test_one_that_never_ends_is_given_up_at_a_turn_and_reaped_when_it_is_gone(held, monkeypatch):
    held.begin()
    pid = held.reader._pid
    held.clock.sleep_us(policies.LIMIT_US - 1)
    held.reader.turn()
    assert held.told == []
    held.clock.sleep_us(1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "waitpid", lambda *_words: (0, 0))  # it is in the kernel
        held.reader.turn()
        held.reader.turn()
    assert held.told == [b""]
    assert held.reader._killed == [pid]
    assert os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT).si_status == signal.SIGKILL
    held.reap()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_one_that_is_given_up_leaves_no_descriptor_and_the_next_one_is_not_waited_for(held):
    before = os.listdir("/proc/self/fd")
    held.begin()
    held.reader.give_up("why")
    held.reader.give_up("nobody is told twice")
    assert os.listdir("/proc/self/fd") == before
    held.begin()
    assert held.reader._hear(0) == Heard()  # woken for the pipe before, which had the same number
    assert held.told == ["why"]


class Told:
    """What systemd and the ledger are told, in order."""

    def __init__(self):
        self.said = []

    def trouble(self, sentence):
        self.said.append(sentence)

    def reloading(self):
        self.said.append("RELOADING")

    def ready(self, _status):
        self.said.append("READY")

    def stopping(self):
        self.said.append("STOPPING")

    def again(self):
        pass

    def close(self):
        pass


class Quiet:
    """Whoever is told things here and need not answer."""

    def __getattr__(self, name):
        return lambda *_arguments: ()


class Blind:
    """Eyes for which nothing is there any more."""

    def look(self):
        raise InputError("no cgroup hierarchy is mounted here")


class Guard(Process):
    """What a reload needs of a guard, and no more; its loop does what the test says, one thing a turn."""

    def __init__(self, held):
        self.clock, self.ears, self.reader = held.clock, held.ears, held.reader
        self.options, self.stopping = Options(policy=held.fifo), False
        self.memory = self.notify = Told()
        self.effects = self.source = self.eyes = Quiet()
        self.journal = self.control = None
        self.hands = Hands(self.effects)
        engine = Engine(ir.Policy("old", ()), Guarded((), (), 1))
        self.loop = SimpleNamespace(engine=engine, turn=self.turn, eyes=self.eyes)
        self.acts = []
        self.sees = Quiet()

    def turn(self):
        act = self.acts.pop(0)
        return act() or self.ears.wait(0)

    def restore(self):
        pass

    def _eyes(self, _policy):
        return self.sees

    def _engine(self, policy):
        return Engine(policy, Guarded((), (), 1))

    def state(self):
        return {"policy": self.loop.engine.policy.name}

    @property
    def policy(self):
        return self.loop.engine.policy.name


@pytest.fixture
def guard(held):
    one = Guard(held)
    yield one
    assert one.reader._told is None


def sighup():
    return Heard(reload=True)


def sigterm():
    return Heard(stop=True)


def printed(policy, *notes):
    return marshal.dumps((flatten(policy), notes))


NEW = ir.Policy("new", ())


def test_a_reload_is_done_when_the_policy_is_read_and_turns_go_on_meanwhile(guard, held):
    seen = []

    def look():
        seen.append((guard.policy, list(guard.notify.said)))

    def write():
        held.print(printed(NEW, "odd"))

    def more():
        return held.ears.wait(LONG_US) if guard.policy == "old" else None

    # What is printed and the end of it are two things to hear, which may come in a turn each.
    guard.acts = [sighup, look, look, write, more, more, look, sigterm]
    guard.run()
    assert seen[:2] == [("old", ["READY", "RELOADING"])] * 2
    assert seen[2] == ("new", ["READY", "RELOADING", "odd", "READY"])
    assert guard.notify.said[4:] == ["STOPPING"]
    assert guard.notes == ["odd"]


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (marshal.dumps("p.toml:2: no such key"), "p.toml:2: no such key"),
        (b"", DIED),
        (marshal.dumps(7), "'int' object is not subscriptable"),
        (
            printed(NEW._replace(dry_run=True)),
            "new: dry_run is settled when the guard starts; restart it to change that",
        ),
    ],
)
def test_a_policy_that_is_wrong_leaves_all_as_it_was(guard, held, says, said):
    engine, told = guard.loop.engine, []
    guard.reload(told.append)
    held.print(says)
    held.told = told
    held.hear()
    assert told == [STAYED + said]
    assert guard.notify.said == ["RELOADING", STAYED + said, "READY"]
    assert guard.loop.engine is engine


def test_a_reload_that_cannot_look_leaves_all_as_it_was(guard):
    eyes, engine, guard.sees = guard.eyes, guard.loop.engine, Blind()
    assert guard._take(printed(NEW, "odd")) == f"{STAYED}no cgroup hierarchy is mounted here"
    assert guard.memory.said == [f"{STAYED}no cgroup hierarchy is mounted here", "READY"]
    assert (guard.eyes, guard.loop.eyes, guard.loop.engine) == (eyes, eyes, engine)


def test_a_reader_that_cannot_be_started_leaves_all_as_it_was(guard, monkeypatch):
    def refused(*_words):
        raise BlockingIOError(EAGAIN, os.strerror(EAGAIN))

    monkeypatch.setattr(policies, "_spawn", refused)
    guard.reload()
    wrong = f"{STAYED}the policy could not be read: Resource temporarily unavailable"
    assert guard.notify.said == ["RELOADING", wrong, "READY"]


def test_a_policy_that_is_not_read_in_time_leaves_all_as_it_was(guard, held):
    def later():
        held.clock.sleep_us(policies.LIMIT_US)

    guard.acts = [sighup, later, sigterm]
    guard.run()
    assert guard.notify.said == ["READY", "RELOADING", STAYED + DIED, "READY", "STOPPING"]


def test_a_second_reload_ends_the_first_one(guard, held):
    first, second = [], []
    guard.reload(first.append)
    guard.reload(second.append)
    assert (first, second) == ([STAYED + ANOTHER], [])
    held.reap()  # what the first one had opened, too
    held.print(printed(NEW))
    held.told = second
    held.hear()
    assert (second, guard.policy) == ([""], "new")
    assert guard.notify.said == ["RELOADING", STAYED + ANOTHER, "READY", "RELOADING", "READY"]


def test_a_guard_that_is_stopped_does_not_wait_for_its_policy(guard, held):
    guard.acts = [sighup, sigterm]
    guard.run()
    assert guard.notify.said == ["READY", "RELOADING", f"{STAYED}the guard ends", "READY", "STOPPING"]
    assert len(held.reader._killed) <= 1


@pytest.fixture
def asked(guard, tmp_path):
    """Connects to the guard's socket, and says what it wants."""
    guard.control = Control(own_socket(str(tmp_path), "socket"), guard.ears, guard.answer)
    peers = []

    def ask(command):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peers.append(peer)
        peer.connect(str(tmp_path / "socket"))
        peer.setblocking(False)
        guard.ears.wait(0)
        peer.send(json.dumps({"command": command}).encode() + b"\n")
        guard.ears.wait(0)
        return peer

    yield ask
    guard.control.close()
    for peer in peers:
        peer.close()


def heard(peer):
    document = json.loads(peer.recv(1 << 16))
    peer.settimeout(60)  # a reader that is just being started has all descriptors for a moment
    assert peer.recv(1) == b""
    return document["command"], document["error"], document["status"]


def test_who_asked_for_a_reload_is_answered_when_it_is_done(guard, held, asked):
    peer = asked("reload")
    with pytest.raises(BlockingIOError):
        peer.recv(1)
    assert heard(asked("status")) == ("status", "", {"policy": "old"})
    held.print(printed(NEW))
    for _ in range(100):
        if guard.policy == "new":
            break
        assert held.ears.wait(LONG_US) != SILENT
        held.reader.turn()
    assert heard(peer) == ("reload", "", {"policy": "new"})


def test_who_asked_is_answered_when_another_one_asks_and_when_the_guard_ends(guard, asked):
    first = asked("reload")
    second = asked("reload")
    assert heard(first) == ("reload", STAYED + ANOTHER, {"policy": "old"})
    guard.acts = [sigterm]
    guard.run()
    assert heard(second) == ("reload", f"{STAYED}the guard ends", {"policy": "old"})


def test_who_asked_and_left_wakes_nobody(guard, held, asked):
    asked("reload").close()
    assert held.ears.wait(0) == SILENT
    held.clock.sleep_us(policies.LIMIT_US)
    held.reader.turn()
    assert guard.memory.said == ["RELOADING", STAYED + DIED, "READY"]
