import pytest

from memwarden.kernel import mountinfo
from memwarden.kernel.mountinfo import Mount
from tests.kernel.refused import refused

UNIFIED = (
    "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 master:1 "
    "- cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
)
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "37 31 0:34 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
)


def test_unified():
    (mount,) = mountinfo.parse(UNIFIED)
    assert mount == Mount(
        31, 24, "0:27", "/", "/sys/fs/cgroup", ("rw", "nosuid"), "cgroup2", "cgroup2",
        ("rw", "nsdelegate", "memory_recursiveprot"),
    )  # fmt: skip
    assert mountinfo.cgroup2([mount]) == (mount,)
    assert mountinfo.cgroup_v1_memory([mount]) == ()


def test_v1():
    mounts = mountinfo.parse(V1)
    assert mountinfo.cgroup2(mounts) == ()
    assert mountinfo.cgroup_v1_memory(mounts) == (mounts[1],)
    assert mounts[1].mount_point == "/sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("printed", "mount_point"),
    [
        (r"/a\040b\011c\012d\134e", "/a b\tc\nd\\e"),
        ("/a\xa0b\x0b", "/a\xa0b\x0b"),
        ("/-", "/-"),
        ("//deleted", "//deleted"),
    ],
)
def test_hostile_mount_points(printed, mount_point):
    (mount,) = mountinfo.parse(f"48 27 8:1 /root {printed} rw - ext4 /dev/sda1 rw\n")
    assert (mount.mount_point, mount.fs_type) == (mount_point, "ext4")


@pytest.mark.parametrize(
    ("end", "source", "options"),
    [
        ("tmpfs  rw", "", ("rw",)),  # a source that is the empty string
        ("tmpfs my\\040tmpfs rw", "my tmpfs", ("rw",)),
        ("overlay overlay rw,lowerdir=/a b,upperdir=/c", "overlay", ("rw", "lowerdir=/a b", "upperdir=/c")),
    ],
)
def test_source_and_options(end, source, options):
    (mount,) = mountinfo.parse(f"48 27 8:1 / /x rw shared:1 - {end}\n")
    assert (mount.source, mount.super_options) == (source, options)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "31 24 0:27 / /sys/fs/cgroup rw",
        "31 24 0:27 / /sys/fs/cgroup rw - cgroup2",
        "31 24 0:27 / /sys/fs/cgroup rw shared:9 cgroup2 cgroup2 rw",
        "x 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "31 -1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "31 24 - - - -",
    ],
)
def test_refused(line):
    assert refused(mountinfo.parse, f"{UNIFIED}{line}\n") == (2, line[:80])
