"""Asking systemctl: its answer, its silence, its errors."""

from __future__ import annotations

import time

import pytest

from memwarden.errors import InputError, UnsupportedError
from memwarden.host import programs, systemd

ANSWER = "Id=a.service\nControlGroup=/system.slice/a.service\n\nId=b.slice\nControlGroup=/b.slice\n"


@pytest.fixture
def systemctl(tmp_path):
    """A program in its place that does what a test says."""

    def make(text):
        path = tmp_path / "systemctl"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_the_answer_is_passed_on_and_the_question_is_one(systemctl, tmp_path):
    program = systemctl(f"""printf '%s\\n' "$@" > {tmp_path}/words; printf '{ANSWER}'""".replace("\n", "\\n"))
    assert systemd.show(program=program) == ANSWER
    words = (tmp_path / "words").read_text().splitlines()
    assert words[:2] == ["show", "--no-pager"]
    assert words[-4:] == ["--", "*.service", "*.slice", "*.scope"]
    names = words[2].removeprefix("--property=").split(",")
    assert {"Id", "ControlGroup", "ManagedOOMSwap", "ManagedOOMPreference", "MemoryLow"} <= set(names)


def test_a_long_answer_is_whole(systemctl):
    assert len(systemd.show(program=systemctl("head -c 3000000 /dev/zero | tr '\\0' x"))) == 3_000_000


def test_a_bus_that_does_not_answer_is_waited_for_only_so_long(systemctl):
    before = time.monotonic()
    with pytest.raises(InputError, match=r"systemctl show did not end within 0.3 s and was killed"):
        systemd.show(program=systemctl("sleep 1000"), limit_us=300_000)
    assert time.monotonic() - before < 10


def test_a_failure_says_what_systemctl_said(systemctl):
    with pytest.raises(InputError, match="ended with exit code 1: no bus"):
        systemd.show(program=systemctl("echo no bus >&2; echo more; exit 1"))


def test_an_answer_beyond_all_measure_is_an_error(systemctl, monkeypatch):
    monkeypatch.setattr(systemd, "MOST", 100)
    with pytest.raises(InputError, match="its answer is longer"):
        systemd.show(program=systemctl("head -c 3000 /dev/zero"))


def test_without_systemctl(monkeypatch):
    monkeypatch.setattr(programs, "FOLDERS", ())
    with pytest.raises(UnsupportedError, match="systemctl is not installed"):
        systemd.show()
