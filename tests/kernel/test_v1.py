"""cgroup v1: oom_control and memory.stat."""

import pytest

from memwarden.kernel import memory_stat, v1_memory_stat, v1_oom_control
from memwarden.kernel.v1_memory_stat import V1MemoryStat
from memwarden.kernel.v1_oom_control import V1OomControl
from memwarden.units import MAX
from tests.kernel.refused import refused

# As mm/memcontrol.c:memcg_stat_show (v5.10) orders it; the subtree holds twice what the cgroup does.
OWN = {
    "cache": 8192, "rss": 4096, "rss_huge": 0, "shmem": 4096, "mapped_file": 0, "dirty": 0, "writeback": 0,
    "swap": 12288, "pgpgin": 11, "pgpgout": 7, "pgfault": 21, "pgmajfault": 1, "inactive_anon": 4096,
    "active_anon": 0, "inactive_file": 4096, "active_file": 4096, "unevictable": 0,
}  # fmt: skip
TOTAL = {f"total_{key}": 2 * value for key, value in OWN.items()}
LIMITS = {"hierarchical_memory_limit": 268435456, "hierarchical_memsw_limit": 9223372036854771712}


def printed(*parts):
    return "".join(f"{key} {value}\n" for part in parts for key, value in part.items())


def test_memory_stat_is_that_of_the_subtree_in_v2_keys():
    assert v1_memory_stat.parse(printed(OWN, LIMITS, TOTAL)) == V1MemoryStat(
        stat={
            "file": 16384, "anon": 8192, "anon_thp": 0, "shmem": 8192, "file_mapped": 0, "file_dirty": 0,
            "file_writeback": 0, "pgfault": 42, "pgmajfault": 2, "inactive_anon": 8192, "active_anon": 0,
            "inactive_file": 8192, "active_file": 8192, "unevictable": 0,
        },
        swap_bytes=24576,
        hierarchical_max_bytes=268435456,
        hierarchical_memsw_max_bytes=MAX,
    )  # fmt: skip


def test_memory_stat_without_swap_accounting():
    parsed = v1_memory_stat.parse("hierarchical_memory_limit 4096\ntotal_rss 4096\n")
    assert parsed == V1MemoryStat({"anon": 4096}, None, 4096, None)


def test_memory_stat_without_limits():
    assert v1_memory_stat.parse("total_cache 1\n") == V1MemoryStat({"file": 1}, None, None, None)


@pytest.mark.parametrize("text", [printed(OWN), printed(LIMITS), "total_swap 0\n", "anon 1\n"])
def test_memory_stat_refused(text):
    assert refused(v1_memory_stat.parse, text) == (0, text[:80])


def test_memory_stat_line_refused():
    assert refused(v1_memory_stat.parse, "total_rss 1\ntotal_cache -1\n") == (2, "total_cache -1")


def test_what_is_mapped_exists_in_v2_with_the_same_unit():
    assert set(v1_memory_stat.V2_KEYS.values()) <= memory_stat.KEYS
    counted = {
        v2 for v1, v2 in v1_memory_stat.V2_KEYS.items() if v1.startswith(("total_pg", "total_workingset"))
    }
    assert counted == set(v1_memory_stat.V2_KEYS.values()) & memory_stat.COUNTS


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", V1OomControl(False, False, 3)),
        ("oom_kill_disable 1\nunder_oom 1\n", V1OomControl(True, True, None)),
    ],
)
def test_oom_control(text, control):
    assert v1_oom_control.parse(text) == control


@pytest.mark.parametrize("text", ["oom_kill 3\n", "oom_kill_disable 0\n", "under_oom 0\n", "0\n", ""])
def test_oom_control_refused(text):
    refused(v1_oom_control.parse, text)
