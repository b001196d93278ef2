"""What systemd is told, at the other end of a real socket."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

import pytest

from memwarden.host import notify
from memwarden.host.notify import Notify


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def told(listener):
    sender = Notify(listener.getsockname())
    yield sender
    sender.close()


def test_each_message(listener, told):
    assert told
    assert told.ready("calm")
    assert listener.recv(100) == b"READY=1\nSTATUS=calm"
    assert told.stopping()
    assert listener.recv(100) == b"STOPPING=1"
    assert told.watchdog()
    assert listener.recv(100) == b"WATCHDOG=1"
    assert told.status("two\nlines \ud800")
    assert listener.recv(100) == b"STATUS=two lines ?"


def heard(listener):
    """All that is there now."""
    found = []
    listener.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            found.append(listener.recv(100))
    return found


def test_that_we_are_ready_is_told_until_it_is_taken(listener, told):
    """A systemd that is busy has no room: ``net.unix.max_dgram_qlen``."""
    while told.status("x"):
        pass
    assert not told.ready("calm")
    told.again()
    assert set(heard(listener)) == {b"STATUS=x"}
    told.again()
    told.again()
    assert heard(listener) == [b"READY=1\nSTATUS=calm"]


def test_a_reload_carries_the_time_that_systemd_waits_for(listener, told):
    before = time.monotonic_ns() // 1000
    assert told.reloading()
    first, second = listener.recv(100).decode().split("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_an_abstract_socket():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0memwarden-test-{os.getpid()}")
        sock.settimeout(5)
        sender = Notify(f"@memwarden-test-{os.getpid()}")
        assert sender.watchdog()
        assert sock.recv(100) == b"WATCHDOG=1"
        sender.close()


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:3"])
def test_without_a_socket_nothing_happens(address):
    silent = Notify(address)
    assert not silent
    assert not silent.ready("x")
    silent.close()


def test_the_variable_names_the_socket(monkeypatch, listener):
    monkeypatch.setenv("NOTIFY_SOCKET", listener.getsockname())
    sender = Notify()
    assert sender.status("x")
    sender.close()
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not Notify()


def test_a_listener_that_is_gone_is_no_error(listener, told):
    os.unlink(listener.getsockname())
    assert not told.watchdog()


@pytest.mark.parametrize(
    ("value", "pid", "expected"),
    [
        ("30000000", None, 30_000_000),
        ("30000000", "us", 30_000_000),
        ("30000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog(monkeypatch, value, pid, expected):
    for name, text in (("WATCHDOG_USEC", value), ("WATCHDOG_PID", str(os.getpid()) if pid == "us" else pid)):
        if text is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, text)
    assert notify.watchdog_us() == expected
