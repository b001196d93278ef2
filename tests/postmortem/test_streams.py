"""Streams: chunks of any size, hits, long lines, junk, line numbers."""

from __future__ import annotations

import pytest

from memwarden.postmortem.read import find_reports
from memwarden.postmortem.scan import LINE_LIMIT, Scan
from tests.postmortem.eras import ERAS
from tests.postmortem.expect import check
from tests.postmortem.texts import HEADER, KILL, MEMCG_KILL, reports
from tests.postmortem.transports import TRANSPORTS
from tests.postmortem.world import World

ERA = {era.name: era for era in ERAS}
WORLD = World(ERA["6.12"])
OTHER_KILL = MEMCG_KILL.replace("process 77", "process 78")
LAST_KILL = KILL.replace("process 77", "process 79")
REPORT = TRANSPORTS["syslog"](WORLD.report())
MIB = 1 << 20


def ordinary(size: int, seed: int = 1) -> str:
    """Lines of an ordinary day, with words that look a little like ours."""
    words = ("room", "zoom", "memory", "killed", "process", "out", "of", "oom", "nothing")
    lines = [
        f"May  9 14:52:38 db-4 cron[{1000 + 7 * seed + n}]: {' '.join(words[n % 9 :] + words[: n % 7])}\n"
        for n in range(997)
    ]
    block = "".join(lines)
    return block * (size // len(block)) + "".join(lines[: size % len(block) // len(lines[0]) + 1])


def chunked(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_nothing():
    scan = Scan("empty")
    assert list(find_reports([], file="empty", scan=scan)) == []
    assert (scan.lines, scan.size_bytes, scan.notes) == (0, 0, ())


@pytest.mark.parametrize(
    ("text", "lines"),
    [("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2), (KILL, 1), (KILL + "\n", 1), (KILL + "\n\n", 2)],
)
def test_lines_are_counted(text: str, lines: int):
    scan = Scan()
    reports(text, scan)
    assert (scan.lines, scan.size_bytes) == (lines, len(text))


@pytest.mark.parametrize("before", [0, 3, 70_000, 2 * MIB + 17])
def test_line_numbers_are_exact_however_far_in(before: int):
    text = ordinary(before) if before else ""
    first = text.count("\n") + 1
    scan = Scan()
    found = reports(text + REPORT + ordinary(MIB, 2), scan)
    assert len(found) == 1
    check(found[0], WORLD)
    assert found[0].source.first_line == first
    assert found[0].source.last_line == first + REPORT.count("\n") - 1
    assert scan.lines == text.count("\n") + REPORT.count("\n") + ordinary(MIB, 2).count("\n")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000, 4096, 65_536])
def test_chunks_of_any_size_say_the_same(size: int):
    text = (ordinary(9_000) + REPORT + ordinary(20_000, 2) + KILL + "\n" + ordinary(9_000, 3)).encode()
    whole = Scan()
    expected = list(find_reports([text], file="log", scan=whole))
    scan = Scan()
    assert list(find_reports(chunked(text, size), file="log", scan=scan)) == expected
    assert scan == whole
    assert len(expected) == 2


@pytest.mark.parametrize("size", [100_000, MIB + 1])
def test_large_chunks_say_the_same(size: int):
    text = "".join(ordinary(700_000 + 31 * n, n) + REPORT for n in range(4)).encode()
    expected = list(find_reports([text], file="log"))
    assert len(expected) == 4
    assert list(find_reports(chunked(text, size), file="log")) == expected


def test_a_header_alone_is_found_beyond_the_first_bytes():
    text = ordinary(2 * MIB)
    assert len(reports(text + HEADER + "\n" + ordinary(MIB, 2))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "memory: usage 4kB, limit 4kB, failcnt 0",
        "Memory cgroup stats for /a:",
        "[ pid ]   uid  tgid total_vm rss name\n[ 7] 0 7 9 8 x",
    ],
)
def test_an_excerpt_of_any_block_is_a_report(line: str):
    assert len(reports(line)) == 1


def test_the_beginning_of_a_report_is_found_behind_a_late_hit():
    rows = "".join(
        f"[{pid:7d}]     0 {pid:5d}      734      366    45056        0             0 a\n"
        for pid in range(1, 300)
    )
    found = reports(ordinary(2 * MIB) + rows + KILL + "\n" + ordinary(MIB, 3))
    assert [report.tasks_listed for report in found] == [299]


def test_a_reaper_that_speaks_late():
    noise = "".join(f"[  200.{n:06d}] eth0: up\n" for n in range(900))
    reaped = "[  201.000000] oom_reaper: reaped process 77 (java), now anon-rss:8kB, file-rss:0kB\n"
    text = ordinary(2 * MIB) + f"[  100.000000] {HEADER}\n[  100.000001] {KILL}\n" + noise + reaped
    found = reports(text)
    assert [
        [(victim.pid, victim.reaped, victim.reaper_left_anon_bytes) for victim in report.victims]
        for report in found
    ] == [[(77, True, 8192)]]


def test_a_reaper_that_speaks_of_somebody_else():
    other = "oom_reaper: reaped process 78 (java), now anon-rss:8kB, file-rss:0kB, shmem-rss:0kB"
    found = reports(f"[  100.000000] {HEADER}\n[  100.000001] {KILL}\n[  100.000002] {other}\n")
    assert [[(victim.pid, victim.reaped) for victim in report.victims] for report in found] == [[(77, None)]]
    assert not [mark for mark in found[0].marks if mark.kind == "reaper"]


def test_a_report_may_wait_for_its_end():
    noise = "".join(f"[  200.{n:06d}] eth0: up\n" for n in range(300))
    found = reports(f"[  100.000000] {HEADER}\n{noise}[  201.000000] {MEMCG_KILL}\n")
    assert [(report.killed, report.source.unparsed_lines) for report in found] == [(True, 300)]


def test_a_line_over_a_mib_is_cut_and_counted():
    long = "x" * (LINE_LIMIT + 1)
    for size in (1000, MIB, 4 * MIB):
        scan = Scan()
        text = f"{KILL}\n{long}\n{OTHER_KILL}\n{long}{KILL}\n{'y' * LINE_LIMIT}\n{LAST_KILL}\n".encode()
        found = list(find_reports(chunked(text, size), file="log", scan=scan))
        assert [report.source.first_line for report in found] == [1, 3, 6]
        assert (scan.cut_lines, scan.first_cut_line, scan.lines) == (2, 2, 6)
        assert scan.notes == (
            "2 lines are longer than 1 MiB, the first is line 2: only the first 1 MiB of each was read",
        )


def test_what_follows_a_cut_line_is_read():
    scan = Scan()
    text = f"{'x' * 3 * MIB}\n{KILL}\n".encode()
    found = list(find_reports(chunked(text, 100_000), file="log", scan=scan))
    assert [report.source.first_line for report in found] == [2]
    assert (scan.cut_lines, scan.lines) == (1, 2)


def test_a_hit_at_the_beginning_of_a_long_line():
    scan = Scan()
    found = list(find_reports(chunked((KILL + " " + "x" * 3 * MIB).encode(), 70_000), file="log", scan=scan))
    assert [report.victims[0].pid for report in found] == [77]
    assert scan.notes == ("line 1 is longer than 1 MiB: only its first 1 MiB was read",)
    assert scan.lines == 1


def test_a_stream_that_is_one_line_stays_small():
    scan = Scan()
    assert list(find_reports((b"x" * 100_000 for _ in range(300)), file="log", scan=scan)) == []
    assert (scan.cut_lines, scan.lines, scan.size_bytes) == (1, 1, 30_000_000)


def test_binary_junk_is_noted():
    scan = Scan()
    junk = bytes(range(256)) * 64
    assert list(find_reports([b"text\n", junk], file="log", scan=scan)) == []
    assert scan.binary_line == 2
    assert scan.notes == ("line 2 holds NUL bytes: this is not, or not only, text",)


def test_nul_bytes_before_a_line_do_not_hide_it():
    scan = Scan()
    assert len(reports(b"\0\0\0\0" + REPORT.encode(), scan)) == 1
    assert scan.binary_line == 1


def test_bytes_that_are_no_utf_8():
    text = KILL.replace("java", "j\xe4va").encode("latin-1")
    assert reports(text)[0].victims[0].comm == "j\\xe4va"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_what_a_windows_shell_redirects(encoding: str):
    text = ("" if encoding == "utf-16" else "\ufeff") + REPORT
    for size in (1, 777, 1 << 20):
        found = list(find_reports(chunked(text.encode(encoding), size), file="log"))
        assert len(found) == 1
        check(found[0], WORLD)


def test_many_reports_in_one_go():
    found = reports(REPORT * 30)
    assert len(found) == 30
    for report in found:
        check(report, WORLD)


def test_reports_are_handed_out_as_they_end():
    taken = []

    def chunks():
        for number in range(5):
            yield (REPORT + ordinary(200_000, number)).encode()
            taken.append(number)

    stream = find_reports(chunks(), file="log")
    next(stream)
    assert taken[-1:] <= [2]
    assert len(list(stream)) == 4


def test_hosts_that_fall_silent_are_not_kept_open_for_ever():
    lines = [f"May  9 14:52:38 host{n} kernel: {KILL}\n" for n in range(200)]
    found = reports("".join(lines))
    assert [report.host.name for report in found] == [f"host{n}" for n in range(200)]
    spread = "".join(line + ordinary(600_000, 1) for line in lines[:4])
    assert [report.host.name for report in reports(spread)] == [f"host{n}" for n in range(4)]
