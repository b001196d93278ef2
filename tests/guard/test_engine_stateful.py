"""No sequence of snapshots and outcomes makes the engine do what it must never do.

A small machine is moved at random: services grow, stall, go, come back as others, take in somebody who is
to be spared; clocks step back, machines start again; acts fail, hooks end late or never. What must hold is
worked out here from the snapshots and outcomes alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from memwarden.guard import ir
from memwarden.guard.engine import EVERYBODY, NONE, Engine
from memwarden.guard.never import Guarded
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.cgroup import Cgroup
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Outcome,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)
from memwarden.state.process import Process
from memwarden.state.snapshot import CgroupMode, HostFacts, Instant, Snapshot
from memwarden.units import MAX, MIB

if TYPE_CHECKING:
    from memwarden.guard.record import Decision
    from memwarden.state.intents import Target

S = 1_000_000
TOTAL = 4000 * MIB
PROTECTED, NEVER, OMITTED = "/b.slice/db.service", "/b.slice/ssh.service", "/a.slice/spared.service"
GROUP, INNER = "/a.slice/group.service", "/a.slice/group.service/in"
LEAVES = (PROTECTED, NEVER, OMITTED, INNER, "/a.slice/x.service", "/a.slice/y.service", "/b.slice/z.service")
FORBIDDEN = {PROTECTED, NEVER, OMITTED}
WINDOW_US = 2 * S
"""Stalls that are older are no need; a trend is made of up to 10 s."""
CHOICE = ir.Choice(preferences=ir.Preferences(omit=("spared.service",)))
PROCESSES = CHOICE._replace(units="process", ranking=ir.Ranking((ir.Weight("rss"),)))
SIZE = CHOICE._replace(ranking=ir.Ranking((ir.Weight("size"),)))
RECURSIVE = SIZE._replace(units="recursive")
KILL = ir.DoKill(CHOICE)
STALL = ir.Stall(above_us=20_000)
PRESENT = ir.Constant(fires=True)


def chain(*actions: ir.Action, when: ir.Detector = STALL, pause_us: int = 3 * S, **more) -> ir.Rule:
    return ir.Rule("r", (ir.Group("g", (when,)),), actions, pause_us, **more)


def policies() -> dict[str, ir.Policy]:
    """Every way to come to a kill."""
    term = ir.DoKill(SIZE, term_us=S)
    hook = ir.DoKill(SIZE, hook=("/bin/dump",), hook_limit_us=2 * S)
    both = term._replace(hook=("/bin/dump",), hook_limit_us=S)
    soft = (
        ir.DoThrottle(SIZE, at_ppm=900_000, within_us=S),
        ir.DoFreeze(SIZE, within_us=S),
        ir.DoReclaim(SIZE),
    )
    each = ir.DoKill(ir.Choice((".",), "matched", ir.Ranking((ir.Weight("size"),)), CHOICE.preferences))
    together = [
        chain(one, when=PRESENT, rests_with="all")._replace(name=name)
        for name, one in (("a", hook), ("b", term))
    ]
    rules = {
        "kill": (chain(KILL),),
        "always": (chain(KILL._replace(choice=SIZE), when=PRESENT, pause_us=0),),
        "process": (chain(KILL._replace(choice=PROCESSES)), chain(ir.DoKill(PROCESSES, term_us=S))),
        "recursive": (chain(KILL._replace(choice=RECURSIVE), when=PRESENT, pause_us=S),),
        "term": (chain(term, pause_us=0),),
        "hook": (chain(hook, when=PRESENT), chain(KILL, pause_us=S)),
        "hook, term": (chain(both, when=PRESENT, pause_us=S),),
        "soft": (chain(*soft, KILL, when=PRESENT, pause_us=S), chain(*soft[::-1])),
        "soft alone": (chain(*soft, when=PRESENT, pause_us=0),),
        "together": tuple(together),
        "each": (chain(each, per_cgroup=("/*.slice/*",), when=PRESENT),),
        "forecast": (chain(KILL, when=ir.Exhaustion(5 * S)),),
    }  # fmt: skip
    return {
        name: ir.Policy(
            name, tuple(one._replace(name=f"{one.name}{at}") for at, one in enumerate(ours)), kill_pause_us=S
        )
        for name, ours in rules.items()
    }


POLICIES = policies()


class Machine(RuleBasedStateMachine):
    """The machine, and what the engine may not do to it."""

    @initialize(name=st.sampled_from(sorted(POLICIES)))
    def start(self, name: str) -> None:
        self.policy = POLICIES[name]
        self.engine = Engine(self.policy, Guarded(("ssh.service",), ("db.service", "comm:postgres")))
        self.now_us, self.boot = 1000 * S, 1
        self.full_us = self.scanned = 0
        self.trouble_us = 0
        self.inodes = 100
        self.starts = 1
        self.held: dict[str, int] = {}
        self.inode: dict[str, int] = {}
        self.process: dict[str, Process] = {}
        self.marked: set[str] = set()
        for path in LEAVES:
            self.make(path, 100)
        self.changed: dict[tuple[CgroupId, str], object] = {}
        self.struck: dict[Target, int] = {}
        """Who was killed, or is about to be, and until when that is waited for."""
        self.last_gone_us: int | None = None
        self.last_kill: dict[str, tuple[int, Target]] = {}
        """By who rests: when, and whom."""
        self.hooks: list[tuple[str, Outcome]] = []
        self.snapshot = self.look()

    # The machine.

    def make(self, path: str, mib: int) -> None:
        self.inodes += 1
        self.held[path], self.inode[path] = mib, self.inodes
        pid = 1000 + LEAVES.index(path)  # the same again and again: pids are used anew
        self.starts += 1
        self.process[path] = Process(pid, "a", self.starts, ppid=1, uid=0, flags=0, cgroup=path)

    def look(self) -> Snapshot:
        line = PsiLine(0, 0, 0, self.full_us)
        cgroups = {"/": Cgroup("/", 1, children=("/a.slice", "/b.slice"))}
        for number, parent in enumerate(("/a.slice", "/b.slice", GROUP), 2):
            leaves = [path for path in self.held if path.startswith(parent + "/")]
            if parent == GROUP and not leaves:
                continue
            below = {path if path.count("/") == parent.count("/") + 1 else GROUP for path in leaves}
            inode = number if parent != GROUP else self.inode[INNER] + 5000
            cgroups[parent] = self.cgroup(parent, inode, sum(map(self.held.get, leaves)), (), sorted(below))
        for path, mib in self.held.items():
            process = self.process.get(path)
            cgroups[path] = self.cgroup(
                path, self.inode[path], mib, () if process is None else (process.pid,), ()
            )
        available = max(TOTAL - sum(self.held.values()) * MIB, 0)
        return Snapshot(
            Instant(self.now_us),
            host=HostFacts(boot_id=str(self.boot)),
            cgroup_mode=CgroupMode.V2,
            meminfo={"MemTotal": TOTAL, "MemAvailable": available, "SwapTotal": 0, "SwapFree": 0,
                     "AnonPages": TOTAL - available},
            vmstat={"pgscan_direct": self.scanned},
            memory_pressure=Psi(line, line),
            cgroups=cgroups,
            processes={
                one.pid: one._replace(rss_bytes=self.held[path] * MIB, rss_anon_bytes=self.held[path] * MIB)
                for path, one in self.process.items()
            },
        )  # fmt: skip

    def cgroup(self, path: str, inode: int, mib: int, pids: tuple[int, ...], children: list[str]) -> Cgroup:
        frozen = any(one == (path, inode) for one, what in self.changed if what == "frozen")
        high = next(
            (high for (one, what), high in self.changed.items() if one == (path, inode) and what == "high"),
            MAX,
        )
        events = dict.fromkeys(("low", "high", "max", "oom", "oom_kill"), 0)
        return Cgroup(
            path, inode, populated=bool(pids or children), frozen=frozen, procs=pids, current_bytes=mib * MIB,
            min_bytes=0, low_bytes=0, high_bytes=high, max_bytes=MAX, oom_group=path == GROUP,
            swap_current_bytes=0, stat={"anon": mib * MIB, "file": 0, "pgscan": 0}, events=events,
            events_local=events, memory_pressure=Psi(PsiLine(0, 0, 0, 0), PsiLine(0, 0, 0, 0)),
            controllers=("memory",), owner_uid=0, children=tuple(children), has_reclaim=True,
            marks=("user.oomd_omit",) if path in self.marked else (),
        )  # fmt: skip

    @rule(path=st.sampled_from(LEAVES), mib=st.integers(-300, 300))
    def grow(self, path: str, mib: int) -> None:
        if path in self.held:
            self.held[path] = max(self.held[path] + mib, 1)
            self.trouble_us = self.now_us

    @rule(path=st.sampled_from(LEAVES))
    def remove(self, path: str) -> None:
        for each in (self.held, self.inode, self.process):
            each.pop(path, None)
        self.marked.discard(path)

    @rule(path=st.sampled_from(LEAVES), mib=st.integers(1, 400))
    def make_anew(self, path: str, mib: int) -> None:
        self.make(path, mib)
        self.trouble_us = self.now_us

    @rule(path=st.sampled_from(LEAVES))
    def another_process_with_the_pid(self, path: str) -> None:
        if path in self.process:
            self.starts += 1
            self.process[path] = self.process[path]._replace(start_time_ticks=self.starts)

    @rule(path=st.sampled_from(LEAVES))
    def leave(self, path: str) -> None:
        """The cgroup stays, empty."""
        self.process.pop(path, None)

    @rule(path=st.sampled_from(LEAVES), there=st.booleans())
    def be_a_database(self, path: str, *, there: bool) -> None:
        if path in self.process:
            self.process[path] = self.process[path]._replace(comm="postgres" if there else "a")

    @rule(path=st.sampled_from(LEAVES), there=st.booleans())
    def mark(self, path: str, *, there: bool) -> None:
        if path in self.held:
            (self.marked.add if there else self.marked.discard)(path)

    # What happens to it.

    @rule(
        us=st.sampled_from([1000, 100_000, 500_000, S, 2 * S, 5 * S]),
        stalled=st.sampled_from([0, 0, 30, 100]),
        scanned=st.sampled_from([0, 0, 32]),
        calm=st.booleans(),
        paused=st.integers(0, 9).map(lambda one: one == 0),
        read=st.sampled_from(["all", "all", "all", "cgroups", "nothing"]),
        data=st.data(),
    )
    def tick(
        self, us: int, stalled: int, scanned: int, *, calm: bool, paused: bool, read: str, data: st.DataObject
    ) -> None:
        self.now_us += us
        self.full_us += us * stalled // 100
        self.scanned += scanned
        if stalled or scanned:
            self.trouble_us = self.now_us
        snapshot = self.look()
        if read != "all":
            snapshot = snapshot._replace(processes={})
        if read == "nothing":
            snapshot = snapshot._replace(cgroups={})
        self.settle(snapshot)
        step = self.engine.step(
            snapshot,
            calm=calm and not stalled,
            paused=paused,
            processes_of=NONE if read == "cgroups" else EVERYBODY,
        )
        assert not (paused and step.decisions)
        for decision in step.decisions:
            self.check(decision, snapshot, with_processes=read == "all")
        # Together at the end, as outcomes of one tick come after all of it was decided.
        for decision in step.decisions:
            self.carry(decision, data)
        if step.wants_processes:
            assert read == "cgroups"

    @rule(
        path=st.sampled_from(LEAVES),
        ticks=st.integers(2, 12),
        us=st.sampled_from([100_000, S // 2]),
        data=st.data(),
    )
    def trouble(self, path: str, ticks: int, us: int, data: st.DataObject) -> None:
        """One of them takes more and more, and all stall."""
        for _ in range(ticks):
            self.grow(path, 20)
            self.tick(us, 50, 32, calm=False, paused=False, read="all", data=data)

    @rule(ticks=st.integers(1, 8), data=st.data())
    def rest(self, ticks: int, data: st.DataObject) -> None:
        """Nothing happens for some time, and that is seen."""
        for _ in range(ticks):
            self.tick(S, 0, 0, calm=True, paused=False, read="all", data=data)

    @rule()
    @precondition(lambda self: self.struck)
    def die(self) -> None:
        """Who was killed goes."""
        for path, process in list(self.process.items()):
            if {(path, self.inode[path]), process.pid} & {
                one if isinstance(one, CgroupId) else one.pid for one in self.struck
            }:
                self.remove(path)

    @rule(data=st.data())
    @precondition(lambda self: self.hooks)
    def a_hook_ends(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.hooks) - 1))
        self.engine.report(*self.hooks.pop(at))

    @rule(by_us=st.sampled_from([1, S, 900 * S]))
    def the_clock_steps_back(self, by_us: int) -> None:
        by_us = min(by_us, self.now_us - 1)
        self.now_us -= by_us
        # All that was is as long ago as it was, but for time that has passed unseen since.
        self.trouble_us -= by_us
        self.struck = {target: until - by_us for target, until in self.struck.items()}
        self.last_gone_us = None if self.last_gone_us is None else self.last_gone_us - by_us
        self.last_kill = {who: (at - by_us, target) for who, (at, target) in self.last_kill.items()}

    @rule()
    def another_boot(self) -> None:
        self.boot += 1
        self.now_us = S
        self.trouble_us = 0
        for path in list(self.held):
            self.make(path, 100)
        self.changed.clear()
        self.struck.clear()
        self.last_gone_us = None
        self.last_kill.clear()

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """All that was changed is as it was, but where it could not be written; then the next time."""
        snapshot = self.look()
        for decision in self.engine.restore(snapshot):
            self.carry(decision, data)
        for decision in self.engine.restore(snapshot):
            self.carry(decision, None)
        assert {key for key in self.changed if self.is_there(key[0], snapshot)} == set()

    # What must hold.

    @invariant()
    def nothing_changed_is_forgotten(self) -> None:
        snapshot = self.look()
        left = {cgroup for cgroup, _ in self.changed if self.is_there(cgroup, snapshot)}
        assert left <= set(self.engine._victims.changed)

    def is_there(self, target: Target, snapshot: Snapshot) -> bool:
        if isinstance(target, CgroupId):
            cgroup = snapshot.cgroups.get(target.path)
            return cgroup is not None and cgroup.inode == target.inode
        process = snapshot.processes.get(target.pid)
        return process is not None and process.start_time_ticks == target.start_time_ticks

    def is_alive(self, target: Target, snapshot: Snapshot) -> bool:
        there = self.is_there(target, snapshot)
        return there and (not isinstance(target, CgroupId) or bool(snapshot.cgroups[target.path].populated))

    def settle(self, snapshot: Snapshot) -> None:
        """Who is gone as far as the snapshot tells, or not waited for any more."""
        for target, until in list(self.struck.items()):
            told = snapshot.cgroups if isinstance(target, CgroupId) else snapshot.processes
            if told and not self.is_alive(target, snapshot):
                del self.struck[target]
                self.last_gone_us = self.now_us
            elif self.now_us >= until:
                del self.struck[target]

    def check(self, decision: Decision, snapshot: Snapshot, *, with_processes: bool) -> None:
        assert not (decision.withheld and decision.intents)
        for intent in decision.intents:
            target = getattr(intent, "target", None) or getattr(intent, "cgroup", None)
            assert target is not None
            if isinstance(intent, Thaw) or (isinstance(intent, SetHigh) and intent.restore is None):
                # Where nothing was read nobody knows, and who carries it out looks again.
                assert self.is_there(target, snapshot) or not snapshot.cgroups
                continue
            assert self.is_there(target, snapshot), f"{intent} acts on what is not there"
            assert with_processes
            self.check_spared(target, snapshot)
            if isinstance(intent, Kill | Terminate | RunHook):
                assert self.is_alive(target, snapshot)
                self.check_need(decision)
                self.check_rest(decision, intent, target)

    def check_spared(self, target: Target, snapshot: Snapshot) -> None:
        if isinstance(target, CgroupId):
            within = {
                path for path in snapshot.cgroups if path == target.path or path.startswith(target.path + "/")
            }
            assert target.path not in ("/", "/a.slice", "/b.slice")
        else:
            within = {snapshot.processes[target.pid].cgroup}
        assert not within & FORBIDDEN
        assert not within & self.marked
        held = [one for one in snapshot.processes.values() if one.cgroup in within]
        assert "postgres" not in {one.comm for one in held}

    def check_need(self, decision: Decision) -> None:
        since_us = self.now_us - self.trouble_us
        assert since_us <= 10 * S, f"{decision.need} {since_us / S} s after the last stall, scan or growth"

    def check_rest(self, decision: Decision, intent: Kill | Terminate | RunHook, target: Target) -> None:
        others = set(self.struck) - {target}
        assert not others, f"{others} is not gone"
        last = self.last_gone_us
        follows = target in self.struck  # SIGKILL after SIGTERM
        assert follows or last is None or self.now_us >= last + self.policy.kill_pause_us
        if isinstance(intent, RunHook):
            return
        rules = {one.name: one for one in self.policy.rules}
        ours = rules[decision.rule]
        scope = target.path if ours.per_cgroup else ""
        who = ours.rests_with or f"{ours.name}{scope}"
        at_us, before = self.last_kill.get(who, (None, None))
        if at_us is not None and not (follows and before == target):
            assert self.now_us >= at_us + ours.pause_us, f"{ours.name} rests"
        self.last_kill[who] = self.now_us, target
        action = ours.actions[decision.step]
        self.struck[target] = self.now_us + action.within_us + action.term_us

    def carry(self, decision: Decision, data: st.DataObject | None) -> None:
        """Do it, or fail to, and tell the engine; hooks end later, or never."""
        for intent in decision.intents:
            done = data is None or data.draw(st.sampled_from([True, True, True, False]))
            outcome = Outcome(intent, done=done, error="" if done else "it is busy")
            if isinstance(intent, RunHook) and done:
                self.hooks.append((decision.id, outcome))
                continue
            if done:
                self.apply(intent)
            elif isinstance(intent, Kill | Terminate):
                self.struck.pop(intent.target, None)
                self.last_kill = {who: one for who, one in self.last_kill.items() if one[1] != intent.target}
            self.engine.report(decision.id, outcome)

    def apply(self, intent: object) -> None:
        if isinstance(intent, SetHigh) and intent.restore is not None:
            self.changed[intent.cgroup, "high"] = intent.high_bytes
        elif isinstance(intent, SetHigh):
            assert intent.high_bytes == MAX  # what it was before us
            self.changed.pop((intent.cgroup, "high"), None)
        elif isinstance(intent, Freeze):
            self.changed[intent.cgroup, "frozen"] = True
        elif isinstance(intent, Thaw):
            self.changed.pop((intent.cgroup, "frozen"), None)


TestEngine = Machine.TestCase
TestEngine.settings = settings(max_examples=150, stateful_step_count=50)
