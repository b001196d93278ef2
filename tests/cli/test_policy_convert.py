"""``policy convert``: whose policy it is, said or seen, and what cannot be said in ours."""

from __future__ import annotations

import pytest

from memwarden.cli.policy_convert import KINDS
from memwarden.guard import foreign
from memwarden.guard.policy.load import load
from memwarden.words.document import Text


def test_the_kinds_are_those_that_can_be_read():
    assert set(KINDS) == set(foreign.KINDS)


def test_the_kind_is_seen(cli, tmp_path):
    file = tmp_path / "defaults"
    file.write_text('EARLYOOM_ARGS="-m 5 -n"\n')
    ran = cli("policy", "convert", file)
    assert ran.code == 0
    assert "-n: memwarden does not notify through D-Bus" in ran.err
    assert ran.out == cli("policy", "convert", "--from", "earlyoom", file).out
    expected = foreign.load("earlyoom", (str(file), file.read_text()))
    assert load([Text("x.toml", ran.out)], name=expected.name).policy == expected


def test_the_kind_is_not_seen(cli, tmp_path):
    file = tmp_path / "letter"
    file.write_text("Dear all,\n")
    ran = cli("policy", "convert", file)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"memwarden: {file}: nothing says whose policy this is; say it with --from\n"


@pytest.mark.parametrize("flag", [(), ("--bug-compatible",)])
def test_drop_ins_and_bugs(cli, tmp_path, flag):
    base, drop_in = tmp_path / "oomd.json", tmp_path / "more.json"
    kill = '{"name": "kill_by_memory_size_or_growth", "args": {"cgroup": "a", "min_growth_ratio": "1.5"}}'
    base.write_text(
        '{"rulesets": [{"name": "r", "drop-in": {"actions": true}, "detectors": [["g", {"name": "stop"}]],'
        f' "actions": [{kill}]}}]}}'
    )
    drop_in.write_text('{"rulesets": [{"name": "r", "actions": [{"name": "continue"}]}]}')
    ran = cli("policy", "convert", *flag, base, drop_in)
    assert ran.code == 0
    policy = load([Text("x.toml", ran.out)], name="x").policy
    assert [len(rule.actions) for rule in policy.rules] == [1, 1]
    ratio = dict(policy.rules[1].actions[0].choice.ranking.parameters)["min_growth_ratio"]
    assert ratio == (1.0 if flag else 1.5)
