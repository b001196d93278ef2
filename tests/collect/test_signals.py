"""CSV of a machine's signals: strict to read, and what it implies."""

from __future__ import annotations

import pytest

from memwarden.collect.recordings import open_recording
from memwarden.collect.signals import HEADER, read, snapshots
from memwarden.errors import InputError
from memwarden.units import MIB

S = 1_000_000


def parsed(*lines, header=HEADER):
    return read([header + "\n", *(line + "\n" for line in lines)], "x.csv")


def seen(*lines):
    return list(snapshots(parsed(*lines)))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0,1000,500,0,0,0,0", "1,1000,abc,0,0,0,0"], "x.csv:3: mem_available_mib is 'abc', not a number"),
        (["0,1000,500,0,0,0,nan"], "x.csv:2: psi_full_avg10 is 'nan', not a number"),
        (
            ["0,1000,-5,0,0,0,0"],
            "x.csv:2: mem_available_mib is -5, which is below zero; leave it empty if it is not known",
        ),
        (["0,1000,5,0,0,0,-0.5"], "x.csv:2: psi_full_avg10 is -0.5, which is below zero; leave it"),
        (["-1,1000,5,0,0,0,0"], "x.csv:2: time_s is -1, which is below zero; count from 0"),
        (["0,1000,--5,0,0,0,0"], "x.csv:2: mem_available_mib is '--5', not a number"),
        (
            ["1e3,1000,5,0,0,0,0"],
            "x.csv:2: time_s is '1e3', not a number as 12.5; every sample needs its time in seconds",
        ),
        (["0,1000, 5,0,0,0,0"], "x.csv:2: mem_available_mib is ' 5', not a number"),
        (["0,1000,5,0,0,0," + "1" * 25], "x.csv:2: psi_full_avg10 is '1111"),
        (["4000000000000,1,1,0,0,0,0"], "x.csv:2: time_s is 4000000000000, which is more than there can be"),
        (["0,4000000000000,1,0,0,0,0"], "x.csv:2: mem_total_mib is 4000000000000, which is more than"),
        (["0,1000,5,0,0,0"], "x.csv:2: has 6 cells, not 7; leave those empty that are not known"),
        (["0"], "x.csv:2: has 1 cell, not 7; leave"),
        (["0,1000,5,0,0,0,0", "", "1,1000,5,0,0,0,0"], "x.csv:3: this line is empty; take it out"),
        (["0,1000,5,0,0,0,0", " "], "x.csv:3: this line is empty; take it out"),
        ([",1000,5,0,0,0,0"], "x.csv:2: time_s is empty"),
        (["3,1,1,0,0,0,0", "3.0,1,1,0,0,0,0"], "x.csv:3: time_s 3.0 is not after the one before"),
        (["0,1000,1000.5,0,0,0,0"], "x.csv:2: mem_available_mib 1000.5 is more than mem_total_mib 1000"),
        (["0,1000,1,5,6,0,0"], "x.csv:2: swap_free_mib 6 is more than swap_total_mib 5"),
        (["0,1000,1,5,5,100.5,0"], "x.csv:2: psi_some_avg10 100.5 is more than 100 percent"),
        (["0,1000,1,5,5,0,101"], "x.csv:2: psi_full_avg10 101 is more than 100 percent"),
        ([], "x.csv:2: there is no sample after the header"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(lines, message):
    with pytest.raises(InputError) as raised:
        parsed(*lines)
    assert str(raised.value).startswith(message)


def test_the_header_is_exactly_that():
    for header, message in (
        (HEADER.replace("time_s", "time"), "x.csv:1: the header is 'time,"),
        ("\ufeff" + HEADER, "x.csv:1: begins with a byte order mark"),
        (HEADER + ",more", "x.csv:1: the header is"),
        (
            HEADER.replace(",", ";"),
            "x.csv:1: the columns are parted by semicolons; save the file with commas",
        ),
    ):
        with pytest.raises(InputError) as raised:
            parsed(header=header)
        assert str(raised.value).startswith(message)
    with pytest.raises(InputError):
        read([], "x.csv")


def test_fractions_empty_cells_and_line_ends():
    first, second = read([HEADER + "\r\n", "0.25,1000,512.5,,,,3.5\r\n", "1.5,,,0,0,1,"], "x")
    assert first == (250_000, 1000 * MIB, 1025 * MIB // 2, None, None, None, 3.5)
    assert second == (1_500_000, None, None, 0, 0, 1.0, None)


def test_what_the_figures_imply():
    first, second, third = seen("0,1000,600,100,100,0,0", "2.004,1000,500,100,90,18.12,0", "4,,,,,,")
    assert first.meminfo == {
        "MemTotal": 1000 * MIB, "MemAvailable": 600 * MIB, "SwapTotal": 100 * MIB, "SwapFree": 100 * MIB,
        # What is not available is held.
        "AnonPages": 400 * MIB,
    }  # fmt: skip
    # 10 MiB are 2560 pages; one period of some stall from 0 is avg10 18.12.
    assert second.vmstat == {"pswpout": 2560, "pgscan_direct": 2004}
    assert second.memory_pressure.some.total_us == pytest.approx(2_004_000, rel=0.001)
    assert second.memory_pressure.full[:1] == (0.0,)
    assert (third.meminfo, third.memory_pressure) == ({}, None)
    assert third.vmstat == second.vmstat
    assert (first.cgroups, first.processes) == ({}, {})


def test_swap_that_comes_back_is_not_swapped_out():
    assert [one.vmstat["pswpout"] for one in seen("0,1,1,9,9,,", "1,1,1,9,5,,", "2,1,1,9,9,,")] == [
        0,
        1024,
        1024,
    ]


def test_the_kind_of_a_recording_is_seen(tmp_path):
    path = tmp_path / "x"
    path.write_text(HEADER + "\n0,1,1,0,0,0,0\n")
    recording = open_recording(str(path))
    assert (recording.kind, len(list(recording.snapshots))) == ("signals", 1)
    recording = open_recording("tests/roots/lab/6.12/single.rootar")
    assert recording.kind == "archive"
    (snapshot,) = recording.snapshots
    assert snapshot.cgroups
    for content, message in (
        (
            b"Dear all\n",
            "is neither a recording of memwarden record --interval, nor of a flight recorder, nor CSV",
        ),
        (b"", "x: is empty; record or copy it again"),
        (HEADER.replace(",", ";").encode() + b"\n", "x:1: the columns are parted by semicolons"),
        (HEADER.replace(",", "\t").encode() + b"\n", "x:1: the columns are parted by tabs"),
        (HEADER.encode() + b"\n0,1,1,0,0,0,\xff\n", ":2: is not UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError) as raised:
            list(open_recording(str(path)).snapshots)
        assert message in str(raised.value)
