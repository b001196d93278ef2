"""How the arena judges: on results made by hand, whose verdicts are plain to see."""

import argparse
import json

import pytest

from lab import kernels, vm
from lab.arena import bars, columns, document, judged, picture, runs, scenarios, verb
from lab.errors import LabError
from memwarden.guard import ledger

MIB = 1024  # of the samples' KiB


def result(column="memwarden", scenario="fast-leak", seed=1, **changes):
    """A minute in which nothing happens: 500 MiB are available and nobody waits."""
    whole = {
        "scenario": scenario, "column": column, "seed": seed,
        "window_s": 4, "names": [judged.DATABASE, "leak1.service"],
        "samples": [[at / 2, 500 * MIB, 0, 0, 0, 0, [1, 1], 0] for at in range(9)],
        "died": {}, "kernel_kills": 0,
        "latency": {"requests": 4, "p50": 200, "p99": 3000, "p999": 3000, "max": 4000,
                    "worst_per_s": [100, 60_000, 50_000, 100]},
        "guard": {"cpu_us": 2_000_000, "peak_rss_kib": 2048, "alive": True, "pid": 2},
        "said": [], "decisions": [], "begin_us": 0, "kernel": "6.12", "package": "", "inputs": "old",
    }  # fmt: skip
    return {**whole, **changes}


def verdict(found, ends=None):
    turn = runs.Turn(columns.BY_NAME[found["column"]], scenarios.BY_NAME[found["scenario"]], found["seed"])
    return judged.judge(found, turn, ends or {})


KILL = {"action": "kill", "intents": [{"kind": "kill"}], "dry": False}


@pytest.mark.parametrize(
    ("changes", "word", "right"),
    [
        ({"died": {"leak1.service": 2.0}}, "right", True),
        ({}, "never acts", False),
        ({"died": {"leak1.service": 2.0}, "kernel_kills": 1}, "too slow", False),
        ({"died": {judged.DATABASE: 2.0}}, "database killed", False),
        ({"died": {"leak1.service": 2.0, judged.DATABASE: 3.0}}, "database killed", False),
        ({"died": {"calm1.service": 2.0}, "scenario": "one-of-many"}, "wrong victim", False),
        ({"died": {"leak1.service": 2.0}, "guard": {"cpu_us": 0, "peak_rss_kib": 0, "alive": False}},
         "daemon died", False),
        ({"column": "kernel", "died": {"leak1.service": 2.0}, "kernel_kills": 1}, "kernel killed", False),
        ({"scenario": "backup"}, "right", True),
        ({"scenario": "backup", "decisions": [KILL]}, "acts", False),
        ({"scenario": "backup", "decisions": [{**KILL, "intents": []}]}, "right", True),
        ({"scenario": "backup", "decisions": [{**KILL, "action": "notify"}]}, "right", True),
    ],
)  # fmt: skip
def test_the_outcome_is_judged_by_what_the_scenario_asks_for(changes, word, right):
    found = verdict(result(**changes))
    assert (found.word, found.right) == (word, right)


def test_a_spike_that_memwarden_chose_did_not_end_by_itself():
    chosen = {"kind": "kill", "target": {"kind": "cgroup", "path": "/tenants.slice/spike.service"}}
    for intent, died in ((chosen, True), ({"kind": "notify"}, False)):
        kill = {**KILL, "intents": [intent]}
        found = result(scenario="short-spike", died={"spike.service": 9.0}, decisions=[kill])
        turn = runs.Turn(columns.BY_NAME["memwarden"], scenarios.BY_NAME["short-spike"], 1)
        assert judged.ended_itself(found, turn, "spike.service", {}) is not died


def test_a_spike_that_ends_by_itself_was_not_killed():
    ends = judged.undisturbed([result("kernel", "short-spike", died={"spike.service": 9.0})])
    assert verdict(result(scenario="short-spike", died={"spike.service": 8.9}), ends).word == "right"
    assert verdict(result(scenario="short-spike", died={"spike.service": 7.0}), ends).word == "wrong victim"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "never acts"),
        ({"column": "kernel"}, "never acts"),
        (
            {"died": {"filler.service": 14.0}},
            "right",
        ),  # earlier than a full tmpfs ends it: somebody killed it
        ({"column": "memwarden", "decisions": [KILL]}, "right"),
        ({"column": "kernel", "kernel_kills": 1}, "kernel killed"),
        ({"column": "nohang", "said": ["[ OK ] Sending SIGKILL to filler: 1"]}, "right"),
    ],
)
def test_a_writer_that_ends_since_the_tmpfs_is_full_was_not_killed(changes, word):
    died = {"filler.service": 15.75}
    ends = judged.undisturbed([result("kernel", "tmpfs", died=died)])
    found = result(**{"column": "oomd", "scenario": "tmpfs", "died": died, **changes})
    assert verdict(found, ends).word == word


