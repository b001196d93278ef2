"""``status``: rows, their order, text and JSON. The machine has 4 GiB, half of it available, and no swap."""

from __future__ import annotations

import jsonschema
import pytest

from memwarden.fields import STATUS
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.present import status_json, status_sort, status_text
from memwarden.present.colour import Paint
from memwarden.present.status_rows import StatusRow, rows
from memwarden.state.delta import between
from memwarden.state.snapshot import Instant
from memwarden.units import GIB, MAX, MIB
from tests.rules.machines import cgroup, snapshot

MEMINFO = {"MemTotal": 4 * GIB, "MemAvailable": 2 * GIB, "MemFree": GIB, "SwapTotal": 0, "SwapFree": 0}


def limited(path, usage_mib, max_mib=None, **fields):
    """A v2 cgroup; what it holds is anonymous unless ``cache_mib`` says otherwise."""
    cache = fields.pop("cache_mib", 0) * MIB
    limit = MAX if max_mib is None else max_mib * MIB
    stat = {"active_anon": usage_mib * MIB - cache, "inactive_file": cache, "active_file": 0}
    return cgroup(path, current_bytes=usage_mib * MIB, max_bytes=limit, stat=stat, **fields)


def machine(*cgroups, **fields):
    return snapshot((cgroup("/"), *cgroups), **({"meminfo": MEMINFO} | fields))


def pressure(some, full=0.0):
    return Psi(PsiLine(some, 0.0, 0.0, 0), PsiLine(full, 0.0, 0.0, 0))


def test_rows_have_the_names_of_the_registry():
    assert StatusRow._fields == tuple(field.name for field in STATUS)


def test_an_ancestor_sets_the_limit():
    found = rows(machine(limited("/a", 90, 100), limited("/a/b", 60, 400), limited("/a/c", 10, 20)))
    assert [(row.effective_limit_bytes, row.limited_by) for row in found.values()] == [
        (MAX, None),
        (100 * MIB, "/a"),
        (100 * MIB, "/a"),
        (20 * MIB, "/a/c"),
    ]
    # Least of: own limit - usage, and that of the ancestor.
    assert [row.headroom_bytes for row in found.values()] == [2 * GIB, 10 * MIB, 10 * MIB, 10 * MIB]
    assert [row.headroom_at for row in found.values()] == ["machine", "/a", "/a", "/a/c"]
    assert [row.left_pct for row in found.values()] == [50.0, 10.0, 10.0, 50.0]


def test_of_equal_limits_the_nearest_is_named():
    found = rows(machine(limited("/a", 1, 100), limited("/a/b", 1, 100)))
    assert found["/a/b"].limited_by == "/a/b"


def test_reclaimable_memory_is_room():
    row = rows(machine(limited("/a", 90, 100, cache_mib=30)))["/a"]
    assert row.reclaimable_bytes == 30 * MIB
    assert row.headroom_bytes == 10 * MIB
    assert row.effective_headroom_bytes == 40 * MIB
    assert row.left_pct == 40.0


def test_usage_above_the_limit_is_less_than_nothing():
    row = rows(machine(limited("/a", 101, 100)))["/a"]
    assert row.headroom_bytes == -MIB
    assert row.left_pct == -1.0


def test_a_limit_of_zero_leaves_nothing():
    assert rows(machine(limited("/a", 0, 0)))["/a"].left_pct == 0.0


def test_nothing_is_made_up_where_nothing_was_read():
    row = rows(machine(cgroup("/a", current_bytes=4096), meminfo=None))["/a"]
    assert row == StatusRow("/a", 4096, *[None] * (len(StatusRow._fields) - 2))


def test_protection_is_the_one_against_the_tightest_limit_above():
    # /a/b keeps its 20 MiB from /a, whose limit is near; not from the machine, as /a has none.
    near = machine(limited("/a", 90, 100), limited("/a/b", 60, low_bytes=20 * MIB, min_bytes=0))
    assert rows(near)["/a/b"].effective_low_bytes == 20 * MIB
    far = machine(limited("/a", 90), limited("/a/b", 60, low_bytes=20 * MIB, min_bytes=0))
    assert rows(far)["/a/b"].effective_low_bytes == 0
    assert rows(far)["/"].effective_low_bytes is None


def test_cgroups_without_the_memory_controller_are_left_out():
    found = rows(machine(cgroup("/user.slice"), limited("/user.slice/a", 10)))
    assert list(found) == ["/", "/user.slice/a"]


