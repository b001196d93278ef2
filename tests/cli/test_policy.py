"""``policy`` as a command: check, show, explain, convert."""

from __future__ import annotations

import io
import json
import os
from contextlib import contextmanager

import jsonschema
import pytest

from memwarden.collect.signals import HEADER
from memwarden.daemon import reading
from memwarden.errors import InputError
from memwarden.guard import ir
from memwarden.guard.policy.load import load
from memwarden.present.policy_json import check_schema, schema
from memwarden.words.document import Text

GOOD = """\
[protect.db]
who = "db.service"
[[rule]]
name = "ends"
[[rule.when]]
exhaustion = { within = "1s" }
[[rule.do]]
kill = {}
"""
ODD = GOOD + "[[rule]]\nname = 'idle'\n"
BAD = "[guard]\ntick = 50\n[[rule]]\nnmae = 'x'\n"


@pytest.fixture
def file(tmp_path):
    def write(text, name="p.toml"):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o644)
        return str(path)

    return write


def test_a_policy_that_is_right(cli, file):
    path = file(GOOD)
    assert cli("policy", "check", path) == (0, f"{path}: all right; 1 rule, 1 name protected\n", "")


def test_all_that_is_wrong(cli, file):
    path = file(BAD)
    said = (
        f'{path}:2: [guard]: tick: 50 has no unit; write it as "500ms"\n'
        f'{path}:4: rule 1: "nmae" is no key of rule (did you mean name?)\n'
        f"{path}: 2 errors; it is not used\n"
    )
    assert cli("policy", "check", path) == (1, said, "")


@pytest.mark.parametrize(
    ("tool", "text", "rules"),
    [
        ("earlyoom", 'EARLYOOM_ARGS="-m 5"\n', 2),
        ("plain", '{"memory_pressure": "60%"}', 1),
        ("systemd-oomd", "[OOM]\nSwapUsedLimit=80%\n", 0),
    ],
)
def test_another_tools_policy_is_checked_as_the_guard_takes_it(cli, file, tool, text, rules):
    path = file(text, "their.policy")
    ran = cli("policy", "check", path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(f"{rules} rule{'' if rules == 1 else 's'}, read as {tool}\n")
    assert len(reading.read(path)[0].rules) == rules
    warnings = [line for line in ran.out.splitlines() if ": warning: " in line]
    assert len(warnings) == len(reading.read(path)[1])


def test_what_another_tool_does_not_start_with_is_an_error_of_the_check(cli, file):
    path = file('EARLYOOM_ARGS="-m 120"\n', "earlyoom")
    why = f"{path}:1: earlyoom would not start (exit code 15): -m: value 120 exceeds the limit 99 in '120'\n"
    assert cli("policy", "check", path) == (1, f"{why}{path}: 1 error; it is not used\n", "")
    oomd = file('{"rulesets": [{"name": "a", "detectors": [["g", {"name": "x"}]], "actions": []}]}', "o.json")
    document = json.loads(cli("policy", "check", "--format", "json", oomd).out)
    [problem] = document["policies"][0]["problems"]
    assert (problem["file"], problem["line"], problem["severity"]) == (oomd, 1, "error")
    assert problem["text"].startswith("oomd refuses this file: ")


def test_a_check_says_no_where_the_guard_does(cli, file, tmp_path):
    """A policy of ours without rules, another tool's under a name of ours, and a folder of another tool's."""
    empty, named = file("", "empty.toml"), file("soft_threshold_min_mem = 8 %\n", "n.toml")
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "oomd.conf").write_text("[OOM]\n")
    for path, why in (
        (empty, "has no rule, so that the guard does nothing; write a [[rule]]"),
        (
            named,
            "is a policy of nohang, and .toml is for ours; memwarden policy convert makes it one of ours",
        ),
        (
            str(folder),
            f"the guard takes no folder of another tool; memwarden policy convert {folder} makes it one file",
        ),
    ):
        said = f"{path}: {why}\n{path}: 1 error; it is not used\n"
        assert cli("policy", "check", path) == (1, said, "")
        with pytest.raises(InputError):
            reading.read(path)


