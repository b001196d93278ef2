"""The control socket, in this process: the poll is served by hand, so that nothing waits."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
from struct import Struct

import pytest

from memwarden.daemon import control
from memwarden.daemon.control import CONNECTIONS, LONGEST, Control
from memwarden.daemon.ears import Ears
from memwarden.errors import InputError
from memwarden.host.own_files import own_socket
from memwarden.host.unix_socket import Socket
from memwarden.testing.clock import ManualClock


class Served:
    def __init__(self, directory):
        self.path = f"{directory}/socket"
        self.ears = Ears(ManualClock())
        self.asked = []
        self.control = Control(own_socket(str(directory), "socket"), self.ears, self.answer)

    def answer(self, command, reply):
        self.asked.append(command)
        reply({"status": {"turns": 3}})

    def connect(self):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.connect(self.path)
        peer.setblocking(False)
        self.ears.wait(0)
        return peer

    def ask(self, *pieces):
        with self.connect() as peer:
            for piece in pieces:
                peer.send(piece)
                self.ears.wait(0)
            return json.loads(peer.recv(1 << 16))


@pytest.fixture
def served(tmp_path):
    one = Served(tmp_path)
    yield one
    one.control.close()
    one.ears.close()


def test_a_command_is_answered_in_one_document(served):
    assert served.ask(b'{"command": "status"}\n') == {
        "schema": "memwarden.ctl/1",
        "command": "status",
        "error": "",
        "status": {"turns": 3},
        "dump": None,
    }
    assert served.asked == ["status"]


def test_a_command_may_come_in_pieces(served):
    assert served.ask(b'{"comm', b'and": "pause"}', b"\n")["command"] == "pause"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"status\n", "not a request"),
        (b"[]\n", "not a request"),
        (b"{}\n", "not a request"),
        (b'{"command": "explode"}\n', "no such command; there are status, pause, resume, dump, reload"),
        (b"x" * (LONGEST + 1), "not a request"),
        (b"[" * LONGEST, "not a request"),
    ],
)
def test_other_things_are_refused(served, line, error):
    answer = served.ask(line) if line.endswith(b"\n") else served.ask(line, b"\n")
    assert answer["error"].startswith(error)
    assert served.asked == []


def test_who_is_not_root_is_told_so(served, monkeypatch):
    monkeypatch.setattr(control.os, "geteuid", lambda: 12345)

    class Foreign(Socket):
        def getsockopt(self, *_words):
            return Struct("3i").pack(1, 1000, 1000)

    take = served.control._listener.take

    class Listener:
        def take(self):
            return Foreign(fileno=take().detach())

    served.control._listener, listener = Listener(), served.control._listener
    with served.connect() as peer:
        assert json.loads(peer.recv(4096))["error"] == "only root may ask"
        assert peer.recv(4096) == b""
    served.control._listener = listener
    assert served.asked == []


def test_the_socket_is_its_owners_alone(served):
    assert os.stat(served.path).st_mode & 0o777 == 0o600


def test_who_says_nothing_is_dropped_when_others_come(served):
    silent = [served.connect() for _ in range(CONNECTIONS)]
    assert served.ask(b'{"command": "status"}\n')["error"] == ""
    assert silent[0].recv(10) == b""  # the one that waited longest
    with pytest.raises(BlockingIOError):
        silent[1].recv(10)
    for peer in silent:
        peer.close()
    served.ears.wait(0)
    assert served.control._waiting == {}


def test_who_leaves_without_listening_does_no_harm(served):
    peer = served.connect()
    peer.send(b'{"command": "status"}\n')
    peer.close()
    served.ears.wait(0)
    assert served.asked == ["status"]
    served.control._come(0)  # woken for somebody who is gone again
    reset = served.connect()
    fd = next(iter(served.control._waiting))
    served.control._waiting[fd][0].close()
    served.control._hear(fd)
    reset.close()


def test_one_that_waits_is_dropped_at_the_end(tmp_path):
    served = Served(tmp_path)
    peer = served.connect()
    served.control.close()
    assert peer.recv(10) == b""
    peer.close()
    served.ears.close()


def test_a_dead_guards_socket_is_replaced_and_a_living_ones_is_not(served, tmp_path):
    with pytest.raises(InputError, match="another guard listens there"):
        own_socket(str(tmp_path), "socket")
    served.control.close()
    again = own_socket(str(tmp_path), "socket")
    again.close()
    served.control = Control(own_socket(str(tmp_path), "socket"), served.ears, served.answer)


def test_a_place_where_nobody_can_listen(tmp_path):
    with pytest.raises(InputError, match="cannot be listened on: "):
        own_socket(str(tmp_path / "nowhere"), "socket")
    with pytest.raises(InputError, match="cannot be listened on: "):
        own_socket(str(tmp_path), "x" * 200)


@pytest.fixture
def used_up(served):
    """No descriptor is left but for who lets one go, and whoever waits to be taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    held, highest = [], max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.dup(0))
        peer.connect(served.path)
        peer.setblocking(False)
        yield peer
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in held:
            os.close(fd)
        peer.close()


def test_who_comes_when_no_descriptor_is_left_is_hung_up_on_and_keeps_nobody_awake(served, used_up):
    assert not served.ears.wait(0).silent
    assert served.ears.wait(0).silent
    assert used_up.recv(1) == b""


def test_where_others_take_the_spare_one_nobody_is_heard_any_more(served, used_up):
    os.close(served.control._spare)
    taken = os.dup(0)
    served.control._spare = None
    assert not served.ears.wait(0).silent
    assert served.ears.wait(0).silent
    os.close(taken)
