"""The systemd unit: it is right, and every line of it says why."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.repo.tree import REPOSITORY

UNIT = REPOSITORY / "deploy" / "memwarden-guard.service"
LINES = UNIT.read_text().splitlines()


def settings():
    """Number and text of every line that sets something."""
    return [(number, line) for number, line in enumerate(LINES) if re.match(r"[A-Za-z]+=", line)]


def test_every_line_is_a_setting_a_section_or_a_comment():
    other = [line for line in LINES if not re.match(r"$|# \S|\[\w+\]$|[A-Za-z]+=\S", line)]
    assert other == []


def test_every_setting_has_its_comment_above():
    assert len(settings()) > 30
    assert [line for number, line in settings() if not LINES[number - 1].startswith("# ")] == []


def test_no_setting_is_there_twice():
    names = [line.partition("=")[0] for _, line in settings()]
    assert sorted(set(names)) == sorted(names)


def test_every_capability_has_its_reason():
    [(number, line)] = [one for one in settings() if one[1].startswith("CapabilityBoundingSet=")]
    above = []
    while LINES[number - 1].startswith("#"):
        number -= 1
        above.append(LINES[number])
    reasons = set(re.findall(r"(CAP_\w+): ", " ".join(reversed(above))))
    assert set(line.partition("=")[2].split()) == reasons


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_it(tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/memwarden", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    found = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert (done.returncode, found) == (0, [])
