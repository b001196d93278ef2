"""Why this process: the arithmetic in words. 64 MiB without swap: one point of adj is 16 pages, 64 KiB."""

from __future__ import annotations

import pytest

from memwarden.postmortem.cause_facts import facts
from memwarden.postmortem.why_victim import why_victim
from memwarden.state.traits import BadnessRule
from memwarden.units import MAX, MIB
from tests.postmortem.verdict_reports import (
    PAGES,
    UNSIGNED,
    marks,
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    traits,
    victim,
)


def said(made, cause="memcg-anon"):
    return [statement.text for statement in why_victim(facts(made), cause)]


def killed(*rows, facts_=None, pid=2, held=30, **fields):
    return memcg_report(facts_ or memcg_facts(64), *rows, victims=(victim(pid, held),), **fields)


def test_nobody_chosen_nothing_to_say():
    assert said(report()) == []


def test_most_points_and_the_next():
    text = said(killed(task(2, 30, pgtables_bytes=MIB, swap_pages=PAGES), task(3, 10)))[0]
    assert text == (
        "It had the most points: 30.0 MiB resident + 1.00 MiB in swap + 1.00 MiB of page tables = "
        "8192 points (pages). "
        "Next came p3 (pid 3) with 10.0 MiB resident."
    )


def test_alone():
    assert said(killed(task(2, 30)))[0] == "It was the only process that could be chosen: 30.0 MiB resident."


def test_what_adj_added():
    text = said(killed(task(2, 10, 500), task(3, 30)))[0]
    assert "10.0 MiB resident, and oom_score_adj 500, which adds 31.2 MiB." in text


def test_what_adj_took():
    made = killed(task(2, 30), task(3, 40, -500))
    assert (
        "p3 (pid 3) with 40.0 MiB resident, and oom_score_adj -500, which takes off 31.2 MiB" in said(made)[0]
    )


def test_the_same_adj_leaves_size():
    text = said(killed(task(2, 30, 500), task(3, 20, 500)))[0]
    assert text.endswith(
        "Next came p3 (pid 3) with 20.0 MiB resident; its oom_score_adj is the same, so size decided."
    )


def test_weight_is_bounded_or_not_known():
    unlimited = memcg_facts(64, swap_limit_bytes=MAX)
    assert "which adds at least 31.2 MiB" in said(killed(task(2, 30, 500), facts_=unlimited))[0]
    assert "whose weight the text does not tell" in said(killed(task(2, 30, 5), facts_=memcg_facts(None)))[0]


def test_bigger_ones_and_why_they_live():
    rows = [task(2, 20, 300), task(3, 25), task(4, 30, -500), task(5, 40, -1000), task(1, 50)]
    text = said(killed(*rows))[1]
    assert text == (
        "Bigger, but passed over: p1 (pid 1) with 50.0 MiB (init is never killed); "
        "p5 (pid 5) with 40.0 MiB (oom_score_adj -1000 exempts it); "
        "p4 (pid 4) with 30.0 MiB (oom_score_adj -500, which takes off 31.2 MiB); 1 more were bigger too."
    )


def test_bigger_with_adj_zero():
    text = said(killed(task(2, 20, 300), task(3, 25)))[1]
    assert (
        text == "Bigger, but passed over: p3 (pid 3) with 25.0 MiB "
        "(its oom_score_adj is 0, the victim's is higher)."
    )


def test_bigger_with_the_same_adj():
    made = killed(task(2, 1, -998), task(3, 60, -998), traits=UNSIGNED, held=1)
    assert "p3 (pid 3) with 60.0 MiB (the same oom_score_adj)" in " ".join(said(made))
    assert said(made)[0].startswith("All count as 1 point, since oom_score_adj takes off more than")


def test_the_table_says_another():
    text = " ".join(said(killed(task(2, 1), task(3, 60), task(4, 20))))
    assert "Its points: 1.00 MiB resident." in text
    assert (
        "By the table p3 (pid 3) scored higher: 60.0 MiB resident. So did 1 more. The kernel passes over"
        in text
    )
    assert "Bigger, but" not in text


def test_the_table_says_another_by_a_little():
    text = " ".join(said(killed(task(2, 30), task(3, 30.5))))
    assert "p3 (pid 3) was as big within what the counters may lag: 30.5 MiB resident." in text


def test_the_one_who_asked():
    made = system_report(
        node_facts(64), task(2, 1), task(3, 60), victims=(victim(2, 1, via="allocating-task"),)
    )
    text = said(made, "system-anon")
    assert "vm.oom_kill_allocating_task is set" in text[0]
    assert not any("points" in sentence for sentence in text)


def test_what_cannot_be_checked_is_said():
    assert said(killed())[0] == "The text has no task table, so the choice cannot be checked."


