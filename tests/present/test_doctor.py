"""``doctor``: each check with a machine that has it and one that has not. 4 GiB, half available, no swap."""

from __future__ import annotations

import jsonschema
import pytest

from memwarden.kernel.psi import Psi, PsiLine
from memwarden.present import doctor_checks, doctor_json, doctor_text, machine_text, status_rows
from memwarden.present.colour import Paint
from memwarden.present.doctor_text import Access
from memwarden.state.snapshot import CgroupMode
from memwarden.units import GIB, KIB, MAX, MIB
from tests.rules.machines import cgroup, process, snapshot

MEMINFO = {"MemTotal": 4 * GIB, "MemAvailable": 2 * GIB, "SwapTotal": GIB, "SwapFree": GIB}
WORKER = process(7, 80, comm="worker", cgroup="/a")


def limited(path, usage_mib, max_mib=None, **fields):
    limit = MAX if max_mib is None else max_mib * MIB
    stat = {"active_anon": 0, "inactive_file": 0, "active_file": 0}
    return cgroup(path, current_bytes=usage_mib * MIB, max_bytes=limit, stat=stat, **fields)


def machine(*cgroups, processes=(), **fields):
    return snapshot((cgroup("/"), *cgroups), processes, **({"meminfo": MEMINFO} | fields))


def case(one):
    return doctor_checks.examine(one, status_rows.rows(one))


def found(one, check=None):
    return [finding for finding in doctor_checks.findings(case(one)) if check in (None, finding.check)]


def pressure(some):
    return Psi(PsiLine(some, 0.0, 0.0, 0), None)


CALM = machine(limited("/a", 80, 100), processes=(WORKER,), memory_pressure=pressure(0.0))


def test_a_calm_machine_has_no_findings():
    assert found(CALM) == []


def test_every_check_names_its_findings_after_itself():
    names = [check.__name__.replace("_", "-") for check in doctor_checks.CHECKS]
    assert len(set(names)) == len(names)
    for check, one in SICK.items():
        assert check in names
        assert found(one, check), check
    assert set(SICK) == set(names)


STUCK = process(8, 50, comm="stuck", cgroup="/a", oom_score_adj=-1000)
SICK = {
    "machine-is-short": machine(meminfo=MEMINFO | {"MemAvailable": 300 * MIB, "SwapFree": 0}),
    "close-to-a-limit": machine(limited("/a", 91, 100), processes=(WORKER,)),
    "tasks-wait": machine(limited("/a", 1, memory_pressure=pressure(40.0)), memory_pressure=pressure(12.0)),
    "nobody-to-kill": machine(limited("/a", 50, 100), processes=(STUCK,)),
    "lost-protection": machine(limited("/a", 50), limited("/a/b", 50, low_bytes=20 * MIB)),
    "panics": machine(sysctl={"panic_on_oom": 2}),
    "caches-kept": machine(sysctl={"vfs_cache_pressure": 0}),
    "killed-before": machine(limited("/a", 1, events_local={"oom_kill": 2}), vmstat={"oom_kill": 3}),
    "allocating-task": machine(sysctl={"oom_kill_allocating_task": 1}),
    "high-above-max": machine(limited("/a", 50, 100, high_bytes=100 * MIB)),
    "weightless-adj": machine(
        cgroup("/a", current_bytes=MIB, max_bytes=3900 * KIB, swap_max_bytes=0),
        processes=(process(7, 1, cgroup="/a", oom_score_adj=500),),
    ),
    "no-swap": machine(meminfo=MEMINFO | {"SwapTotal": 0, "SwapFree": 0}),
    "old-hierarchy": machine()._replace(cgroup_mode=CgroupMode.HYBRID),
}


def test_a_limit_that_is_close_is_named_once_with_what_to_run():
    # 100 - 91 = 9 MiB left, below 10 %; the child below it has no limit of its own.
    one = machine(
        limited("/a b", 91, 100), limited("/a b/c", 90), processes=(process(7, 80, cgroup="/a b/c"),)
    )
    [finding] = found(one, "close-to-a-limit")
    assert finding.act
    assert finding.what == "/a b has 9.00 MiB left of 100 MiB, 0 B of reclaimable memory included"
    assert finding.command == "memwarden rank --cgroup '/a b'"


