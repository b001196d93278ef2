"""One result, judged: who died, who should have, what everybody else paid.

``died`` of a result is when a unit's cgroup became empty. A load that ends by itself (``spike``; ``tmpfs``
when that is full) counts as killed where it ended earlier than under the kernel alone, which acts on none.
Deaths that leave a cgroup populated, and those of other services, are known from the daemon's journal
(:mod:`lab.arena.said`).
"""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.arena import columns, runs, said, scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DATABASE = "postgresql@16-main.service"
PROGRAM = "postgres"
"""The name of the database's process."""
SHORT_SHARE = 0.05
"""Of the machine's memory: less than so much available is a shortage."""
STALL_SHARE = 0.1
"""Of a sample's time: more than so much of full stall is one too."""
EARLY_S = 0.75
"""A load that ends by itself, so much earlier than undisturbed, was killed."""
LATE_US = 50_000
"""A request that took longer is late."""
WAIT_US = 50_000
"""The objective of the column that has one: so long may the database stall in any second."""
DEADLY = ("kill", "term", "restart", "panic")
ACTING = (*DEADLY, "hook", "throttle", "freeze", "reclaim")
"""Actions beyond a notice, as memwarden's decisions name them."""
USED = (("cpu_us", 1e3), ("peak_rss_kib", 1024))


class Judged(NamedTuple):
    """What one turn came to. Seconds, milliseconds and MiB as the names say.

    ``trouble_s`` is from the first to the last sample in which memory was short (``SHORT_SHARE``) or all
    tasks stalled (``STALL_SHARE``): the time from onset to relief, within the window. ``late_s`` counts the
    seconds in which some request of the database was late. ``acts`` are memwarden's own, beyond notices.
    ``waited_s`` counts those in which some task of the database waited for memory for longer than
    ``WAIT_US``.
    ``in_part`` are permitted victims of which some process was killed, and others went on. Latencies are
    infinite where no request was answered.
    ``inputs`` is what the turn was made with, see :func:`lab.arena.runs.inputs`.
    """

    column: str
    scenario: str
    seed: int
    killed: tuple[str, ...]
    in_part: tuple[str, ...]
    wrongly: tuple[str, ...]
    database_lived: bool
    kernel_kills: int
    acts: int
    stall_s: float
    trouble_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    late_s: int
    waited_s: int
    cpu_ms: float
    rss_mib: float
    guard_lived: bool
    inputs: str

    @property
    def right(self) -> bool:
        """Whether the outcome is what the scenario asks for, with nobody else's help."""
        scenario = scenarios.BY_NAME[self.scenario]
        if self.wrongly or not self.database_lived or not self.guard_lived:
            return False
        if scenario.kind == scenarios.MUST:
            return len(self.killed) >= 1 and not self.kernel_kills
        return not self.killed and not self.acts and not self.kernel_kills

    @property
    def word(self) -> str:
        """The outcome in one or two words."""
        scenario = scenarios.BY_NAME[self.scenario]
        if not self.database_lived:
            return "database killed"
        if self.wrongly:
            return "wrong victim"
        if not self.guard_lived:
            return "daemon died"
        if self.kernel_kills:
            return "kernel killed" if self.column == "kernel" else "too slow"
        if scenario.kind == scenarios.MUST:
            if not self.killed and self.in_part:
                return "only in part"
            return "right" if self.killed else "never acts"
        return "acts" if self.killed or self.acts else "right"


def every() -> Iterator[tuple[dict[str, Any], runs.Turn]]:
    """All results that are there and still have a column and a scenario."""
    for column in columns.COLUMNS:
        for scenario in scenarios.of(column.name):
            folder = runs.RESULTS / column.name
            for path in sorted(folder.glob(f"{scenario.name}.*.json")):
                found = json.loads(path.read_text())
                yield found, runs.Turn(column, scenario, found["seed"])


