"""The machine's files: meminfo, vmstat, zoneinfo, buddyinfo, swaps, cgroups."""

import pytest

from memwarden.kernel import buddyinfo, cgroups, meminfo, swaps, vmstat, zoneinfo
from memwarden.kernel.buddyinfo import BuddyZone
from memwarden.kernel.cgroups import Controller
from memwarden.kernel.swaps import SwapArea
from memwarden.kernel.zoneinfo import Zone
from tests.kernel.refused import refused

KIB = 1024


def test_meminfo_in_bytes_and_huge_pages_as_counts():
    text = (
        "MemTotal:        1017340 kB\nActive(anon):       3616 kB\nOfKernel9:  7 kB\n"
        "HugePages_Total:       3\nHugePages_Free:        2\nHugepagesize:     2048 kB\nDirectMap4k: 1 kB\n"
    )
    assert meminfo.parse(text) == {
        "MemTotal": 1017340 * KIB,
        "Active(anon)": 3616 * KIB,
        "HugePages_Total": 3,
        "HugePages_Free": 2,
        "Hugepagesize": 2048 * KIB,
    }


@pytest.mark.parametrize(
    "line",
    [
        "MemFree:",
        "MemFree: kB",
        "MemFree: 1",
        "MemFree: -1 kB",
        "MemFree: 1 MB",
        "MemFree: 1_0 kB",
        "HugePages_Free: 1 kB",
    ],
)
def test_meminfo_refused(line):
    assert refused(meminfo.parse, f"MemTotal: 1 kB\n{line}\n") == (2, line)


@pytest.mark.parametrize("text", ["", "\n", "MemTotal 1 kB\n", "DirectMap4k: 1 kB\n"])
def test_meminfo_without_a_known_key(text):
    assert refused(meminfo.parse, text) == (0, text)


def test_vmstat_has_the_counters_only():
    assert vmstat.parse("nr_free_pages 5\nnr_dirty 0\npgmajfault 3\noom_kill 2\n") == {
        "pgmajfault": 3,
        "oom_kill": 2,
    }
    assert not [key for key in vmstat.KEYS if key.startswith("nr_")]


def test_vmstat_refused():
    assert refused(vmstat.parse, "oom_kill 1\nnr_free_pages x\n") == (2, "nr_free_pages x")
    assert refused(vmstat.parse, "nr_free_pages 1\n") == (0, "nr_free_pages 1\n")


SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


@pytest.mark.parametrize(
    ("lines", "areas"),
    [
        ("", ()),
        (
            "/dev/vdb                                partition\t98300\t\t1024\t\t-2\n",
            (SwapArea("/dev/vdb", "partition", 98300 * KIB, 1024 * KIB, -2),),
        ),
        (
            "/srv/a\\040b\\012c\\134                      file\t\t65532\t\t0\t\t5\n",
            (SwapArea("/srv/a b\nc\\", "file", 65532 * KIB, 0, 5),),
        ),
        (
            "/swap\\040(deleted)                      file\t\t4\t\t0\t\t-3\n",
            (SwapArea("/swap", "file", 4 * KIB, 0, -3, deleted=True),),
        ),
        # Other blanks than those that the kernel escapes are part of the path.
        ("/a\xa0b\x0bc file\t\t4\t\t0\t\t-3\n", (SwapArea("/a\xa0b\x0bc", "file", 4 * KIB, 0, -3),)),
        (
            "none                                   virtual\t\t8\t0\t0\n",
            (SwapArea("none", "virtual", 8 * KIB, 0, 0),),
        ),
    ],
)
def test_swaps(lines, areas):
    assert swaps.parse(SWAPS + lines) == areas


@pytest.mark.parametrize(
    "line", ["/dev/vdb", "", "/dev/vdb file 1 2", "/dev/vdb file x 0 -2", "/dev/vdb file 1 0 -2 9"]
)
def test_swaps_refused(line):
    assert refused(swaps.parse, f"{SWAPS}{line}\n") == (2, line)


@pytest.mark.parametrize("text", ["", "\n", "/dev/vdb partition 98300 1024 -2\n"])
def test_swaps_without_heading(text):
    assert refused(swaps.parse, text) == (1, text.rstrip("\n"))


def test_buddyinfo():
    zones = buddyinfo.parse("Node 0, zone      DMA      1      0      2 \nNode 12, zone   Normal    5\n")
    assert zones == (BuddyZone(0, "DMA", (1, 0, 2)), BuddyZone(12, "Normal", (5,)))


