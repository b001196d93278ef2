"""Lines that look as if they went on, and do not: what follows is another message."""

from __future__ import annotations

from memwarden.postmortem import wrap


def test_a_header_without_its_request_goes_on_with_figures_only():
    assert wrap._header("java invoked oom-killer:", "gfp_mask=0xcc0, order=0", "") == " "
    assert wrap._header("java invoked oom-killer:", "eth0 link up", "") is None


def test_a_kill_line_goes_on_with_its_own_fields_only():
    message = "Out of memory: Killed process 7 (java) total-vm:1"
    assert wrap._kill(message, "00kB, anon-rss:5kB", "") == ""
    assert wrap._kill(message, "eth0 link up", "") is None