def test_what_a_daemon_that_was_killed_had_used_is_not_known():
    used = {"cpu_us": -522_513, "peak_rss_kib": 0, "pid": 2}
    dead, alive = (verdict(result(guard={**used, "alive": alive})) for alive in (False, True))
    assert (bars.figure(dead.cpu_ms), bars.figure(dead.rss_mib)) == ("-", "-")
    assert alive.cpu_ms == -522.513


def test_trouble_lasts_from_the_first_sample_of_a_shortage_to_the_last():
    quiet = result()["samples"]
    assert judged.trouble_s(quiet) == 0
    short = [[*row[:1], 44 * MIB, *row[2:]] if row[0] in (1.0, 2.5) else row for row in quiet]
    assert judged.trouble_s(short) == 1.5  # 44 MiB are less than a twentieth of 900
    stalled = [[*row[:4], 60_000 if row[0] >= 2.0 else 0, *row[5:]] for row in quiet]
    assert judged.trouble_s(stalled) == 0.0  # one sample: 60 ms of 500 ms are more than a tenth
    assert verdict(result(samples=stalled)).stall_s == 0.06


def test_a_second_counts_as_late_when_a_request_took_more_than_50_ms():
    assert verdict(result()).late_s == 1


def test_a_second_counts_as_waited_when_the_database_stalled_for_more_than_50_ms():
    rows = [[*row[:7], 50_000 * (row[0] > 1) + 50_001 * (row[0] > 3)] for row in result()["samples"]]
    assert verdict(result(samples=rows)).waited_s == 1


def cells(ours, idle=(3.0,) * 5, **others):
    """A table in which the 99th percentile in ms is given for each seed; everything else is equal."""

    def turns(column, scenario, values):
        return [
            verdict(
                result(
                    column, scenario, seed,
                    latency={**result()["latency"], "p99": value * 1000},
                    died={"leak1.service": 2.0} if scenario == "fast-leak" else {},
                )
            )
            for seed, value in enumerate(values, 1)
        ]  # fmt: skip

    found = [*turns("memwarden", "fast-leak", ours), *turns("memwarden", "idle", idle)]
    for name in bars.OTHERS:
        found += turns(name, "fast-leak", others.get(name, (90.0,) * 5))
    return bars.table(found)


def p99_bar(table):
    return next(
        bar
        for bar in bars.bars(table)
        if (bar.column, bar.scenario) == ("memwarden", "fast-leak") and "p99" in bar.asked
    )


@pytest.mark.parametrize(
    ("ours", "others", "held"),
    [
        ((30.0,) * 5, {}, True),  # a third of 90
        ((31.0,) * 5, {}, False),  # not a third
        ((2.9,) * 5, {"nohang": (1.0,) * 5}, True),  # worse than the best, but as without load
        ((20.0,) * 5, {"nohang": (10.0,) * 5}, False),  # worse than the best
        (
            (3.1,) * 5,
            dict.fromkeys(bars.OTHERS, (3.0,) * 4 + (3.2,)),
            True,
        ),  # their median is as without load
        ((3.1,) * 5, dict.fromkeys(bars.OTHERS, (3.05,) * 4 + (3.2,)), False),  # it is above that
        ((20.0,) * 5, {"nohang": (10.0,) * 4 + (25.0,)}, True),  # within the best's spread
        ((30.0,) * 4, {}, None),  # a seed is missing
        ((31.0,) * 4, {}, None),
        ((20.0,) * 5, {"nohang": (10.0,) * 4}, None),  # one that may be the best's spread
    ],
)
def test_a_bar_on_latency(ours, others, held):
    assert p99_bar(cells(ours, **others)).held is held


def test_a_column_whose_database_died_is_no_rival():
    table = cells((30.0,) * 5, nohang=(1.0,) * 5)
    dead = [turn._replace(database_lived=False) for turn in table["nohang", "fast-leak"].turns]
    table["nohang", "fast-leak"] = bars.Cell(tuple(dead))
    assert p99_bar(table).held is True


def test_figures_of_a_database_that_was_killed_hold_no_bar():
    table = cells((1.0,) * 5)
    dead = [turn._replace(database_lived=False) for turn in table["memwarden", "fast-leak"].turns]
    table["memwarden", "fast-leak"] = bars.Cell(tuple(dead))
    assert p99_bar(table).held is False


def idle_bar(seeds, cpu_ms):
    found = [verdict(result(name, "idle", seed)) for name in (*bars.OURS, *bars.OTHERS) for seed in seeds]
    found = [turn._replace(cpu_ms=cpu_ms) if turn.column in bars.OURS else turn for turn in found]
    return next(bar for bar in bars.bars(bars.table(found)) if "CPU" in bar.asked)


