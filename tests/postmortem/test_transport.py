"""Fronts, records and JSON lines one by one: what is taken off, and what is left alone."""

from __future__ import annotations

import json

import pytest

from memwarden.postmortem.transport.dress import undress
from memwarden.postmortem.transport.jsonline import Member, parse_json, parse_member
from memwarden.postmortem.transport.prefix import embedded, split
from memwarden.postmortem.transport.records import Record, Records
from memwarden.postmortem.transport.stamp import Stamp, monotonic_us, unix_time, wall_clock
from tests.postmortem.texts import HEADER, KILL, MEMCG_KILL, dmesg, only, reports

MAY = "May  9 14:52:38"
USAGE = "memory: usage 4kB, limit 4kB, failcnt 0"


@pytest.mark.parametrize(
    ("line", "stamp", "message"),
    [
        ("[ 13432]     0 13432   787016", None, None),
        (" [<ffffffff81131420>] dump_header+0x90/0x1b0", None, None),
        ("[c00000037540f730] [c00000000127ec44] dump_stack_lvl", None, None),
        ("[  pid  ]   uid  tgid", None, None),
        ("Node 0 DMA free:1kB", None, None),
        ("12345 pages RAM", None, None),
        ("", None, None),
        ("Mem-Info:", None, None),
        ("a.b/c:not a front", None, None),
        ("[   12.345678] x", Stamp(mono="12.345678"), " x"),
        ("[   12.345678][    C0] x", Stamp(mono="12.345678", caller="C0"), " x"),
        ("<6>[   12.345678] x", Stamp(mono="12.345678"), " x"),
        (
            "May  9 14:52:38 a kernel: [   12.345678][  T7] x",
            Stamp(MAY, "a", "12.345678", "T7"),
            " x",
        ),
        (f"{MAY} a kernel: [    7]     0", Stamp(MAY, "a"), "[    7]     0"),
        ("May  9 2024 14:52:38 a kernel: x", Stamp("May  9 2024 14:52:38", "a"), "x"),
        (f"{MAY} a cron[7]: x", Stamp(MAY, "a", kernel=False), "x"),
        (f"{MAY} a (systemd)[7]: x", Stamp(MAY, "a", kernel=False), "x"),
        (f"{MAY} a cron[7]: [   12.345678] x", Stamp(MAY, "a", "12.345678"), "x"),
        (f"{MAY} a kernel: <4>[   12.345678] x", Stamp(MAY, "a", "12.345678"), " x"),
        (
            "2024-05-09T14:52:38Z stdout F <4>[1.000001] c2 x",
            Stamp("2024-05-09T14:52:38Z", None, "1.000001"),
            "x",
        ),
        ("a.log:17:[   12.345678] x", Stamp(mono="12.345678"), "x"),
        ("<4><4><4><4><4><4><4>x", Stamp(), "<4>x"),
    ],
)
def test_fronts(line: str, stamp: Stamp | None, message: str | None):
    assert split(line) == (stamp, line if message is None else message)


def test_a_message_inside_a_line():
    assert embedded("a [    1.000001][ T7] b") == ("a ", Stamp(mono="1.000001", caller="T7"), "b")
    assert embedded("[    1.000001] b") is None
    assert embedded("a [1.0] b") is None


@pytest.mark.parametrize(
    ("printed", "wall"),
    [
        (None, None),
        ("2024-05-09T14:52:38+0200", "2024-05-09T14:52:38+02:00"),
        ("2024-05-09 14:52:38,25", "2024-05-09T14:52:38.25"),
        ("2024-05-09T14:52:38Z", "2024-05-09T14:52:38Z"),
        ("Thu 2024-05-09 14:52:38 UTC", "2024-05-09T14:52:38Z"),
        ("Thu 2024-05-09 14:52:38.5 CEST", "2024-05-09T14:52:38.5"),
        ("Thu May  9 14:52:38 2024", "2024-05-09T14:52:38"),
        ("Thu May  9 14:52:38 UTC 2024", "2024-05-09T14:52:38Z"),
        ("Thu May  9 14:52:38 CEST 2024", "2024-05-09T14:52:38"),
        ("Do Mai  9 14:52:38 2024", "Do Mai  9 14:52:38 2024"),
        ("May  9 14:52:38", "May  9 14:52:38"),
        ("1715266358.123456", "2024-05-09T14:52:38.123456Z"),
    ],
)
def test_dates(printed: str | None, wall: str | None):
    assert wall_clock(printed) == wall


