"""The few figures that are read at every wake-up, against the whole parsers on real files."""

from __future__ import annotations

import pytest

from memwarden.kernel import meminfo, psi

MEMINFO = b"""\
MemTotal:         100 kB
MemFree:  7 kB
MemAvailable:      60 kB
SwapTotal:  9 kB
SwapFree:    5 kB
"""
PRESSURE = b"""\
some avg10=0.12 avg60=0.05 avg300=0.01 total=12653113
full avg10=0.00 avg60=0.00 avg300=0.00 total=98020
"""


def test_the_headline_is_in_bytes():
    assert meminfo.headline(MEMINFO) == (100 * 1024, 60 * 1024, 5 * 1024)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        MEMINFO.replace(b"MemAvailable", b"MemAvail"),
        MEMINFO.replace(b"5 kB", b"five kB"),
        MEMINFO.replace(b"60 kB", b"-60 kB"),
        MEMINFO[:-4],
    ],
)
def test_a_headline_that_is_not_whole_is_none(damaged):
    assert meminfo.headline(damaged) is None


def test_totals_are_those_of_the_lines():
    assert psi.totals(PRESSURE) == (12653113, 98020)
    assert psi.totals(PRESSURE.split(b"\n")[0] + b"\n") == (12653113, None)
    assert psi.totals(PRESSURE.replace(b"total=9", b"total=x")) == (12653113, None)
    assert psi.totals(PRESSURE.replace(b"total", b"sum")) == (None, None)
    assert psi.totals(b"") == (None, None)


@pytest.mark.live
def test_they_agree_with_the_whole_parsers_on_this_machine():
    with open("/proc/meminfo", "rb") as file:
        data = file.read()
    whole = meminfo.parse(data.decode())
    assert meminfo.headline(data) == (whole["MemTotal"], whole["MemAvailable"], whole["SwapFree"])
    parsed = psi.parse(PRESSURE.decode())
    assert psi.totals(PRESSURE) == (parsed.some.total_us, parsed.full.total_us)
