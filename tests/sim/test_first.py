"""A first scenario of what runs: knobs as they are, sizes as measured, growth between two snapshots."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memwarden.errors import InputError
from memwarden.kernel.swaps import SwapArea
from memwarden.sim.first import first
from memwarden.sim.scenario import Grow, KernelMemory, SwapDevice, Tmpfs, WorkingSet, Zswap
from memwarden.sim.words.load import load
from memwarden.state.cgroup import Cgroup
from memwarden.state.process import Process
from memwarden.state.snapshot import HostFacts, Instant, Snapshot
from memwarden.units import GIB, MAX, MIB
from memwarden.words.document import Text

LAB = Path(__file__).parent.parent / "roots" / "lab" / "6.12"


def cgroup(path, anon, *, procs=(), children=(), **more):
    stat = {"anon": anon * MIB, "file": 8 * MIB, "shmem": 2 * MIB, "kernel": 3 * MIB, "sock": 0}
    return Cgroup(path, hash(path) & 0xFFFF, procs=procs, children=children, stat=stat, **more)


def taken(at_s, web_mib):
    web = cgroup("/a/web.service", web_mib, procs=(7, 8), max_bytes=GIB, low_bytes=MIB, high_bytes=MAX)
    above = cgroup("/a", web_mib, children=("/a/web.service",), max_bytes=2 * GIB)
    root = Cgroup("/", 1, children=("/a",), stat={})
    return Snapshot(
        Instant(at_s * 1_000_000),
        HostFacts(cpus=3, hostname="h"),
        meminfo={"MemTotal": 4 * GIB, "AnonPages": 500 * MIB, "SwapTotal": GIB, "SUnreclaim": 50 * MIB},
        sysctl={"swappiness": 10, "min_free_kbytes": 1024},
        cgroups={"/": root, "/a": above, "/a/web.service": web},
        processes={7: Process(7, "web", 1, oom_score_adj=200), 8: Process(8, "web", 1, oom_score_adj=200)},
    )


def test_what_is_measured_becomes_a_program_and_what_grew_goes_on():
    made = first([taken(0, 100), taken(10, 200)], "x")
    machine = made.machine
    assert (machine.ram_bytes, machine.cpus, machine.swappiness) == (4 * GIB, 3, 10)
    # 50 MiB of the kernel's, of which 3 are in web's cgroup.
    assert (machine.min_free_bytes, machine.kernel_bytes, machine.swap) == (MIB, 47 * MIB, SwapDevice(GIB))
    web, others = made.programs
    assert (web.name, web.cgroup, web.oom_score_adj) == ("web", "/a/web.service", 200)
    # 8 MiB of file, of which 2 are shared memory; 100 MiB more in 10 s.
    assert web.parts == (
        WorkingSet(200 * MIB, file_bytes=6 * MIB, requests_per_s=10.0),
        Grow(10.0 * MIB),
        Tmpfs(None, 2 * MIB),
        KernelMemory("other", None, 3 * MIB),
    )
    assert others.parts[0].anon_bytes == 300 * MIB
    groups = {one.path: one for one in made.groups}
    assert list(groups) == ["/a", "/a/web.service", "/others"]
    assert (groups["/a"].max_bytes, groups["/a/web.service"].low_bytes) == (2 * GIB, MIB)


def test_what_everybody_else_holds_is_page_cache_and_tmpfs_too_and_nothing_counts_twice():
    last = taken(0, 100)
    files = {"Active(file)": 30 * MIB, "Inactive(file)": 40 * MIB, "Shmem": 12 * MIB}
    web = last.cgroups["/a/web.service"]
    stat = {**web.stat, "kernel": 9 * MIB, "slab_reclaimable": 5 * MIB}
    cgroups = {**last.cgroups, web.path: web._replace(stat=stat)}
    made = first([last._replace(meminfo={**last.meminfo, **files}, cgroups=cgroups)], "x")
    ours, others = made.programs
    assert ours.parts[2:] == (KernelMemory("other", None, 4 * MIB), KernelMemory("dentries", None, 5 * MIB))
    assert made.machine.kernel_bytes == 46 * MIB
    # 70 MiB of page cache, of which 6 are web's, and 12 of tmpfs, of which 2.
    asked = WorkingSet(400 * MIB, file_bytes=64 * MIB, requests_per_s=10.0)
    assert others.parts == (asked, Tmpfs(None, 10 * MIB))


@pytest.mark.parametrize(
    ("areas", "ratio"),
    [
        ((("/dev/zram0", 700), ("/dev/vdb", 324)), 3.0),
        ((("/dev/zram0", 400), ("/swapfile", 624)), None),
        ((("/dev/mapper/zram0-not", 1024),), None),
        (None, None),
    ],
)
def test_swap_that_is_mostly_zram_is_zram(areas, ratio):
    swaps = areas and tuple(SwapArea(path, "partition", size * MIB, 0, -2) for path, size in areas)
    made = first([taken(0, 100)._replace(swaps=swaps)], "x")
    assert made.machine.swap == SwapDevice(GIB, ram_ratio=ratio)


def test_zswap_is_there_where_something_is_in_it():
    last = taken(0, 100)
    used = {"Zswap": 10 * MIB, "Zswapped": 25 * MIB}
    assert first([last._replace(meminfo={**last.meminfo, **used})], "x").machine.zswap == Zswap(ratio=2.5)
    assert first([last], "x").machine.zswap is None


def test_a_machine_of_larger_pages_is_simulated_with_small_ones():
    seen = taken(0, 100)
    made = first([seen._replace(traits=seen.traits._replace(page_size_bytes=65536, hz=100))], "x")
    assert (made.machine.traits.page_size_bytes, made.machine.traits.hz) == (4096, 100)


def test_one_snapshot_grows_nothing_and_names_are_told_apart():
    made = first([taken(0, 100)], "x", below="/a")
    assert [type(one) for one in made.programs[0].parts] == [WorkingSet, Tmpfs, KernelMemory]


def test_a_machine_that_does_not_say_its_memory_is_refused():
    with pytest.raises(InputError, match="how much memory the machine has"):
        first([taken(0, 1)._replace(meminfo={})], "x")


def test_a_recording_becomes_a_file_that_can_be_simulated(cli, tmp_path):
    path = tmp_path / "first.toml"
    assert cli("simulate", "--from", LAB / "single.rootar", "--write", path).code == 0
    assert '[group."/' in path.read_text()
    ran = cli("simulate", path, "--set", "duration=2s")
    assert ran.code == 0


@pytest.mark.parametrize(("series", "has"), [("5.10", False), ("6.1", True), ("6.12", True), ("7.2", True)])
def test_what_a_kernel_has_is_the_machines(cli, tmp_path, series, has):
    # kernel.md 1.8: process_mrelease is absent in 5.10, present from 6.1 on; locked memory goes since 5.18,
    # and memory.reclaim is there since 5.19.
    path = tmp_path / "out.toml"
    assert cli("simulate", "--from", LAB.parent / series / "single.rootar", "--write", path).code == 0
    machine = load(Text("x", path.read_text()), name="x").scenario.machine
    traits = machine.traits
    assert (traits.reaps_locked, traits.process_mrelease, traits.memory_reclaim) == (has, has, has)
    # Both of 7.0: kswapd_try_clear_hopeless, and scan_batch of scan_folios.
    assert (traits.kswapd_stays_down, traits.mglru_exact) == (series == "7.2", series == "7.2")
    # Of 6.11: mem_cgroup_iter with a cookie that ends the walk.
    assert traits.partial_walks is (series in ("6.12", "7.2"))


@pytest.mark.live
def test_a_process_of_this_machine_its_cgroup_and_its_memory(cli, tmp_path):
    path = tmp_path / "live.toml"
    holds = "held = b'x' * (64 << 20); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as held:
        held.stdout.readline()
        said = Path(f"/proc/{held.pid}/cgroup").read_text().splitlines()
        ran = cli("simulate", "--from", str(held.pid), "--write", path)
        held.stdin.close()
    if ran.code == 3:
        assert "its cgroup cannot be read here" in ran.err
        pytest.skip("no memory cgroup can be read here")
    assert (ran.code, ran.err) == (0, "")
    made = load(Text("live", path.read_text()), name="live").scenario
    total = Path("/proc/meminfo").read_text().split()[1]
    assert made.machine.ram_bytes == int(total) << 10
    programs = {one.cgroup: one for one in made.programs}
    own = {line.split(":", 2)[2] for line in said} & programs.keys() or {"/others"}
    sizes = [part.anon_bytes for name in own for part in programs[name].parts if hasattr(part, "anon_bytes")]
    assert max(sizes) >= 64 * MIB
    assert cli("simulate", path, "--set", "duration=1s").code == 0