@pytest.mark.parametrize(
    ("seeds", "cpu_ms", "held"),
    [
        (range(5), 1999.0, True),
        (range(4), 1999.0, None),
        (range(5), 2000.0, False),
        (range(4), 2000.0, None),
    ],
)
def test_what_an_idle_minute_costs_is_less_than_anybody_elses(seeds, cpu_ms, held):
    assert idle_bar(seeds, cpu_ms).held is held  # the others take two seconds


def test_an_objective_is_held_when_all_was_run():
    def objective(stages):
        turns = [verdict(result(bars.OURS[-1], name, seed)) for name in stages for seed in range(5)]
        return bars.bars(bars.table(turns))[-1].held

    must = [one.name for one in scenarios.SCENARIOS if one.kind == scenarios.MUST]
    assert (objective(must), objective(must[1:])) == (True, None)


def test_what_was_not_run_is_open():
    assert {bar.held for bar in bars.bars({})} == {None}


def test_what_was_made_with_something_else_does_not_count():
    now = runs.inputs(runs.Turn(columns.BY_NAME["nohang"], scenarios.BY_NAME["idle"], 1))
    turns = [verdict(result("nohang", "idle", seed)) for seed in (1, 2)]
    turns = [turns[0]._replace(inputs="of another guest"), turns[1]._replace(inputs=now)]
    assert judged.current(turns) == turns[1:]


def test_a_picture_names_who_died_and_says_so_of_the_database_most_of_all():
    found = result(died={"leak1.service": 2.0, judged.DATABASE: 3.0})
    drawn = picture.draw(scenarios.BY_NAME["fast-leak"], [found], [verdict(found)])
    assert drawn.count("✕ leak1") == drawn.count("✕ DATABASE") == 1
    assert drawn.index("✕ leak1") < drawn.index("✕ DATABASE")


def test_the_page_is_what_the_results_say():
    """Whether a result is old depends on every source; that mark is renewed with the page, not with them."""
    stale = [
        path.name
        for path, text in document.make().items()
        if not path.exists() or path.read_text().replace(document.MARK, "") != text.replace(document.MARK, "")
    ]
    assert not stale, "run `python -m lab arena report`"


def test_what_was_made_with_other_programs_is_marked():
    assert document.MARK in "".join(document._sections([verdict(result(inputs="old"))]))
    turn = runs.Turn(columns.BY_NAME["memwarden"], scenarios.BY_NAME["fast-leak"], 1)
    now = result(inputs=runs.inputs(turn))
    assert document.MARK not in "".join(document._sections([verdict(now)]))


def test_a_guest_with_a_time_of_its_own_has_no_disk_of_the_hosts_and_skips_what_is_idle(tmp_path):
    root = tmp_path / "root.ext4"
    root.write_bytes(bytes(8192))
    (tmp_path / "swap").write_bytes(bytes(4096))
    folder = tmp_path / "modules"
    folder.mkdir()
    kernel = kernels.Kernel("6.12", "6.12.1", "6.12.1", "trixie", False, tmp_path / "vmlinuz", folder)
    plain = vm.Guest(memory_mib=900, swap_mib=4, root=root, instruction_ns=2)

    def words(guest):
        return [str(word) for word in vm._command(kernel, guest, tmp_path, tmp_path / "initramfs")]

    ours, theirs = words(plain._replace(own_time=True)), words(plain)
    assert "shift=1,sleep=off" in ours
    assert "shift=1,sleep=on" in theirs
    assert [word for word in ours if word.startswith("nvdimm")] == [
        "nvdimm,id=pmem0,memdev=memory0",
        "nvdimm,id=pmem1,memdev=memory1",
    ]
    root_words, swap_words = (word for word in ours if word.startswith("memory-backend-file"))
    assert f"mem-path={root},size=8192,share=off" in root_words
    assert f"mem-path={tmp_path}/swap,size=4096,share=off" in swap_words
    assert any("lab.memory_disks=1" in word for word in ours)
    drives = [[word for word in each if word.startswith("virtio-blk")] for each in (ours, theirs)]
    assert [len(each) for each in drives] == [2, 4]


EARLYOOM = 'sending SIGKILL to process 442 uid 0 "{}": oom_score 669, VmRSS 3 MiB, cmdline "storm"'


def test_a_process_of_a_permitted_victim_is_a_part_of_it():
    found = verdict(result("earlyoom", "fork-storm", said=[EARLYOOM.format("storm")]))
    assert (found.killed, found.in_part, found.word, found.right) == ((), ("storm",), "only in part", False)


@pytest.mark.parametrize("scenario", ["fork-storm", "backup"])
def test_the_death_of_a_service_that_nobody_watched_is_known_from_the_daemons_journal(scenario):
    found = verdict(result("earlyoom", scenario, said=[EARLYOOM.format("(sd-rmrf)")]))
    assert (found.wrongly, found.word, found.right) == (("(sd-rmrf)",), "wrong victim", False)
    found = verdict(result("nohang", scenario, said=["[ OK ] Sending SIGKILL to systemd-logind: 1"]))
    assert found.wrongly == ("systemd-logind",)


