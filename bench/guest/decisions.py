"""Inside the guest: the daemon as it is, in a shortage, at 1,000 cgroups; and C loops over what can be read.

The guard runs in a dry run, by its own parts, over everything it has: triggers, pulse, looks, engine. In each
round somebody takes memory until the guard decides to kill; the time is from the wake-up of the turn that
decides to the intents being handed over. Whoever takes memory is stopped meanwhile, as it is while the C loop
reads, so that neither shares the processors with it. One C loop reads the files that were read in that turn,
another what moves of all cgroups, as a guard does that leaves nobody out; before it begins the one that takes
memory takes some more, so that the kernel's figures have changed for all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from bench.guest.tree import HERE, keep, many_files, populate, put
from memwarden.collect.glances import HOT
from memwarden.daemon import remembering
from memwarden.daemon.memory import Keeper
from memwarden.daemon.options import Options
from memwarden.daemon.start import Process
from memwarden.host import cgroup, directory, live
from memwarden.host.clock import SystemClock
from memwarden.state.intents import CgroupId, Kill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.record import Decision

ROUNDS = 8
CALM_S = 6
HOG = """
import time
open("/proc/self/oom_score_adj", "w").write("0")
held = []
while True:
    held.append(bytearray(b"x") * (2 << 20))
    time.sleep(0.02)
"""
"""From the guard, whose child it is, it inherits that nobody may kill it."""
MORE_S = 0.05
"""For how long the hog goes on before the C loop reads."""


def say(text: str) -> None:
    """A line on the guest's console, to see how far it is."""
    with open("/dev/console", "w") as file:
        file.write(f"{text}\n")


class Reads:
    """Notes every file that is read, by its path, for as long as it is told to."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.seen: list[tuple[str, Sequence[str]]] = []
        self._last = 0
        for owner in (cgroup.CgroupDirectory, directory.OpenDirectory):
            self._note(owner)
        read, note = live.Live.read, self.seen.append

        def wide(self: live.Live, path: str) -> bytes:
            note(("", (path,)))
            return read(self, path)

        setattr(live.Live, "read", wide)  # noqa: B010 - a method in another's place

    def _note(self, owner: Any) -> None:
        note, one, many = self.seen.append, owner.read, owner.read_all
        alone = owner is directory.OpenDirectory  # its read_all calls read

        def read(self: Any, name: str) -> bytes:
            note((self.path, (name,)))
            found: bytes = one(self, name)
            return found

        def read_all(self: Any, names: Sequence[str]) -> Any:
            note((self.path, names))
            return many(self, names)

        owner.read = read
        if not alone:
            owner.read_all = read_all

    def stop(self) -> None:
        """What is read from now on does not count."""
        self._last = len(self.seen)

    def files(self) -> list[str]:
        """What was read until the stop, once each, as far as it can be opened by its name."""
        seen = self.seen[: self._last]
        found = dict.fromkeys(f"{path}/{name}" if path else name for path, names in seen for name in names)
        return [path for path in found if os.path.exists(path)]


class Bench:
    """The guard, the hog and the C loop."""

    def __init__(self, leaves: list[str]) -> None:
        self.leaves = leaves
        self.reads = Reads()
        options = Options(state="/tmp/state", run="/tmp/run", dry_run=True)
        self.guard = Process(options, remembering.keeper(options, SystemClock(), Keeper))
        self.guard.prepare()
        self.woken_ns = 0
        self.decided: tuple[int, Decision] | None = None
        self.hog: subprocess.Popen[bytes] | None = None
        self._wrap()

    def _wrap(self) -> None:
        ears, hands = self.guard.ears, self.guard.hands
        wait, carry = ears.wait, hands.carry

        def waited(timeout_us: int) -> Any:
            self._let(signal.SIGCONT)
            heard = wait(timeout_us)
            self._let(signal.SIGSTOP)
            self.reads.seen.clear()
            self.woken_ns = time.monotonic_ns()
            return heard

        def carried(decision: Decision) -> Any:
            now_ns = time.monotonic_ns()
            if self.decided is None and any(isinstance(one, Kill) for one in decision.intents):
                self.decided = now_ns - self.woken_ns, decision
                self.reads.stop()  # what is read when that is done is not what it cost
            return carry(decision)

        setattr(ears, "wait", waited)  # noqa: B010 - a method in another's place
        setattr(hands, "carry", carried)  # noqa: B010 - a method in another's place

    def _let(self, number: int) -> None:
        if self.hog is not None:
            self.hog.send_signal(number)

    def round(self, number: int) -> dict[str, object]:
        """Somebody takes memory until the guard decides; then the C loops."""
        path = self.leaves[number * 97 % len(self.leaves)]
        self.hog = hog = subprocess.Popen(["python3", "-c", HOG])
        put(f"{path}/cgroup.procs", str(hog.pid))
        self.decided = None
        while self.decided is None and hog.poll() is None:
            self.guard.loop.turn()
        self.hog = None
        if self.decided is None:
            return {"missed": True}
        took_ns, decision = self.decided
        files = self.reads.files()
        everybody = [f"{leaf}/{name}" for leaf in self.leaves for name in sorted(HOT)]
        floors = [self.floor(one, hog.pid) for one in (files, everybody)]
        hog.kill()
        hog.wait()
        chosen = decision.candidates[0].target
        assert isinstance(chosen, CgroupId)
        return {
            "ours_us": took_ns / 1000,
            "floor_us": floors[0],
            "all_us": floors[1],
            "files": len(files),
            "all_files": len(everybody),
            "of_processes": sum(1 for one in files if one.startswith("/proc/") and one[6].isdigit()),
            "right": path.endswith(chosen.path),
            "rule": decision.rule,
            "candidates": len(decision.candidates),
            "stands_for": sum(one.stands_for for one in decision.candidates),
            "pruned": [
                (one.why_not, one.stands_for) for one in decision.candidates if one.why_not[:6] == "pruned"
            ],
        }

    def floor(self, files: list[str], hog: int) -> int:
        """Microseconds of the C loop over the same files; one round before, so that all is open and warm."""
        with open("/tmp/list", "w") as file:
            file.writelines(f"{path}\n" for path in files)
        loop = subprocess.Popen(
            [os.path.join(HERE, "preadlist"), "/tmp/list"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert loop.stdin
        assert loop.stdout
        for turn in range(2):
            if turn:
                os.kill(hog, signal.SIGCONT)
                time.sleep(MORE_S)
                os.kill(hog, signal.SIGSTOP)
            loop.stdin.write(b"\n")
            loop.stdin.flush()
            _, _, microseconds = map(int, loop.stdout.readline().split())
        loop.stdin.close()
        loop.wait()
        return microseconds

    def calm(self) -> None:
        """Turns until the last death is settled and a calm moment is noted."""
        end = time.monotonic() + CALM_S
        while time.monotonic() < end:
            self.guard.loop.turn()


def main() -> None:
    """Write one JSON object with the rounds."""
    many_files()
    say("bench: begins")
    leaves = populate()
    say("bench: populated")
    bench = Bench(leaves)
    rounds = []
    say("bench: all is made")
    for number in range(ROUNDS):
        bench.calm()
        rounds.append(bench.round(number))
        say(f"bench: {rounds[-1]}")
    keep({"rounds": rounds, "cgroups": len(leaves)})


main()
