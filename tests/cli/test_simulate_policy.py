"""``memwarden simulate --policy``: another tool's files, several of one policy, and who watches nothing."""

from __future__ import annotations

import pytest

from memwarden.errors import InputError
from memwarden.guard import ir
from memwarden.guard.sight import absent
from memwarden.host.policy_files import read_folder
from tests.cli.test_simulate import SMALL

OOMD = "[OOM]\nDefaultMemoryPressureDurationSec=1s\n"
UNITS = "Id=web.slice\nControlGroup=/web\nManagedOOMMemoryPressure=kill\nManagedOOMMemoryPressureLimit=1%\n"
STALLS = (
    "--set", "/web/memory.high=32MiB", "--set", "/web/memory.max=max", "--set", "machine.swap.size=16MiB",
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("small.toml", SMALL), ("oomd.conf", OOMD), ("units.txt", UNITS)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_several_files_are_one_policy_as_convert_takes_them(cli, here):
    several = ("--policy", "oomd.conf", "--policy", "units.txt")
    ran = cli("simulate", "small.toml", *STALLS, *several)
    assert (ran.code, ran.err) == (0, "")
    said = " ".join(ran.out.split())
    assert "; policy oomd.conf + units.txt: 1 decision 1 process dies: leak at " in said
    assert "by the guard" in said
    (here / "one.toml").write_text(cli("policy", "convert", "oomd.conf", "units.txt").out)
    same = cli("simulate", "small.toml", *STALLS, "--policy", "one.toml").out
    assert " ".join(same.split()) == said.replace("oomd.conf + units.txt", "one.toml")


def test_units_come_from_standard_input(piped):
    ran = piped(UNITS, "simulate", "small.toml", *STALLS, "--policy", "oomd.conf", "--policy", "-")
    assert "policy oomd.conf + standard input: 1 decision" in " ".join(ran.out.split())


OURS = """
[[rule]]
name = "r"
when = [{ exists = { cgroup = "/web" } }]
do = [{ notify = {} }]
"""


def test_what_comes_from_standard_input_is_whose_it_says(cli, here, piped):
    oomd = (
        '{"rulesets": [{"name": "r", "detectors": [["g", {"name": "exists", "args": {"cgroup": "web"}}]],'
        ' "actions": [{"name": "kill_by_memory_size_or_growth", "args": {"cgroup": "web"}}]}]}'
    )
    for text in (oomd, "-m 95 -s 100\n", UNITS, OURS):
        ran = piped(text, "simulate", "small.toml", *STALLS, "--policy", "-")
        assert ran.code == 0
        (here / "file").write_text(text)
        same = cli("simulate", "small.toml", *STALLS, "--policy", "file")
        assert same.code == 0
        assert " ".join(ran.out.split()) == " ".join(same.out.split()).replace(
            "policy file:", "policy standard input:"
        )


def test_what_comes_from_standard_input_and_is_nobodys(piped):
    ran = piped("Dear all,\n", "simulate", "small.toml", "--policy", "-")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("memwarden: standard input:1: ")
    ran = piped("{}\n", "policy", "explain", "-")
    assert ran.err.startswith("memwarden: standard input: is JSON, and nothing in it says whose policy it is")


def test_who_watches_nothing_is_said_to(cli, here):
    (here / "empty.toml").write_text("")
    ran = cli("simulate", "small.toml", "--policy", "oomd.conf", "--compare", "empty.toml")
    assert ran.code == 0
    first, second = ran.err.splitlines()
    assert first.startswith("memwarden: oomd.conf: watches nothing, since no unit asks for it; give one more")
    assert second == ("memwarden: empty.toml: has no rule, so that the guard does nothing; write a [[rule]]")


@pytest.mark.parametrize("more", [(), ("--seeds", "1")])
def test_who_watches_what_is_not_there_is_said_to(cli, here, more):
    (here / "units.txt").write_text(UNITS.replace("/web", "/user.slice"))
    ran = cli("simulate", "small.toml", "--policy", "units.txt", *more)
    assert ran.code == 0
    assert ran.err == (
        "memwarden: units.txt: does nothing here: it watches /user.slice, and there is no such cgroup in "
        "small\n"
    )


@pytest.mark.parametrize(
    ("files", "wrong"),
    [
        (("oomd.conf", "default"), "default"),
        (("one.toml", "two.toml"), "one.toml"),
        (("oomd.conf", "args"), "args"),
        (("small", "small"), "small"),
    ],
)
def test_files_that_are_not_one_policy(cli, here, files, wrong):
    (here / "args").write_text("-m 5\n")
    (here / "small").write_text("Dear all,\n")
    ran = cli("simulate", "small.toml", "--policy", files[0], "--policy", files[1])
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        f"memwarden: {wrong}: several files are one policy of another tool, and this is"
    )


