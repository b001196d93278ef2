"""Each leniency is provoked by the behaviour it forgives, on this machine where that is possible."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memwarden.collect.archive import Archive
from memwarden.collect.leniency import LENIENCIES, Reading, gap
from memwarden.collect.rootar import Recorded
from memwarden.errors import InputError, ParseError, ReadError
from memwarden.host.files import failed
from memwarden.host.live import Live
from memwarden.kernel import scalar
from memwarden.state.gaps import Gap, GapReason
from tests.host.live import remove

BY_NAME = {leniency.name: leniency for leniency in LENIENCIES}
UNIFIED = "/sys/fs/cgroup/unified"


@pytest.fixture
def live():
    source = Live()
    yield source
    source.close()


def error_of(read):
    with pytest.raises(ReadError) as caught:
        read()
    return caught.value


def test_no_errno_is_forgiven_twice():
    errnos = [errno for leniency in LENIENCIES for errno in leniency.errno_names]
    assert len(errnos) == len(set(errnos))


def test_every_leniency_is_provoked_here():
    tests = Path(__file__).read_text()
    for leniency in LENIENCIES:
        assert f'forgiven("{leniency.name}"' in tests, leniency.name


def forgiven(name, error, path="/x"):
    """The gap of an error that really happened, which has to be the one of the named leniency."""
    leniency = BY_NAME[name]
    assert error.errno_name in leniency.errno_names
    found = gap(error, path)
    assert found.reason is leniency.reason
    assert found.path == path
    return found


def test_no_such_file(live):
    error = error_of(lambda: live.read("/proc/sys/vm/no_such_setting"))
    assert forgiven("no-such-file", error) == Gap("/x", GapReason.NO_FILE)


def test_not_recorded():
    archive = Archive(Recorded(0, {}, {}), "x.rootar")
    found = forgiven("not-recorded", error_of(lambda: archive.read("/proc/meminfo")))
    assert found.detail == "not in the recording"


@pytest.mark.live
def test_vanished_cgroup(live_cgroup):
    source = Live(keep=100)
    directory = source.cgroups(str(live_cgroup.parent)).child(live_cgroup.name)
    usage = next(
        name for name in ("memory.current", "memory.usage_in_bytes") if (live_cgroup / name).exists()
    )
    directory.read(usage)  # stays open
    remove(live_cgroup)
    error = error_of(lambda: directory.read(usage))
    live_cgroup.mkdir()  # for the fixture to remove
    assert forgiven("vanished-cgroup", error).reason is GapReason.GONE
    assert not directory.alive()
    source.close()


@pytest.mark.live
def test_vanished_process(live):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    directory = live.processes().child(str(child.pid))
    assert directory.alive()
    child.kill()
    child.communicate()
    error = error_of(lambda: directory.read("stat"))
    assert forgiven("vanished-process", error).reason is GapReason.GONE
    assert not directory.alive()
    directory.release()


@pytest.mark.live
def test_psi_off_and_threaded_cgroups(live):
    # Pressure cannot be switched off on a running machine; a threaded cgroup refuses cgroup.procs like it.
    root = Path(UNIFIED if Path(UNIFIED, "cgroup.procs").exists() else "/sys/fs/cgroup")
    if not os.access(root / "cgroup.procs", os.W_OK):
        pytest.skip("no cgroup v2 can be made here")
    outer = root / f"memwarden-threaded-{os.getpid()}"
    (outer / "inner").mkdir(parents=True)
    try:
        (outer / "inner" / "cgroup.type").write_text("threaded")
        directory = live.cgroups(str(root)).child(outer.name).child("inner")
        error = error_of(lambda: directory.read("cgroup.procs"))
    finally:
        remove(outer)
    found = forgiven("psi-off", error)
    assert found == Gap("/x", GapReason.NOT_SUPPORTED, "EOPNOTSUPP")


@pytest.mark.live
def test_refused_read(live):
    error = error_of(lambda: live.read("/proc/self/mem"))  # nothing is mapped at address 0
    assert forgiven("refused-read", error) == Gap("/x", GapReason.NOT_SUPPORTED, "EIO")


@pytest.mark.live
def test_no_permission():
    program = (
        "import os\n"
        "from memwarden.errors import ReadError\n"
        "from memwarden.host.live import Live\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try: Live().processes().child('1').read('smaps_rollup')\n"
        "except ReadError as error: print(error.errno_name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = forgiven("no-permission", ReadError("/x", done.stdout.strip()))
    assert found == Gap("/x", GapReason.NOT_PERMITTED)


@pytest.mark.parametrize("what", ["a symbolic link", "a FIFO", "a directory"])
def test_no_plain_file(tmp_path, what):
    path = tmp_path / "meminfo"
    make = {
        "a symbolic link": lambda: path.symlink_to("/proc/meminfo"),
        "a FIFO": lambda: os.mkfifo(path),
        "a directory": path.mkdir,
    }
    make[what]()
    source = Live(str(tmp_path))
    found = forgiven("no-plain-file", error_of(lambda: source.read("/proc/meminfo")))
    assert found == Gap("/x", GapReason.NOT_SUPPORTED, what)
    source.close()


@pytest.mark.live
def test_dead_fuse(tmp_path):
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        fuse = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error.strerror}")
    options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
    mounted = libc.mount(b"memwarden-test", bytes(tmp_path), b"fuse", 0, options)
    os.close(fuse)  # the daemon dies
    if mounted != 0:
        pytest.skip(f"FUSE cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    source = None
    try:
        with contextlib.suppress(InputError):
            source = Live(str(tmp_path))
        with pytest.raises(OSError) as caught:
            os.stat(tmp_path / "meminfo")
    finally:
        if source is not None:
            source.close()
        assert libc.umount2(bytes(tmp_path), 0) == 0
    found = forgiven("dead-fuse", failed("/proc/meminfo", caught.value))
    assert found.reason is GapReason.NOT_SUPPORTED


def test_text_that_is_not_what_the_interface_prints(tmp_path):
    (tmp_path / "meminfo").write_text("nonsense\n")
    source = Live(str(tmp_path))
    reading = Reading(source)
    assert reading.file("/proc/meminfo", scalar.parse_number) is None
    assert reading.gaps == [Gap("/proc/meminfo", GapReason.MALFORMED, "not a number: 'nonsense\\n'")]
    source.close()


def test_the_line_that_is_malformed_is_named():
    error = ParseError("<x>", "a b c", "not a key", line_number=3)
    assert gap(error, "/x").detail == "line 3: not a key: 'a b c'"


def test_no_descriptors():
    program = (
        "import resource\n"
        "from memwarden.errors import ReadError\n"
        "from memwarden.host.live import Live\n"
        "live = Live()\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "try: live.read('/proc/meminfo')\n"
        "except ReadError as error: print(error.errno_name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = forgiven("no-descriptors", ReadError("/x", done.stdout.strip()))
    assert found == Gap("/x", GapReason.NOT_SUPPORTED, "too many open files: raise the limit (ulimit -n)")


def test_not_now(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("x\n")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # which tells the holder of a lease to give it back
    fd = os.open(path, os.O_RDWR)
    source = Live(str(tmp_path))
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        error = error_of(lambda: source.read("/proc/meminfo"))
    finally:
        source.close()
        os.close(fd)
        signal.signal(signal.SIGIO, before)
    assert forgiven("not-now", error) == Gap("/x", GapReason.NOT_SUPPORTED, "not at this moment")


def test_what_is_no_leniency_is_one_sentence():
    with pytest.raises(
        InputError, match=r"^/x: cannot be read: EXFULL, which the kernel is not expected to give; report"
    ):
        gap(ReadError("/x", "EXFULL"), "/x")
