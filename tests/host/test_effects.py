"""Acts on cgroups and processes of this machine: killed, frozen, stopped, and refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from errno import EACCES, EOPNOTSUPP

import pytest

from memwarden.host import undo
from memwarden.host.effects import Effects, Hands
from memwarden.host.journal import Journal
from memwarden.host.targets import Machine
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Notify,
    Panic,
    ProcessId,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)

pytestmark = pytest.mark.live

FORKS = """
import os, time
for _ in range(20):
    if os.fork() == 0:
        break
while True:
    pid = os.fork()
    if pid == 0:
        time.sleep(0.1)
        os._exit(0)
    os.waitpid(pid, 0)
"""
"""Twenty-one processes that fork a short-lived one each, without end."""


class Bench:
    """A cgroup of v2 to act on, effects with a journal, and processes that end with the test."""

    def __init__(self, path, directory, **options):
        self.path = path
        self.root = str(path.parent)
        self.directory = directory
        self.journal = Journal(directory)
        self.effects = Effects(self.root, journal=self.journal, **options)
        self.started = []

    def target(self, below=""):
        path = self.path / below if below else self.path
        return CgroupId(f"/{path.relative_to(self.root)}", os.stat(path).st_ino)

    def start(self, below="", words=("sleep", "1000")):
        """A process that is in the cgroup before it does anything: what it forks must be, too."""
        path = self.path / below if below else self.path
        text = f'echo $$ > {path}/cgroup.procs && echo in && exec "$@"'
        process = subprocess.Popen(("sh", "-c", text, "sh", *words), stdout=subprocess.PIPE)
        self.started.append(process)
        assert process.stdout.readline() == b"in\n"
        process.stdout.close()
        return process

    def frozen(self):
        return (self.path / "cgroup.freeze").read_text() == "1\n"

    def close(self):
        self.effects.close()
        self.journal.close()
        for process in self.started:
            process.kill()
            process.wait()


@pytest.fixture
def bench(live_cgroup2, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    made = Bench(live_cgroup2, str(directory))
    yield made
    made.close()


class WithoutKill(Hands):
    """A kernel without cgroup.kill."""

    def put(self, directory_fd, name, data):
        if name == "cgroup.kill":
            raise FileNotFoundError(2, "No such file or directory", name)
        super().put(directory_fd, name, data)


@pytest.fixture
def old(live_cgroup2, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    made = Bench(live_cgroup2, str(directory), hands=WithoutKill())
    yield made
    made.close()


def identity(pid):
    with open(f"/proc/{pid}/stat") as file:
        return ProcessId(pid, int(file.read().rpartition(")")[2].split()[19]))


def started(words=("sleep", "1000")):
    process = subprocess.Popen(words)
    return process, identity(process.pid)


def test_a_group_is_killed_with_all_below_it(bench):
    (bench.path / "sub").mkdir()
    processes = [bench.start(), bench.start("sub"), bench.start("sub")]
    outcome = bench.effects.apply(Kill(bench.target()))
    assert (outcome.done, outcome.error, outcome.signalled) == (True, "", 3)
    assert [process.wait(5) for process in processes] == [-signal.SIGKILL] * 3


def test_a_group_is_killed_one_by_one_where_the_kernel_has_no_cgroup_kill(old):
    (old.path / "sub").mkdir()
    processes = [old.start(), old.start("sub"), old.start("sub")]
    outcome = old.effects.apply(Kill(old.target()))
    assert (outcome.done, outcome.error, outcome.signalled) == (True, "", 3)
    assert [process.wait(5) for process in processes] == [-signal.SIGKILL] * 3
    assert not old.frozen()
    assert old.journal.pending() == ()


@pytest.mark.parametrize("kind", ["bench", "old"])
def test_a_group_that_forks_all_the_time_is_killed_to_the_last(kind, request):
    bench = request.getfixturevalue(kind)
    process = bench.start(words=(sys.executable, "-c", FORKS))
    deadline = time.monotonic() + 30
    while len((bench.path / "cgroup.procs").read_text().split()) < 20:
        assert process.poll() is None
        assert time.monotonic() < deadline
    outcome = bench.effects.apply(Kill(bench.target()))
    assert outcome.done, outcome.error
    assert outcome.signalled >= 20
    deadline = time.monotonic() + 10
    while "populated 1" in (bench.path / "cgroup.events").read_text():
        assert time.monotonic() < deadline
    assert not bench.frozen()


def test_sigterm_reaches_everybody(bench):
    processes = [bench.start(), bench.start()]
    outcome = bench.effects.apply(Terminate(bench.target()))
    assert (outcome.done, outcome.signalled) == (True, 2)
    assert [process.wait(5) for process in processes] == [-signal.SIGTERM] * 2


def test_a_group_that_somebody_froze_is_killed_and_stays_frozen(old):
    process = old.start()
    (old.path / "cgroup.freeze").write_text("1")
    assert old.effects.apply(Kill(old.target())).done
    assert process.wait(5) == -signal.SIGKILL
    assert old.frozen()


def test_an_empty_group_is_not_killed(bench):
    outcome = bench.effects.apply(Kill(bench.target()))
    assert not outcome.done
    assert outcome.error.endswith("no process is left in it")


def test_a_group_removed_or_made_anew_since_the_decision_is_left_alone(bench):
    (bench.path / "sub").mkdir()
    before = bench.target("sub")
    (bench.path / "sub").rmdir()
    assert "it is gone" in bench.effects.apply(Kill(before)).error
    (bench.path / "sub").mkdir()
    process = bench.start("sub")
    outcome = bench.effects.apply(Kill(before))
    assert not outcome.done
    assert "made anew" in outcome.error
    assert process.poll() is None


@pytest.mark.parametrize("make", [Kill, Terminate, Freeze])
def test_our_own_cgroup_and_all_above_are_refused(bench, make):
    (bench.path / "sub").mkdir()
    (bench.path / "sub" / "cgroup.procs").write_text(str(os.getpid()))
    try:
        for below in ("", "sub"):
            outcome = bench.effects.apply(make(bench.target(below)))
            assert not outcome.done
            assert "memwarden itself is in it" in outcome.error
        root = bench.effects.apply(make(CgroupId("/", os.stat(bench.root).st_ino)))
        assert "the root cgroup is never touched" in root.error
    finally:
        (bench.path.parent / "cgroup.procs").write_text(str(os.getpid()))


@pytest.mark.parametrize("path", ["/../etc", "/a/../../b", "/./a", "//a//b"])
def test_a_path_that_leaves_the_tree_is_refused(bench, path):
    outcome = bench.effects.apply(Kill(CgroupId(path, 1)))
    assert not outcome.done
    assert outcome.error


def test_a_link_in_the_path_is_not_followed(tmp_path, bench):
    os.symlink("/", tmp_path / "link")
    effects = Effects(str(tmp_path), journal=None, dry_run=True)
    assert not effects.apply(Kill(CgroupId("/link/proc", os.stat("/proc").st_ino))).done
    effects.close()


def test_a_process_is_killed_and_one_with_its_pid_is_not(bench):
    process, who = started()
    other = bench.effects.apply(Kill(who._replace(start_time_ticks=who.start_time_ticks - 1)))
    assert not other.done
    assert other.error == f"pid {process.pid}: another process has this pid now (sleep)"
    assert process.poll() is None
    assert bench.effects.apply(Kill(who)).done
    process.wait()
    gone = bench.effects.apply(Kill(who))
    assert (gone.done, gone.error) == (False, f"pid {process.pid}: it is gone")


def test_a_process_that_has_exited_and_was_not_reaped_is_gone(bench):
    process, who = started(("true",))
    pidfd = os.pidfd_open(process.pid)
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    os.close(pidfd)
    assert bench.effects.apply(Kill(who)).error == f"pid {process.pid}: it is gone"
    process.wait()


def test_sigterm_to_a_process(bench):
    process, who = started()
    assert bench.effects.apply(Terminate(who)).done
    assert process.wait(5) == -signal.SIGTERM


def test_init_ourselves_and_kernel_threads_are_never_touched(bench):
    assert "never touched" in bench.effects.apply(Kill(identity(1))).error
    assert "never touched" in bench.effects.apply(Kill(identity(os.getpid()))).error
    assert "never touched" in bench.effects.apply(Kill(ProcessId(0, 0))).error
    assert "never touched" in bench.effects.apply(Kill(ProcessId(-1, 0))).error
    kthreadd = identity(2)
    with open("/proc/2/comm") as file:
        if file.read() != "kthreadd\n":
            pytest.skip("no kernel thread is to be seen in this pid namespace")
    assert bench.effects.apply(Kill(kthreadd)).error == "pid 2: kthreadd is a kernel thread"


def test_a_proc_of_another_pid_namespace_is_refused(bench, tmp_path):
    os.symlink("4711", tmp_path / "self")
    machine = Machine(bench.root, str(tmp_path))
    assert not machine.same_pids
    machine.close()
    effects = Effects(bench.root, journal=None, dry_run=True, proc=str(tmp_path))
    assert "another pid namespace" in effects.apply(Kill(ProcessId(4, 5))).error
    effects.close()


def test_freeze_is_written_down_and_thawed_and_only_ours_is(bench):
    bench.start()
    assert bench.effects.apply(Freeze(bench.target())).done
    assert bench.effects.apply(Freeze(bench.target())).done  # as good as the first
    assert bench.frozen()
    assert [entry.kind for entry in bench.journal.pending()] == [undo.FREEZE]
    assert bench.effects.apply(Thaw(bench.target())).done
    assert not bench.frozen()
    assert bench.journal.pending() == ()
    again = bench.effects.apply(Thaw(bench.target()))
    assert again.done
    assert again.error.endswith(": memwarden has not frozen it, or has thawed it already")
    assert again.error.startswith(f"left as it is: {bench.target().path}")
    (bench.path / "cgroup.freeze").write_text("1")
    assert "somebody else has frozen it" in bench.effects.apply(Freeze(bench.target())).error


def test_what_a_killed_guard_has_frozen_is_thawed_at_the_next_start(bench):
    bench.start()
    bench.effects.apply(Freeze(bench.target()))
    bench.effects.close()
    bench.journal.close()  # as the kernel does it for a process that is killed
    bench.journal = Journal(bench.directory)
    bench.effects = Effects(bench.root, journal=bench.journal)
    [undone] = bench.effects.restore()
    assert (undone.settled, undone.text) == (True, "")
    assert not bench.frozen()
    assert bench.journal.pending() == ()


def test_what_was_made_anew_since_is_not_thawed(bench):
    (bench.path / "sub").mkdir()
    bench.effects.apply(Freeze(bench.target("sub")))
    (bench.path / "sub").rmdir()
    (bench.path / "sub").mkdir()
    (bench.path / "sub" / "cgroup.freeze").write_text("1")
    [undone] = bench.effects.restore()
    assert undone.settled
    assert "made anew" in undone.text
    assert (bench.path / "sub" / "cgroup.freeze").read_text() == "1\n"
    assert bench.journal.pending() == ()


def test_a_dry_run_checks_all_and_changes_nothing(bench, tmp_path):
    process = bench.start()
    who = identity(process.pid)
    effects = Effects(bench.root, journal=None, dry_run=True)
    hook = ("/bin/sh", "-c", f"touch {tmp_path}/ran")
    for intent in (
        Notify("look"),
        Kill(bench.target()),
        Kill(who),
        Terminate(bench.target()),
        Terminate(who),
        Freeze(bench.target()),
        Thaw(bench.target()),
        RunHook(hook, bench.target(), 1_000_000),
        RunHook(hook, who, 1_000_000),
    ):
        outcome = effects.apply(intent)
        assert (outcome.done, outcome.dry, outcome.error) == (True, True, ""), intent
    assert not effects.apply(Kill(bench.target()._replace(inode=1))).done
    assert not effects.apply(Panic()).done
    assert process.poll() is None
    assert not bench.frozen()
    assert not (tmp_path / "ran").exists()
    effects.close()


def test_panic_is_refused_and_allowed_only_by_name(bench, tmp_path):
    assert "not allowed by name" in bench.effects.apply(Panic()).error
    (tmp_path / "self").symlink_to(str(os.getpid()))
    (tmp_path / "sysrq-trigger").write_text("")
    allowed = Effects(bench.root, journal=bench.journal, proc=str(tmp_path), allow_panic=True)
    assert allowed.apply(Panic()).done
    assert (tmp_path / "sysrq-trigger").read_text() == "c"
    allowed.close()


@pytest.mark.parametrize("unit", ["../x.service", "a b.service", "-h", "x", "x.scope", "a/b.service", ""])
def test_what_is_no_unit_is_not_restarted(bench, unit):
    assert "is not the name of a unit" in bench.effects.apply(Restart(unit)).error


class Threaded(Hands):
    def put(self, directory_fd, name, data):
        raise OSError(EOPNOTSUPP, "Operation not supported")


class Forbidden(Hands):
    def put(self, directory_fd, name, data):
        raise OSError(EACCES, "Permission denied")

    def signal(self, pidfd, number):
        raise PermissionError(1, "Operation not permitted")


def test_a_threaded_cgroup_is_named_as_such(bench):
    bench.start()
    (bench.path / "sub").mkdir()
    (bench.path / "sub" / "cgroup.type").write_text("threaded")
    outcome = bench.effects.apply(Kill(bench.target("sub")))
    assert not outcome.done
    assert "it is a threaded cgroup" in outcome.error
    # The domain above can be killed, whatever the type of what is below it.
    assert bench.effects.apply(Kill(bench.target())).signalled == 1


def test_errors_of_the_kernel_are_one_sentence(bench, monkeypatch):
    bench.start()
    for hands, words in ((Threaded(), "threaded"), (Forbidden(), "may not be killed")):
        effects = Effects(bench.root, journal=bench.journal, hands=hands)
        outcome = effects.apply(Kill(bench.target()))
        assert not outcome.done
        assert words in outcome.error
        effects.close()
    effects = Effects(bench.root, journal=bench.journal, hands=Forbidden())
    assert "nobody could be signalled" in effects.apply(Terminate(bench.target())).error
    assert "Permission denied" in effects.apply(Freeze(bench.target())).error
    assert bench.journal.pending() == ()
    effects.close()


def test_what_cannot_be_undone_now_stays_in_the_journal(bench):
    bench.effects.apply(Freeze(bench.target()))
    effects = Effects(bench.root, journal=bench.journal, hands=Forbidden())
    [undone] = effects.restore()
    assert not undone.settled
    assert "Permission denied" in undone.text
    assert len(bench.journal.pending()) == 1
    effects.close()


def test_a_kernel_without_a_file_is_told_from_a_cgroup_that_is_gone(bench):
    bench.start()
    if (bench.path / "memory.high").exists():
        pytest.skip("this cgroup has memory")
    for intent in (SetHigh(bench.target(), 1 << 20, restore=1 << 30), Reclaim(bench.target(), 1 << 20)):
        outcome = bench.effects.apply(intent)
        assert not outcome.done
        assert "this kernel does not offer it, or the cgroup was removed" in outcome.error


def test_a_cgroup_root_that_is_not_there():
    with pytest.raises(Exception, match="/nowhere: cannot be opened as the cgroup root"):
        Effects("/nowhere", journal=None, dry_run=True)


def test_the_probe_says_what_is_there(bench):
    found = bench.effects.probe()
    assert found.signal
    assert (bench.root + found.where).startswith(bench.root + "/")
    path = bench.root + found.where
    assert found.kill == os.path.exists(f"{path}/cgroup.kill")
    assert found.freeze == os.path.exists(f"{path}/cgroup.freeze")
    assert found.high == os.path.exists(f"{path}/memory.high")
    assert found.reclaim == os.path.exists(f"{path}/memory.reclaim")
    assert len(found.missing) == sum(value is False for value in found)


def test_the_probe_of_an_empty_hierarchy_finds_nothing(tmp_path):
    effects = Effects(str(tmp_path), journal=None, dry_run=True)
    found = effects.probe()
    assert (found.where, found.kill, found.reclaim) == ("", False, False)
    effects.close()


def test_a_group_of_v1_is_killed_in_rounds_and_nothing_is_frozen(live_cgroup, tmp_path):
    if (live_cgroup / "cgroup.freeze").exists():
        pytest.skip("memory is on v2 here")
    (live_cgroup / "sub").mkdir()
    processes = []
    for path in (live_cgroup, live_cgroup / "sub"):
        processes.append(subprocess.Popen(("sleep", "1000")))
        (path / "cgroup.procs").write_text(str(processes[-1].pid))
    journal = Journal(str(tmp_path / "run"))
    effects = Effects(str(live_cgroup.parent), journal=journal)
    target = CgroupId(f"/{live_cgroup.name}", os.stat(live_cgroup).st_ino)
    outcome = effects.apply(Kill(target))
    assert (outcome.done, outcome.error, outcome.signalled) == (True, "", 2)
    assert [process.wait(5) for process in processes] == [-signal.SIGKILL] * 2
    assert "has no memory.high" in effects.apply(SetHigh(target, 1 << 20, restore=1 << 30)).error
    assert "has no cgroup.freeze" in effects.apply(Freeze(target)).error
    assert journal.pending() == ()
    effects.close()
    journal.close()
    deadline = time.monotonic() + 5
    while (live_cgroup / "cgroup.procs").read_text():
        assert time.monotonic() < deadline
