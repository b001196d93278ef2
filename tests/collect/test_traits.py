"""Traits are probed, never guessed from a version."""

from __future__ import annotations

import pytest

from memwarden.collect.archive import Archive
from memwarden.collect.rootar import Failed, File, Recorded
from memwarden.collect.snapshot import Collector
from memwarden.state.traits import BadnessRule, Basis
from tests.collect.machines import CGROUP, machine, snapshot

V2 = "31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,{}\n"


def archive(files=(), facts=(), options="nsdelegate"):
    entries = {
        "/proc/self/mountinfo": V2.format(options),
        "/sys/fs/cgroup/cgroup.controllers": "memory\n",
        "/sys/fs/cgroup/a/memory.current": "4096\n",
        "/sys/fs/cgroup/a/memory.stat": "anon 4096\n",
        "/sys/fs/cgroup/a/memory.swap.current": "0\n",
        **dict(files),
    }
    recorded = Recorded(0, dict(facts), {path: File(text.encode()) for path, text in entries.items()})
    return Archive(recorded, "x.rootar")


def traits(**recorded):
    return Collector(archive(**recorded)).snapshot().traits


@pytest.mark.parametrize(
    ("score", "adj", "rule"),
    [
        # fs/proc/base.c:proc_oom_score of an idle task: (1000 + adj) * 2 / 3 since 5.9, before that adj or 0.
        (666, 0, BadnessRule.SIGNED),
        (667, 0, BadnessRule.SIGNED),
        (333, -500, BadnessRule.SIGNED),
        (1333, 1000, BadnessRule.SIGNED),
        (0, 0, BadnessRule.UNSIGNED),
        (3, 0, BadnessRule.UNSIGNED),
        (500, 500, BadnessRule.UNSIGNED),
        (1000, 1000, BadnessRule.UNSIGNED),
        (0, -500, BadnessRule.UNSIGNED),
    ],
)
def test_generation_by_our_own_score(score, adj, rule):
    files = {"/proc/self/oom_score": f"{score}\n", "/proc/self/oom_score_adj": f"{adj}\n"}
    found = traits(files=files)
    assert found.badness is rule
    assert found.basis_of("badness") is Basis.RECORDED
    assert found.last_of_equals is (rule is BadnessRule.SIGNED)
    assert found.sacrifice_child is (False if rule is BadnessRule.SIGNED else None)


def test_generation_by_the_others_where_our_own_score_says_nothing(tmp_path):
    root = machine(tmp_path)
    for pid, score in ((50, 0), (51, 670), (52, 668), (53, 700)):  # init has 0 on every kernel
        root.add_process(pid, score=score)
    root.write("proc/self/oom_score", 0)
    root.write("proc/self/oom_score_adj", -1000)
    found = snapshot(root).traits
    assert found.badness is BadnessRule.SIGNED
    assert found.basis_of("badness") is Basis.PROBED


def test_no_score_at_all_is_assumed():
    found = traits()
    assert found.badness is BadnessRule.SIGNED
    assert found.basis_of("badness") is Basis.ASSUMED


@pytest.mark.parametrize(
    ("mask", "on"), [("0x0007", True), ("0x0000", False), ("0x0001", True), ("0x0006", False)]
)
def test_mglru(mask, on):
    found = traits(files={"/sys/kernel/mm/lru_gen/enabled": f"{mask}\n"})
    assert found.mglru is on
    assert found.basis_of("mglru") is Basis.RECORDED


def test_mglru_of_a_kernel_without_it_and_of_an_unreadable_file(tmp_path):
    assert snapshot(machine(tmp_path)).traits.mglru is False
    assert traits().mglru is None  # not recorded is not absent
    assert traits(files={"/sys/kernel/mm/lru_gen/enabled": "yes\n"}).mglru is None


def test_mount_options():
    found = traits(options="nsdelegate,memory_recursiveprot,memory_hugetlb_accounting")
    assert (found.recursive_protection, found.local_events, found.hugetlb_accounting) == (True, False, True)
    assert found.basis_of("local_events") is Basis.RECORDED


def test_facts():
    found = traits(facts={"page_size_bytes": "65536", "hz": "250"})
    assert (found.page_size_bytes, found.hz) == (65536, 250)
    assert found.basis_of("hz") is Basis.RECORDED
    found = traits(facts={"page_size_bytes": "many", "hz": "-1"})
    assert (found.page_size_bytes, found.hz) == (4096, None)


RECENT = {"memory.swap.peak": "0\n", "memory.stat": "anon 1\nkernel 0\npgdemote_kswapd 0\n"}
NEWEST = {**RECENT, "memory.stat": "anon 1\nkernel 0\npgdemote_kswapd 0\npgscan_proactive 0\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # kernel.md: what Debian's 5.10, 6.12 and 7.2 have and do.
        ({}, (32, True, False, True, None, False, False, False, False, False, False)),
        (RECENT, (32, False, True, True, False, False, True, True, False, False, True)),
        (NEWEST, (32, False, True, False, True, True, True, True, True, True, True)),
    ],
)
def test_what_the_presence_of_files_suggests(files, expected):
    paths = {f"/sys/fs/cgroup/a/{name}": text for name, text in files.items()}
    if files:
        paths["/sys/kernel/mm/lru_gen/enabled"] = "0x0007\n"
    recorded = archive(files=paths)
    # memory.reclaim can only be written: what is recorded of it is that it is not there.
    recorded._entries["/sys/fs/cgroup/a/memory.reclaim"] = Failed("ENOENT")
    found = Collector(recorded).snapshot().traits
    assert (
        found.charge_batch_pages,
        found.stale_protection_bug,
        found.stat_itemises_kernel,
        found.approximate_rss,
        found.mglru_proportional_protection,
        found.over_kill,
        found.stale_dirty_counts,
        found.reaps_locked,
        found.kswapd_stays_down,
        found.mglru_exact,
        found.partial_walks,
    ) == expected
    assert found.basis_of("approximate_rss") is Basis.FORMAT


def test_reclaim_file_stands_for_the_bigger_batch():
    recorded = archive()
    recorded._entries["/sys/fs/cgroup/a/memory.reclaim"] = Failed("EACCES")
    found = Collector(recorded).snapshot().traits
    assert (found.charge_batch_pages, found.process_mrelease, found.memory_reclaim) == (64, True, True)
    assert found.basis_of("process_mrelease") is Basis.FORMAT


@pytest.mark.parametrize(("fact", "there"), [("0", False), ("1", True)])
def test_what_was_tried_counts_more_than_what_a_file_stands_for(fact, there):
    recorded = archive(facts={"process_mrelease": fact})
    recorded._entries["/sys/fs/cgroup/a/memory.reclaim"] = Failed("ENOENT" if there else "EACCES")
    found = Collector(recorded).snapshot().traits
    assert found.process_mrelease is there
    assert found.basis_of("process_mrelease") is Basis.RECORDED


def test_without_a_cgroup_that_has_memory_nothing_is_suggested(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", {})
    found = snapshot(root).traits
    assert (found.charge_batch_pages, found.approximate_rss) == (None, None)
    root.add_cgroup("/b", {**CGROUP})
    found = snapshot(root).traits
    assert found.stale_protection_bug is None  # without swap files there is nothing to tell it by
    assert found.approximate_rss is True
