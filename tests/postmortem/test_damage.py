"""Texts that something happened to: cut, broken, mixed, retold."""

from __future__ import annotations

import pytest

from memwarden.postmortem import assemble, fill_top, quick
from tests.postmortem.eras import ERAS
from tests.postmortem.expect import check, row_facts, task_facts
from tests.postmortem.texts import HEADER, KILL, MEMCG_KILL, SUMMARY, dmesg, only, reports
from tests.postmortem.transports import TRANSPORTS
from tests.postmortem.world import TASKS, World

HEAD = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
ERA = {era.name: era for era in ERAS}
WRAPPED_ERAS = [ERA[name] for name in ("2.6.24", "rhel6", "rhel7", "4.14", "5.0", "6.8", "7.2", "arm64")]


@pytest.mark.parametrize("width", range(60, 133, 9))
@pytest.mark.parametrize("era", WRAPPED_ERAS, ids=lambda era: era.name)
def test_lines_broken_anywhere_at_any_width(era, width: int):
    world = World(era, scope="system" if width % 2 else "memcg")
    lines = TRANSPORTS["dmesg"](world.report()).splitlines()
    broken = [line[at : at + width] for line in lines for at in range(0, len(line), width)]
    check(only("\n".join(broken)), world, "terminal")


@pytest.mark.parametrize("end", [">", ""])
@pytest.mark.parametrize("width", [90, 110, 130])
def test_right_edges_that_were_cut_off(end: str, width: int):
    world = World(ERA["6.12"], scope="system")
    lines = TRANSPORTS["syslog"](world.report()).splitlines()
    report = only("\n".join(line if len(line) <= width else line[:width] + end for line in lines))
    assert report.killed is True
    assert report.invoker.comm == world.invoker
    assert [victim.pid for victim in report.victims] == [world.victim.pid]
    assert report.victims[0].anon_rss_bytes in (None, world.victim.anon * 4096)
    known = {task.pid: task_facts(task, world.era) for task in TASKS}
    assert len(report.tasks) == len(TASKS)
    for row in report.tasks:
        pairs = list(zip(row_facts(row), known[row.pid], strict=True))
        assert pairs[:3] == [(fact, fact) for fact in known[row.pid][:3]]
        assert all(got in (None, fact) for got, fact in pairs)


def test_a_tail_and_a_head_of_neighbouring_reports():
    world = World(ERA["6.12"])
    others = World(ERA["6.12"], victim=TASKS[3], invoker="cron").report()
    found = reports(TRANSPORTS["dmesg"]([*others[-2:], *world.report(), *others[:3]]))
    assert len(found) == 3
    check(found[1], world)
    assert [victim.pid for victim in found[0].victims] == [TASKS[3].pid]
    assert (found[2].invoker.comm, found[2].killed, found[2].victims) == ("cron", None, ())


@pytest.mark.parametrize("cut", [1, 5, 12, 20, 30])
def test_a_report_without_its_beginning(cut: int):
    world = World(ERA["6.12"], scope="system")
    report = only(TRANSPORTS["dmesg"](world.report()[cut:]))
    assert report.invoker.gfp_mask is None
    assert not report.source.complete
    assert [victim.pid for victim in report.victims] == [world.victim.pid]


@pytest.mark.parametrize("era", [era for era in ERAS if era.columns], ids=lambda era: era.name)
def test_rows_whose_head_is_lost(era):
    world = World(era)
    records = world.report()
    first = next(
        place
        for place, record in enumerate(records)
        if record.startswith(world.row(TASKS[1], wide=era.has("state"))[:9])
    )
    report = only(TRANSPORTS["dmesg"](records[first:]))
    for row, task in zip(report.tasks, TASKS[1:], strict=True):
        pairs = list(zip(row_facts(row), task_facts(task, era), strict=True))
        assert pairs[:5] == [(fact, fact) for fact in task_facts(task, era)[:5]]
        # Seven figures may be those of several kernels: then the doubtful two stay unknown.
        assert all(got == fact or (got is None and "rss_anon" not in era.columns) for got, fact in pairs)
        assert row.oom_score_adj == task_facts(task, era)[-1]


@pytest.mark.parametrize("keep", [1, 4, 14, 25, 33])
def test_a_report_without_its_end(keep: int):
    world = World(ERA["6.12"], scope="system")
    report = only(TRANSPORTS["syslog"](world.report()[:keep]))
    assert (report.killed, report.source.complete, report.victims) == (None, False, ())
    assert report.invoker.comm == world.invoker


