"""What must hold of any choice: nobody is killed who may not be, and looking less finds the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memwarden.guard import acts, choose, written
from memwarden.guard.ir import Amount, Choice, Preferences, Ranking, Weight
from memwarden.guard.judge import Judge
from memwarden.guard.marks import ORDER, Marker
from memwarden.guard.names import Names
from memwarden.guard.never import Guarded
from memwarden.guard.rankings import KEYS
from memwarden.guard.view import View
from memwarden.state.cgroup import ancestry
from memwarden.state.process import PF_KTHREAD
from memwarden.state.snapshot import Instant
from tests.guard.choices import by, chosen, name, seen
from tests.guard.ticks import group
from tests.rules.machines import process

NAMES = st.sampled_from(["a", "b", "sshd.service", "web.service", "x.slice"])
KEY = st.sampled_from(sorted(KEYS))
SIZES = st.integers(0, 4)
MARKS = st.sampled_from(
    [(), (), (), ("user.oomd_prefer",), ("user.oomd_avoid",), ("user.oomd_omit",), ("trusted.oomd_avoid",)]
)
ENTRIES = st.lists(
    st.sampled_from(["/a", "b", "web.service", "/x.slice/**", "comm:java", "uid:7", "cgroup~b$"]), max_size=2
).map(tuple)


@st.composite
def machines(draw):
    """Cgroups whose figures are hierarchical, as the kernel's are, some processes, and an earlier look."""
    paths = {"/"}
    for _ in range(draw(st.integers(1, 9))):
        above = draw(st.sampled_from(sorted(path for path in paths if path.count("/") < 4)))
        paths.add(f"{above.rstrip('/')}/{draw(NAMES)}")
    own = {
        path: {key: draw(SIZES) for key in ("anon", "shmem", "pgscan", "swap", "io", "kernel", "before")}
        for path in paths
    }
    known = {}
    for pid in range(draw(st.integers(0, 6))):
        known[pid + 1] = process(
            pid + 1,
            comm=draw(st.sampled_from(["java", "sshd", "sh"])),
            cgroup=draw(st.sampled_from(sorted(paths))),
            rss_bytes=draw(SIZES) * 4096,
            oom_score=draw(SIZES),
            oom_score_adj=draw(st.sampled_from([0, 5, -5, -1000])),
            uid=draw(st.sampled_from([0, 7])),
            ppid=draw(st.sampled_from([1, 2])),
            flags=draw(st.sampled_from([0, 0, 0, PF_KTHREAD])),
            state=draw(st.sampled_from(["S", "S", "Z"])),
        )

    def total(path, key):
        return sum(figures[key] for each, figures in own.items() if path in ancestry(each))

    def cgroup(path, *, earlier):
        stat = {key: total(path, key) for key in ("anon", "shmem", "kernel")}
        stat["pgscan"] = 0 if earlier else total(path, "pgscan")
        if earlier:
            stat["anon"] = total(path, "before")
        return group(
            path,
            stat=stat,
            swap_current_bytes=total(path, "swap"),
            current_bytes=sum(total(path, key) for key in ("anon", "shmem", "kernel")),
            io_bytes={"8:0": (0 if earlier else total(path, "io"), 0)},
        )

    extras = {
        path: {
            "populated": draw(st.sampled_from([True, True, True, False])),
            "oom_group": draw(st.sampled_from([False, False, True])),
            "marks": draw(MARKS),
            "owner_uid": draw(st.sampled_from([0, 0, 7])),
            "low_bytes": draw(st.sampled_from([0, 0, 2, 5])),
        }
        for path in paths
    }
    order = sorted(paths)
    view = seen(
        *[cgroup(path, earlier=False)._replace(**extras[path]) for path in order],
        before=([cgroup(path, earlier=True) for path in order],),
        processes=known,
        meminfo={"MemTotal": 100, "SwapTotal": 50, "MemAvailable": 20},
    )
    if draw(st.booleans()):
        earlier = seen(*[cgroup(path, earlier=True) for path in order]).snapshot
        view.history.mark_calm(earlier)
    return view