def test_what_the_daemon_killed_in_the_turn_before_is_not_of_this_one():
    lines = [
        EARLYOOM.format("storm"),
        "arena-guard.service: Deactivated successfully.",
        "Started arena-guard.service - [systemd-run] /usr/bin/earlyoom.",
    ]
    assert verdict(result("earlyoom", "high-livelock", said=lines)).word == "never acts"
    lines.append(EARLYOOM.format("crawler"))
    assert verdict(result("earlyoom", "high-livelock", said=lines)).in_part == ("crawler",)


def test_the_database_that_a_daemon_killed_is_no_second_victim():
    killed = result("earlyoom", died={judged.DATABASE: 2.0}, said=[EARLYOOM.format("postgres")])
    assert (verdict(killed).wrongly, verdict(killed).word) == ((), "database killed")


def test_every_act_of_memwarden_counts():
    assert set(judged.ACTING) == set(ledger.ACTS) - {"restore"}


def test_latencies_of_a_database_that_never_answered_are_not_there():
    dead = verdict(
        result(died={judged.DATABASE: 0.5}, latency={"requests": 0, "max": None, "worst_per_s": []})
    )
    assert bars.figure(dead.p99_ms) == "-"


def test_seeds_that_were_made_with_different_programs_are_marked():
    turns = [verdict(result(seed=seed, inputs=str(seed))) for seed in (1, 2)]
    assert "several versions" in "".join(document._sections(turns))
    assert "several versions" not in "".join(document._sections(turns[:1]))


def test_a_result_of_memwarden_depends_on_the_rooms_that_its_guard_enters():
    rooms = {
        path.relative_to(runs.REPOSITORY / "src" / "memwarden").parts[0] for path in runs.guard_sources()
    }
    assert {"guard", "daemon", "host", "rules", "collect", "kernel", "state"} <= rooms
    assert not rooms & {"sim", "present", "postmortem"}


def test_a_boot_is_one_column_and_one_seed_and_few_scenarios():
    turns = runs.wanted(["nohang", "oomd"], [], [1, 2], again=True)
    boots = verb._boots(turns)
    assert [turn for boot in boots for turn in boot] == turns
    assert all(len({(turn.column, turn.seed) for turn in boot}) == 1 for boot in boots)
    assert max(map(len, boots)) == verb.AT_ONCE


@pytest.mark.parametrize("error", [LabError("the guest died"), OSError("no space left")])
def test_a_boot_that_fails_costs_its_own_turns_only(monkeypatch, capsys, error):
    tried = []

    def boot(batch):
        tried.extend(batch)
        if batch[0].column.name == "nohang":
            raise error

    monkeypatch.setattr(runs, "run", boot)
    arguments = argparse.Namespace(column=["nohang", "oomd"], scenario=["idle"], seeds=1, again=True)
    assert verb._run(arguments) == 1
    assert [turn.column.name for turn in tried] == ["nohang", "oomd"]
    assert f"FAILED {error}" in capsys.readouterr().out


def test_results_are_whole():
    for path in sorted(runs.RESULTS.glob("*/*.json")):
        found = json.loads(path.read_text())
        assert path.parent.name == found["column"]
        assert path.name == f"{found['scenario']}.{found['seed']}.json"


def test_a_control_is_its_scenario_without_whoever_may_die_and_is_run_under_the_kernel_alone():
    scene, control = scenarios.BY_NAME["cache-thrash"], scenarios.CONTROLS["cache-thrash"]
    assert [load.unit for load in control.loads] == ["reader1", "reader2"]
    assert (control.window_s, control.files, control.permitted) == (scene.window_s, scene.files, ())
    with_it = [column.name for column in columns.COLUMNS if control in scenarios.of(column.name)]
    assert with_it == [scenarios.ALONE]


def test_what_is_there_with_nobody_to_kill_is_said_beside_a_bar_and_holds_none():
    table = cells((31.0,) * 5)
    for (column, name), cell in list(table.items()):
        if name == "fast-leak":
            table[column, "cache-thrash"] = cell
    control = scenarios.CONTROLS["cache-thrash"]
    before = [bar.held for bar in bars.bars(table)]
    alone = verdict(result(scenarios.ALONE, control.name, latency={**result()["latency"], "p99": 25_000}))
    table[scenarios.ALONE, control.name] = bars.Cell((alone,))
    found = bars.bars(table)
    assert [bar.held for bar in found] == before
    assert [bar.measured.split("; ")[-1] for bar in found if "nobody to kill" in bar.measured] == [
        "nobody to kill: 25"
    ]
