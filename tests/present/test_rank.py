"""``rank`` as text and JSON. Machines have 4 GiB and no swap: a point of adj weighs 1048 pages = 4.09 MiB."""

from __future__ import annotations

import jsonschema
import pytest

from memwarden.fields import RANK
from memwarden.present import rank_json, rank_text
from memwarden.present.colour import Paint
from memwarden.present.rank_rows import RankRow, rows
from memwarden.present.rank_words import headline, sentences
from memwarden.rules.scope import scope_of, system_scope
from memwarden.rules.victim import rank
from memwarden.state.snapshot import HostFacts
from memwarden.state.traits import BadnessRule, KernelTraits
from memwarden.units import GIB, MAX, MIB
from tests.rules.machines import cgroup, process, snapshot

EXACT = KernelTraits(approximate_rss=False)
MEMINFO = {"MemTotal": 4 * GIB, "MemAvailable": 2 * GIB, "SwapTotal": 0, "SwapFree": 0}


def machine(*processes, cgroups=(), **fields):
    return snapshot(cgroups, processes, **({"meminfo": MEMINFO, "traits": EXACT} | fields))


def said(one, path=None):
    scope = system_scope(one) if path is None else scope_of(one, path)
    assert scope is not None
    ranking = rank(one, scope)
    return [headline(one, ranking), *sentences(one, ranking, path)]


def test_rows_have_the_names_of_the_registry():
    assert RankRow._fields == tuple(field.name for field in RANK)


def test_row_adds_up_in_bytes():
    one = machine(process(2, 100, swap_bytes=8192, pgtables_bytes=40960, oom_score_adj=-7, oom_score=680))
    scope = system_scope(one)
    assert scope is not None
    (row,) = rows(one, rank(one, scope))
    assert row.badness_bytes == 100 * MIB + 8192 + 40960 - 7 * 1048 * 4096
    assert row.adj_bytes == -7 * 1048 * 4096
    assert row.points * 4096 == row.badness_bytes
    assert (row.oom_score, row.frees_bytes, row.frees_swap_bytes) == (680, 100 * MIB + 40960, 8192)


def test_rows_of_old_kernels():
    old = machine(process(2, 1024, swap_bytes=None), traits=KernelTraits(badness=BadnessRule.PERMILLE))
    scope = system_scope(old)
    assert scope is not None
    (row,) = rows(old, rank(old, scope))
    # Thousandths of the machine are no pages.
    assert (row.points, row.badness_bytes, row.swap_bytes) == (250, None, None)


def test_the_machine():
    weight = "1 of oom_score_adj weighs 1048 points, 4.09 MiB"
    why = "p2 (2) is killed: 300 MiB resident + 40.9 MiB for oom_score_adj 10 = 87280 points (pages)"
    assert said(machine(process(2, 300, oom_score_adj=10), process(3, 100))) == [
        f"If the machine ran out of memory now (RAM and swap 4.00 GiB; {weight}):",
        # 300 * 256 + 10 * 1048 = 87280 pages; less 100 * 256 they are 61680, 240.9 MiB.
        f"{why}, 61680 (241 MiB) more than p3 (3).",
        "Its death frees at most 300 MiB at once.",
        "Sure, as of this reading.",
    ]


def test_the_only_one():
    assert said(machine(process(2, 1)))[1] == (
        "p2 (2) is killed: 1.00 MiB resident = 256 points (pages), and it is the only candidate."
    )


def test_every_term_of_the_sum():
    one = process(2, 100, swap_bytes=8192, pgtables_bytes=40960, oom_score_adj=-7, uid=0)
    traits = KernelTraits(badness=BadnessRule.UNSIGNED_ROOT_BONUS, approximate_rss=False)
    # 25600 + 2 + 10 = 25612; the bonus is 3 % of that, 768 pages; 7 * 1048 = 7336 pages (28.66 MiB) go off.
    assert said(machine(one, traits=traits))[1] == (
        "p2 (2) is killed: 100 MiB resident + 8.00 KiB in swap + 40.0 KiB of page tables "
        "- 3.00 MiB of root's bonus - 28.7 MiB for oom_score_adj -7 = 17508 points (pages), "
        "and it is the only candidate."
    )


def test_points_below_one_on_unsigned_kernels():
    traits = KernelTraits(badness=BadnessRule.UNSIGNED, approximate_rss=False)
    # 256 pages less 10480.
    assert said(machine(process(2, 1, oom_score_adj=-10), traits=traits))[1] == (
        "p2 (2) is killed: 1.00 MiB resident - 40.9 MiB for oom_score_adj -10, but at least 1 point (pages), "
        "and it is the only candidate."
    )


