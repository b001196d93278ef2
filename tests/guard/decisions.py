"""Decisions made by hand, for the tests of what keeps and tells them.

The figures are those of a leak of 40 MB/s beside a database, in a machine of 900 MB.
"""

from __future__ import annotations

from memwarden.guard.record import Candidate, Decision, Finding
from memwarden.guard.victims import Result
from memwarden.state.intents import CgroupId, Kill, Notify, Outcome, ProcessId, RunHook, SetHigh, Terminate
from memwarden.state.snapshot import Instant
from memwarden.units import MIB, SECOND_US

BOOT = "8c9ed1c7-9a52-4bd5-a30a-7b1a2f9e7f5b"
# 2026-11-26 05:10:21 UTC, an hour and twelve minutes after boot
AT = Instant(4320 * SECOND_US + 345_678, 1_795_669_821_000_000)
LEAK = CgroupId("/system.slice/leak.service", 4711)
POSTGRES = CgroupId("/system.slice/postgresql@16-main.service", 811)
SSHD = CgroupId("/system.slice/ssh.service", 812)
BATCH = CgroupId("/batch.slice/nightly.service", 990)

EXHAUSTION = Finding(
    detector="exhaustion",
    fired=True,
    value=800_000,
    threshold=1_000_000,
    unit="us",
    error=200_000.0,
    text="memory ends in 800 ms <= 1.0 s (600 ms to 950 ms: 32.0 MiB left, growing 40.0 MiB/s give or take "
    "4.00 MiB/s)",
)
STALL = Finding(
    detector="stall",
    fired=True,
    value=310_000,
    threshold=200_000,
    unit="us",
    held_us=1_100_000,
    text="full memory stall within 1.0 s: 310 ms > 200 ms, held 1.1 s",
)
CANDIDATES = (
    Candidate(LEAK, 350.0 * MIB, (("culprit", 350.0 * MIB), ("size", 352.0 * MIB)), unit="leak.service"),
    Candidate(
        BATCH,
        20.0 * MIB,
        (("culprit", 20.0 * MIB), ("size", 64.0 * MIB)),
        why_not="lower: culprit 20.0 MiB",
        unit="nightly.service",
    ),
    Candidate(
        POSTGRES,
        0.0,
        (("culprit", 0.0), ("size", 412.0 * MIB)),
        why_not="protected: postgresql (postgresql*.service)",
        unit="postgresql@16-main.service",
    ),
    Candidate(
        SSHD,
        0.0,
        (("culprit", 0.0), ("size", 3.0 * MIB)),
        why_not="never: sshd",
        unit="ssh.service",
    ),
    Candidate(
        CgroupId("/user.slice", 90),
        0.0,
        (("culprit", 0.0), ("size", 9.0 * MIB)),
        why_not="pruned: culprit 4.00 MiB, lower than what was gone into",
        stands_for=23,
    ),
)
KILL = Decision(
    id="41ec32-7",
    at=AT,
    policy="default",
    rule="memory ends",
    group="1",
    step=1,
    action="kill",
    findings=(EXHAUSTION,),
    need="memory ends in 0.6 s at the earliest",
    candidates=CANDIDATES,
    intents=(Kill(LEAK),),
)
KILLED = (Outcome(Kill(LEAK), done=True, signalled=3, took_us=4_100),)
GONE = Result("41ec32-7", LEAK, gone=True, freed_bytes=355 * MIB, took_us=310_000)
WITHHELD = Decision(
    id="41ec00-6",
    at=Instant(AT.monotonic_us - 2_000_000, AT.wall_us - 2_000_000),
    policy="default",
    rule="machine stalls",
    group="1",
    step=2,
    action="kill",
    findings=(STALL,),
    need="nothing stalls, the kernel does not reclaim, and memory does not end soon",
    withheld="no need: nothing stalls, the kernel does not reclaim, and memory does not end soon",
)
THROTTLE = Decision(
    id="41ec11-6",
    at=Instant(AT.monotonic_us - 400_000, AT.wall_us - 400_000),
    policy="default",
    rule="memory ends",
    group="1",
    step=0,
    action="throttle",
    findings=(EXHAUSTION,),
    need="memory ends in 0.9 s at the earliest",
    candidates=CANDIDATES[:2],
    intents=(SetHigh(LEAK, 300 * MIB, 400 * MIB),),
)
NOTIFY = Decision(
    id="41e000-1",
    at=Instant(AT.monotonic_us - 9_000_000, AT.wall_us - 9_000_000),
    policy="default",
    rule="spinning at memory.max",
    group="1",
    step=0,
    action="notify",
    findings=(STALL,),
    need="tasks stalled for 310 ms in 2 s",
    intents=(Notify("out of memory at its limit"),),
)
PROCESS = ProcessId(4242, 99, "hog")
HOOK = KILL._replace(
    id="41ec32-8",
    step=0,
    action="hook",
    candidates=(CANDIDATES[0]._replace(target=PROCESS, unit=None), *CANDIDATES[1:]),
    intents=(RunHook(("/usr/bin/gcore", "4242"), PROCESS, SECOND_US, "freeze", (("LC_ALL", "C"),)),),
)
TERM = KILL._replace(id="41ec32-9", action="term", candidates=(), intents=(Terminate(PROCESS),))
