"""Makes the logs that the explain benches read.

The lines are our own: what sshd, cron, systemd, a kernel and a web server write on an ordinary day,
with varying numbers, so that neither side of a comparison profits from a repeated block. The reports
are built here too, in the form of a 6.x kernel, with task tables of 20 to 60 rows.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = os.path.join(os.path.dirname(__file__), ".cache")
HOST = "db4"
COMMS = (
    "postgres",
    "java",
    "node",
    "python3",
    "redis-server",
    "nginx",
    "containerd-shim",
    "ruby",
    "beam.smp",
)


def _stamp(second: int) -> str:
    """The time of day of a syslog line."""
    day, hour, minute = 1 + second // 86400 % 28, second // 3600 % 24, second // 60 % 60
    return f"Nov {day:2d} {hour:02d}:{minute:02d}:{second % 60:02d}"


def ordinary_line(rng: random.Random, second: int) -> str:
    """One syslog line of an ordinary day."""
    stamp = _stamp(second)
    pid = rng.randrange(300, 99999)
    kind = rng.randrange(6)
    if kind == 0:
        text = (
            f"sshd[{pid}]: Accepted publickey for deploy from 10.0.{pid % 256}.{second % 256} port {pid} ssh2"
        )
    elif kind == 1:
        text = f"CRON[{pid}]: (root) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.hourly)"
    elif kind == 2:
        text = f"systemd[1]: run-{pid:x}.scope: Deactivated; consumed {second % 900}ms of processor time."
    elif kind == 3:
        text = f'nginx: 10.1.{pid % 256}.9 - - "GET /room/{pid}/zoom?page={second} HTTP/1.1" 200 {pid * 7}'
    elif kind == 4:
        text = f"kernel: [{second}.{pid:06d}] eth0: renewed lease, memory of neighbour table at {pid} entries"
    else:
        text = f"postgres[{pid}]: checkpoint complete: wrote {pid} buffers; sync={second % 97}.{pid % 1000} s"
    return f"{stamp} {HOST} {text}\n"


def report(rng: random.Random, second: int) -> Iterator[str]:
    """One memcg OOM report as a 6.x kernel prints it, through syslog."""
    stamp = _stamp(second)
    rows = [
        (rng.randrange(1000, 4_000_000), rng.choice(COMMS), rng.randrange(500, 90_000), rng.randrange(0, 999))
        for _ in range(rng.randrange(20, 61))
    ]
    limit_kb = 4 * sum(rss for _, _, rss, _ in rows)
    unit = limit_kb // 4 // 1000
    pid, comm, rss, adj = max(rows, key=lambda row: row[2] + row[3] * unit)
    path = f"/system.slice/worker-{pid % 50}.service"
    lines = [
        f"{comm} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj={adj}",
        f"CPU: {pid % 16} PID: {pid} Comm: {comm} Not tainted 6.12.107+deb13-amd64 #1  Debian 6.12.107-1",
        "Call Trace:",
        " <TASK>",
        " dump_stack_lvl+0x5d/0x80",
        " dump_header+0x43/0x1c0",
        " oom_kill_process.cold+0x8/0x8a",
        " out_of_memory+0x217/0x4b0",
        " mem_cgroup_out_of_memory+0x13c/0x150",
        " try_charge_memcg+0x6c1/0x790",
        " </TASK>",
        f"memory: usage {limit_kb}kB, limit {limit_kb}kB, failcnt {rng.randrange(100000)}",
        "swap: usage 0kB, limit 0kB, failcnt 0",
        f"Memory cgroup stats for {path}:",
        f"anon {limit_kb * 1000}",
        f"file {limit_kb * 8}",
        f"kernel {limit_kb * 16}",
        "sock 0",
        "shmem 0",
        "Tasks state (memory values in pages):",
        (
            "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents "
            "oom_score_adj name"
        ),
        *(
            f"[{p:7d}] {1000:5d} {p:5d} {r * 3:8d} {r:8d} {r:8d} {0:8d} {0:9d} {81920:14d} {0:8d} {a:13d} {c}"
            for p, c, r, a in rows
        ),
        (
            f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={path},"
            f"task_memcg={path},task={comm},pid={pid},uid=1000"
        ),
        (
            f"Memory cgroup out of memory: Killed process {pid} ({comm}) total-vm:{rss * 12}kB, "
            f"anon-rss:{rss * 4}kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:80kB oom_score_adj:{adj}"
        ),
    ]
    for number, text in enumerate(lines):
        yield f"{stamp} {HOST} kernel: [{second}.{number:06d}] {text}\n"


def sparse(size: int, reports: int, *, seed: int = 1) -> str:
    """Path of a log of ``size`` bytes with that many reports evenly in it; made once."""
    return _made(f"sparse-{size}-{reports}-{seed}.log", size, reports, seed)


def dense(size: int, *, seed: int = 2) -> str:
    """Path of a log that is nothing but reports."""
    return _made(f"dense-{size}-{seed}.log", size, None, seed)


def _made(name: str, size: int, reports: int | None, seed: int) -> str:
    os.makedirs(CACHE, exist_ok=True)
    path = os.path.join(CACHE, name)
    if not os.path.exists(path):
        with open(path + ".part", "w", encoding="ascii") as out:
            _write(out.write, random.Random(seed), size, reports)
        os.rename(path + ".part", path)
    return path


def _write(write: object, rng: random.Random, size: int, reports: int | None) -> None:
    assert callable(write)
    block: list[str] = []
    written = second = done = 0
    while written < size:
        second += 1
        if reports is None or written >= (done + 0.5) * size / reports:
            block.extend(report(rng, second))
            done += 1
        else:
            block.extend(ordinary_line(rng, second) for _ in range(200))
        text = "".join(block)
        block.clear()
        write(text)
        written += len(text)