RANKINGS = st.builds(
    Ranking,
    st.lists(st.builds(Weight, KEY, st.sampled_from([0.5, 1.0, 2.0])), min_size=1, max_size=2).map(tuple),
    st.sampled_from([Amount(bytes=0), Amount(bytes=0), Amount(bytes=-1), Amount(bytes=3)]),
    st.just(()),
    st.lists(KEY, max_size=1).map(tuple),
    st.lists(
        st.tuples(st.sampled_from(["/a", "b", "comm:java"]), st.sampled_from([-2.0, 3.0])), max_size=1
    ).map(tuple),
)
CHOICES = st.builds(
    Choice,
    st.sampled_from([("/**",), ("/*",), ("b", "web.service"), ("/x.slice",), ("/a/**",), ()]),
    st.sampled_from(["leaf", "recursive", "matched", "process"]),
    RANKINGS,
    st.builds(Preferences, ENTRIES, ENTRIES, ENTRIES, st.sampled_from([(), ("systemd", "oomd"), ("oomd",)])),
)
GUARDS = st.builds(
    lambda protect, own: Guarded(protect=protect, own_pid=own, own_cgroup="/b"),
    ENTRIES,
    st.sampled_from([None, 3]),
)


def held_by(target, snapshot):
    """Cgroups and processes that die with it, or would."""
    if isinstance(target, str):
        return list(snapshot.subtree(target)), list(snapshot.members(target))
    return [], [snapshot.processes[target]]


@settings(max_examples=150, deadline=None)
@given(machines(), CHOICES, ENTRIES, st.sampled_from([None, 3]))
def test_nobody_is_killed_who_may_not_be(view, choice, protect, own_pid):
    guarded = Guarded(protect=protect, own_pid=own_pid, own_cgroup="/b")
    victim = chosen(choice, view, guarded)
    if victim is None:
        return
    snapshot = view.snapshot
    cgroups, processes = held_by(victim, snapshot)
    assert victim not in ("/", 1, own_pid)
    for one in cgroups:
        # Written down here anew: the first component that is no slice, ours, and what the policy names.
        first = next((part for part in one.path.split("/")[1:] if not part.endswith(".slice")), None)
        assert first != "sshd.service"
        assert "/b" not in ancestry(one.path)
        for entries in (protect, choice.preferences.omit):
            assert Names(entries).of_path_or_above(one.path) is None
        if "systemd" in choice.preferences.xattrs and one.owner_uid == 0:
            assert "user.oomd_omit" not in one.marks or choice.preferences.prefer or choice.preferences.avoid
    for one in processes:
        if one.is_kernel_thread:
            assert isinstance(victim, str)
            continue
        assert one.pid not in (1, own_pid)
        assert not (one.comm == "sshd" and one.ppid == 1 and one.uid == 0)
        for entries in (protect, choice.preferences.omit):
            assert Names(entries).of_process(one) is None
    if isinstance(victim, int):
        [one] = processes
        assert one.oom_score_adj != -1000
        assert one.state != "Z"
    else:
        assert cgroups[0].populated
    if choice.units in ("leaf", "recursive"):
        assert not cgroups[0].children or cgroups[0].oom_group


@settings(max_examples=80, deadline=None)
@given(machines(), CHOICES, GUARDS)
def test_preferred_before_normal_before_avoided(view, choice, guarded):
    if choice.units == "recursive":  # there siblings are compared, not all of them
        choice = choice._replace(units="leaf")
    found = choose.order(choice, view, guarded)
    killable = [each for each in found if not each.why_not or each.why_not.startswith("lower")]
    enough = [each for each in killable if "not more than" not in each.why_not]
    assert [ORDER[each.mark] for each in enough] == sorted(ORDER[each.mark] for each in enough)
    marker, snapshot = Marker(choice.preferences), view.snapshot
    if choice.units == "matched" and enough:
        marks = [marker.of_cgroup(snapshot.cgroups[name(each.target)], snapshot).mark for each in enough]
        assert marks == [each.mark for each in enough]


@settings(max_examples=250, deadline=None)
@given(machines(), CHOICES, GUARDS)
def test_pruning_never_changes_the_choice(view, choice, guarded):
    choice = choice._replace(
        units="leaf", ranking=choice.ranking._replace(weights=choice.ranking.weights[:1])
    )
    pruned = chosen(choice, view, guarded)
    with_all = _unpruned(choice, view, guarded)
    assert pruned == with_all


def _unpruned(choice, view, guarded):
    saved = choose._prunes
    choose._prunes = lambda _: False
    try:
        return chosen(choice, view, guarded)
    finally:
        choose._prunes = saved


@settings(max_examples=150, deadline=None)
@given(machines(), CHOICES, GUARDS, st.sets(st.integers(0, 9)))
def test_whoever_is_as_at_the_calm_moment_need_not_be_asked(view, choice, guarded, moved):
    history, calm = view.history, view.snapshot
    history.mark_calm(calm)
    later = {
        path: one._replace(stat={**one.stat, "anon": one.stat["anon"] + 1}) if number in moved else one
        for number, (path, one) in enumerate(calm.cgroups.items())
    }
    instant = Instant(calm.instant.monotonic_us + 1)
    view = View(calm._replace(instant=instant, cgroups=later), history)
    history.add(view.snapshot)
    choice = choice._replace(units="leaf", ranking=choice.ranking._replace(weights=(Weight("culprit"),)))
    assert choose.order(choice, view, guarded) == _asking_all(choice, view, guarded)


