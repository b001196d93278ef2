"""Compare what memwarden reads with the answer keys of a folder of real reports, field by field.

Run ``python tests/oomlogs/score.py [FOLDER]``; the folder holds ``NNN.log`` and ``NNN.json`` pairs and is by
default ``../shared/oomlogs`` beside the repository. It prints the share right per field, of causes once the
verdict can be imported, and every miss. Null in a key is not compared; where the text holds several
reports the best match counts.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from memwarden.postmortem.read import find_reports
from memwarden.units import MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memwarden.postmortem.model import OomReport

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "oomlogs"
KIB = 1024
UNLIMITED_KB = 8589934588
"""The least number that stands for "no limit" (32-bit, 4 KiB pages); the keys keep it as printed."""

SCOPES = {"global": "system", "sysrq": "system"}
"""Words of the keys for ours. ``bpf`` is a patched kernel's constraint; it names a cgroup, so ``memcg``."""


class Miss(NamedTuple):
    """One wrong field of one report."""

    report: str
    field: str
    wanted: Any
    got: Any


def main() -> int:
    """Print the table; exit 1 when a field is wrong."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    right: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    misses: list[Miss] = []
    for name, fields, report in scored(folder):
        for field, wanted, got in fields:
            total[field] += 1
            if same(field, wanted, got):
                right[field] += 1
            else:
                misses.append(Miss(name, field, wanted, got))
        for field, wanted, got in cause(folder, name, report):
            total[field] += 1
            if got in wanted:
                right[field] += 1
            else:
                misses.append(Miss(name, field, wanted, got))
    for field, count in total.items():
        print(f"{field:24} {right[field]:4} of {count:4}  {100 * right[field] / count:5.1f} %")
    for miss in misses:
        print(f"{miss.report} {miss.field}: wanted {miss.wanted!r}, got {miss.got!r}")
    return 1 if misses else 0


def scored(folder: Path) -> Iterable[tuple[str, list[tuple[str, Any, Any]], OomReport | None]]:
    """Per report: its name, its keyed fields with what was read, and the best matching report."""
    for key_file in sorted(folder.glob("[0-9][0-9][0-9].json")):
        expected = json.loads(key_file.read_text(encoding="utf-8"))["expected"]
        text = key_file.with_suffix(".log").read_bytes()
        reports = list(find_reports([text], file=key_file.stem))
        candidates = [(compare(expected, report), report) for report in reports] or [
            (compare(expected, None), None)
        ]
        fields, report = max(candidates, key=lambda pair: sum(same(*field) for field in pair[0]))
        yield key_file.stem, fields, report


def same(field: str, wanted: Any, got: Any) -> bool:
    """Whether a field is right."""
    if field.endswith("limit_kb") and wanted >= UNLIMITED_KB:
        return got is MAX
    return bool(wanted == got)


def compare(expected: dict[str, Any], report: OomReport | None) -> list[tuple[str, Any, Any]]:
    """The keyed fields as ``(name, wanted, got)``."""
    fields: list[tuple[str, Any, Any]] = []
    for name, read in READERS.items():
        wanted = expected.get(name)
        if name == "killed" and expected["n_killed"] == 0 and wanted is None:
            fields.append((name, None, read(report) if report else None))
        if wanted is None or (name == "scope_basis" and expected["scope"] is None):
            continue
        if name == "scope":
            wanted = SCOPES.get(wanted, wanted)
            wanted = "memcg" if wanted == "bpf" else wanted
        got = read(report) if report is not None else None
        if isinstance(wanted, dict):
            fields.extend(
                (f"{name}", {key: value}, {key: (got or {}).get(key)}) for key, value in wanted.items()
            )
        else:
            fields.append((name, wanted, got))
    return fields


def cause(folder: Path, name: str, report: OomReport | None) -> Iterable[tuple[str, list[str], str | None]]:
    """The cause, when there is a verdict to ask."""
    try:
        judge = importlib.import_module("memwarden.postmortem.verdict").judge
    except ImportError:
        return
    key = json.loads((folder / "causes.json").read_text(encoding="utf-8"))[name]
    verdict = judge(report) if report is not None else None
    yield (
        "cause",
        [key["cause"], *key["also"]],
        getattr(verdict, "verdict", verdict).cause if verdict else None,
    )


def kb(value: Any) -> Any:
    """Bytes to kB; MAX and ``None`` stay."""
    return value // KIB if isinstance(value, int) else value


def victim(field: str) -> Callable[[OomReport], Any]:
    """A field of the first victim."""
    return lambda report: getattr(report.victims[0], field) if report.victims else None


def memcg(field: str) -> Callable[[OomReport], Any]:
    """A field of the cgroup block."""
    return lambda report: getattr(report.memcg, field) if report.memcg else None


def in_pages(report: OomReport) -> dict[str, Any]:
    """The counters of the Mem-Info block in pages."""
    if report.node is None:
        return {}
    size = report.host.page_size_bytes
    fields = {name: getattr(report.node, f"{name}_bytes", None) for name in MEM_INFO}
    return {name: value // size if value is not None else None for name, value in fields.items()}


MEM_INFO = (
    *(
        "active_anon",
        "inactive_anon",
        "active_file",
        "inactive_file",
        "slab_reclaimable",
        "slab_unreclaimable",
    ),
    *("shmem", "free", "unevictable", "pagetables"),
)

READERS: dict[str, Callable[[OomReport], Any]] = {
    "scope": lambda r: r.scope,
    "scope_basis": lambda r: "text" if r.scope_from_text else "inferred" if r.scope != "unknown" else "none",
    "constraint": lambda r: r.constraint,
    "oom_memcg": memcg("oom_path"),
    "task_memcg": lambda r: r.task_path,
    "killed": lambda r: r.killed,
    "n_killed": lambda r: len(r.victims) if r.killed else 0,
    "panic": lambda r: r.panic,
    "victim_pid": victim("pid"),
    "victim_comm": victim("comm"),
    "victim_uid": victim("uid"),
    "total_vm_kb": lambda r: kb(victim("total_vm_bytes")(r)),
    "anon_rss_kb": lambda r: kb(victim("anon_rss_bytes")(r)),
    "file_rss_kb": lambda r: kb(victim("file_rss_bytes")(r)),
    "shmem_rss_kb": lambda r: kb(victim("shmem_rss_bytes")(r)),
    "pgtables_kb": lambda r: kb(victim("pgtables_bytes")(r)),
    "oom_score_adj": victim("oom_score_adj"),
    "invoker_comm": lambda r: r.invoker.comm,
    "invoker_pid": lambda r: r.invoker.pid,
    "invoker_oom_score_adj": lambda r: r.invoker.oom_score_adj,
    "order": lambda r: r.invoker.order,
    "gfp_mask": lambda r: hex(r.invoker.gfp_mask) if r.invoker.gfp_mask is not None else None,
    "gfp_flags": lambda r: "|".join(r.invoker.gfp_flags) if r.invoker.gfp_flags is not None else None,
    "usage_kb": lambda r: kb(memcg("usage_bytes")(r)),
    "limit_kb": lambda r: kb(memcg("limit_bytes")(r)),
    "failcnt": memcg("failcnt"),
    "memsw_usage_kb": lambda r: kb(memcg("memsw_usage_bytes")(r)),
    "memsw_limit_kb": lambda r: kb(memcg("memsw_limit_bytes")(r)),
    "memsw_failcnt": memcg("memsw_failcnt"),
    "swap_usage_kb": lambda r: kb(memcg("swap_usage_bytes")(r)),
    "swap_limit_kb": lambda r: kb(memcg("swap_limit_bytes")(r)),
    "kmem_usage_kb": lambda r: kb(memcg("kmem_usage_bytes")(r)),
    "memcg_stat_bytes": lambda r: r.memcg.stat if r.memcg else {},
    "mem_info_pages": in_pages,
    "total_ram_pages": lambda r: (
        r.node.ram_bytes // r.host.page_size_bytes if r.node and r.node.ram_bytes is not None else None
    ),
    "free_swap_kb": lambda r: kb(r.node.free_swap_bytes) if r.node else None,
    "total_swap_kb": lambda r: kb(r.node.total_swap_bytes) if r.node else None,
    "n_tasks_listed": lambda r: r.tasks_listed,
}

if __name__ == "__main__":
    sys.exit(main())
