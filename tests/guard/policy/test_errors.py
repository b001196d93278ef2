"""Bad policies: each fault is said with its line, what is wrong and what to do; all faults, no traceback."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.guard.policy.load import load
from memwarden.guard.policy.render import render
from memwarden.words.document import Text
from tests.guard.policy import records

RULE = '[[rule]]\nname = "r"\n'
WHEN = RULE + "[[rule.when]]\n"
DO = RULE + "[[rule.do]]\n"


def said(text):
    loaded = load([Text("p", text)], name="p")
    assert (loaded.policy is None) == bool(loaded.problems)
    return [str(one) for one in loaded.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # The file itself.
        ("a = ", "p:1: is not TOML: invalid value"),
        ("\n[guard", "p:2: is not TOML: expected ']' at the end of a table declaration"),
        ("x = " + "9" * 5000, "p:1: is not TOML: a number has too many digits"),
        ("x = " + "[" * 3000 + "]" * 3000, "p:1: is nested too deeply; a policy needs five levels"),
        # Sections.
        ("\n[gaurd]", 'p:2: "gaurd" is no section of a policy (did you mean guard?)'),
        (
            "zzz = 1",
            'p:1: "zzz" is no section of a policy; there are [guard], [preferences], [protect.NAME] and',
        ),
        ("guard = 1", "p:1: [guard]: guard is 1; write [guard] and its keys below"),
        ("[[guard]]", "p:1: [guard]: guard is a list; write [guard] and its keys below"),
        ("[protect]\nx = 1", "p:2: [protect.x]: 1 is not a table; write [protect.NAME] with a name for the"),
        ("[rule]", "p:1: rule is a table; write [[rule]] with two brackets"),
        ("rule = 5", "p:1: rule is 5; write [[rule]] with two brackets"),
        ("[guard]\n\ntick = " + "9" * 5000, "p:3: is not TOML: a number has too many digits"),
        ("rule = [1]", "p:1: rule is 1; write [[rule]] and its keys below"),
        # Kinds of values.
        (
            '[guard]\ntick = "0s"',
            'p:2: [guard]: tick: "0s" is less than 1ms, and looking would take a CPU; write it as "500ms"',
        ),
        ("[guard]\ntick = 50", 'p:2: [guard]: tick: 50 has no unit; write it as "500ms"'),
        ("[guard]\nsteady = 1", "p:2: [guard]: steady: 1 is not true or false, without quotes"),
        ("[guard]\nname = ' '", 'p:2: [guard]: name: " " is not a name of printable characters'),
        ("[guard]\nname = 1", "p:2: [guard]: name: 1 is not text in quotes"),
        ("[guard]\nnotes = [1]", "p:2: [guard]: notes: 1 is not text in quotes, or a list of such"),
        (
            "[guard]\nallow_kill_of = 'ssh.servic'",
            'p:2: [guard]: allow_kill_of: "ssh.servic" is not known (did',
        ),
        ("[guard]\nnevr = []", 'p:2: [guard]: "nevr" is no key of guard (did you mean never?)'),
        # Marks.
        (
            "[guard]\nnever = 'db'",
            'p:2: [guard]: never: "db" is neither a cgroup nor a process; write "db.service"',
        ),
        ("[guard]\nnever = ''", 'p:2: [guard]: never: "" names no cgroup; write a path or a pattern, as'),
        (
            "[guard]\nnever = 'comm:'",
            'p:2: [guard]: never: "comm:" ends too early; a name or number has to follow',
        ),
        ("[guard]\nnever = 'comm~('", 'p:2: [guard]: never: "comm~(": the regular expression is wrong: '),
        ("[guard]\nnever = 'uid:x'", 'p:2: [guard]: never: "uid:x": what follows uid: has to be a number'),
        # Protected services.
        ("[protect.a]", "p:1: [protect.a]: protect needs who, which is a list of marks, or one of them"),
        (
            "[protect.a]\nwho = []",
            'p:2: [protect.a]: protects nobody; write whom, as who = ["postgresql*.service"',
        ),
        ("[protect.a]\nwho = 1", "p:2: [protect.a]: who: 1 is not text in quotes, or a list of such"),
        (
            "[protect.a]\nwho = 'comm:x'\nstall = { above = '5ms' }",
            "p:3: [protect.a]: stall: a stall can be measured of cgroups only; add the service's unit to who",
        ),
        (
            "[protect.a]\nwho = 'x.service'\nstall = '5ms'",
            'p:3: [protect.a]: stall: "5ms" is not a table; write stall = { above',
        ),
        (
            "[protect.a]\nwho = 'x.service'\nstall = { above = '5ms', cgroup = '/' }",
            'p:3: [protect.a]: stall: "cgroup" is no key of stall; it has above, in, kind, resource, for',
        ),
        # Removing.
        ("[protect.a]\nremove = true", "p:1: [protect.a]: there is nothing of this name to remove"),
        (
            "[protect.a]\nremove = 1\nwho = 'x.service'",
            "p:2: [protect.a]: remove: 1 is not true or false, without quotes",
        ),
        (
            RULE + "remove = true\npause = '1s'",
            'p:3: rule "r": remove = true stands alone; to replace, leave it away',
        ),
        # Rules.
        ("[[rule]]", "p:1: rule 1: rule needs name, which is a name"),
        ("[[rule]]\nname = 1", "p:2: rule 1: name: 1 is not text in quotes"),
        (RULE + RULE, 'p:3: rule "r": is there twice in this file; give each rule a name of its own'),
        (RULE + "cooldown = '1s'", 'p:3: rule "r": "cooldown" is no key of rule (did you mean pause?)'),
        (RULE + "[rule.when]", 'p:3: rule "r": when is a table; write [[rule.when]] with two brackets'),
        (RULE + "when = [1]", 'p:3: rule "r": 1 is not a table of detectors; write [[rule.when]]'),
        (WHEN, 'p:3: rule "r": looks for nothing; write what has to be seen, as stall = { above = "200ms" }'),
        (WHEN + "name = 1\nconstant = { fires = true }", 'p:4: rule "r": name: 1 is not text in quotes'),
        # Detectors.
        (WHEN + "stal = {}", 'p:4: rule "r": "stal" is not a detector (did you mean stall?)'),
        (WHEN + "zzzzz = {}", 'p:4: rule "r": "zzzzz" is not a detector; there are stall, exhaustion, '),
        (WHEN + "stall = {}", 'p:4: rule "r": stall: stall needs above, which is a duration, as "50ms"'),
        (
            WHEN + "stall = [\n{ above = 3 }]",
            'p:5: rule "r": stall: above: 3 has no unit; write it as "500ms"',
        ),
        (
            WHEN + "dying = {}",
            'p:4: rule "r": dying: dying needs more_than or at_most, which is a number, 0 or more',
        ),
        (
            WHEN + "dying = { more_than = 1, at_most = 2 }",
            'p:4: rule "r": dying: more_than and at_most exclude each other; leave one away',
        ),
        (
            WHEN + "dying = { at_most = -1 }",
            'p:4: rule "r": dying: at_most: -1 is not a whole number, 0 or more',
        ),
        (
            WHEN + "pressure = { above = '60' }",
            'p:4: rule "r": pressure: above: "60" has no unit; write it as "60%"',
        ),
        (
            WHEN + "pressure = { above = '60%', average = '30s' }",
            'p:4: rule "r": pressure: average: "30s": the kernel averages over "10s", "60s" and "300s" only',
        ),
        (
            WHEN + "stall = { above = '1s', kind = 'all' }",
            'p:4: rule "r": stall: kind: "all" is not known; there are full,',
        ),
        (
            WHEN + "stall = { above = '1s', kind = 1 }",
            'p:4: rule "r": stall: kind: 1 is not known; there are full, some',
        ),
        (
            WHEN + "exists = { cgroup = 'comm:x' }",
            'p:4: rule "r": exists: cgroup: "comm:x" is a mark; here the pattern',
        ),
        # Actions.
        (
            DO + "kill = {}\nnotify = {}",
            'p:3: rule "r": needs just one action, since actions run in order; write',
        ),
        (RULE + "do = [1]", 'p:3: rule "r": needs just one action'),
        (DO + "kil = {}", 'p:4: rule "r": "kil" is not an action (did you mean kill?)'),
        (DO + "kill = 1", 'p:4: rule "r": kill: 1 is not a table; write kill = { cgroup = ... }'),
        (DO + "panic = { now = true }", 'p:4: rule "r": panic: "now" is no key of panic; it has none'),
        (
            DO + "kill = { rank = 'culpit' }",
            'p:4: rule "r": kill: rank: "culpit" is not known (did you mean culprit?)',
        ),
        (
            DO + "kill = { rank = {} }",
            'p:4: rule "r": kill: rank: has no rank key; write one, as rank = "culprit"',
        ),
        (
            DO + "kill = { rank = { size = '1' } }",
            'p:4: rule "r": kill: rank: "1" is not a number, without quotes',
        ),
        (
            DO + "kill = { rank = { size = nan } }",
            'p:4: rule "r": kill: rank: nan is not a number, without quotes',
        ),
        (
            DO + "kill = { parameters = 1 }",
            'p:4: rule "r": kill: parameters: 1 is not a table of numbers, as { size_thr',
        ),
        (
            DO + "kill = { parameters = [[1, 2]] }",
            'p:4: rule "r": kill: parameters: a list is not a table of numbers',
        ),
        (
            DO + "kill = { hook = 'dump' }",
            'p:4: rule "r": kill: hook: needs a full path first, as ["/usr/local/bin',
        ),
        (DO + "kill = { hook = [] }", 'p:4: rule "r": kill: hook: needs a full path first'),
        (
            DO + "kill = { preferences = { prefer = 1 } }",
            'p:4: rule "r": kill: preferences: prefer: 1 is not text in q',
        ),
        (
            DO + "kill = { preferences = 1 }",
            'p:4: rule "r": kill: preferences: 1 is not a table; write preferences = {',
        ),
        (
            DO + "kill = { preferences = { }, least = '16' }",
            'p:4: rule "r": kill: least: "16" has no unit; write it as',
        ),
        (
            DO + "reclaim = { swappiness = 201 }",
            'p:4: rule "r": reclaim: swappiness: 201 is not a whole number, 0 to 200',
        ),
        (DO + "restart = {}", 'p:4: rule "r": restart: restart needs unit, which is a name'),
    ],
)
def test_one_fault_one_sentence(text, problem):
    found = said(text)
    assert len(found) == 1
    assert found[0].startswith(problem)
    assert "\n" not in found[0]
    assert found[0].endswith(tuple("abcdefghijklmnopqrstuvwxyz)}]\"'0123456789"))


def test_all_faults_are_said_in_the_order_of_their_lines():
    text = "[[rule]]\nname='r'\npause=1\n[[rule.when]]\nstal={}\n[guard]\ntick=1\n[preferences]\nprefer=1\n"
    assert [one.partition(": ")[0] for one in said(text)] == ["p:3", "p:5", "p:7", "p:9"]


def test_faults_of_several_files_are_in_the_order_of_the_files():
    loaded = load([Text("z", "[guard]\ntick=1"), Text("a", "x=1\n[guard]\ntick=1")], name="p")
    assert [str(one.origin) for one in loaded.problems] == ["z:2", "a:1", "a:3"]


def test_where_lines_are_not_certain_the_file_alone_is_named(monkeypatch):
    monkeypatch.setattr("memwarden.words.document.line_index", lambda _text, _tree: {})
    assert said("[guard]\ntick = 50") == ['p: [guard]: tick: 50 has no unit; write it as "500ms"']


@given(st.text(max_size=80))
def test_any_text_is_refused_in_sentences_or_taken(text):
    said(text)


@given(records.POLICIES, st.data())
def test_a_policy_that_was_damaged_is_refused_in_sentences_or_taken(policy, data):
    text = render(policy)
    at = data.draw(st.integers(0, len(text)))
    gone = data.draw(st.integers(0, 3))
    said(text[:at] + data.draw(st.sampled_from(["", '"', "[", "1", "= ", "x", "\n"])) + text[at + gone :])


VALUES = st.recursive(
    st.sampled_from(["1", "'x'", "'5s'", "'5%'", "true", "1.5", "'/a'", "1979-05-27"]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(["above", "kill", "stall", "size", "x"]), inner, max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + "}"
        )
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(
    ["guard", "guard.never", "guard.tick", "preferences", "preferences.omit", "protect", "protect.a",
     "protect.a.who", "protect.a.stall", "protect.a.remove"]
)  # fmt: skip
OF_RULES = st.sampled_from(["name", "when", "do", "pause", "remove", "per_cgroup"])


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.dictionaries(OF_RULES, VALUES, max_size=4))
def test_any_value_anywhere(top, rule):
    lines = [f"{key} = {value}" for key, value in top.items()]
    said("\n".join([*lines, "[[rule]]", *(f"{key} = {value}" for key, value in rule.items())]))