def test_what_is_no_policy_at_all_is_called_what_it_is(cli, file):
    recording = file(f"{HEADER}\n", "bad-hour.csv")
    said = (
        f"memwarden: {recording}: is a recording and no policy; memwarden policy replay takes it after one\n"
    )
    assert cli("policy", "replay", recording, "default") == (3, "", said)
    assert "is a recording and no policy" in cli("policy", "explain", "tests/roots/lab/6.12/low.rootar").err
    other = file("{}", "x.json")
    assert (
        f"{other}: is JSON, and nothing in it says whose policy it is; " in cli("policy", "check", other).out
    )


@pytest.mark.parametrize(
    "text", ["[]", "[1, 2]\n", '\n[\n {"rulesets": []}]', "[[1],\n[2]]", '[ { "a": [\n', "[" * 90 + "]" * 90]
)
@pytest.mark.parametrize("name", ["their.json", "ours.toml"])
def test_a_list_in_json_is_not_called_bad_toml(cli, file, text, name):
    path = file(text, name)
    said = f"{path}: is JSON, but a list, and no tool's policy is one; an object in braces may be\n"
    assert cli("policy", "check", path) == (1, f"{said}{path}: 1 error; it is not used\n", "")
    for words in (["show"], ["explain"], ["replay", "default", "x.csv", "--compare"]):
        assert cli("policy", *words, path) == (3, "", f"memwarden: {said}")
    with pytest.raises(InputError, match=": is JSON, but a list"):
        reading.read(path)


@pytest.mark.parametrize("text", ["[[rule]]\nx = 1\n", "[rule", "[[rule]", "[" * 5000])
def test_toml_with_a_bracket_at_its_beginning_is_not_called_json(cli, file, text):
    assert "JSON" not in cli("policy", "check", file(text)).out


def test_a_key_that_stands_twice_is_called_that(cli, file):
    path = file('[guard]\nname = "a"\nname = "b"\n')
    said = f"{path}:3: is not TOML: the key of this line has a value already; take one of them out\n"
    assert cli("policy", "show", path) == (3, "", f"memwarden: {said}")


def test_another_tools_json_under_a_name_of_ours_is_called_that_by_the_guard_too(file):
    with pytest.raises(InputError, match=r"is a policy of oomd, and \.toml is for ours"):
        reading.read(file('{"rulesets": []}', "oomd.toml"))


def test_broken_json_is_not_called_bad_toml(cli, file):
    path = file('{"rulesets": [', "their.json")
    said = f"{path}:1: the file ends where JSON needs a value\n"
    assert cli("policy", "check", path) == (1, f"{said}{path}: 1 error; it is not used\n", "")
    assert cli("policy", "replay", path, path) == (3, "", f"memwarden: {said}")


def test_what_cannot_be_read_keeps_no_other_from_being_checked(cli, file, tmp_path):
    broken, good = file("{", "their.json"), file(GOOD)
    gone = [str(tmp_path / name) for name in ("gone", "gone too")]
    ran = cli("policy", "check", gone[0], broken, gone[1], good)
    assert ran.code == 3
    assert ran.out.splitlines()[1:] == [
        f"{broken}: 1 error; it is not used",
        f"{good}: all right; 1 rule, 1 name protected",
    ]
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == gone


def test_warnings_are_findings_only_when_asked(cli, file):
    path = file(ODD)
    ran = cli("policy", "check", path)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        f'{path}:9: warning: rule "idle": looks for nothing and never fires; add a [[rule.when]]',
        f'{path}:9: warning: rule "idle": does nothing; add a [[rule.do]]',
        f"{path}: 2 warnings; 2 rules, 1 name protected",
    ]
    assert cli("policy", "check", "--strict", path).code == 1


