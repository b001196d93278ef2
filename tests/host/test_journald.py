"""Messages to the journal, received by a socket as systemd's own."""

from __future__ import annotations

import socket

import pytest

from memwarden.host import kmsg
from memwarden.host.journald import LONGEST, Journald


@pytest.fixture
def journal(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.setblocking(False)
        sender = Journald(path)
        yield sender, receiver
        sender.close()


def test_fields_are_lines(journal):
    sender, receiver = journal
    assert sender.send({"MESSAGE": "killed /t", "PRIORITY": "4"})
    assert receiver.recv(1 << 16) == b"MESSAGE=killed /t\nPRIORITY=4\n"


def test_a_line_break_in_a_value_is_no_field_of_its_own(journal):
    sender, receiver = journal
    sender.send({"MESSAGE": "a\nPRIORITY=0"})
    # The protocol's own example: name, line break, length in 64 bits little-endian, value, line break.
    assert receiver.recv(1 << 16) == b"MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n"


def test_a_long_value_is_cut_and_bytes_stay_bytes(journal):
    sender, receiver = journal
    sender.send({"A": "x" * 5000, "B": "\udcff"})
    assert receiver.recv(1 << 16) == b"A=" + b"x" * LONGEST + b"\nB=\xff\n"


def test_a_journal_that_is_not_there_or_full_takes_nothing_and_nobody_waits(journal, tmp_path):
    sender, _ = journal
    nobody = Journald(str(tmp_path / "nobody"))
    assert not nobody.send({"MESSAGE": "x"})
    assert nobody.dropped == 0  # there is none, so that nothing is missing in it
    nobody.close()
    taken = [sender.send({"MESSAGE": "x"}) for _ in range(5000)]
    assert taken[0]
    assert not taken[-1]
    assert sender.dropped == taken.count(False)


def test_a_line_for_the_kernels_log(tmp_path):
    path = tmp_path / "kmsg"
    path.touch()
    fd = kmsg.open_to_write(str(path))
    kmsg.say(fd, "killed\n/t", 4)
    # <12>: user (1) * 8 + warning (4); one line, whatever a name holds
    assert path.read_bytes() == b"<12>memwarden: killed /t"
