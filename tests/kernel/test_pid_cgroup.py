import pytest

from memwarden.kernel import pid_cgroup
from memwarden.kernel.pid_cgroup import Membership
from tests.kernel.refused import refused

HYBRID = "9:name=systemd:/user.slice\n4:cpu,cpuacct:/\n3:memory:/docker/5f1c\n0::/user.slice\n"


def test_hybrid():
    memberships = pid_cgroup.parse(HYBRID)
    assert memberships == (
        Membership(9, ("name=systemd",), "/user.slice", deleted=False),
        Membership(4, ("cpu", "cpuacct"), "/", deleted=False),
        Membership(3, ("memory",), "/docker/5f1c", deleted=False),
        Membership(0, (), "/user.slice", deleted=False),
    )
    assert pid_cgroup.memory_path(memberships, version=1) == "/docker/5f1c"
    assert pid_cgroup.memory_path(memberships, version=2) == "/user.slice"


def test_hierarchies_that_are_not_mounted():
    only_v2 = pid_cgroup.parse("0::/\n")
    assert pid_cgroup.memory_path(only_v2, version=1) is None
    assert pid_cgroup.memory_path(pid_cgroup.parse("3:memory:/\n"), version=2) is None


@pytest.mark.parametrize(
    ("printed", "path", "deleted"),
    [
        ("/", "/", False),
        ("/a b", "/a b", False),
        ("/a:b:c", "/a:b:c", False),
        ("/0::", "/0::", False),
        (r"/system-systemd\x2dfsck.slice", r"/system-systemd\x2dfsck.slice", False),
        ("/größe\x0b\x85", "/größe\x0b\x85", False),
        ("/../sibling", "/../sibling", False),  # above the reader's cgroup namespace
        ("/gone (deleted)", "/gone", True),
        ("/a\nb", "/a\nb", False),
        ("/a\n", "/a\n", False),
        ("/a\nb:c\n/d", "/a\nb:c\n/d", False),
    ],
)
def test_hostile_paths(printed, path, deleted):
    memberships = pid_cgroup.parse(f"3:memory:{printed}\n0::/\n")
    assert memberships == (
        Membership(3, ("memory",), path, deleted),
        Membership(0, (), "/", deleted=False),
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", (1, "")),
        ("\n", (1, "")),
        ("x::/\n", (1, "x::/")),
        ("-1::/\n", (1, "-1::/")),
        ("0:\n", (1, "0:")),
        ("0::relative\n", (1, "0::relative")),
        ("3:memory:/a\n0::b\n", (2, "0::b")),
        ("٣:memory:/a\n", (1, "٣:memory:/a")),
        ("9" * 30 + "::/\n", (1, "9" * 30 + "::/")),
        # Made by a newline in a name: which of the two is true cannot be known.
        ("0::/a\n0::/b\n", (2, "0::/b")),
    ],
)
def test_refused(text, where):
    assert refused(pid_cgroup.parse, text) == where
