"""``memwarden simulate --policy``: another tool's files, several of one policy, and who watches nothing."""

from __future__ import annotations

import os

import pytest

from memwarden.guard import ir
from memwarden.guard.sight import absent
from tests.cli.test_simulate import SMALL

OOMD = "[OOM]\nDefaultMemoryPressureDurationSec=1s\n"
UNITS = "Id=web.slice\nControlGroup=/web\nManagedOOMMemoryPressure=kill\nManagedOOMMemoryPressureLimit=1%\n"
STALLS = (
    "--set", "/web/memory.high=32MiB", "--set", "/web/memory.max=max", "--set", "machine.swap.size=16MiB",
)  # fmt: skip


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


def test_units_come_from_standard_input(cli, here):
    kept = os.dup(0)
    try:
        with (here / "units.txt").open("rb") as stream:
            os.dup2(stream.fileno(), 0)
        ran = cli("simulate", "small.toml", *STALLS, "--policy", "oomd.conf", "--policy", "-")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert "policy oomd.conf + standard input: 1 decision" in " ".join(ran.out.split())


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
