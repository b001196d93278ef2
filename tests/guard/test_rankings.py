"""Each rank key's figure: from the kernel's rules, from oomd's tables, or by arithmetic that stands here."""

from __future__ import annotations

from typing import get_args

import pytest

from memwarden.guard import ir
from memwarden.guard.rankings import KEYS
from memwarden.guard.rankings.key import Ground
from memwarden.rules.badness import TaskMemory, oom_badness
from memwarden.state.process import PF_KTHREAD
from memwarden.state.traits import BadnessRule, KernelTraits
from memwarden.units import KIB, MAX, MIB
from tests.guard.choices import live, seen
from tests.guard.ticks import group, tick
from tests.rules.machines import process


def figure(key, path, view, **parameters):
    return KEYS[key].of_cgroup(view.snapshot.cgroups[path], Ground(view, parameters))


def of_process(key, pid, view):
    return KEYS[key].of_process(view.snapshot.processes[pid], Ground(view, {}))


def bound(key, path, view, **parameters):
    return KEYS[key].bound(view.snapshot.cgroups[path], Ground(view, parameters))


def test_every_key_of_the_ir_has_a_file():
    assert set(KEYS) == set(get_args(ir.RankKey))


# culprit


def episode(now, before, **options):
    """A view in an episode that began after a calm moment."""
    view = seen(*now, before=(before,), **options)
    view.history.mark_calm(tick(0, *before))
    return view


def test_the_culprit_is_who_took_not_who_is_large():
    view = episode(
        [live("/db", held=400), live("/leak", held=90), live("/new", held=30), live("/gave", held=10)],
        [live("/db", held=400), live("/leak", held=20), live("/gave", held=50)],
    )
    taken = {path: figure("culprit", path, view) for path in view.snapshot.cgroups}
    assert taken == {"/db": 0, "/leak": 70 * MIB, "/new": 30 * MIB, "/gave": 0}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 70),
        ({"low_bytes": 60 * MIB}, 40),  # 100 - 60, less than the 70 it took
        ({"min_bytes": 20 * MIB, "low_bytes": 10 * MIB}, 70),  # 80 above, of which it took 70
        ({"low_bytes": 200 * MIB}, 0),
        ({"low_bytes": MAX}, 0),
        ({"low_bytes": MAX, "swap_current_bytes": 5 * MIB}, 5),
        ({"low_bytes": 90 * MIB, "swap_current_bytes": 5 * MIB}, 15),
    ],
)
def test_what_is_protected_is_not_held_against_it(fields, expected):
    swap = fields.get("swap_current_bytes", 0) // MIB
    now = [live("/"), live("/a", held=90 - swap, current_bytes=100 * MIB, **fields)]
    view = episode(now, [live("/"), live("/a", held=20)])
    assert figure("culprit", "/a", view) == expected * MIB


def test_before_any_calm_moment_all_counts():
    view = seen(live("/a", held=40), live("/b"))
    assert figure("culprit", "/a", view) == 40 * MIB
    assert figure("culprit", "/b", view) is None


def test_a_process_took_no_more_than_its_cgroup():
    known = {
        7: process(7, 50, cgroup="/a"),
        8: process(8, 50, cgroup="/"),
        9: process(9, 10, cgroup="/a"),
        10: process(10, rss_anon_bytes=None, rss_bytes=None, cgroup="/a"),
        11: process(11, 5, cgroup=None),
    }
    view = episode([live("/"), live("/a", held=60)], [live("/"), live("/a", held=30)], processes=known)
    found = {pid: of_process("culprit", pid, view) for pid in known}
    assert found == {7: 30 * MIB, 8: 50 * MIB, 9: 10 * MIB, 10: None, 11: 5 * MIB}


# size, current, effective


def test_size_is_what_only_a_death_gives_back():
    stat = {"anon": 100, "shmem": 20, "file": 5000, "kernel": 70, "slab_reclaimable": 30, "swapcached": 2}
    view = seen(live("/a", stat=stat, swap_current_bytes=12))
    assert figure("size", "/a", view) == 100 + 20 + (12 - 2) + (70 - 30)
    assert bound("size", "/a", view) == 100 + 20 + 12 + 70
    assert bound("size", "/", seen(live("/"))) is None