def test_ten_percent_left_is_not_close():
    assert found(machine(limited("/a", 90, 100)), "close-to-a-limit") == []


def test_a_name_that_cannot_be_shown_gets_no_command():
    [finding] = found(machine(limited("/a\x1b", 91, 100)), "close-to-a-limit")
    assert finding.what.startswith("/a\\x1b has ")
    assert finding.command is None


def test_pressure_is_reported_where_no_child_explains_it():
    assert [one.what for one in found(SICK["tasks-wait"], "tasks-wait")] == [
        "tasks of /a waited for memory 40 % of the last 10 s"
    ]
    alone = machine(memory_pressure=pressure(12.0))
    assert [one.what for one in found(alone, "tasks-wait")] == [
        "tasks of the machine waited for memory 12 % of the last 10 s"
    ]


def test_the_reasons_why_nobody_can_be_killed():
    [finding] = found(SICK["nobody-to-kill"], "nobody-to-kill")
    assert "(everybody has oom_score_adj -1000), and it would hang" in finding.what
    hang = machine(limited("/a", 50, 100, version=1, v1_oom_kill_disable=True), processes=(WORKER,))
    [finding] = found(hang, "nobody-to-kill")
    assert "(oom_kill_disable is set)" in finding.what
    assert found(machine(limited("/a", 50, 100)), "nobody-to-kill") == []  # nobody is in it


def test_tasks_that_wait_since_nobody_is_killed():
    off = {"version": 1, "v1_oom_kill_disable": True, "v1_under_oom": True}
    one = machine(limited("/a", 100, 100, **off), processes=(WORKER,))
    [finding] = found(one, "nobody-to-kill")
    assert finding.what.startswith("tasks of /a wait until its limit is raised or memory is freed")
    assert machine_text.lines(CALM)[3:] == []
    assert machine_text.lines(one)[3:] == ["tasks of /a wait for memory now: oom_kill_disable is set"]
    many = machine(*(limited(f"/{name}", 100, 100, **off) for name in "bcade"))
    assert machine_text.lines(many)[3:] == [
        "tasks of /a, /b, /c and 2 more cgroups wait for memory now: oom_kill_disable is set"
    ]


def test_protection_that_is_lost_on_the_way_and_how_to_pass_it_on():
    one = machine(
        limited("/x.slice", 50), limited("/x.slice/y", 50), limited("/x.slice/y/z", 50, min_bytes=MAX)
    )
    [finding] = found(one, "lost-protection")
    assert (
        finding.what
        == "memory.min max of /x.slice/y/z protects nothing: the cgroups above it have none to pass on"
    )
    assert finding.command == (
        "echo max > /sys/fs/cgroup/x.slice/y/memory.min; systemctl set-property x.slice MemoryMin=infinity"
    )
    # Below a limit it may be meant against that limit; directly below the root it holds.
    assert found(machine(limited("/a", 50, 60), limited("/a/b", 50, low_bytes=MIB)), "lost-protection") == []
    assert found(machine(limited("/a", 50, low_bytes=MIB)), "lost-protection") == []


def test_panic_on_oom_1_is_only_said():
    [finding] = found(machine(sysctl={"panic_on_oom": 1}), "panics")
    assert not finding.act


def test_kills_since_boot_and_where():
    [finding] = found(SICK["killed-before"], "killed-before")
    assert finding.what == "the OOM killer has killed 3 processes since boot, in /a (2)"
    [finding] = found(machine(vmstat={"oom_kill": 1}), "killed-before")
    assert finding.what == "the OOM killer has killed 1 process since boot"
    many = machine(
        *[limited(f"/{name}", 1, events_local={"oom_kill": 1}) for name in "abcd"], vmstat={"oom_kill": 4}
    )
    [finding] = found(many, "killed-before")
    assert finding.what.endswith("in /a (1), /b (1), /c (1) and others")


