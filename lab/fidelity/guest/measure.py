"""Runs every scenario of ``plan.json`` in this guest and writes down what the kernel did.

A sampler looks every 20 ms. ``found.json``: the machine's speeds, and per scenario and run the events by time
since the start, who died, peaks, shares, stall, and the curve of usage against time.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback

ROOT = "/sys/fs/cgroup"
MIB = 1 << 20
SWAP = b"/dev/lab-swap"
EVERY_S = 0.02
LIBC = ctypes.CDLL(None, use_errno=True)


def get(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def put(path: str, text: str) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(text.encode())


def keyed(text: str) -> dict[str, int]:
    return {words[0]: int(words[1]) for line in text.splitlines() if len(words := line.split()) == 2}


def stall(path: str) -> dict[str, int]:
    """The totals of a pressure file, in microseconds."""
    return {word: int(total) for word, total in re.findall(r"(some|full).*total=(\d+)", get(path))}


def drop() -> None:
    """Nothing is in memory but the programs' text, charged to nobody: the simulator has none."""
    os.sync()
    put("/proc/sys/vm/drop_caches", "3")
    with open("/job/load", "rb") as text:
        text.read()


def speed(*words: object) -> float:
    return float(subprocess.check_output(["/job/speeds", *map(str, words)]))


def speeds(files: dict[str, int]) -> dict[str, object]:
    """What goes into the simulated machine, each the median of three."""
    put("/proc/sys/vm/dirty_writeback_centisecs", "500")
    for name, mib in files.items():
        speed("write", name, mib)
    speed("write", "/mnt/written", 32)
    drop()
    idle = memory()
    rows: dict[str, list[float]] = {}
    for _ in range(3):
        rows.setdefault("fault_us", []).append(speed("fault", 32))
        drop()
        rows.setdefault("read_bps", []).append(speed("read", "/mnt/large"))
        rows.setdefault("cached_bps", []).append(speed("cached", "/mnt/large"))
        rows.setdefault("write_bps", []).append(speed("write", "/mnt/written", 32))
        drop()
        rows.setdefault("random_us", []).append(speed("random", "/mnt/large", 100))
        drop()
        rows.setdefault("reclaim_us", []).append(file_reclaim())
        rows.setdefault("swap_us", []).append(swap_out())
    return {
        "each": rows,
        "cpus": os.cpu_count(),
        "ram_bytes": idle["MemTotal"],
        "free_bytes": idle["MemFree"],
        "available_bytes": idle["MemAvailable"],
        "mglru": get("/sys/kernel/mm/lru_gen/enabled"),
        "min_free_kbytes": int(get("/proc/sys/vm/min_free_kbytes")),
        "swappiness": int(get("/proc/sys/vm/swappiness")),
        "thp": get("/sys/kernel/mm/transparent_hugepage/enabled"),
        "hz": os.sysconf("SC_CLK_TCK"),
    }