@pytest.mark.parametrize("mark", ["...", "[...]", "<snip>", "<trim>", "…", "[snip]", "...\n", "[ ... ]"])
def test_elisions(mark: str):
    world = World(ERA["6.12"])
    records = world.report()
    report = only(TRANSPORTS["dmesg"](records[:6]) + mark + "\n" + TRANSPORTS["dmesg"](records[20:]))
    assert not report.source.complete
    assert report.source.unparsed_lines == 0
    assert [victim.pid for victim in report.victims] == [world.victim.pid]


@pytest.mark.parametrize(
    ("line", "pid"),
    [
        ("ut of memory: Killed process 77 (java) total-vm:4kB, anon-rss:1kB, file-rss:0kB", 77),
        ("t of memory: Kill process 77 (java) score 9 or sacrifice child", None),
        ("emory cgroup out of memory: Killed process 77 (java) total-vm:4kB, anon-rss:1kB", 77),
        ("cgroup out of memory: Killed process 77 (java) total-vm:4kB, anon-rss:1kB", 77),
        ("illed process 77 (java) total-vm:4kB, anon-rss:1kB, file-rss:0kB", 77),
        (SUMMARY[1:], 77),
        ("om_reaper: reaped process 77 (java), now anon-rss:0kB", 77),
    ],
)
def test_lines_whose_first_characters_are_lost(line: str, pid: int | None):
    report = only(f"[    1.000000] {line}\n")
    assert [victim.pid for victim in report.victims] == ([] if pid is None else [pid])
    assert (report.scope == "memcg") is ("group" in line or "oom_memcg" in line)


def test_grep_for_one_word():
    world = World(ERA["6.12"])
    text = TRANSPORTS["grep -H"]([record for record in world.report() if "oom" in record])
    report = only(text)
    assert [victim.reaped for victim in report.victims] == [True]
    assert report.memcg is not None
    assert report.memcg.oom_path == world.oom_path


def test_user_space_text_on_the_same_line():
    text = f"Creating journal (131072 blocks): [   31.251333] {HEADER}\n[   31.26] {KILL}\n"
    report = only(text)
    assert (report.invoker.comm, report.when.monotonic_us) == ("postgres", 31_251_333)
    assert report.source.unparsed_lines == 0


def test_a_message_that_begins_in_the_middle_of_another():
    text = f"[    1.000001] usb 1-1: new [    1.000002] {HEADER}\n[    1.000003] {KILL}\n"
    assert only(text).invoker.comm == "postgres"


def test_a_summary_that_another_cpu_split():
    head, tail = SUMMARY[:95], SUMMARY[SUMMARY.index(",task=") :]
    text = dmesg(HEADER, head, "BUG: KASAN: use-after-free", "Write of size 2", tail, MEMCG_KILL)
    report = only(text)
    assert [victim.uid for victim in report.victims] == [5]
    assert report.source.unparsed_lines == 2


def test_the_rest_of_a_summary_needs_its_beginning():
    report = only(dmesg(HEADER, ",task=java,pid=77,uid=5", KILL))
    assert (report.victims[0].uid, report.source.unparsed_lines) == (None, 1)
    again = only(dmesg(HEADER, SUMMARY, ",task=java,pid=78,uid=6", MEMCG_KILL))
    assert again.victims[0].uid == 5


def test_a_front_alone_and_its_message_on_the_next_line():
    text = f"[    1.000001] {HEADER}\n[    1.000002]\n{SUMMARY}\n[    1.000003] {MEMCG_KILL}\n"
    assert only(text).task_path == "/a/b"
    assert only(text.partition("\n")[2]).task_path == "/a/b"


def test_words_of_a_header_on_two_lines():
    text = "mkfs.ext4 invoked\noom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0,\noom_score_adj=3\n"
    assert only(text + KILL).invoker.comm == "mkfs.ext4"
    assert only("[    1.000001] " + text + "[    1.000002] " + KILL).invoker.oom_score_adj == 3


def test_a_line_that_nothing_is_missing_from_takes_no_other_into_it():
    text = f"{HEADER}\nhello\n{SUMMARY}\nworld\n{MEMCG_KILL}\nRebooting in 3 seconds..\n"
    report = only(text)
    assert report.source.unparsed_lines == 2
    assert (report.invoker.oom_score_adj, report.victims[0].uid) == (-900, 5)


