"""oomd's JSON: what it means, what jsoncpp and oomd's compiler make of odd files, and their reasons.

Values come from the plugins' own tables (facebookincubator/oomd at 88c28fd).
"""

import json
from pathlib import Path

import pytest

from memwarden.errors import InputError
from memwarden.guard import foreign
from memwarden.guard.ir import (
    Amount,
    Choice,
    Constant,
    DoKill,
    DoNothing,
    DoNotify,
    DoPanic,
    DoRestart,
    Dying,
    Exists,
    Preferences,
    Pressure,
    PressureRising,
    Ranking,
    Reclaiming,
    SwapFree,
    Usage,
    Weight,
)
from memwarden.units import GIB, MIB, SECOND_US

EXAMPLES = Path(__file__).parent / "examples"
S = SECOND_US
PRESSURE = {"cgroup": "a.slice", "resource": "memory", "threshold": "60", "duration": "10"}


def plugin(name, **args):
    return {"name": name, "args": args}


def ruleset(detectors=(), actions=(), **rest):
    return {
        "name": "r",
        "detectors": [["g", *(detectors or [plugin("continue")])]],
        "actions": list(actions or [plugin("continue")]),
        **rest,
    }


def load(*rulesets, bug_compatible=False, **others):
    texts = {"oomd.json": json.dumps({"rulesets": rulesets})}
    texts |= {name: json.dumps({"rulesets": content}) for name, content in others.items()}
    return foreign.load("oomd", texts, bug_compatible=bug_compatible)


def detector(name, /, bug_compatible=False, **args):
    return (
        load(ruleset([plugin(name, **args)]), bug_compatible=bug_compatible).rules[0].groups[0].detectors[0]
    )


def action(name, /, bug_compatible=False, **args):
    return load(ruleset((), [plugin(name, **args)]), bug_compatible=bug_compatible).rules[0].actions[0]


def reason(*rulesets, **others):
    with pytest.raises(InputError) as caught:
        load(*rulesets, **others)
    return str(caught.value)


def why_not(name, /, **args):
    return reason(ruleset([plugin(name, **args)]))


def text_of(text):
    return foreign.load("oomd", ("oomd.json", text))


def text_refused(text):
    with pytest.raises(InputError) as caught:
        text_of(text)
    return str(caught.value)


ANY = Amount(bytes=-1)


def test_the_desktop_example():
    path = EXAMPLES / "desktop.json"
    policy = foreign.load("oomd", ("desktop.json", path.read_text()))
    overview, session, swap = policy.rules
    apps = (
        "/user.slice/user-*.slice/session-*.scope",
        "/user.slice/user-*.slice/user@*.service/*",
        "/system.slice/*",
    )
    assert overview.actions == (DoNothing(),)
    assert session.groups[0].name == "people wait"
    assert session.groups[0].detectors == (
        Pressure(6000, cgroups=("/user.slice",), for_us=30 * S, worst="weighted"),
        Reclaiming(11 * S - 1, ("/user.slice",)),
    )
    assert session.groups[1].detectors == (
        Pressure(8000, cgroups=("/system.slice",), for_us=60 * S, worst="weighted"),
        Reclaiming(11 * S - 1, ("/system.slice",)),
    )
    assert session.actions == (
        DoKill(
            Choice(
                apps,
                "matched",
                Ranking(
                    (Weight("oomd-growth"),),
                    ANY,
                    (
                        ("size_threshold", 50),
                        ("min_growth_ratio", 1.25),
                        ("growing_size_percentile", 80),
                        ("average_from_zero", 0),
                    ),
                ),
                Preferences(xattrs=("oomd",)),
            ),
            hook_meanwhile="nothing",
            even_without_need=True,
        ),
    )
    assert swap.groups[0].detectors == (SwapFree(Amount(ppm=100_000)),)
    assert swap.actions[0].choice.ranking == Ranking((Weight("swap"),), Amount(bytes=0))
    assert swap.pause_us == 15 * S
    assert (policy.tick_us, policy.steady, policy.wait_for_death) == (S, True, False)
    assert [note.split(": ")[0] for note in policy.notes] == ["desktop.json:7", "desktop.json:11"]


