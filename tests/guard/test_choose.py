"""Choosing: among whom, what is killed as one, what is passed over, and what the record says."""

from __future__ import annotations

import pytest

from memwarden.guard import choose, judge
from memwarden.guard.ir import Amount, Choice, Weight
from memwarden.guard.never import Guarded
from memwarden.state.intents import CgroupId, ProcessId
from memwarden.state.process import PF_KTHREAD
from memwarden.units import MIB
from tests.guard.choices import by, candidates, chosen, live, name, ranked, seen, why_not
from tests.rules.machines import process


def held(path, mib, **fields):
    """A cgroup with so many MiB that only a death gives back."""
    return live(path, held=mib, current_bytes=int(mib * MIB), **fields)


MACHINE = (
    held("/", 300),
    held("/system.slice", 180),
    held("/system.slice/db.service", 100),
    held("/system.slice/sshd.service", 60),
    held("/system.slice/web.service", 20),
    held("/work.slice", 120),
    held("/work.slice/a", 70),
    held("/work.slice/a/1", 40),
    held("/work.slice/a/2", 30),
    held("/work.slice/b", 50),
)


@pytest.mark.parametrize(
    "choice",
    [by("size", units="recursive"), by("size", weights=(Weight("size"), Weight("swap")))],
    ids=["units", "weights"],
)
def test_where_all_are_to_be_looked_into_nobody_is_twice(monkeypatch, choice):
    made = []
    monkeypatch.setattr(choose, "Judge", lambda *about: made.append(about) or judge.Judge(*about))
    assert choose.considered(choice, seen(*MACHINE), Guarded())
    assert len(made) == 1


def test_units():
    view = seen(*MACHINE)
    assert chosen(by("size"), view) == "/system.slice/db.service"
    assert chosen(by("size", units="recursive"), view) == "/system.slice/db.service"
    assert chosen(by("size", "/work.slice/*", units="matched"), view) == "/work.slice/a"
    assert chosen(by("size", "/work.slice/*", units="leaf"), view) == "/work.slice/b"
    assert chosen(by("size", "/work.slice/*", units="recursive"), view) == "/work.slice/a/1"


def test_no_glob_is_everything():
    view = seen(*MACHINE)
    for units in ("leaf", "recursive"):
        assert chosen(by("size", units=units)._replace(cgroups=()), view) == "/system.slice/db.service"


def test_relative_globs():
    view = seen(*MACHINE).at("/work.slice")
    assert chosen(by("size", "./*"), view) == "/work.slice/b"
    assert chosen(by("size", ".", units="recursive"), view) == "/work.slice/a/1"


def test_a_part_of_the_hierarchy_will_do():
    view = seen(*MACHINE[5:])
    assert chosen(by("size"), view) == "/work.slice/b"
    assert chosen(by("size", units="recursive"), view) == "/work.slice/a/1"
    assert candidates(by("size"), seen()) == ()


def test_oom_group_makes_one_unit():
    grouped = [each._replace(oom_group=True) if each.path == "/work.slice/a" else each for each in MACHINE]
    view = seen(*grouped)
    for units in ("leaf", "recursive"):
        assert chosen(by("size", "/work.slice", units=units), view) == "/work.slice/a"


def test_the_record_of_a_choice():
    found = candidates(by("size"), seen(*MACHINE), Guarded(protect=["db.service"]))
    told = [(name(each.target), each.why_not, each.stands_for) for each in found]
    assert told == [
        ("/work.slice/b", "", 1),
        ("/work.slice/a/1", "lower: size 40.0 MiB", 1),
        ("/work.slice/a/2", "lower: size 30.0 MiB", 1),
        ("/system.slice/web.service", "lower: size 20.0 MiB", 1),
        ("/system.slice/db.service", "protected: db.service", 1),
        ("/system.slice/sshd.service", "never: sshd.service is on the built-in list", 1),
    ]
    first = found[0]
    assert isinstance(first.target, CgroupId)
    assert (first.score, first.numbers) == (50 * MIB, (("size", 50 * MIB),))
    assert (first.mark, first.unit) == ("normal", "work.slice")


def test_a_subtree_that_cannot_win_is_one_entry():
    found = candidates(by("size"), seen(*MACHINE))
    told = [(name(each.target), each.why_not, each.stands_for) for each in found]
    # 100 MiB of the database: work.slice with 120 is gone into, its a with 70 and b with 50 cannot win.
    assert told == [
        ("/system.slice/db.service", "", 1),
        ("/work.slice/b", "lower: size 50.0 MiB", 1),
        ("/system.slice/web.service", "lower: size 20.0 MiB", 1),
        ("/system.slice/sshd.service", "never: sshd.service is on the built-in list", 1),
        ("/work.slice/a", "pruned: size at most 70.0 MiB in each of 3", 3),
    ]