def test_pressure_of_the_root_is_that_of_the_machine():
    one = machine(limited("/a", 1, memory_pressure=pressure(2.5, 1.5)), memory_pressure=pressure(30.0))
    assert [row.memory_some_avg10_pct for row in rows(one).values()] == [30.0, 2.5]
    assert [row.memory_full_avg10_pct for row in rows(one).values()] == [0.0, 1.5]


def test_events_are_those_since_the_last_look():
    def looked(seconds, kills, **fields):
        events = {
            "low": 0,
            "high": 7,
            "max": 18 * kills,
            "oom": kills,
            "oom_kill": kills,
            "oom_group_kill": 0,
        }
        one = machine(limited("/a", 1, events=events, **fields))
        return one._replace(instant=Instant(seconds * 1_000_000))

    first, later = looked(1, 1), looked(3, 3)
    assert rows(first)["/a"].events_oom_kill == 1
    row = rows(later, since=between(first, later))["/a"]
    assert (row.events_oom_kill, row.events_oom, row.events_max, row.events_high) == (2, 2, 36, 0)
    # Made anew in between: what it counted, it counted since.
    anew = looked(3, 3, inode=99)
    assert rows(anew, since=between(first, anew))["/a"].events_oom_kill == 3


def test_v1_counts_failures_itself_and_kills_of_everything_below():
    parent = limited("/a", 2, version=1, v1_failcnt=5, events_local={"oom_kill": 1})
    child = limited("/a/b", 1, version=1, v1_failcnt=2, events_local={"oom_kill": 3})
    found = rows(machine(parent, child))
    assert [(found[path].events_max, found[path].events_oom_kill) for path in ("/a", "/a/b")] == [
        (5, 4),
        (2, 3),
    ]
    assert rows(machine(limited("/a", 2, version=1)))["/a"].events_oom_kill is None


TREE = machine(
    limited("/big", 50),
    limited("/pods", 95, 200),
    limited("/pods/calm", 40, 80),
    limited("/pods/tight", 30, 31),
    limited("/small", 1),
)


def order(key=None, *, flat=False):
    found = rows(TREE)
    listed = (status_sort.flat if flat else status_sort.tree)(found, status_sort.key_of(key))
    return [(depth, row.path) for depth, row in listed]


def test_a_tree_has_the_subtree_with_the_least_left_first():
    # left: tight 1/31 = 3 %, calm 40/80 = 50 %, pods 105/200 = 52 %, the others 50 % of the machine
    assert order() == [
        (0, "/"),
        (1, "/pods"),
        (2, "/pods/tight"),
        (2, "/pods/calm"),
        (1, "/big"),
        (1, "/small"),
    ]


def test_a_list_is_in_one_order():
    assert [path for _, path in order(flat=True)] == [
        "/pods/tight", "/big", "/pods/calm", "/small", "/", "/pods",
    ]  # fmt: skip
    assert [path for _, path in order("usage_bytes", flat=True)][:3] == ["/pods", "/big", "/pods/calm"]
    assert [path for _, path in order("effective_limit_bytes", flat=True)][:2] == [
        "/pods/tight",
        "/pods/calm",
    ]


def test_unknown_figures_come_last_in_either_direction():
    one = machine(cgroup("/a", current_bytes=1), limited("/b", 2, 3), limited("/c", 2))
    found = rows(one, "/")
    for key, expected in (("max_bytes", ["/b", "/c", "/", "/a"]), ("usage_bytes", ["/b", "/c", "/a", "/"])):
        assert [row.path for _, row in status_sort.flat(found, status_sort.key_of(key))] == expected
    largest_limit = [row.path for _, row in status_sort.flat(found, status_sort.largest("max_bytes"))]
    assert largest_limit == ["/c", "/b", "/", "/a"]


def test_a_cgroup_below_one_without_the_controller_hangs_on_the_next_above():
    one = machine(cgroup("/u"), limited("/u/a", 10))
    listed = status_sort.tree(rows(one), status_sort.trouble)
    assert [(depth, row.path) for depth, row in listed] == [(0, "/"), (1, "/u/a")]


def screen(one, width=80, **options):
    listed = status_sort.tree(rows(one), status_sort.trouble)
    return status_text.text(one, listed, full_paths=False, width=width, **options)


