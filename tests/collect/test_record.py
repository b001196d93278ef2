"""Recording a machine: what was read is what is recorded, no more, and it reads back the same."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from errno import ENOSYS

import pytest

from memwarden.collect import rootar
from memwarden.collect.archive import Archive
from memwarden.collect.open import archives, open_source
from memwarden.collect.record import Schedule, record
from memwarden.collect.recorder import Recorder
from memwarden.collect.rootar import Dir, Failed, File
from memwarden.collect.snapshot import Collector
from memwarden.errors import InputError, ReadError
from memwarden.host.effects import Hands
from memwarden.host.live import Live
from memwarden.state.gaps import Gap, GapReason
from memwarden.testing.clock import ManualClock
from tests.collect.machines import CGROUP, HOSTILE, machine


def recorded(source, schedule=None, clock=None, **options):
    out = io.BytesIO()
    taken = list(record(source, out, clock or ManualClock(), schedule or Schedule(), **options))
    return taken, out.getvalue()


def back(data):
    return [Archive(each, "x.rootar") for each in rootar.read(io.BytesIO(data), "x.rootar")]


def without_basis(taken):
    return taken._replace(traits=taken.traits._replace(basis={}))


def assert_same(taken, data, **options):
    again = [Collector(archive, smaps=True, marks=True, **options).snapshot() for archive in back(data)]
    assert len(again) == len(taken)
    for one, other in zip(taken, again, strict=True):
        for name in one._fields:
            assert getattr(without_basis(one), name) == getattr(without_basis(other), name), name


@pytest.mark.live
def test_this_machine_reads_back_the_same(live_cgroup):
    for name in ("a b", "system-\\x2d", "caf\u00e9", os.fsdecode(b"\xff\xfe")):
        os.mkdir(os.fsencode(live_cgroup / name))
    source = Live()
    taken, data = recorded(source, Schedule(3), ManualClock())
    source.close()
    assert f"/{live_cgroup.name}/a b" in taken[0].cgroups
    assert_same(taken, data)


def test_a_hostile_machine_reads_back_the_same(tmp_path):
    root = machine(tmp_path)
    for number, name in enumerate(HOSTILE):
        root.add_cgroup(f"/{name}", {**CGROUP, "cgroup.procs": f"{50 + number}\n"})
        root.add_process(50 + number, name[:15], cgroup=f"/{name}", adj=number)
    root.add_cgroup("/no-memory", {})
    source = Live(str(root.proc), str(root.path))
    taken, data = recorded(source, cgroup_root="/sys/fs/cgroup")
    source.close()
    assert_same(taken, data)
    assert len(taken[0].processes) == len(HOSTILE)


def test_later_snapshots_are_as_complete_as_the_first(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", {**CGROUP, "cgroup.kill": 1, "memory.reclaim": 1, "memory.peak": "junk\n"})
    root.add_cgroup("/b", CGROUP)
    clock = ManualClock()
    source = Live(str(root.proc), str(root.path), clock=clock)
    out = io.BytesIO()
    taken = []
    for number, each in enumerate(record(source, out, clock, Schedule(5, 10), cgroup_root="/sys/fs/cgroup")):
        taken.append(each)
        root.add_cgroup(("/b", "/c", "/c", "/a")[number % 4], {**CGROUP, "memory.current": number})
    source.close()
    assert taken[4].cgroups["/a"].has_kill
    assert taken[4].cgroups["/c"].current_bytes == 2
    assert_same(taken, out.getvalue())


def test_what_vanished_is_recorded_as_vanished(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", CGROUP)
    root.add_cgroup("/b", CGROUP)
    live = Live(str(root.proc), str(root.path))

    class Vanishing(Recorder):
        """``/a`` is removed between its listing and its opening."""

        def opened(self, path, open_it, name=None):
            if path.endswith("/a"):
                open_it = refuse
            return super().opened(path, open_it, name)

    def refuse(name):
        raise ReadError("/sys/fs/cgroup/a", "ENOENT")

    recorder = Vanishing(live)
    taken = Collector(recorder, cgroup_root="/sys/fs/cgroup").snapshot()
    live.close()
    assert recorder.entries["/sys/fs/cgroup/a/"] == Failed("ENOENT")
    again = Collector(
        Archive(rootar.Recorded(0, recorder.facts, recorder.entries), "x"), cgroup_root="/sys/fs/cgroup"
    ).snapshot()
    for each in (taken, again):
        assert set(each.cgroups) == {"/", "/b"}
        assert Gap("/sys/fs/cgroup/a", GapReason.GONE) in each.gaps


@pytest.mark.live
def test_of_a_cgroup_that_vanished_half_way_nothing_is_kept(live_cgroup):
    (live_cgroup / "inner").mkdir()
    live = Live()
    recorder = Recorder(live)
    directory = recorder.cgroups(str(live_cgroup)).child("inner")
    directory.read("memory.stat")
    path = f"{live_cgroup}/inner"
    assert recorder.entries[path] == Dir(directory.inode)
    assert directory.alive()
    (live_cgroup / "inner").rmdir()
    assert not directory.alive()
    assert [key for key in recorder.entries if key.startswith(path)] == [f"{path}/"]
    live.close()


def test_intervals_are_start_to_start(tmp_path):
    root = machine(tmp_path)
    clock = ManualClock(1000, 5_000_000)
    source = Live(str(root.proc), str(root.path), clock=clock)
    _, data = recorded(source, Schedule(3, 2_000_000), clock, cgroup_root="/sys/fs/cgroup")
    source.close()
    assert [archive.instant().monotonic_us for archive in back(data)] == [1000, 2_001_000, 4_001_000]
    assert [archive.instant().wall_us for archive in back(data)] == [5_000_000, 7_000_000, 9_000_000]
    assert data.count(b"SNAP ") == 2
    # Nothing but the time has changed.
    entries = len(back(data)[0]._entries)
    assert data.count(b"\nSAME ") == 2 * entries


def test_a_late_snapshot_is_not_made_up_for(tmp_path):
    root = machine(tmp_path)
    clock = ManualClock()
    source = Live(str(root.proc), str(root.path), clock=clock)
    out = io.BytesIO()
    for number, _ in enumerate(record(source, out, clock, Schedule(3, 10), cgroup_root="/sys/fs/cgroup")):
        if number == 0:
            clock.sleep_us(35)  # the consumer took its time
    source.close()
    assert [archive.instant().monotonic_us for archive in back(out.getvalue())] == [0, 35, 45]


def test_stopping_early_ends_the_recording_properly(tmp_path):
    root = machine(tmp_path)
    source = Live(str(root.proc), str(root.path))
    out = io.BytesIO()
    recording = record(source, out, ManualClock(), Schedule(None, 10), cgroup_root="/sys/fs/cgroup")
    next(recording)
    next(recording)
    recording.close()
    source.close()
    assert len(back(out.getvalue())) == 2


def test_secrets_stay_out(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", {**CGROUP, "cgroup.procs": "42\n"})
    root.add_process(42, cgroup="/a")
    root.write("proc/42/environ", "TOKEN=hunter2\0")
    root.write("proc/42/cmdline", "mysql\0--password=hunter3\0")
    root.write(
        "proc/self/mountinfo",
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        "40 27 0:50 / /mnt rw - cifs //server/share rw,username=hunter4\n"
        "41 27 0:51 / /proc/meminfo rw - fuse.lxcfs lxcfs rw\n",
    )
    source = Live(str(root.proc), str(root.path))
    taken, data = recorded(source)
    assert b"hunter" not in data
    assert taken[0].cgroups["/a"].procs == (42,)
    assert taken[0].host.container_view == "lxcfs"
    assert_same(taken, data)
    _, data = recorded(source, cmdline=True)
    source.close()
    assert data.count(b"hunter") == 1
    assert b"--password=hunter3" in data


def test_an_archive_answers_like_the_machine():
    entries = {
        "/proc/meminfo": File(b"x"),
        "/proc/42/stat": File(b"y"),
        "/proc/43": Dir(7),
        "/sys/fs/cgroup/a/b/memory.max": Failed("EACCES"),
        "/sys/fs/cgroup/gone/": Failed("ENOENT"),
    }
    archive = Archive(rootar.Recorded(0, {"taken_monotonic_us": "5"}, entries), "x.rootar")
    assert archive.instant() == (5, None)
    assert sorted(archive.processes().subdirectories()) == [("42", 0), ("43", 7)]
    assert archive.processes().child("42").read("stat") == b"y"
    top = archive.cgroups("/sys/fs/cgroup")
    assert sorted(name for name, _ in top.subdirectories()) == ["a", "gone"]
    assert top.child("a").child("b").subdirectories() == []
    for read, errno in (
        (lambda: top.child("a").child("b").read("memory.max"), "EACCES"),
        (lambda: top.child("gone"), "ENOENT"),
        (lambda: top.child("other"), "ENODATA"),
        (lambda: top.child("a").child("b").read("memory.min"), "ENOENT"),
        (lambda: archive.read("/proc/vmstat"), "ENODATA"),
        (lambda: archive.read("/proc/43"), "ENODATA"),
    ):
        with pytest.raises(ReadError) as caught:
            read()
        assert caught.value.errno_name == errno


def test_a_clock_that_is_no_number():
    archive = Archive(rootar.Recorded(0, {"taken_monotonic_us": "soon"}, {"/a": Dir(1)}), "x.rootar")
    with pytest.raises(InputError, match=r"^x\.rootar: FACT taken_monotonic_us is 'soon', not microseconds"):
        archive.instant()


@pytest.fixture
def tiny(tmp_path):
    """A recording of two snapshots in a file."""
    root = machine(tmp_path / "machine")
    source = Live(str(root.proc), str(root.path))
    _, data = recorded(source, Schedule(2, 10), cgroup_root="/sys/fs/cgroup")
    source.close()
    path = tmp_path / "x.rootar"
    path.write_bytes(data)
    return path


def test_opening_gives_the_last_whole_snapshot(tiny):
    assert open_source(str(tiny)).instant().monotonic_us > 0
    packed = tiny.with_name("any-name")
    packed.write_bytes(gzip.compress(tiny.read_bytes()))
    assert len(list(archives(str(packed)))) == 2


def test_a_cut_off_recording_says_so(tiny):
    data = tiny.read_bytes()
    tiny.write_bytes(data[:-20])
    notes = []
    assert len(list(archives(str(tiny), notes))) == 1
    [note] = notes
    assert note.startswith(f"{tiny}: cut off in entry ")
    tiny.write_bytes(gzip.compress(data)[:-20])
    notes = []
    assert len(list(archives(str(tiny), notes))) == 1
    assert notes[1].startswith(f"{tiny}: is cut off; the ")


def run(*words, **more):
    return subprocess.run(
        [sys.executable, "-m", "memwarden", "record", *words],
        capture_output=True,
        text=True,
        check=False,
        **more,
    )


@pytest.mark.live
def test_the_verb(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cli("record", "-o", "x.rootar")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("x.rootar: 1 snapshot, ")
    assert done.out.endswith("Read it with: memwarden status --root x.rootar\n")
    assert sorted(os.listdir()) == ["x.rootar"]
    assert os.stat("x.rootar").st_mode & 0o777 == 0o600
    assert len(list(archives("x.rootar"))) == 1
    done = cli("record", "-o", "x.rootar")
    assert done.code == 3
    assert done.err == (
        "memwarden: x.rootar: exists already; name another file, or add --force to write over it\n"
    )
    done = cli(
        "record", "-o", "x.rootar", "--force", "--interval", "0.01", "--count", "2", "--format", "json"
    )
    document = json.loads(done.out)
    assert document["schema"] == "memwarden.record/1"
    assert (document["file"], document["snapshots"]) == ("x.rootar", 2)
    assert document["bytes"] == os.path.getsize("x.rootar")
    assert len(list(archives("x.rootar"))) == 2


@pytest.mark.live
def test_the_verb_by_default_and_to_standard_output(tmp_path):
    done = run(cwd=tmp_path)
    assert done.returncode == 0
    assert os.listdir(tmp_path) == [f"memwarden-{os.uname().nodename}.rootar"]
    done = run("-o", "-")
    assert done.returncode == 0
    assert done.stdout.startswith("memwarden-root 1\n")
    assert done.stdout.splitlines()[-1].startswith("END ")


@pytest.fixture
def run_here(cli, tmp_path, monkeypatch):
    """The command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return cli


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--count", "3"], 2, "--count needs --interval: how many seconds apart?"),
        (["--interval", "0"], 2, "'0' is not a number of seconds from 0.001 to 86400"),
        (["--interval", "soon"], 2, "'soon' is not a number of seconds from 0.001 to 86400"),
        (["--interval", "1", "--count", "0"], 2, "'0' is not a number of snapshots"),
        (["--interval", "1", "--count", "x"], 2, "'x' is not a number of snapshots"),
        (["-o", "/nowhere/x"], 3, "/nowhere/x: cannot be written: No such file or directory"),
        (["--proc", "/nowhere"], 3, "/nowhere: cannot be opened as --proc: No such file or directory"),
    ],
)
def test_the_verbs_errors(run_here, words, code, sentence):
    done = run_here("record", *words)
    assert done.code == code
    assert sentence in done.err
    assert os.listdir() == []


