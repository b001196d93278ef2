"""Hooks: a program beside the loop, its victim held meanwhile and always released."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from memwarden.host import programs, undo
from memwarden.host.effects import Effects
from memwarden.host.journal import Journal
from memwarden.host.targets import Refused
from memwarden.host.underway import ready
from memwarden.state.intents import Restart, RunHook
from tests.host.test_effects import Bench, started

pytestmark = pytest.mark.live
SECOND = 1_000_000


@pytest.fixture
def bench(live_cgroup2, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    made = Bench(live_cgroup2, str(directory))
    yield made
    made.close()


def shell(text):
    return ("/bin/sh", "-c", text)


def run(bench, argv, target=None, limit_us=20 * SECOND, **options):
    target = target or bench.target()
    assert bench.effects.apply(RunHook(argv, target, limit_us, **options)) is None
    [outcome] = bench.effects.settle(limit_us + SECOND)
    return outcome


def test_a_hook_runs_with_its_victim_frozen_and_its_output_is_kept(bench):
    bench.start()
    outcome = run(bench, shell(f"cat {bench.path}/cgroup.freeze; echo on stderr >&2"))
    assert (outcome.done, outcome.error, outcome.output) == (True, "", "1\non stderr")
    assert not bench.frozen()
    assert bench.journal.pending() == ()


def test_what_a_hook_inherits_is_its_own_environment_session_and_limits(bench):
    outcome = run(
        bench, (sys.executable, "-c", HOOK), meanwhile="nothing", environment=(("MEMWARDEN_ID", "7"),)
    )
    assert outcome.done, outcome.output
    assert outcome.output == "{'MEMWARDEN_ID': '7'} own session / 0 [0, 1, 2] 0 SIG_DFL"


HOOK = """
import os, resource, signal
env = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
session = "own session" if os.getsid(0) == os.getpid() else "shared"
core = resource.getrlimit(resource.RLIMIT_CORE)[0]
def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
fds = [fd for fd in range(200) if is_open(fd)]
adj = open("/proc/self/oom_score_adj").read().strip()
term = signal.getsignal(signal.SIGTERM).name
print(env, session, os.getcwd(), core, fds, adj, term, end="")
"""


def test_the_loop_goes_on_while_a_hook_runs(bench):
    before = time.monotonic()
    assert bench.effects.apply(RunHook(("/bin/sleep", "60"), bench.target(), 60 * SECOND)) is None
    assert bench.effects.ended() == []
    assert time.monotonic() - before < 5
    assert bench.effects.next_us() is not None
    assert ready(bench.effects.filenos(), 0) == []
    bench.effects.close()  # a guard that stops ends its hooks and releases who is held
    assert not bench.frozen()
    assert bench.journal.pending() == ()
    bench.effects = Effects(bench.root, journal=bench.journal)


def test_a_hook_that_does_not_end_is_killed_with_its_children(bench, tmp_path):
    bench.start()
    text = f"sleep 1000 & echo $! > {tmp_path}/child; sleep 1000"
    outcome = run(bench, shell(text), limit_us=SECOND // 2)
    assert not outcome.done
    assert outcome.error == "/bin/sh: did not end within 0.5 s and was killed"
    assert outcome.took_us >= SECOND // 2
    assert not bench.frozen()
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while gone_or_zombie(child) is False:
        assert time.monotonic() < deadline


def gone_or_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_a_hook_that_fails_says_how(bench):
    assert run(bench, shell("echo no room; exit 3")).error == "/bin/sh: ended with exit code 3"
    outcome = run(bench, shell("kill -9 $$"))
    assert (outcome.done, outcome.error) == (False, "/bin/sh: was killed by signal 9")


def test_a_program_that_cannot_be_executed_says_why(bench, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("not a program")
    bad.chmod(0o755)
    outcome = run(bench, (str(bad),))
    assert (outcome.done, outcome.error) == (False, f"{bad}: ended with exit code 127")
    assert "Exec format error" in outcome.output


def test_output_is_bounded_and_a_hook_that_prints_on_is_not_blocked(bench):
    outcome = run(bench, shell("head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2"), meanwhile="nothing")
    assert outcome.done
    assert outcome.output == "x" * programs.KEPT + f"\n({3_000_000 + 4 - programs.KEPT} bytes more)"


def test_a_process_is_stopped_meanwhile_and_goes_on(bench):
    process, who = started()
    outcome = run(bench, shell(f"cut -d' ' -f3 /proc/{process.pid}/stat"), who)
    assert (outcome.done, outcome.output) == (True, "T")
    assert state(process.pid) != "T"
    assert bench.journal.pending() == ()
    process.kill()
    process.wait()


def test_a_process_that_was_stopped_before_stays_so(bench):
    process, who = started()
    os.kill(process.pid, signal.SIGSTOP)
    while state(process.pid) != "T":
        pass
    assert run(bench, ("/bin/true",), who).done
    assert state(process.pid) == "T"
    process.kill()
    process.wait()


def state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_process_cannot_be_throttled(bench):
    process, who = started()
    outcome = bench.effects.apply(RunHook(("/bin/true",), who, SECOND, "throttle"))
    assert "only a cgroup can be throttled" in outcome.error
    process.kill()
    process.wait()


def test_a_victim_that_dies_while_its_hook_runs_is_said_to_be_gone(bench):
    process, who = started()
    assert bench.effects.apply(RunHook(("/bin/sleep", "0.2"), who, 5 * SECOND)) is None
    process.kill()
    process.wait()
    [outcome] = bench.effects.settle()
    assert outcome.error == f"/bin/sleep: pid {process.pid}: it is gone"
    assert bench.journal.pending() == ()


def test_a_hook_left_by_a_killed_guard_is_ended_at_the_next_start(bench):
    orphan, who = started()
    bench.journal.begin(undo.HOOK, who)
    bench.effects.close()
    bench.journal.close()
    bench.journal = Journal(bench.directory)
    bench.effects = Effects(bench.root, journal=bench.journal)
    [undone] = bench.effects.restore()
    assert undone.text == ""
    assert orphan.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: "relative", "named by its full path"),
        (lambda path: str(path / "missing"), "cannot be run: No such file"),
        (str, "is not a program"),
        (lambda path: made(path / "open", 0o777), "others can change it"),
        (lambda path: made(path / "plain", 0o644), "is not a program"),
    ],
)
def test_programs_that_may_not_be_run(tmp_path, make, words):
    with pytest.raises(Refused, match=words):
        programs.check_program((make(tmp_path),))


def made(path, mode):
    path.write_text("#!/bin/true\n")
    path.chmod(mode)
    return str(path)


def test_a_hook_without_words_is_refused(bench):
    assert "full path" in bench.effects.apply(RunHook((), bench.target(), SECOND)).error


def test_the_unit_that_we_run_in_is_not_restarted(bench, tmp_path):
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/system.slice/memwarden.service\n")
    with pytest.raises(Refused, match="memwarden itself runs in it"):
        programs.check_unit("memwarden.service", str(proc))
    programs.check_unit("memwarden@2.service", str(proc))


def test_restart_runs_systemctl_and_says_what_it_said(bench):
    outcome = bench.effects.apply(Restart("memwarden-no-such-unit.service"))
    if programs.find("systemctl") is None:
        assert "without systemctl" in outcome.error
        return
    assert outcome is None
    [outcome] = bench.effects.settle(20 * SECOND)
    assert not outcome.done
    assert outcome.error.endswith(("ended with exit code 1", "ended with exit code 5"))
    assert outcome.output


def test_without_systemctl_a_restart_is_refused(bench, monkeypatch):
    monkeypatch.setattr(programs, "FOLDERS", ())
    assert "without systemctl" in bench.effects.apply(Restart("a.service")).error


def test_nobody_is_left_to_be_reaped(bench):
    pid = int(run(bench, shell("echo $$")).output)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_a_hook_that_does_not_die_at_once_is_reaped_later(bench, monkeypatch):
    hands = bench.effects._hands
    with monkeypatch.context() as patch:
        patch.setattr(hands, "reap", lambda *_: None)
        outcome = run(bench, shell("echo $$; exec sleep 1000"), limit_us=SECOND // 2)
    assert outcome.error == "/bin/sh: did not end within 0.5 s and was killed"
    assert os.waitid(os.P_PID, int(outcome.output), os.WEXITED | os.WNOWAIT).si_status == signal.SIGKILL
    assert bench.effects.ended() == []
    with pytest.raises(ChildProcessError):
        os.waitpid(int(outcome.output), os.WNOHANG)


def test_sentences():
    assert programs.sentence(None, SECOND, late=False) == "did not end within 1 s and was killed"
    assert programs.sentence(0, SECOND, late=False) == ""