def test_the_screen():
    events = {"high": 0, "max": 18, "oom": 1, "oom_kill": 1}
    calm = {"memory_pressure": pressure(0.0)}
    one = machine(
        limited("/db", 90, 100, cache_mib=2, events=events, **calm),
        limited("/db/\x1b[2J", 80, **calm),
        memory_pressure=pressure(1.25, 0.5),
    )
    assert screen(one) == (
        "unnamed, Linux of unknown release, cgroup v2\n"
        "memory 2.00G available of 4.00G (50%); no swap\n"
        "waiting for memory, last 10 s: 1.2% some, 0.5% full\n"
        "\n"
        "CGROUP     USAGE  LIMIT  SET BY   RECL   ROOM  LEFT  SOME  EVENTS\n"
        "/              -                 2.00M  2.00G   50%  1.2%\n"
        " db        90.0M   100M  =       2.00M  12.0M   12%  0.0%  kill 1 oom 1\n"
        "  \\x1b[2J  80.0M   100M  /db         0  12.0M   12%  0.0%\n"
    )


def test_columns_that_say_nothing_are_left_out_and_gaps_are_said():
    text = screen(machine(limited("/a", 1)))
    assert "\nCGROUP  USAGE  RECL   ROOM  LEFT\n" in text
    assert "waiting for memory: - (no PSI)" in text
    assert (
        "\n\nnote: no PSI: this kernel was built without it or booted with psi=0; boot with\n      psi"
        in text
    )


def test_protection_has_a_column_where_there_is_some():
    text = screen(machine(limited("/a", 60, low_bytes=20 * MIB, min_bytes=30 * MIB), limited("/b", 1)))
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert "PROT" in lines["CGROUP"]
    assert "30.0M" in lines["a"]


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_no_line_is_wider_than_the_terminal(width):
    names = ["/kubepods.slice/kubepods-burstable.slice/" + letter * 40 for letter in "ab"]
    events = {"high": 123456, "max": 123456789, "oom": 99999, "oom_kill": 12345, "oom_group_kill": 77}
    one = machine(
        limited("/kubepods.slice", 500, 1000, memory_pressure=pressure(12.5), events=events),
        limited("/kubepods.slice/kubepods-burstable.slice", 400, 900, memory_pressure=pressure(12.5)),
        *[
            limited(name, 100, 800, low_bytes=MIB, memory_pressure=pressure(99.99), events=events)
            for name in names
        ],
        memory_pressure=pressure(12.5),
    )
    assert max(map(len, screen(one, width).splitlines()[4:])) <= width


def test_what_is_hidden_is_counted():
    listed = status_sort.tree(rows(TREE), status_sort.trouble)
    text = status_text.text(TREE, listed[:2], full_paths=False, width=80, hidden=4)
    assert "\n... and 4 more cgroups; --top 0 shows all\n" in text


def test_colours_repeat_what_the_figures_say():
    one = machine(
        limited("/red", 95, 100),
        limited("/yellow", 80, 100, memory_pressure=pressure(10.0), events={"oom_kill": 1}),
        limited("/plain", 10, 100),
    )
    text = screen(one, paint=Paint(enabled=True))
    assert "\x1b[31;1m5%\x1b[0m" in text
    assert "\x1b[33m20%\x1b[0m" in text
    assert "\x1b[33m10.0%\x1b[0m" in text
    assert "\x1b[31mkill 1\x1b[0m" in text
    assert "\x1b[31;1m90%" not in text


def test_the_document_is_what_its_schema_says():
    one = machine(limited("/a", 90, 100), limited("/a/\udcff", 1), memory_pressure=pressure(1.0))
    document = status_json.document(one, rows(one).values())
    jsonschema.validate(document, status_json.schema())
    root, first, second = document["cgroups"]
    assert (root["effective_limit_bytes"], root["usage_bytes"], root["max_bytes"]) == ("max", None, None)
    assert (first["effective_limit_bytes"], first["limited_by"], first["left_pct"]) == (100 * MIB, "/a", 10.0)
    assert (second["path"], second["max_bytes"]) == ("/a/\udcff", "max")
    assert document["machine"]["available_bytes"] == 2 * GIB
    assert document["machine"]["memory_some_avg10_pct"] == 1.0


def test_the_schema_refuses_what_the_document_never_holds():
    one = machine(limited("/a", 90, 100))
    document = status_json.document(one, rows(one).values())
    for change in ({"usage_bytes": "max"}, {"usage_bytes": 1.5}, {"max_bytes": "infinity"}, {"extra": 1}):
        spoiled = document | {"cgroups": [document["cgroups"][0] | change]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, status_json.schema())


def test_a_machine_without_anything_is_all_null():
    empty = snapshot(meminfo=None)
    document = status_json.document(empty, rows(empty).values())
    jsonschema.validate(document, status_json.schema())
    assert set(document["machine"].values()) == {None}
    assert document["cgroups"] == []
