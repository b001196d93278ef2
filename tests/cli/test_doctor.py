"""``doctor`` and ``demo`` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from memwarden.cli import demo, doctor
from memwarden.errors import UnsupportedError
from memwarden.host import kernel_log
from memwarden.present.doctor_json import schema

ROOTS = Path(__file__).parent.parent / "roots" / "lab"


@pytest.mark.parametrize("kernel", ["5.10", "6.1", "6.12", "7.2"])
def test_a_recording_with_a_limit_that_is_close(cli, golden, kernel):
    ran = cli("doctor", "--root", ROOTS / kernel / "group-ancestor.rootar")
    assert (ran.code, ran.err) == (1, "")
    golden(f"doctor/{kernel}-group-ancestor.txt", ran.out)


@pytest.mark.live
def test_this_machine(cli):
    ran = cli("doctor", "--format", "json")
    assert ran.code in (0, 1)
    document = json.loads(ran.out)
    jsonschema.validate(document, schema())
    assert (ran.code == 1) == any(finding["act"] for finding in document["findings"])
    assert isinstance(document["readable"]["root"], bool)


@pytest.mark.live
def test_a_kernel_log_that_may_not_be_read_is_said(cli, monkeypatch):
    def refuse():
        raise UnsupportedError("the kernel log may not be read here")

    monkeypatch.setattr(kernel_log, "live", refuse)
    out = cli("doctor").out
    assert "\n  - not the kernel log: the kernel log may not be read here" in out


@pytest.mark.live
def test_a_kernel_log_that_can_be_read(cli, monkeypatch):
    monkeypatch.setattr(kernel_log, "live", lambda: iter([b"6,1,1,-;x"]))
    assert "\n  - the kernel log\n" in cli("doctor").out


def test_colour(cli):
    out = cli("doctor", "--root", ROOTS / "6.12" / "parent.rootar", "--color", "always").out
    assert "\n\x1b[1mWho would die next\x1b[0m\n" in out


def test_the_demo_explains_what_ships_and_then_examines(cli, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "run", lambda args: print(f"doctor {args.color}") or 1)
    ran = cli("demo")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("$ memwarden explain ") == len(demo.samples())
    assert ran.out.endswith("$ memwarden doctor\ndoctor auto\n\n")
    assert "doctor" not in cli("demo", "--samples").out


def test_the_demo_without_samples(cli, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "SAMPLES", str(tmp_path / "none"))
    assert cli("demo", "--samples") == (0, "", "")
