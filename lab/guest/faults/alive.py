"""The whole guard in trouble: its own process, started by its verb, on a real kernel.

Each check is given a cgroup and a daemon that is not started yet; it returns a remark, or fails by an
assertion.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING

from daemon import Daemon, kinds, memwarden
from staging import (
    LIBC,
    MIB,
    Group,
    anon,
    frozen_disk,
    get,
    state_of,
    wait_until,
    written_later,
)

from memwarden.errors import InputError
from memwarden.host.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

PSI = "/proc/pressure/memory"
HAS_PSI = os.path.exists(PSI)
CGROUPS = int(get("cgroups"))
"""How many there are in the check of many."""
PRESSED = """
[guard]
steady = true
tick = "{tick}"
[[rule]]
name = "pressed"
pause = "60s"
  [[rule.when]]
  {when}
  [[rule.do]]
  {act} = {{ {words}, cgroup = "{cgroup}" }}
"""


def pressing(cgroup: str, act: str, words: str, *, when: str = "", tick: str = "50ms") -> str:
    """A policy that does something to a cgroup as soon as it is there, without any shortage."""
    when = when or f'exists = {{ cgroup = "{cgroup}" }}'
    return PRESSED.format(cgroup=cgroup, act=act, words=words, when=when, tick=tick)


def holding(cgroup: str) -> str:
    """When it holds more than 8 MiB."""
    return f'usage = {{ above = "8MiB", cgroup = "{cgroup}" }}'


def leak(rate_mib: int, most_mib: int) -> Callable[[], object]:
    """Take so much a second, from now on, in a child: who starts it goes on at once."""

    def grow() -> object:
        if os.fork() == 0:
            begin = time.monotonic()
            for taken in range(0, most_mib, 4):
                anon(4 * MIB)()
                time.sleep(max(0, begin + taken / rate_mib - time.monotonic()))
            while True:
                signal.pause()
        return None

    return grow


def kernel_kills() -> int:
    """How many the kernel has killed since the boot."""
    return int(get("/proc/vmstat").partition("\noom_kill ")[2].split()[0])


def leak_is_killed(group: Group, guard: Daemon) -> str:
    """By the built-in policy: who leaks dies before the kernel has to kill, and not who holds most."""
    LIBC.swapoff(b"/dev/lab-swap")
    large = Group("check-large")
    try:
        large.start(anon(300 * MIB))
        before = kernel_kills()
        guard.start()
        assert guard.status()["doing"] == "guarding"
        time.sleep(3)  # the calm moment in which is noted who held what
        group.start(leak(40, 2000))
        assert wait_until(lambda: not group.populated(), 90), guard.ledger()
        assert kernel_kills() == before, "the kernel was first"
        assert large.populated(), guard.ledger()
        assert wait_until(lambda: bool(guard.acts()), 30), guard.ledger()  # it writes when it has acted
        [death] = guard.acts()
        assert kinds([death]) == ["kill"], death
        told = _told(guard, group, death["id"])
        document, folder = guard.incident()
        assert [(one["by"], one["cgroup"]) for one in document["deaths"]] == [("guard", group.target.path)]
        assert [one["id"] for one in document["decisions"]] == [death["id"]], document
        flight = memwarden("policy", "replay", guard.policy or "default", f"{folder}/flight")
        assert not flight.returncode, flight
        assert guard.alive()
        assert guard.stop() == 0, get(f"{guard.home}/errors")
        assert kernel_kills() == before
        return told
    finally:
        large.remove()
        LIBC.swapon(b"/dev/lab-swap", 0)


def _told(guard: Daemon, group: Group, death: str) -> str:
    """What ``memwarden why last`` says of it has all the parts that a person asks for."""
    assert wait_until(lambda: any(one["schema"].startswith("memwarden.result/") for one in guard.ledger()))
    text = guard.why("last")
    with open(f"/out/why-{os.uname().release}.txt", "w") as file:
        file.write(text)
    assert death in text
    parts = ("Rule", "Seen", "memory ends in", "Did", "SIGKILL", "Result", "gone after", "more are free")
    for word in (*parts, "Considered", group.name, "check-large", "not more than"):
        assert word in text, f"{word} is not in:\n{text}"
    listed = guard.why("--list")
    assert death in listed, listed
    found = json.loads(guard.why("last", "--format", "json"))
    assert death in json.dumps(found)
    return next(line.strip() for line in text.splitlines() if "gone after" in line)


def kernel_kill_is_kept(group: Group, guard: Daemon) -> str:
    """A guard that only looks: a kill of the kernel is an incident too, with its report."""
    guard.start("--observe")
    assert guard.status()["doing"] == "observing"
    _killed_by_the_kernel(group, guard)
    assert guard.acts() == []
    return ""


def kernel_kill_while_paused(group: Group, guard: Daemon) -> str:
    """The same of a guard that was told to pause; then it goes on."""
    guard.start()
    assert guard.ask("pause")["status"]["paused"]
    _killed_by_the_kernel(group, guard)
    assert not guard.ask("resume")["status"]["paused"]
    return ""


def _killed_by_the_kernel(group: Group, guard: Daemon) -> None:
    group.set("memory.max", str(32 * MIB))
    group.set("memory.swap.max", "0")
    before = kernel_kills()
    pid = group.start(leak(200, 64))
    assert wait_until(lambda: kernel_kills() > before, 30), group.file("memory.events")
    document, folder = guard.incident()
    assert {one["by"] for one in document["deaths"]} == {"kernel"}, document
    assert group.target.path in {one["cgroup"] for one in document["deaths"]}, document
    assert "invoked oom-killer" in get(f"{folder}/kernel.log")
    text = guard.why("last")
    for word in ("kernel", group.name):
        assert word in text, text
    assert document["id"] in guard.why("--list")
    assert guard.alive()
    assert wait_until(lambda: state_of(pid) in "SZ")


def killed_while_throttling(group: Group, guard: Daemon) -> str:
    """SIGKILL while a cgroup is throttled: the next guard gives the limit back at its start."""
    group.start(anon(16 * MIB))
    group.set("memory.high", str(300 * MIB))
    guard.write(pressing(group.name, "throttle", 'within = "60s"'))
    guard.start()
    assert wait_until(lambda: group.file("memory.high") != str(300 * MIB)), guard.ledger()
    limit = int(group.file("memory.high"))
    return (
        _restored(guard, lambda: group.file("memory.high") == str(300 * MIB)) + f", was {limit / MIB:.0f} MiB"
    )


def killed_while_freezing(group: Group, guard: Daemon) -> str:
    """SIGKILL while a cgroup is frozen: the next guard thaws it at its start."""
    group.start(anon(MIB))
    guard.write(pressing(group.name, "freeze", 'within = "60s"'))
    guard.start()
    assert wait_until(lambda: "frozen 1" in group.file("cgroup.events")), guard.ledger()
    return _restored(guard, lambda: "frozen 0" in group.file("cgroup.events"))


def _restored(guard: Daemon, what: Callable[[], bool]) -> str:
    guard.die()
    assert not what()
    guard.policy = ""
    begin = time.monotonic()
    guard.start()
    assert wait_until(what), guard.ledger()
    took = time.monotonic() - begin
    assert guard.alive()
    assert guard.stop() == 0
    assert what()
    return f"restored, {took:.1f} s after the start"


def stopped_while_throttling(group: Group, guard: Daemon) -> str:
    """SIGTERM restores, and so does a pause."""
    group.start(anon(16 * MIB))
    guard.write(pressing(group.name, "throttle", 'within = "60s"'))
    guard.start()
    assert wait_until(lambda: group.file("memory.high") != "max"), guard.ledger()
    guard.ask("pause")
    assert group.file("memory.high") == "max"
    assert guard.stop() == 0
    guard.start()
    assert wait_until(lambda: group.file("memory.high") != "max"), guard.ledger()
    assert guard.stop() == 0
    assert group.file("memory.high") == "max"
    return ""


def removed_before_the_kill(group: Group, guard: Daemon) -> str:
    """Decided, a hook runs, and meanwhile the victim is removed and its name given to somebody else."""
    first = group.start(anon(MIB))
    hook = 'rank = "size", hook = ["/bin/sleep", "5"], hook_meanwhile = "nothing", even_without_need = true'
    guard.write(pressing(group.name, "kill", hook))
    guard.start()
    assert wait_until(lambda: kinds(guard.acts()) == ["hook"]), guard.ledger()
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert wait_until(lambda: _removed(group))
    os.mkdir(group.path)
    second = group.start(anon(MIB))
    time.sleep(6)
    assert wait_until(lambda: state_of(second) == "S"), guard.ledger()
    assert "kill" not in kinds(guard.acts()), guard.acts()
    assert guard.alive()
    return ""


def _removed(group: Group) -> bool:
    try:
        os.rmdir(group.path)
    except OSError:
        return False
    return True


def clock_steps(group: Group, guard: Daemon) -> str:
    """The wall clock steps by an hour, ahead and back: nothing is done for it, and what follows still is."""
    guard.write(pressing(group.name, "kill", "even_without_need = true", when=holding(group.name)))
    group.start(anon(MIB))
    guard.start()
    steps = [3600, -7200, 3600]
    for step in steps:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + step)
        turns = guard.status()["turns"]
        assert wait_until(lambda turns=turns: guard.status()["turns"] > turns + 3), guard.status()
        assert guard.acts() == []
    time.clock_settime(time.CLOCK_REALTIME, time.time() - 3600)
    group.start(anon(16 * MIB))
    assert wait_until(lambda: not group.populated()), guard.ledger()
    time.clock_settime(time.CLOCK_REALTIME, time.time() + 3600)
    document, _ = guard.incident()
    assert document["decisions"], document
    assert group.name in guard.why("last")
    return ""


def stopped_for_a_while(group: Group, guard: Daemon) -> str:
    """Not run for seconds, in which somebody took much and was done: nobody is killed for what is over."""
    guard.start()
    time.sleep(1)
    turns = guard.status()["turns"]
    guard.send(signal.SIGSTOP)
    group.start(anon(200 * MIB))
    time.sleep(6)
    guard.send(signal.SIGCONT)
    assert wait_until(lambda: guard.status()["turns"] > turns + 3), guard.status()
    assert guard.acts() == [], guard.acts()
    assert group.populated()
    return ""


def policy_emptied(group: Group, guard: Daemon) -> str:
    """The policy's file is emptied, then broken: the old policy stays, and that is said."""
    guard.write(pressing("nobody", "freeze", 'within = "60s"'))
    guard.start()
    name, rules = guard.status()["policy"], guard.status()["rules"]
    said = []
    for text in ("", "[guard]\ntick = 5\n"):
        guard.write(text)
        guard.send(signal.SIGHUP)
        guard.hear("RELOADING=1")
        guard.hear("READY=1")
        assert wait_until(lambda known=said: len(_stayed(guard)) > len(known)), guard.ledger()
        assert (guard.status()["policy"], guard.status()["rules"]) == (name, rules), (text, guard.status())
        said = _stayed(guard)
    guard.write(pressing(group.name, "freeze", 'within = "60s"'))
    group.start(anon(MIB))
    assert guard.ask("reload")["error"] == ""
    assert wait_until(lambda: "frozen 1" in group.file("cgroup.events")), guard.ledger()
    return said[0]