def test_the_suspects_are_leaves_that_were_looked_at():
    """As in the record above: work.slice/a cannot win, so that it is none, whatever is below it."""
    found = choose.suspects(by("size"), seen(*MACHINE), Guarded(), most=4)
    assert found == ("/system.slice/db.service", "/work.slice/b", "/system.slice/web.service")


def test_a_cgroup_whose_children_have_no_memory_of_their_own_is_one():
    bare = {"controllers": ("cpu", "pids"), "populated": True}
    view = seen(held("/s", 9), live("/s/a", **bare), live("/s/b", **bare), held("/t", 5))
    for units in ("leaf", "recursive"):
        assert ranked(by("size", "/*", units=units), view) == ["/s", "/t"]
    keep = Guarded(protect=["/s/b"])
    assert why_not(by("size", "/*"), view, keep)["/s"] == "protected: holds /s/b, /s/b"


def test_recursion_into_a_tree_begins_at_its_top():
    view = seen(*MACHINE)
    found = candidates(by("size", "/work.slice", "/work.slice/**", units="recursive"), view)
    assert [name(each.target) for each in found if not each.why_not.startswith("pruned")] == [
        "/work.slice/a/1",
        "/work.slice/a/2",
        "/work.slice/b",
    ]


def test_what_nobody_kills_is_not_gone_into():
    machine = (*MACHINE, held("/system.slice/db.service/x", 90), held("/system.slice/db.service/y", 10))
    view = seen(*machine)
    for units in ("leaf", "recursive"):
        told = candidates(by("size", units=units, omit=("db.service",)), view)
        [entry] = [each for each in told if name(each.target) == "/system.slice/db.service"]
        assert (entry.why_not, entry.stands_for) == ("omit: db.service", 3)
        [entry] = [
            each
            for each in candidates(by("size", units=units), view, Guarded(protect=["db.service"]))
            if name(each.target) == "/system.slice/db.service"
        ]
        assert (entry.why_not, entry.stands_for) == ("protected: db.service", 3)


def test_below_what_may_not_be_killed_whole_one_may():
    guarded = Guarded(protect=["1"])
    view = seen(*MACHINE)
    assert why_not(by("size", "/work.slice/a", units="matched"), view, guarded) == {
        "/work.slice/a": "protected: holds /work.slice/a/1, 1"
    }
    for units in ("leaf", "recursive"):
        assert chosen(by("size", "/work.slice/a", units=units), view, guarded) == "/work.slice/a/2"


def test_a_whole_that_holds_an_omitted_one_is_not_killed():
    view = seen(*MACHINE)
    choice = by("size", "/work.slice/*", units="matched", omit=("/work.slice/a/2",))
    assert why_not(choice, view) == {
        "/work.slice/b": "",
        "/work.slice/a": "omit: holds /work.slice/a/2",
    }


def test_marks_before_figures():
    view = seen(*MACHINE)
    order = ranked(by("size", "/work.slice", prefer=("/work.slice/a/2",), avoid=("/work.slice/b",)), view)
    assert order == ["/work.slice/a/2", "/work.slice/a/1", "/work.slice/b"]
    told = why_not(by("size", "/work.slice", prefer=("/work.slice/a/2",), avoid=("/work.slice/b",)), view)
    assert told["/work.slice/a/1"] == "lower: /work.slice/a/2 is preferred"
    assert told["/work.slice/b"] == "lower: to be avoided, /work.slice/b"


def test_an_avoided_one_dies_when_there_is_no_other():
    view = seen(*MACHINE)
    choice = by("size", "/work.slice", avoid=("/work.slice",))
    assert ranked(choice, view) == ["/work.slice/b", "/work.slice/a/1", "/work.slice/a/2"]
    assert why_not(choice, view)["/work.slice/a/1"] == "lower: size 40.0 MiB"


def test_the_next_one_after_one_that_failed():
    view = seen(*MACHINE)
    choice = by("size", "/work.slice")
    inode = view.snapshot.cgroups["/work.slice/b"].inode
    assert chosen(choice, view, failed=[CgroupId("/work.slice/b", inode)]) == "/work.slice/a/1"
    assert chosen(choice, view, failed=[CgroupId("/work.slice/b", inode + 1)]) == "/work.slice/b"
    told = why_not(choice, view, failed=[CgroupId("/work.slice/b", inode)])
    assert told["/work.slice/b"] == "failed: it was tried already"


