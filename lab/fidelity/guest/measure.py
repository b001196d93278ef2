"""Runs every scenario of ``plan.json`` in this guest and writes down what the kernel did.

A sampler looks every 10 or 50 ms, before anybody else on the one processor. ``found.json``: the machine's
speeds, and per scenario and run the events by time since the start, who died, peaks, shares, stall, and the
curve of usage against time.
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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = "/sys/fs/cgroup"
MIB = 1 << 20
SWAP = b"/dev/lab-swap"
EVERY_S = 0.05
HIGH_S = 0.01
"""Where somebody is throttled."""
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


def enter(group: str) -> None:
    """A child goes into a cgroup, and is no more urgent than others."""
    put(f"{ROOT}{group}/cgroup.procs", "0")
    os.setpriority(os.PRIO_PROCESS, 0, 0)


def inside(*words: object) -> float:
    """A speed in a cgroup without limits: pages are charged, as those of the scenarios are."""
    os.mkdir(ROOT + "/r")
    found = subprocess.check_output(["/job/speeds", *map(str, words)], preexec_fn=lambda: enter("/r"))
    remove("/r")
    return float(found)


def load(group: str, *words: object) -> int:
    pid = os.fork()
    if pid == 0:
        enter(group)
        os.execv("/job/load", ["load", *map(str, words)])
    return pid


def until(group: str, size: int) -> None:
    """Wait for a cgroup's usage, five seconds at the most."""
    for _ in range(500):
        if int(get(f"{ROOT}{group}/memory.current")) >= size:
            return
        time.sleep(0.01)


def end(pid: int) -> float:
    """Kill it; how long that took until it was gone, its memory given back."""
    begin = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return time.monotonic() - begin


def remove(group: str) -> None:
    for _ in range(100):
        try:
            os.rmdir(ROOT + group)
        except OSError:
            time.sleep(0.05)
        else:
            return


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
        for name, cost in costs():
            say(name, cost)
            rows.setdefault(name, []).append(cost)
            drop()
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


