"""Which lines make one incident, and which kills are whose."""

from __future__ import annotations

import json

import pytest

from tests.postmortem.eras import ERAS
from tests.postmortem.expect import check
from tests.postmortem.texts import HEADER, KILL, MEMCG_KILL, SUMMARY, dmesg, only, reports
from tests.postmortem.transports import TRANSPORTS
from tests.postmortem.world import TASKS, World

ERA = {era.name: era for era in ERAS}
GROUP_LINE = "Tasks in /a are going to be killed due to memory.oom.group set"


def memcg_kill(pid: int) -> str:
    return MEMCG_KILL.replace("process 77", f"process {pid}")


def pids(text: str) -> list[list[int]]:
    return [[victim.pid for victim in report.victims] for report in reports(text)]


def test_a_group_is_one_incident_and_its_first_victim_counts_once():
    world = World(ERA["6.12"], group=(*TASKS[1:4], TASKS[2]))
    report = only(TRANSPORTS["dmesg"](world.report()))
    check(report, world)
    assert report.group_path == world.oom_path


def test_two_reports_behind_each_other_are_two():
    worlds = [World(ERA["5.10"]), World(ERA["5.10"], victim=TASKS[3], scope="system")]
    found = reports(TRANSPORTS["syslog"]([*worlds[0].report(), *worlds[1].report()]))
    assert len(found) == 2
    for report, world in zip(found, worlds, strict=True):
        check(report, world)
    assert found[0].source.last_line < found[1].source.first_line


def test_reports_of_two_hosts_in_one_log_are_kept_apart():
    one, two = World(ERA["6.1"]), World(ERA["6.1"], victim=TASKS[3], invoker="cron")
    texts = [TRANSPORTS["syslog"](one.report()), TRANSPORTS["syslog"](two.report()).replace("db-4", "db-5")]
    lines = [text.splitlines(keepends=True) for text in texts]
    mixed = "".join(line for pair in zip(*lines, strict=True) for line in pair)
    found = {report.host.name: report for report in reports(mixed)}
    check(found["db-4.example"], one)
    check(found["db-5.example"], two)


def test_reports_of_two_callers_are_kept_apart_and_the_reaper_finds_its_victim():
    one, two = World(ERA["6.12"], victim=TASKS[1]), World(ERA["6.12"], victim=TASKS[3], invoker="cron")
    first = TRANSPORTS["dmesg, caller"](one.report()).splitlines(keepends=True)
    second = TRANSPORTS["dmesg, caller"](two.report()).replace("T131072", "  T55").splitlines(keepends=True)
    reaped = {line.replace("T131072", "T35").replace("  T55", "  T35") for line in (first[-1], second[-1])}
    mixed = [line for pair in zip(first[:-1], second[:-1], strict=True) for line in pair]
    found = reports("".join([*mixed, *sorted(reaped)]))
    assert len(found) == 2
    check(found[0], one)
    check(found[1], two)


def test_lines_of_other_callers_and_programs_are_skipped_and_not_counted():
    world = World(ERA["6.12"], scope="system")
    lines = TRANSPORTS["dmesg, caller"](world.report()).splitlines(keepends=True)
    noise = "[12345.678901][    C0] eth0: link is down\n[12345.678901][  T999] Node 0 DMA free:1kB min:2kB\n"
    found = only("".join(line + noise for line in lines))
    check(found, world)
    lines = TRANSPORTS["syslog"](world.report()).splitlines(keepends=True)
    noise = "May  9 14:52:38 db-4.example systemd[1]: Started Daily Cleanup.\n"
    check(only("".join(line + noise for line in lines)), world)


def test_lines_of_the_kernel_in_between_are_counted():
    lines = [HEADER, "eth0: link is down", "Mem-Info:", "active_anon:1 inactive_anon:2", KILL, "eth0: up"]
    report = only(dmesg(*lines))
    assert report.source.unparsed_lines == 1
    assert (report.source.first_line, report.source.last_line) == (1, 5)


@pytest.mark.parametrize("line", [KILL, "Killed process 77 (java) total-vm:4kB, anon-rss:1kB, file-rss:1kB"])
def test_a_kill_line_alone_is_an_incident(line: str):
    report = only(line)
    assert report.killed is True
    assert [(victim.pid, victim.comm, victim.via) for victim in report.victims] == [(77, "java", "selected")]
    assert not report.source.complete


def test_a_summary_alone_is_an_incident_whose_end_is_open():
    report = only(SUMMARY)
    assert (report.killed, report.scope, report.scope_from_text) == (None, "memcg", True)
    assert [(victim.pid, victim.comm, victim.uid) for victim in report.victims] == [(77, "java", 5)]
    assert report.memcg is not None
    assert (report.memcg.oom_path, report.task_path) == ("/a", "/a/b")


