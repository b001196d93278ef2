"""Which hierarchy controls memory, from mountinfo texts and from directories."""

from __future__ import annotations

import pytest

from memwarden.collect import hierarchy
from memwarden.collect.leniency import Reading
from memwarden.collect.machine import container_view
from memwarden.host.live import Live
from memwarden.kernel import mountinfo
from memwarden.state.cgroup import Cgroup
from memwarden.state.gaps import GapReason
from memwarden.state.snapshot import CgroupMode

V2 = "31 24 0:27 / {} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot"
V1 = "36 31 0:32 {} {} rw,relatime - cgroup cgroup rw,memory"
OTHER = "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct"


@pytest.fixture
def detect(tmp_path):
    """``detect(mountinfo lines, given, {file: text})`` in a folder that is ``/``."""
    sources = []

    def run(lines, given=None, files=()):
        for name, text in dict(files).items():
            path = tmp_path / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        mountinfo = tmp_path / "proc/self/mountinfo"
        mountinfo.parent.mkdir(parents=True, exist_ok=True)
        mountinfo.write_text("".join(f"{line}\n" for line in lines))
        source = Live(str(tmp_path / "proc"), str(tmp_path))
        sources.append(source)
        reading = Reading(source)
        return hierarchy.detect(reading, hierarchy.mounts(reading), given), reading.gaps

    yield run
    for source in sources:
        source.close()


CONTROLLERS = {"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n"}


def test_v2(detect):
    found, gaps = detect([V2.format("/sys/fs/cgroup")], files=CONTROLLERS)
    assert found.mode is CgroupMode.V2
    assert found.mount_point == "/sys/fs/cgroup"
    assert found.options == ("rw", "nsdelegate", "memory_recursiveprot")
    assert gaps == []


def test_v1_and_hybrid(detect):
    v1 = V1.format("/", "/sys/fs/cgroup/memory")
    found, _ = detect([OTHER, v1])
    assert (found.mode, found.mount_point, found.version) == (CgroupMode.V1, "/sys/fs/cgroup/memory", 1)
    found, gaps = detect([OTHER, v1, V2.format("/sys/fs/cgroup/unified")])
    assert (found.mode, found.mount_point) == (CgroupMode.HYBRID, "/sys/fs/cgroup/memory")
    assert gaps == []


def test_v1_of_an_old_distribution(detect):
    found, _ = detect([V1.format("/", "/cgroup/memory")])
    assert found.mount_point == "/cgroup/memory"


@pytest.mark.parametrize("lines", [[], [OTHER], ["22 27 0:21 / /proc rw - proc proc rw"]])
def test_no_memory_hierarchy_at_all(detect, lines):
    found, gaps = detect(lines or ["22 27 0:21 / /proc rw - proc proc rw"])
    assert found.mode is CgroupMode.NONE
    assert gaps[-1].reason is GapReason.NOT_SUPPORTED


def test_v2_without_the_memory_controller(detect):
    found, gaps = detect(
        [V2.format("/sys/fs/cgroup")], files={"/sys/fs/cgroup/cgroup.controllers": "cpu io\n"}
    )
    assert found.mode is CgroupMode.NONE
    assert gaps[0].path == "/sys/fs/cgroup/cgroup.controllers"
    assert gaps[0].reason is GapReason.NOT_SUPPORTED


def test_v2_that_is_mounted_but_cannot_be_read(detect):
    found, gaps = detect([V2.format("/sys/fs/cgroup")])
    assert found.mode is CgroupMode.NONE
    assert [gap.reason for gap in gaps] == [GapReason.NO_FILE]


def test_the_mount_that_shows_most_is_taken(detect):
    bind = V1.format("/docker/5f1c", "/sys/fs/cgroup/memory")
    whole = V1.format("/", "/var/lib/x/sys/fs/cgroup/memory")
    assert detect([bind, whole])[0].mount_point == "/var/lib/x/sys/fs/cgroup/memory"
    chroot = V1.format("/", "/chroot/sys/fs/cgroup/memory")
    usual = V1.format("/", "/sys/fs/cgroup/memory")
    assert detect([chroot, usual])[0].mount_point == "/sys/fs/cgroup/memory"
    assert detect([usual, chroot])[0].mount_point == "/sys/fs/cgroup/memory"


