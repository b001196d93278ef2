"""memory.oom.group: the highest flagged cgroup between the victim and the limit."""

from __future__ import annotations

import pytest

from memwarden.rules.group import group_kill, oom_group_of
from memwarden.state.process import PF_KTHREAD
from tests.rules.machines import cgroup, process, snapshot


def machine(*flagged, version=2):
    paths = ("/", "/a", "/a/b", "/a/b/c", "/x")
    return snapshot(
        tuple(
            cgroup(path, oom_group=path in flagged if path != "/" else None, version=version)
            for path in paths
        )
    )


@pytest.mark.parametrize(
    ("flagged", "domain", "group"),
    [
        ((), "/a", None),
        (("/a/b/c",), "/a", "/a/b/c"),
        (("/a/b/c", "/a/b"), "/a", "/a/b"),
        (("/a",), "/a", "/a"),
        # A flag above the limit that was hit does nothing.
        (("/a",), "/a/b", None),
        (("/a", "/a/b/c"), "/a/b", "/a/b/c"),
        # The machine is the domain: every flag on the way counts.
        (("/a", "/a/b/c"), None, "/a"),
        # The victim has left the domain.
        (("/a",), "/x", None),
    ],
)
def test_group(flagged, domain, group):
    assert oom_group_of(machine(*flagged), "/a/b/c", domain) == group


def test_v1_has_no_groups():
    assert oom_group_of(machine("/a", version=1), "/a/b/c", None) is None


def test_cgroups_that_could_not_be_read_have_no_flag():
    assert oom_group_of(snapshot(), "/a", None) is None


def test_members_with_adj_min_and_init_survive():
    processes = (
        process(2, cgroup="/a"),
        process(3, cgroup="/a", oom_score_adj=-1000),
        process(1, cgroup="/a"),
        process(4, cgroup="/a/b", rss_bytes=None),
        process(5, cgroup="/a/b", flags=PF_KTHREAD, rss_bytes=None),
        process(6, cgroup="/a/b", rss_bytes=None, state="Z"),
    )
    found = group_kill(snapshot((cgroup("/a"), cgroup("/a/b")), processes), "/a")
    assert found.path == "/a"
    assert [one.pid for one in found.killed] == [2, 4]
    assert [one.pid for one in found.spared] == [3, 1]


def test_init_of_a_container_dies_with_its_group():
    found = group_kill(snapshot((cgroup("/a"),), (process(1, cgroup="/a"),)), "/a", own_pid_namespace=True)
    assert [one.pid for one in found.killed] == [1]
