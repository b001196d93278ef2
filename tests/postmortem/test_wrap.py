"""Rejoining of broken lines: when a message goes on, and with what between."""

from __future__ import annotations

import pytest

from memwarden.postmortem.kinds import kind_of
from memwarden.postmortem.wrap import Widths, Wrapped, glue, widths


def joined(message: str, more: str, *, stamped: bool = False, room: int = 0, gap: bool = False) -> str | None:
    """The two as one message, ``None`` if they are two; the table has eight columns."""
    before = Wrapped(kind_of(message), message, stamped, 8, "stress", hard=False, room=room, gap=gap)
    between = glue(before, more, kind_of(more))
    return None if between is None else f"{message}{between}{more}"


HEADER = "cc1 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a,task_memcg=/a,task=tmux: server,"
    "pid=7,uid=0"
)
KILLED = (
    "Out of memory: Killed process 7 (a) total-vm:4kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 "
    "pgtables:4kB oom_score_adj:0"
)
WHOLE = {
    "header": HEADER,
    "summary": SUMMARY,
    "kill": KILLED,
    "choice": "Out of memory: Kill process 7 (a) score 9 or sacrifice child",
    "usage": "memory: usage 4kB, limit 4kB, failcnt 7",
    "stats": "Memory cgroup stats for /a: cache:1KB rss:2KB swap:3KB",
    "stats path": "Memory cgroup stats for /a/b:",
    "task in": "Task in /a/b killed as a result of limit of /a",
    "group": "Tasks in /a are going to be killed due to memory.oom.group set",
    "reaper": "oom_reaper: reaped process 7 (a), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    "node": "Node 0 active_anon:4kB isolated(anon):0kB shmem_thp: 0kB all_unreclaimable? no",
    "zone": "DMA free:4kB min:4kB low:4kB high:4kB present:4kB free_cma:0kB",
    "free list": "Normal: 1*4kB (UM) 0*8kB 3*16kB (C) = 52kB",
    "huge pages": "Node 0 hugepages_total=1 hugepages_free=0 hugepages_surp=0 hugepages_size=4kB",
    "reserve": "lowmem_reserve[]: 0 3191 15659",
    "protection": "Memory cgroup min protection 4kB -- low protection 8kB",
    "table": "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    "row": "[   1121]     0  1121      734      366    45056        0             0 java",
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_message_broken_at_any_blank_is_whole_again(name: str):
    text = WHOLE[name]
    start = {"header": 24, "summary": 9, "node": 24, "zone": 9, "free list": 9, "kill": 25, "choice": 30}.get(
        name, 8
    )
    for at in range(start, len(text)):
        if text[at] == " " and text[at - 1] != " ":
            head, tail = text[:at].rstrip(), text[at:].lstrip()
            whole = joined(head, tail, stamped=True)
            assert whole is not None, (head, tail)
            assert whole.split() == text.split(), (head, tail)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize(
    "more", ["Rebooting in 3 seconds..", "[main] Random reseed: 2530751814", "Thanks!", ""]
)
def test_a_whole_message_takes_nothing_into_it(name: str, more: str):
    assert joined(WHOLE[name], more, room=70) is None


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("more", WHOLE)
def test_two_messages_stay_two(name: str, more: str):
    assert joined(WHOLE[name], WHOLE[more], stamped=True) is None


@pytest.mark.parametrize(
    ("message", "more", "whole"),
    [
        (
            "x invoked oom-killer: gfp_mask=0x1(GFP_HIGHUSER_MOV",
            "ABLE), order=0",
            "x invoked oom-killer: gfp_mask=0x1(GFP_HIGHUSER_MOVABLE), order=0",
        ),
        (
            "oom-kill:constraint=CONSTRAINT_NONE,oom",
            "_memcg=/a,task_m",
            "oom-kill:constraint=CONSTRAINT_NONE,oom_memcg=/a,task_m",
        ),
        (
            "Killed process 7 (a) total-vm:4kB, anon-rss:52",
            "2880kB, file-rss:0kB",
            "Killed process 7 (a) total-vm:4kB, anon-rss:522880kB, file-rss:0kB",
        ),
        (
            "Killed process 7 (a) total-vm:4kB, shme",
            "m-rss:0kB, UID:0",
            "Killed process 7 (a) total-vm:4kB, shmem-rss:0kB, UID:0",
        ),
        ("DMA free:4kB unevictab", "le:0kB mlocked:0kB", "DMA free:4kB unevictable:0kB mlocked:0kB"),
        ("DMA: 1*4kB (U", "M) 0*8kB = 4kB", "DMA: 1*4kB (UM) 0*8kB = 4kB"),
        ("active_anon:1 inactive_a", "non:2", "active_anon:1 inactive_anon:2"),
        ("active_anon:1 slab_recl", "aimable:12", "active_anon:1 slab_reclaimable:12"),
        (
            "memory: usage 4kB, limit 41943",
            "04kB, failcnt 7",
            "memory: usage 4kB, limit 4194304kB, failcnt 7",
        ),
        ("Memory cgroup stats for /a/lo", "ng: cache:1KB", "Memory cgroup stats for /a/long: cache:1KB"),
        (
            "Memory cgroup stats for /a: cache:1KB rs",
            "s:2KB",
            "Memory cgroup stats for /a: cache:1KB rss:2KB",
        ),
        ("Task in /a kil", "led as a result of limit of /a", "Task in /a killed as a result of limit of /a"),
        ("Tasks in /a/lo", "ng are going to be killed", "Tasks in /a/long are going to be killed"),
        (
            "oom_reaper: reaped process 7 (a), now anon-",
            "rss:0kB",
            "oom_reaper: reaped process 7 (a), now anon-rss:0kB",
        ),
        (
            "[ pid ]   uid  tgid total_vm  oom_score_ad",
            "j name",
            "[ pid ]   uid  tgid total_vm  oom_score_adj name",
        ),
        ("[ 7] 0 7 1 1 45056 0 0 stre", "ss", "[ 7] 0 7 1 1 45056 0 0 stress"),
        ("[ 7] 0 7 1 1 45056 0 0 tmux:", "server", "[ 7] 0 7 1 1 45056 0 0 tmux: server"),
        ("x invoked", "oom-killer: gfp_mask=0x1", "x invoked oom-killer: gfp_mask=0x1"),
        ("Code: 0f 0b", "90 90", "Code: 0f 0b 90 90"),
        (
            "Kernel panic - not syncing: Out of memory: system-wide",
            "panic_on_oom is enabled",
            "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled",
        ),
        (
            "CPU: 1 PID: 7 Comm: a Not tainted 6.12.1",
            "#1 PREEMPT(lazy)",
            "CPU: 1 PID: 7 Comm: a Not tainted 6.12.1 #1 PREEMPT(lazy)",
        ),
        (
            "CPU: 1 PID: 7 Comm: a Tainted: G",
            "  OE     6.12.1 #1",
            "CPU: 1 PID: 7 Comm: a Tainted: G   OE     6.12.1 #1",
        ),
        ("CPU: 1 PID: 7 Comm: a Tainted: G W 6.12.1 #1", "Tainted: [W]=WARN", None),
    ],
)
def test_words_and_figures_broken_in_the_middle(message: str, more: str, whole: str | None):
    assert joined(message, more, stamped=True) == (None if whole is None else whole)


@pytest.mark.parametrize(
    "message", ["Task in /a killed", "Tasks in /a are", "memory: usage 4kB,", "x invoked oom-killer:"]
)
def test_an_unfinished_message_does_not_take_in_another(message: str):
    assert joined(message, "Mem-Info:", stamped=True) is None


def test_a_blank_where_the_line_was_broken_stays_one():
    assert (
        joined("oom-kill:constraint=X,task=tmux:", "server,pid=7", gap=True)
        == "oom-kill:constraint=X,task=tmux: server,pid=7"
    )


def test_a_name_does_not_go_on_where_there_was_room_for_it():
    row = "[ 7] 0 7 1 1 45056 0 0 tmux:"
    assert joined(row, "server", room=40) is None
    assert joined(row, "x" * 15) is None
    assert joined(row, "Mem-Info:") is None


def test_a_message_does_not_grow_for_ever():
    before = Wrapped("register", "Code: " + "0f " * 9000, True, 0, "", False, 0, False)
    assert glue(before, "90", "") is None


def test_how_wide_a_text_is():
    hard = [
        "[    1.000001] " + "x" * 65,
        "y",
        "[    1.000002] CPU: 1 PID: " + "1" * 53,
        "y",
        "[    1.000003] Code: " + "1" * 59,
        "y",
    ]
    assert {len(line) for line in hard[::2]} == {80}
    assert widths(hard) == Widths(80, 80)
    assert widths(hard[:4]) == Widths(80, 0)
    assert widths([*hard, "[    1.000004] z", "y"]) == Widths(80, 0)
    assert widths(["a", "x" * 200, "b"]) == Widths(1, 0)
    assert widths(["Mem-Info:"]) == Widths(0, 0)