def test_a_failed_process_is_known_whatever_it_calls_itself_now():
    view = seen(processes={7: process(7, 5), 8: process(8, 3)})
    choice = by("size", units="process")
    assert chosen(choice, view) == 7
    assert chosen(choice, view, failed=[ProcessId(7, 7, "older-name")]) == 8
    assert chosen(choice, view, failed=[ProcessId(7, 6, "p7")]) == 7


def test_ties_are_broken_by_name_and_pid():
    view = seen(held("/b", 5), held("/a", 5), held("/c", 5))
    for units in ("leaf", "matched", "recursive"):
        assert ranked(by("size", "/*", units=units), view) == ["/a", "/b", "/c"]
    assert why_not(by("size", "/*"), view)["/c"] == "lower: equal, and later by name"
    view = seen(processes={pid: process(pid, 5) for pid in (9, 11, 100)})
    assert ranked(by("size", units="process"), view) == [9, 11, 100]


def test_processes_by_the_cgroups_they_are_in():
    known = {
        7: process(7, 5, cgroup="/work.slice/a/1"),
        8: process(8, 9, cgroup="/system.slice/web.service"),
        9: process(9, 99, cgroup=None),
        10: process(10, flags=PF_KTHREAD, cgroup="/work.slice/a/1"),
    }
    view = seen(*MACHINE, processes=known)
    assert ranked(by("size", "/work.slice/a", units="process"), view) == [7]
    assert ranked(by("size", "/**", units="process"), view) == [9, 8, 7]


def test_empty_ones():
    view = seen(
        live("/populated", populated=False, held=9),
        live("/reaped", stat={"anon": 0, "shmem": 5}),
        live("/v1", populated=None, procs=(), version=1, held=9),
        live("/v1/below", populated=None, procs=(), version=1, held=9),
        live("/v2", populated=None, procs=(7,), version=1, held=9),
        live("/unknown", populated=None, held=8)._replace(procs=None),
    )
    told = why_not(by("size", "/*", units="matched"), view)
    assert told["/populated"] == told["/v1"] == "empty: no process"
    assert told["/reaped"] == "empty: nothing anonymous"
    assert told["/v2"] == ""


def test_without_members_or_population_one_may_hold_something():
    snapshot = seen(live("/a", populated=None, held=8)).snapshot
    bare = snapshot._replace(cgroups={"/a": snapshot.cgroups["/a"]._replace(procs=None)})
    view = seen(live("/a"))
    view.snapshot = bare
    assert why_not(by("size", "/*", units="matched"), view) == {"/a": ""}


def test_a_child_that_vanished_while_it_was_listed():
    view = seen(*MACHINE)
    cgroups = {path: each for path, each in view.snapshot.cgroups.items() if path != "/work.slice/b"}
    view.snapshot = view.snapshot._replace(cgroups=cgroups)
    for units in ("leaf", "recursive"):
        assert chosen(by("size", "/work.slice", units=units), view) == "/work.slice/a/1"


def test_the_least_of_the_first_key():
    view = seen(*MACHINE, meminfo={"MemTotal": 400 * MIB})
    assert ranked(by("size", least=Amount(bytes=60 * MIB)), view)[0] == "/system.slice/db.service"
    # a quarter of 400 MiB is the database's 100, which is not more.
    assert chosen(by("size", least=Amount(ppm=250_000)), view) is None
    told = why_not(by("size", "/work.slice/b", least=Amount(ppm=250_000)), view)
    assert told == {"/work.slice/b": "lower: size 50.0 MiB, not more than 100 MiB"}


def test_least_of_a_key_whose_zero_means_something():
    known = {7: process(7, cgroup="/a", oom_score_adj=0), 8: process(8, cgroup="/b", oom_score_adj=-5)}
    view = seen(held("/a", 1), held("/b", 1), processes=known)
    assert ranked(by("priority", "/*"), view) == ["/a", "/b"]
    assert chosen(by("priority", "/*", least=Amount(bytes=1)), view) is None


# Weights


