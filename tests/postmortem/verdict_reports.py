"""Reports for the tests of the verdict, made by hand: memory in MiB, pages of 4 KiB."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from memwarden.postmortem.model import (
    HostInfo,
    Invoker,
    Mark,
    MemcgFacts,
    NodeFacts,
    OomReport,
    Source,
    TaskRow,
    Victim,
    ZoneFacts,
)
from memwarden.state.traits import BadnessRule, Basis, KernelTraits
from memwarden.units import MIB

PAGE = 4096
PAGES = MIB // PAGE
"""Pages of a MiB."""
GFP_KERNEL = 0xCC0
GFP_HIGHUSER_MOVABLE = 0x100CCA
SOURCE = Source("kern.log", 1, 99, complete=True)
SIGNED = KernelTraits(basis={"badness": Basis.VERSION})
UNSIGNED = KernelTraits(badness=BadnessRule.UNSIGNED, basis={"badness": Basis.VERSION})


def traits(rule: BadnessRule) -> KernelTraits:
    """The traits of a kernel whose release the text names."""
    return KernelTraits(badness=rule, basis={"badness": Basis.VERSION})


def task(pid: int, rss_mib: float, adj: int | None = 0, **fields: Any) -> TaskRow:
    """A row of the table; its line is 1000 + pid, it has no swap and no page tables unless given."""
    known: dict[str, Any] = {
        "line": 1000 + pid,
        "comm": f"p{pid}",
        "uid": 1000,
        "tgid": pid,
        "total_vm_pages": int(rss_mib * PAGES) * 2,
        "rss_pages": int(rss_mib * PAGES),
        "pgtables_bytes": 0,
        "swap_pages": 0,
        "oom_score_adj": adj,
    }
    return TaskRow(pid=pid, **(known | fields))


def victim(pid: int, anon_mib: float | None = None, **fields: Any) -> Victim:
    """A killed process."""
    known: dict[str, Any] = {
        "line": 90,
        "comm": f"p{pid}",
        "uid": 1000,
        "anon_rss_bytes": None if anon_mib is None else int(anon_mib * MIB),
        "file_rss_bytes": None if anon_mib is None else 0,
        "shmem_rss_bytes": None if anon_mib is None else 0,
        "oom_score_adj": 0,
    }
    return Victim(pid=pid, **(known | fields))


def zone(
    name: str, free_mib: float, watermark_mib: float = 16, managed_mib: float = 1024, **fields: Any
) -> ZoneFacts:
    """A zone whose low and high watermarks are 1.25 and 1.5 times min."""
    known: dict[str, Any] = {
        "free_bytes": int(free_mib * MIB),
        "min_bytes": int(watermark_mib * MIB),
        "low_bytes": int(watermark_mib * MIB * 5 / 4),
        "high_bytes": int(watermark_mib * MIB * 3 / 2),
        "present_bytes": int(managed_mib * MIB),
        "managed_bytes": int(managed_mib * MIB),
    }
    return ZoneFacts(0, name, **(known | fields))


def memcg_facts(
    usage_mib: float | None, limit: Any = None, stat_mib: dict[str, float] | None = None, **fields: Any
) -> MemcgFacts:
    """A cgroup at its limit (its usage unless given); v2 without swap unless fields say otherwise."""
    usage = None if usage_mib is None else int(usage_mib * MIB)
    known: dict[str, Any] = {
        "oom_path": "/a",
        "usage_bytes": usage,
        "limit_bytes": usage if limit is None else limit,
        "failcnt": 7,
        "swap_usage_bytes": 0,
        "swap_limit_bytes": 0,
        "stat": {name: int(size * MIB) for name, size in (stat_mib or {}).items()},
    }
    return MemcgFacts(**(known | fields))


def node_facts(
    ram_mib: float | None = 1024, swap_mib: float | None = 0, swap_free_mib: float = 0, **mib: Any
) -> NodeFacts:
    """The machine; keyword figures in MiB, by the model's names without ``_bytes``; ``zones`` as they are."""
    zones = mib.pop("zones", ())
    slabs = mib.pop("slabs", {})
    counters = mib.pop("counters", {})
    known = {f"{name}_bytes": int(size * MIB) for name, size in mib.items()}
    return NodeFacts(
        ram_bytes=None if ram_mib is None else int(ram_mib * MIB),
        total_swap_bytes=None if swap_mib is None else int(swap_mib * MIB),
        free_swap_bytes=None if swap_mib is None else int(swap_free_mib * MIB),
        zones=tuple(zones),
        unreclaimable_slabs_bytes={name: int(size * MIB) for name, size in slabs.items()},
        counters_bytes={name: int(size * MIB) for name, size in counters.items()},
        **known,
    )


def report(**fields: Any) -> OomReport:
    """A report of a current kernel, GFP_KERNEL, order 0."""
    known: dict[str, Any] = {
        "source": SOURCE,
        "host": HostInfo(page_size_basis="text"),
        "invoker": Invoker("asker", 77, GFP_KERNEL, ("GFP_KERNEL",), 0, 0),
        "traits": SIGNED,
        "scope_from_text": True,
        "killed": bool(fields.get("victims")),
    }
    return OomReport(**(known | fields))


def memcg_report(facts: MemcgFacts | None, *tasks: TaskRow, **fields: Any) -> OomReport:
    """A report of a cgroup /a whose process p1 died."""
    known: dict[str, Any] = {
        "scope": "memcg",
        "constraint": "CONSTRAINT_MEMCG",
        "memcg": facts,
        "task_path": "/a",
        "tasks": tasks,
        "victims": (victim(1, 10),),
    }
    return report(**(known | fields))


def system_report(facts: NodeFacts | None, *tasks: TaskRow, **fields: Any) -> OomReport:
    """A report of the whole machine whose process p1 died."""
    known: dict[str, Any] = {
        "scope": "system",
        "constraint": "CONSTRAINT_NONE",
        "node": facts,
        "tasks": tasks,
        "victims": (victim(1, 10),),
    }
    return report(**(known | fields))


def with_invoker(made: OomReport, **fields: Any) -> OomReport:
    """The same with another request."""
    return replace(made, invoker=replace(made.invoker, **fields))


def marks(*pairs: tuple[str, int, str]) -> tuple[Mark, ...]:
    """Lines of the log by kind."""
    return tuple(Mark(*pair) for pair in pairs)