def test_thousandths_are_no_bytes():
    traits = KernelTraits(badness=BadnessRule.PERMILLE, approximate_rss=False)
    assert said(machine(process(2, 1024), process(3, 512), traits=traits))[1] == (
        "p2 (2) is killed: 1.00 GiB resident = 250 points (thousandths), 125 more than p3 (3)."
    )


@pytest.mark.parametrize(("last", "which"), [(True, "last"), (False, "first")])
def test_a_tie(last, which):
    traits = KernelTraits(approximate_rss=False, last_of_equals=last)
    text = said(machine(process(2, 5), process(3, 5), traits=traits))
    first, second = ("p3 (3)", "p2 (2)") if last else ("p2 (2)", "p3 (3)")
    assert text[1] == (
        f"{first} is killed: 5.00 MiB resident = 1280 points (pages), the same as {second}; "
        f"of equals the kernel takes the {which} it visits."
    )
    assert text[-1] == "Not sure: a page more or less decides."


def test_doubt():
    likely = said(machine(process(2, 10), process(3, 11), traits=KernelTraits(approximate_rss=True)))
    # 256 pages for each of both on 2 CPUs.
    assert likely[-1] == (
        "Likely, not sure: this kernel counts memory with an error of up to 2.00 MiB for both together."
    )
    partial = said(machine(process(2, 10), process(3, 0, rss_bytes=None)))
    assert partial[-2:] == [
        "Not sure: there are processes here whose memory could not be read.",
        "Not killable: p3 (3): its memory could not be read.",
    ]


def test_the_bigger_one_beside_it():
    lowered = said(machine(process(2, 300, oom_score_adj=-100), process(3, 100)))
    # 100 * 1048 pages = 409.4 MiB
    assert lowered[-1] == "p2 (2) holds more (300 MiB), but its oom_score_adj -100 takes 409 MiB off."
    raised = said(machine(process(2, 300), process(3, 100, oom_score_adj=100)))
    assert raised[-1] == "p2 (2) holds more (300 MiB), but p3 (3) has the higher oom_score_adj."


def test_an_adj_below_zero_that_still_dies():
    text = said(machine(process(2, 300, oom_score_adj=-10)))
    assert "300 MiB resident - 40.9 MiB for oom_score_adj -10 = 66320 points" in text[1]  # 76800 - 10480


def test_the_exempt_are_named_with_what_they_hold():
    exempt = [process(pid, pid, oom_score_adj=-1000) for pid in (5, 6, 7, 8)]
    text = said(machine(process(2, 1), *exempt, process(1, 9)))
    biggest = "p8 (8) with 8.00 MiB, p7 (7) with 7.00 MiB, p6 (6) with 6.00 MiB"
    assert text[-2:] == [
        f"Not killable: {biggest} and 1 more process: oom_score_adj -1000 exempts it.",
        "Not killable: p1 (1) with 9.00 MiB: the machine's init is never killed.",
    ]


def group(*more, **fields):
    return (cgroup("/a", **({"max_bytes": 64 * MIB, "swap_max_bytes": 0} | fields)), *more)


def test_a_cgroup_and_its_group():
    one = machine(
        process(2, 30, cgroup="/a/b"),
        process(3, 10, cgroup="/a/b"),
        process(4, 5, cgroup="/a/b", oom_score_adj=-1000),
        cgroups=group(cgroup("/a/b", oom_group=True)),
    )
    assert said(one, "/a") == [
        "If /a ran out of memory now (limit 64.0 MiB; 1 of oom_score_adj weighs 16 points, 64.0 KiB):",
        "p2 (2) is killed: 30.0 MiB resident = 7680 points (pages), 5120 (20.0 MiB) more than p3 (3).",
        "Its death frees at most 30.0 MiB at once.",
        "memory.oom.group is set on /a/b: p3 (3) dies too; p4 (4) is spared.",
        "Together their deaths free at most 40.0 MiB at once.",
        "Sure, as of this reading.",
        "Not killable: p4 (4) with 5.00 MiB: oom_score_adj -1000 exempts it.",
    ]


def test_groups_of_one_and_of_many():
    alone = machine(process(2, 30, cgroup="/a"), cgroups=group(oom_group=True))
    assert "memory.oom.group is set on /a: nobody else is in it." in said(alone, "/a")
    many = machine(
        process(2, 30, cgroup="/a"),
        *(process(pid, 1, cgroup="/a", swap_bytes=MIB) for pid in (3, 4)),
        *(process(pid, 1, cgroup="/a", oom_score_adj=-1000) for pid in (5, 6)),
        cgroups=group(oom_group=True),
    )
    assert "memory.oom.group is set on /a: p3 (3), p4 (4) die too; p5 (5), p6 (6) are spared." in said(
        many, "/a"
    )
    assert "Together their deaths free at most 32.0 MiB and 2.00 MiB of swap at once." in said(many, "/a")


