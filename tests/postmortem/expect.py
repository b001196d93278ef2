"""What a report must say about the world it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.units import MAX

if TYPE_CHECKING:
    from memwarden.postmortem.model import OomReport, TaskRow, Victim, ZoneFacts
    from tests.postmortem.eras import Era
    from tests.postmortem.world import Task, World

KIB = 1024


def check(report: OomReport, world: World, transport: str = "bare") -> None:
    """Compare every fact; a transport may lose lines' ends or the columns' widths, but no figure."""
    era = world.era
    broken = transport in ("mail", "flowed", "terminal")
    assert report.scope == world.scope
    assert report.killed is True
    assert not report.panic
    assert report.source.complete
    assert report.source.unparsed_lines == 0
    assert report.host.page_size_bytes == era.page_size
    assert report.host.kernel == era.release
    assert report.mems_allowed == ("0-1" if era.has("cpuset") or era.has("summary") else None)
    assert report.task_path == task_path(world)
    check_invoker(report, world)
    if world.scope == "memcg":
        check_memcg(report, world)
    if world.scope != "memcg" or era.cpu == "Pid":
        check_node(report, world)
    else:
        assert report.node is None
    assert [row_facts(row) for row in report.tasks] == [task_facts(task, era) for task in rows(world)]
    names = [row.comm for row in report.tasks]
    assert names == [task.comm for task in rows(world)] or broken
    check_victims(report, world)


def rows(world: World) -> tuple[Task, ...]:
    """The tasks that the table lists."""
    return world.tasks if world.era.columns else ()


def task_path(world: World) -> str | None:
    """The victim's cgroup: in the summary, or in "Task in"."""
    if world.era.has("summary") or (world.scope == "memcg" and world.era.has("task-in")):
        return world.task_path
    return None


def check_invoker(report: OomReport, world: World) -> None:
    """Who asked."""
    printed = world.era.header in ("flags", "nodemask")
    invoker = report.invoker
    assert (invoker.comm, invoker.pid) == (world.invoker, world.invoker_pid)
    assert (invoker.gfp_mask, invoker.order) == (world.gfp_mask, world.order)
    assert invoker.gfp_flags == (("GFP_KERNEL", "__GFP_COMP") if printed else None)
    assert invoker.oom_score_adj == (None if world.era.header in ("oomkilladj", "oom_adj") else world.adj)


def check_memcg(report: OomReport, world: World) -> None:
    """The cgroup block."""
    memcg, era = report.memcg, world.era
    assert memcg is not None
    named = era.has("task-in") or era.stats != "none"
    assert memcg.oom_path == (world.oom_path if named else None)
    assert (memcg.usage_bytes, memcg.limit_bytes) == (world.usage_kb * KIB, world.limit_kb * KIB)
    assert memcg.failcnt == world.failcnt
    if world.v2:
        assert (memcg.swap_usage_bytes, memcg.swap_limit_bytes) == (world.swap_usage_kb * KIB, MAX)
        assert (memcg.swap_failcnt, memcg.memsw_usage_bytes) == (world.swap_failcnt, None)
        assert memcg.stat == world.stat
    else:
        assert (memcg.memsw_usage_bytes, memcg.memsw_limit_bytes) == (world.memsw_usage_kb * KIB, MAX)
        assert (memcg.memsw_failcnt, memcg.swap_usage_bytes) == (0, None)
        assert memcg.kmem_usage_bytes == (world.kmem_usage_kb * KIB if era.has("kmem") else None)
        assert memcg.kmem_limit_bytes == (MAX if era.has("kmem") else None)
        assert (
            {name: memcg.stat[name] for name in world.v1_stat} == world.v1_stat
            if era.stats != "none"
            else True
        )
    if era.stats == "line":
        assert memcg.descendants == {world.task_path: {"cache": 12 * KIB, "rss": 34 * KIB, "rss_huge": 0}}
    protection = (2048 * KIB, 8192 * KIB) if era.has("protection") else (None, None)
    assert (memcg.min_protection_bytes, memcg.low_protection_bytes) == protection


