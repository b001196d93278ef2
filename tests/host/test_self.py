"""What a guard asks for itself: granted, or why not."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import subprocess
import sys

import pytest

from memwarden.host import self as ourselves
from memwarden.kernel import meminfo

pytestmark = pytest.mark.live
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def locked_kib():
    with open("/proc/self/status") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmLck")))


@root_only
def test_memory_is_locked_as_it_is_touched():
    before = locked_kib()
    grant = ourselves.lock_memory()
    try:
        assert grant == ("memory locked", True, "pages stay once they were touched")
        assert locked_kib() > before + 1024
    finally:
        ctypes.CDLL(None).munlockall()


def run(text, **options):
    """What a process that drops its capabilities prints."""
    script = f"""if 1:
        import ctypes, os, resource
        from memwarden.host import self as ourselves
        {text}
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, **options
    )
    assert done.stderr == ""
    return done.stdout.strip()


@root_only
def test_without_capabilities_nothing_is_granted_and_each_says_why(tmp_path):
    text = """
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
        resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
        resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: /proc/self is ours again
        for grant in (ourselves.lock_memory(), ourselves.set_oom_score_adj(-1000), ourselves.Haste().hurry()):
            print(grant)
    """
    lines = run(text.strip()).splitlines()
    assert "needs CAP_IPC_LOCK, or LimitMEMLOCK=infinity" in lines[0]
    assert "'oom_score_adj -1000', granted=False, detail='Permission denied; it is " in lines[1]
    assert "'scheduled first', granted=False" in lines[2]
    assert "needs CAP_SYS_NICE" in lines[2]


def test_on_other_architectures_the_flags_are_not_known(monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "h", "6.1", "v", "ppc64le")))
    assert not ourselves.lock_memory().granted


def test_the_kernel_may_refuse_to_lock(monkeypatch):
    class Refusing:
        def mlockall(self, flags):
            ctypes.set_errno(12)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: Refusing())
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert ourselves.lock_memory() == ("memory locked", False, "Cannot allocate memory")


@pytest.mark.skipif(not ourselves.capable(24), reason="needs CAP_SYS_RESOURCE")
def test_the_own_score_can_be_lowered():
    with open("/proc/self/oom_score_adj") as file:
        before = int(file.read())
    assert ourselves.set_oom_score_adj(-1000).granted
    with open("/proc/self/oom_score_adj") as file:
        assert file.read() == "-1000\n"
    assert ourselves.set_oom_score_adj(before).granted


def test_capabilities_are_read_from_the_effective_set(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text("Name:\tx\nCapEff:\t0000000000004000\n")
    assert ourselves.capable(14, str(tmp_path))
    assert not ourselves.capable(23, str(tmp_path))
    assert not ourselves.capable(14, str(tmp_path / "nowhere"))


def how():
    """Our scheduling class without its flags, our nice value, and a child's."""
    child = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0), os.nice(0))"]
    out = subprocess.run(child, capture_output=True, check=True).stdout
    ours = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    return ours, os.getpriority(os.PRIO_PROCESS, 0), out.decode().split()


@pytest.fixture
def as_before():
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.setpriority(os.PRIO_PROCESS, 0, usual)


@root_only
@pytest.mark.usefixtures("as_before")
def test_real_time_to_wait_and_act_and_not_to_read_and_children_start_as_usual():
    haste = ourselves.Haste()
    haste.along()  # not asked for yet: nothing changes
    assert how()[:2] == (os.SCHED_OTHER, 0)
    grant = haste.hurry()
    if not grant.detail.startswith("real-time, "):
        pytest.skip(grant.detail)
    assert grant == ("scheduled first", True, "real-time, priority 1")
    usual = ["0", "0"]
    assert how() == (os.SCHED_RR, 0, usual)
    haste.along()
    assert how() == (os.SCHED_OTHER, 0, usual)
    haste.first()
    assert how() == (os.SCHED_RR, 0, usual)


def asked(monkeypatch, refused=()):
    """What is asked of the scheduler, in turn, where the kernel refuses some."""
    calls = []

    def scheduler(_pid, policy, param):
        calls.append(("policy", policy & ~os.SCHED_RESET_ON_FORK, param.sched_priority))
        if "real-time" in refused:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", scheduler)
    monkeypatch.setattr(os, "setpriority", lambda _which, _who, nice: calls.append(("nice", nice)))
    monkeypatch.setattr(ourselves, "take_long_slices", lambda _nice: calls.append("long slices"))
    grant = ourselves.Haste().hurry()
    return grant.detail, calls


