"""All kinds at once: telling them apart, and whatever the text, a policy or one sentence."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.errors import InputError
from memwarden.guard import foreign
from memwarden.guard.engine import Engine
from memwarden.guard.ir import Policy
from memwarden.guard.never import BUILT_IN, Guarded
from memwarden.guard.policy.load import load
from memwarden.guard.policy.render import render
from memwarden.words.document import Text
from tests.guard.ticks import S, group, tick

SAMPLES = {
    "oomd": """{"rulesets": [{"name": "a", "cgroup": "x,y/*", "drop-in": {"detectors": true},
 "detectors": [["g", {"name": "memory_above", "args": {"cgroup": "a", "threshold": "1.5G 2M", "duration": 5}},
 {"name": "pressure_rising_beyond", "args": {"cgroup": "b", "resource": "io", "threshold": 5, "duration": "1",
 "fast_fall_ratio": "0.5"}}]], "actions": [{"name": "kill_by_swap_usage", "args": {"threshold": "5%",
 "ruleset_cgroup": "/"}}]}], "prekill_hooks": [{"name": "dummy_prekill_hook"}]} // end""",
    "plain": """{"memory_pressure": {"threshold": "60%", "duration": "10s"}, "swap_usage": 80,
 "workload_protection": {"critical_services": ["a"], "oom_score_adj": -900}}""",
    "systemd-oomd": """[OOM]
SwapUsedLimit=90.5%
DefaultMemoryPressureDurationSec=1min 30s
Id=a.slice
ControlGroup=/a.slice
ManagedOOMSwap=kill
ManagedOOMMemoryPressureLimit=4294967295
OOMRules=b
""",
    "earlyoom": """# a file
EARLYOOM_ARGS="-m 5,2 -S 1024 --prefer '^[[:alpha:]]+$' -r 60 --avoid a"
""",
    "nohang": """psi_checking_enabled = True
hard_threshold_min_mem = 2 %
soft_threshold_min_swap = 100 M
@BADNESS_ADJ_RE_NAME -5 /// ^a
""",
}
ODD = ["9" * 25, "-", "1e999", "\\", "[", "\x00", "\ud800", "\u0663", "0x"]
TOKENS = [*sorted({token for text in SAMPLES.values() for token in re.findall(r"\w+|\W", text)}), *ODD]
NAMES = st.sampled_from(["oomd.json", "a.oomrule", "oomd.conf", "x"])


def works_or_refuses(kind, texts, bug_compatible):
    try:
        policy = foreign.load(kind, texts, bug_compatible=bug_compatible)
    except InputError as error:
        sentences = [str(error)]
    else:
        assert isinstance(policy, Policy)
        again = load([Text("x.toml", render(policy))], name=policy.name)
        assert (again.policy, again.problems) == (policy, ())
        sentences = policy.notes
        files = (texts[0],) if isinstance(texts, tuple) else tuple(texts)
        assert all(sentence.startswith(files) for sentence in sentences)
    assert all(sentence.isprintable() and len(sentence) < 1000 for sentence in sentences)


def test_every_kind_has_a_sample():
    assert set(SAMPLES) == set(foreign.KINDS)


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_samples_are_recognised_and_taken(kind):
    assert foreign.recognise("some file", SAMPLES[kind]) == kind
    assert foreign.load(kind, ("some file", SAMPLES[kind])).rules or kind == "systemd-oomd"


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_whom_nobody_kills_is_left_alone_unless_the_tool_itself_is_asked_for(kind):
    assert foreign.load(kind, ("x", SAMPLES[kind])).never == BUILT_IN
    assert foreign.load(kind, ("x", SAMPLES[kind]), bug_compatible=True).never == ()


@pytest.mark.parametrize("bug_compatible", [False, True])
@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_the_engine_runs_it_and_a_machine_that_says_nothing_loses_nobody(kind, bug_compatible):
    policy = foreign.load(kind, ("x", SAMPLES[kind]), bug_compatible=bug_compatible)
    engine = Engine(policy, Guarded(policy.never, policy.protect))
    steps = [engine.step(tick(number * S, group("/a", held=5))) for number in range(3)]
    assert [intent for step in steps for decision in step.decisions for intent in decision.intents] == []


@pytest.mark.parametrize("bug_compatible", [False, True])
@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_all_of_it_can_be_said_in_a_policy_of_ours(kind, bug_compatible):
    policy = foreign.load(kind, ("x", SAMPLES[kind]), bug_compatible=bug_compatible)
    assert load([Text("x.toml", render(policy))], name=policy.name).policy == policy


ZERO = {"cgroup": "a", "resource": "memory", "duration": 5}