def _stayed(guard: Daemon) -> list[str]:
    return [one for one in guard.troubles() if "stays as it was" in one]


def pressure_file_disappears(group: Group, guard: Daemon) -> str:
    """An empty file lies over /proc/pressure/memory: the guard says so, and goes on by the timer."""
    if not HAS_PSI:
        return "has none"
    with open(f"{guard.home}/empty", "w"):
        pass
    guard.start()
    mount(f"{guard.home}/empty", PSI)
    try:
        turns = guard.status()["turns"]
        assert wait_until(lambda: guard.status()["turns"] > turns + 1, 20), guard.status()
        assert guard.alive()
        assert guard.stop() == 0
        guard.start()
        said = [one for one in guard.status()["cannot"] if "pressure" in one]
        assert said, guard.status()
        # It answers before its other thread has written what it said at its start.
        assert wait_until(lambda: any("pressure" in one for one in guard.troubles())), guard.ledger()
        assert guard.alive()
        return said[0]
    finally:
        LIBC.umount2(PSI.encode(), 2)


def mount(what: str, where: str) -> None:
    """A file over another."""
    if LIBC.mount(what.encode(), where.encode(), None, 4096, None):
        raise AssertionError(f"cannot mount over {where}")


def pressed_cgroup_disappears(group: Group, guard: Daemon) -> str:
    """A protected service with an objective is removed while triggers are armed in it, and comes back."""
    guard.write(
        f'[protect.it]\nwho = ["/{group.name}"]\nstall = {{ above = "50ms", in = "1s", kind = "some" }}\n'
    )
    pid = group.start(anon(MIB))
    guard.start()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert wait_until(lambda: _removed(group))
    time.sleep(1)
    assert guard.alive()
    assert not _spins(guard)
    os.mkdir(group.path)
    time.sleep(3)
    assert guard.alive()
    return ""


