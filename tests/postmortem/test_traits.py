"""Traits and page size: from the format first, from the release last, and honest about it."""

from __future__ import annotations

import pytest

from memwarden.postmortem.era import release_of
from memwarden.state.traits import BadnessRule, Basis
from tests.postmortem.eras import ERAS
from tests.postmortem.texts import HEADER, KILL, MEMCG_KILL, SUMMARY, dmesg, only
from tests.postmortem.world import World

ERA = {era.name: era for era in ERAS}


def cpu(release: str) -> str:
    return f"CPU: 1 PID: 9 Comm: postgres Not tainted {release} #1"


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("5.10.0-32-amd64", (5, 10)),
        ("7.2", (7, 2)),
        ("2.6.9-5.EL", (2, 6, 9)),
        ("custom", None),
        (None, None),
    ],
)
def test_releases(text: str | None, release: tuple[int, ...] | None):
    assert release_of(text) == release


@pytest.mark.parametrize(
    ("lines", "rule", "basis"),
    [
        # The header of 4.6 and later alone decides nothing; the newest is assumed.
        ([HEADER], BadnessRule.SIGNED, Basis.ASSUMED),
        ([HEADER, cpu("5.8.0-63-generic")], BadnessRule.UNSIGNED, Basis.VERSION),
        ([HEADER, cpu("5.9.0")], BadnessRule.SIGNED, Basis.VERSION),
        ([HEADER, cpu("4.16.3")], BadnessRule.UNSIGNED_ROOT_BONUS, Basis.VERSION),
        ([HEADER, cpu("4.17.0")], BadnessRule.UNSIGNED, Basis.VERSION),
        # A kernel that calls itself 4.18 and prints what came with 5.9 has that code.
        (
            [HEADER, cpu("4.18.0-553.el8"), "memory: usage 4kB, limit 4kB, failcnt 0", "percpu 7"],
            BadnessRule.SIGNED,
            Basis.FORMAT,
        ),
        (
            [HEADER, "Mem-Info:", "unevictable:0 dirty:0 writeback:0 unstable:0", SUMMARY],
            BadnessRule.UNSIGNED,
            Basis.FORMAT,
        ),
        ([HEADER, "Mem-Info:", "kernel_misc_reclaimable:0"], BadnessRule.SIGNED, Basis.FORMAT),
        (
            [HEADER, "memory: usage 4kB, limit 4kB, failcnt 0", "workingset_refault 7", SUMMARY],
            BadnessRule.UNSIGNED,
            Basis.FORMAT,
        ),
        # Flags came with 4.6, the choice went with 5.1.
        (
            [HEADER, "Out of memory: Kill process 7 (a) score 9 or sacrifice child", cpu("4.4.0")],
            BadnessRule.UNSIGNED_ROOT_BONUS,
            Basis.VERSION,
        ),
        # What no kernel prints together: a vendor's; the release is what is left.
        (
            [
                HEADER,
                "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
                cpu("4.12.0"),
            ],
            BadnessRule.UNSIGNED_ROOT_BONUS,
            Basis.VERSION,
        ),
        (
            [HEADER, "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name"],
            BadnessRule.UNSIGNED_ROOT_BONUS,
            Basis.ASSUMED,
        ),
        (
            ["x invoked oom-killer: gfp_mask=0xd0, order=0, oom_adj=0", cpu("2.6.32-5-amd64")],
            BadnessRule.LEGACY,
            Basis.FORMAT,
        ),
    ],
)
def test_the_rule(lines: list[str], rule: BadnessRule, basis: Basis):
    traits = only(dmesg(*lines)).traits
    assert traits is not None
    assert (traits.badness, traits.basis_of("badness")) == (rule, basis)
    assert traits.last_of_equals is (None if basis is Basis.ASSUMED else rule is BadnessRule.SIGNED)


@pytest.mark.parametrize(
    ("release", "batch", "approximate", "stale", "mglru"),
    [
        ("5.4.0", 32, True, None, False),
        ("5.10.0", 32, True, True, False),
        ("6.1.0", 64, True, True, None),
        ("6.6.0", 64, True, None, None),
        ("6.12.0", 64, True, False, None),
        ("7.2.0", 64, None, False, None),
    ],
)
def test_what_only_the_release_tells(
    release: str, batch: int, approximate: bool | None, stale: bool | None, mglru: bool | None
):
    traits = only(dmesg(HEADER, cpu(release))).traits
    assert traits is not None
    got = (traits.charge_batch_pages, traits.approximate_rss, traits.stale_protection_bug, traits.mglru)
    assert got == (batch, approximate, stale, mglru)
    assert traits.basis_of("charge_batch_pages") is Basis.VERSION
    unknown = only(HEADER).traits
    assert unknown is not None
    assert (unknown.charge_batch_pages, unknown.approximate_rss, unknown.stale_protection_bug) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("lines", "itemised"), [(["anon 4", "kernel 4"], True), (["anon 4"], False), ([], None)]
)
def test_whether_statistics_name_the_kernels_share(lines: list[str], itemised: bool | None):
    traits = only(dmesg(HEADER, "memory: usage 4kB, limit 4kB, failcnt 0", *lines)).traits
    assert traits is not None
    assert traits.stat_itemises_kernel is itemised


