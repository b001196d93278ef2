"""Who is killed, and what is counted."""

from __future__ import annotations

import os
import time
from typing import Any

from kit import Child, Group, anon, area, cleaned, get, keyed, memory, put, touch


def _score(child: Child) -> int:
    return int(get(f"/proc/{child.pid}/oom_score"))


def root_has_a_bonus() -> dict[str, Any]:
    """Two processes of the same size, one of them root's: 3 percent of it would be six points."""
    group = Group()
    root, user = Child(group, anon, 200), Child(group, anon, 200, uid=1000)
    with cleaned(group, root, user):
        root.answer()
        user.answer()
        return {"root": _score(root), "user": _score(user)}


def score_is_a_percentage() -> dict[str, Any]:
    """A process that holds next to nothing, and one that holds a quarter of memory."""
    group = Group()
    small, large = Child(group, anon, 0.1), Child(group, anon, memory("MemTotal") / 4)
    with cleaned(group, small, large):
        small.answer()
        large.answer()
        return {"score_of_nothing": _score(small), "score_of_a_quarter": _score(large)}


def exempt_is_never_killed() -> dict[str, Any]:
    """Only exempt processes at a limit; then cgroup.kill, or SIGKILL where there is none."""
    group = Group(max=32, swap_max=0)
    child = Child(group, anon, 64, adj=-1000)
    with cleaned(group, child):
        time.sleep(2)
        alive, ooms = child.alive, group.event("oom")
        cpu = sum(map(int, get(f"/proc/{child.pid}/stat").rpartition(")")[2].split()[11:13]))
        try:
            put(f"{group.path}/cgroup.kill", 1)
        except OSError:
            os.kill(child.pid, 9)
        return {
            "alive_after_2_s": alive, "oom": ooms, "kills": group.event("oom_kill"),
            "cpu_s": cpu / os.sysconf("SC_CLK_TCK"), "dies_of_sigkill": child.gone(5),
        }  # fmt: skip


def group_kills_all_or_none() -> dict[str, Any]:
    """Three processes in a cgroup that is killed as a whole, one of them exempt."""
    group = Group(max=64, swap_max=0, oom_group=True)
    idle, exempt = Child(group, anon, 4), Child(group, anon, 4, adj=-1000)
    with cleaned(group, idle, exempt):
        idle.answer()
        exempt.answer()
        grows = Child(group, anon, 96)
        with cleaned(grows):
            grows.gone()
            idle.gone(2)
            return {
                "dead": (not idle.alive) + (not grows.alive), "exempt_alive": exempt.alive,
                "kills": group.event("oom_kill"), "group_kills": group.event("oom_group_kill"),
            }  # fmt: skip


def kills_count_the_dead() -> dict[str, Any]:
    """Two processes in a cgroup that is killed as a whole."""
    group = Group(max=64, swap_max=0, oom_group=True)
    idle = Child(group, anon, 4)
    with cleaned(group, idle):
        idle.answer()
        grows = Child(group, anon, 96)
        with cleaned(grows):
            grows.gone()
            idle.gone(5)
            return {"dead": (not idle.alive) + (not grows.alive), "kills": group.event("oom_kill")}


def no_oom_no_kill() -> dict[str, Any]:
    """The limit is the parent's; the victim is in a child."""
    parent = Group(max=48, swap_max=0)
    parent.delegate()
    below = Group(parent)
    child = Child(below, anon, 96)
    with cleaned(parent, below, child):
        child.gone()
        return {
            "oom": below.event("oom"), "kills": below.event("oom_kill"),
            "parent_oom": parent.event("oom"),
        }  # fmt: skip


def highest_score_dies() -> dict[str, Any]:
    """A large process elsewhere, and a small one at a limit."""
    elsewhere, tight = Group(), Group(max=32, swap_max=0)
    large = Child(elsewhere, anon, 128)
    with cleaned(elsewhere, tight, large):
        large.answer()
        small = Child(tight, anon, 16)
        with cleaned(small):
            small.answer()
            scores = _score(large), _score(small)
            grows = Child(tight, anon, 14)
            with cleaned(grows):
                time.sleep(0.2)
                more = Child(tight, anon, 12)
                with cleaned(more):
                    more.answer(10)
                    time.sleep(0.5)
                    dead = [not one.alive for one in (small, grows, more)]
                    return {
                        "score_elsewhere": scores[0], "score_at_limit": scores[1],
                        "elsewhere_alive": large.alive, "dead_at_limit": sum(dead),
                    }  # fmt: skip


def guaranteed_dies_last() -> dict[str, Any]:
    """At one limit what the kubelet gives: BestEffort 1000, Guaranteed -997, its pause container -998."""
    group = Group(max=64, swap_max=0)
    pause, effort = Child(group, anon, 1, adj=-998), Child(group, anon, 8, adj=1000)
    sure = Child(group, anon, 40, adj=-997)
    with cleaned(group, pause, effort, sure):
        for one in (pause, effort, sure):
            one.answer()
        scores = _score(pause), _score(effort), _score(sure)
        first = Child(group, anon, 12, adj=-997)  # 49 MiB and this: BestEffort's 8 are enough
        with cleaned(first):
            first.answer(10)
            effort.gone(2)
            alive = sure.alive, first.alive
            second = Child(group, anon, 24, adj=-997)
            with cleaned(second):
                sure.gone(5)
                return {
                    "score_998": scores[0], "score_997": scores[2], "score_1000": scores[1],
                    "besteffort_first": not effort.alive and all(alive),
                    "guaranteed_dead": not sure.alive, "pause_alive": pause.alive,
                }  # fmt: skip


def _avg10() -> float:
    """The higher one of some and full; 0 without PSI."""
    return max([0.0, *(float(line.split()[1][6:]) for line in get("/proc/pressure/memory").splitlines())])


def avg10_warns() -> dict[str, Any]:
    """A leak takes the whole machine, without swap: the highest avg10 that is seen before the kill."""
    group = Group()

    def leak() -> None:
        total, step = int(memory("MemTotal")), 1 << 20
        address = area(total)
        for number in range(total):
            touch(address + number * step, 1)
            time.sleep(0.01)

    while _avg10() > 1:  # what was before has to be forgotten
        time.sleep(2)
    before = keyed(get("/proc/vmstat"), "oom_kill")
    child, highest = Child(group, leak, adj=1000), 0.0
    with cleaned(group, child):
        begin = time.monotonic()
        while child.alive and time.monotonic() - begin < 120:
            highest = max(highest, _avg10())
            time.sleep(0.05)
        return {
            "avg10": highest, "killed_after_s": round(time.monotonic() - begin, 1),
            "kills": keyed(get("/proc/vmstat"), "oom_kill") - before,
        }  # fmt: skip


TRIALS = {
    "root-has-a-bonus": root_has_a_bonus,
    "score-is-a-percentage": score_is_a_percentage,
    "exempt-is-never-killed": exempt_is_never_killed,
    "group-kills-all-or-none": group_kills_all_or_none,
    "kills-count-the-dead": kills_count_the_dead,
    "no-oom-no-kill": no_oom_no_kill,
    "highest-score-dies": highest_score_dies,
    "guaranteed-dies-last": guaranteed_dies_last,
    "avg10-warns": avg10_warns,
}