def test_a_reaped_process_was_a_victim_even_where_all_else_is_lost():
    report = only("oom_reaper: reaped process 77 (java), now anon-rss:4kB, file-rss:0kB, shmem-rss:0kB")
    assert report.killed is True
    assert [(victim.pid, victim.comm, victim.via, victim.reaped) for victim in report.victims] == [
        (77, "java", "other", True)
    ]


def test_kill_lines_far_from_each_other_are_incidents_of_their_own():
    assert pids(dmesg(*(memcg_kill(pid) for pid in (5, 6, 7)), step=30)) == [[5], [6], [7]]
    assert pids("\n".join(memcg_kill(pid) for pid in (5, 6))) == [[5], [6]]


def test_kills_of_a_cgroup_at_once_are_a_group_where_its_line_is_lost():
    text = dmesg(*(memcg_kill(pid) for pid in (5, 6, 7)), step=0.03)
    assert pids(text) == [[5, 6, 7]]
    assert [victim.via for victim in only(text).victims] == ["selected", "other", "other"]


def test_kills_behind_a_whole_report_had_their_headers_held_back():
    lines = [HEADER, SUMMARY, memcg_kill(77), memcg_kill(5), memcg_kill(6)]
    assert pids(dmesg(*lines)) == [[77], [5], [6]]


def test_group_members_follow_the_group_line():
    lines = [HEADER, SUMMARY, memcg_kill(77), GROUP_LINE, memcg_kill(5), memcg_kill(77), memcg_kill(6)]
    report = only(dmesg(*lines))
    assert [(victim.pid, victim.via) for victim in report.victims] == [
        (77, "selected"),
        (5, "oom.group"),
        (6, "oom.group"),
    ]


def test_a_repeated_victim_keeps_its_first_figures_unless_they_were_cut():
    cut = memcg_kill(77).partition(" total-vm")[0]
    again = memcg_kill(77).replace("1024kB", "8kB")
    assert only(dmesg(HEADER, memcg_kill(77), GROUP_LINE, again)).victims[0].anon_rss_bytes == 1024 * 1024
    assert only(dmesg(HEADER, cut, GROUP_LINE, again)).victims[0].anon_rss_bytes == 8 * 1024


def test_a_quoted_kill_is_no_kill():
    quoted = (
        "May  9 14:52:38 n1 node-problem-detector[3240]: I0509 log_monitor.go:160] New status: "
        f"Reason:OOMKilling Message:{KILL}\n"
        f'May  9 14:52:38 n1 kubelet[99]: I0509 "{KILL}"\n'
    )
    kernel = f"May  9 14:52:38 n1 kernel: {memcg_kill(5)}\n"
    assert pids(quoted) == []
    assert pids(kernel + quoted) == [[5]]


def test_a_kubernetes_event_is_no_kill():
    event = {"involvedObject": {"kind": "Node"}, "reason": "OOMKilling", "message": KILL}
    assert pids(json.dumps(event)) == []


def test_a_forwarded_kernel_line_is_one():
    assert pids(f"May  9 14:52:38 n1 dmesg-forwarder[1]: {KILL}\n") == [[77]]


@pytest.mark.parametrize(
    "text",
    [
        "systemd-oomd[567]: Killed /user.slice/foo.service due to memory pressure",
        "earlyoom[44]: sending SIGTERM to process 77 uid 0 java: badness 800, VmRSS 1000 MiB",
        "lowmemorykiller: Killing 'com.app' (77), adj 900",
        "php: PHP Fatal error: Out of memory (allocated 4kB)",
        "Out of memory",
        "OOM killer disabled.",
        "OOM killer enabled.",
        "watchdog killed process 77 (java)",
        "oom_kill_process: 21 callbacks suppressed",
    ],
)
def test_other_killers_and_other_complaints_are_no_incidents(text: str):
    assert pids(text) == []
    assert pids(dmesg(text)) == []


def failure(order: int = 9) -> list[str]:
    return [
        f"modprobe: page allocation failure: order:{order}, mode:0x40cc0(GFP_KERNEL), nodemask=(null)",
        "CPU: 1 PID: 9 Comm: modprobe Not tainted 5.10.1 #1",
        "Call Trace:",
        " dump_stack+0x6b/0x83",
        " warn_alloc+0x8e/0x100",
        "Mem-Info:",
        "active_anon:999 inactive_anon:999 isolated_anon:0",
        "Node 0 DMA free:999kB min:1kB low:2kB high:3kB",
        "Node 0 DMA: 7*4kB = 28kB",
        "999 pages RAM",
    ]


def test_an_allocation_failure_is_no_incident():
    assert pids(dmesg(*failure())) == []