def test_free_pages_of_an_order():
    zone = BuddyZone(0, "Normal", (3, 2, 1))
    assert [zone.free_pages(), zone.free_pages(1), zone.free_pages(2), zone.free_pages(3)] == [
        3 * 1 + 2 * 2 + 1 * 4,
        2 * 2 + 1 * 4,
        1 * 4,
        0,
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Node 0, zone",
        "Node 0 zone DMA 1",
        "node 0, zone DMA 1",
        "Node x, zone DMA 1",
        "Node 0, zone DMA 1 -1",
        "",
    ],
)
def test_buddyinfo_refused(line):
    assert refused(buddyinfo.parse, f"Node 0, zone DMA 1\n{line}\n") == (2, line)


def test_buddyinfo_empty():
    assert refused(buddyinfo.parse, "") == (0, "")


ZONE = """Node {node}, zone {name:>8}
  per-node stats
      nr_inactive_anon 23962
      nr_mapped    10340
  pages free     100
        boost    1
        min      10
        low      20
        high     30
        promo    40
        spanned  1000
        present  900
        managed  800
        cma      0
        protection: (0, 5, 6)
      nr_free_pages 100
      nr_zone_inactive_anon 1
      nr_zone_active_anon 2
      nr_zone_inactive_file 3
      nr_zone_active_file 4
      nr_zone_unevictable 5
      nr_zone_write_pending 6
      nr_mlock     7
  pagesets
    cpu: 0
              count:    0
              high:     378
              batch:    63
  vm stats threshold: 4
  node_unreclaimable:  0
  start_pfn:           4096
"""
EMPTY_ZONE = """Node 0, zone  Movable
  pages free     0
        min      32
        low      32
        high     32
        spanned  0
        present  0
        managed  0
        protection: (0, 0)
"""


@pytest.mark.parametrize("page", [4096, 65536])
def test_zoneinfo(page):
    normal = ZONE.format(node=1, name="Normal")
    assert zoneinfo.parse(normal + EMPTY_ZONE, page_size=page) == (
        Zone(
            node=1, name="Normal", free_bytes=100 * page, min_bytes=10 * page, low_bytes=20 * page,
            high_bytes=30 * page, spanned_bytes=1000 * page, present_bytes=900 * page,
            managed_bytes=800 * page, protection_bytes=(0, 5 * page, 6 * page), boost_bytes=page, cma_bytes=0,
            inactive_anon_bytes=page, active_anon_bytes=2 * page, inactive_file_bytes=3 * page,
            active_file_bytes=4 * page, unevictable_bytes=5 * page, write_pending_bytes=6 * page,
            mlock_bytes=7 * page,
        ),
        Zone(0, "Movable", 0, 32 * page, 32 * page, 32 * page, 0, 0, 0, (0, 0)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Node 0, zone  Movable", "Node 0, zone"),
        ("Node 0, zone", "Node 0 zone"),
        ("        min      32\n", ""),
        ("free     0", "free"),
        ("min      32", "min      -1"),
        ("managed  0", "managed  x"),
        ("(0, 0)", "(0, x)"),
        ("(0, 0)", "()"),
    ],
)
def test_zoneinfo_refused(good, bad):
    assert good in EMPTY_ZONE
    text = ZONE.format(node=0, name="DMA") + EMPTY_ZONE.replace(good, bad)
    line, shown = refused(zoneinfo.parse, text)
    assert line == ZONE.count("\n") + 1
    assert shown.startswith("Node 0")


@pytest.mark.parametrize("text", ["", "zone DMA\n", "  pages free 100\n"])
def test_zoneinfo_without_zone(text):
    assert refused(zoneinfo.parse, text) == (0, text)


CGROUPS = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"


def test_cgroups():
    assert cgroups.parse(CGROUPS + "cpuset\t0\t12\t1\nmemory\t4\t17\t0\n") == {
        "cpuset": Controller("cpuset", 0, 12, enabled=True),
        "memory": Controller("memory", 4, 17, enabled=False),
    }
    assert cgroups.parse(CGROUPS) == {}


@pytest.mark.parametrize(
    "line", ["memory\t4\t17", "memory 4 17 1", "memory\t4\tx\t1", "", "memory\t4\t17\t1\t1"]
)
def test_cgroups_refused(line):
    assert refused(cgroups.parse, f"{CGROUPS}{line}\n") == (2, line)


def test_cgroups_without_heading():
    assert refused(cgroups.parse, "memory\t4\t17\t1\n") == (1, "memory\t4\t17\t1")
