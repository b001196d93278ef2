"""Facts, clocks and the reading of files."""

from __future__ import annotations

import os
import time
import zlib
from errno import EBADF, ENOSYS, EPERM

import pytest

from memwarden.host import facts, files
from memwarden.host.clock import SystemClock


def test_facts_are_those_of_this_machine():
    known = facts.facts()
    assert known["page_size_bytes"] == str(os.sysconf("SC_PAGE_SIZE"))
    assert known["kernel_release"] == os.uname().release
    assert known["cpus"] == str(os.sysconf("SC_NPROCESSORS_ONLN"))
    assert "hz" not in known


@pytest.mark.parametrize(
    ("files_there", "hz"),
    [
        ({"/boot/config-R": b"CONFIG_HZ_250=y\nCONFIG_HZ=250\n"}, "250"),
        ({"/proc/config.gz": b"# CONFIG_HZ_100 is not set\nCONFIG_HZ=1000\nCONFIG_X=y\n"}, "1000"),
        ({"/proc/config.gz": b"CONFIG_NO_HZ=y\n"}, None),
        ({}, None),
    ],
)
def test_the_timer_frequency_is_in_the_build_configuration(monkeypatch, tmp_path, files_there, hz):
    release = os.uname().release
    for name, text in files_there.items():
        path = tmp_path / name.replace("-R", f"-{release}").lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        packer = zlib.compressobj(wbits=31)
        path.write_bytes(packer.compress(text) + packer.flush() if name.endswith(".gz") else text)
    monkeypatch.setattr(facts, "open", lambda name, mode: (tmp_path / name[1:]).open(mode), raising=False)
    assert facts.facts(config=True).get("hz") == hz


@pytest.mark.parametrize(
    ("errno", "told"),
    [(EBADF, {"process_mrelease": "1"}), (ENOSYS, {"process_mrelease": "0"}), (EPERM, {})],
)
def test_whether_there_is_process_mrelease_is_told_by_its_error(errno, told):
    assert facts.of_release(errno) == told


def test_a_configuration_that_is_junk(monkeypatch, tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/config.gz").write_bytes(b"junk")
    monkeypatch.setattr(facts, "open", lambda name, mode: (tmp_path / name[1:]).open(mode), raising=False)
    assert "hz" not in facts.facts(config=True)


def test_clocks():
    clock = SystemClock()
    before = clock.monotonic_us()
    clock.sleep_us(1000)
    clock.sleep_us(-5)
    assert clock.monotonic_us() >= before + 1000
    assert abs(clock.wall_us() - time.time_ns() // 1000) < 10_000_000


@pytest.mark.parametrize("size", [0, 1, files.CHUNK - 1, files.CHUNK, files.CHUNK + 1, 3 * files.CHUNK])
def test_files_are_read_to_their_end(tmp_path, size):
    (tmp_path / "x").write_bytes(b"y" * size)
    directory = os.open(tmp_path, os.O_RDONLY)
    assert files.read_at(directory, "x") == b"y" * size
    os.close(directory)


def test_no_link_on_the_way_is_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_text("secret")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a").symlink_to(tmp_path / "outside")
    (tmp_path / "root/b").mkdir()
    (tmp_path / "root/b/x").write_text("fine")
    before = os.listdir("/proc/self/fd")
    directory = os.open(tmp_path / "root", os.O_RDONLY)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        files.open_below(directory, "a/x", files.FILE_FLAGS)
    fd = files.open_below(directory, "b/x", files.FILE_FLAGS)
    assert files.read_fd(fd) == b"fine"
    os.close(fd)
    os.close(directory)
    assert os.listdir("/proc/self/fd") == before


def test_errors_have_their_kernel_names():
    for number, name in ((2, "ENOENT"), (13, "EACCES"), (95, "EOPNOTSUPP"), (19, "ENODEV"), (3, "ESRCH")):
        assert files.failed("/x", OSError(number, "")).errno_name == name
    assert files.failed("/x", OSError()).errno_name == "EIO"
