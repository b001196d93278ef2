"""A plain JSON policy, and every way to write one."""

import json

import pytest

from memwarden.errors import InputError
from memwarden.guard import foreign
from memwarden.guard.ir import (
    Amount,
    Choice,
    DoKill,
    Preferences,
    Pressure,
    Ranking,
    SwapFree,
    Weight,
)
from memwarden.units import SECOND_US

S = SECOND_US
WHOLE = {
    "memory_pressure": {"threshold": "60%", "duration": "10s"},
    "swap_usage": {"threshold": "80%", "duration": "5s"},
    "io_pressure": {"threshold": "70%", "duration": "1min"},
    "workload_protection": {
        "critical_services": ["postgresql", "/a.slice/*", "x.scope"],
        "oom_score_adj": -900,
    },
}


def load(content):
    return foreign.load("plain", ("p.json", json.dumps(content)))


def reason(content):
    with pytest.raises(InputError) as caught:
        load(content)
    return str(caught.value)


def test_the_whole_of_it():
    policy = load(WHOLE)
    assert [rule.name for rule in policy.rules] == ["memory_pressure", "swap_usage", "io_pressure"]
    memory, swap, io = (rule.groups[0].detectors for rule in policy.rules)
    assert memory == (Pressure(6000, "memory", "full", 10, (), 10 * S),)
    assert swap == (SwapFree(Amount(ppm=200_000), for_us=5 * S),)  # more than 80 % used: less than 20 % free
    assert io == (Pressure(7000, "io", "full", 10, (), 60 * S),)
    ranking, omit = Ranking((Weight("pressure"), Weight("size"))), Preferences(omit=("adj<=-900",))
    choice = Choice(ranking=ranking, preferences=omit)
    assert policy.rules[0].actions == (DoKill(choice, even_without_need=True),)
    keys = [rule.actions[0].choice.ranking.weights[0].key for rule in policy.rules]
    assert keys == ["pressure", "swap", "io-cost"]
    assert policy.protect == ("postgresql.service", "/a.slice/*", "x.scope")
    (note,) = policy.notes
    assert note.startswith("p.json:1: oom_score_adj: memwarden sets it on no process")
    assert "OOMScoreAdjust=-900" in note


@pytest.mark.parametrize(
    "content",
    [
        {"memory_pressure": "60%"},
        {"memory_pressure": 60},
        {"memory_pressure": 60.0},
        {"memory_pressure": {"threshold": " 60 % ", "duration": 10}},
        {"memory_pressure_threshold": "60", "memory_pressure_duration": "10000ms"},
    ],
)
def test_other_ways_to_write_the_same(content):
    policy = load(content)
    assert policy.rules == load({"memory_pressure": WHOLE["memory_pressure"]}).rules
    assert policy.protect == ()


@pytest.mark.parametrize(
    "content", [{"memory_pressure": 5}, {"memory_pressure": {"threshold": 5}}, {"memory_pressure": "5"}]
)
def test_a_threshold_without_a_unit_is_said_to_be_a_share(content):
    policy = load(content)
    assert policy.rules == load({"memory_pressure": "5%"}).rules
    assert policy.notes == ("p.json:1: memory_pressure: 5 has no unit and is read as 5%",)
    assert load({"memory_pressure": "5%"}).notes == ()


def test_protection_may_stand_at_the_top():
    flat = {**WHOLE, **WHOLE["workload_protection"]}
    del flat["workload_protection"]
    assert load(flat) == load(WHOLE)


def test_a_share_below_one_percent():
    assert load({"memory_pressure": "0.5%"}).rules[0].groups[0].detectors[0].above_centi == 50
    assert load({"memory_pressure": 33.3}).rules[0].groups[0].detectors[0].above_centi == 3330