def test_a_small_victim_did_not_fill_it():
    shmem = memcg_facts(64, stat_mib={"anon": 4, "file": 60, "shmem": 60, "kernel": 0})
    text = said(killed(task(2, 1), facts_=shmem, held=1), "memcg-shmem")[-1]
    assert text.startswith(
        "It did not fill the memory itself: it held 1.00 MiB, 1% of what was in use. Most was shared "
        "memory and tmpfs"
    )


def test_a_victim_that_was_swapped_out_is_not_small():
    shmem = memcg_facts(64, stat_mib={"anon": 4, "file": 60, "shmem": 60, "kernel": 0})
    made = killed(task(2, 1, swap_pages=20 * PAGES), facts_=shmem, held=1)
    assert not any("did not fill" in sentence for sentence in said(made, "memcg-shmem"))


def test_a_victim_of_unknown_size_is_not_called_small():
    shmem = memcg_facts(64, stat_mib={"anon": 4, "file": 60, "shmem": 60, "kernel": 0})
    made = killed(task(2, 1), facts_=shmem, held=None)
    assert not any("did not fill" in sentence for sentence in said(made, "memcg-shmem"))


def test_a_small_victim_among_many():
    made = killed(
        task(2, 3), task(3, 40, -1000), facts_=memcg_facts(64, stat_mib={"anon": 60, "kernel": 4}), held=3
    )
    assert said(made)[-1].endswith("The biggest process was p3 (pid 3) with 40.0 MiB.")


def test_a_small_victim_without_a_table():
    made = killed(facts_=memcg_facts(64, stat_mib={"anon": 60, "kernel": 4}), held=3)
    assert said(made)[-1].endswith("Who held the most cannot be told without the task table.")


def test_size_is_no_matter_where_nothing_had_run_out():
    made = killed(
        task(2, 1), task(3, 0.5), facts_=memcg_facts(64, stat_mib={"anon": 60, "kernel": 4}), held=1
    )
    assert not any("did not fill" in sentence for sentence in said(made, "manual"))


def test_a_child_in_its_place():
    made = memcg_report(
        memcg_facts(64), task(2, 30), task(3, 1), chosen=(2, "p2", 468), victims=(victim(3, 20),),
        traits=traits(BadnessRule.UNSIGNED), marks=marks((
            "kill-choice", 5, "Kill process 2"), ("kill", 6, "Killed process 3")),
    )  # fmt: skip
    found = why_victim(facts(made), "memcg-anon")[-1]
    assert found.text.startswith(
        "p2 (pid 2) had the most points; kernels before 5.1 then kill one of its children"
    )
    assert [one.line for one in found.evidence] == [5, 6]


def test_a_thread_and_its_process():
    made = memcg_report(
        memcg_facts(64), task(2, 30), chosen=(9, "p2", 468), victims=(victim(2, 30),), traits=UNSIGNED
    )
    assert said(made)[-1].startswith('"Kill process 9" and "Killed process 2" mean the same program')


def test_a_thread_in_the_table():
    made = memcg_report(
        memcg_facts(64),
        task(9, 30, tgid=2, comm="worker"),
        chosen=(9, "worker", 468),
        victims=(victim(2, 30),),
        traits=UNSIGNED,
    )
    assert "mean the same program" in said(made)[-1]


@pytest.mark.parametrize("chosen", [(2, "p2", 468), (8, "p8", 468)])
def test_current_kernels_kill_whom_they_choose(chosen):
    made = memcg_report(memcg_facts(64), task(2, 30), task(8, 3), chosen=chosen, victims=(victim(2, 30),))
    assert not any("children" in sentence for sentence in said(made))


def test_chosen_but_not_seen_dying():
    made = memcg_report(memcg_facts(64), task(2, 30), chosen=(2, "p2", 0), victims=())
    assert said(made)[0].startswith("It was the only process that could be chosen: 30.0 MiB resident")


def test_group():
    both = (victim(2, 30), victim(3, 5, via="oom.group"))
    made = memcg_report(memcg_facts(64), task(2, 30), task(3, 5), victims=both, group_path="/a/b.service")
    assert said(made)[-1].startswith(
        "memory.oom.group is set on systemd unit b.service: once one of its processes is chosen, all "
        "of them die (2 here)."
    )


def test_points_of_old_kernels_before_swap_was_listed():
    rule = traits(BadnessRule.UNSIGNED_ROOT_ADJ)
    made = system_report(
        node_facts(64, 10, 10),
        task(2, 30, swap_pages=None, pgtables_bytes=None),
        victims=(victim(2, 30),),
        traits=rule,
    )
    assert said(made, "system-anon")[0].startswith(
        "It was the only process that could be chosen: 30.0 MiB resident."
    )
