"""Inside the guest: stages scenarios one after the other under one daemon, watches, and writes what happened.

Everything runs as transient units of systemd, so that every daemon finds what it is made for. The watcher
itself is locked in memory, cannot be chosen by anybody, and samples four times a second.
"""

from __future__ import annotations

import array
import ctypes
import json
import os
import shutil
import subprocess
import time

from units import (
    cgroup_of,
    cgroups,
    exists,
    hooked,
    main_pid,
    number,
    put,
    set_properties,
    start,
    stop_all,
    text,
)

JOB = os.path.dirname(os.path.abspath(__file__))
OUT = os.environ.get("OUT", "/out")
SAMPLE_S = 0.2513
"""No multiple of the 5 ms between requests of the database: else it is always the same of them that wait for
a sample, or none, and the 99th percentile tells of four samples a second or of none."""
SETTLE_S = 4
QUIET_US = 50_000
"""CPU time in a second below which a daemon has started: the busiest of them takes half of that when calm."""
STARTED_S = 20
"""From the start of the database and the daemon to the start of the window."""
DATABASE = "postgresql@16-main.service"
GUARD = "arena-guard.service"
DECISIONS = "/var/lib/memwarden/decisions.jsonl"
BEGIN = "/run/arena.begin"
"""When the database began to answer, by the monotonic clock, written by itself."""
GUARDS = ("earlyoom", "nohang", "oomd", "systemd-oomd")
LIBC = ctypes.CDLL(None, use_errno=True)
MCL_ALL = 3
KEPT: set[str] = set()
"""Files of scenarios that were, which may come again; what a load wrote is removed."""
RANKS = (("p50", 500), ("p99", 990), ("p999", 999))
SIGNS = ("MemAvailable:", "SwapFree:", "MemTotal:", "Shmem:", "AnonPages:")


def protect_ourselves() -> None:
    """Who watches must not be the victim, nor stall."""
    put("/proc/self/oom_score_adj", "-1000")
    LIBC.mlockall(MCL_ALL)
    os.nice(-10)


def meminfo() -> dict[str, int]:
    """Some figures, in kB."""
    lines = [line.split() for line in text("/proc/meminfo").splitlines()]
    return {words[0][:-1]: int(words[1]) for words in lines if words[0] in SIGNS}


def stalls() -> tuple[int, int]:
    """Microseconds that some, and all, tasks stalled for memory."""
    totals = [int(line.rpartition("=")[2]) for line in text("/proc/pressure/memory").splitlines()]
    return totals[0], totals[1]


def stalled_us(path: str) -> int:
    """Microseconds that some task of a cgroup stalled; 0 where it is gone."""
    first = text(path, "").partition("\n")[0]
    return int(first.rpartition("=")[2] or 0)


def oom_kills() -> int:
    """Processes that the kernel's OOM killer killed since boot."""
    return next(
        (int(line[9:]) for line in text("/proc/vmstat").splitlines() if line.startswith("oom_kill ")), 0
    )


def prepare(scenario: dict, column: dict) -> None:
    """A machine as after boot: no caches, empty swap, the files of this scenario."""
    os.makedirs("/var/lab", exist_ok=True)
    files = [*scenario["files"], ["database", scenario["database_file_mib"]]]
    for name in set(os.listdir("/var/lab")) - KEPT - {one for one, _ in files}:
        os.unlink(f"/var/lab/{name}")
    KEPT.update(one for one, _ in files)
    for name, mib in files:
        path = f"/var/lab/{name}"
        if not exists(path) or os.path.getsize(path) != mib << 20:
            with open(path, "wb") as file:
                file.writelines(os.urandom(1 << 10) * 1024 for _ in range(mib))
    os.sync()
    put("/proc/sys/vm/drop_caches", "3")
    if exists("/dev/lab-swap"):
        subprocess.run(["swapoff", "/dev/lab-swap"], check=False, stderr=subprocess.DEVNULL)
    if scenario["swap_mib"]:
        subprocess.run(
            ["mkswap", "/dev/lab-swap", str(scenario["swap_mib"] << 10)], check=True, capture_output=True
        )
        subprocess.run(["swapon", "/dev/lab-swap"], check=True)
    for path, content in column["files"]:
        put(path, content)
    set_properties(
        "tenants.slice", column["managed"] or ["ManagedOOMMemoryPressure=auto", "ManagedOOMSwap=auto"]
    )


