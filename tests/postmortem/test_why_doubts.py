"""What else is worth saying."""

from __future__ import annotations

from dataclasses import replace

from memwarden.postmortem.cause_facts import facts
from memwarden.postmortem.why_doubts import doubts
from memwarden.units import MAX, MIB
from tests.postmortem.verdict_reports import (
    SOURCE,
    marks,
    memcg_facts,
    memcg_report,
    node_facts,
    system_report,
    task,
    victim,
    with_invoker,
)


def said(made, cause="memcg-anon"):
    return [statement.text for statement in doubts(facts(made), cause)]


def quiet(facts_=None, **fields):
    """A report whose asker is the victim, so that only what is asked for is said."""
    return with_invoker(memcg_report(facts_ or memcg_facts(64, swap_limit_bytes=MAX), **fields), comm="p1")


def test_nothing_to_add():
    assert said(quiet()) == []


def test_a_text_that_was_cut():
    cut = replace(SOURCE, complete=False)
    assert said(quiet(source=cut)) == [
        "The text does not hold the whole report; what it lacks is not guessed."
    ]
    lost = replace(cut, unparsed_lines=1)
    assert "(1 line inside it could not be read)" in said(quiet(source=lost))[0]
    assert "(5 lines inside it could not be read)" in said(quiet(source=replace(cut, unparsed_lines=5)))[0]


def test_who_asked_is_not_who_is_to_blame():
    made = memcg_report(memcg_facts(64, swap_limit_bytes=MAX))
    assert said(made)[0].startswith("asker (thread 77) only happened to ask")
    assert said(with_invoker(made, pid=None))[0].startswith("asker only happened to ask")
    assert said(made, "manual") == []
    assert said(with_invoker(made, comm=None)) == []


def test_who_asked_and_is_big_may_well_be_to_blame():
    facts_ = memcg_facts(64, swap_limit_bytes=MAX)

    def made(mib):
        return memcg_report(facts_, task(1, 40), task(76, mib, -1000, comm="asker"))

    assert said(made(20)) == []
    assert said(made(19))[0].startswith("asker (thread 77) only happened to ask")


def test_programs_of_many_processes():
    rows = [task(pid, 10, comm="httpd") for pid in range(2, 6)]
    made = quiet(tasks=(*rows, task(9, 30, comm="java"), task(10, 1), task(11, 0.5)))
    assert said(made) == [
        (
            "By program: 4 processes of httpd with 40.0 MiB, java with 30.0 MiB and p10 with 1.00 MiB "
            "(memory that processes share counts in each)."
        )
    ]
    assert said(made, "fragmentation") == ["The request that could not be met came from p1 (thread 77)."]
    assert said(quiet(tasks=(task(9, 30), task(10, 9)))) == []
    assert said(quiet(tasks=(task(9, 0), task(10, 0, comm="p9")))) == []


def test_nobody_to_kill_although_some_are_not_exempt():
    made = quiet(tasks=(task(9, 3), task(10, 9, -1000)), victims=(), no_killable=True)
    assert said(made, "no-victim")[0].startswith("Not exempt by the table: 1 process. ")
    two = quiet(tasks=(task(9, 3), task(8, 3)), victims=(), no_killable=True)
    assert said(two, "no-victim")[0].startswith("Not exempt by the table: 2 processes. ")
    assert said(quiet(tasks=(task(10, 9, -1000),), victims=(), no_killable=True), "no-victim") == []


def test_swap_that_is_shut_or_used_up():
    assert "may not swap" in said(quiet(memcg_facts(64)))[0]
    used = memcg_facts(64, swap_limit_bytes=100 * MIB, swap_usage_bytes=95 * MIB)
    assert said(quiet(used)) == ["Its swap allowance (memory.swap.max 100 MiB) was used up too."]
    room = memcg_facts(64, swap_limit_bytes=100 * MIB, swap_usage_bytes=94 * MIB)
    assert said(quiet(room)) == []
    assert said(quiet(memcg_facts(64, swap_limit_bytes=None))) == []


def test_a_limit_lowered_below_usage():
    lowered = memcg_facts(66, limit=64 * MIB, swap_limit_bytes=MAX)
    assert said(quiet(lowered))[0].startswith("Usage is 2.00 MiB above the limit: somebody lowered the limit")
    forced = memcg_facts(65, limit=64 * MIB, swap_limit_bytes=MAX)
    assert said(quiet(forced)) == []


def test_memory_of_an_earlier_victim():
    leaving = memcg_facts(100, stat_mib={"anon": 80, "kernel": 5, "inactive_anon": 90}, swap_limit_bytes=MAX)
    assert said(quiet(leaving))[0].startswith("10.0 MiB belonged to a process that was just ending")
    few = memcg_facts(100, stat_mib={"anon": 83, "kernel": 5, "inactive_anon": 92}, swap_limit_bytes=MAX)
    assert said(quiet(few)) == []


def test_locked_memory():
    locked = memcg_facts(100, stat_mib={"anon": 95, "kernel": 5, "unevictable": 10}, swap_limit_bytes=MAX)
    assert said(quiet(locked))[0].startswith("10.0 MiB (10%) of it was locked")
    little = memcg_facts(100, stat_mib={"anon": 95, "kernel": 5, "unevictable": 9}, swap_limit_bytes=MAX)
    assert said(quiet(little)) == []


def test_dirty_file_data():
    dirty = memcg_facts(
        100, stat_mib={"anon": 5, "kernel": 5, "file": 90, "file_dirty": 25}, swap_limit_bytes=MAX
    )
    assert said(quiet(dirty))[0].startswith("25.0 MiB (25%) was file data not yet written to disk")
    clean = memcg_facts(
        100, stat_mib={"anon": 5, "kernel": 5, "file": 90, "file_dirty": 24}, swap_limit_bytes=MAX
    )
    assert said(quiet(clean)) == []


def test_memory_that_did_not_come_back():
    assert "oom_reaper gave up" in said(quiet(victims=(victim(1, 9, reaped=False),)))[0]
    kept = victim(1, 10, reaped=True, reaper_left_anon_bytes=6 * MIB)
    assert said(quiet(victims=(kept,)))[0].startswith("After the kill 6.00 MiB of p1 (pid 1) stayed")
    little = victim(1, 10, reaped=True, reaper_left_anon_bytes=5 * MIB)
    assert said(quiet(victims=(little,))) == []


def test_more_kills_than_the_log_shows():
    made = quiet(marks=marks(("suppressed", 4, "oom_kill_process: 21 callbacks suppressed")))
    assert said(made)[0].startswith("More kills happened than the log shows in full")


def test_the_machine_has_no_cgroup_to_speak_of():
    made = with_invoker(system_report(node_facts(active_anon=900, unevictable=50)), comm="p1")
    assert said(made, "system-anon") == []