def test_standard_input_is_read_once(cli):
    ran = cli("simulate", "-", "--policy", "-")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "memwarden: standard input (-) can be read only once; name files for the others\n"


def test_bare_arguments_are_earlyooms(cli, here):
    (here / "args").write_text("-m 95 -s 100\n")
    ran = cli("simulate", "small.toml", "--policy", "args")
    assert "by the guard" in ran.out
    assert cli("policy", "convert", "args").out == cli("policy", "convert", "--from", "earlyoom", "args").out


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ([], ()),
        ([((), [ir.Pressure(1, cgroups=("/gone",))])], ("/gone",)),
        ([((), [ir.Pressure(1)]), ((), [ir.Pressure(1, cgroups=("/gone",))])], ()),
        ([((), [ir.Pressure(1, cgroups=("/gone", "/web/*"))])], ("/gone", "/web/*")),
        ([((), [ir.Exists(("/gone",), negate=True)])], ()),
        ([((), [ir.Exists(("/gone",))])], ("/gone",)),
        ([(("/gone/*",), [ir.Pressure(1, cgroups=(".",))])], ("/gone/*",)),
        ([(("/web",), [ir.Pressure(1, cgroups=(".",))])], ()),
    ],
)
def test_what_is_absent(rules, missing):
    made = tuple(
        ir.Rule(str(number), (ir.Group("g", tuple(detectors)),), (), per_cgroup=globs)
        for number, (globs, detectors) in enumerate(rules)
    )
    assert absent(ir.Policy("p", made), ("/", "/web")) == missing


def test_one_group_that_sees_is_enough():
    groups = tuple(ir.Group("g", (ir.Pressure(1, cgroups=(path,)),)) for path in ("/gone", "/web"))
    assert absent(ir.Policy("p", (ir.Rule("r", groups, ()),)), ("/web",)) == ()


@pytest.fixture
def folder(here):
    """All files of one policy of systemd-oomd's, and others beside them."""
    found = here / "oomd"
    (found / "oomd.conf.d").mkdir(parents=True)
    (found / "system").mkdir()
    for name, text in (
        ("a-units.txt", UNITS),
        ("oomd.conf", "[OOM]\n"),
        ("oomd.conf.d/10.conf", OOMD),
        ("oomd.conf.d/notes", "Dear all,\n"),
        ("journald.conf", "[Journal]\nStorage=none\n"),
        ("system/other.conf", "[OOM]\nSwapUsedLimit=never\n"),
        (".hidden.conf", "[OOM]\nSwapUsedLimit=never\n"),
    ):
        (found / name).write_text(text)
    (found / "linked.txt").symlink_to(here / "small.toml")
    (found / "picture").write_bytes(b"\xff\xfe[OOM]")
    return found


def test_a_folder_is_all_files_of_a_policy(cli, here, folder):
    files = ("oomd/oomd.conf", "oomd/oomd.conf.d/10.conf", "oomd/a-units.txt")
    converted = cli("policy", "convert", "oomd/")
    assert (converted.code, converted.err) == (0, "")
    assert converted.out == cli("policy", "convert", *files).out
    ran = cli("simulate", "small.toml", *STALLS, "--policy", "none", "--compare", "oomd")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1].split()[:2] == ["oomd", "leak"]
    assert cli("simulate", "small.toml", "--policy", "oomd", "--policy", "units.txt").code == 0


def test_a_folder_of_several_tools_or_of_none(cli, here, folder):
    (folder / "earlyoom").write_text("-m 5\n")
    ran = cli("simulate", "small.toml", "--policy", "oomd")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "memwarden: oomd: holds files of earlyoom and systemd-oomd; name those of one of them\n"
    )
    ran = cli("simulate", "small.toml", "--policy", "oomd/system/..//system")
    assert ran.code == 0  # one with a drop-in only, which watches nothing
    (here / "bare").mkdir()
    assert (
        "bare: holds neither policy.toml nor policy.d"
        in cli("simulate", "small.toml", "--policy", "bare").err
    )
    assert cli("policy", "convert", "bare").err == (
        "memwarden: bare: no file in this folder says whose policy it is; name the files, with --from TOOL\n"
    )


def test_a_folder_of_ours_is_ours(cli, here):
    (here / "ours").mkdir()
    (here / "ours" / "policy.toml").write_text("")
    (here / "ours" / "oomd.conf").write_text("[OOM]\n")
    assert "ours: has no rule" in cli("simulate", "small.toml", "--policy", "ours").err


def test_what_cannot_be_read_in_a_folder_is_not_passed_over(cli, folder, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, _mode: not path.endswith("picture"))
    assert "oomd/picture:1: is not UTF-8" in cli("policy", "convert", "oomd").err
    with pytest.raises(InputError, match="gone: cannot be read: No such file or directory"):
        read_folder("gone")