def nobody_else() -> None:
    """No guard but the column's own may run, whatever the packages have enabled."""
    names = {text(f"/proc/{pid}/comm", "").strip() for pid in os.listdir("/proc") if pid.isdigit()}
    if running := names.intersection(GUARDS):
        raise SystemExit(f"{', '.join(sorted(running))} runs by itself")


class Watch:
    """Samples of one run: the machine, and how much each unit holds; who is gone since when."""

    def __init__(self, loads: list[dict]) -> None:
        self.samples: list[list] = []
        self.names = [DATABASE, *[load["unit"] + ".service" for load in loads]]
        self.paths: dict[str, str] = {}
        self.died: dict[str, float] = {}
        self.lived: set[str] = set()

    def sample(self, now_s: float) -> None:
        """Take one."""
        info, (some, full) = meminfo(), stalls()
        held = []
        for name in self.names:
            path = self.paths.get(name)
            held.append(None if path is None or name in self.died else self._held(name, path, now_s))
        waited = stalled_us(f"{self.paths[DATABASE]}/memory.pressure")
        self.samples.append(
            [
                round(now_s, 3),
                info["MemAvailable"],
                info.get("SwapFree", 0),
                some,
                full,
                oom_kills(),
                held,
                waited,
            ]
        )

    def _held(self, name: str, path: str, now_s: float) -> int | None:
        current = number(f"{path}/memory.current")
        if "populated 1" in (text(f"{path}/cgroup.events", "") or ""):
            self.lived.add(name)
        elif name in self.lived:
            self.died[name] = round(now_s, 3)
            return None
        return (current or 0) >> 10


def stage(scenario: dict, column: dict, seed: int) -> dict:
    """Run one scenario and say what happened."""
    prepare(scenario, column)
    log = "/run/arena.log.db"
    if exists(BEGIN):
        os.unlink(BEGIN)
    start(
        DATABASE,
        f"{JOB}/bin/postgres db {scenario['database_mib']} /var/lab/database {log} {seed}",
        slice_="database",
    )
    ready()
    nobody_else()
    idle = cgroups("tenants.slice", scenario["cgroups"])
    guard = start_guard(column)
    watch = Watch(scenario["loads"])
    watch.paths[DATABASE] = cgroup_of(DATABASE)
    settle(column)
    usage = guard_usage(column)
    first = oom_kills()
    begin = time.monotonic()
    waiting = sorted(scenario["loads"], key=lambda load: load["at_s"])
    end = begin + scenario["window_s"]
    due = begin
    while (now := time.monotonic()) < end:
        while waiting and waiting[0]["at_s"] <= now - begin:
            load = waiting.pop(0)
            name = load["unit"] + ".service"
            command = f"{JOB}/bin/{load['unit']} {load['command'].replace('SEED', str(seed))}"
            limits = {"high_mib": load["high_mib"], "max_mib": load["max_mib"]}
            start(name, command, slice_=load["slice"], wait=False, **limits)
            watch.paths[name] = f"/sys/fs/cgroup/{load['slice']}.slice/{name}"
        watch.sample(now - begin)
        due += SAMPLE_S
        time.sleep(max(0.0, due - time.monotonic()))
    after = guard_usage(column)
    result = {
        "scenario": scenario["name"], "column": column["name"], "seed": seed,
        "window_s": scenario["window_s"], "names": watch.names, "samples": watch.samples, "died": watch.died,
        "kernel_kills": oom_kills() - first, "latency": latencies(log, begin, scenario["window_s"]),
        "guard": {"cpu_us": after[0] - usage[0], "peak_rss_kib": after[1], "alive": after[2], "pid": guard},
        "said": said(column, scenario["window_s"]), "decisions": decisions(), "begin_us": int(begin * 1e6),
    }  # fmt: skip
    stop_all([GUARD, *watch.names], column)
    for path in idle:
        hooked(path)
    for name in os.listdir("/dev/shm"):
        os.unlink(f"/dev/shm/{name}")
    return result


