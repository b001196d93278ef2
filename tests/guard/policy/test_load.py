"""Several files: what goes over what, and where each part came from."""

from __future__ import annotations

from memwarden.guard import ir
from memwarden.guard.never import BUILT_IN
from memwarden.guard.policy.load import load
from memwarden.units import MIB, MILLISECOND_US, SECOND_US
from memwarden.words.document import Text
from memwarden.words.problems import Origin

BASE = """\
[guard]
tick = "1s"
never = ["a.service"]
[preferences]
prefer = ["a.service"]
omit = "o.service"
xattrs = ["oomd"]
[protect.db]
who = "db*.service"
stall = { above = "50ms" }
[protect.web]
who = ["web.service", "comm:web"]
[[rule]]
name = "first"
[[rule.do]]
kill = {}
[[rule]]
name = "second"
pause = "1s"
"""


def loaded(*texts):
    found = load([Text(f"{number}.toml", text) for number, text in enumerate(texts)], name="mine")
    assert [str(one) for one in found.problems] == []
    return found


def test_one_file():
    found = loaded(BASE)
    policy = found.policy
    marks = ir.Preferences(prefer=("a.service",), omit=("o.service",), xattrs=("oomd",))
    assert policy.name == "mine"
    assert policy.tick_us == SECOND_US
    assert policy.never == (*BUILT_IN, "a.service")
    assert policy.protect == ("db*.service", "web.service", "comm:web")
    assert [rule.name for rule in policy.rules] == ["protect db", "first", "second"]
    assert policy.rules[0].groups == (
        ir.Group("stall", (ir.Stall(50 * MILLISECOND_US, cgroups=("db*.service",)),)),
    )
    throttle, kill = policy.rules[0].actions
    culprit = ir.Choice(ranking=ir.Ranking(least=ir.Amount(16 * MIB)), preferences=marks)
    assert throttle == ir.DoThrottle(culprit, within_us=500 * MILLISECOND_US)
    assert kill == ir.DoKill(culprit)
    assert policy.rules[1].actions == (ir.DoKill(ir.Choice(preferences=marks)),)
    assert policy.rules[2] == ir.Rule("second", (), (), pause_us=SECOND_US)
    assert found.protected == {"db": ("db*.service",), "web": ("web.service", "comm:web")}
    assert found.origins[("guard", "tick")] == (Origin("0.toml", 2),)
    assert found.origins[("protect", "db")] == found.origins[("rule", "protect db")] == (Origin("0.toml", 8),)
    assert found.origins[("rule", "second")] == (Origin("0.toml", 17),)


def test_settings_replace_and_lists_add_up():
    found = loaded(
        BASE,
        '[guard]\ntick = "5s"\nnever = "b.service"\nname = "x"\n'
        '[preferences]\nprefer = ["b.service"]\nomit = []\nxattrs = []\n',
    )
    assert (found.policy.name, found.policy.tick_us) == ("x", 5 * SECOND_US)
    assert found.policy.never == (*BUILT_IN, "a.service", "b.service")
    marks = found.policy.rules[1].actions[0].choice.preferences
    assert marks == ir.Preferences(prefer=("a.service", "b.service"), xattrs=())
    assert found.origins[("guard", "never")] == (Origin("0.toml", 3), Origin("1.toml", 3))
    assert found.origins[("guard", "tick")] == (Origin("1.toml", 2),)
    assert found.origins[("preferences", "omit")] == (Origin("1.toml", 7),)


def test_never_cannot_be_emptied_and_the_built_in_list_is_shortened_by_name_only():
    found = loaded(
        BASE, "[guard]\nnever = []\nallow_kill_of = ['ssh.service']", "[guard]\nallow_kill_of = 'init.scope'"
    )
    gone = {"ssh.service", "init.scope"}
    assert found.policy.never == (*(mark for mark in BUILT_IN if mark not in gone), "a.service")


def test_a_rule_replaces_the_one_of_its_name_in_its_place():
    found = loaded(BASE, '[[rule]]\nname = "third"\n[[rule]]\nname = "first"\npause = "7s"\n')
    assert [rule.name for rule in found.policy.rules] == ["protect db", "first", "second", "third"]
    assert found.policy.rules[1] == ir.Rule("first", (), (), pause_us=7 * SECOND_US)
    assert found.origins[("rule", "first")] == (Origin("1.toml", 3),)


def test_a_rule_and_a_service_are_taken_away():
    found = loaded(BASE, '[[rule]]\nname = "first"\nremove = true\n[protect.db]\nremove = true\n')
    assert [rule.name for rule in found.policy.rules] == ["second"]
    assert found.policy.protect == ("web.service", "comm:web")
    assert ("protect", "db") not in found.origins
    assert ("rule", "first") not in found.origins


def test_a_service_loses_its_objective_when_it_is_replaced_without_one():
    found = loaded(BASE, '[protect.db]\nwho = "db2.service"\n')
    assert [rule.name for rule in found.policy.rules] == ["first", "second"]
    assert found.policy.protect == ("db2.service", "web.service", "comm:web")


def test_the_rule_of_an_objective_may_be_written_out():
    found = loaded(BASE, '[[rule]]\nname = "protect db"\npause = "1s"\n')
    assert found.policy.rules[0] == ir.Rule("protect db", (), (), pause_us=SECOND_US)
    assert found.policy.protect[0] == "db*.service"


def test_what_is_not_there_cannot_be_removed_and_the_nearest_name_is_said():
    found = load([Text("a", BASE), Text("b", '[[rule]]\nname = "frist"\nremove = true\n')], name="p")
    assert [str(one) for one in found.problems] == [
        'b:1: rule "frist": there is nothing of this name to remove (did you mean first?)'
    ]
    assert found.policy is None


def test_an_action_has_preferences_of_its_own():
    found = loaded(
        BASE, '[[rule]]\nname = "x"\n[[rule.do]]\nkill = { least = "1MiB", preferences = { avoid = "/a" } }'
    )
    kill = found.policy.rules[-1].actions[0]
    assert kill.choice.preferences == ir.Preferences(avoid=("/a",))
    assert kill.choice.ranking == ir.Ranking(least=ir.Amount(bytes=MIB))


def test_groups_are_called_by_their_detectors():
    found = loaded(
        '[[rule]]\nname = "x"\n'
        '[[rule.when]]\nstall = [{ above = "1s" }, { above = "2s" }]\nexhaustion = { within = "1s" }\n'
        '[[rule.when]]\nname = "mine"\ndying = { at_most = 3 }\n'
    )
    first, second = found.policy.rules[0].groups
    assert (first.name, second.name) == ("stall and exhaustion", "mine")
    assert [one.above_us for one in first.detectors[:2]] == [SECOND_US, 2 * SECOND_US]
    assert second.detectors == (ir.Dying(3, lte=True),)


def test_nothing_at_all_is_a_policy_that_does_nothing():
    assert loaded("").policy == ir.Policy("mine", (), never=BUILT_IN)
    assert loaded().policy == ir.Policy("mine", (), never=BUILT_IN)