def test_weighted_terms_are_scaled_to_the_greatest_candidate():
    view = seen(
        held("/a", 100, swap_current_bytes=0),
        held("/b", 60, swap_current_bytes=40 * MIB),
        held("/keep", 1000, swap_current_bytes=1000 * MIB),
    )
    # a: 1.0 * 100 / 100 + 0 = 1.0; b: 1.0 * 100 / 100 (60 MiB and 40 in swap) + 0.5 * 40 / 40 = 1.5
    choice = by("size", "/*", weights=(Weight("size", 1.0), Weight("swap", 0.5)))
    found = candidates(choice, view, Guarded(protect=["/keep"]))
    assert [(name(each.target), each.score) for each in found[:2]] == [("/b", 1.5), ("/a", 1.0)]
    assert found[1].why_not == "lower: size 100 MiB and swap 0 B"
    assert dict(found[0].numbers) == {"size": 100 * MIB, "swap": 40 * MIB}


def test_a_term_that_nobody_has_counts_for_nothing():
    view = seen(held("/a", 100), held("/b", 60))
    choice = by("size", "/*", weights=(Weight("size"), Weight("swap"), Weight("growth")))
    assert [each.score for each in candidates(choice, view)] == [1.0, 0.6]


def test_adjustments_add_to_the_first_key():
    view = seen(*MACHINE)
    for units in ("leaf", "recursive"):
        choice = by("size", "/work.slice", units=units, adjust=(("/work.slice/a", 100.0 * MIB),))
        assert chosen(choice, view) == "/work.slice/a/1"
    choice = by("size", "/work.slice", adjust=(("/work.slice/b", -60.0 * MIB),))
    assert chosen(choice, view) == "/work.slice/a/1"
    assert why_not(choice, view)["/work.slice/b"] == "lower: size -10.0 MiB, not more than 0 B"
    choice = by("size", "/work.slice", weights=(Weight("size"), Weight("swap")), adjust=(("2", 900.0 * MIB),))
    assert chosen(choice, view) == "/work.slice/a/2"


def test_what_a_decision_shows_for_people():
    view = seen(held("/a", 1), held("/b", 1))
    assert (
        why_not(by("growth", "/*", least=Amount(bytes=-1)), view)["/b"] == "lower: equal, and later by name"
    )
    known = {7: process(7, 5, cgroup="/a", oom_score=7), 8: process(8, 1, cgroup="/b", oom_score=6)}
    view = seen(held("/a", 1), held("/b", 1), processes=known)
    assert why_not(by("oom-score", "/*"), view)["/b"] == "lower: oom-score 6 points"
    looks = [[held("/a", 10 + 5 * number), held("/b", 10 + number)] for number in range(6)]
    view = seen(*looks[-1], before=looks[:-1])
    assert why_not(by("growth", "/*"), view)["/b"] == "lower: growth 1.00 MiB/s"


# Bounds on the record


def test_beyond_the_first_few_one_entry_stands_for_the_rest():
    view = seen(*[held(f"/s/{number:03}", 100 - number / 10) for number in range(200)])
    found = candidates(by("growth", "/s/*", least=Amount(bytes=-1)), view)
    assert [each.stands_for for each in found] == [1] * 17 + [183]
    assert found[-1].why_not == "lower: equal, and later by name, and 182 more"
    assert sum(each.stands_for for each in found) == 200


def test_many_refused_ones_are_told_by_kind():
    made = [held(f"/s/{number:03}", 5, populated=number % 2 == 0 and None) for number in range(100)]
    view = seen(*[each._replace(populated=False) for each in made[:60]], held("/s/x", 1))
    found = candidates(by("size", "/s/*", units="matched"), view)
    assert [each.stands_for for each in found] == [1] + [1] * 16 + [44]
    assert found[-1].why_not == "empty: no process, and 43 more"


def test_leaves_that_cannot_win_stand_together():
    slice_ = held("/s", 6000)
    view = seen(held("/", 6000), slice_, *[held(f"/s/{number:03}", 200 - number) for number in range(100)])
    found = candidates(by("size"), view)
    assert name(found[0].target) == "/s/000"
    assert [each.stands_for for each in found[1:]] == [1] * 16 + [83]
    # the chosen one and 16 others: the next is the 18th, 200 - 17.
    assert (name(found[-1].target), found[-1].why_not) == (
        "/s",
        "pruned: size at most 183 MiB in each of 83",
    )


def test_tops_that_cannot_win_have_an_entry_each():
    view = seen(*[held(f"/{number:03}", 200 - number) for number in range(40)])
    assert [each.stands_for for each in candidates(by("size", "/*"), view)] == [1] * 17 + [23]