def ready() -> None:
    """Wait until the database answers."""
    for _ in range(1200):
        if exists(BEGIN):
            return
        time.sleep(0.1)
    raise SystemExit("the database did not become ready in two minutes")


def start_guard(column: dict) -> int:
    """Start the column's daemon; its pid, 0 for the kernel alone."""
    shutil.rmtree("/var/lib/memwarden", ignore_errors=True)
    if column["unit"]:
        subprocess.run(["systemctl", "start", column["unit"]], check=True)
        return main_pid(column["unit"])
    if column["command"]:
        start(GUARD, " ".join(column["command"]), slice_="system")
        return main_pid(GUARD)
    return 0


def settle(column: dict) -> None:
    """Let everything come to rest: what a daemon takes to start is no part of what it takes to guard."""
    time.sleep(SETTLE_S)
    used = guard_usage(column)[0]
    for _ in range(STARTED_S - SETTLE_S):
        time.sleep(1)
        before, used = used, guard_usage(column)[0]
        if used - before < QUIET_US:
            return


def guard_usage(column: dict) -> tuple[int, int, bool]:
    """CPU time so far, in us, peak RSS, in KiB, and whether the daemon lives."""
    unit = column["unit"] or (GUARD if column["command"] else "")
    if not unit:
        return 0, 0, True
    path = f"/sys/fs/cgroup/system.slice/{unit}"
    usage = (text(f"{path}/cpu.stat", "") or "usage_usec 0").split()[1]
    peak = [0]
    for pid in (text(f"{path}/cgroup.procs", "") or "").split():
        lines = (text(f"/proc/{pid}/status", "") or "").splitlines()
        peak.extend(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return int(usage), max(peak), len(peak) > 1


def latencies(log: str, begin: float, window_s: int) -> dict:
    """How long requests of the window took, in us: percentiles, and the worst of each second.

    The log counts milliseconds from when the database began to answer.
    """
    pairs = array.array("I")
    with open(log, "rb") as file:
        pairs.frombytes(file.read())
    with open(BEGIN) as file:
        offset_ms = int((begin - float(file.read())) * 1000)
    worst = [0] * window_s
    found = []
    for due_ms, took_us in zip(pairs[0::2], pairs[1::2], strict=True):
        if took_us and 0 <= due_ms - offset_ms < window_s * 1000:
            found.append(took_us)
            second = (due_ms - offset_ms) // 1000
            worst[second] = max(worst[second], took_us)
    found.sort()
    ranks = (
        {name: found[min(len(found) - 1, len(found) * share // 1000)] for name, share in RANKS}
        if found
        else {}
    )
    return {"requests": len(found), **ranks, "max": found[-1] if found else None, "worst_per_s": worst}


def said(column: dict, window_s: int) -> list[str]:
    """The last lines of the daemon's journal of this turn."""
    unit = column["unit"] or (GUARD if column["command"] else "")
    if not unit:
        return []
    since = time.time() - window_s - STARTED_S
    out = subprocess.run(
        ["journalctl", "-q", "-b", "-u", unit, "-o", "cat", "-n", "200", f"--since=@{since:.0f}"],
        capture_output=True,
        check=False,
    ).stdout
    return out.decode(errors="replace").splitlines()


def decisions() -> list[dict]:
    """What memwarden decided, from its own file."""
    return [json.loads(line) for line in (text(DECISIONS, "") or "").splitlines()]


def main() -> None:
    """Stage what the plan says; each result is written as soon as it is there."""
    protect_ourselves()
    with open(f"{JOB}/plan.json") as file:
        plan = json.load(file)
    os.makedirs(f"{OUT}/results", exist_ok=True)
    for name in plan["programs"]:
        os.makedirs(f"{JOB}/bin", exist_ok=True)
        shutil.copy(f"{JOB}/load", f"{JOB}/bin/{name}")
    for turn in plan["turns"]:
        print("arena:", turn["column"]["name"], turn["scenario"]["name"], turn["seed"], flush=True)
        result = stage(turn["scenario"], turn["column"], turn["seed"])
        name = f"{turn['column']['name']}.{turn['scenario']['name']}.{turn['seed']}.json"
        with open(f"{OUT}/results/{name}", "w") as file:
            json.dump(result, file)


main()
