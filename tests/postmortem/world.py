"""A report of any era, with the figures that went in.

The machine is made up, and no two figures of it are equal, so that one read from the wrong place is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.postmortem.eras import Era

KIB: Final = 1024

_COUNTERS: Final = {
    "active": """\
Active inactive dirty writeback unstable
free slab mapped pagetables bounce""",
    "split": """\
Active_anon active_file inactive_anon
inactive_file unevictable dirty writeback unstable
free slab mapped pagetables bounce""",
    "2.6.32": """\
active_anon inactive_anon isolated_anon
active_file inactive_file isolated_file
unevictable dirty writeback unstable
free slab_reclaimable slab_unreclaimable
mapped shmem pagetables bounce""",
    "4.2": """\
active_anon inactive_anon isolated_anon
active_file inactive_file isolated_file
unevictable dirty writeback unstable
slab_reclaimable slab_unreclaimable
mapped shmem pagetables bounce
free free_pcp free_cma""",
    "5.8": """\
active_anon inactive_anon isolated_anon
active_file inactive_file isolated_file
unevictable dirty writeback
slab_reclaimable slab_unreclaimable
mapped shmem pagetables bounce
free free_pcp free_cma""",
    "5.18": """\
active_anon inactive_anon isolated_anon
active_file inactive_file isolated_file
unevictable dirty writeback
slab_reclaimable slab_unreclaimable
mapped shmem pagetables bounce
kernel_misc_reclaimable
free free_pcp free_cma""",
    "6.1": """\