def test_compiled_preferences_are_kept_and_bounded(monkeypatch):
    monkeypatch.setattr(judge, "_MANY", 2)
    judge._known_markers.clear()
    judge._known_adjustments.clear()
    view = seen(*MACHINE)
    for number in range(5):
        choice = by("size", omit=(f"/{number}",), adjust=((f"/{number}", 1.0),))
        assert chosen(choice, view) == "/system.slice/db.service"
        kept = judge._known_markers[choice.preferences]
        candidates(choice, view)
        assert judge._known_markers[choice.preferences] is kept
    assert len(judge._known_markers) <= 2
    assert len(judge._known_adjustments) <= 2


def test_recursion_stops_where_the_choice_is_made():
    found = candidates(by("size", units="recursive"), seen(*MACHINE))
    told = {name(each.target): (each.why_not, each.stands_for) for each in found}
    assert told["/work.slice"] == ("pruned: size 120 MiB, lower than what was gone into", 5)


def test_a_subtree_that_holds_a_preferred_one_is_gone_into():
    view = seen(*MACHINE)
    assert chosen(by("size", prefer=("2",)), view) == "/work.slice/a/2"
    marked = [
        each._replace(marks=("user.oomd_prefer",)) if each.path.endswith("/2") else each for each in MACHINE
    ]
    assert chosen(by("size"), seen(*marked)) == "/work.slice/a/2"


def test_an_unknown_bound_is_gone_into():
    view = seen(live("/a"), held("/a/b", 5), held("/c", 9))
    assert ranked(by("size"), view) == ["/c", "/a/b"]


def test_a_subtree_that_only_equals_the_best_is_gone_into():
    # Both hold 10; what they have in swap decides, and that is in the subtree.
    view = seen(held("/a", 10), live("/b", stat={"anon": 8 * MIB}, swap_current_bytes=2 * MIB))
    deeper = seen(
        held("/a", 10),
        live("/b", stat={"anon": 8 * MIB}, swap_current_bytes=2 * MIB),
        live("/b/c", stat={"anon": 8 * MIB}, swap_current_bytes=2 * MIB),
    )
    assert chosen(by("size", ties=("swap",)), view) == "/b"
    assert chosen(by("size", ties=("swap",)), deeper) == "/b/c"


def test_one_that_is_to_be_avoided_beats_nobody():
    view = seen(held("/a", 100), held("/b", 60), held("/b/1", 30), held("/b/2", 30))
    assert chosen(by("size", avoid=("/a",)), view) == "/b/1"


def test_an_adjustment_may_raise_what_is_in_a_small_subtree():
    view = seen(held("/a", 100), held("/b", 60), held("/b/1", 30), held("/b/2", 30))
    assert chosen(by("size", adjust=(("/b/2", 90.0 * MIB),)), view) == "/b/2"


def test_who_took_is_found_where_others_gave_as_much_back():
    now = [held("/s", 60), held("/s/x", 50), held("/s/y", 10), held("/z", 20)]
    view = seen(*now, before=([held("/s", 70), held("/s/x", 0), held("/s/y", 70), held("/z", 0)],))
    view.history.mark_calm(seen(held("/s", 70), held("/s/x", 0), held("/s/y", 70), held("/z", 0)).snapshot)
    assert chosen(by("culprit"), view) == "/s/x"


def test_one_with_too_little_beats_nobody():
    # /a has 5 of swap, above its fair share; the others have 20 each, all of it fair; 10 is too little.
    others = [
        live(f"/{number:02}", swap_current_bytes=20, current_bytes=40, low_bytes=40) for number in range(30)
    ]
    view = seen(
        live("/"),
        live("/a", swap_current_bytes=5),
        *others,
        meminfo={"MemTotal": 100, "SwapTotal": 100},
    )
    keep = Guarded(protect=[each.path for each in others[:29]])
    assert chosen(by("swap-biased", least=Amount(bytes=10)), view, keep) == "/29"


def test_whom_nobody_kills_is_said_before_who_is_omitted():
    view = seen(held("/a", 5), held("/b", 3, populated=False))
    told = why_not(by("size", "/*", omit=("/*",)), view, Guarded(protect=["/a"]))
    assert told == {"/a": "protected: /a", "/b": "omit: /*"}


def test_the_default_choice_is_by_culprit():
    view = seen(*MACHINE)
    assert chosen(Choice(), view) == "/system.slice/db.service"
    assert choose.LISTED == 16


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/", None),
        ("/system.slice", "system.slice"),
        ("/system.slice/web.service/worker.service", "web.service"),
        ("/user.slice/user-7.slice/user@7.service/init.scope", "init.scope"),
        ("/lxc/ct/system.slice", "system.slice"),
    ],
)
def test_units_of_paths(path, unit):
    assert judge.unit_of(path) == unit