def memory() -> dict[str, int]:
    rows = (line.split() for line in get("/proc/meminfo").splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


def file_reclaim() -> float:
    """Microseconds that a clean page costs in reclaim: memory.high is written below a cache of 32 MiB."""
    os.mkdir(ROOT + "/r")
    child = os.fork()
    if child == 0:
        put(ROOT + "/r/cgroup.procs", "0")
        speed("read", "/mnt/large")
        os._exit(0)
    os.waitpid(child, 0)
    return _lowered("/r", 8 * MIB)


def swap_out() -> float:
    """Microseconds that an anonymous page costs when it is swapped out, disk included."""
    LIBC.swapon(SWAP, 0)
    os.mkdir(ROOT + "/r")
    child = os.fork()
    if child == 0:
        put(ROOT + "/r/cgroup.procs", "0")
        os.execv("/job/load", ["load", "leak", "1000", "24", "1"])
    for _ in range(500):
        if int(get(ROOT + "/r/memory.current")) > 24 * MIB:
            break
        time.sleep(0.02)
    cost = _lowered("/r", 8 * MIB, child)
    LIBC.swapoff(SWAP)
    return cost


def _lowered(group: str, high: int, child: int = 0) -> float:
    path = ROOT + group
    before = int(get(path + "/memory.current"))
    begin = time.monotonic()
    put(path + "/memory.high", str(high))
    took = time.monotonic() - begin
    after = int(get(path + "/memory.current"))
    put(path + "/memory.high", "max")
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for _ in range(100):
        try:
            os.rmdir(path)
        except OSError:
            time.sleep(0.05)
        else:
            break
    return took * 1e6 / max(1, (before - after) // 4096)


class Turn:
    """One run of one scenario."""

    def __init__(self, scenario: dict) -> None:
        self.scenario = scenario
        self.groups = [group["path"] for group in scenario["groups"]]
        self.pids: dict[str, int] = {}
        self.ends: list[list[object]] = []
        self.samples: list[list[int]] = []
        self.first: dict[str, int] = {}
        self.base: dict[str, dict[str, int]] = {}

    def make(self) -> None:
        parents = {path.rpartition("/")[0] for path in self.groups}
        for group in self.scenario["groups"]:
            path = ROOT + group["path"]
            os.mkdir(path)
            for knob, value in group["knobs"]:
                put(f"{path}/memory.{knob}", str(value if knob == "oom.group" else value * MIB))
            if group["path"] in parents:
                put(path + "/cgroup.subtree_control", "+memory")

    def start(self, load: dict) -> None:
        pid = os.fork()
        if pid == 0:
            put(f"{ROOT}{load['group']}/cgroup.procs", "0")
            put("/proc/self/oom_score_adj", str(load["adj"]))
            os.execv("/job/load", ["load", *map(str, load["words"])])
        self.pids[load["name"]] = pid

    def watch(self) -> None:
        waiting = sorted(self.scenario["loads"], key=lambda load: load["start_s"])
        begin = time.monotonic()
        due = begin
        while (now := time.monotonic() - begin) < self.scenario["seconds"]:
            while waiting and waiting[0]["start_s"] <= now:
                self.start(waiting.pop(0))
            self.sample(int(now * 1e6))
            self.reap(int(now * 1e6))
            if not waiting and not self.pids:
                break
            due = max(due + EVERY_S, time.monotonic() - EVERY_S)
            time.sleep(max(0.0, due - time.monotonic()))

    def sample(self, now: int) -> None:
        row = [now]
        for path in self.groups:
            at = ROOT + path
            row.append(int(get(at + "/memory.current")))
            events = keyed(get(at + "/memory.events"))
            for name in ("low", "high", "max", "oom", "oom_kill"):
                if events.get(name):
                    self.first.setdefault(f"{path} {name}", now)
            total = stall(at + "/memory.pressure")
            row.append(total.get("full", 0))
            # A sleep at memory.high is a stall of 12 ms or more; reclaim of a batch is not.
            if f"{path} high" in self.first and len(self.samples) > 1:
                before = self.samples[-1][len(row) - 1]
                if total.get("full", 0) - before > 8000:
                    self.first.setdefault(f"{path} throttled", now)
        self.samples.append(row)

    def reap(self, now: int) -> None:
        for name, pid in list(self.pids.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self.ends.append([name, now, status])
                del self.pids[name]

    def found(self) -> dict[str, object]:
        """What is kept of it."""
        result: dict[str, object] = {"first_us": self.first, "ends": self.ends, "groups": {}}
        for index, path in enumerate(self.groups):
            at = ROOT + path
            stat = keyed(get(at + "/memory.stat"))
            result["groups"][path] = {
                "peak_bytes": max(row[1 + 2 * index] for row in self.samples),
                "kernel_peak_bytes": int(get(at + "/memory.peak") or 0),
                "final_bytes": self.samples[-1][1 + 2 * index],
                "stall_us": stall(at + "/memory.pressure"),
                "events": keyed(get(at + "/memory.events")),
                "stat": {key: stat.get(key) for key in KEPT if key in stat},
                "swap_bytes": int(get(at + "/memory.swap.current") or 0),
            }
        every = 5 if not self.scenario["curve"] else 1
        result["samples"] = self.samples[::every]
        return result

    def clear(self) -> None:
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for path in reversed(self.groups):
            for _ in range(100):
                try:
                    os.rmdir(ROOT + path)
                except OSError:
                    time.sleep(0.05)
                else:
                    break
        drop()


KEPT = (
    "anon", "file", "kernel", "file_dirty", "file_writeback", "workingset_refault", "workingset_refault_file",
    "workingset_refault_anon", "pgscan", "pgsteal", "pgfault", "pgmajfault",
)  # fmt: skip


def run(scenario: dict) -> dict[str, object]:
    if scenario["swap"] and LIBC.swapon(SWAP, 0):
        raise OSError(ctypes.get_errno(), "swapon")
    turn = Turn(scenario)
    try:
        turn.make()
        turn.watch()
        return turn.found()
    finally:
        turn.clear()
        if scenario["swap"]:
            LIBC.swapoff(SWAP)


def main() -> int:
    put("/proc/self/oom_score_adj", "-1000")
    put(ROOT + "/cgroup.subtree_control", "+memory")
    with open("/job/plan.json") as file:
        plan = json.load(file)
    found: dict[str, object] = {"release": os.uname().release, "speeds": speeds(plan["files"]), "runs": {}}
    bad = 0
    for scenario in plan["scenarios"]:
        rows = found["runs"][scenario["name"]] = []
        for _ in range(plan["times"]):
            try:
                rows.append(run(scenario))
            except Exception:
                bad = 1
                traceback.print_exc()
        with open("/out/found.json", "w") as file:
            json.dump(found, file)
        print(scenario["name"], file=sys.stderr)
    return bad


sys.exit(main())