def test_a_parser_fixture_that_oomd_does_not_start_with():
    path = EXAMPLES / "no_duration.json"
    with pytest.raises(InputError) as caught:
        foreign.load("oomd", ("no_duration.json", path.read_text()))
    wanted = 'required argument "duration" of pressure_rising_beyond is missing; add it'
    assert str(caught.value) == f"no_duration.json:15: oomd refuses this file: {wanted}"


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("continue", {"whatever": "1"}, Constant(True)),
        ("stop", {}, Constant(False)),
        ("pressure_above", PRESSURE, Pressure(6000, "memory", "full", 10, ("/a.slice",), 10 * S, "weighted")),
        (
            "pressure_above",
            PRESSURE | {"resource": "io", "threshold": 80.9, "duration": " 5 minutes", "cgroup": "a//b/,/,*"},
            Pressure(8000, "io", "full", 10, ("/a/b", "/", "/*"), 5 * S, "weighted"),
        ),
        (
            "pressure_above",
            PRESSURE | {"duration": "-5"},
            Pressure(6000, "memory", "full", 10, ("/a.slice",), 0, "weighted"),
        ),
        (
            "pressure_rising_beyond",
            PRESSURE,
            PressureRising(6000, "memory", ("/a.slice",), 10 * S, 850_000),
        ),
        (
            "pressure_rising_beyond",
            PRESSURE | {"fast_fall_ratio": ".5x"},
            PressureRising(6000, "memory", ("/a.slice",), 10 * S, 500_000),
        ),
        (
            "memory_above",
            {"cgroup": "a", "threshold": "1536", "duration": "1"},
            Usage(Amount(bytes=1536 * MIB), False, ("/a",), S, "free"),
        ),
        (
            "memory_above",
            {"cgroup": "a", "threshold": "1.5G 1M 512", "duration": "1", "meminfo_location": "/x"},
            Usage(Amount(bytes=GIB * 3 // 2 + MIB + 512), False, ("/a",), S, "free"),
        ),
        (
            "memory_above",
            {"cgroup": "/", "threshold": "no size", "threshold_anon": "10%", "duration": 0},
            Usage(Amount(ppm=100_000), True, ("/",), 0, "free"),
        ),
        ("memory_reclaim", {"cgroup": "a", "duration": "10"}, Reclaiming(11 * S - 1, ("/a",))),
        ("swap_free", {"threshold_pct": "15"}, SwapFree(Amount(ppm=150_000))),
        (
            "swap_free",
            {"threshold_pct": "15", "swapout_bps_threshold": "1000000"},
            SwapFree(Amount(ppm=150_000), 1_000_000),
        ),
        ("nr_dying_descendants", {"cgroup": "a", "count": "100"}, Dying(100, True, ("/a",))),
        ("nr_dying_descendants", {"cgroup": "a", "count": 29, "lte": False}, Dying(29, False, ("/a",))),
        ("exists", {"cgroup": "a,b"}, Exists(("/a", "/b"))),
        ("exists", {"cgroup": "a", "negate": "True"}, Exists(("/a",), True)),
        ("exists", {}, Constant(False)),
        ("exists", {"negate": 1, "debug": "0"}, Constant(True)),
        ("dump_cgroup_overview", {"always": True}, Constant(True)),
    ],
)
def test_detectors(name, args, expected):
    assert detector(name, **args) == expected


def kill(**args):
    return action("kill_by_pressure", **{"cgroup": "a", "resource": "memory", **args})


def test_actions():
    assert action("stop") == DoNothing(stop=True)
    assert action("continue") == DoNothing()
    assert action("kernel_panic") == DoPanic()
    assert action("dump_cgroup_overview", cgroup="a") == DoNotify("overview of a")
    assert action("systemd_restart", service="x.service") == DoRestart("x.service", 15 * S)
    given = {"service": "x.service", "post_action_delay": 3, "dry": "1", "machine_type": "vm"}
    assert action("systemd_restart", **given) == DoRestart("x.service", 3 * S, True)


