"""What explain reads out of the kernel's log, against the guest's own files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.check import Check
from memwarden.postmortem.read import find_reports
from memwarden.postmortem.verdict import judge
from memwarden.units import MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recordings import Recording
    from memwarden.postmortem.model import Incident, MemcgFacts, NodeFacts, TaskRow, Victim
    from memwarden.state.process import Process

MIB = 1 << 20
PAGE = 4096


def incidents(log: bytes) -> list[Incident]:
    """What explain makes of a log."""
    return [judge(report) for report in find_reports([log], file="lab")]


def check_transport(recording: Recording) -> Iterator[Check]:
    """Records of /dev/kmsg and the text of dmesg are the same reports.

    ``kernel/printk/printk.c:record_print_text`` (v6.1) stamps each line of a record and cuts what no longer
    fits: syslog(2), which the guest's dmesg uses, may lack the last lines of the statistics. And a newline in
    a name breaks a line there, so that what stands behind it is not known. Where nobody can be killed the
    kernel goes on reporting while one reads: dmesg, read second, has more, and the last of /dev/kmsg is cut.
    """
    whole = not any(b"\n" in (proc.comm or b"") for proc in recording.scenario.procs)
    kmsg, dmesg = incidents(recording.kmsg), incidents(recording.dmesg)
    if len(dmesg) >= len(kmsg) > 1 and not kmsg[-1].report.source.complete:
        kmsg, dmesg = kmsg[:-1], dmesg[: len(kmsg) - 1]
    yield Check("dmesg", len(kmsg) == len(dmesg), f"{len(dmesg)} incidents in dmesg, {len(kmsg)} in kmsg")
    for number, (one, other) in enumerate(zip(kmsg, dmesg, strict=False), 1):
        first, second = _essence(one, whole=whole), _essence(other, whole=whole)
        differ = [f"{key}: {first[key]} / {second[key]}"[:160] for key in first if first[key] != second[key]]
        stat, cut = (each.report.memcg.stat if each.report.memcg else {} for each in (one, other))
        differ += [f"{key}: {stat.get(key)} / {cut[key]}" for key in cut if stat.get(key) != cut[key]]
        yield Check("dmesg", not differ, f"incident {number}, kmsg / dmesg: {'; '.join(differ)}")
        if differ:
            return


def _essence(incident: Incident, *, whole: bool) -> dict[str, object]:
    """An incident without the numbers of its lines and without the statistics."""
    report = incident.report
    return {
        "cause": incident.verdict.cause,
        "invoker": report.invoker,
        "memcg": replace(report.memcg, stat={}) if report.memcg else None,
        "node": report.node,
        "tasks": [row._replace(line=0, comm=row.comm.partition("\n")[0]) for row in report.tasks],
        "victims": [replace(victim, line=0) if whole else victim.pid for victim in report.victims],
    }


def check_report(recording: Recording) -> Iterator[Check]:
    """Every figure of the first report that a file of the guest has too."""
    found, row = incidents(recording.kmsg), recording.scenario
    # mm/memcontrol.c:mem_cgroup_oom says nothing where it is told to kill nobody.
    yield Check("explain", bool(found) is (row.act != "hang"), f"{len(found)} incidents")
    if not found:
        return
    incident = found[0]
    report = incident.report
    yield from _same("scope", report.scope, row.bound or ("system" if row.limit is None else "memcg"))
    yield from _same("killed", report.killed, row.kills is not None)
    yield from _same("manual", report.manual, row.act == "sysrq")
    yield from _same("complete", report.source.complete, True)
    if row.cause:
        yield from _same("cause", incident.verdict.cause, row.cause)
    yield Check("explain", incident.verdict.choice_checked is not False, "recomputed choice: " + str(
        incident.verdict.choice_note))  # fmt: skip
    yield from _same("order", report.invoker.order, row.order)
    if row.act in ("grow", "no-victim", "pressure", "burst"):
        invoker = recording.result["pids"][row.grows or "grower"]
        yield from _same("invoker.pid", report.invoker.pid, invoker)
    yield from _rows(recording, report.tasks)
    yield from _victims(recording, incident)
    if report.memcg is not None and row.limit is not None:
        yield from _memcg(recording, report.memcg)
    if report.node is not None:
        yield from _node(recording, report.node)


def _same(what: str, text: object, truth: object) -> Iterator[Check]:
    yield Check("explain", text == truth, f"{what}: the report says {text!r}, the guest {truth!r}")


def _near(what: str, text: int | None, truth: int | None, tolerance: int) -> Iterator[Check]:
    ok = text is not None and truth is not None and abs(text - truth) <= tolerance
    yield Check("explain", ok, f"{what}: the report says {text}, the guest {truth} (± {tolerance})")


def _error_pages(recording: Recording) -> int:
    """How far counters of another process may be off: 64 pages (5.10, 6.1), per-CPU batches (6.12)."""
    return 128 if recording.before.traits.approximate_rss is not False else 8


def _rows(recording: Recording, rows: tuple[TaskRow, ...]) -> Iterator[Check]:
    """The task table against /proc/PID/status; only the grower has grown since."""
    snapshot, row = recording.before, recording.scenario
    grew = recording.result["pids"].get(row.grows or "grower")
    for task in rows:
        process = snapshot.processes.get(task.tgid or task.pid)
        if process is None or process.rss_bytes is None:
            yield Check(
                "explain", ok=False, detail=f"row {task.pid} ({task.comm}) is no process of the guest"
            )
            continue
        yield from _same(f"{task.pid} adj", task.oom_score_adj, process.oom_score_adj)
        if task.pid != grew:
            yield from _memory(recording, task, process)


def _memory(recording: Recording, task: TaskRow, process: Process) -> Iterator[Check]:
    """Resident and swapped pages together: only file pages may have been reclaimed since."""
    error = _error_pages(recording)
    assert process.rss_bytes is not None
    swap = (process.swap_bytes or 0) // PAGE
    most = process.rss_bytes // PAGE + swap
    least = most - (process.rss_file_bytes or 0) // PAGE
    told = (task.rss_pages or 0) + (task.swap_pages or 0)
    detail = f"{task.comm} rss+swap: {told} pages, /proc {least}..{most} (± {error})"
    yield Check("explain", least - error <= told <= most + error, detail)
    if process.pgtables_bytes is not None:
        yield from _near(f"{task.comm} pgtables", task.pgtables_bytes, process.pgtables_bytes, 4 * PAGE)


def _victims(recording: Recording, incident: Incident) -> Iterator[Check]:
    report, row = incident.report, recording.scenario
    told = [recording.named(victim.pid) for victim in report.victims]
    if row.kills is None:
        yield from _same("victims", told, [])
        return
    yield from _same("first victim", told[:1], recording.killed[:1])
    yield from _same("group", set(told) if row.group_kill else set(), set(row.group_kill))
    if report.victims and row.grows != row.kills and not row.swap:
        yield from _kill_line(recording, report.victims[0])


def _kill_line(recording: Recording, victim: Victim) -> Iterator[Check]:
    process = recording.before.processes[recording.result["pids"][recording.named(victim.pid)]]
    yield from _near(
        "victim anon", victim.anon_rss_bytes, process.rss_anon_bytes, _error_pages(recording) * PAGE
    )
    yield from _same("victim adj", victim.oom_score_adj, process.oom_score_adj)
    yield from _near("victim total_vm", victim.total_vm_bytes, process.total_vm_bytes, 0)


def _memcg(recording: Recording, memcg: MemcgFacts) -> Iterator[Check]:
    """The usage block against the files of the cgroup whose limit was hit."""
    row = recording.scenario
    assert row.limit is not None
    cgroup = recording.before.cgroups[row.limit]
    yield from _same("oom_path", memcg.oom_path, row.limit)
    if row.act != "lower-max":
        yield from _same("limit", memcg.limit_bytes, cgroup.max_bytes)
        slack = 64 * PAGE * (recording.before.host.cpus or 1)
        full = cgroup.max_bytes if isinstance(cgroup.max_bytes, int) else 0
        if cgroup.v1_memsw_max_bytes is None or cgroup.v1_memsw_max_bytes is MAX:
            yield from _near("usage", memcg.usage_bytes, full, slack)
    if cgroup.version == 2:
        yield from _same("swap limit", memcg.swap_limit_bytes, cgroup.swap_max_bytes)
    else:
        yield from _same("memsw limit", memcg.memsw_limit_bytes, cgroup.v1_memsw_max_bytes)
    stat = cgroup.stat or {}
    if row.act == "grow" and row.grow_does == "anon" and cgroup.version == 2:
        yield from _near("stat shmem", memcg.stat.get("shmem"), stat.get("shmem"), MIB)
        yield from _near("stat sock", memcg.stat.get("sock"), stat.get("sock"), MIB)


def _node(recording: Recording, node: NodeFacts) -> Iterator[Check]:
    meminfo = recording.before.meminfo or {}
    total = node.ram_bytes - node.reserved_bytes if node.ram_bytes and node.reserved_bytes else None
    yield from _same("RAM without reserved", total, meminfo.get("MemTotal"))
    yield from _same("total swap", node.total_swap_bytes, meminfo.get("SwapTotal"))