active_anon inactive_anon isolated_anon
active_file inactive_file isolated_file
unevictable dirty writeback
slab_reclaimable slab_unreclaimable
mapped shmem pagetables
sec_pagetables bounce
kernel_misc_reclaimable
free free_pcp free_cma""",
}
"""The head of Mem-Info: its counters, line by line."""


@dataclass(frozen=True)
class Task:
    """One process; memory in pages."""

    pid: int
    comm: str
    uid: int = 0
    total_vm: int = 1000
    anon: int = 100
    file: int = 20
    shmem: int = 3
    tables: int = 4
    """Pages of page tables."""
    swap: int = 0
    adj: int = 0
    oom_adj: int = 0

    @property
    def rss(self) -> int:
        return self.anon + self.file + self.shmem


TASKS: Final = (
    Task(412, "systemd-journal", 0, 16_404, 45, 1_211, 9, 21, 303, -250, -4),
    Task(1_733, "tmux: server", 1000, 3_081, 614, 71, 2, 6),
    Task(31_077, "java", 998, 2_411_093, 903_551, 6_013, 17, 2_112, 40_961, 0, 0),
    Task(31_099, "(sd-pam)", 1000, 6_218, 811, 12, 1, 8, 891, 100, 1),
    Task(132_001, "a) b [c]", 65_534, 9_999, 501, 40, 5, 11, 7, 1000, 15),
)
VICTIM: Final = TASKS[2]


@dataclass
class World:
    """A machine on which memory ran out, in the units of a report."""

    era: Era
    scope: str = "memcg"
    invoker: str = "CPU 11/KVM"
    invoker_pid: int = 131_072
    gfp_mask: int = 0xCC0
    order: int = 0
    adj: int = 7
    oom_path: str = "/kubepods.slice/kubepods-burstable.slice/pod7"
    task_path: str = "/kubepods.slice/kubepods-burstable.slice/pod7/cri-containerd-3f1d.scope"
    tasks: tuple[Task, ...] = TASKS
    victim: Task = VICTIM
    group: tuple[Task, ...] = ()
    reaped: bool = True
    counters: dict[str, int] = field(
        default_factory=lambda: {
            "active_anon": 301_007,
            "inactive_anon": 611_953,
            "active_file": 1_409,
            "inactive_file": 2_203,
            "unevictable": 3_301,
            "slab_reclaimable": 17_011,
            "slab_unreclaimable": 29_009,
            "shmem": 5_101,
            "pagetables": 7_001,
            "free": 13_007,
            "mapped": 4_201,
            "dirty": 87,
            "writeback": 23,
            "isolated": 0,
        }
    )
    ram_pages: int = 2_096_917
    reserved_pages: int = 51_213
    swap_total_kb: int = 8_388_604
    swap_free_kb: int = 1_204
    swap_cache_pages: int = 919
    cache_pages: int = 11_777
    huge_total: int = 5
    usage_kb: int = 524_288
    limit_kb: int = 524_288
    failcnt: int = 1_240_247
    swap_usage_kb: int = 4_096
    swap_failcnt: int = 31
    memsw_usage_kb: int = 528_384
    kmem_usage_kb: int = 7_260
    stat: dict[str, int] = field(
        default_factory=lambda: {
            "anon": 503_316_480,
            "file": 21_495_808,
            "kernel_stack": 2_490_368,
            "pagetables": 11_616_256,
            "shmem": 4_194_304,
            "inactive_anon": 400_556_032,
            "active_anon": 102_760_448,
            "unevictable": 40_960,
        }
    )
    v1_stat: dict[str, int] = field(
        default_factory=lambda: {
            "cache": 21_495_808,
            "rss": 503_316_480,
            "rss_huge": 2_097_152,
            "shmem": 4_194_304,
            "swap": 1_048_576,
            "inactive_anon": 400_556_032,
            "active_anon": 102_760_448,
            "unevictable": 40_960,
        }
    )

    @property
    def kb_per_page(self) -> int:
        return self.era.page_size // KIB

    def report(self) -> list[str]:
        """The records of one report, in order; a record may have several lines."""
        era = self.era
        records = [self.header(), *self.stack()]
        if self.scope == "memcg":
            records += self.memcg()
            if era.cpu == "Pid":
                records += self.mem_info()
        else:
            records += self.mem_info()
        return [*records, *self.table(), *self.end()]

    def header(self) -> str:
        """``dump_header``, first line."""
        mask, order, adj = f"gfp_mask=0x{self.gfp_mask:x}", f"order={self.order}", f"oom_score_adj={self.adj}"
        flags = "(GFP_KERNEL|__GFP_COMP)"
        fields = {
            "oomkilladj": f"{mask}, {order}, oomkilladj=-3",
            "oom_adj": f"{mask}, {order}, oom_adj=-3",
            "both": f"{mask}, {order}, oom_adj=-3, {adj}",
            "plain": f"{mask}, {order}, {adj}",
            "flags": f"{mask}{flags}, {order}, {adj}",
            "nodemask": f"{mask}{flags}, nodemask=(null),  {order}, {adj}",
        }
        return f"{self.invoker} invoked oom-killer: {fields[self.era.header]}"

    def stack(self) -> list[str]:
        """``dump_stack``; the frames tell the scope."""
        era, comm, pid = self.era, self.invoker, self.invoker_pid
        who = {
            "Pid": f"Pid: {pid}, comm: {comm} Not tainted {era.release} #1",
            "CPU": f"CPU: 60 PID: {pid} Comm: {comm} Kdump: loaded Tainted: G   W  OE     {era.release} #1",
            "UID": f"CPU: 60 UID: 998 PID: {pid} Comm: {comm} Not tainted {era.release} #1 PREEMPT(lazy)",
        }[era.cpu]
        memcg = "mem_cgroup_out_of_memory+0x13c/0x150"
        deciding = memcg if self.scope == "memcg" else "__alloc_pages_slowpath+0xcbd/0xe10"
        frames = ["dump_header+0x43/0x1c0", "out_of_memory+0x217/0x4b0", deciding]
        lines = [f"{comm} cpuset=pod7 mems_allowed=0-1"] if era.has("cpuset") else []
        lines += [who, "Hardware name: Own Machine/B1, BIOS 2.1 01/01/2020", "Call Trace:"]
        if era.cpu == "Pid":
            return [*lines, *(f" [<ffffffff8{n}131420>] {name}" for n, name in enumerate(frames))]
        return [*lines, " <TASK>", *(f" {name}" for name in frames), " </TASK>", "RIP: 0033:0x7f5ba27c6d6f"]

    def memcg(self) -> list[str]:
        """``mem_cgroup_print_oom_info``."""
        era, unlimited = self.era, self.era.unlimited_kb
        lines = []
        if era.has("task-in"):
            lines.append(f"Task in {self.task_path} killed as a result of limit of {self.oom_path}")
        lines.append(f"memory: usage {self.usage_kb}kB, limit {self.limit_kb}kB, failcnt {self.failcnt}")
        if self.v2:
            lines.append(
                f"swap: usage {self.swap_usage_kb}kB, limit {unlimited}kB, failcnt {self.swap_failcnt}"
            )
        else:
            lines.append(f"memory+swap: usage {self.memsw_usage_kb}kB, limit {unlimited}kB, failcnt 0")
            if era.has("kmem"):
                lines.append(f"kmem: usage {self.kmem_usage_kb}kB, limit {unlimited}kB, failcnt 0")
        if era.stats == "line":
            own = " ".join(f"{name}:{value // KIB}KB" for name, value in self.v1_stat.items())
            lines.append(f"Memory cgroup stats for {self.oom_path}: {own}")
            lines.append(f"Memory cgroup stats for {self.task_path}: cache:12KB rss:34KB rss_huge:0KB")
        elif era.stats != "none":
            stat = (
                self.stat
                if self.v2
                else {**self.v1_stat, **{f"total_{n}": v + 4096 for n, v in self.v1_stat.items()}}
            )
            lines.append(f"Memory cgroup stats for {self.oom_path}:")
            text = [f"{name} {value}" for name, value in stat.items()]
            lines += text if era.stats == "v1" else ["\n".join(text)]
        if era.has("protection"):
            lines.append("Memory cgroup min protection 2048kB -- low protection 8192kB")
        return lines

    @property
    def v2(self) -> bool:
        """Whether the cgroup lines are those of the unified hierarchy."""
        return self.era.stats == "v2"

    def mem_info(self) -> list[str]:
        """``show_mem``."""
        era = self.era
        lines = ["Mem-info:" if era.counters == "active" else "Mem-Info:"]
        if era.counters in ("active", "split", "2.6.32"):
            lines += ["Node 0 DMA per-cpu:", "CPU    0: hi:    0, btch:   1 usd:   0"]
        lines += self.counter_lines()
        if era.has("node"):
            lines.append(self.node_line())
        for number, zone in enumerate(era.zones):
            lines += self.zone_lines(number, zone)
        lines += [self.free_list(number, zone) for number, zone in enumerate(era.zones)]
        if era.has("huge"):
            pool = f"hugepages_total={self.huge_total} hugepages_free=1 hugepages_surp=0"
            lines.append(f"Node 0 {pool} hugepages_size=2048kB")
        lines.append(f"{self.cache_pages} total pagecache pages")
        lines.append(f"{self.swap_cache_pages} pages in swap cache")
        lines.append("Swap cache stats: add 55204, delete 52951, find 627114/627909")
        lines.append(f"Free swap  = {self.swap_free_kb}kB")
        lines.append(f"Total swap = {self.swap_total_kb}kB")
        lines.append(f"{self.ram_pages} pages RAM")
        if era.counters not in ("active", "split"):
            lines.append("0 pages HighMem/MovableOnly")
        lines.append(f"{self.reserved_pages} pages reserved")
        if era.cpu == "Pid":
            lines += ["56640 pages shared", "4018762 pages non-shared"]
        return lines

    def counter_lines(self) -> list[str]:
        """The counters of the head: one record of several lines."""
        counters = {**self.counters, "bounce": 0, "unstable": 0, "isolated_anon": 0, "isolated_file": 32}
        counters["slab"] = counters["slab_reclaimable"] + counters["slab_unreclaimable"]
        counters |= {"free_pcp": 646, "free_cma": 0, "sec_pagetables": 0, "kernel_misc_reclaimable": 0}
        for upper, name in (
            ("Active", "active_anon"),
            ("inactive", "inactive_anon"),
            ("Active_anon", "active_anon"),
        ):
            counters[upper] = counters[name]
        rows = [row.split() for row in _COUNTERS[self.era.counters].splitlines()]
        return ["\n ".join(" ".join(f"{name}:{counters[name]}" for name in row) for row in rows)]

    def node_line(self) -> str:
        """The node's counters in kB (4.8 and later)."""
        kb = {name: f"{name}:{pages * self.kb_per_page}kB" for name, pages in self.counters.items()}
        lists = " ".join(
            kb[name] for name in ("active_anon", "inactive_anon", "active_file", "inactive_file")
        )
        return (
            f"Node 0 {lists} {kb['unevictable']} isolated(anon):0kB isolated(file):128kB {kb['mapped']} "
            f"{kb['dirty']} {kb['writeback']} {kb['shmem']} shmem_thp: 0kB shmem_pmdmapped: 0kB "
            f"anon_thp: 1236992kB writeback_tmp:0kB all_unreclaimable? no"
        )

    def zone_lines(self, number: int, zone: str) -> list[str]:
        """A zone's watermarks and its reserve."""
        era, present = self.era, self.present_kb(number)
        place = "" if "HighMem" in era.zones else "Node 0 "
        fields = [f"free:{self.zone_free_kb(number)}kB", f"min:{40 + number}kB", f"low:{50 + number}kB"]
        if era.has("boost"):
            fields.insert(1, "boost:0kB")
        fields.append(f"high:{60 + number}kB")
        if era.counters == "active":
            fields += [f"active:{70 + number}kB", f"inactive:{80 + number}kB", f"present:{present}kB"]
        else:
            fields += [f"active_anon:{70 + number}kB", f"inactive_anon:{80 + number}kB", "active_file:8kB"]
            fields += ["inactive_file:12kB", "unevictable:0kB", "writepending:16kB", f"present:{present}kB"]
            if era.cpu != "Pid":
                fields.append(f"managed:{present - 128}kB")
            fields += ["mlocked:0kB", "bounce:0kB", "free_pcp:24kB", "local_pcp:4kB", "free_cma:0kB"]
        if not era.has("node"):
            fields += ["pages_scanned:9", "all_unreclaimable? yes"]
        return [f"{place}{zone} {' '.join(fields)}", f"lowmem_reserve[]: 0 {3191 + number} 15659 15659"]

    def present_kb(self, number: int) -> int:
        return 15_984 + 1_000_192 * number

    def zone_free_kb(self, number: int) -> int:
        return sum(count * size for size, count in self.blocks(number).items())

    def blocks(self, number: int) -> dict[int, int]:
        """Free blocks: size in kB to count."""
        base = self.kb_per_page
        return {base << order: (order * 3 + number) % 5 for order in range(11)}

    def free_list(self, number: int, zone: str) -> str:
        """A line of the buddy allocator."""
        place = "" if "HighMem" in self.era.zones else "Node 0 "
        letters = "" if self.era.cpu == "Pid" else " (UME)"
        blocks = self.blocks(number)
        text = " ".join(f"{count}*{size}kB{letters if count else ''}" for size, count in blocks.items())
        return f"{place}{zone}: {text} = {self.zone_free_kb(number)}kB"

    def table(self) -> list[str]:
        """``dump_tasks``."""
        columns = self.era.columns
        if not columns:
            return []
        wide = self.era.has("state")
        lines = ["Tasks state (memory values in pages):"] if wide else []
        padded = {"total_vm": "total_vm ", "rss": "    rss "}
        head = "[  pid  ]   uid  tgid " if wide else "[ pid ]   uid  tgid "
        lines.append(head + "".join(padded.get(name, f"{name} ") for name in columns[2:]).rstrip())
        return lines + [self.row(task, wide=wide) for task in self.tasks]

    def row(self, task: Task, *, wide: bool) -> str:
        """``dump_task``."""
        values = {
            "total_vm": f"{task.total_vm:8}",
            "rss": f"{task.rss:8}",
            "rss_anon": f"{task.anon:8}",
            "rss_file": f"{task.file:8}",
            "rss_shmem": f"{task.shmem:9}",
            "cpu": f"{3:3}",
            "oom_adj": f"{task.oom_adj:7}",
            "nr_ptes": f"{task.tables - 1 if 'nr_pmds' in self.era.columns else task.tables:7}",
            "nr_pmds": f"{1:7}",
            "pgtables_bytes": f"{task.tables * self.era.page_size:8}",
            "swapents": f"{task.swap:8}",
            "oom_score_adj": f"{task.adj:13}",
            "name": task.comm,
        }
        pid = f"[{task.pid:7}]" if wide else f"[{task.pid:5}]"
        return f"{pid} {task.uid:5} {task.pid:5} " + " ".join(values[name] for name in self.era.columns[2:])

    def end(self) -> list[str]:
        """Summary, kill, group, reaper."""
        lines = []
        if self.era.has("summary"):
            place = f"oom_memcg={self.oom_path}" if self.scope == "memcg" else "global_oom"
            name = {"memcg": "MEMCG", "system": "NONE", "cpuset": "CPUSET", "mempolicy": "MEMORY_POLICY"}[
                self.scope
            ]
            lines.append(
                f"oom-kill:constraint=CONSTRAINT_{name},nodemask=(null),cpuset=pod7,mems_allowed=0-1,{place},"
                f"task_memcg={self.task_path},task={self.victim.comm},pid={self.victim.pid},uid={self.victim.uid}"
            )
        lines += self.kill(self.victim)
        if self.group:
            lines.append(f"Tasks in {self.oom_path} are going to be killed due to memory.oom.group set")
            for task in self.group:
                lines += self.kill(task)
        if self.reaped and self.era.kill in ("shmem", "one-line", "uid", "pgtables"):
            lines.append(
                f"oom_reaper: reaped process {self.victim.pid} ({self.victim.comm}), now anon-rss:0kB, "
                "file-rss:132kB, shmem-rss:4kB"
            )
        return lines

    def kill(self, task: Task) -> list[str]:
        """``__oom_kill_process`` and, before 5.1, the choice before it."""
        kb = self.kb_per_page
        reason = "Memory cgroup out of memory" if self.scope == "memcg" else "Out of memory"
        memory = f"anon-rss:{task.anon * kb}kB, file-rss:{task.file * kb}kB"
        total, shmem = f"total-vm:{task.total_vm * kb}kB", f"shmem-rss:{task.shmem * kb}kB"
        score = f"process {task.pid} ({task.comm}) score 651"
        who = f"Killed process {task.pid} ({task.comm})"
        child, parent = f"{reason}: kill {score} or a child", f"{reason}: Kill {score} or sacrifice child"
        tail = f"UID:{task.uid} pgtables:{task.tables * kb}kB oom_score_adj:{task.adj}"
        forms = {
            "2.6.24": [child, who],
            "vsz": [child, f"{who} vsz:{task.total_vm * kb}kB, {memory}"],
            "old": [parent, f"{who} {total}, {memory}"],
            "rhel6": [parent, f"Killed process {task.pid}, UID {task.uid}, ({task.comm}) {total}, {memory}"],
            "rhel7": [parent, f"{who}, UID {task.uid}, {total}, {memory}, {shmem}"],
            "shmem": [parent, f"{who} {total}, {memory}, {shmem}"],
            "one-line": [f"{reason}: {who} {total}, {memory}, {shmem}"],
            "uid": [f"{reason}: {who} {total}, {memory}, {shmem}, UID:{task.uid}"],
            "pgtables": [f"{reason}: {who} {total}, {memory}, {shmem}, {tail}"],
        }
        return forms[self.era.kill]
