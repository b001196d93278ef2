"""Kill lines, choices, groups, the reaper, the summary line."""

from __future__ import annotations

import pytest

from memwarden.postmortem.blocks.kill import (
    Choice,
    KillLine,
    Reaped,
    parse_choice,
    parse_group,
    parse_kill,
    parse_reaper,
)
from memwarden.postmortem.blocks.oomkill import OomKill, parse_oom_kill

MEMORY = "total-vm:8kB, anon-rss:4kB, file-rss:2kB"
COMMS = ["java", "a) b", "(sd-pam)", "x (y), UID z", "CPU 0/KVM", ""]


def killed(reason: str, comm: str | None, *, uid: int | None = None, **figures: int) -> KillLine:
    known: dict[str, int | None] = {
        "total_vm_kb": 8,
        "anon_rss_kb": 4,
        "file_rss_kb": 2,
        "shmem_rss_kb": None,
    }
    known |= {"pgtables_kb": None, "oom_score_adj": None, **figures}
    return KillLine(reason, 7, comm, uid, **known, whole=True)


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize(
    ("line", "reason", "figures"),
    [
        ("Killed process 7 ({}) " + MEMORY, "", {}),
        ("Killed process 7, UID 48, ({}) " + MEMORY, "", {"uid": 48}),
        ("Killed process 7 ({}), UID 48, " + MEMORY + ", shmem-rss:1kB", "", {"uid": 48, "shmem_rss_kb": 1}),
        (
            "Out of memory: Killed process 7 ({}) " + MEMORY + ", shmem-rss:1kB",
            "Out of memory",
            {"shmem_rss_kb": 1},
        ),
        (
            "Memory cgroup out of memory: Killed process 7 ({}) "
            + MEMORY
            + ", shmem-rss:1kB, UID:48 pgtables:3kB oom_score_adj:-998",
            "Memory cgroup out of memory",
            {"uid": 48, "shmem_rss_kb": 1, "pgtables_kb": 3, "oom_score_adj": -998},
        ),
        (
            "Out of memory (oom_kill_allocating_task): Killed process 7 ({}) " + MEMORY,
            "Out of memory (oom_kill_allocating_task)",
            {},
        ),
    ],
)
def test_kill_lines_of_all_ages(line: str, reason: str, figures: dict[str, int], comm: str):
    assert parse_kill(line.format(comm)) == killed(reason, comm, **figures)


def test_the_oldest_kill_lines_have_no_figures_or_another_name_for_one():
    bare = KillLine("", 7, "httpd", None, None, None, None, None, None, None, whole=True)
    assert parse_kill("Killed process 7 (httpd)") == bare
    assert parse_kill("Out of Memory: Killed process 7 (httpd).") == bare._replace(reason="Out of Memory")
    old = parse_kill("Killed process 7 (httpd) vsz:8kB, anon-rss:4kB, file-rss:2kB")
    assert old == killed("", "httpd")


@pytest.mark.parametrize(
    ("line", "comm", "anon", "uid"),
    [
        ("Killed process 7", None, None, None),
        ("Killed process 7 (ja", None, None, None),
        ("Killed process 7 (java) total-vm:8kB, anon-rss:4", "java", None, None),
        (
            "Killed process 7 (java) total-vm:8kB, anon-rss:4kB, file-rss:2kB, shmem-rss:0kB, UID:0",
            "java",
            4,
            0,
        ),
        (
            "Killed process 7 (java) total-vm:8kB, anon-rss:4kB, file-rss:2kB, shmem-rss:0kB,UID:00",
            "java",
            4,
            0,
        ),
        (
            "Killed process 7 (java) total-vm:8kB, anon-rss:4kB, file-rss:2kB, shmem-rss:0kB, UID:10x",
            "java",
            4,
            None,
        ),
    ],
)
def test_a_cut_kill_line_keeps_what_is_whole(line: str, comm: str | None, anon: int | None, uid: int | None):
    kill = parse_kill(line)
    assert kill is not None
    assert (kill.pid, kill.comm, kill.anon_rss_kb, kill.uid) == (7, comm, anon, uid)


def test_other_sentences_kill_nobody():
    assert parse_kill("Killed process group 7") is None
    assert parse_choice("Kill process seven") is None


