"""Whatever text comes in: reports come out or not, nothing raises, nothing hangs, chunks do not matter."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.postmortem.read import find_reports
from memwarden.postmortem.scan import Scan
from tests.postmortem.eras import ERAS
from tests.postmortem.expect import check
from tests.postmortem.transports import TRANSPORTS
from tests.postmortem.world import Task, World

if TYPE_CHECKING:
    from memwarden.postmortem.model import OomReport

LINES = tuple(
    line
    for era in ERAS
    for scope in ("memcg", "system")
    for record in World(era, scope=scope).report()
    for line in record.split("\n")
)
FRONTS = (
    *(
        "",
        " ",
        "> ",
        "<4>",
        "[    1.000001] ",
        "[    1.000001][  T7] ",
        "[Do Mai  9 14:52:38 2024] ",
        "kernel: ",
    ),
    *(
        "May  9 14:52:38 a kernel: ",
        "May  9 14:52:38 a cron[7]: ",
        "4,7,1000001,-;",
        "MESSAGE=",
        "    MESSAGE=",
    ),
    *(
        "__CURSOR=a\n",
        "MESSAGE\n\x07\0\0\0\0\0\0\0",
        '{"log": "',
        '{"MESSAGE": "',
        "2024-05-09T14:52:38Z stdout F ",
    ),
)
TAILS = ("", " ", "\r", "\x1b[0m", '"}', '\\n", "a": 1}', ">", "#012 free:1", "\0", "\n", "\n\n", "\n...\n")


def damaged_line():
    """A line of some report behind some front, whole or cut at both ends."""
    return st.builds(
        lambda front, line, left, right, tail: f"{front}{line[left : len(line) - right]}{tail}\n",
        st.sampled_from(FRONTS),
        st.sampled_from(LINES),
        st.sampled_from((0, 0, 0, 0, 1, 3)),
        st.sampled_from((0, 0, 0, 0, 1, 9, 30)),
        st.sampled_from(TAILS),
    )


def text():
    """Lines of reports of all ages, damaged and out of order, and lines of anything."""
    return st.lists(st.one_of(damaged_line(), damaged_line(), st.text(max_size=40)), max_size=40).map("".join)


def read(data: bytes, size: int = 0) -> tuple[list[OomReport], Scan]:
    scan = Scan("log")
    pieces = [data] if size <= 0 else [data[at : at + size] for at in range(0, len(data), size)]
    return list(find_reports(pieces, file="log", scan=scan)), scan


def sane(report: OomReport, scan: Scan) -> None:
    """What holds for every report whatever the text."""
    assert 1 <= report.source.first_line <= report.source.last_line <= scan.lines
    assert 0 <= report.source.unparsed_lines <= report.source.last_line - report.source.first_line + 1
    assert report.host.page_size_bytes in (4096, 8192, 16384, 65536)
    assert len({victim.pid for victim in report.victims}) == len(report.victims) or report.victims
    assert (report.killed is True) is bool([v for v in report.victims if v.line]) or report.killed is not True
    assert all(report.source.first_line <= mark.line <= report.source.last_line for mark in report.marks)
    assert [mark.line for mark in report.marks] == sorted(mark.line for mark in report.marks)
    assert report.traits is not None
    repr(report)


@given(text())
def test_whatever_order_and_damage_nothing_raises(lines: str):
    reports, scan = read(lines.encode("utf-8", "surrogatepass"))
    for report in reports:
        sane(report, scan)


@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes):
    reports, scan = read(data)
    for report in reports:
        sane(report, scan)


@given(text(), st.integers(1, 700))
def test_where_chunks_end_does_not_matter(lines: str, size: int):
    data = lines.encode("utf-8", "surrogatepass") * 3
    assert read(data, size) == read(data)


COMM = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=15).filter(
    lambda comm: comm == comm.strip() and "invoked oom" not in comm and "  " not in comm
)


@given(
    st.sampled_from(ERAS),
    st.sampled_from(("memcg", "system")),
    st.sampled_from(
        ("dmesg", "syslog", "journal json", "journal export", "kubernetes cri", "kmsg", "serial")
    ),
    COMM,
    st.tuples(st.integers(0, 2**22), *[st.integers(0, 2**34)] * 6),
)
def test_any_figures_and_any_comm_survive_any_transport(era, scope, transport, comm, figures):
    pid, vm, anon, file, shmem, swap, usage = figures
    task = Task(pid, comm, 7, vm, anon, file, shmem, 5, swap, -999)
    world = World(era, scope=scope, invoker=comm, victim=task, tasks=(task,), usage_kb=usage, limit_kb=usage)
    if not re.fullmatch(r"[\w ./:@()\[\]+-]+", comm) or kindred(comm):
        return
    reports, scan = read(TRANSPORTS[transport](world.report()).encode())
    assert len(reports) == 1
    sane(reports[0], scan)
    check(reports[0], world)


def kindred(comm: str) -> bool:
    """Names made of the kernel's own words can be taken for them; nobody has one."""
    return bool(re.search(r"[\[(]|: |\d+ |kernel|oom|pid|kill|task", comm, re.IGNORECASE))