@pytest.mark.parametrize(
    ("lines", "sacrifice"),
    [
        ([MEMCG_KILL], False),
        (["Out of memory: Kill process 7 (a) score 9 or sacrifice child"], True),
        (["Killed process 7 (a) total-vm:4kB, anon-rss:4kB, file-rss:0kB"], None),
    ],
)
def test_whether_a_child_dies_for_its_parent(lines: list[str], sacrifice: bool | None):
    traits = only(dmesg(*lines)).traits
    assert traits is not None
    assert traits.sacrifice_child is sacrifice


ROW = "[     77]     0    77      {}        8    45056        0             0 java"
TABLE = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
VM_4096KB = KILL


@pytest.mark.parametrize(
    ("lines", "size", "basis"),
    [
        (["Mem-Info:", "Node 0 DMA: 0*64kB 3*128kB = 384kB"], 65536, "text"),
        (["Mem-Info:", "Node 0 DMA: 0*16kB 3*32kB = 96kB"], 16384, "text"),
        (["Mem-Info:", "Node 0 DMA: 0*12kB 3*24kB = 72kB"], 4096, "assumed"),
        (
            [
                "Mem-Info:",
                "active_anon:1000 inactive_anon:10",
                "Node 0 active_anon:64064kB inactive_anon:9kB",
            ],
            65536,
            "text",
        ),
        (
            [
                "Mem-Info:",
                "active_anon:1000 inactive_anon:10",
                "Node 0 active_anon:30000kB inactive_anon:9kB",
            ],
            4096,
            "assumed",
        ),
        (
            ["Mem-Info:", "active_anon:10 inactive_anon:10", "Node 0 active_anon:640kB inactive_anon:9kB"],
            4096,
            "assumed",
        ),
        # 4096 kB are 64 pages of 64 KiB, or 1024 of 4 KiB
        ([TABLE, ROW.format(64), VM_4096KB], 65536, "text"),
        ([TABLE, ROW.format(1024), VM_4096KB], 4096, "text"),
        ([TABLE, ROW.format(1000), VM_4096KB], 4096, "assumed"),
        ([TABLE, ROW.format(0), VM_4096KB], 4096, "assumed"),
        (["[ pid ]   uid  tgid name", "[ 77] 0 77 java", VM_4096KB], 4096, "assumed"),
        (["RIP: 0033:0x7f5ba27c6d6f"], 4096, "architecture"),
        (["EAX: ffffffda EBX: 00000003 ECX: b77ef010 EDX: 00400000"], 4096, "architecture"),
        (["R10: 0000000000000000 R11: 0000000000000246"], 4096, "assumed"),
        ([cpu("6.12.0-55.el10.ppc64le")], 65536, "architecture"),
        ([cpu("5.14.0-427.el9.aarch64+64k")], 65536, "architecture"),
        ([cpu("6.8.0-45-generic-64k")], 65536, "architecture"),
        ([cpu("4.18.0-553.el8.aarch64")], 65536, "architecture"),
        ([cpu("6.1.0-25-amd64")], 4096, "architecture"),
        ([cpu("6.1.0-25-generic")], 4096, "assumed"),
        ([cpu("6.9.0-asahi-16k")], 16384, "architecture"),
    ],
)
def test_the_page_size(lines: list[str], size: int, basis: str):
    report = only(dmesg(HEADER, *lines))
    assert (report.host.page_size_bytes, report.host.page_size_basis) == (size, basis)
    traits = report.traits
    assert traits is not None
    assert (
        traits.basis_of("page_size_bytes")
        is {
            "text": Basis.FORMAT,
            "architecture": Basis.VERSION,
            "assumed": Basis.ASSUMED,
        }[basis]
    )


def test_what_the_release_says_yields_to_what_the_format_allows():
    world = World(ERA["rhel6"])
    traits = only("\n".join(world.report())).traits
    assert traits is not None
    assert (traits.badness, traits.basis_of("badness")) == (BadnessRule.PERMILLE, Basis.FORMAT)