def test_what_no_death_frees():
    stat = {"shmem": 40 * MIB, "kernel": 21 * MIB, "pagetables": MIB, "sock": MIB}
    one = machine(process(2, 30, cgroup="/a"), cgroups=group(current_bytes=60 * MIB, stat=stat))
    text = said(one, "/a")
    shmem = (
        "40.0 MiB of the 60.0 MiB in /a is in tmpfs or shared memory (shmem), which stays when its users die."
    )
    assert shmem in text
    assert (
        "21.0 MiB of the 60.0 MiB in /a is the kernel's (slab, pipes, sockets), which mostly stays." in text
    )
    little = machine(
        process(2, 30, cgroup="/a"), cgroups=group(current_bytes=60 * MIB, stat={"shmem": 15 * MIB})
    )
    assert [line for line in said(little, "/a") if "shmem" in line] == []


def test_swap_in_the_total_of_a_cgroup():
    swap = {"SwapTotal": 32 * MIB, "SwapFree": 32 * MIB}
    one = machine(process(2, 1, cgroup="/a"), cgroups=group(swap_max_bytes=MAX), meminfo=MEMINFO | swap)
    # 24576 pages: a point is 24 of them.
    weight = "1 of oom_score_adj weighs 24 points, 96.0 KiB"
    assert f"(limit 64.0 MiB, with swap 96.0 MiB; {weight})" in said(one, "/a")[0]


def test_a_cgroup_without_a_limit_of_its_own():
    open_child = cgroup("/a/b", max_bytes=MAX)
    one = machine(process(2, 1, cgroup="/a/b"), cgroups=group(open_child))
    assert (
        said(one, "/a/b")[1] == "/a/b has no limit of its own; the nearest one is that of /a, so that counts."
    )
    free = machine(process(2, 1, cgroup="/f"), cgroups=(cgroup("/f", max_bytes=MAX),))
    assert (
        said(free, "/f")[1] == "/f has no limit of its own; the nearest one is the machine's, so that counts."
    )


def test_a_limit_above_that_is_nearer():
    child = cgroup("/a/b", max_bytes=50 * MIB, current_bytes=10 * MIB)
    one = machine(process(2, 1, cgroup="/a/b"), cgroups=group(child, current_bytes=60 * MIB))
    assert said(one, "/a/b")[1] == (
        "/a has less left (4.00 MiB of effective headroom) and is likely to run out first."
    )
    huge = machine(
        process(2, 1, cgroup="/a"),
        cgroups=(cgroup("/a", max_bytes=8 * GIB, current_bytes=10 * MIB),),
    )
    assert said(huge, "/a")[1] == (
        "the machine has less left (2.00 GiB of effective headroom) and is likely to run out first."
    )
    # Nothing is said of what is not known.
    blind = machine(process(2, 1, cgroup="/a"), cgroups=group(), meminfo=None)
    assert "is killed" in said(blind, "/a")[1]
    # The root is the machine.
    assert "is killed" in said(machine(process(2, 1), cgroups=(cgroup("/"),)), "/")[1]


def test_settings_that_change_the_outcome():
    panic = said(machine(process(2, 1), sysctl={"panic_on_oom": 1}))
    assert panic[1] == "The machine panics instead of killing anybody: vm.panic_on_oom is 1."
    asking = said(machine(process(2, 1), sysctl={"oom_kill_allocating_task": 1}))
    assert asking[1].startswith(
        "vm.oom_kill_allocating_task is set: whichever process asks for the page dies"
    )


def test_nobody_to_kill():
    exempt = process(2, 1, cgroup="/a", oom_score_adj=-1000)
    assert said(machine(exempt))[1] == "The machine panics: there is nobody left who may be killed."
    assert said(machine(exempt, cgroups=group()), "/a")[1].startswith(
        "Nobody here may be killed: page faults"
    )
    waits = machine(process(2, 1, cgroup="/a"), cgroups=group(version=1, v1_oom_kill_disable=True))
    assert said(waits, "/a")[1].startswith("oom_kill_disable is set: nobody is killed")
    assert said(machine(process(2, 0, rss_bytes=None)))[1].startswith("Nobody can be named")


def test_a_sacrificed_child():
    old = KernelTraits(badness=BadnessRule.UNSIGNED, sacrifice_child=True, approximate_rss=False)
    text = said(machine(process(2, 30), process(3, 5, ppid=2, rss_anon_bytes=None), traits=old))
    assert text[2] == "This kernel sacrifices a child of the process selected: p3 (3) dies in its place."
    assert "frees" not in "".join(text)


