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


@pytest.mark.parametrize("kind", [(), ("--from", "oomd")])
def test_one_of_ours_is_not_converted(cli, tmp_path, kind):
    folder, file = tmp_path / "ours", tmp_path / "my.conf"
    folder.mkdir()
    (folder / "policy.toml").write_text("")
    file.write_text(cli("policy", "show", "default").out)
    (tmp_path / "drop-in").write_text('[protect.web]\nservices = "web.service"\n')
    for path in (file, folder, tmp_path / "drop-in", "default"):
        said = f"{path}: is a policy of memwarden already; memwarden policy show prints it as a whole\n"
        assert cli("policy", "convert", *kind, path) == (3, "", f"memwarden: {said}")


def test_what_is_no_policy_is_called_what_it_is(cli, tmp_path):
    file = tmp_path / "theirs"
    file.write_text("[1, 2]\n")
    said = (
        f"memwarden: {file}: is JSON, but a list, and no tool's policy is one; an object in braces may be\n"
    )
    assert cli("policy", "convert", file) == (3, "", said)


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