def test_long_slices_come_with_real_time_which_is_asked_for_again(monkeypatch):
    real_time = ("policy", os.SCHED_RR, 1)
    assert asked(monkeypatch) == ("real-time, priority 1", [real_time, "long slices", real_time])


def test_no_long_slices_where_real_time_is_refused_for_they_delay_our_waking_too(monkeypatch):
    assert asked(monkeypatch, refused={"real-time"}) == (
        "nice -20; real-time: Operation not permitted",
        [("policy", os.SCHED_RR, 1), ("nice", -20)],
    )


@root_only
@pytest.mark.usefixtures("as_before")
def test_nice_where_real_time_is_refused(monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "sched_setscheduler", refuse)
        haste = ourselves.Haste()
        grant = haste.hurry()
    assert grant == ("scheduled first", True, "nice -20; real-time: Operation not permitted")
    for step, nice in ((haste.first, -20), (haste.along, 0), (haste.first, -20)):
        step()
        assert how()[:2] == (os.SCHED_OTHER, nice)


@pytest.mark.parametrize("granted", ["_real_time", "_niced"])
def test_what_is_refused_later_ends_no_guard(monkeypatch, granted):
    """As in a cgroup whose real-time is used up, or that was given none."""
    refused = []

    def refuse(*words):
        refused.append(words)
        raise PermissionError(1, "Operation not permitted")

    haste = ourselves.Haste()
    setattr(haste, granted, True)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "setpriority", refuse)
    haste.first()
    haste.along()
    assert len(refused) == 2


def slice_ns():
    """What sched_getattr says of our slice; 0 where the kernel tells nothing (before 6.12)."""
    attr = ctypes.create_string_buffer(56)
    ctypes.CDLL(None).syscall(ourselves.NR_SCHED_SETATTR[os.uname().machine] + 1, 0, attr, 56, 0)
    return int.from_bytes(attr.raw[24:32], sys.byteorder)


@root_only
@pytest.mark.usefixtures("as_before")
def test_long_slices_to_read_so_that_who_wakes_need_not_wait():
    if not slice_ns():
        pytest.skip("this kernel has no slices to ask for")
    haste = ourselves.Haste()
    if not haste.hurry().detail.startswith("real-time, "):
        pytest.skip("real-time is refused here")
    for _ in range(2):
        haste.along()
        assert slice_ns() == 100_000_000
        assert how() == (os.SCHED_OTHER, 0, ["0", "0"])
        haste.first()


def test_an_architecture_whose_number_of_the_call_is_not_known(monkeypatch):
    monkeypatch.setattr(ourselves, "NR_SCHED_SETATTR", {})
    assert not ourselves.take_long_slices(0)


@pytest.fixture
def fake(tmp_path):
    """A cgroup of our own as files, and a /proc that says we are in it."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/guard.service\n")
    group = tmp_path / "cg" / "guard.service"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (group / "memory.min").write_text("0\n")
    return tmp_path


def protect(fake):
    return ourselves.protect_memory(str(fake / "cg"), 8 << 20, str(fake / "proc"))


def test_memory_min_of_a_cgroup_of_our_own(fake):
    assert protect(fake) == ("memory.min 8388608", True, "/guard.service")
    assert (fake / "cg" / "guard.service" / "memory.min").read_text().startswith("8388608")


def test_a_cgroup_that_others_are_in_is_not_protected(fake):
    (fake / "cg" / "guard.service" / "cgroup.procs").write_text(f"{os.getpid()}\n1\n")
    assert "holds other processes too" in protect(fake).detail
    assert (fake / "cg" / "guard.service" / "memory.min").read_text() == "0\n"


@pytest.mark.parametrize("text", ["0::/\n", "4:memory:/x\n", "nonsense"])
def test_no_memory_min_in_the_root_or_outside_of_v2(fake, text):
    (fake / "proc" / "self" / "cgroup").write_text(text)
    assert "root cgroup, or in none of v2" in protect(fake).detail


def test_no_memory_min_where_there_is_no_such_file(fake):
    (fake / "cg" / "guard.service" / "memory.min").unlink()
    assert protect(fake).detail == "/guard.service: No such file or directory"


def test_no_memory_min_when_the_list_cannot_be_understood(fake):
    (fake / "cg" / "guard.service" / "cgroup.procs").write_text("what\n")
    assert "not one pid per line" in protect(fake).detail


def test_the_collector_leaves_alone_what_lives_now():
    try:
        grant = ourselves.freeze_collector()
        assert grant.granted
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()


def test_free_memory_is_that_of_meminfo():
    with open("/proc/meminfo") as file:
        figures = meminfo.parse(file.read())
    assert abs(ourselves.free_bytes() - figures["MemFree"]) < figures["MemTotal"] // 20