@pytest.mark.parametrize(
    ("line", "choice"),
    [
        (
            "Out of memory: Kill process 7 (a b) score 651 or sacrifice child",
            Choice("Out of memory", 7, "a b", 651, False),
        ),
        (
            "Out of memory: kill process 7 (x) score 651 or a child",
            Choice("Out of memory", 7, "x", 651, False),
        ),
        ("Kill process 8 (x) sharing same memory", Choice("", 8, "x", None, True)),
        ("Out of memory: Kill process 7 (x)", Choice("Out of memory", 7, "x", None, False)),
    ],
)
def test_choices(line: str, choice: Choice):
    assert parse_choice(line) == choice


@pytest.mark.parametrize(
    ("line", "reaped"),
    [
        (
            "oom_reaper: reaped process 7 (a) b), now anon-rss:12kB, file-rss:0kB, shmem-rss:0kB",
            Reaped(7, "a) b", True, 12),
        ),
        ("oom_reaper: reaped process 7 (x)", Reaped(7, "x", True, None)),
        ("oom_reaper: unable to reap pid:7 (x)", Reaped(7, "x", False, None)),
        ("oom_reaper: attempts=10", None),
    ],
)
def test_the_reaper(line: str, reaped: Reaped | None):
    assert parse_reaper(line) == reaped


def test_groups():
    assert parse_group("Tasks in /a b/c are going to be killed due to memory.oom.group set") == "/a b/c"
    assert parse_group("Tasks in /a are going to be") is None


FULL = OomKill("CONSTRAINT_MEMCG", "(null)", "pod", "0-1,3", "/a", False, "/a/b", "java", 7, 5)


@pytest.mark.parametrize("comm", ["java", "a,pid=3,uid=4", "tmux: server", ",task=x"])
def test_the_summary_is_read_from_its_right_end(comm: str):
    start = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=pod,mems_allowed=0-1,3"
    got = parse_oom_kill(f"{start},oom_memcg=/a,task_memcg=/a/b,task={comm},pid=7,uid=5")
    assert got._replace(comm="java") == FULL
    assert got.comm == comm.removeprefix(",task=")


@pytest.mark.parametrize(
    ("text", "change"),
    [
        (
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=1,global_oom,task_memcg=/,task=sh,pid=7,uid=0",
            OomKill("CONSTRAINT_NONE", "1", None, None, None, True, "/", "sh", 7, 0),
        ),
        (
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=sh,pid=7,uid=0",
            OomKill("CONSTRAINT_NONE", "(null)", None, None, None, False, None, "sh", 7, 0),
        ),
        (
            "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=test,mems_allowed=0",
            OomKill("CONSTRAINT_CPUSET", "(null)", "test", "0", None, False, None, None, None, None),
        ),
        (
            "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=test",
            OomKill("CONSTRAINT_CPUSET", "(null)", None, None, None, False, None, None, None, None),
        ),
        (
            "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=test,mems_allowed=",
            OomKill("CONSTRAINT_CPUSET", "(null)", "test", None, None, False, None, None, None, None),
        ),
        ("oom-kill:const", OomKill(None, None, None, None, None, False, None, None, None, None)),
    ],
)
def test_summaries_of_kernels_without_cpusets_or_cgroups_and_cut_ones(text: str, change: OomKill):
    assert parse_oom_kill(text) == change


@pytest.mark.parametrize(
    ("end", "path", "comm", "pid", "uid"),
    [
        (",oom_memcg=/a,task_memcg=/a/b,task=java,pid=7,uid=", "/a/b", "java", 7, None),
        (",oom_memcg=/a,task_memcg=/a/b,task=java,pid=7", "/a/b", "java", None, None),
        (",oom_memcg=/a,task_memcg=/a/b,task=ja", "/a/b", None, None, None),
        (",oom_memcg=/a,task_memcg=/a/b,ta>", "/a/b", None, None, None),
        (",oom_memcg=/a,task_memcg=/a/b,", "/a/b", None, None, None),
        (",oom_memcg=/a,task_memcg=/a/b", None, None, None, None),
        (",oom_memcg=/a,task_memcg=in", None, None, None, None),
    ],
)
def test_a_cut_summary_does_not_make_up_the_ends_of_values(
    end: str, path: str | None, comm: str | None, pid: int | None, uid: int | None
):
    got = parse_oom_kill(f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null){end}")
    assert (got.oom_memcg, got.task_memcg, got.comm, got.pid, got.uid) == ("/a", path, comm, pid, uid)
