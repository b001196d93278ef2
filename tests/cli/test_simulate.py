"""``memwarden simulate`` as a person runs it."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from memwarden.cli import simulate_many
from memwarden.present import simulate_json, simulate_list, sweep_json

SMALL = """\
[scenario]
text = "a leak under a limit"
duration = "6s"

[machine]
ram = "1GiB"

[group."/web"]
memory.max = "64MiB"

[program.leak]
cgroup = "/web"
grow = { rate = "20MiB/s", limit = "100MiB" }
"""


GOLDEN = Path(__file__).parent.parent / "golden" / "simulate"


@pytest.mark.parametrize("name", ["limit", "high", "tmpfs"])
def test_what_is_printed_is_what_the_arithmetic_of_the_file_says(cli, golden, name):
    ran = cli("simulate", GOLDEN / f"{name}.toml")
    assert ran.code == 0
    golden(f"simulate/{name}.txt", ran.out)


def test_cgroups_that_are_not_shown_are_counted(cli):
    shown = cli("simulate", "idle", "--set", "duration=1s").out
    assert shown.count("/tenants.slice") == 0
    assert "\nand 201 cgroups that hold nothing\n" in shown  # 200 of them, and the slice that they are in


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), " 0 "),
        (("--compare", "seed=2"), "seed=2            nobody           -        0          0 "),
        (("--sweep", "seed=1..3:1"), "   1        0 "),
        (("--seeds", "2"), "Of nine of ten the programs do not stall.\n"),
    ],
)
def test_nothing_is_0_of_whatever_unit(cli, words, said):
    shown = cli("simulate", "arena-machine", "--set", "duration=1s", *words).out
    assert said in shown
    assert " 0 us" not in shown


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return str(path)


def test_the_list_has_every_scenario_and_fits(cli):
    ran = cli("simulate", "--list")
    assert ran.code == 0
    assert "high-against-max" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    document = json.loads(cli("simulate", "--list", "--format", "json").out)
    jsonschema.validate(document, simulate_list.schema())
    assert len(document["scenarios"]) == 19


def test_who_dies_and_when_is_the_first_thing_said(cli, small):
    ran = cli("simulate", small)
    assert ran.code == 0
    assert ran.err == ""
    # 64 MiB at 20 MiB/s.
    assert "1 process dies: leak at 3.2 s by the kernel." in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_of_many_who_die_the_first_are_named_and_the_others_counted(cli, tmp_path):
    path = tmp_path / "many.toml"
    path.write_text(
        '[scenario]\nduration = "30s"\n'
        + "".join(
            f'[group."/{at}"]\nmemory.max = "60M"\n[program.p{at}]\ncgroup = "/{at}"\n'
            f'grow = {{ rate = "{rate}MiB/s" }}\n'
            for at, rate in enumerate([10] * 7 + [1] * 13)  # 60 MiB at 10 MiB/s; at 1 MiB/s only 30
        )
    )
    ran = cli("simulate", path).out
    assert "7 processes die: p0 at 6.0 s by the kernel;" in ran
    assert "p5 at 6.0 s by the kernel; and 1 more." in " ".join(ran.split())
    table = ran.partition("PROGRAM ")[2].splitlines()[1:]
    assert [line.split()[:2] for line in table[:8]] == [*([f"p{at}", "1"] for at in range(7)), ["p7", "0"]]
    assert (len(table), table[16]) == (17, "and 4 more programs, of which nobody died")


@pytest.mark.parametrize(
    ("swap", "said"),
    [
        ('{ size = "64MiB" }', "64.0 MiB of swap; seed 1"),
        ('{ size = "64MiB", ram_ratio = 2 }', "64.0 MiB of zram; seed 1"),
        ('{ size = "64MiB" }\nzswap = {}', "64.0 MiB of swap behind zswap; seed 1"),
    ],
)
def test_what_swap_is_on_is_said(cli, tmp_path, swap, said):
    path = tmp_path / "swap.toml"
    path.write_text(SMALL.replace("[machine]", f"[machine]\nswap = {swap}"))
    assert said in " ".join(cli("simulate", path).out.split())


def test_a_policy_that_did_nothing_is_told_from_none(cli, small):
    idle = cli("simulate", small, "--policy", "default", "--set", "program.leak.grow.limit=8MiB").out
    assert "; policy default: 0 decisions" in " ".join(idle.split())
    for words in ((), ("--policy", "none")):
        assert "policy" not in cli("simulate", small, *words).out


def test_who_ends_on_sigterm_is_not_said_to_live(cli, small, tmp_path):
    policy = tmp_path / "earlyoom"
    policy.write_text('EARLYOOM_ARGS="-M 980000,1024"\n')  # KiB: ask below 957 MiB, kill below 1 MiB
    ran = cli("simulate", small, "--policy", policy, "--set", "/web/memory.max=max")
    verdict = next(line for line in ran.out.splitlines() if "dies" in line)
    assert verdict.startswith("1 process dies: leak at ")
    assert verdict.endswith(" s by the guard.")
    assert "SIGTERM to leak (pid 1000) in /web" in ran.out
    document = json.loads(cli("simulate", small, "--policy", policy, "--format", "json",
                              "--set", "/web/memory.max=max").out)  # fmt: skip
    jsonschema.validate(document, simulate_json.schema())
    assert [one["by"] for one in document["runs"][0]["deaths"]] == ["the guard"]


def test_a_setting_changes_the_outcome_and_compare_shows_both(cli, small):
    assert "Nobody dies." in cli("simulate", small, "--set", "/web/memory.max=128M").out
    table = cli("simulate", small, "--compare", "/web/memory.max=128M", "--compare", "none").out.splitlines()[
        -4:
    ]
    assert table[0].split() == ["WITH", "WHO", "DIES", "FIRST", "AT", "STALLED", "THROTTLED", "LOST"]
    assert table[1].startswith("the kernel alone")
    assert "nobody" in table[2]
    assert table[3].startswith("none")
    assert "leak" in table[3]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("/web/memory.swap.max=0", 'memory.swap.max = "0B"'),
        ("/web/memory.max=00", ""),
        ("/web/memory.oom.group=1", "memory.oom.group = true"),
        ("/web/memory.max=1", ""),
    ],
)
def test_a_file_of_a_cgroup_takes_what_the_kernels_takes_as_far_as_it_is_clear(cli, small, said, written):
    ran = cli("simulate", small, "--set", said, "--write", "-")
    if written:
        assert f"\n{written}\n" in ran.out
    else:
        assert (ran.code, "has no unit" in ran.err or "is not a number with a unit" in ran.err) == (3, True)


def test_the_document_has_its_schema(cli, small):
    document = json.loads(cli("simulate", small, "--compare", "default", "--format", "json").out)
    jsonschema.validate(document, simulate_json.schema())
    first, second = document["runs"]
    assert [one["program"] for one in first["deaths"]] == ["leak"]
    assert first["toml"] == second["toml"]
    assert second["label"] == "default"
    assert first["samples"][-1]["time_us"] == first["duration_us"] == 6_000_000


def test_a_scenario_comes_from_standard_input(piped):
    assert "Nobody dies." in piped(SMALL, "simulate", "-", "--set", "/web/memory.max=max").out
    ran = piped(b"[scenario]\n# \xe9\n", "simulate", "-")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "memwarden: standard input:2: is not UTF-8; save the file as UTF-8\n"


def test_what_is_no_text_of_a_scenario_is_said_and_nobody_waits(cli, tmp_path):
    path = tmp_path / "x.toml"
    for data, line in ((b"\xe9", 1), (b"# a\n# \xc3\xa9\n\xff", 3), (b"\n" * 9 + b"\x80\n", 10)):
        path.write_bytes(data)
        ran = cli("simulate", path)
        assert (ran.code, ran.out) == (3, "")
        assert ran.err == f"memwarden: {path}:{line}: is not UTF-8; save the file as UTF-8\n"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())  # as some editors begin it
    assert cli("simulate", path).code == 0
    path.write_bytes(b"#" * ((1 << 20) + 1))
    assert cli("simulate", path).err == f"memwarden: {path}: is larger than 1 MiB; a scenario is not\n"
    path.unlink()
    os.mkfifo(path)
    for one in (path, "/dev/null"):
        assert cli("simulate", one).err == (
            f"memwarden: {one}: is no plain file; pipe it into standard input, and name that: -\n"
        )
    path.unlink()
    path.mkdir()
    assert cli("simulate", path).err == f"memwarden: {path}: cannot be read: Is a directory\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "name one scenario (memwarden simulate --list shows them)"),
        (["a", "--from", "b"], 2, "a and --from are two scenarios; give one of them"),
        (["tight-cache", "--keep", "k"], 2, "--keep and --jobs are for many runs"),
        (["tight-cache", "--jobs", "2"], 2, "--keep and --jobs are for many runs"),
        (["tight-cache", "--compare", "frob=1"], 2, "--compare frob=1: frob is nothing that can be set"),
        (["tight-cache", "--sweep", "memory.mxa=1M..2M:1M"], 2, "--sweep memory.mxa=1M..2M:1M: memory.mxa"),
        (["tight-cache", "--sweep", "duration=-5s..5s"], 2, 'FROM, "-5s", is below zero; write 0 or more'),
        (["tight-cache", "--sweep", "seed=-1..1:1"], 3, "--sweep seed=-1..1:1: [scenario]: seed: "),
        (["high-agianst-max"], 3, "there is no scenario of this name (did you mean high-against-max?)"),
        (["no/such.toml"], 3, "no/such.toml: cannot be read: No such file or directory"),
        (["tight-cache", "--set", "x"], 2, "--set x: is not KEY=VALUE"),
        (["tight-cache", "--set", "duration=-5"], 3, "--set duration=-5: [scenario]: duration: -5 is below"),
        (["tight-cache", "--sweep", "memory.max"], 2, "--sweep memory.max: is no range"),
        (["tight-cache", "--sweep", "memory.max=1..2:1"], 3, '--sweep memory.max=1..2:1: [group."/servi'),
        (["two-tenants", "--sweep", "memory.max=1G..2G:1G"], 2, "of which cgroup? There are /ten"),
        (["tight-cache", "--sweep", "seed=1..2:1", "--seeds", "3"], 2, "two questions"),
        (["tight-cache", "--set", "/memory.max=1G"], 3, '--set /memory.max=1G: [group."/"]: memory.max: the'),
        (["tight-cache", "--sweep", "/memory.max=1G..2G:1G"], 3, "memory.max: the kernel has no such file"),
        (["tight-cache", "--seeds", "2", "--jobs", "0"], 2, "--jobs 0: give a number of processes"),
        (["tight-cache", "--seeds", "0"], 2, "--seeds 0: give a number of nodes"),
        (["tight-cache", "--seeds", "2", "--compare", "none"], 2, "--compare does not go with"),
        (["tight-cache", "--plot", "x.pdf"], 2, "--plot x.pdf: the name has to end in .svg, .png, .html"),
        (["tight-cache", "--policy", "/no/such"], 3, "/no/such"),
        (["--from", "/no/such/cgroup"], 3, "no recording, and no such cgroup"),
        (["tight-cache", "--write", "-", "--sweep", "seed=1..2:1"], 2, "--write simulates nothing; leave"),
        (["tight-cache", "--write", "-", "--plot", "x.svg", "--policy", "default"], 2, "--plot and --policy"),
        (["tight-cache", "--seeds", "2", "--keep", "/dev/null"], 3, "/dev/null: is no ordinary file, and"),
        (["--from", "4194305"], 3, "4194305: no such process"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(cli, words, code, said):
    ran = cli("simulate", *words)
    assert ran.code == code
    assert said in ran.err
    assert ran.out == ""


def test_faults_of_a_file_are_all_said_with_their_lines(cli, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(SMALL.replace('"1GiB"', "1").replace('"/web"\ngrow', '"/wbe"\ngrow'))
    ran = cli("simulate", str(path))
    assert ran.code == 3
    first, second = ran.err.splitlines()
    assert first.startswith(f"memwarden: {path}:6: [machine]: ram: 1 has no unit")
    assert second == (
        f'memwarden: {path}:12: [program.leak]: cgroup: there is no cgroup "/wbe" (did you mean /web?)'
    )


def test_a_fault_is_said_once_and_without_control_characters(cli, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(SMALL.replace("grow = ", "grwo = "))
    ran = cli("simulate", path)
    assert ran.err == (
        f'memwarden: {path}:13: [program.leak]: "grwo" is no key of program (did you mean grow?)\n'
    )
    path.write_text(SMALL + '[[change]]\nat = "1s"\ncgroup = "/web"\nmemory.hihg = "1MiB"\n')
    assert "did you mean memory.high?" in cli("simulate", path).err
    assert "changes nothing" not in cli("simulate", path).err
    path.write_text(SMALL.replace('[group."/web"]', '[group."/web\\n\\u001b[31m"]'))
    ran = cli("simulate", path)
    assert ran.code == 3
    assert len(ran.err.splitlines()) == 2  # the other is that /web is not there
    assert "\x1b" not in ran.err
    assert '"/web\\x0a\\x1b[31m" is not the path of a cgroup' in ran.err


def test_a_scenario_is_no_recording(cli, small):
    ran = cli("simulate", "--from", small)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"memwarden: {small}: is no recording; a scenario is given without --from\n"


def test_what_is_extended_and_not_there_has_the_nearest_name(cli, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[scenario]\nextends = "fast-leek"\n')
    ran = cli("simulate", path)
    assert ran.code == 3
    assert "extends: fast-leek: there is no scenario of this name (did you mean fast-leak?)" in ran.err


def test_who_extends_itself_by_a_detour_is_told_so(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    for base in ("x.toml", "./x.toml", "../a/x.toml", "../a/.././a/x.toml"):
        (tmp_path / "a" / "x.toml").write_text(f'[scenario]\nextends = "{base}"\n')
        for path in ("a/x.toml", "./a/x.toml", "a/../a/x.toml", tmp_path / "a" / "x.toml"):
            ran = cli("simulate", path)
            assert ran.code == 3
            assert "a/x.toml:2: [scenario]: extends goes in a circle: " in ran.err
            assert len(ran.err) < 400


def test_a_detour_that_a_link_makes_count_is_gone(cli, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b")
    (tmp_path / "a" / "small.toml").write_text(SMALL)
    (tmp_path / "link" / "x.toml").write_text('[scenario]\nextends = "../small.toml"\n')
    assert "1 process dies: leak" in cli("simulate", tmp_path / "link" / "x.toml").out


def test_what_is_odd_is_said_and_simulated(cli, small):
    ran = cli("simulate", small, "--set", "/web/memory.min=1G")
    assert ran.code == 0
    assert 'warning: [group."/web"]: memory.min is above memory.max' in ran.err


SWEEP = ("--sweep", "memory.max=32M..128M:32M", "--jobs", "1")


def test_a_sweep_is_a_curve_and_says_from_where_on_nobody_dies(cli, small):
    ran = cli("simulate", small, *SWEEP)
    assert ran.code == 0
    assert "From 128MiB on nobody dies." in " ".join(ran.out.split())
    assert [line.split()[0] for line in ran.out.splitlines() if "MiB " in line[:25]] == [
        "32MiB", "64MiB", "96MiB", "128MiB",
    ]  # fmt: skip
    document = json.loads(cli("simulate", small, *SWEEP, "--format", "json").out)
    jsonschema.validate(document, sweep_json.schema())
    assert document["key"] == "/web/memory.max"
    assert document["nobody_dies_from"] == 3
    assert [one["kills"] for one in document["points"]] == [1, 1, 1, 0]


def test_processes_give_what_one_process_gives(cli, small):
    alone = cli("simulate", small, *SWEEP, "--format", "json").out
    assert cli("simulate", small, *SWEEP[:2], "--jobs", "2", "--format", "json").out == alone


def test_processes_are_gone_when_all_is_done(cli, small):
    """Else the interpreter may end while their pipes are closed, and says so on standard error."""
    assert cli("simulate", small, "--seeds", "3", "--jobs", "2").code == 0
    assert multiprocessing.active_children() == []


def test_what_is_kept_is_not_run_again(cli, small, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    words = ("simulate", small, *SWEEP, "--keep", str(kept), "--format", "json")
    first = cli(*words).out
    lines = kept.read_text().splitlines()
    assert len(lines) == 4
    # As an interrupt leaves it: two are done, and the third is cut off.
    kept.write_text("\n".join(lines[:2]) + "\n" + lines[2][:20])
    ran = []
    real = simulate_many.one

    def counted(job, policy):
        ran.append(job.text)
        return real(job, policy)

    monkeypatch.setattr(simulate_many, "one", counted)
    assert cli(*words).out == first
    assert ran == ["96MiB", "128MiB"]
    ran.clear()
    assert cli(*words).out == first
    assert ran == []
    # Another scenario is something else.
    cli(*words, "--set", "seed=2")
    assert len(ran) == 4


def test_an_interrupt_ends_with_what_is_done(cli, small, tmp_path, monkeypatch):
    real = simulate_many.one

    def stopped(job, policy):
        if job.text == "96MiB":
            raise KeyboardInterrupt
        return real(job, policy)

    monkeypatch.setattr(simulate_many, "one", stopped)
    kept = tmp_path / "kept"
    ran = cli("simulate", small, *SWEEP, "--keep", str(kept))
    assert ran.code == 130
    assert f"interrupted: 2 of 4 runs are done; {kept} has them" in ran.err
    assert "2 of 4 values are done; a knee is named when all are." in " ".join(ran.out.split())
    assert "No knee" not in ran.out
    assert len(kept.read_text().splitlines()) == 2


def test_a_fifo_keeps_nothing_and_nobody_waits(cli, small, tmp_path):
    os.mkfifo(tmp_path / "keep")
    ran = cli("simulate", small, "--seeds", "2", "--keep", tmp_path / "keep")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"memwarden: {tmp_path}/keep: is no ordinary file, and keeps nothing; name another\n"


def test_a_file_that_is_not_of_a_sweep_is_refused(cli, small, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("hello\n")
    ran = cli("simulate", small, *SWEEP, "--keep", str(kept))
    assert ran.code == 3
    assert "kept:1: is not of a sweep; name another file" in ran.err
    assert kept.read_text() == "hello\n"


@pytest.mark.parametrize("words", [("--seeds", "2", "--jobs", "1"), SWEEP])
def test_many_runs_name_the_policy_as_one_does(cli, small, words):
    alone = cli("simulate", small, *words).out
    assert "policy" not in alone
    assert cli("simulate", small, *words, "--policy", "none").out == alone
    top, *_ = cli("simulate", small, *words, "--policy", "default").out.splitlines()
    assert top == f"{alone.splitlines()[0]}; policy default"


def _running():
    """Processes that are not over, and who started each, or took it over."""
    found = {}
    for one in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = one.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[one] = int(parent)
    return found


def _until(true):
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.live
def test_who_is_killed_in_a_sweep_leaves_nobody_behind():
    words = [sys.executable, "-m", "memwarden", "simulate", "fork-storm", "--seeds", "99", "--jobs", "2"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as started:
        _until(lambda: list(_running().values()).count(started.pid) == 2)
        below = {one for one, parent in _running().items() if parent == started.pid}
        started.kill()
    _until(lambda: not below & _running().keys())


def test_an_interrupt_before_the_first_run_draws_nothing_and_says_so(cli, small, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")

    def stopped(_job, _policy):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate_many, "one", stopped)
    picture = tmp_path / "a.svg"
    ran = cli("simulate", small, *SWEEP, "--plot", picture, "--keep", tmp_path / "kept")
    assert ran.code == 130
    assert "memwarden: interrupted: 0 of 4 runs are done\n" in ran.err
    assert f"memwarden: {picture}: is not written, since nothing is done yet\n" in ran.err
    assert not picture.exists()


def test_what_is_odd_is_said_once_for_many_runs(cli, small):
    words = ("simulate", small, "--set", "program.leak.start=9s", "--seeds", "3", "--jobs", "1")
    for _ in range(2):
        [said] = cli(*words).err.splitlines()
        assert "start: is after the end of the simulation" in said


def test_what_is_odd_at_many_values_of_a_sweep_is_said_of_the_first_and_counted(cli, small):
    swept = "memory.high=32M..128M:16M"  # memory.max is 64 MiB: so high are five of seven
    first, others = cli("simulate", small, "--sweep", swept, "--jobs", "1").err.splitlines()
    where = f'memwarden: --sweep {swept}: warning: [group."/web"]: memory.high is not below memory.max'
    assert first.startswith(f"{where} (64.0 MiB, 64.0 MiB): the kernel takes it")
    assert others == f"{where}: so it is at 4 more values"


def test_many_nodes_are_counted(cli, small):
    ran = cli("simulate", small, "--seeds", "3", "--jobs", "1")
    assert ran.code == 0
    assert "small: a leak under a limit on 3 nodes" in ran.out or "small on 3 nodes" in ran.out
    assert "\nOn each of them somebody dies.\n" in ran.out
    assert "On 3 of 3 (100 %) leak dies." in ran.out
    document = json.loads(cli("simulate", small, "--seeds", "3", "--jobs", "1", "--format", "json").out)
    jsonschema.validate(document, sweep_json.schema())
    assert [one["value"] for one in document["points"]] == [1, 2, 3]
    assert document["knee"] is None


def test_a_scenario_is_written_and_not_run(cli, small, tmp_path):
    path = tmp_path / "out.toml"
    assert cli("simulate", small, "--set", "seed=9", "--write", str(path)).out == ""
    assert "seed = 9" in path.read_text()
    assert "exists already" in cli("simulate", small, "--write", str(path)).err
    assert cli("simulate", small, "--write", str(path), "--force").code == 0
    assert cli("simulate", small, "--set", "seed=9", "--write", "-").out.startswith("[scenario]\n")
    assert 'rate = "20MiB/s"' in path.read_text()