def test_numbers_of_seconds():
    assert monotonic_us("12345.6789019") == 12_345_678_901
    assert monotonic_us("12345.6") == 12_345_600_000
    assert monotonic_us("later") is None
    assert unix_time("0") == "1970-01-01T00:00:00.000000Z"
    assert [unix_time(text) for text in (None, "never", "9" * 18)] == [None] * 3


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("> > [ 1] a", "[ 1] a"),
        ("a\n > b\n\t>> c", "a\nb\nc"),
        ("\x1b[33mMem\x1b[0m-Info:", "Mem-Info:"),
        ("#033[33mMem#033[0m", "Mem"),
        ("&lt;TASK&gt; &amp;lt; &quot;&#39;&nbsp;<br/>", "<TASK> &lt; \"' "),
        ("a && b; c", "a && b; c"),
        ("\ra\rb\r\n", "a b\n"),
        ("a\u00a0b\u200b\ufeff", "a b"),
        ("a -> b", "a -> b"),
        ('2024-05-09T14:52:38Z,"a ""b"", c"', '2024-05-09T14:52:38Z a "b", c'),
        ('"2024-05-09T14:52:38.123+0200","a"\n"x","b"', "2024-05-09T14:52:38.123+0200 a\nb"),
        ('a,"b" c', 'a,"b" c'),
    ],
)
def test_undressing(text: str, plain: str):
    assert undress(text) == plain
    assert undress(text).count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("document", "stamp", "lines"),
    [
        ({"log": "a\n", "time": "t"}, Stamp("t"), ["a"]),
        ({"message": "a\nb", "host": "h"}, Stamp(None, "h"), ["a", "b"]),
        ({"jsonPayload": {"message": "a"}, "timestamp": "t"}, Stamp("t"), ["a"]),
        ({"MESSAGE": "a", "_TRANSPORT": "stdout"}, Stamp(kernel=False), ["a"]),
        ({"MESSAGE": [97, 98], "_HOSTNAME": "h", "_TRANSPORT": "kernel"}, Stamp(None, "h"), ["ab"]),
        ({"MESSAGE": "a", "SYSLOG_IDENTIFIER": "kernel", "_TRANSPORT": "syslog"}, Stamp(), ["a"]),
        ({"message": "a", "involvedObject": {}}, Stamp(), []),
    ],
)
def test_json_lines(document: dict[str, object], stamp: Stamp, lines: list[str]):
    assert parse_json(json.dumps(document)) == [(stamp, lines)]


@pytest.mark.parametrize(
    "line", ['{"log": 7}', "{}", "{", '{"MESSAGE": [1, 999]}', '{"MESSAGE": [true, "a"]}', '{"a":' * 9999]
)
def test_json_that_holds_no_text(line: str):
    assert parse_json(line) == []


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        ([{"message": "a"}, {"message": "b"}, 7], ["a", "b"]),
        ({"events": [{"message": "a"}], "next": "x"}, ["a"]),
        ({"values": [["1", "a"], ["2", "b"]]}, ["a", "b"]),
        ({"values": [["2", "b"], ["1", "a"]]}, ["a", "b"]),
        ({"values": [["1", "a", "more"]]}, []),
        ({"values": [[None, "a"]]}, []),
        ([[[[[[[{"message": "too deep"}]]]]]]], []),
        ([], []),
    ],
)
def test_json_lists(document: object, texts: list[str]):
    assert [lines for _, lines in parse_json(json.dumps(document))] == [[text] for text in texts]


@pytest.mark.parametrize(
    ("line", "member"),
    [
        ('  "msg" : "a \\"b\\"",', Member('a "b"')),
        ('"MESSAGE": [97, 98]', Member()),
        ('"msg": "cut', Member()),
        ('"time":    12.345678,', Member(seconds="12.345678")),
        ('"time": "2024-05-09T14:52:38Z",', Member()),
        ('"pri": 4,', Member()),
        ("      },{", Member()),
        ("]", Member()),
        ('"a" b', None),
        ("[  12.3] a", None),
        ("", None),
    ],
)
def test_lines_of_printed_json(line: str, member: Member | None):
    assert parse_member(line) == member


@pytest.mark.parametrize("rest", [" " * (1 << 20), "," * (1 << 20), '\\"' * (1 << 19)])
def test_a_long_line_takes_no_longer_than_its_length(rest: str):
    # Hours, where every blank were looked at once for each blank before it.
    assert parse_member(f'"a": x{rest}y') == Member()
    line = f'"x","{rest}"" y'
    assert undress(line) == line


def taken(*lines: str) -> tuple[list[bool], list[Record]]:
    records = Records()
    answers = [records.take(number, line) for number, line in enumerate(lines, 1)]
    last = records.end()
    found = [record for _, record in answers if record is not None] + ([last] if last else [])
    return [belongs for belongs, _ in answers], found


def test_records_one_behind_the_other():
    belongs, found = taken(
        "__CURSOR=a",
        "_HOSTNAME=h",
        "MESSAGE=one",
        "",
        "__CURSOR=b",
        "MESSAGE=two",
        "__CURSOR=c",
        "MESSAGE=three",
    )
    assert all(belongs)
    assert [(record.line, record.stamp.host, record.lines) for record in found] == [
        (3, "h", ["one"]),
        (6, None, ["two"]),
        (8, None, ["three"]),
    ]


def test_a_field_that_comes_again_begins_another_record():
    assert [record.lines for record in taken("MESSAGE=one", "MESSAGE=two")[1]] == [["one"], ["two"]]


