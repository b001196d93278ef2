"""Incidents: when something dies, whoever killed it, what led to it is put aside before it is overwritten.

A death is a victim of ours that is gone, a count of the kernel's kills that rises (``oom_kill`` of
memory.events and /proc/vmstat), or a report in the kernel's log. Deaths within a few seconds are one
incident, of half a minute at most: a folder with ``incident.json``, the last minutes of the flight recorder,
and the kernel's report. The writer's thread makes it, after the blocks of the recorder that were handed over
before.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, cast

from memwarden.guard import ledger as documents
from memwarden.guard.written import plain
from memwarden.host import plain_json
from memwarden.state.intents import CgroupId
from memwarden.state.looked import others
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.host.own_files import Folders
    from memwarden.host.writer import Writer
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.intents import Outcome
    from memwarden.state.snapshot import Instant, Snapshot

SCHEMA: Final = "memwarden.incident/1"
NAME: Final = "incidents"
MOST: Final = 32
"""Incidents that are kept, of :data:`FLIGHT` and :data:`LOG` bytes at most and a little."""
FLIGHT: Final = 2 << 20
LOG: Final = 1 << 19
SETTLED_US: Final = 5 * SECOND_US
"""So long after the last death an incident is over."""
LONGEST_US: Final = 30 * SECOND_US
"""It is over then in any case: the kernel may talk of other things, and somebody die again, for hours."""
BEFORE_US: Final = 60 * SECOND_US
"""Decisions of so long before belong to it."""
DECISIONS: Final = 16
UNSEEN: Final = 64
"""Cgroups that are remembered although they were not to be seen: they may be back at the next look."""
BEGINS: Final = b"invoked oom-killer"
KILLS: Final = b"Killed process"


class Incidents:
    """Watches for deaths. ``latest`` gives the last bytes of the flight recorder, that many at most.

    ``wrong`` has what went wrong with incidents, by their names; whoever tells it takes it out.
    """

    def __init__(
        self,
        folders: Folders,
        latest: Callable[[int], Iterable[bytes]],
        writer: Writer,
        *,
        boot: str,
    ) -> None:
        self._folders = folders
        self._latest = latest
        self._writer = writer
        self.wrong: dict[str, str] = {}
        self._boot = boot
        self.dry = False
        self._seen: Snapshot | None = None
        self._present: Mapping[str, Cgroup] | None = None
        """Those that were compared last; ``None`` before any."""
        self._counts: dict[str, tuple[int, int]] = {}
        """Inode, and kills by the kernel, of those in which there were any."""
        self._total: int | None = None
        self._decisions: list[tuple[Decision, Sequence[Outcome]]] = []
        self._results: list[tuple[Result, Instant]] = []
        self._log: list[bytes] = []
        self._log_size = 0
        self._deaths: list[dict[str, Any]] = []
        self._began: Instant | None = None
        self._last_us = 0
        self._count = 0

    def look(self, snapshot: Snapshot) -> None:
        """What was seen; counts are compared when there is time."""
        self._seen = snapshot

    def decided(self, decision: Decision, outcomes: Sequence[Outcome]) -> None:
        """A decision, to be put aside if somebody dies."""
        if decision.intents:
            self._decisions.append((decision, outcomes))
            del self._decisions[:-DECISIONS]

    def result(self, result: Result, now: Instant) -> None:
        """What came of a decision."""
        if result.gone:
            target = result.target
            whom: dict[str, Any] = (
                {"cgroup": target.path}
                if isinstance(target, CgroupId)
                else {"cgroup": None, "pid": target.pid}
            )
            self._died(now, by="guard", decision=result.decision, **whom)
            self._results.append((result, now))
            del self._results[:-DECISIONS]

    def kernel_said(self, record: bytes, now: Instant) -> None:
        """A record of ``/dev/kmsg``; of a report on, all are kept until the incident is over."""
        if not self._log and BEGINS not in record:
            return
        if self._log_size + len(record) <= LOG:
            self._log.append(record if record.endswith(b"\n") else record + b"\n")
            self._log_size += len(record)
        self._began = self._began or now
        self._last_us = now.monotonic_us
        if KILLS in record and not any(one["by"] == "kernel" for one in self._deaths):
            self._died(now, by="kernel", cgroup=None)

    def flush(self, now: Instant) -> None:
        """Look for deaths, and hand over an incident that is over."""
        if self._seen is not None:
            self._compare(self._seen, now)
            self._seen = None
        now_us, began = now.monotonic_us, self._began
        if now_us - self._last_us >= SETTLED_US or (began and now_us - began.monotonic_us >= LONGEST_US):
            self.close()

    def close(self) -> None:
        """Hand over what there is now."""
        if self._began is None:
            return
        began, deaths, log = self._began, self._deaths, self._log
        self._began, self._deaths, self._log, self._log_size = None, [], [], 0
        if deaths:  # else the kernel looked for a victim and found none, or did not need one any more
            self._put(began, deaths, log)

    def dump(self, now: Instant) -> str:
        """Put the last minutes aside although nobody died: the name."""
        return self._put(now, [], [])

    def _put(self, began: Instant, deaths: list[dict[str, Any]], log: list[bytes]) -> str:
        self._count += 1
        key = f"{_stamp(began)}-{self._count}"
        document = plain_json.dumps(self._document(key, began, deaths)).encode() + b"\n"
        files: list[tuple[str, Iterable[bytes]]] = [
            ("incident.json", [document]),
            ("flight", self._latest(FLIGHT)),
        ]
        if log:
            files.append(("kernel.log", log))
        self._writer.put(
            lambda: self._folders.add(key, files),
            len(document) + sum(map(len, log)),
            lambda why: self.wrong.update({key: f"incident {key} cannot be written: {why}"}),
        )
        return key

    def _document(self, key: str, began: Instant, deaths: list[dict[str, Any]]) -> dict[str, Any]:
        earliest = began.monotonic_us - BEFORE_US
        return {
            "schema": SCHEMA,
            "id": key,
            "boot_id": self._boot,
            "at": plain(began),
            "message": _message(deaths),
            "deaths": deaths,
            "decisions": [
                documents.decision(decision, outcomes, boot=self._boot, dry=self.dry)
                for decision, outcomes in self._decisions
                if decision.at.monotonic_us >= earliest
            ],
            "results": [
                documents.result(result, at=at, boot=self._boot)
                for result, at in self._results
                if at.monotonic_us >= earliest
            ],
        }

    def _compare(self, snapshot: Snapshot, now: Instant) -> None:
        """Whether the kernel has killed since the last look."""
        before, self._present = self._present, snapshot.cgroups
        rose = 0
        for path in others(before or {}, snapshot.cgroups):
            cgroup = snapshot.cgroups[path]
            events = cast("Mapping[str, int]", cgroup.events_local or cgroup.events or {})
            count = events.get("oom_kill", 0)
            inode, known = self._counts.pop(path, (0, 0))
            if not count or (cgroup.events_local is None and cgroup.children):
                continue
            self._counts[path] = (cgroup.inode, count)
            risen = count - known if inode == cgroup.inode else count
            if risen > 0 and before is not None:
                rose += risen
                self._died(now, by="kernel", cgroup=path, count=risen)
        if len(self._counts) > len(snapshot.cgroups) + UNSEEN:
            self._counts = {path: one for path, one in self._counts.items() if path in snapshot.cgroups}
        total = (snapshot.vmstat or {}).get("oom_kill")
        if total is not None and self._total is not None and total - self._total > rose:
            self._died(now, by="kernel", cgroup=None, count=total - self._total - rose)
        self._total = total

    def _died(self, now: Instant, *, by: str, cgroup: str | None, **more: Any) -> None:
        death = {"by": by, "cgroup": cgroup, "pid": None, "decision": None, "count": 1} | more
        if self._began is None:
            self._began = now
        self._last_us = now.monotonic_us
        if len(self._deaths) < MOST:
            self._deaths.append(death)


def _message(deaths: list[dict[str, Any]]) -> str:
    said = []
    for who, by in (("guard", "memwarden"), ("kernel", "the kernel")):
        whom = [
            one["cgroup"] or (f"process {one['pid']}" if one["pid"] else "")
            for one in deaths
            if one["by"] == who
        ]
        if whom:
            named = ", ".join(dict.fromkeys(filter(None, whom)))
            said.append(f"killed by {by}: {named or 'see the kernel log'}")
    return "; ".join(said) or "nobody died; somebody asked for the last minutes"


def _stamp(at: Instant) -> str:
    """A name in the order of time."""
    if at.wall_us is None:
        return f"boot-{at.monotonic_us:016d}"
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(at.wall_us // SECOND_US))
