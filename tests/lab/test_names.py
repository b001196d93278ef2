"""Names that look like something else, as four kernels printed them into /dev/kmsg."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memwarden.postmortem.read import find_reports

LOGS = Path(__file__).parent.parent / "golden" / "lab"


@pytest.mark.parametrize("kernel", ["5.10", "6.1", "6.12", "7.2"])
def test_names_are_those_that_the_processes_and_cgroups_had(kernel):
    log = LOGS / kernel / "hostile.kmsg"
    truth = json.loads(log.with_suffix(".json").read_text())
    report = next(iter(find_reports([log.read_bytes()], file=log.name)))
    assert report.source.complete
    assert report.memcg is not None
    # A backslash in the name of a cgroup is one, /dev/kmsg doubles the trouble: \x5cx2dc.
    assert report.memcg.oom_path == report.task_path == truth["limit"] == "/t/a b\\x2dc ü/(d)"
    # The first process wrote "a) R 1\n(x" into its /proc/self/comm.
    assert [victim.comm for victim in report.victims] == ["a) R 1\n(x"]
    assert report.victims[0].pid == truth["pids"]["a"]
    assert report.victims[0].anon_rss_bytes is not None
    rows = {row.pid: row.comm for row in report.tasks}
    assert rows[truth["pids"]["a"]] == "a) R 1\n(x"
    assert rows[truth["pids"]["b"]] == "b (c) d"