def test_what_all_kill_plugins_take():
    assert kill() == DoKill(
        Choice(("/a",), "matched", Ranking((Weight("pressure"),), ANY), Preferences(xattrs=("oomd",))),
        hook_meanwhile="nothing",
        even_without_need=True,
    )
    given = {"recursive": True, "post_action_delay": "0", "dry": True, "always_continue": "true"}
    one = kill(**given, reap_memory=False, resource="io")
    assert one.choice.units == "recursive"
    assert (one.pause_us, one.dry, one.go_on, one.release) == (0, True, True, False)
    assert one.choice.ranking == Ranking((Weight("io-pressure"),), ANY)


def test_rankings():
    assert action("kill_by_io_cost", cgroup="a").choice.ranking == Ranking((Weight("io-cost"),), ANY)
    assert action("kill_by_pg_scan", cgroup="a").choice.ranking == Ranking(
        (Weight("pgscan"),), Amount(bytes=0)
    )
    swap = action("kill_by_swap_usage", cgroup="a", threshold="1", biased_swap_kill="true").choice.ranking
    assert swap == Ranking(
        (Weight("swap-biased"),), Amount(bytes=MIB - 1)
    )  # at least 1 MiB is more than that
    assert action("kill_by_swap_usage", cgroup="a", threshold="20%").choice.ranking.least == Amount(
        ppm=200_000
    )


def test_bugs_that_a_replay_may_ask_for():
    given = {"cgroup": "a", "min_growth_ratio": "1.25"}
    asked = dict(
        action("kill_by_memory_size_or_growth", bug_compatible=True, **given).choice.ranking.parameters
    )
    assert (asked["min_growth_ratio"], asked["average_from_zero"]) == (1.0, 1.0)
    untouched = action("kill_by_memory_size_or_growth", bug_compatible=True, cgroup="a").choice.ranking
    assert dict(untouched.parameters)["min_growth_ratio"] == 1.25
    documented = dict(action("kill_by_memory_size_or_growth", **given).choice.ranking.parameters)
    assert (documented["min_growth_ratio"], documented["average_from_zero"]) == (1.25, 0.0)
    swap = action("kill_by_swap_usage", bug_compatible=True, cgroup="a").choice.ranking
    assert swap.parameters == (("totals_int32", 1.0),)
    assert detector("memory_reclaim", bug_compatible=True, cgroup="a", duration=1).since_start is True
    scan = ruleset((), [plugin("kill_by_pg_scan", cgroup="a", post_action_delay="1")], cgroup="b")
    first, second = load(scan, bug_compatible=True).notes
    assert "oomd forgets post_action_delay" in first
    assert "the last cgroup's result" in second


def test_what_cannot_be_expressed_is_named_and_errs_to_not_killing():
    senpai = plugin("senpai", cgroup="a", pressure_pct="0.2", interval="6", immediate_backoff=True)
    policy = load(
        ruleset([plugin("exists", cgroup="a", debug=True)], [plugin("exists", cgroup="b"), plugin("stop")]),
        ruleset([plugin("kill_by_io_cost", cgroup="a")], [senpai]),
        ruleset(
            [senpai], [plugin("kill_by_io_cost"), plugin("kill_by_io_cost", cgroup="a", kernelkill=True)]
        ),
        ruleset((), [plugin("kill_by_io_cost", cgroup="a", log_kmemalloc_prekill=True, ruleset_cgroup="b")]),
        ruleset((), xattr_filter="user.x"),
    )
    assert policy.rules[0].actions[0] == DoNothing(stop=True)
    assert policy.rules[1].groups[0].detectors == (Constant(False),)
    assert policy.rules[1].actions == (DoNothing(),)
    assert policy.rules[2].groups[0].detectors == (Constant(True),)
    assert policy.rules[2].actions[0] == DoNothing()
    words = [
        "debug only",
        "a detector among actions",
        "an action among detectors",
        "does not probe",
        "names no cgroup",
        "kernelkill",
        "ruleset_cgroup does nothing",
        "log_kmemalloc_prekill",
        "a byte is a byte",
        "xattr_filter does nothing",
    ]
    assert [word for word in words if any(word in note for note in policy.notes)] == words
    assert sorted(policy.notes) == sorted(set(policy.notes))


