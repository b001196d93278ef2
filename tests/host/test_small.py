"""JSON, sockets and blocks of the guard's process do what the standard library's do."""

from __future__ import annotations

import contextlib
import json
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.host import plain_json
from memwarden.host.blocks import Held, Suppress
from memwarden.host.unix_socket import Socket

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(JSON)
def test_json_is_the_same(value):
    assert plain_json.dumps(value) == json.dumps(value)
    assert plain_json.dumps(value, separators=(",", ":")) == json.dumps(value, separators=(",", ":"))
    written = json.dumps(value)
    assert plain_json.loads(written) == plain_json.loads(f" {written}\r\n".encode()) == json.loads(written)


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \n\\'))
def test_what_is_no_json_is_refused_as_there(text):
    def read(loads):
        try:
            return repr(loads(text))
        except ValueError:
            return ValueError

    assert read(plain_json.loads) == read(json.loads)


def test_what_is_no_part_of_json_is_refused():
    with pytest.raises(TypeError, match="set is no part of JSON"):
        plain_json.dumps({1})
    with pytest.raises(ValueError, match="utf-8"):
        plain_json.loads(b"\xff")


@pytest.mark.parametrize("error", [None, KeyError("a"), UnicodeError("b"), OSError("c"), KeyboardInterrupt()])
def test_errors_are_suppressed_as_there(error):
    def left(suppress):
        try:
            with suppress(KeyError, ValueError):
                if error is not None:
                    raise error  # noqa: TRY301 - what is tested
        except BaseException as raised:  # noqa: BLE001 - compared
            return raised
        return None

    assert left(Suppress) is left(contextlib.suppress)


def test_what_is_held_is_closed_however_the_block_ends():
    for error in (None, KeyboardInterrupt()):
        reader, writer = os.pipe()
        with contextlib.suppress(KeyboardInterrupt), Held(writer) as fd:
            assert fd == writer
            os.fstat(fd)
            if error is not None:
                raise error
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(writer)
        os.close(reader)


def test_connections_know_who_is_there_and_do_not_wait(tmp_path):
    listener = Socket.stream()
    listener.bind(str(tmp_path / "s"))
    listener.listen(1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.connect(str(tmp_path / "s"))
        peer = listener.take()
        assert peer.peer_uid() == os.geteuid()
        with pytest.raises(BlockingIOError):
            peer.recv(1)
        assert not os.get_inheritable(peer.fileno())
        other.send(b"word")
        assert peer.recv(9) == b"word"
        peer.close()
        assert other.recv(9) == b""
    listener.close()
    assert listener.fileno() == -1
