"""memory.high and memory.reclaim: which writes are made, on files in the place of a cgroup's.

That the kernel does with them what we want is what the laboratory shows (lab/faults.py).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from errno import EACCES, EAGAIN, EINVAL, EMFILE, ENFILE, ENODEV

import pytest

from memwarden.host import changes, undo
from memwarden.host import effects as effects_module
from memwarden.host import journal as journals
from memwarden.host.effects import WORKERS, Effects, Hands
from memwarden.host.journal import Journal
from memwarden.host.reclaiming import SLICE
from memwarden.host.underway import ready
from memwarden.state.intents import CgroupId, Freeze, Kill, ProcessId, Reclaim, RunHook, SetHigh, Thaw
from memwarden.testing.clock import ManualClock
from memwarden.units import MAX, MIB

SECOND = 1_000_000


class Recorder(Hands):
    """Hands that note what they write, and fail or wait when they are told to."""

    def __init__(self):
        self.written = []
        self.errors = {}
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def put(self, directory_fd, name, data):
        self.begun.set()
        self.gate.wait(10)
        self.written.append((name, data))
        error = self.errors.get((name, len([one for one, _ in self.written if one == name])))
        if error:
            raise OSError(error, os.strerror(error))
        super().put(directory_fd, name, data)


KIND = {SetHigh: undo.HIGH, Freeze: undo.FREEZE}


def failing(_fd):
    raise OSError(EAGAIN, os.strerror(EAGAIN))


class Files:
    """A cgroup as a directory of files."""

    def __init__(self, tmp_path):
        self.root = tmp_path / "cg"
        self.path = self.root / "app"
        self.path.mkdir(parents=True)
        for name, text in (
            ("cgroup.procs", ""),
            ("cgroup.freeze", "0\n"),
            ("memory.high", "max\n"),
            ("memory.current", f"{50 * MIB + 5}\n"),
            ("memory.reclaim", ""),
        ):
            (self.path / name).write_text(text)
        (tmp_path / "run").mkdir(mode=0o700)
        self.journal = Journal(str(tmp_path / "run"))
        self.hands = Recorder()
        self.effects = Effects(str(self.root), journal=self.journal, hands=self.hands)
        self.target = CgroupId("/app", os.stat(self.path).st_ino)

    def high(self):
        return (self.path / "memory.high").read_text().strip()

    def do(self, intent, **options):
        outcome = self.effects.apply(intent, **options)
        return outcome or self.effects.settle()[0]

    def close(self):
        self.hands.gate.set()
        self.effects.close()
        self.journal.close()


@pytest.fixture
def files(tmp_path):
    made = Files(tmp_path)
    yield made
    made.close()


def test_a_limit_is_written_down_with_what_was_there_and_restored(files):
    outcome = files.do(SetHigh(files.target, 100 * MIB + 17, restore=MAX))
    assert (outcome.done, outcome.error) == (True, "")
    [entry] = files.journal.pending()
    # The kernel rounds down to pages, so that is what it will print: 100 MiB + 17 B is 100 MiB.
    assert entry[1:] == (undo.HIGH, files.target, "max", str(100 * MIB))
    assert files.high() == str(100 * MIB)
    assert files.do(SetHigh(files.target, MAX)).done
    assert files.high() == "max"
    assert files.journal.pending() == ()


def test_what_is_restored_after_two_limits_is_what_was_there_before_the_first(files):
    (files.path / "memory.high").write_text(f"{400 * MIB}\n")
    for size in (100, 80):
        files.do(SetHigh(files.target, size * MIB, restore=400 * MIB))
    [entry] = files.journal.pending()
    assert (entry.was, entry.now) == (str(400 * MIB), str(80 * MIB))
    [undone] = files.effects.restore()
    assert undone.text == ""
    assert files.high() == str(400 * MIB)


def test_what_somebody_else_wrote_since_is_left_alone(files):
    files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    (files.path / "memory.high").write_text("4096\n")
    outcome = files.do(SetHigh(files.target, MAX))
    # It is done with: whoever tried again would find no entry that knows our value from theirs.
    assert outcome.done
    assert outcome.error == "left as it is: /app: memory.high was changed to 4096 since; left so"
    assert files.high() == "4096"
    assert files.journal.pending() == ()
    again = files.do(SetHigh(files.target, MAX))
    assert again.done
    assert again.error == "left as it is: /app: memwarden has not limited it, or has lifted that already"
    assert files.high() == "4096"


def test_a_limit_over_one_that_somebody_else_wrote_since_goes_back_to_theirs(files):
    files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    (files.path / "memory.high").write_text("8192\n")
    files.do(SetHigh(files.target, 80 * MIB, restore=MAX))
    [entry] = files.journal.pending()
    assert entry.was == "8192"
    # Whoever throttled first asks for what it was before that.
    outcome = files.do(SetHigh(files.target, MAX))
    assert (outcome.done, outcome.error) == (True, "restored /app to 8192, as somebody else had set it")
    assert files.high() == "8192"
    assert files.journal.pending() == ()


def test_those_that_are_gone_do_not_fill_the_journal(files, monkeypatch):
    monkeypatch.setattr(changes, "MANY", 4)
    monkeypatch.setattr(journals, "MOST", 12)
    effects = Effects(str(files.root), journal=files.journal, hands=files.hands)
    assert effects.apply(Freeze(files.target)).done
    with subprocess.Popen(["/bin/true"]) as process:
        gone = ProcessId(process.pid, 1)
    files.journal.begin(undo.STOP, gone)
    for number in range(40):
        path = files.root / f"run-{number}"
        shutil.copytree(files.path, path)
        (path / "cgroup.freeze").write_text("0")
        assert effects.apply(Freeze(CgroupId(f"/{path.name}", os.stat(path).st_ino))).done
        shutil.rmtree(path)
    targets = [entry.target for entry in files.journal.pending()]
    assert files.target in targets  # that one is there still
    assert gone not in targets
    effects.close()


def test_a_limit_that_cannot_be_lifted_now_is_tried_again(files):
    files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    files.hands.errors["memory.high", 2] = EACCES
    outcome = files.do(SetHigh(files.target, MAX))
    assert (outcome.done, outcome.error) == (False, "/app: Permission denied")
    assert files.do(SetHigh(files.target, MAX)).error == ""
    assert files.high() == "max"


def test_a_limit_is_not_given_up_because_no_descriptor_is_left(files, monkeypatch):
    def refuse(*_):
        raise OSError(EMFILE, "Too many open files")

    monkeypatch.setattr(changes, "MANY", 1)
    effects = Effects(str(files.root), journal=files.journal, hands=files.hands)
    assert effects.apply(Freeze(files.target)).done
    with monkeypatch.context() as patch:
        patch.setattr(effects._machine, "open_path", refuse)
        patch.setattr(os, "pidfd_open", refuse)
        outcome = effects.apply(Thaw(files.target))
        assert (outcome.done, outcome.error) == (False, "/app: Too many open files")
        assert effects.apply(Kill(ProcessId(2**22 + 1, 1))).error == f"pid {2**22 + 1}: Too many open files"
        assert effects._changes.running(os.getpid()) is not None  # whoever may be there still stays
    assert effects.apply(Thaw(files.target)).error == ""
    assert (files.path / "cgroup.freeze").read_text() == "0"
    effects.close()


def test_a_cgroup_that_memwarden_was_moved_to_is_let_go_all_the_same(files):
    files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    (files.path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    assert files.do(SetHigh(files.target, MAX)).done
    assert files.high() == "max"


def test_a_limit_that_fails_leaves_nothing_behind(files):
    files.hands.errors["memory.high", 1] = ENODEV
    outcome = files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    assert (outcome.done, outcome.error) == (False, "it is gone")
    assert files.journal.pending() == ()


def test_the_loop_does_not_wait_for_a_limit_and_it_stays_to_be_undone(files):
    files.hands.gate.clear()
    assert files.effects.apply(SetHigh(files.target, 100 * MIB, restore=MAX), limit_us=1) is None
    [outcome] = files.effects.settle()
    assert outcome.done
    assert outcome.error == "the limit is set, and the kernel still reclaims down to it"
    assert len(files.journal.pending()) == 1


def test_a_limit_below_zero_is_zero(files):
    files.do(SetHigh(files.target, -5, restore=MAX))
    assert files.high().startswith("0")


def test_a_reclaim_is_asked_for_in_slices(files):
    outcome = files.do(Reclaim(files.target, 2 * SLICE + MIB))
    assert (outcome.done, outcome.error) == (True, "")
    sizes = [int(data) for _, data in files.hands.written]
    assert sizes == [SLICE, SLICE, MIB]


def test_swappiness_is_left_out_where_the_kernel_does_not_take_it(files):
    files.hands.errors["memory.reclaim", 1] = EINVAL
    assert files.do(Reclaim(files.target, MIB, 200)).done
    assert files.hands.written == [
        ("memory.reclaim", b"%d swappiness=200" % MIB),
        ("memory.reclaim", b"%d" % MIB),
    ]


def test_swappiness_where_the_kernel_takes_it(files):
    assert files.do(Reclaim(files.target, MIB, 0)).done
    assert files.hands.written == [("memory.reclaim", b"%d swappiness=0" % MIB)]


@pytest.mark.parametrize(
    ("turn", "error", "done", "words"),
    [
        (1, EAGAIN, False, "the kernel can reclaim no more (0 of 48 MiB)"),
        (3, EAGAIN, True, "the kernel can reclaim no more (32 of 48 MiB)"),
        (2, ENODEV, True, "it is gone (16 of 48 MiB)"),
    ],
)
def test_a_reclaim_that_ends_early_says_how_far_it_came(files, turn, error, done, words):
    files.hands.errors["memory.reclaim", turn] = error
    outcome = files.do(Reclaim(files.target, 3 * SLICE, None))
    assert (outcome.done, outcome.error) == (done, f"/app: {words}")


def test_another_error_with_swappiness_is_the_outcome(files):
    files.hands.errors["memory.reclaim", 1] = EAGAIN
    assert "can reclaim no more" in files.do(Reclaim(files.target, MIB, 60)).error


def test_a_reclaim_is_given_up_between_two_slices(files):
    clock = ManualClock()
    effects = Effects(str(files.root), journal=files.journal, hands=files.hands, clock=clock)
    files.hands.gate.clear()
    assert effects.apply(Reclaim(files.target, 100 * SLICE), limit_us=SECOND) is None
    assert files.hands.begun.wait(10)
    assert effects.ended() == []
    clock.sleep_us(SECOND)
    [outcome] = effects.ended()
    assert outcome.error == "/app: given up when its time was over (0 of 1600 MiB)"
    assert outcome.took_us == SECOND
    files.hands.gate.set()
    assert ready(effects.filenos(), 10_000)  # the worker is back
    assert len(files.hands.written) == 1
    effects.close()


def test_when_every_worker_is_in_the_kernel_a_write_is_refused_and_leaves_nothing_behind(files):
    files.hands.gate.clear()
    for _ in range(WORKERS):
        assert files.effects.apply(Reclaim(files.target, MIB)) is None
    for intent in (SetHigh(files.target, MIB, restore=MAX), Reclaim(files.target, MIB)):
        outcome = files.effects.apply(intent)
        assert not outcome.done
        assert outcome.error == "3 writes are in the kernel still; this one has to wait for them"
    assert files.journal.pending() == ()
    files.hands.gate.set()
    assert [outcome.done for outcome in files.effects.settle()] == [True] * 3
    assert files.do(Reclaim(files.target, MIB)).done


def test_a_dry_run_writes_nothing(files):
    effects = Effects(str(files.root), journal=None, dry_run=True, hands=files.hands)
    for intent in (
        SetHigh(files.target, MIB, restore=MAX),
        SetHigh(files.target, MAX),
        Reclaim(files.target, MIB),
    ):
        outcome = effects.apply(intent)
        assert (outcome.done, outcome.dry) == (True, True)
    effects.close()
    assert files.hands.written == []


def test_a_dry_restore_says_what_it_would_do_and_changes_nothing(files):
    files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    effects = Effects(str(files.root), journal=files.journal, dry_run=True)
    [undone] = effects.restore()
    assert (undone.settled, undone.text) == (True, "")
    effects.close()
    assert files.high() == str(100 * MIB)
    assert len(files.journal.pending()) == 1


def test_a_hook_throttles_its_victim_to_what_it_uses_and_releases_it(files, tmp_path):
    look = f"until grep -qv max {files.path}/memory.high; do :; done; cat {files.path}/memory.high"
    hook = RunHook(("/bin/sh", "-c", look), files.target, 20 * SECOND, "throttle")
    outcome = files.do(hook)
    # 50 MiB + 5 B in use, rounded down to pages.
    assert (outcome.done, outcome.output) == (True, str(50 * MIB))
    assert files.high().startswith("max")
    assert files.journal.pending() == ()


def test_a_hook_leaves_a_victim_alone_that_is_throttled_below_that_already(files):
    (files.path / "memory.high").write_text("4096")
    hook = RunHook(("/bin/cat", f"{files.path}/memory.high"), files.target, 20 * SECOND, "throttle")
    assert files.do(hook).output == "4096"
    assert files.high() == "4096"


def test_a_hook_that_cannot_be_started_releases_its_victim(files, monkeypatch):
    def refuse(*_):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(files.hands, "spawn", refuse)
    outcome = files.effects.apply(RunHook(("/bin/true",), files.target, SECOND))
    assert (outcome.done, outcome.error) == (False, "/app: Resource temporarily unavailable")
    assert (files.path / "cgroup.freeze").read_text() == "0"
    assert files.journal.pending() == ()


def test_a_program_that_cannot_be_watched_is_not_left_running(monkeypatch):
    forked = []

    def refuse(pid):
        forked.append(pid)
        raise OSError(ENFILE, "Too many open files in system")

    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(OSError, match="Too many open files in system"):
        Hands().spawn(("/bin/sleep", "1000"), {}, SECOND)
    assert os.waitpid(forked[0], 0)[1] == signal.SIGKILL
    assert os.listdir("/proc/self/fd") == before


def test_what_is_still_being_written_is_not_undone_before_it_is_there(files, monkeypatch):
    monkeypatch.setattr(effects_module, "RESTORE_US", 1)
    files.hands.gate.clear()
    files.effects.apply(SetHigh(files.target, 100 * MIB, restore=MAX))
    assert files.hands.begun.wait(10)
    [undone] = files.effects.restore()
    assert (undone.settled, undone.text) == (False, "")
    files.hands.gate.set()
    files.effects.settle()
    assert files.high().startswith("max")
    assert files.journal.pending() == ()


def test_a_limit_for_which_the_kernel_reclaims_is_undone_at_once(files, monkeypatch):
    """A guard that ends would leave it otherwise, since it waits for the reclaim only so long."""
    monkeypatch.setattr(effects_module, "RESTORE_US", 1)
    there, gate = threading.Event(), threading.Event()
    put = Hands.put

    def reclaims(hands, directory_fd, name, data):
        put(hands, directory_fd, name, data)
        if data != b"max":
            there.set()
            gate.wait(10)

    monkeypatch.setattr(Recorder, "put", reclaims)
    files.effects.apply(SetHigh(files.target, 100 * MIB, restore=MAX))
    assert there.wait(10)
    [undone] = files.effects.restore()
    assert (undone.settled, undone.text) == (True, "")
    assert files.high().startswith("max")
    gate.set()
    files.effects.settle()
    assert files.high().startswith("max")
    assert files.journal.pending() == ()


def test_what_cannot_be_undone_is_tried_again(files):
    files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    files.hands.errors = {("memory.high", 2): EAGAIN, ("memory.high", 3): EAGAIN}
    back = files.do(SetHigh(files.target, MAX, restore=None))
    assert (back.done, back.error) == (False, "/app: Resource temporarily unavailable")
    assert files.effects.ended() == []
    assert files.effects.unsettled
    assert files.high() == str(100 * MIB)
    assert files.effects.ended() == []
    assert not files.effects.unsettled
    assert files.high().startswith("max")
    assert files.journal.pending() == ()


def test_what_could_not_be_undone_and_is_changed_anew_stays(files):
    high, freeze = SetHigh(files.target, 100 * MIB, restore=MAX), Freeze(files.target)
    for intent, again in ((high, SetHigh(files.target, MAX, restore=None)), (freeze, Thaw(files.target))):
        files.do(intent)
        count = len([one for one, _ in files.hands.written if one == undo.FILES[KIND[type(intent)]]])
        files.hands.errors = {(undo.FILES[KIND[type(intent)]], count + 1): EAGAIN}
        assert not files.do(again).done
        assert files.effects.unsettled
        assert files.do(intent).done
        assert not files.effects.unsettled
    assert files.effects.ended() == []
    assert (files.high(), (files.path / "cgroup.freeze").read_text()[0]) == (str(100 * MIB), "1")


def test_what_is_undone_otherwise_meanwhile_is_not_undone_twice(files):
    files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    files.hands.errors = {("memory.high", 2): EAGAIN}
    back = SetHigh(files.target, MAX, restore=None)
    assert [files.do(back).done, files.do(back).done] == [False, True]
    (files.path / "memory.high").write_text(str(100 * MIB))  # as somebody else may set it
    assert files.effects.ended() == []
    assert files.high() == str(100 * MIB)


def test_a_dry_restore_leaves_nothing_to_be_tried_again(files, monkeypatch):
    files.do(SetHigh(files.target, 100 * MIB, restore=MAX))
    dry = Effects(str(files.root), journal=files.journal, dry_run=True)
    monkeypatch.setattr(changes, "_high", failing)
    [undone] = dry.restore()
    assert (undone.settled, dry.unsettled) == (False, False)
    dry.close()


def test_restoring_waits_for_what_is_under_way(files):
    files.effects.apply(SetHigh(files.target, 100 * MIB, restore=MAX))
    [undone] = files.effects.restore()
    assert (undone.settled, undone.text) == (True, "")
    assert files.high().startswith("max")


def test_a_worker_outlives_whatever_happens_in_it(files, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files.hands, "put", lambda *_: [].pop())  # as a MemoryError would
        for _ in range(2 * WORKERS):
            outcome = files.do(Reclaim(files.target, MIB))
            assert not outcome.done
            assert "it was not done whole: IndexError" in outcome.error
    assert files.do(Reclaim(files.target, MIB)).done


def test_a_hook_runs_unthrottled_when_no_worker_is_free(files):
    files.hands.gate.clear()
    for _ in range(WORKERS):
        files.effects.apply(Reclaim(files.target, MIB), limit_us=60 * SECOND)
    hook = RunHook(("/bin/cat", f"{files.path}/memory.high"), files.target, 20 * SECOND, "throttle")
    assert files.effects.apply(hook) is None
    ready([files.effects._underway._acts[-1].program.pidfd], 10_000)
    [outcome] = files.effects.ended()
    assert (outcome.done, outcome.output) == (True, "max")
    assert files.journal.pending() == ()


def test_a_victim_whose_hook_ended_before_the_limit_was_written_is_released_after_that(files):
    files.hands.gate.clear()
    assert files.effects.apply(RunHook(("/bin/true",), files.target, 20 * SECOND, "throttle")) is None
    assert files.hands.begun.wait(10)
    ready([files.effects._underway._acts[0].program.pidfd], 10_000)
    [outcome] = files.effects.ended()
    assert (outcome.done, outcome.error) == (True, "")
    assert len(files.journal.pending()) == 1
    files.hands.gate.set()
    assert files.effects.settle() == []
    assert files.high().startswith("max")
    assert ("memory.high", b"%d" % (50 * MIB)) in files.hands.written
    assert files.journal.pending() == ()


def test_a_process_that_is_gone_before_it_is_stopped_is_not_left_to_be_undone(files):
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:

        class TooLate(Hands):
            def signal(self, pidfd, number):
                process.kill()
                process.wait()
                super().signal(pidfd, number)

        effects = Effects(str(files.root), journal=files.journal, hands=TooLate())
        with open(f"/proc/{process.pid}/stat") as stat:
            start = int(stat.read().rpartition(")")[2].split()[19])  # the 22nd field: proc_pid_stat(5)
        outcome = effects.apply(RunHook(("/bin/true",), ProcessId(process.pid, start), SECOND, "freeze"))
        assert (outcome.done, outcome.error) == (False, f"pid {process.pid}: it is gone")
        assert files.journal.pending() == ()
        effects.close()