def rendered(one, path=None, **options):
    scope = system_scope(one) if path is None else scope_of(one, path)
    assert scope is not None
    return rank_text.text(one, rank(one, scope), path, **({"top": 10, "width": 80} | options))


def test_the_table_marks_who_dies():
    one = machine(
        process(2, 30, cgroup="/a"),
        process(3, 10, cgroup="/a", comm="evil\x1b[31m"),
        process(4, 20, cgroup="/a/b"),
        cgroups=group(cgroup("/a/b"), oom_group=True),
        host=HostFacts(hostname="web1", kernel_release="6.12.1", cpus=2),
    )
    lines = rendered(one, "/a").splitlines()
    assert lines[0].startswith("web1, Linux 6.12.1")
    head = next(at for at, line in enumerate(lines) if "POINTS" in line)
    table = lines[head : head + 4]
    assert " ".join(table[0].split()) == "PID NAME POINTS RSS PGTBL ADJ ADJ.ADDS FREES CGROUP"
    assert [line.split()[:3] for line in table[1:]] == [
        [">", "2", "p2"], ["+", "4", "p4"], ["+", "3", r"evil\x1b[31m"],
    ]  # fmt: skip
    assert table[1].split()[3:5] == ["7680", "30.0M"]  # 30 MiB in pages of 4 KiB
    assert max(len(line) for line in lines) <= 80


def test_the_table_is_cut_and_says_so():
    one = machine(*(process(pid, pid) for pid in range(2, 16)))
    text = rendered(one, top=3)
    assert "... and 11 more candidates; --top 0 shows all" in text
    assert "more candidate" not in rendered(one, top=0)
    # Nobody is marked where nobody is chosen.
    panic = machine(process(2, 1), sysctl={"panic_on_oom": 1})
    assert ">" not in rendered(panic)


def test_swap_has_a_column_where_somebody_uses_it():
    assert "SWAP " not in rendered(machine(process(2, 1)))
    assert "SWAP " in rendered(machine(process(2, 1, swap_bytes=MIB)))


def test_nobody_makes_no_table():
    text = rendered(machine(process(2, 1, oom_score_adj=-1000)))
    assert "PID" not in text
    assert "The machine panics" in text


def test_colour_repeats_the_marks():
    text = rendered(machine(process(2, 30), process(3, 1)), paint=Paint(enabled=True))
    assert "\x1b[31;1mp2" in text or "\x1b[1;31mp2" in text
    assert "\x1b" not in rendered(machine(process(2, 30)))


@pytest.mark.parametrize(
    "one",
    [
        machine(process(2, 30), process(3, 1, oom_score_adj=-1000), process(4, 0, state="Z", rss_bytes=None)),
        machine(
            process(2, 30, cgroup="/a", swap_bytes=None, uid=None, rss_anon_bytes=None),
            process(3, 3, cgroup="/a"),
            cgroups=group(oom_group=True),
        ),
        machine(),
    ],
)
def test_json_is_what_its_schema_says(one):
    for path in (None, *one.cgroups):
        scope = system_scope(one) if path is None else scope_of(one, path)
        assert scope is not None
        document = rank_json.document(one, rank(one, scope), path)
        jsonschema.validate(document, rank_json.schema())
        assert document["schema"] == "memwarden.rank/1"


def test_json_figures():
    one = machine(
        process(2, 30, cgroup="/a"),
        process(3, 3, cgroup="/a", oom_score_adj=-1000),
        cgroups=group(oom_group=True),
    )
    scope = scope_of(one, "/a")
    assert scope is not None
    document = rank_json.document(one, rank(one, scope), "/a")
    assert document["scope"] == {
        "kind": "memcg", "path": "/a", "requested": "/a", "limit_bytes": 64 * MIB, "total_bytes": 64 * MIB,
        "adj_unit_bytes": 16 * 4096, "badness_rule": "signed", "badness_rule_basis": "assumed",
    }  # fmt: skip
    assert (document["outcome"], document["victim_pid"], document["selected_pid"]) == ("kill", 2, 2)
    assert document["group"] == {
        "path": "/a", "killed": [{"pid": 2, "comm": "p2"}], "spared": [{"pid": 3, "comm": "p3"}],
        "frees_bytes": 30 * MIB, "frees_swap_bytes": 0,
    }  # fmt: skip
    assert document["excluded"] == [{"pid": 3, "comm": "p3", "reason": "oom-score-adj-min"}]
    assert (document["margin_points"], document["sureness"]) == (None, "certain")
