"""The tools for tests are tested too: what they print, the parsers take."""

import pytest

from memwarden.kernel import (
    cgroup_procs,
    memory_events,
    pid_cgroup,
    pid_oom_score_adj,
    pid_stat,
    pid_statm,
    pid_status,
)
from memwarden.kernel.scalar import parse_number
from memwarden.state.snapshot import Instant
from memwarden.testing.clock import ManualClock
from memwarden.testing.root import FakeRoot


def test_manual_clock():
    clock = ManualClock(monotonic_us=5, wall_us=100)
    clock.sleep_us(20)
    assert (clock.monotonic_us(), clock.wall_us()) == (25, 120)
    assert clock.instant() == Instant(25, 120)
    with pytest.raises(ValueError, match="-1 us"):
        clock.sleep_us(-1)


def test_fake_root_prints_what_the_kernel_would(tmp_path):
    root = FakeRoot(tmp_path)
    root.add_cgroup(
        "/a b", {"memory.current": 4096, "memory.events": {"oom": 1, "oom_kill": 2}, "memory.max": "max\n"}
    )
    root.add_process(
        42,
        "a) \\\nb",
        cgroup="/a b",
        anon_bytes=8 << 20,
        swap_bytes=4096,
        pgtables_bytes=8192,
        oom_score_adj=-5,
    )
    root.add_process(43, "c")
    cgroup, process = root.cgroup / "a b", root.proc / "42"
    assert parse_number((cgroup / "memory.current").read_text()) == 4096
    assert (cgroup / "memory.max").read_text() == "max\n"
    assert memory_events.parse((cgroup / "memory.events").read_text()) == {"oom": 1, "oom_kill": 2}
    assert cgroup_procs.parse((cgroup / "cgroup.procs").read_text()) == (42,)
    assert cgroup_procs.parse((root.cgroup / "cgroup.procs").read_text()) == (43,)
    assert pid_stat.parse((process / "stat").read_text()).comm == "a) \\\nb"
    status = pid_status.parse((process / "status").read_text())
    assert (status.name, status.rss_bytes, status.swap_bytes) == ("a) \\\nb", 8 << 20, 4096)
    assert status.pgtables_bytes == 8192
    assert pid_statm.parse((process / "statm").read_text()).rss_bytes == 8 << 20
    assert pid_cgroup.parse((process / "cgroup").read_text())[0].path == "/a b"
    assert pid_oom_score_adj.parse((process / "oom_score_adj").read_text()) == -5