def test_another_tools_policy_is_explained_and_shown(cli, file):
    path = file(
        '{"swap_usage": "60%", "workload_protection": {"critical_services": ["x"], "oom_score_adj": -900}}',
        "plain.json",
    )
    explained = cli("policy", "explain", path)
    assert (explained.code, explained.err) == (0, "")
    assert "less than 40% of swap is free" in explained.out
    # what cannot be expressed
    assert "oom_score_adj: memwarden sets it on no process" in " ".join(explained.out.split())
    assert cli("policy", "show", path).out == cli("policy", "convert", path).out
    document = json.loads(cli("policy", "explain", path, "--format", "json").out)
    jsonschema.validate(document, schema())
    assert document["protected"] == {"services": ["x.service"]}
    assert json.loads(cli("policy", "convert", path, "--format", "json").out) == document


def test_a_name_that_is_no_file_learns_of_the_built_in_one(cli):
    err = cli("policy", "show", "defualt").err
    assert err.endswith('cannot be opened: No such file or directory; "default" names the built-in policy\n')
    assert cli("policy", "show", "/no/such").err.endswith("No such file or directory\n")


def test_a_section_that_stands_twice(cli, file):
    path = file('[guard]\ndry_run = true\n[protect.x]\nwho = ["a"]\n[protect.x]\n')
    assert (
        f"{path}:5: is not TOML: [protect.x] stands twice; put both together"
        in cli("policy", "check", path).out
    )


def test_a_file_that_everybody_may_write(cli, file):
    path = file(GOOD)
    os.chmod(path, 0o666)
    out = cli("policy", "check", path).out
    assert out.startswith(f"{path}: warning: everybody may write it")
    ran = cli("policy", "show", path)
    assert ran.err.startswith(f"memwarden: {path}: everybody may write it and decide whom the guard kills; ")
    assert ran.err.endswith(f"run chmod o-w {path}\n")


def test_several_policies_as_json(cli, file):
    good, bad = file(GOOD), file(BAD, "bad.toml")
    ran = cli("policy", "check", good, bad, "--format", "json")
    document = json.loads(ran.out)
    jsonschema.validate(document, check_schema())
    assert ran.code == 1
    assert [(one["policy"], one["usable"]) for one in document["policies"]] == [(good, True), (bad, False)]
    assert document["policies"][1]["problems"][0] == {
        "file": bad,
        "line": 2,
        "severity": "error",
        "text": '[guard]: tick: 50 has no unit; write it as "500ms"',
    }


def test_no_policy_is_the_installed_or_the_built_in_one(cli, monkeypatch, tmp_path):
    monkeypatch.setattr("memwarden.host.policy_files.FOLDER", str(tmp_path))
    ran = cli("policy", "check")
    assert ran.code == 0
    assert ran.out.startswith("default: all right; ")
    assert cli("policy", "explain").out.startswith("Policy default\n")


def test_what_is_shown_is_the_same_policy(cli, file):
    path = file(GOOD)
    out = cli("policy", "show", path).out
    assert f"[[rule]]  # {path}:3\n" in out
    loaded = load([Text("p", out)], name="other")
    assert loaded.policy == load([Text("p", GOOD)], name=path).policy


@pytest.mark.parametrize("action", ["show", "explain"])
def test_as_json(cli, action, file):
    document = json.loads(cli("policy", action, file(GOOD), "--format", "json").out)
    jsonschema.validate(document, schema())
    assert [one["title"] for one in document["paragraphs"]][-1] == "Rule ends"
    assert document["policy"]["rules"][0]["actions"][0]["type"] == "DoKill"
    assert document["protected"] == {"db": ["db.service"]}
    assert {"section": "rule", "name": "ends", "file": file(GOOD), "line": 3} in document["origins"]


@pytest.mark.parametrize("action", ["show", "explain"])
def test_a_wrong_policy_is_neither_shown_nor_explained(cli, action, file):
    path = file(BAD)
    said = (
        f'memwarden: {path}:2: [guard]: tick: 50 has no unit; write it as "500ms" '
        "(and 1 more; memwarden policy check lists them)\n"
    )
    assert cli("policy", action, path) == (3, "", said)
    one = file("[guard]\ntick = 50\n")
    assert cli("policy", action, one).err.endswith('write it as "500ms"\n')