def test_a_ruleset_of_each_cgroup():
    inner = plugin("exists", cgroup="x", ruleset_cgroup="y/*,/")
    one = load(ruleset([inner], cgroup="*.slice,system.slice/*.service", xattr_filter="user.a")).rules[0]
    assert one.per_cgroup == ("/*.slice", "/system.slice/*.service")
    assert one.xattr_filter == "user.a"
    assert one.groups[0].detectors == (Exists(("/x", "./y/*", ".")),)


@pytest.mark.parametrize(
    ("given", "glob"),
    [
        ("a\\x2db.slice", "/ax2db.slice"),  # glob(3): a backslash quotes
        ("a\\*b", "/a[*]b"),
        ("a\\\\b", "/a\\b"),
        ("a/**/b", "/a/*/b"),
        ("[^a]b^c", "/[!a]b^c"),
        (" a", "/ a"),
        ("session-[[:digit:]].scope", "/session-[0-9].scope"),
        ("a[^[:alpha:]_[:digit:]]/b[:digit:]", "/a[!a-zA-Z_0-9]/b[:digit:]"),
        ("[][:upper:]]x[a", "/[]A-Z]x[a"),
    ],
)
def test_globs(given, glob):
    assert detector("exists", cgroup=given) == Exists((glob,))


def test_ruleset_fields_are_converted_as_jsoncpp_does():
    one = load(
        ruleset(name=7, post_action_delay=10.5, prekill_hook_timeout="40s", cgroup=None),
        ruleset((), [plugin("kill_by_pg_scan", cgroup="a")], prekill_hook_timeout=40),
        ruleset(**{"silence-logs": "  engine, plugins \n", "drop-in": None}),
    )
    assert (one.rules[0].name, one.rules[0].pause_us) == ("7", 10 * S)
    assert one.rules[1].actions[0].hook_limit_us == 40 * S
    assert len(one.notes) == 1


def test_the_same_name_twice():
    three = [ruleset(name="a"), ruleset(name="a"), ruleset(name="a (2)"), ruleset(name="a")]
    assert [rule.name for rule in load(*three).rules] == ["a", "a (2)", "a (2) (2)", "a (3)"]


def test_rulesets_may_be_an_object_and_what_is_neither_is_empty():
    assert [
        rule.name
        for rule in text_of(json.dumps({"rulesets": {"b": ruleset(name="1"), "a": ruleset(name="2")}})).rules
    ] == [
        "2",
        "1",
    ]
    assert text_of('{"rulesets": 5, "prekill_hooks": "x"}').rules == ()
    assert text_of("null").rules == ()


def test_arguments_end_at_the_first_that_is_no_scalar():
    args = {"zzz_unknown": "1", "negate": [], "cgroup": "a"}  # by key: cgroup, negate, zzz_unknown
    assert detector("exists", **args) == Exists(("/a",))
    no_object = {"name": "exists", "args": ["a"]}
    assert load(ruleset([no_object])).rules[0].groups[0].detectors == (Constant(False),)


def test_drop_ins_run_first_and_the_newest_of_them_first():
    allowed = {"drop-in": {"detectors": True, "actions": 1, "disable-on-drop-in": False}}
    base = (
        ruleset(name="a", post_action_delay=3, **allowed),
        ruleset(name="b", **{"drop-in": {"disable-on-drop-in": True, "actions": True}}),
    )
    policy = load(
        *base,
        **{
            "d/2.json": [{"name": "a", "actions": [plugin("stop")], "post_action_delay": 99}],
            "d/1.json": [{"name": "a", "detectors": [["new", plugin("stop")]]}],
            "d/.hidden": [{"name": "none"}],
            "d/3.json": [{"name": "b", "actions": [plugin("kernel_panic")]}],
        },
    )
    assert [(rule.name, rule.groups[0].name, rule.actions) for rule in policy.rules] == [
        ("a (2.json)", "g", (DoNothing(stop=True),)),
        ("a (1.json)", "new", (DoNothing(),)),
        ("a", "g", (DoNothing(),)),
        ("b (3.json)", "g", (DoPanic(),)),
    ]
    assert {rule.pause_us for rule in policy.rules[:3]} == {3 * S}  # a drop-in's own delay is not taken
    assert policy.notes == ("d/.hidden: oomd does not look at drop-ins whose name begins with a dot",)


