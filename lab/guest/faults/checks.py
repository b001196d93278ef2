"""What the guard does to a machine, and what is left when it or its victim goes wrong, on a real kernel.

Each check is a function that returns a remark, or fails by an assertion. ``checks.json`` has what became of
them.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING

import alive
from daemon import Daemon
from staging import (
    LIBC,
    MIB,
    ROOT,
    Group,
    Guard,
    WithoutKill,
    anon,
    frozen_disk,
    get,
    identity,
    killed_guard,
    put,
    state_of,
    storm,
    wait_until,
    written_later,
)

from memwarden.errors import InputError
from memwarden.host import self as ourselves
from memwarden.host.effects import Hands
from memwarden.host.journal import Journal
from memwarden.state.intents import Freeze, Kill, Reclaim, RunHook, SetHigh, Terminate, Thaw
from memwarden.units import MAX

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES = ".".join(os.uname().release.split(".")[:2])
HAS = {
    "5.10": {"kill": False, "reclaim": False, "swappiness": False, "release": False},
    "6.1": {"kill": True, "reclaim": True, "swappiness": False, "release": True},
    "6.12": {"kill": True, "reclaim": True, "swappiness": True, "release": True},
    "7.2": {"kill": True, "reclaim": True, "swappiness": True, "release": True},
}[SERIES]
"""From the sources of these kernels, to hold the probes against."""


def probe(group: Group, guard: Guard) -> str:
    """The probes find what this kernel has."""
    found = guard.effects.probe()
    assert {name: getattr(found, name) for name in HAS} == HAS, found
    assert (found.freeze, found.high, found.signal) == (True, True, True)
    return f"tried in {found.where}"


def kill_group(group: Group, guard: Guard) -> str:
    """A group that forks all the time, by cgroup.kill where there is one."""
    group.start(storm)
    return _killed(group, guard)


def kill_in_rounds(group: Group, guard: Guard) -> str:
    """The same without cgroup.kill, on every kernel: frozen, killed one by one, thawed."""
    guard.close()
    old = Guard(hands=WithoutKill())
    try:
        group.start(storm)
        return _killed(group, old)
    finally:
        old.close()


def _killed(group: Group, guard: Guard) -> str:
    assert wait_until(lambda: len(group.file("cgroup.procs").split()) > 16)
    outcome = guard.do(Kill(group.target))
    assert outcome.done, outcome
    assert not outcome.error, outcome
    assert outcome.signalled > 16, outcome
    assert wait_until(lambda: not group.populated()), group.file("cgroup.procs")
    assert group.file("cgroup.freeze") == "0"
    assert guard.journal.pending() == ()
    return f"{outcome.signalled} processes in {outcome.took_us / 1000:.1f} ms"


def kill_frozen(group: Group, guard: Guard) -> str:
    """A group that we had frozen is killed all the same, and is not frozen afterwards."""
    group.start(lambda: None)
    assert guard.do(Freeze(group.target)).done
    assert wait_until(lambda: "frozen 1" in group.file("cgroup.events"))
    assert guard.do(Kill(group.target)).done
    assert wait_until(lambda: not group.populated())
    assert guard.do(Thaw(group.target)).done
    assert group.file("cgroup.freeze") == "0"
    return ""


def kill_process(group: Group, guard: Guard) -> str:
    """One process by SIGKILL, its neighbour stays; and one by SIGTERM."""
    pids = [group.start(lambda: None) for _ in range(3)]
    assert guard.do(Kill(identity(pids[0]))).done
    assert os.waitpid(pids[0], 0)[1] == signal.SIGKILL
    assert guard.do(Terminate(identity(pids[1]))).done
    assert os.waitpid(pids[1], 0)[1] == signal.SIGTERM
    assert wait_until(lambda: state_of(pids[2]) == "S"), state_of(pids[2])
    return ""


def pid_reuse(group: Group, guard: Guard) -> str:
    """A pid that belongs to another process by now is left alone."""
    first = group.start(lambda: None)
    who = identity(first)
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    time.sleep(0.05)  # the start time counts in ticks of 10 ms
    for _ in range(1000):
        put("/proc/sys/kernel/ns_last_pid", str(first - 1))
        second = group.start(lambda: None)
        if second == first:
            break
        os.kill(second, signal.SIGKILL)
        os.waitpid(second, 0)
    assert second == first, "no process got the pid again"
    outcome = guard.do(Kill(who))
    assert not outcome.done
    assert "another process has this pid now" in outcome.error, outcome
    assert wait_until(lambda: state_of(second) == "S"), state_of(second)  # it may be on its way to sleep
    return f"pid {first} twice"


def frozen_by_a_killed_guard(group: Group, guard: Guard) -> str:
    """A guard freezes a group and is killed; the next one thaws it."""
    guard.close()
    group.start(lambda: None)
    killed_guard(lambda first: first.do(Freeze(group.target)))
    assert group.file("cgroup.freeze") == "1"
    return _restored(lambda: group.file("cgroup.freeze") == "0")


def throttled_by_a_killed_guard(group: Group, guard: Guard) -> str:
    """A guard throttles a group that had a limit and is killed; the next one puts the limit back."""
    guard.close()
    group.start(anon(8 * MIB))
    group.set("memory.high", str(300 * MIB))
    killed_guard(lambda first: first.do(SetHigh(group.target, 64 * MIB + 5, restore=300 * MIB)))
    assert group.file("memory.high") == str(64 * MIB)
    return _restored(lambda: group.file("memory.high") == str(300 * MIB))


def hook_of_a_killed_guard(group: Group, guard: Guard) -> str:
    """A guard is killed while a hook runs: the next one ends the hook and releases the victim."""
    guard.close()
    group.start(lambda: None)
    hook = RunHook(("/bin/sleep", "1000"), group.target, 600_000_000)
    killed_guard(lambda first: first.effects.apply(hook) or wait_until(lambda: _running("sleep")))
    assert group.file("cgroup.freeze") == "1"
    assert _running("sleep")
    return _restored(lambda: group.file("cgroup.freeze") == "0" and not _running("sleep"))


def _restored(what: Callable[[], bool]) -> str:
    following = Guard()
    try:
        undone = following.effects.restore()
        assert undone, "nothing was in the journal"
        assert [one.text for one in undone] == [""] * len(undone), undone
        assert wait_until(what)
        assert following.journal.pending() == ()
        return f"{len(undone)} undone"
    finally:
        following.close()


def _running(comm: str) -> bool:
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if get(f"/proc/{pid}/comm") == comm and state_of(int(pid)) not in "ZX":
                return True
        except OSError:
            continue
    return False


def removed_and_made_anew(group: Group, guard: Guard) -> str:
    """A cgroup removed between decision and kill, and one made anew in its place."""
    before = group.target
    os.rmdir(group.path)
    gone = guard.do(Kill(before))
    assert not gone.done
    assert "it is gone" in gone.error, gone
    os.mkdir(group.path)
    pid = group.start(lambda: None)
    anew = guard.do(Kill(before))
    assert not anew.done
    assert "made anew" in anew.error, anew
    assert wait_until(lambda: state_of(pid) == "S")  # alive: it may still be on its way to sleep
    return ""


class Remover(Hands):
    """Removes the cgroup at the last moment, after everything was checked."""

    def __init__(self, group: Group) -> None:
        self.group = group

    def put(self, directory_fd: int, name: str, data: bytes) -> None:
        if os.path.exists(self.group.path):
            os.rmdir(self.group.path)
        super().put(directory_fd, name, data)


def removed_at_the_last_moment(group: Group, guard: Guard) -> str:
    """A cgroup removed after all was checked, before the write."""
    guard.close()
    late = Guard(hands=Remover(group))
    try:
        errors = []
        for make in (Freeze, lambda target: SetHigh(target, MIB, restore=MAX)):
            outcome = late.do(make(group.target))
            assert not outcome.done
            assert "gone" in outcome.error or "removed" in outcome.error, outcome
            errors.append(outcome.error)
            os.mkdir(group.path)
        assert late.journal.pending() == ()
        return "; ".join(sorted({error.partition(": ")[2] or error for error in errors}))
    finally:
        late.close()


def uninterruptible(group: Group, guard: Guard) -> str:
    """A victim asleep in the kernel: the kill does not wait, and its memory comes back where it can be."""
    name = "/out/written-while-frozen"
    pid = group.start(anon(64 * MIB))
    with frozen_disk():
        writer = group.start(lambda: (anon(64 * MIB)(), written_later(name)))
        assert wait_until(lambda: state_of(writer) == "D"), state_of(writer)
        begin = time.monotonic()
        outcome = guard.do(Kill(group.target))
        took = time.monotonic() - begin
        assert outcome.done, outcome
        assert took < 2, took
        assert wait_until(lambda: state_of(pid) in "Zgone")
        back = wait_until(lambda: int(group.file("memory.current")) < 16 * MIB, 3)
        assert state_of(writer) == "D"
        # The writer cannot exit, so that nothing but process_mrelease gives its part back.
        assert back == HAS["release"], group.file("memory.current")
    assert wait_until(lambda: not group.populated())
    return f"kill took {took * 1000:.0f} ms; memory {'came back at once' if back else 'stayed until it woke'}"


def reclaim(group: Group, guard: Guard) -> str:
    """Memory is reclaimed while the loop goes on; a kernel without memory.reclaim says so."""
    group.start(anon(64 * MIB))
    before = int(group.file("memory.current"))
    begin = time.monotonic()
    outcome = guard.effects.apply(Reclaim(group.target, 32 * MIB, 60))
    took = time.monotonic() - begin
    if not HAS["reclaim"]:
        assert outcome is not None
        assert "has no memory.reclaim" in outcome.error, outcome
        return "not offered, and said so"
    assert outcome is None
    assert took < 2, took
    [outcome] = guard.effects.settle(60_000_000)
    said_mib = int(again[1]) if (again := re.search(r"\((\d+) of 32 MiB", outcome.error)) else 32
    freed = before - int(group.file("memory.current"))
    assert said_mib >= 8, outcome  # the kernel may end early, as with a slow disk for swap, and says so
    assert freed > (said_mib - 4) * MIB, (freed, outcome)
    return f"{freed / MIB:.0f} MiB; begun in {took * 1000:.1f} ms, over in {outcome.took_us / 1000:.0f} ms"


def reclaim_nothing(group: Group, guard: Guard) -> str:
    """Where nothing can be reclaimed, the outcome says so."""
    group.set("memory.swap.max", "0")
    group.start(anon(32 * MIB))
    outcome = guard.do(Reclaim(group.target, 16 * MIB), 60_000_000)
    assert not outcome.done
    words = "can reclaim no more" if HAS["reclaim"] else "has no memory.reclaim"
    assert words in outcome.error, outcome
    return outcome.error.partition(": ")[2] if HAS["reclaim"] else ""


def throttle(group: Group, guard: Guard) -> str:
    """A limit far below the usage does not keep the loop; it is rounded as we said, and restored."""
    group.start(anon(64 * MIB))
    begin = time.monotonic()
    assert guard.effects.apply(SetHigh(group.target, 16 * MIB + 17, restore=MAX)) is None
    took = time.monotonic() - begin
    assert took < 2, took
    outcomes = guard.effects.settle(60_000_000)
    assert [one.done for one in outcomes] == [True], outcomes
    [entry] = guard.journal.pending()
    assert group.file("memory.high") == entry.now == str(16 * MIB)
    assert guard.do(SetHigh(group.target, MAX)).done
    assert group.file("memory.high") == "max"
    assert guard.journal.pending() == ()
    return f"begun in {took * 1000:.1f} ms, over in {outcomes[0].took_us / 1000:.0f} ms"


def throttled_hook(group: Group, guard: Guard) -> str:
    """A hook with its victim throttled to what it uses."""
    group.start(anon(32 * MIB))
    used = int(group.file("memory.current"))
    look = f"until grep -qv max {group.path}/memory.high; do :; done; cat {group.path}/memory.high"
    hook = RunHook(("/bin/sh", "-c", look), group.target, 20_000_000, "throttle")
    outcome = guard.do(hook, 20_000_000)
    assert outcome.done, outcome
    assert abs(int(outcome.output) - used) < 4 * MIB, (outcome, used)
    assert group.file("memory.high") == "max"
    return ""


def threaded(group: Group, guard: Guard) -> str:
    """A threaded cgroup is refused with the reason."""
    os.mkdir(f"{group.path}/threads")
    put(f"{group.path}/threads/cgroup.type", "threaded")
    inner = Group.__new__(Group)
    inner.path = f"{group.path}/threads"
    outcome = guard.do(Kill(inner.target))
    os.rmdir(inner.path)
    assert not outcome.done
    assert "threaded cgroup" in outcome.error, outcome
    return ""


def ourselves_and_above(group: Group, guard: Guard) -> str:
    """Our own cgroup is refused, and the root."""
    group.set("cgroup.procs", str(os.getpid()))
    try:
        for make in (Kill, Terminate, Freeze):
            outcome = guard.do(make(group.target))
            assert not outcome.done
            assert "memwarden itself is in it" in outcome.error, outcome
    finally:
        put(f"{ROOT}/cgroup.procs", str(os.getpid()))
    return ""


def second_guard(group: Group, guard: Guard) -> str:
    """Two guards at once: the second is refused and told who the first is."""
    refused = ""
    try:
        Journal("/run/memwarden").close()
    except InputError as error:
        refused = str(error)
    assert f"another guard runs here (pid {os.getpid()}," in refused, refused
    return ""


def what_we_ask_for(group: Group, guard: Guard) -> str:
    """As root everything is granted: locked memory, badness, memory.min, priority."""
    group.set("cgroup.procs", str(os.getpid()))
    try:
        grants = [
            ourselves.lock_memory(),
            ourselves.set_oom_score_adj(),
            ourselves.protect_memory(ROOT, 16 * MIB),
            ourselves.Haste().hurry(),
        ]
        assert all(grant.granted for grant in grants), grants
        assert group.file("memory.min") == str(16 * MIB)
        return grants[-1].detail
    finally:
        LIBC.munlockall()
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        put("/proc/self/oom_score_adj", "0")  # what comes after is started by us, and would be exempt too
        put(f"{ROOT}/cgroup.procs", str(os.getpid()))


CHECKS = (
    probe, kill_group, kill_in_rounds, kill_frozen, kill_process, pid_reuse, frozen_by_a_killed_guard,
    throttled_by_a_killed_guard, hook_of_a_killed_guard, removed_and_made_anew, removed_at_the_last_moment,
    uninterruptible, reclaim, reclaim_nothing, throttle, throttled_hook, threaded, ourselves_and_above,
    second_guard, what_we_ask_for,
)  # fmt: skip


def swap_on() -> None:
    """The disk that the host made for it."""
    if LIBC.swapon(b"/dev/lab-swap", 0):
        raise OSError(ctypes.get_errno(), "swapon")


def leave_nothing() -> None:
    """What a check that failed has left in the journal, undone or forgotten."""
    shutil.rmtree("/run/memwarden", ignore_errors=True)


def run(check: Callable[..., str], make: Callable[[str], Guard | Daemon]) -> dict[str, object]:
    """One check with a cgroup and a guard of its own."""
    name = check.__name__.replace("_", "-")
    group, guard = Group(f"check-{name}"), make(name)
    begin = time.monotonic()
    try:
        result: dict[str, object] = {"ok": True, "detail": check(group, guard)}
    except BaseException:
        result = {"ok": False, "detail": traceback.format_exc()}
    result["seconds"] = round(time.monotonic() - begin, 2)
    guard.close()
    group.remove()
    if not result["ok"]:
        leave_nothing()  # else what comes next finds it in the journal, and fails as well
    said = f"{name} {result['seconds']} {'ok' if result['ok'] else result['detail']}\n"
    print(said, end="", flush=True)
    put("/dev/ttyS0", said)  # a guest that hangs shows where
    return result


def main(only: list[str]) -> None:
    """All of them, or those that are named."""
    put(f"{ROOT}/cgroup.subtree_control", "+memory")
    swap_on()
    results = {}
    for checks, make in ((CHECKS, lambda _name: Guard()), (alive.CHECKS, Daemon)):
        for check in checks:
            name = check.__name__.replace("_", "-")
            if not only or name in only:
                results[name] = run(check, make)
    with open("/out/checks.json", "w") as file:
        json.dump(results, file)


main(sys.argv[1:])
