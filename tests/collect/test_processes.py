"""Processes: hostile names, those that exit, those whose pid is used again, and whose they are."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import threading

import pytest

from memwarden.collect.membership import settle
from memwarden.collect.open import open_source
from memwarden.collect.processes import ProcessReader
from memwarden.collect.record import Schedule, record
from memwarden.collect.snapshot import Collector
from memwarden.errors import ReadError
from memwarden.host.live import Live
from memwarden.state.cgroup import Cgroup
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.process import PF_KTHREAD, Process
from memwarden.testing.clock import ManualClock
from tests.collect.machines import CGROUP, HOSTILE, collector, machine, snapshot

KIB = 1024
HOSTILE_COMMS = ("a b", "a (b) c", ") S 1 1 1", "(((", "x\ny", "tab\t", "back\\slash", "\u6f22", "\udcff", "")


def test_the_fields_of_a_process(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", {**CGROUP, "cgroup.procs": "42\n"})
    root.add_process(42, "db", cgroup="/a", adj=-500, score=333)
    assert snapshot(root).processes[42] == Process(
        pid=42,
        comm="db",
        start_time_ticks=100,
        ppid=1,
        state="S",
        uid=7,
        flags=0x400000,
        threads=1,
        cgroup="/a",
        total_vm_bytes=16384 * KIB,
        rss_bytes=8192 * KIB,
        rss_anon_bytes=8000 * KIB,
        rss_file_bytes=128 * KIB,
        rss_shmem_bytes=64 * KIB,
        swap_bytes=12 * KIB,
        pgtables_bytes=40 * KIB,
        locked_bytes=4 * KIB,
        hugetlb_bytes=0,
        pss_bytes=None,
        oom_score=333,
        oom_score_adj=-500,
    )


@pytest.mark.parametrize("comm", HOSTILE_COMMS)
def test_hostile_names_are_names(tmp_path, comm):
    root = machine(tmp_path)
    root.add_process(42, comm)
    root.add_process(43, "after")
    taken = snapshot(root)
    assert taken.processes[42].comm == comm
    assert taken.processes[42].state == "S"
    assert taken.processes[43].comm == "after"


@pytest.mark.parametrize("name", HOSTILE)
def test_processes_of_cgroups_with_hostile_names(tmp_path, name):
    root = machine(tmp_path)
    root.add_cgroup(f"/{name}", {**CGROUP, "cgroup.procs": "42\n"})
    root.add_process(42, cgroup=f"/{name}")
    taken = snapshot(root)
    assert taken.processes[42].cgroup == f"/{name}"
    assert [process.pid for process in taken.members(f"/{name}")] == [42]


def test_a_removed_cgroup_is_not_one_whose_name_ends_like_it(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/x (deleted)", {**CGROUP, "cgroup.procs": "42\n"})
    root.add_process(42, cgroup="/x (deleted)")
    root.add_process(43, cgroup="/gone (deleted)")
    taken = snapshot(root)
    assert taken.processes[42].cgroup == "/x (deleted)"
    assert taken.processes[43].cgroup == "/gone"
    assert "/gone" not in taken.cgroups


def test_smaps_only_when_asked(tmp_path):
    root = machine(tmp_path)
    root.add_process(42)
    root.add_process(43, state="Z")
    root.write("proc/42/smaps_rollup", "0-1 ---p 0 00:00 0 [rollup]\nRss: 8 kB\nPss: 5 kB\n")
    assert snapshot(root).processes[42].pss_bytes is None
    taken = snapshot(root, smaps=True)
    assert taken.processes[42].pss_bytes == 5 * KIB
    # A zombie has no memory: its file is not read.
    assert not any(gap.path.endswith("smaps_rollup") for gap in taken.gaps)


def test_of_a_kernel_thread_only_its_stat_is_read(tmp_path):
    root = machine(tmp_path)
    root.add_process(2, "kthreadd", flags=PF_KTHREAD | 0x8000)
    for name in ("status", "cgroup", "oom_score", "oom_score_adj"):
        (root.proc / "2" / name).unlink()
    taken = snapshot(root)
    assert taken.processes[2].is_kernel_thread
    assert taken.processes[2].rss_bytes is None
    assert not any(gap.path.startswith("/proc/2/") for gap in taken.gaps)


def leaderless(root, *, cgroup="/a", own="/a"):
    """Process 42, whose first thread has exited: its own files show no memory, those of thread 44 do."""
    root.add_process(42, "db", cgroup=own, state="Z")
    stat = (root.proc / "42/stat").read_text()
    root.write("proc/42/stat", stat.replace(" 20 0 1 0 ", " 20 0 3 0 "))
    status = (root.proc / "42/status").read_text()
    for thread in (43, 44):
        root.write(f"proc/42/task/{thread}/status", status if thread == 44 else without_memory(status))
        root.write(f"proc/42/task/{thread}/cgroup", f"0::{cgroup}\n")
    root.write("proc/42/task/42/status", without_memory(status))
    root.write("proc/42/status", without_memory(status))


def without_memory(status):
    return "".join(line for line in status.splitlines(keepends=True) if not line.startswith(("Vm", "Rss")))


def test_a_process_whose_first_thread_has_exited_has_the_memory_of_the_others(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", {**CGROUP, "cgroup.procs": "42\n"})
    leaderless(root)
    process = snapshot(root, smaps=True).processes[42]
    assert (process.state, process.threads, process.cgroup) == ("Z", 3, "/a")
    assert (process.rss_bytes, process.pgtables_bytes, process.oom_score) == (8192 * KIB, 40 * KIB, 666)


def test_where_it_is_its_living_threads_say(tmp_path):
    # proc_cgroup_show on v1: a thread that exits is in the root.
    root = machine(tmp_path)
    root.add_cgroup("/a", {**CGROUP, "cgroup.procs": "42\n"})
    leaderless(root, own="/")
    taken = snapshot(root)
    assert taken.processes[42].cgroup == "/a"
    assert [process.pid for process in taken.members("/a")] == [42]


def test_living_threads_without_a_readable_cgroup(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", {**CGROUP, "cgroup.procs": "42\n"})
    leaderless(root)
    (root.proc / "42/task/44/cgroup").unlink()
    assert snapshot(root).processes[42].cgroup == "/a"


def test_threads_that_cannot_be_read_leave_the_memory_unknown(tmp_path):
    root = machine(tmp_path)
    leaderless(root)
    shutil.rmtree(root.proc / "42/task/44")
    assert snapshot(root).processes[42].rss_bytes is None
    shutil.rmtree(root.proc / "42/task")
    taken = snapshot(root)
    assert taken.processes[42].rss_bytes is None
    assert Gap("/proc/42/task", GapReason.NO_FILE) in taken.gaps


def test_a_recording_has_the_thread_that_was_read(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", {**CGROUP, "cgroup.procs": "42\n"})
    leaderless(root, own="/")
    source = Live(str(root.proc), str(root.path), keep=0)
    out = io.BytesIO()
    recorded = list(record(source, out, ManualClock(), Schedule(), cgroup_root="/sys/fs/cgroup"))
    source.close()
    path = tmp_path / "one.rootar"
    path.write_bytes(out.getvalue())
    again = Collector(open_source(str(path))).snapshot()
    assert again.processes[42] == recorded[0].processes[42]
    assert again.processes[42].rss_bytes == 8192 * KIB


def test_what_is_no_process_is_not_read(tmp_path):
    root = machine(tmp_path)
    root.add_process(42)
    (root.proc / "99").write_text("a file")
    (root.proc / "98").symlink_to("42")
    (root.proc / "sys").mkdir(exist_ok=True)
    assert set(snapshot(root).processes) == {42}


def test_a_process_without_stat_has_gone(tmp_path):
    root = machine(tmp_path)
    (root.proc / "42").mkdir()
    root.add_process(43)
    (root.proc / "43/stat").write_text("garbage")
    taken = snapshot(root)
    assert taken.processes == {}
    assert Gap("/proc/42", GapReason.GONE) in taken.gaps
    assert [gap.reason for gap in taken.gaps if gap.path == "/proc/43"] == [GapReason.MALFORMED]


def test_a_file_that_a_kernel_lacks_is_a_gap_and_the_process_stays(tmp_path):
    root = machine(tmp_path)
    root.add_process(42)
    (root.proc / "42/oom_score_adj").unlink()
    taken = snapshot(root)
    assert taken.processes[42].oom_score_adj is None
    assert Gap("/proc/42/oom_score_adj", GapReason.NO_FILE) in taken.gaps


def test_a_process_that_exits_between_two_of_its_files_is_left_out(tmp_path):
    root = machine(tmp_path)
    root.add_process(42)

    class Vanishing:
        """``/proc/42`` of which only the first file can still be read."""

        path, inode = "/proc/42", 1

        def read(self, name):
            if name == "stat":
                return (root.proc / "42/stat").read_bytes()
            raise ReadError(f"/proc/42/{name}", "ESRCH")

        def alive(self):
            return False

        def release(self):
            pass

    class Proc(Vanishing):
        def subdirectories(self):
            return [("42", 1)]

        def child(self, name):
            return Vanishing()

    class Source:
        def processes(self):
            return Proc()

    class Reading:
        source, gaps = Source(), []

        def at(self, directory, name, parse):
            try:
                return parse(directory.read(name))
            except ReadError as error:
                self.gaps.append(Gap(error.path, GapReason.GONE))

    reading = Reading()
    assert ProcessReader(reading, None, {}).read() == {}
    assert reading.gaps == [Gap("/proc/42", GapReason.GONE)]


def test_processes_that_vanish_from_a_folder_while_they_are_read(tmp_path):
    root = machine(tmp_path)
    root.add_process(42)
    stop = threading.Event()

    def churn():
        number = 0
        while not stop.is_set():
            root.add_process(100 + number % 5, start=number)
            shutil.rmtree(root.proc / str(100 + number % 5))
            number += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        with collector(root) as taker:
            for _ in range(100):
                taken = taker.snapshot()
                assert 42 in taken.processes
                assert all(process.pid == pid for pid, process in taken.processes.items())
    finally:
        stop.set()
        thread.join()


@pytest.mark.live
def test_live_processes_that_exit_while_they_are_read():
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            subprocess.run(["/bin/true"], check=True)

    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()
    source = Live()
    try:
        taker = Collector(source, smaps=True)
        for _ in range(10):
            taken = taker.snapshot()
            assert taken.processes[os.getpid()].rss_bytes > 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        source.close()


@pytest.mark.live
def test_a_directory_of_a_process_is_not_that_of_the_next_with_its_pid():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    source = Live()
    directory = source.processes().child(str(child.pid))
    child.kill()
    child.communicate()
    # Whether or not the pid is in use again by now, this directory belongs to nobody.
    with pytest.raises(ReadError):
        directory.read("stat")
    directory.release()
    source.close()


@pytest.mark.live
def test_our_own_figures_are_those_of_the_kernel():
    source = Live()
    own = Collector(source).snapshot().processes[os.getpid()]
    source.close()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    assert own.total_vm_bytes == pytest.approx(pages * os.sysconf("SC_PAGE_SIZE"), rel=0.2)
    with open("/proc/self/oom_score_adj") as file:
        assert own.oom_score_adj == int(file.read())
    assert own.ppid == os.getppid()


def cgroup(path, *procs, threaded=False):
    return Cgroup(path=path, inode=1, procs=None if threaded else procs)


def process(pid, where, state="S", flags=0):
    return Process(pid=pid, comm="x", start_time_ticks=1, state=state, flags=flags, cgroup=where)


def settled(cgroups, processes):
    found = {each.path: each for each in cgroups}
    settle(found, {each.pid: each for each in processes})
    return {path: each.procs for path, each in found.items()}


def test_agreement_is_left_alone():
    before = [cgroup("/"), cgroup("/a", 2, 1)]
    assert settled(before, [process(1, "/a"), process(2, "/a")]) == {"/": (), "/a": (2, 1)}


def test_a_process_that_moved_is_where_it_says():
    before = [cgroup("/a", 1, 2, 3), cgroup("/b", 4)]
    after = settled(before, [process(1, "/a"), process(2, "/b"), process(3, "/a"), process(4, "/b")])
    assert after == {"/a": (1, 3), "/b": (4, 2)}


def test_a_process_born_after_the_listing_comes_last():
    assert settled([cgroup("/a", 5)], [process(5, "/a"), process(3, "/a")]) == {"/a": (5, 3)}


def test_a_listed_process_that_could_not_be_read_stays_listed():
    assert settled([cgroup("/a", 5, 6)], [process(5, "/a")]) == {"/a": (5, 6)}


def test_a_threaded_cgroup_belongs_to_the_domain_above_it():
    before = [cgroup("/d", 1), cgroup("/d/t", threaded=True)]
    assert settled(before, [process(1, "/d/t")]) == {"/d": (1,), "/d/t": None}


def test_a_dead_leader_of_living_threads_joins():
    assert settled([cgroup("/a")], [process(2, "/a", state="Z")._replace(threads=2)]) == {"/a": (2,)}


def test_zombies_kernel_threads_and_outsiders_do_not_join():
    before = [cgroup("/a", 1)]
    others = [
        process(1, None),
        process(2, "/a", state="Z"),
        process(3, "/a", flags=PF_KTHREAD),
        process(4, "/unknown"),
    ]
    assert settled(before, others) == {"/a": (1,)}


def test_a_zombie_that_is_elsewhere_leaves():
    assert settled([cgroup("/a", 1), cgroup("/b")], [process(1, "/b", state="Z")]) == {"/a": (), "/b": ()}