@pytest.mark.parametrize("what", ["detectors", "actions"])
def test_drop_ins_that_the_base_does_not_allow(what):
    given = {"detectors": [["g", plugin("stop")]], "actions": [plugin("stop")]}[what]
    found = reason(ruleset(name="a"), x=[{"name": "a", what: given}])
    assert found == (
        f'x:1: oomd refuses this file: "a" allows no drop-in {what}; '
        f'set "drop-in": {{"{what}": true}} in the base'
    )


def test_a_drop_in_for_nothing():
    assert reason(ruleset(name="a"), x=[{"name": "b"}]) == (
        "x:1: oomd refuses this file: "
        'the base has no ruleset "b" for this drop-in to change; use a name it has'
    )


def test_hooks():
    hook = {
        "rulesets": [],
        "prekill_hooks": [plugin("dummy_prekill_hook", cgroup="/a"), plugin("dummy_prekill_hook")],
    }
    assert text_of(json.dumps(hook)).notes == (
        "oomd.json:1: dummy_prekill_hook for /a does nothing, in oomd as well as here",
        "oomd.json:1: dummy_prekill_hook for every cgroup does nothing, in oomd as well as here",
        "oomd.json: has no rulesets, so that oomd does nothing; is it a policy of oomd's?",
    )
    hook = {"prekill_hooks": [plugin("dump_heap")]}
    assert text_refused(json.dumps(hook)) == (
        "oomd.json:1: oomd refuses this file: "
        'there is no pre-kill hook "dump_heap"; known are dummy_prekill_hook'
    )


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("pressure_abov", {}, 'there is no plugin "pressure_abov"; did you mean "pressure_above"?'),
        ("pressure_above", {}, 'required argument "resource" of pressure_above is missing; add it'),
        (
            "pressure_above",
            PRESSURE | {"treshold": 1},
            'has no argument "treshold"; did you mean "threshold"?',
        ),
        ("pressure_above", PRESSURE | {"resource": "cpu"}, "it must be io or memory"),
        ("pressure_above", PRESSURE | {"threshold": "x5"}, "it does not begin with a whole number"),
        ("pressure_above", PRESSURE | {"threshold": "2147483648"}, "the number is out of range"),
        ("pressure_above", PRESSURE | {"threshold": "9" * 5000}, "the number is out of range"),
        ("pressure_rising_beyond", PRESSURE | {"fast_fall_ratio": "x"}, "it does not begin with a number"),
        ("pressure_rising_beyond", PRESSURE | {"fast_fall_ratio": "1e39"}, "the number is out of range"),
        ("pressure_rising_beyond", PRESSURE | {"fast_fall_ratio": "1e999"}, "the number is out of range"),
        ("pressure_rising_beyond", PRESSURE | {"fast_fall_ratio": "0x1p9999"}, "the number is out of range"),
        ("memory_above", {"duration": "1"}, "memory_above needs threshold or threshold_anon; add one"),
        ("memory_above", {"duration": "1", "threshold": "101%"}, "a percentage must be from 0 to 100"),
        ("memory_above", {"duration": "1", "threshold": "1.5MK"}, "it does not begin with a number"),
        ("memory_above", {"duration": "1", "threshold": "5%z"}, "it is no size as 1.5G, 512M or 20%"),
        ("memory_above", {"duration": "1", "threshold": "5 -1M"}, "it is no size as 1.5G, 512M or 20%"),
        ("memory_above", {"duration": "1", "threshold": "+-123M"}, "it does not begin with a whole number"),
        ("memory_above", {"duration": "1", "threshold": "9999999999T"}, "the size is out of range"),
        ("memory_above", {"duration": "1", "threshold": "9999999999999"}, "the size is out of range"),
        ("nr_dying_descendants", {"count": "-1"}, "it must not be negative"),
        ("nr_dying_descendants", {"count": "1", "negate": True}, 'has no argument "negate"'),
        ("exists", {"negate": "yes"}, "it must be true, True, 1, false, False or 0"),
        (
            "kill_by_memory_size_or_growth",
            {"growing_size_percentile": "100"},
            "it must be at least 0 and below 100",
        ),
        ("kill_by_memory_size_or_growth", {"min_growth_ratio": "-1"}, "it must not be negative"),
        ("kill_by_swap_usage", {"threshold_anon": "1"}, 'has no argument "threshold_anon"'),
        ("kernel_panic", {"cgroup": "a"}, 'has no argument "cgroup"'),
        ("senpai", {}, 'required argument "cgroup" of senpai is missing'),
    ],
)
def test_plugins_that_oomd_refuses(name, args, words):
    found = why_not(name, **args)
    assert found.startswith("oomd.json:1: oomd refuses this file: ")
    assert words in found