def _asking_all(choice, view, guarded):
    saved = Judge.among
    Judge.among = lambda _: None
    try:
        return choose.order(choice, view, guarded)
    finally:
        Judge.among = saved


@settings(max_examples=250, deadline=None)
@given(machines(), CHOICES, GUARDS, st.sampled_from([key for key in sorted(KEYS) if KEYS[key].bound]))
def test_who_is_chosen_before_the_others_are_looked_into_is_the_first_of_all(view, choice, guarded, key):
    ranking = choice.ranking._replace(weights=(Weight(key),))  # of several nobody can be told before all
    choice = choice._replace(units="leaf", ranking=ranking)
    expected = choose.order(choice, view, guarded)
    found = choose.considered(choice, view, guarded)
    assert acts.first(found) == acts.first(expected)
    assert found == expected
    assert written.plain(found) == written.plain(expected)


@settings(max_examples=150, deadline=None)
@given(machines(), CHOICES, GUARDS, st.integers(1, 4))
def test_the_suspects_are_the_first_of_the_record(view, choice, guarded, most):
    if choice.units == "process":
        return
    found = choose.order(choice, view, guarded)
    after = [one for one in found if one.why_not.startswith("lower") and one.score > 0]
    first = found[:1] if found and not found[0].why_not else ()
    expected = tuple([name(one.target) for one in (*first, *after)][:most]) if first else ()
    assert choose.suspects(choice, view, guarded, most=most) == expected


@settings(max_examples=250, deadline=None)
@given(machines(), CHOICES, GUARDS)
def test_the_processes_of_the_chosen_one_suffice(view, choice, guarded):
    whole, read = view.snapshot, set()
    while choose.few_suffice(choice):
        few = {pid: one for pid, one in whole.processes.items() if not read.isdisjoint(ancestry(one.cgroup))}
        partial = View(whole._replace(processes=few), view.history)
        found = chosen(choice, partial, guarded)
        if found is None or not read.isdisjoint(ancestry(found)):
            assert found == chosen(choice, view, guarded)
            break
        read.add(found)


@pytest.mark.parametrize(
    ("choice", "suffice"),
    [
        (by("culprit"), True),
        (by("size", ties=("current",), avoid=("web.service",), adjust=(("/a", 1.0),)), True),
        (by("size", units="recursive"), True),
        (by("size", units="process"), False),
        (by("rss"), False),
        (by("badness"), False),
        (by("oom-score"), False),
        (by("priority"), False),
        (by("size", ties=("priority",)), False),
        (by("size", prefer=("comm:java",)), False),
        (by("size", adjust=(("comm:java", 1.0),)), False),
        (by("size", weights=(Weight("size", 1.0), Weight("swap", 1.0))), False),
    ],
)
def test_whether_the_processes_of_the_chosen_one_suffice(choice, suffice):
    assert choose.few_suffice(choice) is suffice


@settings(max_examples=50, deadline=None)
@given(machines(), CHOICES, GUARDS)
def test_one_that_failed_gives_way_to_the_next_until_nobody_is_left(view, choice, guarded):
    failed, seen_ = [], []
    while True:
        found = choose.order(choice, view, guarded, failed=frozenset(failed))
        if not found or found[0].why_not:
            break
        assert found[0].target not in failed
        failed.append(found[0].target)
        seen_.append(found[0])
    if choice.units != "recursive" and len(choice.ranking.weights) == 1:
        # A weighted sum is scaled anew when the greatest falls out.
        assert [ORDER[each.mark] for each in seen_] == sorted(ORDER[each.mark] for each in seen_)


@settings(max_examples=50, deadline=None)
@given(machines(), CHOICES, GUARDS)
def test_choosing_twice_is_choosing_the_same(view, choice, guarded):
    assert choose.order(choice, view, guarded) == choose.order(choice, view, guarded)


@given(machines(), CHOICES)
def test_every_cgroup_is_accounted_for(view, choice):
    choice = choice._replace(units="leaf", cgroups=("/**",))
    found = choose.order(choice, view, Guarded())
    leaves, waiting = 0, ["/"]
    while waiting:
        one = view.snapshot.cgroups[waiting.pop()]
        if one.children and not one.oom_group:
            waiting += one.children
        else:
            leaves += 1
    assert sum(each.stands_for for each in found) >= leaves