def undisturbed(found: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """When loads that end by themselves end, by scenario and unit: the earliest under the kernel alone."""
    ends: dict[tuple[str, str], float] = {}
    for one in found:
        if one["column"] == "kernel" and not one["kernel_kills"]:
            for name, at_s in one["died"].items():
                key = (one["scenario"], name)
                ends[key] = min(at_s, ends.get(key, at_s))
    return ends


def judge(found: dict[str, Any], turn: runs.Turn, ends: dict[tuple[str, str], float]) -> Judged:
    """Judge one result. ``ends``: see :func:`undisturbed`."""
    scenario, processes = turn.scenario, said.killed(found["column"], found["said"])
    permitted = set(scenario.permitted)
    dead = tuple(
        name.removesuffix(".service")
        for name in found["died"]
        if name != DATABASE and not ended_itself(found, turn, name, ends)
    )
    others = tuple(name for name in processes if name not in dead and name != PROGRAM)
    samples, latency = found["samples"], found["latency"]
    return Judged(
        found["column"], found["scenario"], found["seed"],
        tuple(name for name in dead if name in permitted),
        tuple(name for name in others if name in permitted),
        tuple(name for name in (*dead, *others) if name not in permitted),
        DATABASE not in found["died"],
        found["kernel_kills"],
        sum(1 for one in found["decisions"] if acted(one)),
        (samples[-1][4] - samples[0][4]) / 1e6,
        trouble_s(samples),
        *((latency.get(rank) or math.inf) / 1e3 for rank in ("p50", "p99", "max")),
        sum(1 for worst in latency["worst_per_s"] if worst > LATE_US),
        waits(samples),
        # What a daemon that was killed itself had used is gone with it.
        *((found["guard"][what] / unit if found["guard"]["alive"] else math.inf) for what, unit in USED),
        found["guard"]["alive"],
        found["inputs"],
    )  # fmt: skip


def ended_itself(
    found: dict[str, Any], turn: runs.Turn, name: str, ends: dict[tuple[str, str], float]
) -> bool:
    """Whether nobody killed a unit that is gone: a spike was over, or a write to a full tmpfs failed."""
    unit = name.removesuffix(".service")
    load = next((load for load in turn.scenario.loads if load.unit == unit), None)
    if load is None or unit in said.killed(found["column"], found["said"]) or _chosen(found, name):
        return False
    what = load.command.partition(" ")[0]
    if what == "tmpfs" and (found["kernel_kills"] or any(map(acted, found["decisions"]))):
        return False
    end = ends.get((turn.scenario.name, name))
    return what in ("spike", "tmpfs") and (end is None or found["died"][name] > end - EARLY_S)


def _chosen(found: dict[str, Any], name: str) -> bool:
    """Whether memwarden killed a unit, by its own decisions."""
    return any(
        (intent.get("target") or {}).get("path", "").endswith(f"/{name}")
        for line in found["decisions"]
        if acted(line) and line["action"] in DEADLY
        for intent in line["intents"]
    )


def acted(line: dict[str, Any]) -> bool:
    """Whether a line of memwarden's decisions is more than a notice, and was done."""
    return bool(line.get("intents")) and not line.get("dry") and line.get("action") in ACTING


def trouble_s(samples: list[list[Any]]) -> float:
    """Seconds from the first sample of a shortage to the last one; 0 without any."""
    short_kib = runs.MEMORY_MIB * 1024 * SHORT_SHARE
    bad = [
        now[0]
        for before, now in itertools.pairwise(samples)
        if now[1] < short_kib or now[4] - before[4] > STALL_SHARE * 1e6 * (now[0] - before[0])
    ]
    return bad[-1] - bad[0] if bad else 0.0


def waits(samples: list[list[Any]]) -> int:
    """Seconds of the window in which the database waited for longer than its objective allows."""
    begins = [
        next((row for row in samples if row[0] >= at_s), samples[-1])
        for at_s in range(int(samples[-1][0]) + 2)
    ]
    return sum(1 for before, now in itertools.pairwise(begins) if now[7] - before[7] > WAIT_US)


def read() -> list[Judged]:
    """All results, judged, in the order of columns, scenarios and seeds."""
    pairs = list(every())
    ends = undisturbed([found for found, _ in pairs])
    return [judge(found, turn, ends) for found, turn in pairs]


def current(turns: Sequence[Judged]) -> list[Judged]:
    """Those that were made with what is here now, which does not depend on the seed."""
    now = {
        key: runs.inputs(runs.Turn(columns.BY_NAME[key[0]], scenarios.BY_NAME[key[1]], 1))
        for key in {(turn.column, turn.scenario) for turn in turns}
    }
    return [turn for turn in turns if turn.inputs == now[turn.column, turn.scenario]]
