"""Choosing as systemd-oomd does: the sort table of its own tests (``src/oom/test-oomd-util.c``)."""

from __future__ import annotations

import pytest

from tests.guard.choices import ZERO_TOO, by, candidates, chosen, live, name, ranked, seen, why_not

OWN = {"owner_uid": 0}
TABLE = (
    # path, swap, last pgscan, pgscan, usage, marks
    ("/herp.slice", 20, 0, 33, 10, ()),
    ("/herp.slice/derp.scope", 60, 33, 1, 20, ()),
    ("/herp.slice/derp.scope/sheep.service", 40, 1, 33, 40, ()),
    ("/zupa.slice", 10, 33, 2, 10, ()),
    ("/boop.slice", 11, 33, 33, 10, ()),
    ("/omitted.slice", 90, 0, 0, 0, ("user.oomd_omit",)),
    ("/avoid.slice", 99, 0, 0, 0, ("user.oomd_avoid",)),
)


def table():
    def look(at):
        made = [
            live(
                row[0],
                swap_current_bytes=row[1],
                stat={"pgscan": row[at]},
                current_bytes=row[4],
                marks=row[5],
            )
            for row in TABLE
        ]
        return [each._replace(**OWN) for each in made]

    return seen(*look(3), before=(look(2),))


def numbers(paths):
    return [[row[0] for row in TABLE].index(path) for path in paths]


def among(key, *globs, **options):
    # Its test sorts contexts, whatever is below what: each is a candidate of its own.
    globs = globs or tuple(row[0] for row in TABLE)
    return by(key, *globs, units="matched", xattrs=("systemd",), **options)


def test_by_swap():
    assert numbers(ranked(among("swap"), table())) == [1, 2, 0, 4, 3, 6]


def test_by_page_scans_and_then_by_usage():
    choice = among("pgscan", least=ZERO_TOO, ties=("current",))
    assert numbers(ranked(choice, table())) == [0, 2, 3, 1, 4, 6]
    assert dict(candidates(choice, table())[0].numbers) == {"pgscan": 33, "current": 10, "size": 20}


def test_below_a_prefix_only():
    globs = ("/herp.slice/derp.scope", "/herp.slice/derp.scope/**")
    choice = among("pgscan", *globs, least=ZERO_TOO, ties=("current",))
    assert numbers(ranked(choice, table())) == [2, 1]


def test_the_omitted_one_is_in_the_record():
    assert why_not(among("swap"), table())["/omitted.slice"] == "omit: user.oomd_omit"
    assert why_not(among("swap"), table())["/avoid.slice"] == "lower: to be avoided, user.oomd_avoid"


def test_equal_scans_are_ordered_by_usage():
    def look(scans):
        return [
            live(f"/{path}", stat={"pgscan": scans}, current_bytes=usage)
            for path, usage in (("a", 1), ("b", 3), ("c", 2))
        ]

    view = seen(*look(5), before=(look(2),))
    assert ranked(by("pgscan", ties=("current",)), view) == ["/b", "/c", "/a"]


def watched(owner, *, marks=("user.oomd_avoid",), glob="/user.slice/user@1000.service", key="size"):
    """Two scopes of a user's manager, the larger of which says that it is to be spared."""
    below = "/user.slice/user@1000.service"
    view = seen(
        live("/", owner_uid=0),
        live("/user.slice", owner_uid=0, held=30, swap_current_bytes=30),
        live(below, owner_uid=owner, held=30, swap_current_bytes=30),
        live(f"{below}/a.scope", owner_uid=1000, held=20, swap_current_bytes=20, marks=marks),
        live(f"{below}/b.scope", owner_uid=1000, held=10, swap_current_bytes=10),
    )
    return chosen(by(key, glob, xattrs=("systemd",)), view).rpartition("/")[2]


@pytest.mark.parametrize(
    ("owner", "options", "expected"),
    [
        (1000, {}, "b.scope"),
        (0, {}, "a.scope"),
        (1001, {}, "a.scope"),
        (1000, {"glob": "/user.slice"}, "a.scope"),
        (1000, {"glob": "/**"}, "a.scope"),
        (1000, {"marks": ("user.oomd_omit",)}, "b.scope"),
        (1000, {"key": "swap"}, "a.scope"),
    ],
)
def test_a_users_marks_count_below_what_the_user_owns(owner, options, expected):
    assert watched(owner, **options) == expected


def test_leaves_and_groups_are_the_candidates():
    view = seen(
        live("/s.slice", swap_current_bytes=99),
        live("/s.slice/x.service", swap_current_bytes=60),
        live("/s.slice/x.service/main", swap_current_bytes=50),
        live("/s.slice/y.service", swap_current_bytes=39, oom_group=True),
        live("/s.slice/y.service/main", swap_current_bytes=38),
    )
    found = candidates(by("swap", "/s.slice"), view)
    assert [name(each.target) for each in found] == ["/s.slice/x.service/main", "/s.slice/y.service"]
    assert [each.unit for each in found] == ["x.service", "y.service"]


def test_what_uses_nothing_is_passed_over():
    view = seen(live("/a", stat={"pgscan": 0, "anon": 0}, current_bytes=0), live("/b", populated=False))
    assert why_not(by("pgscan", least=ZERO_TOO), view) == {
        "/a": "empty: nothing anonymous",
        "/b": "empty: no process",
    }