def test_size_of_a_process():
    known = {
        7: process(7, rss_anon_bytes=100, rss_shmem_bytes=20, swap_bytes=3, pgtables_bytes=4),
        8: process(8, rss_anon_bytes=None, rss_bytes=50),
        9: process(9, rss_anon_bytes=100, swap_bytes=None, pgtables_bytes=None),
    }
    view = seen(processes=known)
    assert [of_process("size", pid, view) for pid in known] == [127, 50, 100]


def test_current():
    view = seen(live("/a", current_bytes=7), processes={7: process(7, rss_bytes=5)})
    assert (figure("current", "/a", view), of_process("current", 7, view)) == (7, 5)


def test_oomds_share_of_protection():
    # oomd CgroupContextTest.cpp: A(10000, low 2000, min 2500) -> 2500; A/B(1000; 250/200) -> 250;
    # A/E(250; 1000/200) -> 250; A/B/C(0) -> 0; A/B/D(1000; 0) -> 0; A/E/F(2000; 2000) -> 100;
    # A/E/G(3000; 3000) -> 150
    rows = {
        "/A": (10000, 2000, 2500),
        "/A/B": (1000, 250, 200),
        "/A/B/C": (0, 0, 0),
        "/A/B/D": (1000, 0, 0),
        "/A/E": (250, 1000, 200),
        "/A/E/F": (2000, 2000, 0),
        "/A/E/G": (3000, 3000, 0),
    }
    made = [live("/")]
    made += [
        live(path, current_bytes=usage, low_bytes=low, min_bytes=least)
        for path, (usage, low, least) in rows.items()
    ]
    view = seen(*made, meminfo={"MemTotal": 50_000, "MemAvailable": 20_000})
    ground = Ground(view, {})
    expected = {"/A": 2500, "/A/B": 250, "/A/E": 250, "/A/B/C": 0, "/A/B/D": 0, "/A/E/F": 100, "/A/E/G": 150}
    assert {path: ground.oomd_protected_bytes(path) for path in expected} == expected
    assert ground.oomd_protected_bytes("/") == 30_000
    assert figure("effective", "/A/E/G", view) == 3000 - 150
    assert figure("effective", "/", view) is None


def test_a_child_whose_parent_was_not_read_has_its_own_claim():
    # P(parent) is that of a cgroup of which nothing is known: 0.
    view = seen(live("/a/b", current_bytes=10, low_bytes=5))
    assert figure("effective", "/a/b", view) == 10
    assert Ground(view, {}).usage_bytes("/none") == 0
    assert Ground(view, {}).usage_bytes("/") == 0


# growth, swap


def test_growth_is_the_trend():
    looks = [[live("/a", held=10 + 5 * number)] for number in range(6)]
    known = {7: process(7, cgroup="/a"), 8: process(8, cgroup="/none")}
    view = seen(*looks[-1], before=looks[:-1], processes=known)
    assert figure("growth", "/a", view) == pytest.approx(5 * MIB)
    assert of_process("growth", 7, view) == figure("growth", "/a", view)
    assert of_process("growth", 8, view) is None
    assert figure("growth", "/a", seen(live("/a", held=1))) is None


def test_swap():
    view = seen(live("/a", swap_current_bytes=7), processes={7: process(7, swap_bytes=5)})
    assert (figure("swap", "/a", view), of_process("swap", 7, view)) == (7, 5)
    assert (bound("swap-biased", "/a", view), bound("swap-biased", "/a", view, totals_int32=1)) == (7, None)
    assert figure("swap-biased", "/a", view) == 7
    assert figure("swap-biased", "/b", seen(live("/b"))) is None


# What a process has of its cgroup


@pytest.mark.parametrize("key", ["pressure", "io-pressure", "io-cost", "pgscan"])
def test_of_a_process_it_is_the_cgroups(key):
    view = seen(live("/a"), processes={7: process(7, cgroup="/a"), 8: process(8, cgroup=None)})
    assert of_process(key, 7, view) == figure(key, "/a", view)
    assert of_process(key, 8, view) is None


def test_without_files_there_is_no_figure():
    view = seen(live("/a"), before=([live("/a")],))
    assert [figure(key, "/a", view) for key in ("pressure", "io-pressure", "pgscan")] == [None] * 3