def test_one_file_is_read():
    text = json.dumps({"memory_pressure": 60})
    assert foreign.load("plain", {"a": text, "b": "never read"}).notes == (
        "b: a plain policy is one file; this one is left out",
        "a:1: memory_pressure: 60 has no unit and is read as 60%",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([], "the policy must be an object in braces"),
        ({"memory_presure": "60%"}, "there is no 'memory_presure'; did you mean \"memory_pressure\"?"),
        (
            {"memory_pressure": {"treshold": 1}},
            "memory_pressure has no 'treshold'; did you mean \"threshold\"?",
        ),
        ({"memory_pressure": {"duration": "1s"}}, 'memory_pressure has no "threshold"; add one as "60%"'),
        ({"memory_pressure": "60s"}, "'60s' is not a share of 100 as \"60%\""),
        ({"memory_pressure": True}, 'what stands here is not a share of 100 as "60%"'),
        ({"memory_pressure": -5}, "'-5' is not a share of 100 as \"60%\""),
        ({"memory_pressure": 0.6}, '0.6 may be a share of 1 or of 100; write "60%" or "0.6%"'),
        ({"memory_pressure": "0.65"}, '0.65 may be a share of 1 or of 100; write "65%" or "0.65%"'),
        (
            {"memory_pressure": "5%", "memory_pressure_threshold": "6%"},
            "'memory_pressure_threshold' is given once before; leave one of them out",
        ),
        ({"memory_pressure": 100}, 'the threshold must be above 0% and below 100%, as "60%"'),
        ({"memory_pressure": "0"}, 'the threshold must be above 0% and below 100%, as "60%"'),
        ({"memory_pressure": {"threshold": 1, "duration": "10 parsecs"}}, "'10 parsecs' is not a time as"),
        ({"workload_protection": []}, "workload_protection must be an object in braces"),
        ({"workload_protection": {"services": []}}, "workload_protection has no 'services'"),
        ({"critical_services": "a"}, "critical_services must be an array of names"),
        ({"critical_services": [" "]}, "a critical service must be a name in quotes"),
        ({"critical_services": ["a\nb"]}, "a critical service must be a name in quotes"),
        ({"critical_services": ["uid:0"]}, "a critical service must be a name in quotes"),
        ({"critical_services": ["adj<=5"]}, "a critical service must be a name in quotes"),
        ({"critical_services": [5]}, "a critical service must be a name in quotes"),
        ({"oom_score_adj": "-900"}, "oom_score_adj must be a whole number from -1000 to 1000"),
        ({"oom_score_adj": True}, "oom_score_adj must be a whole number from -1000 to 1000"),
        ({"oom_score_adj": -1001}, "oom_score_adj must be a whole number from -1000 to 1000"),
    ],
)
def test_what_is_refused(content, sentence):
    found = reason(content)
    assert found.startswith("p.json:1: ")
    assert sentence in found


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"memory_pressure": "5%",\n"memory_pressure": "60%"}', "p:2: 'memory_pressure'"),
        ('{"swap_usage": {"threshold": "5%",\n\n"threshold": "60%"}}', "p:3: 'threshold'"),
    ],
)
def test_equal_keys_are_refused(text, where):
    with pytest.raises(InputError) as caught:
        foreign.load("plain", ("p", text))
    assert str(caught.value) == f"{where} is given once before; leave one of them out"


@pytest.mark.parametrize(
    ("behind", "sentence"),
    [
        ('\n{"swap_usage": "80%"}', "p:2: '{' stands behind the end of it; take it out"),
        ("}", "p:1: '}' stands behind the end of it; take it out"),
        (" garbage", "p:1: this is not JSON: 'garbage'; correct it here"),
    ],
)
def test_a_file_is_one_policy_and_nothing_behind_it(behind, sentence):
    whole = '{"memory_pressure": "60%"}'
    with pytest.raises(InputError) as caught:
        foreign.load("plain", ("p", whole + behind))
    assert str(caught.value) == sentence
    assert foreign.load("plain", ("p", f"{whole} // 60 of 100\n")).rules


def test_a_policy_that_watches_nothing():
    assert reason({}) == (
        'p.json: nothing to act on; add "memory_pressure": {"threshold": "60%", "duration": "10s"}'
    )
