"""The rival of the dense bench: a plain loop of regular expressions over the lines, and JSON out.

It takes what a careful script takes from a report - header, usage lines, statistics, every task row,
the summary line and the kill line - and explains nothing.
"""

from __future__ import annotations

import json
import re
import sys

PREFIX = re.compile(r"^(?:(\w{3} [ \d]\d [\d:]{8}) (\S+) kernel: )?(?:\[ *(\d+\.\d+)\] ?)?(.*)$")
HEADER = re.compile(
    r"^(.+) invoked oom-killer: gfp_mask=(0x[0-9a-f]+)\(([^)]*)\), order=(-?\d+), oom_score_adj=(-?\d+)"
)
CPU = re.compile(r"^CPU: (\d+) PID: (\d+) Comm: (.+) (?:Not tainted|Tainted: .*?) (\S+) #")
USAGE = re.compile(r"^(memory|memory\+swap|swap|kmem): usage (\d+)kB, limit (\d+)kB, failcnt (\d+)")
STATS = re.compile(r"^Memory cgroup stats for (.+):$")
STAT = re.compile(r"^([a-z_0-9]+) (\d+)$")
ROW = re.compile(
    r"^\[ *(\d+)\] +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(-?\d+) (.+)$"
)
SUMMARY = re.compile(
    r"^oom-kill:constraint=(\w+),nodemask=([^,]*),.*?oom_memcg=(.*?),task_memcg=(.*?),"
    r"task=(.*),pid=(\d+),uid=(\d+)$"
)
KILL = re.compile(
    r"^(.*): Killed process (\d+) \((.*)\) total-vm:(\d+)kB, anon-rss:(\d+)kB, file-rss:(\d+)kB, "
    r"shmem-rss:(\d+)kB, UID:(\d+) pgtables:(\d+)kB oom_score_adj:(-?\d+)"
)


def main(path: str) -> None:
    """Print one JSON document with every report found."""
    reports: list[dict[str, object]] = []
    now: dict[str, object] = {}
    stats: dict[str, int] = {}
    tasks: list[dict[str, object]] = []
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            prefix = PREFIX.match(line.rstrip("\n"))
            if prefix is None:
                continue
            text = prefix[4]
            if found := HEADER.match(text):
                stats, tasks = {}, []
                now = {
                    "comm": found[1],
                    "gfp_mask": int(found[2], 16),
                    "gfp_flags": found[3].split("|"),
                    "order": int(found[4]),
                    "oom_score_adj": int(found[5]),
                    "time": prefix[3],
                    "wall": prefix[1],
                    "host": prefix[2],
                    "stat": stats,
                    "tasks": tasks,
                }
                reports.append(now)
            elif found := CPU.match(text):
                now["pid"], now["kernel"] = int(found[2]), found[4]
            elif found := USAGE.match(text):
                now[found[1]] = [int(found[2]), int(found[3]), int(found[4])]
            elif found := STATS.match(text):
                now["oom_memcg"] = found[1]
            elif found := STAT.match(text):
                stats[found[1]] = int(found[2])
            elif found := ROW.match(text):
                keys = [
                    "pid",
                    "uid",
                    "tgid",
                    "total_vm",
                    "rss",
                    "anon",
                    "file",
                    "shmem",
                    "pgtables",
                    "swap",
                    "oom_score_adj",
                ]
                row: dict[str, object] = {key: int(found[i + 1]) for i, key in enumerate(keys)}
                row["comm"] = found[12]
                tasks.append(row)
            elif found := SUMMARY.match(text):
                now["constraint"], now["task_memcg"], now["victim"] = found[1], found[4], int(found[6])
            elif found := KILL.match(text):
                now["killed"] = {
                    "pid": int(found[2]),
                    "comm": found[3],
                    "kb": [int(found[i]) for i in range(4, 8)],
                }
    json.dump(reports, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
