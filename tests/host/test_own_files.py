"""Files of our own: appended, rotated, written over and replaced; never through a link."""

from __future__ import annotations

import os
import resource
from errno import ENOSPC

import pytest

from memwarden.errors import InputError
from memwarden.host import own_files
from memwarden.host.own_files import Blocks, Folders, Lines, lines_of, own_directory


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "state"
    fd = own_directory(str(path), purpose="the test")
    yield fd, path
    os.close(fd)


def test_the_directory_is_made_for_its_owner_alone(directory):
    _, path = directory
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o770)
    with pytest.raises(InputError, match="others can write there"):
        own_directory(str(tmp_path), purpose="the test")


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"a/b: cannot be used for the test: No such file or directory; name an"
    ):
        own_directory(str(tmp_path / "a/b"), purpose="the test")


def test_a_link_is_no_directory_of_ours(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError):
        own_directory(str(tmp_path / "link"), purpose="the test")


def test_lines_are_found_again_the_latest_first(directory):
    fd, path = directory
    lines = Lines(fd, "log")
    for number in range(3):
        lines.append(b"%d\n" % number)
    lines.close()
    again = Lines(fd, "log")
    again.append(b"3\n")
    again.close()
    assert [*lines_of(str(path), "log")] == [b"3", b"2", b"1", b"0"]


def test_a_full_file_makes_room_and_the_oldest_goes(directory):
    fd, path = directory
    lines = Lines(fd, "log", most_bytes=20, keep=3)
    for number in range(10):
        lines.append(b"line %04d\n" % number)  # ten bytes: two in a file
    lines.close()
    # 8 and 9 in the file, 6 and 7 in log.1, 4 and 5 in log.2; the ones before are gone.
    assert [*lines_of(str(path), "log")] == [b"line %04d" % number for number in range(9, 3, -1)]
    assert sorted(os.listdir(path)) == ["log", "log.1", "log.2"]


def test_a_line_torn_by_a_crash_is_ended(directory):
    fd, path = directory
    (path / "log").write_bytes(b"whole\nhal")
    lines = Lines(fd, "log")
    lines.append(b"next\n")
    lines.close()
    assert [*lines_of(str(path), "log")] == [b"next", b"hal", b"whole"]


def test_half_a_line_is_not_left_where_there_is_no_space(directory):
    fd, path = directory
    lines = Lines(fd, "log")
    lines.append(b"12345\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))  # a write is cut there, as on a full disk
    try:
        with pytest.raises(OSError, match="No space left"):
            lines.append(b"67890\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    lines.append(b"abcde\n")
    lines.close()
    assert (path / "log").read_bytes() == b"12345\nabcde\n"


def test_a_full_disk_does_not_keep_from_beginning_behind_a_torn_line(directory):
    fd, path = directory
    (path / "log").write_bytes(b"whole\nhal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9, hard))
    try:
        lines = Lines(fd, "log")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    lines.append(b"next\n")
    lines.append(b"last\n")
    lines.close()
    assert [*lines_of(str(path), "log")] == [b"last", b"next", b"hal", b"whole"]


def test_half_a_line_takes_nobody_elses_with_it(directory):
    """A guard in a dry run writes beside another one."""
    fd, path = directory
    ours, theirs = Lines(fd, "log"), Lines(fd, "log")
    theirs.append(b"12345\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            ours.append(b"67890\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ours.close()
    theirs.close()
    assert (path / "log").read_bytes() == b"12345\n"


def test_no_link_is_followed_when_lines_are_written(directory):
    fd, path = directory
    (path / "log").symlink_to(path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Lines(fd, "log")


def test_lines_that_nobody_wrote(tmp_path):
    with pytest.raises(InputError, match="there is none; memwarden guard writes it"):
        list(lines_of(str(tmp_path), "log"))
    (tmp_path / "log").symlink_to(tmp_path / "x")
    with pytest.raises(InputError, match=r"/log: is a link, which is not followed; --state"):
        list(lines_of(str(tmp_path), "log"))
    (tmp_path / "log").unlink()
    (tmp_path / "log").mkdir()
    with pytest.raises(InputError, match=r"/log: cannot be read: Is a directory; --state names"):
        list(lines_of(str(tmp_path), "log"))
    assert own_files.content_of(f"{tmp_path}/log") == b""


def test_blocks_are_written_over_and_the_file_keeps_its_size(directory):
    fd, path = directory
    blocks = Blocks(fd, "ring", size=16384)
    blocks.write(4096, b"a" * 4096)
    assert (path / "ring").stat().st_size == 16384
    assert (path / "ring").stat().st_blocks * 512 >= 16384  # taken at once, not when it is needed
    blocks.close()
    again = Blocks(fd, "ring", size=16384)
    assert again.read(4096, 4) == os.pread(again.fileno(), 4, 4096) == b"aaaa"
    again.close()
    smaller = Blocks(fd, "ring", size=8192)
    assert smaller.read(4096, 4) == b"\0\0\0\0"
    smaller.close()


def test_blocks_that_do_not_fit_are_refused(directory):
    fd, _ = directory
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match=r"."):
            Blocks(fd, "ring", size=1 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_is_not_filled(directory, monkeypatch):
    """``fs/ext4/extents.c:ext4_alloc_file_blocks`` keeps what it had taken before there was no more."""
    fd, path = directory

    def half(file, offset, size):
        os.ftruncate(file, size // 2)
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", half)
    with pytest.raises(OSError, match="No space left"):
        Blocks(fd, "ring", size=1 << 20)
    assert (path / "ring").stat().st_size == 0


def test_two_do_not_write_the_same_blocks(directory):
    fd, _ = directory
    blocks = Blocks(fd, "ring", size=8192)
    blocks.write(0, b"ours")
    with pytest.raises(OSError, match="another guard writes it"):
        Blocks(fd, "ring", size=4096)
    assert blocks.read(0, 4) == b"ours"
    blocks.close()
    Blocks(fd, "ring", size=8192).close()


def test_only_the_latest_folders_are_kept(directory):
    fd, path = directory
    folders = Folders(fd, "incidents", most=2)
    for name in ("1", "2", "3"):
        folders.add(name, [("a", [b"x", b"y"]), ("b", [])])
    assert folders.names() == ["2", "3"]
    assert (path / "incidents/3/a").read_bytes() == b"xy"
    folders.close()
    again = Folders(fd, "incidents", most=2)
    assert again.names() == ["2", "3"]
    again.close()


def test_a_folder_that_does_not_fit_leaves_nothing(directory):
    fd, path = directory
    folders = Folders(fd, "incidents", most=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            folders.add("1", [("a", [b"123456789"])])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(path / "incidents") == []
    folders.close()


def test_the_default_is_where_a_boot_does_not_reach():
    assert own_files.STATE == "/var/lib/memwarden"