def test_colour(cli, file):
    assert cli("policy", "explain", file(GOOD), "--color", "always").out.startswith("\x1b[1mPolicy ")


def test_no_action_and_a_wrong_one(cli):
    ran = cli("policy")
    assert ran.code == 2
    assert "the following arguments are required: ACTION" in ran.err
    assert cli("policy", "chek").code == 2


EARLYOOM = 'EARLYOOM_ARGS="-m 5 -s 10 --avoid ^sshd$"\n'


def test_another_tools_policy(cli, file):
    path = file(EARLYOOM, "earlyoom")
    ran = cli("policy", "convert", "--from", "earlyoom", path)
    assert ran.code == 0
    loaded = load([Text("x", ran.out)], name="x")
    assert loaded.problems == ()
    assert any(isinstance(one, ir.DoKill) for rule in loaded.policy.rules for one in rule.actions)
    assert [line.removeprefix("memwarden: ") for line in ran.err.splitlines()] == list(loaded.policy.notes)


def test_the_tool_is_recognised(cli, file):
    path = file(EARLYOOM, "earlyoom")
    assert cli("policy", "convert", path) == cli("policy", "convert", "--from", "earlyoom", path)
    ran = cli("policy", "convert", file("hello\n", "x"))
    assert ran.code == 3
    assert ran.err.endswith("nothing says whose policy this is; say it with --from\n")


def test_a_converted_policy_as_json(cli, file):
    document = json.loads(cli("policy", "convert", file(EARLYOOM, "earlyoom"), "--format", "json").out)
    jsonschema.validate(document, schema())
    assert load([Text("x", document["toml"])], name="x").problems == ()


def test_what_the_tool_refuses_is_refused(cli, file):
    ran = cli("policy", "convert", "--from", "oomd", file("{", "oomd.json"))
    assert ran.code == 3
    assert "oomd.json:1: " in ran.err


def test_what_cannot_be_said_is_not_printed(cli, file, monkeypatch):
    strange = ir.Policy("p", (), protect=("no unit",))
    monkeypatch.setattr("memwarden.guard.foreign.load", lambda *_args, **_options: strange)
    ran = cli("policy", "convert", "--from", "oomd", file("{}", "oomd.json"))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("memwarden: cannot be said in a policy of ours: ")


@pytest.fixture
def given(monkeypatch, tmp_path):
    """A context in which a text is on standard input."""

    @contextmanager
    def give(text):
        (tmp_path / "in").write_text(text)
        kept = os.dup(0)
        try:
            with (tmp_path / "in").open("rb") as stream:
                os.dup2(stream.fileno(), 0)
            monkeypatch.setattr("sys.stdin", io.StringIO())
            yield
        finally:
            os.dup2(kept, 0)
            os.close(kept)

    return give


def test_standard_input(cli, given):
    with given(GOOD):
        assert cli("policy", "check", "-").out == "standard input: all right; 1 rule, 1 name protected\n"


def test_another_tools_policy_on_standard_input(cli, given):
    with given(EARLYOOM):
        assert "Rule term\n  When no more than 5%" in cli("policy", "explain", "-").out
    with given('{"io_pressure": "60%"}'):
        ran = cli("policy", "replay", "-", "tests/roots/replay/leak.csv")
        assert "standard input: does nothing; of 1 rule none came true\n" in ran.out
    with given("{}"):
        assert "standard input: is JSON, and nothing in it says" in cli("policy", "show", "-").err


def test_of_several_that_are_missing_no_name_reaches_the_terminal(cli):
    ran = cli("policy", "check", "a\x1b[2J", "b\x9b")
    assert ran.code == 3
    assert [line.partition(": cannot")[0] for line in ran.err.splitlines()] == [
        "memwarden: a\\x1b[2J", "memwarden: b\\x9b"
    ]  # fmt: skip
