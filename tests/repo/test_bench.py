"""The benches' own tools."""

import sys

from bench import measure
from bench.report import HEAD, Claim, table


def test_a_command_is_run_where_nothing_was_measured_before(monkeypatch, tmp_path):
    output = tmp_path / "new" / "output"
    monkeypatch.setattr(measure, "OUTPUT", str(output))
    assert measure.run([sys.executable, "-c", "print(1)"]).peak_rss_kib > 0
    assert output.read_text() == "1\n"


def test_rows_that_are_measured_again_stand_where_they_stood_and_others_stay():
    def claim(what, median):
        return Claim(what, "a rival", "wall time", measure.Ratio(median, median, median), "", at_most=2)

    before = table([claim("start", 1.0), claim("look", 1.5)])
    after = table([claim("look", 3.0), claim("decide", 1.0)], before)
    assert after.splitlines() == [
        *HEAD,
        "| start | a rival | wall time | 1.00 (1.00 to 1.00) | ≤ 2 | yes |  |",
        "| look | a rival | wall time | 3.00 (3.00 to 3.00) | ≤ 2 | **no** |  |",
        "| decide | a rival | wall time | 1.00 (1.00 to 1.00) | ≤ 2 | yes |  |",
    ]