def test_nothing_half_written_is_left(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for more in ([], ["--interval", "1"]):
        done = cli(
            "record", "--proc", tmp_path / "empty", "--cgroup-root", tmp_path / "empty", "-o", "x", *more
        )
        assert done.code == 3
        assert "holds nothing of a machine" in done.err
        assert os.listdir() == ["empty"]


def test_a_link_is_not_written_through(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "x").symlink_to("victim")
    assert cli("record", "-o", "x").code == 3
    cli("record", "-o", "x", "--force", "--interval", "0.01", "--count", "1")
    cli("record", "-o", "x", "--force")
    assert (tmp_path / "victim").read_text() == "precious"


def asleep(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


@pytest.mark.live
def test_interrupted_between_two_snapshots(tmp_path):
    path = tmp_path / "x.rootar"
    process = subprocess.Popen(
        # A shell's background job ignores SIGINT, and without env its children would inherit that.
        [
            "env",
            "--default-signal=INT",
            sys.executable,
            "-m",
            "memwarden",
            "record",
            "-o",
            path,
            "--interval",
            "3600",
        ],
        stdout=subprocess.PIPE,
    )
    # The first snapshot is written and it sleeps, which it does not do while it reads and writes.
    while not (path.exists() and path.stat().st_size and asleep(process.pid)):
        assert process.poll() is None
    process.send_signal(2)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"1 snapshot" in out
    assert len(list(archives(str(path)))) == 1


@pytest.mark.live
def test_a_recording_says_whether_there_is_process_mrelease(cli, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(Hands, "release_errno", lambda _hands, pidfd: asked.append(pidfd) or ENOSYS)
    assert cli("record", "-o", tmp_path / "x").code == 0
    traits = Collector(open_source(str(tmp_path / "x"))).snapshot().traits
    assert traits.process_mrelease is False
    assert asked == [-1]  # nobody