@pytest.mark.parametrize(
    ("plugin", "args", "note"),
    [
        ("pressure_above", {**ZERO, "threshold": -1}, "threshold is below zero"),
        ("pressure_rising_beyond", {**ZERO, "threshold": "-2"}, "threshold is below zero"),
        ("pressure_rising_beyond", {**ZERO, "threshold": 5, "fast_fall_ratio": -0.5}, ""),
        ("memory_above", {"cgroup": "a", "duration": 5, "threshold": "-1G"}, "threshold is below zero"),
        ("memory_above", {"cgroup": "a", "duration": 5, "threshold_anon": "-1"}, "threshold_anon is below"),
        ("swap_free", {"threshold_pct": -5}, ""),
        ("exists", {"cgroup": "a\tb,c"}, ""),
        ("systemd_restart", {"service": ""}, "there is no unit ''"),
        ("systemd_restart", {"service": "a\nb"}, "there is no unit 'a\\nb'"),
    ],
)
def test_the_odd_that_a_tool_takes_can_be_said_in_a_policy_of_ours(plugin, args, note):
    does = [{"name": plugin, "args": args}]
    sees = [{"name": "continue"}]
    ruleset = {"name": "a\nb\u202e", "detectors": [["g", *sees]], "actions": [*does, {"name": "stop"}]}
    if plugin != "systemd_restart":
        ruleset |= {"detectors": [["g", *does]], "actions": [{"name": "kill_by_pg_scan"}]}
    policy = foreign.load("oomd", ("o\nomd.json", json.dumps({"rulesets": [ruleset, ruleset]})))
    assert load([Text("x.toml", render(policy))], name=policy.name).policy == policy
    assert [rule.name for rule in policy.rules] == ["a\\nb\\u202e", "a\\nb\\u202e (2)"]
    assert policy.name == "o\\nomd.json"
    assert note in policy.notes[0] if note else not any("zero" in one for one in policy.notes)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("/etc/oomd/oomd.json", "{", "oomd"),
        ("x", '{"swap_usage": 5}', "plain"),
        ("x", '{"memory_pressure_threshold": 5}', "plain"),
        ("x", '{"critical_services": []}', "plain"),
        ("oomd.json", '{"else": 5}', None),
        ("oomd.json", "[]", "oomd"),
        ("/etc/systemd/oomd.conf", "", "systemd-oomd"),
        ("/etc/systemd/oomd.conf.d/10-ours.conf", "", "systemd-oomd"),
        ("a.oomrule", "", "systemd-oomd"),
        ("x", "Id=a\nManagedOOMSwap=kill\n", "systemd-oomd"),
        ("/etc/default/earlyoom", "# nothing\n", "earlyoom"),
        ("x", "/usr/bin/earlyoom -m 5", "earlyoom"),
        ("x", "-m 5 -s 10", "earlyoom"),
        ("x", "# ours\n\n  -r60 --avoid ^sshd$\n", "earlyoom"),
        ("x", "--prefer=a -m 5", "earlyoom"),
        ("x", "-m = 5", None),
        ("x", "-m=5", None),
        ("x", "-meaning well", None),
        ("x", "--prefers", None),
        ("x", "--- # YAML\n- m", None),
        ("x", "a\n-m 5", None),
        ("/etc/nohang/nohang-desktop.conf", "", "nohang"),
        ("policy.toml", 'name = "ours"\n', None),
        ("x", "", None),
    ],
)
def test_recognition(name, text, kind):
    assert foreign.recognise(name, text) == kind


@pytest.mark.parametrize(("text", "said"), [('{"rulesets": [', "ends where"), ("{" * 3, "x:1: ")])
def test_broken_json_is_said_to_be_broken_json(text, said):
    with pytest.raises(InputError, match=said):
        foreign.recognise("x", text)


def test_a_sentence_is_one_line_and_not_endless():
    for name in ("a\nb", "a" * 9000):
        with pytest.raises(InputError) as caught:
            foreign.load("oomd", ("x", json.dumps({"prekill_hooks": [{"name": name}]})))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) <= 400


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@given(
    text=st.one_of(st.text(), st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)),
    name=NAMES,
    bug_compatible=st.booleans(),
)
def test_any_text(kind, text, name, bug_compatible):
    works_or_refuses(kind, (name, text), bug_compatible)
    try:
        assert foreign.recognise(name, text) in {*SAMPLES, None}
    except InputError:
        assert text.lstrip().startswith("{")


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@given(data=st.data(), bug_compatible=st.booleans())
def test_a_sample_that_was_damaged(kind, data, bug_compatible):
    text = SAMPLES[kind]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        to = data.draw(st.integers(at, min(len(text), at + 8)))
        text = text[:at] + data.draw(st.sampled_from(["", *TOKENS])) + text[to:]
    works_or_refuses(kind, ("x", text), bug_compatible)


@given(
    kind=st.sampled_from(sorted(SAMPLES)),
    of=st.lists(st.sampled_from(sorted(SAMPLES)), min_size=1, max_size=3),
)
def test_the_samples_of_other_kinds(kind, of):
    works_or_refuses(kind, {f"{at}.conf": SAMPLES[other] for at, other in enumerate(of)}, False)
