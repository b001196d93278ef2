"""No sequence of acts, deaths of the guard and meddling of others leaves a change of ours behind.

Three cgroups as files; the model knows what each would be if there had never been a guard. After any of it a
guard that starts and restores must leave exactly that. A throttle over what somebody else has written since
is ours to undo again; what somebody else wrote over ours is theirs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from memwarden.host.effects import Effects
from memwarden.host.journal import Journal
from memwarden.state.intents import CgroupId, Freeze, RunHook, SetHigh, Thaw
from memwarden.units import MAX, MIB

NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
sizes = st.integers(1, 4).map(lambda number: number * 8 * MIB)
limits = sizes | st.just(MAX)


class Sequence(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.root = self.folder / "cg"
        self.root.mkdir()
        self.kept = []  # descriptors of removed directories, so that no inode is used again
        self.high, self.frozen, self.ours, self.froze = {}, {}, {}, set()
        for name in NAMES:
            self.make(name)
        self.start()

    def start(self):
        self.journal = Journal(str(self.folder / "run"))
        self.effects = Effects(str(self.root), journal=self.journal)

    def make(self, name):
        path = self.root / name
        path.mkdir()
        (path / "cgroup.procs").write_text("")
        (path / "memory.current").write_text(f"{16 * MIB}\n")
        self.write(name, "memory.high", "max")
        self.write(name, "cgroup.freeze", "0")
        self.high[name], self.frozen[name] = "max", "0"
        self.ours.pop(name, None)
        self.froze.discard(name)

    def write(self, name, file, text):
        (self.root / name / file).write_text(f"{text}\n")

    def read(self, name, file):
        return (self.root / name / file).read_text().split("\n")[0]

    def target(self, name):
        return CgroupId(f"/{name}", os.stat(self.root / name).st_ino)

    def do(self, intent):
        outcome = self.effects.apply(intent)
        return outcome or self.effects.settle()[0]

    @rule(name=names, size=sizes)
    def throttle(self, name, size):
        """Over what somebody else has written since, that is what is to be restored from now on."""
        self.do(SetHigh(self.target(name), size, restore=MAX))
        self.ours[name] = str(size)

    @rule(name=names)
    def unthrottle(self, name):
        """Whoever throttled first asks for what it was before that, whatever was written meanwhile."""
        assert self.do(SetHigh(self.target(name), MAX)).done
        self.ours.pop(name, None)

    @rule(name=names)
    def freeze(self, name):
        if self.do(Freeze(self.target(name))).done:
            self.froze.add(name)

    @rule(name=names)
    def thaw(self, name):
        was = self.read(name, "cgroup.freeze")
        outcome = self.do(Thaw(self.target(name)))
        assert outcome.done
        if outcome.error:
            assert self.read(name, "cgroup.freeze") == was
        self.froze.discard(name)

    @rule(name=names, meanwhile=st.sampled_from(["freeze", "throttle", "nothing"]))
    def hook(self, name, meanwhile):
        before = [self.read(name, file) for file in ("memory.high", "cgroup.freeze")]
        assert self.do(RunHook(("/bin/true",), self.target(name), 30_000_000, meanwhile)).done
        assert [self.read(name, file) for file in ("memory.high", "cgroup.freeze")] == before

    @rule(name=names, value=limits)
    def somebody_limits(self, name, value):
        """Where we have not, or with another value than ours: the same value cannot be told from ours."""
        text = str(value)
        target = self.target(name)
        if all(entry.now != text for entry in self.journal.pending() if entry.target == target):
            self.write(name, "memory.high", text)
            self.high[name] = text
            self.ours.pop(name, None)

    @rule(name=names)
    def somebody_removes_and_makes_anew(self, name):
        self.kept.append(os.open(self.root / name, os.O_RDONLY))
        shutil.rmtree(self.root / name)
        self.make(name)

    @rule(name=names)
    def somebody_freezes(self, name):
        if name not in self.froze:
            self.write(name, "cgroup.freeze", "1")
            self.frozen[name] = "1"

    @rule()
    def the_guard_is_killed_and_starts_again(self):
        self.journal.close()  # what the kernel does; no restoring
        self.effects.close()
        self.start()
        self.restored()

    def restored(self):
        assert all(one.settled for one in self.effects.restore())
        self.ours.clear()
        self.froze.clear()
        assert self.journal.pending() == ()
        for name in NAMES:
            assert self.read(name, "memory.high") == self.high[name]
            assert self.read(name, "cgroup.freeze") == self.frozen[name]

    @invariant()
    def what_others_wrote_stays(self):
        for name in NAMES:
            if name not in self.ours:
                assert self.read(name, "memory.high") == self.high[name]

    @invariant()
    def what_is_changed_is_written_down(self):
        paths = [entry.target.path for entry in self.journal.pending()]
        for name in (*self.ours, *self.froze):
            assert f"/{name}" in paths

    def teardown(self):
        self.restored()
        self.effects.close()
        self.journal.close()
        for fd in self.kept:
            os.close(fd)
        shutil.rmtree(self.folder)


TestSequence = Sequence.TestCase
TestSequence.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
