"""The table of the guard's acts: what failed is named, and nothing at all is a failure, too."""

from __future__ import annotations

from pathlib import Path

from lab import faults
from lab.kernels import Kernel


def test_a_table_with_a_failure(capsys):
    found = {
        "5.10": {"probe": {"ok": True, "detail": ""}, "kill": {"ok": False, "detail": "it lives"}},
        "6.1": {"probe": {"ok": True, "detail": "tried in /a"}},
    }
    assert faults.judge(found) == 1
    assert capsys.readouterr().out.splitlines() == [
        "         5.10     6.1",
        "probe      ok      ok",
        "kill   FAILED       -",
        "6.1 probe: tried in /a",
        "FAILED 5.10 kill:",
        "    it lives",
        "faults: 2 passed, 1 failed",
    ]


def test_all_passed_and_nothing_ran():
    assert faults.judge({"6.1": {"probe": {"ok": True, "detail": ""}}}) == 0
    assert faults.judge({}) == 1


def test_every_kernel_is_booted_and_one_of_them_in_other_ways_too():
    kernels = [Kernel(series, series, "1", "suite", False, Path(), Path()) for series in ("5.10", "6.12")]
    boots = {boot.name: boot for boot in faults.boots(kernels)}
    assert list(boots) == ["5.10", "6.12", "6.12-nopsi", "6.12-systemd"]
    assert "psi=0" in boots["6.12-nopsi"].guest.append
    assert boots["6.12-systemd"].guest.root == faults.SYSTEMD
    assert {boot.checks for boot in faults.boots(kernels, ("two-guards",))} == {("two-guards",), ()}
