"""Stages one scenario: its processes, the approach to the limit, the push over it, and the aftermath."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import worker
from cgroups import MIB, get, put
from scenarios import Proc

if TYPE_CHECKING:
    from cgroups import Tree
    from scenarios import Scenario

LRU_GEN = "/sys/kernel/mm/lru_gen/enabled"
NODE1 = "/sys/devices/system/node/node1"
SWAP_DEVICE = "/dev/lab-swap"
SYSCTL = "/proc/sys/vm/"
PATIENCE_S = 60.0
GROWING = ("grow", "pressure", "no-victim", "hang", "burst")


class Stage:
    """One scenario while it runs; ``result`` is what the host gets to know beside the recordings."""

    def __init__(self, scenario: Scenario, tree: Tree) -> None:
        self.scenario = scenario
        self.tree = tree
        self.workers: dict[str, worker.Worker] = {}
        self.alive: dict[int, str] = {}
        self.result: dict[str, Any] = {"scenario": scenario.name, "died": [], "statuses": {}}
        self.mglru_before = get(LRU_GEN)
        self.sysctl_before = {name: get(SYSCTL + name) for name, _ in scenario.sysctl}
        self.others: dict[str, int] = {}

    def set_up(self) -> None:
        """Clean caches, swap and MGLRU as the row asks, the cgroups, the processes, and the grower last."""
        os.sync()
        put("/proc/sys/vm/drop_caches", "3")
        if self.scenario.swap:
            _swap("swapon")
        if self.scenario.mglru is not None:
            put(LRU_GEN, str(self.scenario.mglru))
        for name, value in self.scenario.sysctl:
            put(SYSCTL + name, value)
        self.tree.make(self.scenario.groups)
        for proc in self.scenario.procs:
            self._start(proc)
        if self.scenario.grows is None and self.scenario.act in GROWING:
            self._start(_grower(self.scenario))
        self.result["pids"] = {name: one.pid for name, one in self.workers.items()} | self.others
        self.result["mglru"] = get(LRU_GEN)

    def _start(self, proc: Proc) -> None:
        one = worker.start(proc, self.tree.at(proc.group, "cgroup.procs"))
        self.workers[proc.name] = one
        self.alive[one.pid] = proc.name
        word, *others = (one.answer(PATIENCE_S) or "no answer").split(" ")
        if word != "ready":
            raise RuntimeError(f"{proc.name} did not get ready: {' '.join((word, *others))}")
        for other in others:
            self._join(proc.name, *other.split("="))

    def _join(self, of: str, name: str, number: str) -> None:
        """A thread of a process by its id, or another process that it made."""
        if name == of:
            self.result.setdefault("threads", {})[number] = name
        else:
            self.others[name] = int(number)
            self.alive[int(number)] = name

    @property
    def grower(self) -> worker.Worker:
        return self.workers[self.scenario.grows or "grower"]

    def room(self) -> int:
        """Bytes that can still be taken, of the limit or of the machine."""
        if self.scenario.bound:
            free = re.findall(r"(?:MemFree|FilePages):\s+(\d+)", get(NODE1 + "/meminfo"))
            return sum(map(int, free)) * 1024
        if self.scenario.limit is None:
            found = re.search(r"MemAvailable:\s+(\d+)", get("/proc/meminfo"))
            swap = re.search(r"SwapFree:\s+(\d+)", get("/proc/meminfo"))
            assert found is not None
            assert swap is not None
            return (int(found[1]) + int(swap[1])) * 1024
        return self.tree.limit(self.scenario.limit) - self.tree.usage(self.scenario.limit)

    def approach(self) -> None:
        """Let the grower come near the limit and stop there: every process is stable when it is recorded."""
        if self.scenario.act not in ("grow", "no-victim", "hang"):
            self._rest()
            self._stir()
            return
        step, stop = (16 * MIB, 40 * MIB) if self.scenario.limit is None else (MIB, 3 * MIB)
        if self.scenario.limit is None and self.scenario.swap:
            stop = 160 * MIB  # before it swaps in earnest, for then anybody's page may be the last
        if self.scenario.bound:
            stop = 64 * MIB  # of which the watermarks take a third
        tiny = self.scenario.limit is not None and self.tree.limit(self.scenario.limit) < 8 * MIB
        deadline = time.monotonic() + PATIENCE_S
        while not tiny and self.room() > stop and not self.deaths() and time.monotonic() < deadline:
            self.push(min(step, max(self.room() - stop, 65536)), PATIENCE_S)
        self._rest()
        if not tiny:
            self._stir()
        self.result["room_before"] = self.room()
        if self.deaths():
            raise RuntimeError(f"{self.result['died']} died on the way to the limit, before the recording")

    def _rest(self) -> None:
        """A moment for other CPUs' counters, and the statistics after them."""
        time.sleep(0.3)
        self._settle()

    def _settle(self) -> None:
        """Up to 2.6 s for the statistics, which the kernel flushes every 2 s whether they are read or not."""
        deadline = time.monotonic() + 2.6
        while abs(self.tree.unexplained("/t")) > MIB // 4 and time.monotonic() < deadline:
            time.sleep(0.2)

    def _stir(self) -> None:
        """Have the statistics flushed by whoever reads them next, for that is done when there are enough.

        ``mm/memcontrol.c:memcg_vmstats_needs_flush`` (v6.12): 64 updates for each CPU. The kernel's own flush
        can fall into the middle of it and leave too few for the reader's, so that the next one is waited for.
        """
        if (self.scenario.grows or "grower") in self.workers:
            self.grower.ask(f"anon {MIB}")
            self.result["stirred"] = self.grower.answer(PATIENCE_S) == "done"
            self._settle()

    def push(self, size: int, patience_s: float) -> str | None:
        """Ask the grower for `size` bytes more."""
        if not self.grower.busy:
            self.grower.ask(f"{self.scenario.grow_does} {size}")
        return self.grower.answer(patience_s)

    def deaths(self) -> list[str]:
        """Reap who died; the order of reaping is kept, the log has the kernel's own."""
        for pid in list(self.alive):
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue  # a child of one of ours, and ours once that one is dead
            if found:
                name = self.alive.pop(pid)
                self.result["died"].append(name)
                self.result["statuses"][name] = status
        return self.result["died"]

    def act(self) -> None:
        """Push it over, in the way the row says, until somebody died or the time is over."""
        if self.deaths():
            raise RuntimeError(f"{self.result['died']} died while the machine was recorded")
        begin = time.monotonic()
        kills = self.tree.kills(self.scenario.limit)
        getattr(self, "_act_" + self.scenario.act.replace("-", "_"))(kills)
        self.result["act_seconds"] = round(time.monotonic() - begin, 3)

    def _act_grow(self, kills: int) -> None:
        step = 4 * MIB if self.scenario.limit is None else MIB // 2
        deadline = time.monotonic() + PATIENCE_S
        while self.tree.kills(self.scenario.limit) == kills and time.monotonic() < deadline:
            answer = self.push(step, 0.5)
            if answer and answer != "done":
                self.result["grower_said"] = answer
                break

    _act_burst = _act_grow

    def _act_hang(self, kills: int) -> None:
        """Ask for more than there is, and wait until that one waits."""
        assert self.scenario.limit is not None
        deadline = time.monotonic() + 10
        while not self.tree.under_oom(self.scenario.limit) and time.monotonic() < deadline:
            self.push(8 * MIB, 0.2)

    def _act_lower_max(self, kills: int) -> None:
        assert self.scenario.limit is not None
        put(self.tree.at(self.scenario.limit, "memory.max"), str(48 * MIB))

    def _act_sysrq(self, kills: int) -> None:
        put("/proc/sysrq-trigger", "f")
        deadline = time.monotonic() + 10
        while self.tree.kills(None) == kills and time.monotonic() < deadline:
            time.sleep(0.02)

    def _act_no_victim(self, kills: int) -> None:
        self.push(8 * MIB, 0.4)
        os.kill(self.grower.pid, signal.SIGKILL)

    def _act_pressure(self, kills: int) -> None:
        """Grow beside protected and unprotected cache in small steps and note who gave way."""
        path = [("kept", self._of("kept")), ("bare", self._of("bare")), ("grows", self.scenario.grower)]
        trail = self.result["trail"] = []
        trail.append({name: self.tree.usage(group) for name, group in path})
        deadline = time.monotonic() + PATIENCE_S
        limit = 2 * self.tree.limit("/t") // MIB // 2
        for _ in range(limit):
            if self.tree.kills("/t") != kills or time.monotonic() > deadline:
                break
            self.push(4 * MIB, 4.0)
            row = {name: self.tree.usage(group) for name, group in path}
            row["low_events"] = _event(self.tree.events()[self._kept_group()]["memory.events"], "low")
            trail.append(row)

    def _of(self, name: str) -> str:
        return next(proc.group for proc in self.scenario.procs if proc.name == name)

    def _kept_group(self) -> str:
        return self._of("kept")

    def settle(self) -> None:
        """Wait until the grower has what it asked for and nobody has died for a while."""
        grower = self.workers.get(self.scenario.grows or "grower")
        if self.scenario.act == "hang":
            grower = None  # it does not get what it asked for
        if grower is not None and grower.busy and grower.pid in self.alive:
            grower.answer(5.0)
        quiet = time.monotonic() + 0.6
        known = 0
        while time.monotonic() < quiet:
            if len(self.deaths()) != known:
                known = len(self.result["died"])
                quiet = time.monotonic() + 0.6
            time.sleep(0.02)

    def note(self, when: str) -> None:
        self.result[f"events_{when}"] = self.tree.events()
        self.result[f"vmstat_oom_kill_{when}"] = self.tree.kills(None)

    def tear_down(self) -> None:
        """End who is left, remove the cgroups, and put the machine's settings back."""
        survivors = dict(self.alive)
        self.result["survived"] = sorted(survivors.values())
        for pid in survivors:
            os.kill(pid, signal.SIGKILL)
        for pid in survivors:
            os.waitpid(pid, 0)
        for one in self.workers.values():
            one.link.close()
        for name in os.listdir("/dev/shm"):
            os.unlink("/dev/shm/" + name)
        self.tree.remove()
        if self.scenario.swap:
            with contextlib.suppress(OSError):
                _swap("swapoff")
        if self.scenario.mglru is not None:
            put(LRU_GEN, self.mglru_before)
        for name, value in self.sysctl_before.items():
            put(SYSCTL + name, value)


def _grower(scenario: Scenario) -> Proc:
    bound = scenario.bound == "mempolicy"
    return Proc("grower", scenario.grower, 1 if bound else 0, -1000, "bound" if bound else "anon")


def _swap(call: str) -> None:
    libc = ctypes.CDLL("libc.so.6", use_errno=True)
    words = (SWAP_DEVICE.encode(), 0) if call == "swapon" else (SWAP_DEVICE.encode(),)
    if getattr(libc, call)(*words):
        raise OSError(ctypes.get_errno(), f"{call} {SWAP_DEVICE}")


def _event(text: str, key: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.split()[0] == key), 0)