def test_the_limits_that_it_takes():
    assert action("kill_by_memory_size_or_growth", cgroup="a", growing_size_percentile="99")
    assert detector("memory_above", cgroup="a", duration=0, threshold="+1M").above == Amount(bytes=MIB)
    swap = action("kill_by_swap_usage", cgroup="a", threshold="-1m")
    assert swap.choice.ranking.least == Amount(bytes=-MIB - 1)
    assert detector("pressure_rising_beyond", **PRESSURE, fast_fall_ratio="0x1p-1").fast_fall_ppm == 500_000
    assert (
        action("senpai", cgroup="a", limit_min_bytes="-1", memory_high_timeout_ms="-1", swap_threshold="0.8")
        == DoNothing()
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"rulesets": [5]}, "a ruleset must be an object in braces"),
        ({"rulesets": [{}]}, 'a ruleset is missing its "name"'),
        ({"rulesets": [{"name": {}}]}, '"name" must be a text, a number or true or false'),
        ({"rulesets": [{"name": "a"}]}, 'ruleset "a" has no detectors; add some'),
        (
            {"rulesets": [{"name": "a", "detectors": [["g", plugin("stop")]]}]},
            'ruleset "a" has no actions; add some',
        ),
        ({"rulesets": [ruleset(**{"silence-logs": "engine,asdf"})]}, "knows engine and plugins, not 'asdf'"),
        ({"rulesets": [ruleset(post_action_delay="-1")]}, '"post_action_delay" must not be negative'),
        (
            {"rulesets": [ruleset(post_action_delay="soon")]},
            "\"post_action_delay\": 'soon': it does not begin",
        ),
        ({"rulesets": [ruleset(**{"drop-in": []})]}, '"drop-in" must be an object in braces'),
        ({"rulesets": [ruleset(**{"drop-in": {"detectors": "yes"}})]}, '"detectors" must be true or false'),
        ({"rulesets": [{"name": "a", "detectors": ["g"]}]}, "must be an array that begins with its name"),
        (
            {"rulesets": [{"name": "a", "detectors": [[plugin("stop")]]}]},
            "must be an array that begins with its name",
        ),
        ({"rulesets": [{"name": "a", "detectors": [["g"]]}]}, 'group "g" in "a" has no detectors; add one'),
        ({"rulesets": [{"name": "a", "detectors": [["g", 5]]}]}, 'a plugin is missing its "name"'),
        ({"rulesets": [{"name": "a", "detectors": [["g", {"name": 5}]]}]}, 'a plugin is missing its "name"'),
        ([], "the whole file must be an object in braces"),
    ],
)
def test_files_that_oomd_refuses(content, words):
    assert words in text_refused(json.dumps(content))


def test_the_line_is_where_it_went_wrong():
    text = '// one\n{"rulesets": [\n /* two\n */ {"name": "a", "detectors": [["g",\n {"name": "nope"}]]}]}'
    assert text_refused(text).startswith("oomd.json:5: ")


def test_loading_asks_for_a_kind_and_a_text():
    with pytest.raises(InputError, match="no policies of the kind 'omd' can be read; did you mean \"oomd\""):
        foreign.load("omd", ("x", ""))
    with pytest.raises(InputError, match="no policy file is given; name at least one"):
        foreign.load("oomd", {})
