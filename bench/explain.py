"""explain against grep and against a bare loop of regular expressions.

* 1 GiB of ordinary syslog with 200 reports in it, against ``grep -cE`` with every alternative that can
  start a report, in the C locale (grep's fastest). Bar: 3 times its time, peak memory under 150 MiB.
* 10 MiB of nothing but reports, against :mod:`bench.bare_loop`. Bar: 0.7 times its speed.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bench import logs
from bench.measure import Ratio, compare, median, ratio
from bench.report import Claim

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTS = (
    "invoked oom-killer|oom-kill:|Out of memory|out of memory|Killed process|Kill process|"
    "Task in .* killed as a result of limit|Memory cgroup stats for|Tasks state \\(memory values|"
    "oom_reaper:|memory\\.oom\\.group set|no killable processes"
)
GIB = 1 << 30
MIB = 1 << 20
RUNS = 5


def claims(*, quick: bool = False) -> Iterator[Claim]:
    """Both comparisons; ``quick`` reads 128 MiB in place of 1 GiB."""
    memwarden = os.path.join(os.path.dirname(sys.executable), "memwarden")
    size = 128 * MIB if quick else GIB
    log = logs.sparse(size, 200)
    ours, grep = compare(
        [memwarden, "explain", "--format", "json", log],
        ["env", "LC_ALL=C", "grep", "-cE", STARTS, log],
        runs=RUNS,
    )
    yield Claim(
        f"explain on {size // MIB} MiB of syslog with 200 reports",
        "grep -cE of every start",
        "wall time",
        ratio([r.wall_s for r in ours], [r.wall_s for r in grep]),
        at_most=3.0,
        detail=f"{median([r.wall_s for r in ours]):.2f} s against {median([r.wall_s for r in grep]):.2f} s",
    )
    peak = [r.peak_rss_kib / 1024 for r in ours]
    yield Claim(
        "peak resident memory of the same run",
        "150 MiB",
        "ru_maxrss",
        Ratio(median(peak) / 150, min(peak) / 150, max(peak) / 150),
        at_most=1.0,
        detail=f"{median(peak):.0f} MiB",
    )
    dense = logs.dense(10 * MIB)
    ours, bare = compare(
        [memwarden, "explain", "--format", "json", dense],
        [sys.executable, "-m", "bench.bare_loop", dense],
        runs=RUNS,
    )
    yield Claim(
        "explain on 10 MiB of reports (speed)",
        "bench/bare_loop.py",
        "1 / wall time",
        ratio([1 / r.wall_s for r in ours], [1 / r.wall_s for r in bare]),
        at_least=0.7,
        detail=f"{median([r.wall_s for r in ours]):.2f} s against {median([r.wall_s for r in bare]):.2f} s",
    )
