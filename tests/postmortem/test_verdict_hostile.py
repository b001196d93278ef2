"""Whatever a report holds, there is a verdict, and it claims no more than it was given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.postmortem.model import MemcgFacts, NodeFacts, OomReport, TaskRow, Victim, ZoneFacts
from memwarden.postmortem.read import find_reports
from memwarden.postmortem.verdict import judge
from memwarden.present import explain_html, explain_json, explain_markdown, explain_text
from memwarden.state.traits import BadnessRule, KernelTraits
from memwarden.units import MAX
from tests.postmortem.verdict_reports import (
    PAGES,
    memcg_facts,
    memcg_report,
    node_facts,
    system_report,
    task,
    victim,
    with_invoker,
    zone,
)

amount = st.none() | st.integers(0, 1 << 66)
limit = amount | st.just(MAX)
name = st.text(max_size=20)
path = st.none() | name.map(lambda text: f"/{text}")
stats = st.dictionaries(
    st.sampled_from(
        [
            *("anon", "file", "shmem", "rss", "cache", "total_rss", "kernel", "slab", "sock", "unevictable"),
            *("inactive_anon", "active_anon", "swapcached", "file_dirty"),
        ]
    ),
    st.integers(0, 1 << 66),
)  # fmt: skip
memcgs = st.builds(
    MemcgFacts, path, amount, limit, amount, amount, limit, amount, amount, limit, amount, amount, limit,
    amount, stat=stats, descendants=st.dictionaries(name, stats, max_size=2),
)  # fmt: skip
zones = st.builds(
    ZoneFacts, st.integers(0, 9), st.sampled_from(["DMA", "Normal", "HighMem", "Movable", "Device", "other"]),
    amount, amount, amount, amount, amount, amount, amount, amount,
    st.lists(st.integers(0, 1 << 66), max_size=6).map(tuple),
    free_list=st.none() | st.dictionaries(st.integers(0, 1 << 30), st.integers(0, 9), max_size=3),
    free_types=st.none() | st.dictionaries(st.integers(0, 1 << 30), st.text("UMECH", max_size=2), max_size=3),
)  # fmt: skip
nodes = st.builds(
    NodeFacts, *([amount] * 17), zones=st.lists(zones, max_size=4).map(tuple),
    counters_bytes=st.dictionaries(st.sampled_from(["free_pcp", "isolated_anon"]), st.integers(0, 1 << 66)),
    unreclaimable_slabs_bytes=st.dictionaries(name, st.integers(0, 1 << 66), max_size=2),
)  # fmt: skip
adj = st.none() | st.integers(-1000, 1000)
rows = st.builds(
    TaskRow, st.integers(1, 99), st.integers(0, 9), name, amount, st.none() | st.integers(0, 9), amount,
    amount, amount, amount, amount, amount, amount, adj, adj,
)  # fmt: skip
victims = st.builds(
    Victim, st.integers(1, 99), st.integers(0, 9), name,
    st.sampled_from(["selected", "oom.group", "allocating-task", "other"]), amount, amount, amount, amount,
    amount, amount, adj, st.none() | st.booleans(), amount,
)  # fmt: skip
kernels = st.none() | st.sampled_from([KernelTraits(badness=rule) for rule in BadnessRule])


@st.composite
def reports(draw) -> OomReport:
    made = system_report(
        draw(st.none() | nodes),
        *draw(st.lists(rows, max_size=5)),
        scope=draw(st.sampled_from(["memcg", "system", "cpuset", "mempolicy", "unknown"])),
        memcg=draw(st.none() | memcgs),
        task_path=draw(path),
        victims=tuple(draw(st.lists(victims, max_size=3))),
        chosen=draw(st.none() | st.tuples(st.integers(1, 9), name, st.integers(-5, 2000))),
        group_path=draw(path),
        cpuset=draw(st.none() | name),
        constraint=draw(st.none() | st.sampled_from(["CONSTRAINT_NONE", "CONSTRAINT_X"])),
        manual=draw(st.booleans()),
        no_killable=draw(st.booleans()),
        panic=draw(st.booleans()),
        page_fault_path=draw(st.booleans()),
        traits=draw(kernels),
    )
    mask = draw(st.none() | st.sampled_from([0, 0xCC0, 0x100CCA]))
    return with_invoker(
        made, gfp_mask=mask, order=draw(st.none() | st.integers(-1, 1 << 40)), comm=draw(st.none() | name)
    )


@given(reports())
def test_every_report_has_a_verdict_in_every_form(made):
    incident = judge(made)
    assert incident.verdict.summary
    shown = "".join(explain_text.text([incident]))
    assert all(character == "\n" or character.isprintable() for character in shown)
    "".join(explain_markdown.text([incident]))
    "".join(explain_html.page([incident]))
    assert '"incidents"' in "".join(explain_json.text([incident]))


@pytest.mark.parametrize("factor", [2, 7, 100])
def test_a_cgroup_ten_times_the_size_has_the_same_verdict(factor):
    def made(scale):
        facts = memcg_facts(64 * scale, stat_mib={"anon": 60 * scale, "kernel": 4 * scale})
        return memcg_report(
            facts, task(2, 30 * scale), task(3, 9 * scale, 100), victims=(victim(2, 30 * scale),)
        )

    small, large = judge(made(1)).verdict, judge(made(factor)).verdict
    assert (small.cause, small.confidence, small.choice_checked) == (
        large.cause,
        large.confidence,
        large.choice_checked,
    )


def test_a_figure_less_is_never_more_certainty():
    """Taking the statistics, then the table, then the usage away may only weaken the verdict."""
    order = {"certain": 2, "likely": 1, "possible": 0}
    facts = memcg_facts(64, stat_mib={"anon": 60, "kernel": 4})
    full = memcg_report(facts, task(2, 60), victims=(victim(2, 60),))
    steps = [
        full,
        replace(full, memcg=replace(facts, stat={})),
        replace(full, memcg=replace(facts, stat={}), tasks=()),
    ]
    verdicts = [judge(made).verdict for made in steps]
    anon = [order[one.confidence] for one in verdicts if one.cause == "memcg-anon"]
    assert anon == sorted(anon, reverse=True)
    assert [one.cause for one in verdicts] == ["memcg-anon", "memcg-anon", "memcg-unknown"]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(-999, 1000), st.integers(-999, 1000))
def test_the_check_agrees_with_the_sum(first, second, first_adj, second_adj):
    """64 MiB without swap: one point of adj is 16 pages; the larger sum dies, ties go to the last."""
    points = [first * PAGES + first_adj * 16, second * PAGES + second_adj * 16]
    dead = 2 if points[0] > points[1] else 3
    made = memcg_report(
        memcg_facts(64), task(2, first, first_adj), task(3, second, second_adj), victims=(victim(dead, 1),)
    )
    verdict = judge(made).verdict
    assert verdict.choice_checked is True
    assert {row.pid: row.badness_pages for row in judge(made).tasks} == {2: points[0], 3: points[1]}


def test_zones_of_a_healthy_machine_explain_nothing():
    node = node_facts(4096, active_anon=3000, free=900, zones=[zone("Normal", 900, managed_mib=4096)])
    assert judge(system_report(node)).verdict.cause == "system-anon"


def test_the_head_of_another_table_begins_another_report():
    """Two logs pasted together: rows of an old table, then the head of a new one."""
    old = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    new = old.replace("rss pg", "rss rss_anon rss_file rss_shmem pg")
    lines = [
        "a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        old,
        "[    239]     0   239     5008     3559    73728        0             0 a",
        new,
        "[    240]     0   240     5008     3559     3000      559         0    73728       0         0 b",
        (
            "Out of memory: Killed process 240 (b) total-vm:20032kB, anon-rss:12000kB, file-rss:2236kB, "
            "shmem-rss:0kB"
        ),
    ]
    text = "\n".join(f"[    1.0000{at:02}] {line}" for at, line in enumerate(lines)).encode()
    rows = [row for report in find_reports([text], file="x") for row in judge(report).tasks]
    assert [(row.pid, row.rss_pages, row.rss_anon_pages, row.pgtables_bytes) for row in rows] == [
        (239, 3559, None, 73728),
        (240, 3559, 3000, 73728),
    ]


def test_a_head_of_a_table_that_lost_its_bracket():
    text = b"""\
6,2965,80651549,-;Tasks state (memory values in pages):
6,2966,80651559,-;[  3id  S   u(d  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
6,2967,80651597,-;[    295]     0   295    17460    16042   176128        0             0 a
6,2968,80651641,-;[    296]     0   296     9780     8362   114688        0             0 b
"""
    found = [judge(report) for report in find_reports([text], file="x")]
    assert [row.pid for one in found for row in one.tasks] == [295, 296]