def check_node(report: OomReport, world: World) -> None:
    """The Mem-Info block, in bytes."""
    node, era, size = report.node, world.era, world.era.page_size
    assert node is not None
    byte = {name: pages * size for name, pages in world.counters.items()}
    got = {name: getattr(node, f"{name}_bytes") for name in NODE_FIELDS}
    assert got == {name: byte[name] if name in printed(era) else None for name in NODE_FIELDS}
    assert node.ram_bytes == world.ram_pages * size
    assert node.reserved_bytes == world.reserved_pages * size
    assert (node.pagecache_bytes, node.swap_cache_bytes) == (
        world.cache_pages * size,
        world.swap_cache_pages * size,
    )
    assert (node.total_swap_bytes, node.free_swap_bytes) == (
        world.swap_total_kb * KIB,
        world.swap_free_kb * KIB,
    )
    assert node.hugepages_bytes == (world.huge_total * 2048 * KIB if era.has("huge") else None)
    assert [zone_facts(zone) for zone in node.zones] == [
        {
            "place": (0, name),
            "free": world.zone_free_kb(number) * KIB,
            "marks": tuple((base + number) * KIB for base in (40, 50, 60)),
            "present": world.present_kb(number) * KIB,
            "managed": None if era.cpu == "Pid" else (world.present_kb(number) - 128) * KIB,
            "reserve": (0, 3191 + number, 15659, 15659),
            "blocks": {kb * KIB: count for kb, count in world.blocks(number).items()},
        }
        for number, name in enumerate(era.zones)
    ]


NODE_FIELDS = (
    *("active_anon", "inactive_anon", "active_file", "inactive_file", "unevictable", "slab_reclaimable"),
    *("slab_unreclaimable", "shmem", "pagetables", "free"),
)


def printed(era: Era) -> set[str]:
    """The counters that a generation prints under the names of today."""
    if era.counters == "active":
        return {"pagetables", "free"}
    if era.counters == "split":
        return {*NODE_FIELDS} - {"slab_reclaimable", "slab_unreclaimable", "shmem"}
    return {*NODE_FIELDS}


def zone_facts(zone: ZoneFacts) -> dict[str, Any]:
    """One zone, comparable."""
    return {
        "place": (zone.node, zone.name),
        "free": zone.free_bytes,
        "marks": (zone.min_bytes, zone.low_bytes, zone.high_bytes),
        "present": zone.present_bytes,
        "managed": zone.managed_bytes,
        "reserve": zone.lowmem_reserve_pages,
        "blocks": zone.free_list,
    }


def row_facts(row: TaskRow) -> tuple[int | None, ...]:
    """One row of the table, comparable."""
    return (
        *(
            row.pid,
            row.uid,
            row.tgid,
            row.total_vm_pages,
            row.rss_pages,
            row.rss_anon_pages,
            row.rss_file_pages,
        ),
        *(row.rss_shmem_pages, row.pgtables_bytes, row.swap_pages, row.oom_adj, row.oom_score_adj),
    )


def task_facts(task: Task, era: Era) -> tuple[int | None, ...]:
    """The same from the task that went in."""
    has = set(era.columns)
    split = "rss_anon" in has
    return (
        *(task.pid, task.uid, task.pid, task.total_vm, task.rss, task.anon if split else None),
        *(task.file if split else None, task.shmem if split else None),
        task.tables * era.page_size if has & {"nr_ptes", "pgtables_bytes"} else None,
        task.swap if "swapents" in has else None,
        task.oom_adj if "oom_adj" in has else None,
        task.adj if "oom_score_adj" in has else None,
    )


def check_victims(report: OomReport, world: World) -> None:
    """The selected task first, then the group."""
    era = world.era
    tasks = (world.victim, *(task for task in world.group if task.pid != world.victim.pid))
    assert [(victim.pid, victim.comm) for victim in report.victims] == [
        (task.pid, task.comm) for task in tasks
    ]
    assert [victim.via for victim in report.victims] == ["selected", *["oom.group"] * (len(tasks) - 1)]
    for victim, task in zip(report.victims, tasks, strict=True):
        check_victim(victim, task, world)
    reaps = era.kill in ("shmem", "one-line", "uid", "pgtables") and world.reaped
    assert report.victims[0].reaped is (True if reaps else None)


def check_victim(victim: Victim, task: Task, world: World) -> None:
    """The figures of one kill line."""
    kill, byte = world.era.kill, world.era.page_size
    if kill == "2.6.24":
        assert (victim.total_vm_bytes, victim.anon_rss_bytes, victim.file_rss_bytes) == (None, None, None)
        return
    assert victim.total_vm_bytes == task.total_vm * byte
    assert (victim.anon_rss_bytes, victim.file_rss_bytes) == (task.anon * byte, task.file * byte)
    shmem = kill not in ("vsz", "old", "rhel6")
    assert victim.shmem_rss_bytes == (task.shmem * byte if shmem else None)
    new = kill == "pgtables"
    assert victim.pgtables_bytes == (task.tables * byte if new else None)
    assert victim.oom_score_adj == (task.adj if new else None)
    told = kill in ("rhel6", "rhel7", "uid", "pgtables") or (
        world.era.has("summary") and task is world.victim
    )
    assert victim.uid == (task.uid if told else None)