def test_fields_before_any_message_are_left_alone():
    assert taken("PRIORITY=4", "SUBSYSTEM=x", "text") == ([False, False, False], [])


def test_a_record_ends_where_other_text_begins():
    belongs, found = taken("MESSAGE=one", "other text")
    assert (belongs, [record.lines for record in found]) == ([True, False], [["one"]])


def test_a_value_with_a_length():
    size = "\x2a" + "\0" * 7
    belongs, found = taken("__CURSOR=a", "_HOSTNAME=h", "MESSAGE", size + "one", "two", "")
    assert all(belongs)
    assert [(record.line, record.stamp.host, record.lines) for record in found] == [(4, "h", ["one", "two"])]
    # The blank line ends the record, since no length is kept; what follows it is no field.
    assert taken("MESSAGE", size + "one", "", "two", "_HOSTNAME=h")[0] == [True, True, True, False, False]
    found = taken("__CURSOR=a", "_CMDLINE", size + "long", "er", "MESSAGE=one", "")[1]
    assert [record.lines for record in found] == [["one"]]
    # A length whose lowest byte is a newline breaks the line.
    belongs, found = taken("MESSAGE", "", "\x01" + "\0" * 6 + "one", "two", "__CURSOR=b")
    assert [record.lines for record in found] == [["one", "two"]]


def test_verbose_records():
    head = "Thu 2024-05-09 14:52:38.000001 UTC [s=01ab;i=1]"
    belongs, found = taken(
        head, "    MESSAGE=one", "            two", "    _HOSTNAME=h", head, "    MESSAGE=three"
    )
    assert all(belongs)
    assert [(record.stamp.host, [line.strip() for line in record.lines]) for record in found] == [
        ("h", ["one", "two"]),
        (None, ["three"]),
    ]


def test_pretty_records():
    found = taken(
        "{", '\t"MESSAGE" : "one\\ntwo",', '\t"_HOSTNAME" : "h"', "}", "{", '\t"MESSAGE" : [ 97, 98 ]', "}"
    )[1]
    assert [(record.stamp.host, record.lines) for record in found] == [("h", ["one", "two"]), (None, ["ab"])]
    assert taken('"MESSAGE" : "\\q"')[1] == [Record(1, Stamp(), [""])]
    assert taken('"MESSAGE" : null')[1] == [Record(1, Stamp(), [""])]


@pytest.mark.parametrize("mono", ["soon", ""])
def test_a_record_whose_clock_is_no_number(mono: str):
    found = taken("__CURSOR=a", f"__MONOTONIC_TIMESTAMP={mono}", "__REALTIME_TIMESTAMP=then", "MESSAGE=one")[
        1
    ]
    assert (found[0].stamp.mono, found[0].stamp.wall) == (None, None)


def test_a_record_without_end_is_none():
    belongs, found = taken("MESSAGE=one", "    A=1", "    B=2", *["  more"] * 3000)
    assert belongs == [True] * 2000 + [False] * 1003
    assert found == []


def test_a_program_that_says_what_the_kernel_said_is_not_the_kernel():
    fields = {"_TRANSPORT": "stdout", "SYSLOG_IDENTIFIER": "app"}
    assert reports(json.dumps({**fields, "MESSAGE": "anon 12"})) == []
    assert len(reports(json.dumps({**fields, "MESSAGE": KILL}))) == 1


def test_the_journal_of_other_programs_between_the_kernels():
    lines = [
        json.dumps({"MESSAGE": message, "_TRANSPORT": "kernel"})
        for message in (HEADER, "memory: usage 4kB, limit 4kB, failcnt 0", MEMCG_KILL)
    ]
    other = json.dumps({"MESSAGE": "anon 12", "_TRANSPORT": "syslog"})
    report = only("\n".join([lines[0], lines[1], other, lines[2]]))
    assert report.memcg is not None
    assert (report.memcg.stat, report.source.unparsed_lines) == ({}, 0)


def test_a_line_without_front_behind_another_programs_line_is_not_that_programs():
    text = f"May  9 14:52:38 a cron[7]: x\n{HEADER}\n{KILL}\n"
    assert only(text).host.name is None


def test_a_line_without_front_belongs_to_the_kernels_line_before_it():
    front = f"{MAY} a kernel:"
    text = f"{front} Mem-Info:\nactive_anon:7 inactive_anon:8 isolated_anon:0\n{front} {KILL}\n"
    report = only(text)
    assert report.node is not None
    assert report.node.active_anon_bytes == 7 * 4096


def test_the_form_of_the_fronts_may_change():
    parts = [
        dmesg(HEADER, "memory: usage 4kB, limit 4kB, failcnt 0"),
        dmesg(*(f"anon_{n} {n}" for n in range(1, 30)), start=200),
    ]
    text = parts[0] + "".join(f"<4>{line}\n" for line in parts[1].splitlines()) + dmesg(MEMCG_KILL, start=300)
    report = only(text)
    assert report.memcg is not None
    assert report.memcg.stat == {f"anon_{n}": n for n in range(1, 30)}
