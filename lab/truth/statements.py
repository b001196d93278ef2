"""The statements: what people say, what the kernel does and where it says so, and how numbers decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lab.truth.verdicts import both, never, when

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.truth.verdicts import Numbers


class Statement(NamedTuple):
    """``name`` is the trial's, ``says`` the statement, ``why`` the answer in words, for people.

    ``shows`` are the numbers of the table: key, heading. ``judge`` makes a word of one kernel's numbers.
    """

    name: str
    says: str
    why: str
    shows: tuple[tuple[str, str], ...]
    judge: Callable[[Numbers], str]
    until: str = ""
    """What was so before the oldest kernel here."""


STATEMENTS = (
    Statement(
        "max-kills-at-once", "memory.max kills at once",
        "A charge that does not fit reclaims first, and as long as anything is freed it tries again"
        " (`mm/memcontrol.c:try_charge_memcg`). A file twice as large as the limit is read to its end and"
        " nobody dies. Only when 16 tries in a row free nothing is the OOM killer called: with memory that"
        " cannot be reclaimed, the limit is hit 18 times before. A victim that asked itself hits it 17 times"
        " more, on its way out.",
        (("max_while_reading", "limit hit by the reader"), ("kills_while_reading", "killed"),
         ("max", "limit hit by anonymous memory"), ("oom", "OOM killer called"), ("kills", "killed")),
        when(lambda n: n["kills_while_reading"] > 0 or n["max"] < 2 * n["oom"]),
    ),
    Statement(
        "high-never-kills", "memory.high never kills",
        "It reclaims, and makes who allocates wait, up to two seconds at a time"
        " (`mm/memcontrol.c:mem_cgroup_handle_over_high`). Usage goes on rising above it, slowly. What"
        " looks alive is of no use to anybody: it waits nearly all of the time.",
        (("kills", "killed"), ("usage", "MiB used, limit 32"), ("stalled_s", "s stalled, of 8")),
        never("kills"),
    ),
    Statement(
        "delay-is-linear",
        "The throttling delay grows in proportion to the overage between high and max",
        "It grows with the square of the overage in relation to memory.high, and memory.max is not in the"
        " formula: 64 s times the square for each batch of pages, cut at 2 s"
        " (`mm/memcontrol.c:calculate_high_delay`). What the program holds besides is above it, too (2 %,"
        " going by the delays): from 10 to 14 % the square makes 1.96 times as long, and so it is here, give"
        " or take a step of the timer's; 18 % is cut. 5.10 counts batches of 32 pages, the later ones of 64:"
        " it is twice as slow.",
        (("s_at_8", "s for a MiB at 8 %"), ("s_at_12", "at 12 %"), ("s_at_16", "at 16 %"),
         ("s_at_12_far_max", "at 12 %, max far away")),
        # In proportion would be twice as long, with the square it is four times: the middle is 2.8.
        when(lambda n: n["s_at_16"] < 2.8 * n["s_at_8"]),
    ),
    Statement(
        "clean-dirty-anon", "The kernel reclaims clean cache first, then dirty, then anonymous memory",
        "Cache that was read once goes first. Cache in use and anonymous memory are taken side by side by the"
        " classic lists (5.10, 6.1), by what was used last and by swappiness"
        " (`mm/vmscan.c:get_scan_count`); the multi-generational LRU (6.12, 7.2) takes cache first that is"
        " read by calls, however often (`include/linux/mm_inline.h:lru_gen_add_folio`). Dirty pages are not a"
        " step: reclaim passes them by until they have been written back, and may take anonymous ones"
        " meanwhile.",
        (("cache_once", "MiB of cache read once"), ("anon_once", "anon beside it"),
         ("cache_in_use", "MiB of cache in use"), ("anon_in_use", "anon beside it"),
         ("anon_beside_dirty", "anon beside dirty")),
        both(lambda n: n["anon_once"] < 1, lambda n: n["anon_in_use"] < 1 and n["anon_beside_dirty"] < 1),
    ),
    Statement(
        "anon-needs-swap", "Without swap anonymous memory cannot be reclaimed",
        "True of memory that is in use. What a program gave up with MADV_FREE, as allocators do, is"
        " anonymous too and is freed without swap (`mm/vmscan.c:shrink_folio_list`).",
        (("before", "MiB before, half of them given up"), ("after", "MiB after reclaim")),
        both(lambda n: n["after"] >= 31, lambda n: n["after"] >= n["before"] - 4),
    ),
    Statement(
        "locked-kernel-huge", "Locked, kernel and huge pages are never reclaimed",
        "Locked pages are not, and most of what the kernel holds is not. But its caches of names and"
        " inodes are, and a transparent huge page is swapped like others, whole or split.",
        (("locked_before", "MiB locked before"), ("locked_after", "after"),
         ("pipes_before", "MiB with pipes before"), ("pipes_after", "after"),
         ("dentries_before", "MiB of slab before"), ("dentries_after", "after"),
         ("huge_thp", "MiB of huge pages before"), ("huge_after", "MiB of them left")),
        both(lambda n: n["locked_after"] > 31 and n["pipes_after"] > 15,
             lambda n: n["dentries_after"] > n["dentries_before"] / 2 and n["huge_after"] > 16),
    ),
    Statement(
        "current-is-the-sum", "memory.current is anon + file + kernel + sock",
        "Nearly: processors charge up to 64 pages in advance, and memory.stat is summed up every two"
        " seconds only. 5.10 does not tell `kernel`, and the sum cannot be made there.",
        (("current", "memory.current, MiB"), ("sum", "sum, MiB"), ("rest_kib", "rest, KiB")),
        when(lambda n: n["kernel_is_told"] and abs(n["rest_kib"]) <= 1024),
    ),
    Statement(
        "cache-kills", "The page cache counts against the limit and can kill a container",
        "It counts, and fills the limit. But it gives way: a file twice as large as the limit is read and"
        " another one written, and nobody dies. What cannot be given back and is counted as cache is a"
        " tmpfs; see there.",
        (("file", "MiB of cache, limit 48"), ("max", "limit hit"), ("kills", "killed")),
        both(lambda n: n["file"] > 24, lambda n: n["kills"] > 0),
    ),
    Statement(
        "tmpfs-is-cache", "A tmpfs counts as cache and is freed like it",
        "It counts as `file` (and `shmem`), but has no disk behind it: without swap nothing of it can be"
        " freed, and it stays when its writer dies. So it takes room that others are killed for.",
        (("file", "MiB of file, of 32 written"), ("after_reclaim", "MiB after reclaim"),
         ("after_death", "MiB after its writer's death"), ("kills", "killed for it")),
        both(lambda n: n["file"] > 31, lambda n: n["after_reclaim"] < 16),
    ),
    Statement(
        "root-has-a-bonus", "Processes of root get a bonus of 3 percent",
        "Not since 4.17: `mm/oom_kill.c:oom_badness` had a line for it until then.",
        (("root", "oom_score of root's"), ("user", "of the same for a user")),
        when(lambda n: n["user"] - n["root"] >= 3),  # one or two are pages that were counted late
        until="true until 4.16, by its source",
    ),
    Statement(
        "score-is-a-percentage", "oom_score is a percentage of memory",
        "Since 5.9 a process that holds nothing shows 666, and each thousandth of memory and swap adds"
        " two thirds of a point (`fs/proc/base.c:proc_oom_score`).",
        (("score_of_nothing", "score of a tiny process"),
         ("score_of_a_quarter", "score with a quarter of memory")),
        when(lambda n: n["score_of_nothing"] < 50 and 200 <= n["score_of_a_quarter"] <= 300),
    ),
    Statement(
        "exempt-is-never-killed", "An oom_score_adj of -1000 means never killed",
        "The OOM killer never chooses it. Alone at its limit it tries again and again instead, with a"
        " processor for itself. A signal still kills it, and so does cgroup.kill.",
        (("alive_after_2_s", "alive after 2 s"), ("oom", "OOM killer called"), ("cpu_s", "s of CPU, of 2"),
         ("dies_of_sigkill", "dies of SIGKILL")),
        both(lambda n: n["alive_after_2_s"] and not n["kills"], lambda n: not n["dies_of_sigkill"]),
    ),
    Statement(
        "min-is-never-reclaimed", "memory.min is never reclaimed",
        "Not from outside. The cgroup's own limit does not care about its protection"
        " (`mm/page_counter.c:page_counter_calculate_protection` is relative to who reclaims).",
        (("from_outside", "MiB of 40, pressed from outside"), ("by_own_limit", "by its own limit of 16")),
        both(lambda n: n["from_outside"] > 38, lambda n: n["by_own_limit"] > 38),
    ),
    Statement(
        "low-is-a-guarantee", "memory.low is a guarantee",
        "It holds while anybody else has something to give. When nobody has, it is ignored, and that is"
        " counted as `low` in memory.events (`mm/vmscan.c:do_try_to_free_pages`).",
        (("beside_cache", "MiB of 40, beside cache"), ("beside_anon", "beside what cannot be reclaimed"),
         ("low", "low events")),
        both(lambda n: n["beside_cache"] > 36, lambda n: n["beside_anon"] > 36),
    ),
    Statement(
        "group-kills-all-or-none", "memory.oom.group kills all or none",
        "All but those with -1000, and init (`mm/oom_kill.c:oom_kill_memcg_member`).",
        (("dead", "dead, of 3"), ("exempt_alive", "the exempt one lives")),
        when(lambda n: not n["exempt_alive"]),
    ),
    Statement(
        "kills-count-the-dead", "oom_kill counts the processes that were killed",
        "The first victim of a group is counted twice: once when it is chosen, once as a member.",
        (("dead", "dead"), ("kills", "oom_kill")),
        when(lambda n: n["kills"] == n["dead"]),
    ),
    Statement(
        "failcnt-counts-ooms", "failcnt counts how often memory ran out",
        "It counts how often the limit was hit, which is what happens to a program that reads a file all"
        " day and is well. v2 calls it `max`.",
        (("hits", "limit hit"), ("ooms", "OOM killer called")),
        when(lambda n: n["hits"] == n["ooms"]),
    ),
    Statement(
        "no-oom-no-kill", "In a cgroup with `oom 0` nobody was killed by the OOM killer",
        "`oom` is counted where the limit is, `oom_kill` where the victim was. A limit above, or the"
        " whole machine, kills in a cgroup that shows `oom 0`.",
        (("oom", "oom of the victim's cgroup"), ("kills", "its oom_kill"),
         ("parent_oom", "oom of its parent")),
        never("kills"),
    ),
    Statement(
        "highest-score-dies", "The process with the highest oom_score dies, wherever the limit was hit",
        "Only who is below the limit that was hit can help it, and only they are looked at. On 7.2 more than"
        " one may die there: a victim that exits is not seen any more."
        ' Since Linux kernel commit a72f73c4dd9b ("cgroup: Don\'t expose dead tasks in cgroup") (in v7.0), as'
        " is concluded from what it changes.",
        (("score_elsewhere", "score elsewhere"), ("score_at_limit", "score at the limit"),
         ("elsewhere_alive", "the one elsewhere lives"), ("dead_at_limit", "dead at the limit")),
        when(lambda n: not n["elsewhere_alive"]),
    ),
    Statement(
        "guaranteed-dies-last", "A Guaranteed pod has an oom_score_adj of -998, and dies last",
        "The kubelet gave -998 until about 1.16 and gives -997 since (k/k#71269): a Guaranteed pod dies after"
        " all others and yet before its pause container, which has -998. Where all of a pod's containers are"
        " at their limits the score does not help: only who is below the limit can be killed.",
        (("score_1000", "score with 1000 (BestEffort)"), ("score_997", "with -997 (Guaranteed)"),
         ("score_998", "with -998 (pause)"), ("besteffort_first", "BestEffort dies first"),
         ("guaranteed_dead", "Guaranteed dies next"), ("pause_alive", "pause lives")),
        both(lambda n: n["besteffort_first"], lambda n: not n["guaranteed_dead"]),
    ),
    Statement(
        "avg10-warns", "avg10 is over 60 percent before the machine dies",
        "The average needs five periods of two seconds of standstill to get there"
        " (`kernel/sched/psi.c:calc_avgs`); a leak without swap is over sooner.",
        (("avg10", "highest avg10"), ("killed_after_s", "killed after s"), ("kills", "killed")),
        when(lambda n: n["avg10"] > 60),
    ),
    Statement(
        "swap-makes-it-worse", "Swap makes running out of memory worse",
        "A leak takes longer to die, and everybody pays in stalls meanwhile: that time is a chance for"
        " who watches and a loss for who does not.",
        (("s_without", "s to death without"), ("s_with", "with"), ("stalled_without", "s stalled without"),
         ("stalled_with", "with")),
        both(lambda n: n["stalled_with"] > n["stalled_without"], lambda n: n["s_with"] < n["s_without"]),
    ),
    Statement(
        "overcommit-prevents", "overcommit_memory=2 prevents OOM kills",
        "It refuses what the machine could not hold, so that malloc fails. A cgroup's limit is another"
        " matter and kills as before.",
        (("error", "a mapping of twice the memory"), ("kills", "killed at the limit")),
        both(lambda n: n["error"] == "ENOMEM", lambda n: n["kills"] == 0),
    ),
    Statement(
        "lowering-max-fails", "Lowering memory.max below what is used fails",
        "It succeeds: it reclaims, and then kills until the rest fits"
        " (`mm/memcontrol.c:memory_max_write`). v1 said EBUSY.",
        (("before", "MiB before"), ("error", "error"), ("kills", "killed"), ("after", "MiB after")),
        when(lambda n: n["error"] != "none"),
    ),
    Statement(
        "free-memory-protects", "Free memory of the machine protects a container",
        "A limit is a limit. The machine has most of its memory available when the container dies.",
        (("available", "MiB available"), ("total", "of"), ("kills", "killed")),
        never("kills"),
    ),
    Statement(
        "free-is-free", "Memory that is not free is in use",
        "Cache is given back when it is needed; `MemAvailable` counts it as available, `MemFree` does"
        " not.",
        (("free_lost", "MiB less free after reading 96"), ("available_lost", "MiB less available")),
        when(lambda n: n["available_lost"] > n["free_lost"] / 2),
    ),
)  # fmt: skip
BY_NAME = {statement.name: statement for statement in STATEMENTS}