def costs() -> Iterator[tuple[str, float]]:
    """One measurement after the other."""
    yield "fault_us", inside("fault", 32)
    yield "read_bps", speed("read", "/mnt/large")
    yield "cached_bps", speed("cached", "/mnt/large")
    yield "write_bps", speed("write", "/mnt/written", 32)
    yield "random_us", speed("random", "/mnt/large", 100)
    yield "reclaim_us", file_reclaim()
    yield "pass_us", fruitless()
    small, large = killed(2), killed(34)
    yield "exit_us", small * 1e6
    yield "free_us", max(large - small, 0.0) * 1e6 / (32 * MIB // 4096)
    # The swap device by itself, behind its header.
    for name, size in (("write", 4096), ("write", 128 * 1024), ("read", 4096)):
        yield f"swap_{name}_{size // 1024}k_us", speed("direct", SWAP.decode(), name, size, 200)
    yield "swap_us", swap_out()
    yield from swapping()


def say(*words: object) -> None:
    """For whoever watches the console."""
    put("/dev/ttyS0", " ".join(map(str, ("fidelity:", round(time.monotonic()), *words))) + "\n")


def memory() -> dict[str, int]:
    rows = (line.split() for line in get("/proc/meminfo").splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


def file_reclaim() -> float:
    """Microseconds that a clean page costs in reclaim: memory.high is written below a cache of 32 MiB."""
    os.mkdir(ROOT + "/r")
    child = os.fork()
    if child == 0:
        enter("/r")
        speed("read", "/mnt/large")
        os._exit(0)
    os.waitpid(child, 0)
    took, pages = lowered("/r", 8 * MIB)
    remove("/r")
    return took * 1e6 / max(pages, 1)


def swap_out() -> float:
    """Microseconds that an anonymous page costs when it is swapped out, disk included."""
    LIBC.swapon(SWAP, 0)
    os.mkdir(ROOT + "/r")
    child = load("/r", "leak", 1000, 24, 1)
    until("/r", 24 * MIB)
    took, pages = lowered("/r", 8 * MIB)
    end(child)
    remove("/r")
    LIBC.swapoff(SWAP)
    return took * 1e6 / max(pages, 1)


def swapping() -> Iterator[tuple[str, float]]:
    """A program at its memory.max that goes on through swap: how long it stalls for a page, and in all."""
    LIBC.swapon(SWAP, 0)
    os.mkdir(ROOT + "/r")
    put(ROOT + "/r/memory.max", str(16 * MIB))
    before, begin = keyed(get("/proc/vmstat"))["pswpout"], time.monotonic()
    child = load("/r", "leak", 1000, 32, 1)
    for _ in range(1000):
        if int(get(ROOT + "/r/memory.current")) + int(get(ROOT + "/r/memory.swap.current")) >= 32 * MIB:
            break
        time.sleep(0.02)
    took = time.monotonic() - begin
    pages = max(keyed(get("/proc/vmstat"))["pswpout"] - before, 1)
    yield "swapping_pages", pages
    yield "swapping_took_us", took * 1e6
    yield "swapping_stall_us", stall(ROOT + "/r/memory.pressure").get("some", 0)
    end(child)
    remove("/r")
    LIBC.swapoff(SWAP)


def fruitless() -> float:
    """Microseconds of a pass of reclaim that finds nothing: memory.high below 24 MiB without swap.

    ``memory_high_write`` tries until it was in vain 17 times (``MAX_RECLAIM_RETRIES`` and the last). The
    file of one page that came with the program is gone after the first.
    """
    os.mkdir(ROOT + "/r")
    child = load("/r", "leak", 1000, 24, 1)
    until("/r", 24 * MIB)
    lowered("/r", 23 * MIB)
    took, _ = lowered("/r", 16 * MIB)
    end(child)
    remove("/r")
    return took * 1e6 / 17


def killed(mib: int) -> float:
    """Seconds that a process of that size takes to die."""
    os.mkdir(ROOT + "/r")
    child = load("/r", "leak", 1000, mib, 1)
    until("/r", mib * MIB)
    took = end(child)
    remove("/r")
    return took


def lowered(group: str, high: int) -> tuple[float, int]:
    """Write memory.high, and lift it again: seconds that took, and pages that went."""
    path = ROOT + group
    before = int(get(path + "/memory.current"))
    begin = time.monotonic()
    put(path + "/memory.high", str(high))
    took = time.monotonic() - begin
    after = int(get(path + "/memory.current"))
    put(path + "/memory.high", "max")
    return took, (before - after) // 4096


class Turn:
    """One run of one scenario."""

    def __init__(self, scenario: dict) -> None:
        self.scenario = scenario
        self.groups = [group["path"] for group in scenario["groups"]]
        self.throttled = any("high" in dict(group["knobs"]) for group in scenario["groups"])
        self.pids: dict[str, int] = {}
        self.ends: list[list[object]] = []
        self.samples: list[list[int]] = []
        self.first: dict[str, int] = {}
        self.before = keyed(get("/proc/vmstat"))

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
            enter(load["group"])
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
            every = HIGH_S if self.throttled else EVERY_S
            due = max(due + every, time.monotonic() - every)
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
        now = keyed(get("/proc/vmstat"))
        result["vmstat"] = {key: now[key] - self.before[key] for key in SWAPPED}
        every = 2 if not self.scenario["curve"] else 1
        result["samples"] = self.samples[::every]
        return result

    def clear(self) -> None:
        for pid in self.pids.values():
            end(pid)
        for path in reversed(self.groups):
            remove(path)
        drop()


KEPT = (
    "anon", "file", "kernel", "file_dirty", "file_writeback", "workingset_refault", "workingset_refault_file",
    "workingset_refault_anon", "pgscan", "pgsteal", "pgfault", "pgmajfault",
)  # fmt: skip
SWAPPED = ("pswpin", "pswpout")


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
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    put(ROOT + "/cgroup.subtree_control", "+memory")
    with open("/job/plan.json") as file:
        plan = json.load(file)
    found: dict[str, object] = {"release": os.uname().release, "speeds": speeds(plan["files"]), "runs": {}}
    bad = 0
    for scenario in plan["scenarios"]:
        rows = found["runs"][scenario["name"]] = []
        for _ in range(scenario["times"]):
            try:
                rows.append(run(scenario))
                say(scenario["name"])
            except Exception:
                bad = 1
                traceback.print_exc()
        with open("/out/found.json", "w") as file:
            json.dump(found, file)
    return bad


sys.exit(main())
