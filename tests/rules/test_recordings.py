"""The rules against real kernels: recordings that the lab made just before it provoked a shortage.

The expected values are the kernel's: ``/proc/PID/oom_score``, ``memory.current``, the LRU lists, and who was
killed. The kernel is the name of the folder.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from memwarden.collect.open import open_source
from memwarden.collect.snapshot import Collector
from memwarden.kernel.memory_stat import BYTES
from memwarden.rules.accounting import account, lru_gap
from memwarden.rules.badness import TaskMemory, oom_badness
from memwarden.rules.eligible import Eligibility, eligibility
from memwarden.rules.headroom import Headrooms
from memwarden.rules.reclaimable import MACHINE, reclaimable
from memwarden.rules.scope import memcg_scope, system_scope
from memwarden.rules.victim import expected_score, rank
from memwarden.state.traits import BadnessRule

ROOTS = Path(__file__).parent.parent / "roots" / "lab"
LOGS = Path(__file__).parent.parent / "golden" / "lab"
RECORDINGS = sorted(str(path.relative_to(ROOTS)) for path in ROOTS.glob("*/*.rootar"))
KERNELS = sorted({name.partition("/")[0] for name in RECORDINGS})


@functools.cache
def machine(name):
    return Collector(open_source(str(ROOTS / name))).snapshot()


def test_four_kernels_were_recorded():
    assert len([kernel for kernel in KERNELS if "v1" not in kernel]) >= 4


@pytest.mark.parametrize("name", RECORDINGS)
def test_oom_score_of_every_process(name):
    snapshot = machine(name)
    scope = system_scope(snapshot)
    assert scope is not None
    checked = 0
    for process in snapshot.processes.values():
        if process.oom_score is None or process.is_kernel_thread:
            continue
        able = eligibility(process) is Eligibility.ELIGIBLE
        expected = expected_score(snapshot, process, scope) if able else 0
        # The file may have been read a moment after the memory.
        assert abs(process.oom_score - expected) <= 1, process
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("name", RECORDINGS)
def test_statistics_make_up_usage(name):
    snapshot = machine(name)
    sums = {
        path: account(cgroup, snapshot.traits, cpus=snapshot.host.cpus or 1)
        for path, cgroup in snapshot.cgroups.items()
        if path != MACHINE
    }
    known = {path: total for path, total in sums.items() if total is not None}
    assert known
    assert {path: total for path, total in known.items() if not total.holds} == {}


@pytest.mark.parametrize("name", RECORDINGS)
def test_lru_lists_hold_what_is_accounted(name):
    snapshot = machine(name)
    for path, cgroup in snapshot.cgroups.items():
        gap = None if path == MACHINE or cgroup.stat is None else lru_gap(cgroup.stat)
        total = account(cgroup, snapshot.traits, cpus=snapshot.host.cpus or 1)
        if gap is not None and total is not None:
            for error in (gap.total_bytes, gap.anon_bytes, gap.file_bytes):
                assert abs(error or 0) <= total.tolerance_bytes + total.swapcached_bytes, path


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_first_to_die_is_the_one_ranked_first(name):
    told = LOGS / name.replace(".rootar", ".json")
    if not told.exists():
        pytest.skip(f"{name}: the lab kept no result of this recording")
    result = json.loads(told.read_text())
    if not result["killed"]:
        pytest.skip(f"{name}: nobody was killed")
    snapshot = machine(name)
    scope = memcg_scope(snapshot, result["limit"]) if result.get("limit") else system_scope(snapshot)
    assert scope is not None
    victim = rank(snapshot, scope).victim
    assert victim is not None
    names = {pid: process for process, pid in result["pids"].items()}
    assert names[victim.process.pid] == result["killed"][0]


@pytest.mark.parametrize("name", RECORDINGS)
def test_headroom_and_ladders_are_consistent(name):
    snapshot = machine(name)
    headrooms = Headrooms(snapshot)
    for path, cgroup in snapshot.cgroups.items():
        found = headrooms.of(path)
        assert found.headroom_bytes is not None
        assert found.effective_bytes is not None
        assert found.effective_bytes >= found.headroom_bytes
        ladder = reclaimable(snapshot, path)
        if path == MACHINE or ladder is None or cgroup.current_bytes is None:
            continue
        # What the ladder is made of is in the cgroup; usage and statistics differ by the tolerance.
        total = account(cgroup, snapshot.traits, cpus=snapshot.host.cpus or 1)
        assert total is not None
        assert sum(ladder) <= cgroup.current_bytes + total.tolerance_bytes
        assert ladder.reclaimable_bytes <= sum(cgroup.stat[key] for key in BYTES & set(cgroup.stat))


def test_pages_of_a_process_are_those_of_its_files():
    # 6.12, "single": the recorded oom_score is reproduced from the file's own figures by arithmetic.
    snapshot = machine("6.12/single.rootar")
    assert snapshot.meminfo is not None
    total = (snapshot.meminfo["MemTotal"] + snapshot.meminfo["SwapTotal"]) // 4096
    process = max(
        (one for one in snapshot.processes.values() if one.oom_score_adj == 0 and one.pid != 1),
        key=lambda one: one.rss_bytes or 0,
    )
    task = TaskMemory(
        process.rss_bytes // 4096, process.swap_bytes // 4096, process.pgtables_bytes // 4096, 0
    )
    badness = oom_badness(task, total, BadnessRule.SIGNED)
    assert badness is not None
    assert abs((1000 + badness.points * 1000 // total) * 2 // 3 - process.oom_score) <= 1