def test_what_asks_for_action_comes_first():
    one = machine(limited("/a", 95, 100), sysctl={"oom_kill_allocating_task": 1}, processes=(WORKER,))
    assert [finding.act for finding in found(one)] == [True, False]


TEXT = """\
unnamed, Linux of unknown release, cgroup v2
memory 2.00G available of 4.00G (50%); swap 1.00G free of 1.00G
waiting for memory, last 10 s: 0.0% some

What can be read
  - 1 cgroup with memory figures below /sys/fs/cgroup
  - memory of 1 process
  - pressure of the machine (PSI)
  - not the kernel log: it may not be read
  - not everything: this is not root

Closest to a limit
  CGROUP  USAGE  LIMIT  SET BY  RECL   ROOM  LEFT
  /a      95.0M   100M  =          0  5.00M    5%

Who would die next
  - in the machine: worker (7) is killed: 80.0 MiB resident = 20480 points
    (pages), and it is the only candidate.
  - in /a: worker (7) is killed: 80.0 MiB resident = 20480 points (pages), and
    it is the only candidate.

Findings: 1 to act on, 0 to know
  ! /a has 5.00 MiB left of 100 MiB, 0 B of reclaimable memory included
      memwarden rank --cgroup /a
"""


def test_the_report():
    one = machine(limited("/a", 95, 100), processes=(WORKER,), memory_pressure=pressure(0.0))
    access = Access(root=False, kernel_log="it may not be read")
    assert doctor_text.text(case(one), access, width=80) == TEXT


def test_the_report_of_a_recording_says_nothing_about_permissions():
    text = doctor_text.text(case(CALM), Access(), width=80)
    assert "kernel log" not in text
    assert "root\n" not in text
    assert text.endswith("\n\nFindings: none\n")


def test_the_report_as_root():
    text = doctor_text.text(case(CALM), Access(root=True, kernel_log=""), width=80)
    assert "\n  - the kernel log\n" in text


def test_a_machine_of_which_nothing_is_known():
    text = doctor_text.text(case(snapshot(meminfo=None)), Access(), width=80)
    assert "No cgroup has a limit; only the machine as a whole can run out." in text
    assert "Nobody can be named: neither the machine's memory nor its processes could be read." in " ".join(
        text.split()
    )


def test_at_most_three_limits_are_ranked_in_the_report():
    people = [process(number, 10, cgroup=f"/{number}") for number in range(2, 9)]
    one = machine(
        *[limited(f"/{number}", 10 + number, 100) for number in range(2, 9)], processes=tuple(people)
    )
    text = doctor_text.text(case(one), Access(), width=80)
    assert [line.split(":")[0].strip() for line in text.splitlines() if line.startswith("  - in /")] == [
        "- in /8",
        "- in /7",
        "- in /6",
    ]


def test_colour_marks_what_to_act_on():
    one = machine(limited("/a", 95, 100))
    assert "\n  \x1b[31;1m!\x1b[0m /a has " in doctor_text.text(
        case(one), Access(), width=80, paint=Paint(enabled=True)
    )


@pytest.mark.parametrize("one", [CALM, *SICK.values(), snapshot(meminfo=None)])
def test_every_document_is_what_its_schema_says(one):
    document = doctor_json.document(case(one), Access(root=True, kernel_log="no"))
    jsonschema.validate(document, doctor_json.schema())


def test_the_document_names_the_next_victims():
    document = doctor_json.document(case(CALM), Access())
    assert document["next_victims"] == [
        {"scope": "system", "cgroup": None, "outcome": "kill", "pid": 7, "comm": "worker"},
        {"scope": "memcg", "cgroup": "/a", "outcome": "kill", "pid": 7, "comm": "worker"},
    ]
    assert document["readable"] == {
        "cgroups": 1,
        "processes": 1,
        "pressure": True,
        "root": None,
        "kernel_log": None,
    }