def test_scans_of_a_younger_cgroup_are_all_since_the_last_look():
    view = seen(live("/a", stat={"pgscan": 40}), before=([live("/b")],))
    assert figure("pgscan", "/a", view) == 40
    assert figure("pgscan", "/a", seen(live("/a", stat={"pgscan": 40}))) is None


# badness, oom-score, rss, priority


def test_badness_is_the_kernels():
    known = {
        7: process(7, rss_bytes=40 * MIB, oom_score_adj=-100, cgroup="/a/b", pgtables_bytes=8 * KIB),
        8: process(8, rss_bytes=30 * MIB, cgroup="/a/b"),
        9: process(9, rss_bytes=90 * MIB, oom_score_adj=-1000, cgroup="/a/b"),
        10: process(10, rss_bytes=10 * MIB, cgroup="/a"),
        11: process(11, flags=PF_KTHREAD, cgroup="/a"),
    }
    meminfo = {"MemTotal": 4000 * MIB, "SwapTotal": 1000 * MIB}
    view = seen(live("/a"), live("/a/b"), live("/c"), processes=known, meminfo=meminfo)
    # 5000 MiB are 1,280,000 pages: one point of adj weighs 1280, a hundred 128,000.
    assert of_process("badness", 7, view) == 40 * 256 + 2 - 128_000
    assert of_process("badness", 8, view) == 30 * 256
    assert of_process("badness", 9, view) is None
    assert [figure("badness", path, view) for path in ("/a", "/a/b", "/c")] == [7680, 7680, None]
    total = oom_badness(TaskMemory(7680, 0, 0, 0), 1_280_000, BadnessRule.SIGNED)
    assert total.points == 7680


def test_badness_of_a_kernel_whose_rule_nobody_can_compute():
    view = seen(
        processes={7: process(7, 5)}, meminfo={"MemTotal": 1}, traits=KernelTraits(badness=BadnessRule.LEGACY)
    )
    assert of_process("badness", 7, view) is None


@pytest.mark.parametrize(("key", "field"), [("oom-score", "oom_score"), ("priority", "oom_score_adj")])
def test_a_cgroup_has_the_highest_of_its_processes(key, field):
    known = {
        7: process(7, cgroup="/a/b", **{field: 300}),
        8: process(8, cgroup="/a", **{field: 500}),
        9: process(9, cgroup="/a/b", **{field: -5}),
        10: process(10, cgroup=None, **{field: 999}),
        11: process(11, cgroup="/c", **{field: None}),
    }
    view = seen(live("/a"), live("/a/b"), live("/c"), processes=known)
    assert [figure(key, path, view) for path in ("/a", "/a/b", "/c")] == [500, 300, None]
    assert of_process(key, 7, view) == 300


def test_resident_memory():
    known = {
        7: process(7, rss_bytes=5, cgroup="/a"),
        8: process(8, rss_bytes=7, cgroup="/a/b"),
        9: process(9, rss_bytes=None, cgroup="/a/b"),
    }
    view = seen(live("/a"), live("/a/b"), live("/c"), processes=known)
    assert [figure("rss", path, view) for path in ("/a", "/a/b", "/c")] == [12, 7, None]
    assert of_process("rss", 9, view) is None


# qos


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-0.scope",
            3,
        ),
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice", 2),
        ("/kubepods.slice/kubepods-pod1.slice", 1),
        ("/kubepods/besteffort/pod1/x", 3),
        ("/kubepods.slice", 0),
        ("/system.slice/x.service", 0),
        ("/", 0),
    ],
)
def test_kubernetes_classes(path, expected):
    view = seen(group(path), processes={7: process(7, cgroup=path), 8: process(8, cgroup=None)})
    assert figure("qos", path, view) == of_process("qos", 7, view) == expected
    assert of_process("qos", 8, view) == 0


def test_protection_is_worked_out_once_and_only_where_somebody_asks_for_it():
    view = seen(live("/"), live("/a", current_bytes=9, low_bytes=5), live("/b", current_bytes=9))
    ground = Ground(view, {})
    assert [ground.protected_bytes(path) for path in ("/a", "/b", "/a", "/")] == [5, 0, 5, 0]
    assert Ground(seen(live("/a")), {}).protected_bytes("/a") == 0