def _spins(guard: Daemon) -> bool:
    turns = guard.status()["turns"]
    time.sleep(1)
    return bool(guard.status()["turns"] - turns > 50)


def many_cgroups(group: Group, guard: Daemon) -> str:
    """Thousands of cgroups: the one that leaks dies among them, and the guard stays small."""
    group.set("cgroup.subtree_control", "+memory")
    inner = [f"{group.path}/{number}" for number in range(CGROUPS)]
    for path in inner:
        os.mkdir(path)
    victim = Group(f"{group.name}/leaky")
    try:
        words = 'rank = "size", even_without_need = true'
        when = 'usage = { above = "64MiB", cgroup = "**/leaky" }'
        guard.write(pressing("/**", "kill", words, when=when, tick="1s"))
        guard.ready_s += CGROUPS // 20  # it reads them all first, on an emulated processor
        guard.start()
        victim.start(leak(30, 400))
        assert wait_until(lambda: not victim.populated(), 120), guard.ledger()
        assert wait_until(lambda: bool(guard.acts()), 30), guard.ledger()  # it writes when it has acted
        [death] = guard.acts()
        assert kinds([death]) == ["kill"], death
        assert guard.process is not None
        status = get(f"/proc/{guard.process.pid}/status")
        peak = int(status.partition("VmHWM:")[2].split()[0])
        return f"{CGROUPS} cgroups, {peak / 1024:.0f} MiB at most; {death['message'][:60]}"
    finally:
        victim.remove()
        for path in inner:
            os.rmdir(path)


