"""What a message is, told by how it begins. Cheap: one look at the first character, few comparisons.

The texts are those of ``mm/oom_kill.c``, ``mm/memcontrol.c``, ``mm/memcontrol-v1.c``, ``lib/show_mem.c``,
``mm/show_mem.c``, ``mm/page_alloc.c`` and ``mm/slab_common.c`` of kernels 2.6.24 to 7.x.
"""

from __future__ import annotations

import re
from typing import Final

_STARTS: Final[tuple[tuple[str, str], ...]] = (
    ("Mem-Info:", "mem-info"),
    ("Mem-info:", "mem-info"),
    ("Memory cgroup stats", "stats"),
    ("Memory cgroup out of memory", "kill?"),
    ("Memory cgroup min protection", "protection"),
    ("Memory allocations:", "allocations"),
    ("Memory limit reached of cgroup", "task-in"),
    ("memory: usage", "usage"),
    ("memory+swap: usage", "memsw"),
    ("swap: usage", "swap"),
    ("kmem: usage", "kmem"),
    ("Task in ", "task-in"),
    ("Tasks in ", "group"),
    ("Tasks state", "tasks-state"),
    ("Node ", "node"),
    ("DMA", "zone"),
    ("Normal ", "zone"),
    ("Normal:", "zone"),
    ("HighMem", "zone"),
    ("Movable ", "zone"),
    ("Movable:", "zone"),
    ("Device ", "zone"),
    ("Device:", "zone"),
    ("lowmem_reserve[]", "reserve"),
    ("Free swap", "swap-free"),
    ("Total swap", "swap-total"),
    ("Swap cache", "mem-line"),
    ("Unreclaimable slab info", "slab"),
    ("excessive unreclaimable slab", "slab-none"),
    ("Name ", "slab-head"),
    ("oom-kill:", "oom-kill"),
    ("oom-killer: gfp_mask=", "header"),
    ("oom_reaper:", "reaper"),
    ("oom_kill_process:", "suppressed"),
    ("dump_header:", "suppressed"),
    ("oom_policy=", "policy"),
    ("Out of memory and no killable", "no-victim"),
    ("Out of memory", "kill?"),
    ("Out of Memory", "kill?"),
    ("No available memory", "kill?"),
    ("Killed process", "kill?"),
    ("Kill process", "kill?"),
    ("OOM victim", "note"),
    ("oom killer ", "note"),
    ("Kernel panic - not syncing:", "panic"),
    ("CPU: ", "cpu"),
    ("Pid: ", "cpu"),
    ("Process ", "process"),
    ("CPU  ", "per-cpu"),
    ("Call Trace:", "trace-start"),
    ("Call trace:", "trace-start"),
    ("Backtrace:", "trace-start"),
    ("Stack:", "trace"),
    ("Hardware name:", "hardware"),
    ("Workqueue:", "hardware"),
    ("Tainted: ", "hardware"),
    ("Exception stack", "register"),
    ("Instruction dump:", "register"),
    ("--- ", "trace"),
    ("Last Breaking-Event", "trace"),
    ("Modules linked in:", "hardware"),
    ("cpu ", "per-cpu"),
    ("Free pages:", "mem-line"),
    ("** ", "lost?"),
    ("Code:", "register"),
    ("<TASK>", "trace"),
    ("</TASK>", "trace"),
    ("<IRQ>", "trace"),
    ("</IRQ>", "trace"),
    ("COMPACTION is disabled", "note"),
    ("[snip", "elision"),
    ("[trim", "elision"),
    ("[...]", "elision"),
    ("...", "elision"),
    ("\u2026", "elision"),
    ("<snip", "elision"),
    ("<trim", "elision"),
)

_BY_CHAR: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    char: tuple(pair for pair in _STARTS if pair[0][0] == char) for char in {pair[0][0] for pair in _STARTS}
}