NASTY = (
    *(
        " ",
        "[",
        "(",
        ")",
        ">",
        "=",
        ",",
        ":",
        "0",
        "a",
        "{",
        '"',
        "\\",
        "\x1b[",
        "&lt;",
        "#012",
        "\\x0a",
        "\0",
    ),
    *(
        "[ ",
        "[1.0",
        "1 ",
        "a ",
        "a:1kB ",
        "1*4kB ",
        "a/",
        "./",
        "a-",
        "-",
        "+0x",
        " invoked oom-killer",
        ",task=",
    ),
    *(
        "Kill process 1 (",
        "Killed process 1 ",
        "kill process 1 (a) score ",
        ",cpuset=",
        " cpuset=",
        " mems_allowed=",
    ),
    *(
        "Out of memory: ",
        "order=1",
        "gfp_mask=0x1(",
        "Tainted: ",
        "Not tainted ",
        "CPU: 1 PID: 1 Comm: ",
        "KB ",
        "1KB ",
    ),
    *(
        "May  9 14:52:38 a ",
        "2024-05-09T14:52:38Z ",
        "kernel: ",
        "MESSAGE=",
        "oom-kill:constraint=",
        "Node 0 ",
    ),
)
STARTS = (
    "",
    "x invoked oom-killer: ",
    "Out of memory: Killed process 1 (",
    "oom-kill:constraint=",
    "[ 1] 1 1 ",
    "DMA: ",
)


@pytest.mark.parametrize("start", STARTS)
def test_no_line_takes_long(start: str):
    """Lines of 64 KiB of every small text, 50 of them: a pattern that looks back would take minutes."""
    rng = random.Random(3)
    header = "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
    lines = [header]
    for word in NASTY:
        lines.append(f"{start}{word * (65_536 // len(word))}\n")
        lines.append(f"[    1.000001] {start}{''.join(rng.choices((word, rng.choice(NASTY)), k=9000))}\n")
    reports, scan = read("".join(lines).encode())
    assert reports
    assert scan.lines == len(lines)


def test_no_run_of_lines_takes_long():
    """A line that could go on for ever, and lines that could be its rest."""
    for first, more in (
        ("Killed process 1 (a) total-vm:1kB", "anon-rss:"),
        ("DMA free:1kB", "a:1kB"),
        ("DMA: 1*4kB", "1*4kB"),
        ("oom-kill:constraint=CONSTRAINT_NONE", "a=b"),
        ("Code:", "00"),
        ("MESSAGE=Killed process 1 (a)", " more"),
        ("MESSAGE\n\x07\0\0\0\0\0\0\0Killed process 1 (a)", "more"),
        ("    MESSAGE=Killed process 1 (a)", "    A=b"),
        ("[ 1] 1 1 1", "1"),
    ):
        data = f"x invoked oom-killer: order=0\n{first}\n" + f"{more}\n" * 5_000
        reports, scan = read(data.encode())
        assert len(reports) <= 2
        assert scan.lines == data.count("\n")