def victim_in_the_kernel(group: Group, guard: Daemon) -> str:
    """A victim that sleeps in the kernel does not go: the guard says so and lives."""
    writer = group.start(lambda: (anon(32 * MIB)(), written_later("/out/written-while-frozen")))
    words = 'even_without_need = true, within = "1s"'
    guard.write(pressing(group.name, "kill", words, when=holding(group.name)))
    with frozen_disk():
        assert wait_until(lambda: state_of(writer) == "D"), state_of(writer)
        guard.start()
        assert wait_until(lambda: kinds(guard.acts()) == ["kill"]), guard.ledger()
        assert wait_until(lambda: _results(guard), 20), guard.ledger()
        assert state_of(writer) == "D"
        assert guard.alive()
        [stuck] = _results(guard)
        assert not stuck["gone"], stuck
    assert wait_until(lambda: not group.populated())
    assert guard.alive()
    return stuck["message"]


def state_frozen(group: Group, guard: Daemon) -> str:
    """The file system below --state hangs: the guard says so, acts and answers, and forgets nothing."""
    guard.state = f"/var/lib/{group.name}"  # on that disk, as nothing else of it is
    words = 'even_without_need = true, within = "1s"'
    guard.write(pressing(group.name, "kill", words, when=holding(group.name)))
    try:
        guard.start("--kmsg")
        with frozen_disk():
            assert wait_until(lambda: "have not taken a write for 5 s" in kernel_log()), kernel_log()
            group.start(anon(32 * MIB))
            begin = time.monotonic()
            assert wait_until(lambda: not group.populated())
            took = time.monotonic() - begin
            assert guard.alive()
            asked = guard.ask("dump")
            assert asked["error"].endswith("do not answer"), asked
            assert not guard.acts(), guard.ledger()
        assert wait_until(lambda: kinds(guard.acts()) == ["kill"]), guard.ledger()
        assert wait_until(lambda: any(one.endswith("take writes again") for one in guard.troubles()))
        assert wait_until(lambda: f"{guard.state}/incidents/{asked['dump']}" in guard.incidents())
        assert guard.status()["ledger_lost"] == 0
        assert guard.stop() == 0, get(f"{guard.home}/errors")
    finally:
        shutil.rmtree(guard.state, ignore_errors=True)
    return f"gone {took:.2f} s after it began"


def kernel_log() -> str:
    """All of it that is kept."""
    found = b""
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    try:
        while True:
            found += os.read(fd, 8192)
    except BlockingIOError:
        return found.decode(errors="replace")
    finally:
        os.close(fd)


def _results(guard: Daemon) -> list[dict]:
    return [one for one in guard.ledger() if one["schema"].startswith("memwarden.result/")]


def two_guards(group: Group, guard: Daemon) -> str:
    """A second guard refuses in one sentence; the first goes on; after its death the lock is free."""
    guard.start()
    second = memwarden("guard", "--state", f"{guard.home}/second")
    assert second.returncode == 3, second
    [line] = second.stderr.splitlines()
    assert "another guard runs here" in line, line
    assert guard.alive()
    try:
        Journal("/run/memwarden").close()
        raise AssertionError("the lock was free")
    except InputError:
        pass
    guard.die()
    guard.start()
    assert guard.alive()
    return line


CHECKS = (
    leak_is_killed, kernel_kill_is_kept, kernel_kill_while_paused, killed_while_throttling,
    killed_while_freezing, stopped_while_throttling, removed_before_the_kill, clock_steps,
    stopped_for_a_while, policy_emptied, pressure_file_disappears, pressed_cgroup_disappears, many_cgroups,
    victim_in_the_kernel, state_frozen, two_guards,
)  # fmt: skip
