"""The table of the guard's acts: what failed is named, and nothing at all is a failure, too."""

from __future__ import annotations

from lab import faults


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
