"""Pressure triggers, on this machine's own pressure files."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from memwarden.errors import UnsupportedError
from memwarden.host import psi
from memwarden.host import self as ourselves
from tests.host.live import remove

PRESSURE = "/proc/pressure/memory"


def can_arm():
    try:
        os.close(ourselves.open_trigger(PRESSURE, b"some 500000 2000000\n"))
    except OSError:
        return False
    return True


live = [
    pytest.mark.live,
    pytest.mark.skipif(
        not can_arm(), reason="no pressure trigger can be armed here (no PSI, or no permission)"
    ),
]
CAP_SYS_RESOURCE = 24


def capable():
    with open("/proc/self/status") as file:
        [mask] = [line.split()[1] for line in file if line.startswith("CapEff")]
    return bool(int(mask, 16) >> CAP_SYS_RESOURCE & 1)


def marked(test):
    for mark in live:
        test = mark(test)
    return test


@marked
def test_arm_poll_close():
    trigger = psi.arm(PRESSURE, stall_us=900_000, window_us=1_000_000)
    expected = (900_000, 1_000_000, psi.Granted.AS_ASKED)
    if not capable():  # the next multiple of two seconds, and the same share of it
        expected = (1_800_000, 2_000_000, psi.Granted.PERIODS)
    assert (trigger.stall_us, trigger.window_us, trigger.granted) == expected
    assert psi.wait([trigger], 1) == ((), ())
    trigger.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(trigger.fileno())


@marked
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a cgroup")
def test_a_trigger_fires_and_one_whose_cgroup_goes_is_told_apart(tmp_path):
    root = "/sys/fs/cgroup/unified"
    if not os.path.exists(f"{root}/cgroup.procs"):
        root = "/sys/fs/cgroup"
    group = f"{root}/memwarden-psi-{os.getpid()}"
    os.mkdir(group)
    try:
        # CPU pressure is what a test can make without harm: two busy processes on one CPU.
        directory = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
        trigger = psi.arm("cpu.pressure", stall_us=50_000, window_us=500_000, dir_fd=directory)
        os.close(directory)
        cpu = min(os.sched_getaffinity(0))
        busy = [
            subprocess.Popen(
                [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{cpu}])\nwhile True: pass"],
            )
            for _ in range(2)
        ]
        try:
            for process in busy:
                with open(f"{group}/cgroup.procs", "w") as file:
                    file.write(str(process.pid))
            woken = psi.wait([trigger], 20_000_000)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        assert woken == ((trigger,), ())
    finally:
        remove(group)
    while (woken := psi.wait([trigger], 20_000_000)).fired:
        pass
    assert woken == ((), (trigger,))
    trigger.close()


@marked
def test_the_window_keeps_its_last_digit():
    # Without the newline the kernel would have cut 10000000 to 1000000: a stall of 2 s does not fit in.
    psi.arm(PRESSURE, stall_us=2_000_000, window_us=10_000_000).close()
    # The trap itself: EINVAL, or on kernels that forgive it, a window of a tenth.
    with pytest.raises(OSError, match="Invalid argument"):
        ourselves.open_trigger(PRESSURE, b"some 2000000 10000000")


@marked
def test_without_the_capability_the_window_is_a_multiple_of_two_seconds():
    program = (
        "import os\n"
        "from memwarden.host import psi\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "trigger = psi.arm('/proc/pressure/memory', stall_us=100_000, window_us=1_000_000)\n"
        "print(trigger.stall_us, trigger.window_us, trigger.granted.value)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:  # before 6.1.176 the file is read-only for users
        assert "UnsupportedError" in done.stderr
    else:
        assert done.stdout == "200000 2000000 periods\n"


def test_windows_that_are_tried():
    as_asked, shortest, periods = psi.Granted
    assert psi._windows(10_000) == [(as_asked, 10_000), (shortest, 500_000), (periods, 2_000_000)]
    assert psi._windows(1_000_000) == [(as_asked, 1_000_000), (periods, 2_000_000)]
    assert psi._windows(2_500_000) == [(as_asked, 2_500_000), (periods, 4_000_000)]


def test_where_there_is_no_pressure_file(tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        psi.arm(str(tmp_path / "memory.pressure"), stall_us=100_000, window_us=1_000_000)
    assert str(caught.value) == (
        f"{tmp_path}/memory.pressure: no trigger for 100000 us in 1000000 us can be armed: "
        "No such file or directory; pressure is read at intervals instead"
    )


def test_an_ordinary_file_in_its_place_is_not_written_to(tmp_path):
    file = tmp_path / "memory"
    for content in ("", "anything"):
        file.write_text(content)
        with pytest.raises(UnsupportedError, match=r"memory: no trigger .* Operation not supported"):
            psi.arm(str(file), kind="full", stall_us=1, window_us=1_000_000)
        assert file.read_text() == content


def test_no_link_is_written_through(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "memory.pressure").symlink_to("victim")
    with pytest.raises(UnsupportedError, match="Too many levels of symbolic links"):
        psi.arm(str(tmp_path / "memory.pressure"), stall_us=100_000, window_us=1_000_000)
    assert (tmp_path / "victim").read_text() == "precious"


def test_the_soft_limit_on_files_becomes_the_hard_one():
    program = (
        "import resource\n"
        "from memwarden.host import self\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "assert self.raise_file_limit() == hard\n"
        "assert self.raise_file_limit() == hard\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("error", [ValueError("above the maximum"), PermissionError(1, "no")])
def test_a_limit_on_files_that_is_more_than_the_kernel_gives_stays(monkeypatch, error):
    def refuse(*_words):
        raise error

    monkeypatch.setattr(ourselves.resource, "getrlimit", lambda _what: (1024, 1 << 30))
    monkeypatch.setattr(ourselves.resource, "setrlimit", refuse)
    assert ourselves.raise_file_limit() == 1024
