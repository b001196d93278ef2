"""One tick: globs resolved, headroom worked out, when memory ends."""

from __future__ import annotations

import pytest

from memwarden.guard.history import History
from memwarden.guard.view import View
from memwarden.units import MAX
from tests.guard.ticks import MIB, MS, S, group, past, psi, tick

GROW = 100 * MS


def grown(*, limit=None, machine_mib=10_000, swap=0, rate=40, count=5, below="/a/b", **fields):
    """Ticks at which /a/b grows, alone, and a view of the last one."""
    ticks = []
    for at in range(count):
        held = 100 + rate * at * GROW / S
        stat = {"inactive_file": 20 * MIB, "active_anon": int(held * MIB)}
        usage = int((held + 20) * MIB)
        bound = MAX if limit is None else limit * MIB
        ticks.append(
            tick(
                at * GROW,
                group("/"),
                group("/a", held=held, stat=stat, current_bytes=usage, max_bytes=bound),
                group("/a/b", held=held, stat=stat, current_bytes=usage, max_bytes=MAX),
                group("/a/c", held=1, stat={"inactive_file": 0}, current_bytes=MIB, max_bytes=200 * MIB),
                held=held,
                meminfo={
                    "MemTotal": 16_000 * MIB, "MemAvailable": machine_mib * MIB, "SwapTotal": swap * MIB,
                    "SwapFree": swap * MIB, "Active(anon)": int(held * MIB),
                },
                **fields,
            )
        )  # fmt: skip
    return View(ticks[-1], past(*ticks))


def test_matches_and_scopes():
    view = grown()
    assert [one.path for one in view.matches(("/a/*",))] == ["/a/b", "/a/c"]
    assert view.matches(("/a/*",)) is view.matches(("/a/*",))
    below = view.at("/a")
    assert [one.path for one in below.matches(("./b", "."))] == ["/a/b", "/a"]
    assert view.matches(("./b",)) == ()
    assert [one.path for one in below.matches((".",))] == ["/a"]
    assert view.at("/none").matches((".",)) == ()
    assert view.matches((".",)) == ()
    # One absolute glob among them: the whole machine is looked at.
    assert [one.path for one in below.matches(("/a/c*", "./b*"))] == ["/a/b", "/a/c"]
    # Absolute globs are the same from everywhere.
    assert below.matches(("/a/*",)) is view.matches(("/a/*",))
    assert (below.scope, view.scope, below.now_us) == ("/a", None, 4 * GROW)


def test_targets():
    view = grown()
    assert view.targets(()) == ("/",)
    assert view.targets(("/a/b", "/")) == ("/a/b", "/")
    bare = View(tick(0), History())
    assert bare.targets(("/",)) == ("/",)
    assert bare.targets(("/*",)) == ()


@pytest.mark.parametrize("resource", ["memory", "io", "cpu"])
def test_pressure_of_the_machine_and_of_a_cgroup(resource):
    mine, whole = psi((1, 2, 3)), psi((4, 5, 6))
    name = f"{resource}_pressure"
    view = View(tick(0, group("/a", **{name: mine}), **{name: whole}), History())
    assert view.pressure("/a", resource) == mine
    assert view.pressure("/", resource) == whole
    assert view.pressure("/none", resource) is None


def test_headroom_is_worked_out_once():
    view = grown(limit=150)
    assert view.headroom("/a/b") is view.at("/a").headroom("/a/b")
    # 150 - (116 + 20), and 20 of page cache.
    assert (view.headroom("/a/b").headroom_bytes, view.headroom("/a/b").effective_bytes) == (
        14 * MIB,
        34 * MIB,
    )


def test_growth_is_worked_out_once():
    view = grown()
    assert view.growth("/a") is view.growth("/a")
    assert view.growth("/a").rate_bps == pytest.approx(40 * MIB)
    assert view.growth("/a", 300 * MS).samples == 4


def test_memory_ends_at_the_level_that_fills_first():
    # 34 MiB at 40 MiB/s.
    found = grown(limit=150).exhaustion("/a/b")
    assert (found.path, found.exact, found.headroom_bytes) == ("/a", True, 34 * MIB)
    assert found.ends.expected_us == pytest.approx(850 * MS, rel=0.01)
    # The machine has less: 30 MiB.
    found = grown(limit=150, machine_mib=30).exhaustion("/a/b")
    assert (found.path, found.headroom_bytes) == ("/", 30 * MIB)


def test_swap_is_room_too():
    found = grown(machine_mib=30, swap=50).exhaustion("/")
    assert (found.path, found.headroom_bytes) == ("/", 80 * MIB)


def test_what_does_not_grow_does_not_end():
    view = grown(rate=-40)
    assert view.exhaustion("/a/b") is None
    assert View(tick(0), History()).exhaustion("/") is None


def test_unlimited_or_unknown_levels_are_left_out():
    assert grown().exhaustion("/a/b").path == "/"
    view = grown()
    bare = view.snapshot._replace(meminfo={})
    assert View(bare, view.history).exhaustion("/a/b") is None
    assert View(bare._replace(cgroups={}), view.history).exhaustion("/a/b") is None


def test_effective_headroom_only_where_it_matters():
    # 14 MiB without reclaim last 0.3 s at the earliest: what is asked about is nearer.
    found = grown(limit=150).exhaustion("/a/b", 100 * MS)
    assert (found.path, found.exact, found.headroom_bytes) == ("/a", False, 14 * MIB)
    assert found.ends.earliest_us > 100 * MS


def test_headroom_alone_where_statistics_are_missing():
    view = grown(limit=150)
    cgroups = dict(view.snapshot.cgroups)
    cgroups["/a"] = cgroups["/a"]._replace(stat=None)
    found = View(view.snapshot._replace(cgroups=cgroups), view.history).exhaustion("/a/b")
    assert found.headroom_bytes == 14 * MIB
