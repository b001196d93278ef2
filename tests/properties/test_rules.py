"""What must hold of the rules for any machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memwarden.rules.badness import TaskMemory, memcg_total_pages, memcg_v1_total_pages, oom_badness
from memwarden.rules.headroom import Headrooms
from memwarden.rules.identity import identify
from memwarden.rules.ladder import Ladder
from memwarden.rules.oom_score import oom_score
from memwarden.rules.protection import effective_protection, effective_protections
from memwarden.rules.reclaimable import reclaimable, reclaimable_on_machine, swappable_on_machine
from memwarden.rules.scope import system_scope
from memwarden.rules.victim import rank
from memwarden.state.traits import BadnessRule, KernelTraits
from memwarden.units import MAX, Max
from tests.rules.machines import cgroup, process, snapshot

PAGE = 4096
pages = st.integers(0, 1 << 40)
adj = st.integers(-999, 1000)
totals = st.integers(0, 1 << 45)
RULES = st.sampled_from([rule for rule in BadnessRule if rule is not BadnessRule.LEGACY])
limits = st.one_of(st.just(MAX), st.integers(0, 1 << 28).map(lambda count: count * PAGE))


def points(task, total, rule):
    badness = oom_badness(task, total, rule)
    assert badness is not None
    return badness.points


tasks = st.builds(TaskMemory, pages, pages, pages, adj, st.booleans())


@given(tasks, totals, RULES, st.integers(0, 1 << 20))
def test_more_memory_never_means_fewer_points(task, total, rule, more):
    less = points(task, total, rule)
    assert points(task._replace(rss_pages=task.rss_pages + more), total, rule) >= less
    assert points(task._replace(swap_pages=task.swap_pages + more), total, rule) >= less
    assert points(task._replace(pgtables_pages=task.pgtables_pages + more), total, rule) >= less


@given(pages, adj, totals, RULES, st.integers(0, 1999))
def test_a_higher_adj_never_means_fewer_points(rss, own, total, rule, more):
    higher = min(own + more, 1000)
    assert points(TaskMemory(rss, 0, 0, higher), total, rule) >= points(
        TaskMemory(rss, 0, 0, own), total, rule
    )


@given(tasks, totals, RULES)
def test_terms_make_up_the_points(task, total, rule):
    badness = oom_badness(task, total, rule)
    assert badness is not None
    assert badness.root_bonus_pages <= 0
    if rule is not BadnessRule.PERMILLE:
        whole = badness.memory_pages + badness.adj_pages + badness.root_bonus_pages
        assert badness.points == (1 if badness.raised else whole)
    assert rule is BadnessRule.SIGNED or badness.points >= 1


@given(pages, adj, totals)
def test_oom_score_is_within_its_range(rss, own, total):
    score = oom_score(
        points(TaskMemory(min(rss, total), 0, 0, own), total, BadnessRule.SIGNED), total, BadnessRule.SIGNED
    )
    assert 0 <= score <= 2000


@given(st.integers(0, 1 << 40), limits, st.integers(0, 1 << 30))
def test_swap_never_lessens_a_memcgs_total(limit, swap_max, swap):
    of_v2 = memcg_total_pages(limit, swap_max, swap)
    assert max(limit, 1) <= of_v2 <= max(limit + swap, 1)
    assert max(limit, 1) <= memcg_v1_total_pages(limit, swap_max + limit, swap) <= max(limit + swap, 1)


family = st.lists(st.tuples(st.integers(0, 1 << 24), st.integers(0, 1 << 24)), min_size=1, max_size=6)


@given(family, st.integers(0, 1 << 26), st.integers(0, 1 << 20), st.booleans())
def test_children_never_get_more_than_their_parent_has(children, above, own_pages, recursive):
    usage = sum(used for used, _ in children) + own_pages
    claims = sum(min(used, wanted) for used, wanted in children)
    shares = [
        effective_protection(used, usage, wanted, above, claims, recursive=recursive)
        for used, wanted in children
    ]
    if claims > above:
        assert sum(shares) <= above
    elif not recursive:
        assert sum(shares) == claims
    else:
        assert claims <= sum(shares) <= max(above, claims)
    for share, (used, wanted) in zip(shares, children, strict=True):
        assert share >= 0
        assert recursive or share <= min(used, wanted)


sizes = st.integers(0, 1 << 20).map(lambda count: count * PAGE)


@st.composite
def stats(draw, usage):
    """Statistics that fit into some usage."""
    left = usage
    found = {}
    for key in (
        "inactive_file",
        "active_file",
        "inactive_anon",
        "active_anon",
        "unevictable",
        "slab_reclaimable",
    ):
        found[key] = draw(st.integers(0, left))
        left -= found[key]
    found["kernel"] = found["slab_reclaimable"] + draw(st.integers(0, left))
    found["shmem"] = draw(st.integers(0, found["inactive_anon"] + found["active_anon"]))
    found["file_dirty"] = draw(sizes)
    return found


@st.composite
def machines(draw):
    """A root, ``/a`` and two leaves below it, with any limits and protections."""
    leaves = []
    for path in ("/a/b", "/a/c"):
        usage = draw(sizes)
        leaves.append((path, usage, draw(stats(usage))))
    usage = sum(used for _, used, _ in leaves)
    keys = {key for _, _, stat in leaves for key in stat}
    whole = {key: sum(stat[key] for _, _, stat in leaves) for key in keys}
    made = [
        cgroup(
            path,
            current_bytes=used,
            stat=stat,
            max_bytes=draw(limits),
            min_bytes=draw(limits),
            low_bytes=draw(limits),
            swap_max_bytes=draw(limits),
            swap_current_bytes=draw(sizes),
        )
        for path, used, stat in (("/a", usage, whole), *leaves)
    ]
    total = draw(sizes)
    meminfo = {
        "MemTotal": total,
        "MemAvailable": draw(st.integers(0, total)),
        "SwapTotal": 1 << 40,
        "SwapFree": draw(sizes),
    }
    return snapshot(
        (cgroup("/"), *made),
        meminfo=meminfo,
        traits=KernelTraits(recursive_protection=draw(st.booleans())),
        sysctl={"swappiness": draw(st.sampled_from([0, 60]))},
    )


@given(machines())
def test_headroom_is_the_least_of_its_levels(machine):
    headrooms = Headrooms(machine)
    for path in machine.cgroups:
        found = headrooms.of(path)
        assert found.headroom_bytes is not None
        assert found.effective_bytes is not None
        for level in found.levels:
            assert found.headroom_bytes <= level.headroom_bytes
            assert found.effective_bytes <= level.effective_bytes
            assert level.headroom_bytes <= level.effective_bytes
            assert found.limit.limit_bytes <= level.limit_bytes
            # Unlimited stays unlimited, and is never a number.
            assert isinstance(level.limit_bytes, Max) == isinstance(level.headroom_bytes, Max)
        assert found.effective_bytes >= found.headroom_bytes


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "min_bytes": st.just(0),
        "low_bytes": st.just(0),
        "stat": st.none(),
        "swap_max_bytes": st.just(MAX),
        "v1_swappiness": st.sampled_from([0, 60]),
    },
)


@given(
    machines(),
    st.booleans(),
    st.dictionaries(st.sampled_from(["/", "/a", "/a/b", "/a/c"]), CHANGES),
    st.dictionaries(st.sampled_from(["Inactive(anon)", "Active(anon)", "Shmem"]), sizes),
    st.sampled_from([None, None, "no meminfo", "no root", "no swap"]),
)
def test_what_the_machine_can_swap_is_what_its_ladder_says(machine, plain, changes, figures, lacks):
    none = {"min_bytes": 0, "low_bytes": 0} if plain else {}
    cgroups = {
        path: one._replace(
            **none, **{key: value for key, value in changes.get(path, {}).items() if key not in none}
        )
        for path, one in machine.cgroups.items()
        if path != "/" or lacks != "no root"
    }
    meminfo = None if lacks == "no meminfo" else {**machine.meminfo, **figures}
    if lacks == "no swap":
        meminfo["SwapFree"] = 0
    machine = machine._replace(cgroups=cgroups, meminfo=meminfo)
    whole = reclaimable_on_machine(machine)
    assert swappable_on_machine(machine) == (whole.swap_bytes if whole else 0)
    slower, quicker = Headrooms(machine), Headrooms(machine, ladders=False)
    for path in cgroups:
        slow, quick = slower.of(path), quicker.of(path)
        assert [level._replace(ladder=None) for level in quick.levels] == [
            level._replace(ladder=None) for level in slow.levels
        ]
        assert (quick.headroom_bytes, quick.effective_bytes) == (slow.headroom_bytes, slow.effective_bytes)


@given(machines())
def test_a_child_has_no_more_headroom_than_its_parent(machine):
    headrooms = Headrooms(machine)
    assert headrooms.of("/a/b").headroom_bytes <= headrooms.of("/a").headroom_bytes
    assert headrooms.of("/a/b").effective_bytes <= headrooms.of("/a").effective_bytes


@given(machines())
def test_reclaim_takes_no_more_than_there_is_and_leaves_what_is_protected(machine):
    protections = effective_protections(machine, "/a")
    for path in ("/a", "/a/b", "/a/c"):
        ladder = reclaimable(machine, path)
        assert ladder is not None
        assert min(ladder) >= 0
        assert sum(ladder) <= machine.cgroups[path].current_bytes
        assert ladder.swap_bytes <= machine.meminfo["SwapFree"]
        swap_max = machine.cgroups[path].swap_max_bytes
        if not isinstance(swap_max, Max):
            assert ladder.swap_bytes <= max(swap_max - machine.cgroups[path].swap_current_bytes, 0)
    kept = sum(min(machine.cgroups[path].current_bytes, max(protections[path])) for path in ("/a/b", "/a/c"))
    whole = reclaimable(machine, "/a")
    assert whole is not None
    assert whole.reclaimable_bytes <= machine.cgroups["/a"].current_bytes - kept


@given(
    st.lists(st.integers(0, 1 << 40), min_size=5, max_size=5),
    st.integers(0, 1 << 42),
    st.integers(0, 1 << 42),
)
def test_protection_moves_bytes_and_loses_none(steps, above_min, above_low):
    whole = Ladder(*steps)
    found = whole.protected(above_min_bytes=max(above_min, above_low), above_low_bytes=above_low)
    assert sum(found) == sum(whole)
    assert found.reclaimable_bytes == min(whole.reclaimable_bytes, above_low)
    assert sum(found.with_swap_room(above_min)) == sum(whole)


@given(st.lists(st.tuples(st.integers(0, 64), st.integers(-1000, 1000)), max_size=8), st.booleans())
def test_a_ranking_is_sorted_complete_and_never_names_the_exempt(tasks, last):
    processes = tuple(process(pid, rss, oom_score_adj=own) for pid, (rss, own) in enumerate(tasks, 2))
    machine = snapshot((), processes, meminfo={"MemTotal": 1 << 30}, traits=KernelTraits(last_of_equals=last))
    scope = system_scope(machine)
    assert scope is not None
    ranking = rank(machine, scope)
    found = [candidate.points for candidate in ranking.candidates]
    assert found == sorted(found, reverse=True)
    assert len(ranking.candidates) + len(ranking.excluded) == len(processes)
    assert all(candidate.process.oom_score_adj != -1000 for candidate in ranking.candidates)
    assert (ranking.victim is None) == (not ranking.candidates)
    equals = [one.order for one in ranking.candidates if one.points == found[0]]
    assert not equals or equals[0] == (max(equals) if last else min(equals))


NAMES = (
    "kubepods", "kubepods.slice", "kubepods-burstable.slice", "burstable", "poda-b",
    "docker", "lxc", "ecs", 64 * "a", "docker-" + 64 * "b" + ".scope",
    "user@1000.service", "system.slice", "ecstasks.slice",
)  # fmt: skip
parts = st.one_of(
    st.text(max_size=12).filter(lambda text: "/" not in text),
    st.sampled_from(NAMES),
)


@given(st.lists(parts, max_size=6))
def test_any_path_has_an_identity(components):
    path = "/" + "/".join(components)
    identity = identify(path)
    assert identity.path == path.removesuffix(" (deleted)")
    assert (identity.level is None) <= (identity.qos is None and identity.pod_uid is None)
    assert (identity.level == "container") <= (identity.container is not None)
    assert (identity.manager is None) == (identity.unit is None)
