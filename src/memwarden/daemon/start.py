"""The guard's process from its start to its end: what it is made of, in the order in which it has to be.

Everything that can fail does so before anything is promised: the policy is read, the lock taken, the kill
path tried dry. Then what a dead guard left is undone, the process is made hard to starve, and the loop
begins.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from memwarden import __version__
from memwarden.collect.focus import Focused
from memwarden.daemon import control, ledger, policies, remembering
from memwarden.daemon.beats import Beats
from memwarden.daemon.ears import Ears
from memwarden.daemon.following import Follower
from memwarden.daemon.hands import Hands
from memwarden.daemon.loop import Heard, Loop
from memwarden.daemon.memory import Keeper
from memwarden.daemon.options import STATE
from memwarden.daemon.saying import say
from memwarden.errors import InputError, MemwardenError
from memwarden.guard.engine import EVERYBODY, Engine
from memwarden.guard.never import Guarded
from memwarden.guard.pulse import Pulse
from memwarden.guard.watched import anywhere, heeded, more_files, watched
from memwarden.guard.written import plain
from memwarden.host import notify, own_files
from memwarden.host import self as ourselves
from memwarden.host.clock import SystemClock
from memwarden.host.effects import Effects
from memwarden.host.journal import Journal
from memwarden.host.kmsg import Kmsg
from memwarden.host.live import Live

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from memwarden.daemon.options import Options
    from memwarden.guard.ir import Policy
    from memwarden.host.self import Grant

OWN_MIN_BYTES: Final = 32 << 20
"""memory.min that we ask for: more than we ever hold."""
FILES: Final = 4096
"""Descriptors of cgroups that may stay open."""
NOTES: Final = 64
"""Notes on the policy that are in an answer, which has to fit a socket's buffer."""