_COUNTER: Final = re.compile(
    r"(?:[Aa]ctive(?:_anon|_file)?|inactive(?:_anon|_file)?|isolated_(?:anon|file)|unevictable|dirty|writeback"
    r"|unstable|free|free_pcp|free_cma|slab|slab_reclaimable|slab_unreclaimable|mapped|shmem|pagetables"
    r"|sec_pagetables|bounce|kernel_misc_reclaimable|unaccepted|balloon_pages):\d+(?:\s|$|#012)"
)
_STAT: Final = re.compile(r"[a-z][a-z0-9_.]{0,63} \d{1,20}$")
_PAGES: Final = re.compile(r"\d+ (?:total pagecache pages|pages\b|free pages|reserved pages|slab pages)")
_ROW: Final = re.compile(r"\[ *\d+\](?: +\d+ +\d+(?: +\d|$)|(?: +\d+)?$)")
_TABLE: Final = re.compile(r"\[ *pid *\] +uid\b")
_ALLOCATION: Final = re.compile(r"[\d.]+(?: ?[KMGTP]i?B?)? +\d+ \S+:\d+ (?:\[[^\]]*\] )?func:")
_SLAB: Final = re.compile(r"\S.* \d+KB +\d+KB$")
_FRAME: Final = re.compile(
    r"(?:\(?\[<[0-9a-f]+>\]|\[[0-9a-f]{8,16}\] \[[0-9a-f]{8,16}\]|\? |\S+\+0x[0-9a-f]+/0x[0-9a-f]+"
    r"|\S+ from(?: \S|$)|\S+ \(\S+:\d+)"
)
_REGISTER: Final = re.compile(
    r"(?:R[A-Z0-9]{1,2}|E[A-Z]{2}|CR\d|DR\d|FS|DS|CS|PKRU|pc|sp|lr|x\d+|r\d+|psr|pstate|NIP|XER|epc|ra|gp|tp|[tsa]\d{1,2}|status|GPR\d\d|MSR"
    r"|CFAR|LR|REGS|Krnl|User)\s*(?:\[?\s*:|PSW)"
)
_HEX_WORDS: Final = re.compile(
    r"(?:[0-9a-f]{3,4}:\s+)?(?:[0-9a-f]{8}|[0-9a-f]{16})(?: (?:[0-9a-f]{8}|[0-9a-f]{16}))*$"
)
_KILL: Final = re.compile(r"[Kk]ill(?:ed)?\s+process\s+\d")
_KILL_CUT: Final = ("Killed", "Kill", "process", "emory:", "emory cgroup out of memory")
_REST: Final = re.compile(r",?(?:oom_memcg|task_memcg|task|mems_allowed|global_oom|pid|uid)[=,]")


def kind_of(message: str) -> str:
    """The kind of a message without leading blanks: a word used by the assembler, ``""`` for unknown.

    What a message means can still depend on the block it stands in; a row of the slab table, for one,
    is only known as such behind its head line.
    """
    if not message:
        return "empty"
    first = message[0]
    if first == "[" and _ROW.match(message):
        return "row"
    if "invoked oom-killer" in message:
        return "header"
    if " cpuset=" in message and " mems_allowed=" in message:
        return "cpuset"
    if message in ("Task in", "Tasks in"):
        return "task-in" if message == "Task in" else "group"
    for start, kind in _BY_CHAR.get(first, ()):
        if message.startswith(start):
            return _DOUBTFUL[kind](message) if kind in _DOUBTFUL else kind
    return _by_shape(message, first)


def _kill(message: str) -> str:
    """Programs run out of memory too; the kernel kills, unless the line was broken before it says so."""
    if _KILL.search(message) or message.endswith(_KILL_CUT):
        return "kill"
    return "note" if "OOM" in message else ""


def _lost(message: str) -> str:
    """``** 12 printk messages dropped **``: the console was too slow."""
    return "elision" if "messages dropped" in message else ""


_DOUBTFUL: Final = {"kill?": _kill, "lost?": _lost}


def _by_shape(message: str, first: str) -> str:
    if _COUNTER.match(message):
        return "counter"
    if _STAT.match(message):
        return "stat"
    if first.isdigit():
        if _PAGES.match(message):
            return "pages"
        if _ALLOCATION.match(message):
            return "allocation"
    if first == "[" and _TABLE.match(message):
        return "table"
    if message.endswith("KB") and _SLAB.match(message):
        return "slab-row"
    if "page allocation failure" in message:
        return "warn-alloc"
    if first == "," and _REST.match(message):
        return "oom-kill-rest"
    if _FRAME.match(message):
        return "trace"
    if _REGISTER.match(message) or _HEX_WORDS.match(message):
        return "register"
    return ""


_DECISIVE: Final = re.compile(
    r"[A-Za-z ]{0,18}?"
    r"(f memory[^:]{0,40}: Kill(?:ed)? process \d|lled process \d|m-kill:constraint=|m_reaper: )"
)
_BEGINNINGS: Final = {
    "f memory": ("Out o", "Memory cgroup out o"),
    "lled pro": ("Ki",),
    "m-kill:c": ("oo",),
    "m_reaper": ("oo",),
}


def repair(message: str) -> tuple[str, str]:
    """Kind and message where the first characters of a decisive line are lost; ``("", message)`` if not so.

    >>> repair("ut of memory: Killed process 7 (a) total-vm:4kB")
    ('kill', 'Out of memory: Killed process 7 (a) total-vm:4kB')
    """
    found = _DECISIVE.match(message)
    if found is not None:
        left, rest = message[: found.start(1)], message[found.start(1) :]
        for beginning in _BEGINNINGS[rest[:8]]:
            if beginning.endswith(left):
                whole = beginning + rest
                return kind_of(whole), whole
    return "", message