@pytest.mark.parametrize("place", ["before", "inside", "behind"])
def test_an_allocation_failure_does_not_lend_its_figures(place: str):
    world = World(ERA["5.10"], scope="system")
    records = world.report()
    at = {"before": 0, "inside": 1, "behind": len(records)}[place]
    report = only(TRANSPORTS["dmesg"]([*records[:at], *failure(), *records[at:]]))
    check_figures(report, world)


def check_figures(report, world) -> None:
    assert report.invoker.pid == world.invoker_pid
    assert report.node is not None
    assert report.node.ram_bytes == world.ram_pages * 4096
    assert len(report.node.zones) == 3


def test_a_header_inside_an_allocation_failure_does_not_take_over_its_trace():
    lines = failure()
    report = only(dmesg(*lines[:2], HEADER, *lines[2:]))
    assert (report.scope, report.invoker.pid, report.node) == ("unknown", None, None)


def test_a_second_mem_info_is_someone_elses():
    world = World(ERA["5.10"], scope="system")
    records = world.report()
    table = next(place for place, record in enumerate(records) if record.startswith("Tasks state"))
    report = only(TRANSPORTS["dmesg"]([*records[:table], *failure()[5:], *records[table:]]))
    check_figures(report, world)


def test_the_cpu_line_of_another_task_is_not_the_invokers():
    lines = [HEADER, "CPU: 1 PID: 9 Comm: cron Not tainted 5.10.1 #1", KILL]
    report = only(dmesg(*lines))
    assert (report.invoker.comm, report.invoker.pid, report.host.kernel) == ("postgres", None, None)
    report = only(dmesg(KILL, "CPU: 1 PID: 9 Comm: cron Not tainted 5.10.1 #1"))
    assert (report.invoker.comm, report.source.last_line) == (None, 1)


def test_a_task_that_shares_memory_dies_too():
    report = only(dmesg(HEADER, KILL, "Kill process 78 (java2) sharing same memory"))
    assert [(victim.pid, victim.via) for victim in report.victims] == [(77, "selected"), (78, "other")]


CHOICE = "Out of memory: Kill process 70 (make) score 9 or sacrifice child"
OLD_KILL = "Killed process 77 (cc1) total-vm:4kB, anon-rss:1kB, file-rss:0kB"
OLD_HEAD = "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name"


def test_a_sacrificed_child_was_not_selected():
    report = only(dmesg(HEADER, CHOICE, OLD_KILL))
    assert report.chosen == (70, "make", 9)
    assert [(victim.pid, victim.via) for victim in report.victims] == [(77, "other")]


@pytest.mark.parametrize(("tgid", "via"), [(77, "selected"), (70, "other")])
def test_a_selected_thread_and_its_leader_are_one_process(tgid: int, via: str):
    rows = [f"[   70]     0 {tgid:5d}     1000      500       9        0             0 make"]
    assert only(dmesg(HEADER, OLD_HEAD, *rows, CHOICE, OLD_KILL)).victims[0].via == via


def test_the_allocating_task():
    line = KILL.replace("Out of memory:", "Out of memory (oom_kill_allocating_task):")
    assert only(dmesg(HEADER, line)).victims[0].via == "allocating-task"


def test_two_choices_are_two_incidents():
    other = CHOICE.replace("70", "71"), OLD_KILL.replace("77", "79")
    assert pids(dmesg(CHOICE, OLD_KILL, *other)) == [[77], [79]]


def test_a_choice_without_its_kill_leaves_the_end_open():
    report = only(dmesg(HEADER, CHOICE))
    assert (report.killed, report.victims, report.chosen) == (None, (), (70, "make", 9))
    assert only(dmesg("Out of memory: Kill process 70 (make)")).chosen is None


def test_lines_that_were_pasted_twice_are_one_report():
    world = World(ERA["6.12"], group=TASKS[1:3])
    records = world.report()
    doubled = [record for record in records for _ in range(2)]
    report = only(TRANSPORTS["dmesg"](doubled))
    assert [victim.pid for victim in report.victims] == [TASKS[2].pid, TASKS[1].pid]
    assert [row.pid for row in report.tasks] == [task.pid for task in TASKS]
    assert report.memcg is not None
    assert report.memcg.stat == world.stat


def test_a_header_that_comes_again_later_is_another_report():
    assert len(reports(dmesg(HEADER, "a", "b", "c", "d", HEADER, KILL))) == 2


def test_the_head_of_a_table_behind_rows_is_another_reports():
    head = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    row = "[     77]     0    77      734      366    45056        0             0 java"
    found = reports(dmesg(HEADER, head, row, "Tasks state (memory values in pages):", head, row, KILL))
    assert [(report.tasks_listed, report.killed) for report in found] == [(1, None), (1, True)]