class Process:
    """One guard."""

    def __init__(self, options: Options, memory: Keeper) -> None:
        self.options = options
        self.memory = memory
        self.clock = SystemClock()
        ourselves.await_children()
        # Each cgroup keeps several files open, and a service of systemd gets 1,024 unless it asks for more.
        ourselves.raise_file_limit()
        self.ears = Ears(self.clock)
        self.reader = policies.Reader(self.ears, self.clock)
        policy, self.notes = self.reader.read(options.policy, bug_compatible=options.bug_compatible)
        self.source = Live(options.proc, keep=FILES, hot_only=True, clock=self.clock)
        self.eyes = self._eyes(policy)
        first = self.eyes.look()
        self.root = first.cgroup_root
        dry = options.dry_run or options.observe or policy.dry_run
        memory.pretend(dry)
        self.journal = None if dry else Journal(options.run)
        self.effects = Effects(
            self.root, journal=self.journal, dry_run=dry, proc=options.proc, allow_panic=options.allow_panic
        )
        self.abilities = self.effects.probe()
        # Before the pulse is made: how long it may sleep depends on whether a trigger watches for stalls.
        self.ears.arm(f"{options.proc}/pressure/memory")
        self.beats = Beats(self.source)
        if not self.ears.blind:
            self.beats.heed_free(ourselves.free_bytes)
        self.notify = notify.Notify()
        self.grants: list[Grant] = []
        self.haste = ourselves.Haste()
        self.control: control.Control | None = None
        self.started_us = self.clock.monotonic_us()
        self.loop = self._loop(policy)
        self.stopping = False

    def _eyes(self, policy: Policy) -> Focused:
        return Focused(
            self.source,
            cgroup_root=self.options.cgroup_root,
            glance=not policy.steady,
            watched=watched(policy),
            anywhere=anywhere(policy),
            more=more_files(policy),
        )

    def _loop(self, policy: Policy) -> Loop:
        fill = ourselves.fill_rate_bps()
        self.hands = Hands(self.effects)
        loop = Loop(
            clock=self.clock,
            beats=self.beats,
            pulse=Pulse(fill_bps=fill, blind=self.ears.blind),
            engine=self._engine(policy),
            ears=self.ears,
            eyes=self.eyes,
            hands=self.hands,
            memory=self.memory,
            follower=Follower(self.ears, heeded(policy)),
            haste=self.haste,
        )
        loop.paused = self.options.observe
        return loop

    def _engine(self, policy: Policy) -> Engine:
        own = self.eyes.own_cgroup()
        return Engine(policy, Guarded(policy.never, policy.protect, os.getpid(), own))

    def prepare(self) -> None:
        """Listen, undo what a dead guard left, and make ourselves hard to starve."""
        self._signals()
        for fd in self.effects.filenos():
            self.ears.listen(fd, self.hands.stir)
        try:
            log = Kmsg()
            log.skip()  # what it said before we came is nobody's news
            self.ears.read_kernel_log(log, self.memory.kernel_said)
        except OSError as error:
            self.memory.trouble(f"the kernel's log cannot be read: {error.strerror}")
        self._listen()
        for sentence in (*self.notes, *self.ears.deaf, *self.abilities.missing):
            self.memory.trouble(sentence)
        if self.journal is not None:
            self._undo_all()
        self.grants = [
            ourselves.set_oom_score_adj(),
            ourselves.lock_memory(),
            ourselves.protect_memory(self.root, OWN_MIN_BYTES),
            self.haste.hurry(),
        ]
        # One look with everything, so that whatever it needs is imported, open and locked by now.
        self.loop.follower.heed(self.eyes.meet(self.eyes.look(), EVERYBODY))
        self.grants.append(ourselves.freeze_collector())
        for grant in self.grants:
            if not grant.granted:
                self.memory.trouble(f"{grant.what}: not granted: {grant.detail}")

    def _listen(self) -> None:
        """The control socket; a guard that cannot be asked guards all the same."""
        try:
            os.close(own_files.own_directory(self.options.run, purpose="the control socket"))
            listener = own_files.own_socket(self.options.run, control.NAME)
        except InputError as error:
            self.memory.trouble(str(error))
        else:
            self.control = control.Control(listener, self.ears, self.answer)

    def answer(self, command: str, reply: Callable[[dict[str, Any]], None]) -> None:
        """Do what the control socket was told; ``reply`` takes what came of it, after a reload later."""

        def say(error: str, dump: str = "") -> None:
            reply({"error": error, "dump": dump or None, "status": self.state()})

        error = dump = ""
        if command == "reload":
            self.reload(say)
            return
        if command == "pause":
            self.loop.paused = True
            self.restore()  # nobody would undo it while nothing is decided
        elif command == "resume":
            self.loop.paused = self.options.observe
        elif command == "dump":
            dump, error = self.memory.dump()
        say(error, dump)

    def state(self) -> dict[str, Any]:
        """What the guard is and does now."""
        loop, policy = self.loop, self.loop.engine.policy
        doing = "observing" if self.options.observe else "dry-run" if self.journal is None else "guarding"
        return {
            "version": __version__,
            "pid": os.getpid(),
            "doing": doing,
            "paused": loop.paused,
            "policy": policy.name,
            "rules": len(policy.rules),
            "turns": loop.turns,
            "started_us": self.started_us,
            "now_us": self.clock.monotonic_us(),
            "waits_for": [plain(one) for one in loop.engine.pending],
            "changed": [plain(one) for one in loop.engine.changed],
            "notes": self.some_notes(),
            "cannot": [*self.ears.deaf, *self.abilities.missing],
            "granted": [plain(grant) for grant in self.grants],
            **self.memory.counts(),
        }

    def some_notes(self) -> list[str]:
        """What is odd about the policy, as much of it as an answer has room for."""
        left = len(self.notes) - NOTES
        more = [f"{left} more; memwarden policy check has them all"] if left > 0 else []
        return [*self.notes[:NOTES], *more]

    def _signals(self) -> None:
        """Signals wake the poll by a pipe; what they ask for is done in the loop."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)

        def heard(_events: int) -> Heard:
            numbers = os.read(reader, 64)
            stop = bytes([signal.SIGTERM]) in numbers or bytes([signal.SIGINT]) in numbers
            return Heard(stop=stop, reload=bytes([signal.SIGHUP]) in numbers)

        self.ears.listen(reader, heard)

    def run(self) -> None:
        """Guard until told to stop, then restore everything."""
        self.notify.ready(self.doing())
        watched = notify.watchdog_us()
        alive_us = 0
        while not self.stopping:
            heard = self.loop.turn()
            self.notify.again()
            if watched is not None and self.clock.monotonic_us() - alive_us >= watched // 4:
                alive_us = self.clock.monotonic_us()
                self.notify.watchdog()
            self.reader.turn()
            if heard.reload:
                self.reload()
            self.stopping = heard.stop or self.options.once
        self.close()

    def doing(self) -> str:
        """What it does and by what, in words."""
        policy = self.loop.engine.policy
        doing = "observing" if self.options.observe else "dry run" if self.journal is None else "guarding"
        count = len(policy.rules)
        return f"{doing} by the policy {policy.name}, {count} rule{'' if count == 1 else 's'}"

    def greeting(self) -> list[str]:
        """For who started it by hand and waits: what it does, where that is kept, and how to stop it."""
        state = self.options.state
        why = "memwarden why" if state == STATE else f"memwarden why --state {state}"
        return [
            f"{self.doing()}; it watches the machine and the cgroups below {self.root}",
            f"what it decides goes to {state}/{ledger.NAME}; {why} explains it",
            "Ctrl-C ends it"
            + ("" if self.journal is None else ", and undoes whatever it throttled or froze"),
            *self.notes,
            *(f"cannot: {one}" for one in (*self.ears.deaf, *self.abilities.missing)),
        ]

    def reload(self, told: Callable[[str], None] = lambda _wrong: None) -> None:
        """Have the policy read anew, while turns go on; ``told`` takes what was wrong with it, or nothing."""
        self.reader.give_up("another reload came before it was read")
        self.notify.reloading()
        self.reader.begin(
            self.options.policy,
            bug_compatible=self.options.bug_compatible,
            told=lambda printed: told(self._take(printed)),
        )

    def _take(self, printed: bytes | str) -> str:
        """Take the new policy; the old one stays when the new one is wrong, and why is returned."""
        wrong = ""
        try:
            policy, notes = self._understood(printed)
            self.restore()
            eyes = self._eyes(policy)
            eyes.look()  # whose cgroup is ours is known by the look
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one goes on
            wrong = f"the policy stays as it was: {error}"
            self.memory.trouble(wrong)
        else:
            self.notes = notes
            for sentence in notes:
                self.memory.trouble(sentence)
            self.eyes = self.loop.eyes = eyes
            engine = self._engine(policy)
            engine.succeed(self.loop.engine)
            self.loop.engine = engine
            self.loop.follower = Follower(self.ears, heeded(policy))
        self.notify.ready(self.doing())
        return wrong

    def _understood(self, printed: bytes | str) -> tuple[Policy, list[str]]:
        policy, notes = policies.understood(printed)
        if policy.dry_run != self.loop.engine.policy.dry_run:
            raise InputError(
                f"{policy.name}: dry_run is settled when the guard starts; restart it to change that"
            )
        return policy, notes

    def _undo_all(self) -> None:
        """Undo all that stands in the journal, whoever wrote it."""
        for undone in self.effects.restore():
            self.memory.trouble(undone.sentence())

    def restore(self) -> None:
        """Undo what this guard has changed; by its journal where the machine cannot be looked at."""
        try:
            snapshot = self.eyes.look()
        except MemwardenError as error:
            self.memory.trouble(str(error))
            if self.journal is not None:
                self._undo_all()
            return
        for decision in self.loop.engine.restore(snapshot):
            self.loop.carry(decision)
        for decision_id, outcome in self.hands.settle():
            self.loop.engine.report(decision_id, outcome)
            self.memory.ended(decision_id, outcome)

    def close(self) -> None:
        """The end: nothing stays throttled or frozen."""
        self.reader.give_up("the guard ends")
        self.notify.stopping()
        self.restore()
        if self.journal is not None:
            self.effects.restore()
        self.memory.close()
        if self.control is not None:
            self.control.close()
        self.ears.close()
        self.effects.close()
        self.source.close()
        if self.journal is not None:
            self.journal.close()


def run(options: Options) -> int:
    """Guard; the exit code of the process."""
    process = Process(options, remembering.keeper(options, SystemClock(), Keeper))
    process.prepare()
    if os.isatty(2):  # in a unit the journal has it
        say(2, process.greeting())
    process.run()
    return 0
