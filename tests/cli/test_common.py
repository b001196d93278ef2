"""What verbs share: width, colour, files that the user names."""

from __future__ import annotations

import os
import stat
from argparse import Namespace

import pytest

from memwarden.cli import common, parser
from memwarden.errors import InputError, ParseError


@pytest.mark.parametrize(("told", "width"), [("132", 132), ("", 80), ("0", 80), ("wide", 80), ("-5", 80)])
def test_width_without_a_terminal(monkeypatch, told, width):
    monkeypatch.setenv("COLUMNS", told)
    monkeypatch.setattr(os, "get_terminal_size", no_terminal)
    assert common.width() == width


def no_terminal(fd):
    raise OSError(25, "Inappropriate ioctl for device")


def test_a_terminal_tells_its_size(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd: os.terminal_size((100, 40)))
    assert (common.width(), common.height()) == (100, 40)
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd: os.terminal_size((0, 0)))
    assert (common.width(), common.height()) == (80, 24)
    monkeypatch.setattr(os, "get_terminal_size", no_terminal)
    assert common.height() == 24


@pytest.mark.parametrize(
    ("option", "terminal", "environment", "coloured"),
    [
        ("auto", True, {"TERM": "xterm"}, True),
        ("auto", True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        ("auto", True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {}, False),
        ("auto", False, {"TERM": "xterm"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"TERM": "xterm"}, False),
    ],
)
def test_colour(monkeypatch, option, terminal, environment, coloured):
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(common.sys.stdout, "isatty", lambda: terminal)
    assert common.use_color(Namespace(color=option)) is coloured


def test_text_ends_with_one_newline(capsys):
    common.write("a")
    common.write("b\n")
    assert capsys.readouterr().out == "a\nb\n"


def test_json_has_no_bare_surrogates(capsys):
    common.write_json({"path": "/\udcff"})
    assert capsys.readouterr().out == '{\n  "path": "/\\udcff"\n}\n'


def test_a_file_is_written_once(tmp_path):
    path = tmp_path / "x"
    common.write_file(str(path), "one \udcff", mode=0o600)
    assert path.read_bytes() == b"one \xff"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="exists already; name another file, or add --force"):
        common.write_file(str(path), "two")
    common.write_file(str(path), "3", force=True)
    assert path.read_bytes() == b"3"


def test_a_file_is_never_written_through_a_link(tmp_path):
    aim = tmp_path / "aim"
    aim.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(aim)
    for force in (True, False):
        with pytest.raises(InputError):
            common.write_file(str(link), "theirs", force=force)
    assert aim.read_text() == "mine"


def test_only_an_ordinary_file_is_written_over(tmp_path):
    # Replacing /dev/null by a file would break the machine.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(InputError, match="is no ordinary file, and is not written over"):
            common.write_file(str(path), "x", force=True)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_could_not_be_completed_is_not_there(tmp_path):
    def pieces():
        yield "half"
        raise ParseError("log", "half", "broken")

    old = tmp_path / "old"
    old.write_text("old")
    for path in (tmp_path / "new", old):
        with pytest.raises(ParseError):
            common.write_file(str(path), pieces(), force=True)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "old")]


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        common.write_file(str(tmp_path / "none" / "x"), "")


def test_the_nearest_word():
    assert parser.nearest("statsu", ["status", "rank"]) == " (did you mean status?)"
    assert parser.nearest("zzz", ["status"]) == ""