def test_a_name_that_a_terminal_broke_is_known_from_the_header():
    head = "stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
    table = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    row = "[   1121]     0  1121      734      366    45056        0             0 stre"
    text = dmesg(head, table, row) + "ss\n" + dmesg(KILL)
    assert [task.comm for task in only(text).tasks] == ["stress"]


def test_rows_that_are_no_rows():
    table = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    text = dmesg(
        HEADER, table, "[   1121]     0  1121      734 x 45056 0 0 a", "[ 99] 1 2 3 4 5", "[ 7] 1 1 1", KILL
    )
    report = only(text)
    assert (report.tasks, report.source.unparsed_lines) == ((), 3)


def test_rows_of_a_cut_table_that_are_no_rows():
    head = "[  pid  ]   uid  tgid total_vm      rss pgtab"
    rows = ["[   1121]     0  1121      734 x y", "[  7]    0     7     9", "[  8] 0 8 9 4 3 2 1 a"]
    report = only(dmesg(HEADER, head, *rows, KILL))
    facts = [
        (row.pid, row.uid, row.tgid, row.total_vm_pages, row.rss_pages, row.comm) for row in report.tasks
    ]
    # The last figure of a cut row may be cut itself.
    assert facts == [(7, 0, 7, None, None, ""), (8, 0, 8, 9, 4, "")]
    assert report.source.unparsed_lines == 1


def test_figures_that_no_machine_has():
    digits = "9" * 5000
    report = only(dmesg(HEADER, f"memory: usage {digits}kB, limit 4kB, failcnt 0", f"anon {digits}", KILL))
    assert (report.memcg, report.source.unparsed_lines) == (None, 2)


def test_mixed_blanks_and_marks():
    text = f"\ufeff\u00a0\u00a0{HEADER}\u200b\n\x01{KILL}\0\n"
    report = only(text)
    assert (report.invoker.comm, report.victims[0].pid) == ("postgres", 77)


@pytest.mark.parametrize("fence", ["```", "~~~", "<pre>", "$ dmesg"])
def test_what_people_put_around_a_log(fence: str):
    world = World(ERA["6.12"])
    check(only(f"{fence}\n{TRANSPORTS['dmesg'](world.report())}{fence}\n"), world)


def test_a_table_that_has_no_end(monkeypatch):
    monkeypatch.setattr(quick, "ROWS_KEPT", 1_000)
    monkeypatch.setattr(fill_top, "ROWS_KEPT", 1_000)
    row = "[%7d]     0 %5d      734      366    45056        0             0 a"
    rows = "\n".join(row % (pid, pid) for pid in range(1, 1_100))
    report = only(f"{HEADER}\n{rows}\n{KILL}\n")
    assert (report.tasks_listed, len(report.tasks), report.source.complete) == (1_099, 1_000, False)
    assert report.source.unparsed_lines == 0


@pytest.mark.parametrize("front", ["", "[  100.000000] "])
def test_a_report_that_has_no_end(monkeypatch, front: str):
    monkeypatch.setattr(assemble, "_KEPT", 20_000)
    frames = [f"{front} ? frame_{number}+0x1/0x2" for number in range(1, 400)]
    found = reports("\n".join([front + HEADER, front + "Call Trace:", *frames, front + KILL, ""]))
    assert [(report.invoker.comm, report.killed) for report in found] == [("postgres", None), (None, True)]
    # A frame's message and what a line costs are some 80 characters: after 260 of them at most it is over.
    assert 200 < found[0].source.last_line < 300


def test_a_process_that_a_table_lists_twice_is_marked_twice():
    row = "[%7d]     0 %5d      734 %8d    45056        0             0 a"
    big = [row % (pid, pid, 1_000) for pid in range(100, 130)]
    report = only(dmesg(HEADER, HEAD, row % (77, 77, 1), *big, row % (77, 77, 2), KILL))
    rows = [mark.line for mark in report.marks if mark.kind == "task"]
    # Line 3 and the line behind the thirty others are the victim's; twenty of the largest are kept besides.
    assert (len(rows), rows[0], rows[-1]) == (22, 3, 34)
    assert report.tasks_listed == 32
