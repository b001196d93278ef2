"""Who waits for memory where nobody is killed for it."""

from __future__ import annotations

from memwarden.rules.waiting import waiting
from tests.rules.machines import cgroup, snapshot


def test_who_waits_on_v1():
    off = {"version": 1, "v1_oom_kill_disable": True}
    groups = (
        cgroup("/at its limit", **off, v1_under_oom=True),
        cgroup("/at its limit/below", **off, v1_under_oom=True),
        cgroup("/not there yet", **off, v1_under_oom=False),
        cgroup("/kills", version=1, v1_oom_kill_disable=False, v1_under_oom=True),
        cgroup("/v2"),
    )
    assert waiting(snapshot(groups)) == ("/at its limit",)
