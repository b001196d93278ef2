"""Two policies on a recording of a real kernel, which killed in the end: both would have been earlier."""

from __future__ import annotations

import json

import pytest

from tests.repo.tree import REPOSITORY

RECORDING = REPOSITORY / "tests/roots/replay/leak.rootar.gz"
DESKTOP = REPOSITORY / "tests/guard/foreign/examples/desktop.json"
APPS = "/user.slice/user-1000.slice/user@1000.service/app.slice"


@pytest.mark.parametrize(
    ("policy", "victim"),
    [("default", f"{APPS}/browser.scope"), (str(DESKTOP), APPS)],
    ids=["default", "oomd"],
)
def test_who_leaks_is_killed_before_the_kernel_has_to(cli, policy, victim):
    asked = cli("policy", "replay", policy, str(RECORDING), "--format", "json")
    found = json.loads(asked.out)
    (kernel,) = found["recordings"][0]["kernel_kills"]
    assert kernel["cgroup"] == f"{APPS}/browser.scope"
    told = found["policies"][0]
    assert told["victim"]["path"] == victim
    assert told["first_kill_s"] < kernel["time_s"]
