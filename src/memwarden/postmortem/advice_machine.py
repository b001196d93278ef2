"""Steps and numbers when the machine, a zone or a node ran out, or when nothing did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem import advice_numbers, names
from memwarden.postmortem.advice_limit import systemctl
from memwarden.postmortem.advice_quote import option_safe, rounded_up, spelled
from memwarden.postmortem.advice_workers import workers
from memwarden.postmortem.cause_limit import requested_bytes
from memwarden.postmortem.choice_rank import may_be_chosen
from memwarden.postmortem.model import Advice
from memwarden.rules.identity import identify
from memwarden.units import KIB, size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import Cause

TOP_SLABS = 3


def steps(facts: Facts, cause: Cause) -> tuple[Advice, ...]:
    """What to do; empty for causes of a cgroup."""
    by_cause = {
        "system-anon": _anon,
        "system-shmem": _shmem,
        "system-slab": _slab,
        "system-hugepages": _hugepages,
        "system-unevictable": _locked,
        "system-unknown": _unknown,
        "fragmentation": _fragmentation,
        "low-zone": _low_zone,
        "numa-bound": _numa,
        "manual": _manual,
        "no-victim": _no_victim,
        "spurious": _spurious,
    }
    step = by_cause.get(cause)
    return step(facts) if step is not None else ()


def _anon(facts: Facts) -> tuple[Advice, ...]:
    return (*workers(facts), *_cap(facts), *_add_swap(facts), *_look())


def _look() -> tuple[Advice, ...]:
    return (Advice("See who would die next on the machine, and who holds what.", "memwarden rank --system"),)


def _cap(facts: Facts) -> tuple[Advice, ...]:
    """A limit for a victim that was big, so that next time only it is hit."""
    cap, home = advice_numbers.cap_bytes(facts), facts.home
    if cap is None or (home is not None and home.container is not None):
        return ()
    amount = spelled(cap, "M", "K")
    if home is not None and home.unit is not None and home.manager != "container":
        what = f"Give {names.group(home)} a limit that leaves room for everything else: {size(cap)}."
        command = f"{systemctl(home)} set-property {option_safe(home.unit)} MemoryMax={amount}"
        return (Advice(what, command),)
    comm = facts.report.victims[0].comm
    what = (
        f"Start {comm} under a limit that leaves room for everything else, {size(cap)} (COMMAND is "
        "how it starts)."
    )
    return (Advice(what, f"systemd-run --scope -p MemoryMax={amount} COMMAND"),)


def _add_swap(facts: Facts) -> tuple[Advice, ...]:
    node, idle = facts.report.node, advice_numbers.idle_anon_bytes(facts)
    if node is None or node.total_swap_bytes != 0 or not idle:
        return ()
    amount = rounded_up(idle)
    command = (
        f"fallocate -l {spelled(amount, 'MiB', 'KiB')} /swapfile && chmod 600 /swapfile && mkswap "
        "/swapfile && "
        "swapon /swapfile"
    )
    return (Advice(f"Add swap: the kernel counted {size(idle)} as inactive, which it swaps first.", command),)


def _shmem(facts: Facts) -> tuple[Advice, ...]:
    return (
        Advice(
            "Find the tmpfs mount that is full, delete files in it, or remount it with a smaller size=.",
            "df -h -t tmpfs -t devtmpfs",
        ),
        Advice(
            "Find System V shared memory that nobody is attached to (nattch 0); ipcrm -m removes it.",
            "ipcs -m -p",
        ),
    )


def _slab(facts: Facts) -> tuple[Advice, ...]:
    what = (
        "See which slabs grow; a slab that only grows is a kernel or driver leak, and a newer kernel "
        "is the cure."
    )
    node = facts.report.node
    slabs = sorted(
        (node.unreclaimable_slabs_bytes if node is not None else {}).items(), key=lambda one: -one[1]
    )
    if slabs:
        top = ", ".join(f"{name} {size(amount)}" for name, amount in slabs[:TOP_SLABS])
        what += f" Largest in the report: {top}."
    return (Advice(what, "slabtop --once --sort=c | head -20"),)


def _hugepages(facts: Facts) -> tuple[Advice, ...]:
    node = facts.report.node
    amount = size(node.hugepages_bytes) if node is not None and node.hugepages_bytes else "Memory"
    what = (
        f"{amount} is set aside as huge pages, which nothing else can use. Free those that no program uses."
    )
    return (
        Advice(what, "grep -i hugepages /proc/meminfo"),
        Advice(
            "Lower the number, now and in /etc/sysctl.d; N is what HugePages_Total less HugePages_Free says.",
            "sysctl -w vm.nr_hugepages=N",
        ),
    )


def _locked(facts: Facts) -> tuple[Advice, ...]:
    what = "Find who locks memory (mlock), and lower its LimitMEMLOCK= or its own option."
    return (Advice(what, "grep -H VmLck /proc/[0-9]*/status | sort -k2 -n | tail"),)


def _unknown(facts: Facts) -> tuple[Advice, ...]:
    if facts.fill is not None and facts.fill.largest is not None and facts.fill.largest.word == "unexplained":
        what = (
            "Look for memory that no counter shows: a balloon driver of the hypervisor, graphics "
            "memory, a driver's leak. "
            "Compare now with right after a reboot."
        )
        return (Advice(what, "grep -E 'MemTotal|MemFree|Balloon|Percpu|Vmalloc' /proc/meminfo"),)
    what = "Keep the whole report next time: the kernel log of the minute around the kill."
    return (Advice(what, "journalctl -k --since '-1h' | memwarden explain -"),)


def _fragmentation(facts: Facts) -> tuple[Advice, ...]:
    zones = facts.report.node.zones if facts.report.node is not None else ()
    least = sum(zone.min_bytes or 0 for zone in zones) // KIB
    return (
        Advice("Compact memory now.", "echo 1 > /proc/sys/vm/compact_memory"),
        Advice(
            "Keep more memory free, so that larger pieces stay whole (twice the present reserve).",
            f"sysctl -w vm.min_free_kbytes={least * 2}",
        ),
    )


def _low_zone(facts: Facts) -> tuple[Advice, ...]:
    zones = facts.zones
    if zones is not None and zones.set_aside_bytes and not zones.spare:
        what = "Set less memory aside for contiguous allocations: the boot option cma=, or the device tree."
        return (Advice(what, "grep -i cma /proc/meminfo"),)
    if zones is not None and any(zone.name == "Movable" for zone in zones.spare):
        what = (
            "Give less of the memory to zone Movable: the boot options movablecore= and kernelcore=, "
            "or hotplug policy."
        )
        return (Advice(what, "cat /proc/cmdline"),)
    what = (
        "Run a 64-bit kernel, which has no low memory to run out of; or use less of what lives there "
        "(page tables, caches)."
    )
    return (Advice(what, "uname -m"),)


def _numa(facts: Facts) -> tuple[Advice, ...]:
    look = Advice("See which NUMA nodes exist and what is free on each.", "numactl --hardware")
    report = facts.report
    if report.scope != "cpuset":
        return (
            look,
            Advice("Let the program use more nodes: its numactl --membind, or its own option.", None),
        )
    if report.cpuset is None or (bound := identify(f"/{report.cpuset.lstrip('/')}")).unit is None:
        return (look, Advice("Widen cpuset.mems of the cpuset to more nodes.", None))
    if bound.container is not None:
        what = f"Start {names.group(bound)} with more nodes (--cpuset-mems, or the kubelet's memory manager)."
        return (look, Advice(what, None))
    what = f"Lift the restriction of {names.group(bound)} to some nodes (AllowedMemoryNodes=)."
    command = f"{systemctl(bound)} set-property {option_safe(bound.unit or '')} AllowedMemoryNodes="
    return (look, Advice(what, command))


def _manual(facts: Facts) -> tuple[Advice, ...]:
    if not facts.report.manual:
        return (Advice("Ask whoever loaded the policy program why it fired.", "bpftool prog show"),)
    return (
        Advice("Find out who asked for it; nothing else is wrong.", "journalctl -k -g sysrq"),
        Advice("To forbid it: allow only sync (16) of the SysRq functions.", "sysctl -w kernel.sysrq=16"),
    )


def _no_victim(facts: Facts) -> tuple[Advice, ...]:
    report = facts.report
    if any(may_be_chosen(row) for row in report.tasks):
        return _unknown(facts)
    if report.table_columns and not report.tasks:
        what = (
            "No process existed yet: the machine is too small for what it loads at boot (kernel, initramfs, "
            "crashkernel= size)."
        )
        return (Advice(what, None),)
    what = "Find processes that are exempt (oom_score_adj -1000) and let the big ones take part again."
    return (Advice(what, "grep -lx -e -1000 /proc/[0-9]*/oom_score_adj"),)


def _spurious(facts: Facts) -> tuple[Advice, ...]:
    release = facts.report.host.kernel
    now = f" (this was {release})" if release is not None else ""
    what = (
        f"Run a kernel from 5.16 on{now}, which retries the fault instead; and look for a kill in a "
        "cgroup just before."
    )
    return (Advice(what, "journalctl -k -g 'out of memory'"),)


def helped(facts: Facts, cause: Cause) -> tuple[str, ...]:
    """What would have prevented it."""
    if cause == "system-anon":
        return (*_swap_helped(facts), *_cap_helped(facts))
    if cause == "fragmentation":
        return (
            (
                f"A free piece of {size(requested_bytes(facts.report))}, by compaction or a "
                "larger reserve (vm.min_free_kbytes)."
            ),
        )
    if cause == "system-hugepages" and facts.fill is not None:
        return (f"Setting aside less than {size(facts.fill.of('hugepages'))} as huge pages.",)
    if cause == "system-shmem" and facts.fill is not None:
        return (f"A size= on tmpfs mounts: {size(facts.fill.of('shmem'))} was in them or in shared memory.",)
    return ()


def _swap_helped(facts: Facts) -> tuple[str, ...]:
    node, idle = facts.report.node, advice_numbers.idle_anon_bytes(facts)
    if node is None or node.total_swap_bytes is None or not idle:
        return ()
    more = "more " if node.total_swap_bytes else ""
    return (
        (
            f"{size(rounded_up(idle))} of {more}swap: the kernel counted {size(idle)} as inactive, which "
            "it swaps first."
        ),
    )


def _cap_helped(facts: Facts) -> tuple[str, ...]:
    cap = advice_numbers.cap_bytes(facts)
    if cap is None:
        return ()
    return (
        (
            f"A limit of {size(cap)} on the victim's cgroup: the rest in use and a tenth of the machine "
            "fit beside it."
        ),
    )