def test_of_two_mounts_at_one_place_the_later_hides_the_earlier(detect):
    first, second = V2.format("/sys/fs/cgroup"), V2.format("/sys/fs/cgroup").replace(",nsdelegate", "")
    assert "nsdelegate" not in detect([first, second], files=CONTROLLERS)[0].options


def test_a_given_directory_selects_among_the_mounts(detect):
    files = {"/host/sys/fs/cgroup/cgroup.controllers": "memory\n", **CONTROLLERS}
    lines = [V2.format("/sys/fs/cgroup"), V2.format("/host/sys/fs/cgroup")]
    found, _ = detect(lines, "/host/sys/fs/cgroup/", files)
    assert found.mount_point == "/host/sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "mode", "place"),
    [
        ({"/x/cgroup.controllers": "memory\n"}, CgroupMode.V2, "/x"),
        ({"/x/cgroup.controllers": "cpu\n"}, CgroupMode.NONE, "/x"),
        ({"/x/memory/memory.usage_in_bytes": "0\n"}, CgroupMode.V1, "/x/memory"),
        ({"/x/memory.usage_in_bytes": "0\n"}, CgroupMode.V1, "/x"),
        (
            {"/x/memory/memory.usage_in_bytes": "0\n", "/x/unified/cgroup.controllers": "\n"},
            CgroupMode.HYBRID,
            "/x/memory",
        ),
        ({"/x/README": "no cgroup\n"}, CgroupMode.NONE, "/x"),
        ({}, CgroupMode.NONE, "/x"),
    ],
)
def test_a_given_directory_that_is_no_mount_is_judged_by_its_files(detect, files, mode, place):
    found, gaps = detect([V2.format("/sys/fs/cgroup")], "/x", {**files, **CONTROLLERS})
    assert (found.mode, found.mount_point) == (mode, place)
    assert bool(gaps) == (mode is CgroupMode.NONE)


@pytest.mark.parametrize(
    ("root", "path", "relative"),
    [
        ("/", "/a/b", "/a/b"),
        ("/", "/", "/"),
        ("/docker/5f1c", "/docker/5f1c", "/"),
        ("/docker/5f1c", "/docker/5f1c/init.scope", "/init.scope"),
        ("/docker/5f1c", "/docker/5f1c0", None),
        ("/docker/5f1c", "/system.slice", None),
        ("/", "/../outside", None),
        ("/", "/..", None),
        ("/", "/..hidden", "/..hidden"),
    ],
)
def test_paths_are_seen_from_the_mount_point(root, path, relative):
    assert hierarchy.Hierarchy(CgroupMode.V2, root=root).relative(path) == relative


LXCFS = "90 80 0:55 /proc/meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw,user_id=0"
OVERLAY = "80 70 0:44 / / rw - overlay overlay rw,lowerdir=/var/lib/{0}/l/X,upperdir=/var/lib/{0}/u"
ROOT = Cgroup(path="/", inode=1)
NOT_ROOT = Cgroup(path="/", inode=1, current_bytes=4096)


@pytest.mark.parametrize(
    ("lines", "part", "root", "view"),
    [
        ("", "/", ROOT, None),
        ("", "/", None, None),
        ("27 1 254:0 / / rw - ext4 /dev/vda rw", "/", ROOT, None),
        (LXCFS, "/", ROOT, "lxcfs"),
        (OVERLAY.format("docker/overlay2") + "\n" + LXCFS, "/", ROOT, "lxcfs"),
        (OVERLAY.format("docker/overlay2"), "/", ROOT, "docker"),
        (OVERLAY.format("containerd/io.containerd"), "/", NOT_ROOT, "containerd"),
        (OVERLAY.format("live/image"), "/", ROOT, None),  # an appliance, not a container
        (OVERLAY.format("live/image"), "/", NOT_ROOT, "cgroup namespace"),
        ("", "/docker/5f1c", ROOT, "cgroup namespace"),
        ("", "/", NOT_ROOT._replace(version=1), None),  # the root of v1 has its usage
    ],
)
def test_what_hides_the_machine(lines, part, root, view):
    mounts = mountinfo.parse(lines) if lines else ()
    assert container_view(mounts, hierarchy.Hierarchy(CgroupMode.V2, root=part), root) == view
