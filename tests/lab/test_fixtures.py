"""Thinning of recordings for the tests, and the rows of the scenarios."""

from __future__ import annotations

import io

import pytest

from lab import fixtures, table
from lab.guest import rootar as guest_rootar
from lab.guest import scenarios
from lab.guest.scenarios import BY_NAME
from memwarden.collect import rootar

STAT = b"%d (kthreadd) S 0 0 0 0 -1 %d 0\n"


def archive(*entries: bytes) -> bytes:
    return b"".join([b"memwarden-root 1\n", *entries, b"END %d\n" % len(entries)])


def file(path: str, data: bytes) -> bytes:
    return b"FILE %d %s\n%s\n" % (len(data), path.encode(), data)


def test_a_thinned_archive_is_whole():
    data = archive(
        b"FACT hz 250\n",
        b"DIR 12 /sys/fs/cgroup/t\n",
        file("/sys/fs/cgroup/t/memory.current", b"4096\nFILE 3 /no/entry\n"),
        file("/sys/fs/cgroup/t/memory.numa_stat", b"anon N0=0\n"),
        b"ERR EINVAL /sys/fs/cgroup/t/memory.reclaim\n",
        file("/proc/sys/vm/swappiness", b"60\n"),
        file("/proc/sys/vm/laptop_mode", b"0\n"),
    )
    (recorded,) = rootar.read(io.BytesIO(fixtures.thin(data)), "thin")
    assert list(recorded.entries) == [
        "/sys/fs/cgroup/t",
        "/sys/fs/cgroup/t/memory.current",
        "/sys/fs/cgroup/t/memory.reclaim",
        "/proc/sys/vm/swappiness",
    ]
    assert recorded.entries["/sys/fs/cgroup/t/memory.current"] == rootar.File(b"4096\nFILE 3 /no/entry\n")
    assert recorded.facts == {"hz": "250"}


def test_three_kernel_threads_are_enough():
    entries = []
    for pid in range(2, 8):
        flags = 0x00200000 if pid != 7 else 0
        entries += [b"DIR %d /proc/%d\n" % (pid, pid), file(f"/proc/{pid}/stat", STAT % (pid, flags))]
    (recorded,) = rootar.read(io.BytesIO(fixtures.thin(archive(*entries))), "thin")
    assert [path for path in recorded.entries if path.endswith("stat")] == [
        "/proc/2/stat", "/proc/3/stat", "/proc/4/stat", "/proc/7/stat",
    ]  # fmt: skip


def test_guest_and_package_write_the_same_paths():
    for path in ("/a b/c%d", "/t/a b\\x2dc \u00fc/(d)", "/n\new/\x7f", "/\udcff"):
        raw = path.encode("utf-8", "surrogateescape")
        assert guest_rootar.escape(raw) == rootar.escape(path)
        assert rootar.unescape(guest_rootar.escape(raw)) == path


def test_what_the_guest_writes_can_be_read(tmp_path):
    writer = guest_rootar.Writer()
    writer.fact("hz", 250)
    (tmp_path / "x y").write_bytes(b"no newline at the end")
    writer.directory(str(tmp_path).encode())
    writer.file(str(tmp_path / "x y").encode())
    writer.file(str(tmp_path / "absent").encode())
    (recorded,) = rootar.read(io.BytesIO(writer.finish()), "guest")
    assert recorded.entries[f"{tmp_path}/x y"] == rootar.File(b"no newline at the end")
    assert recorded.entries[f"{tmp_path}/absent"] == rootar.Failed("ENOENT")
    assert recorded.entries[str(tmp_path)] == rootar.Dir(tmp_path.stat().st_ino)


@pytest.mark.parametrize("row", BY_NAME.values(), ids=BY_NAME)
def test_rows_are_sound(row):
    paths = {group.path for group in row.groups}
    assert {proc.group for proc in row.procs} <= paths
    assert row.grower in paths or row.act in ("sysrq", "lower-max")
    names = [proc.name for proc in row.procs]
    assert len(set(names)) == len(names)
    dead = {row.kills, *row.group_kill, *row.along} - {None}
    assert {name.removesuffix("2") for name in dead} <= set(names)  # a2 is what a made
    assert row.limit is None or any(group.path == row.limit and group.max for group in row.groups)
    parents = {path.rpartition("/")[0] for path in paths}
    # cgroup v2: processes live in leaves only
    assert not {proc.group for proc in row.procs} & parents


def test_every_name_is_there_once():
    assert len(BY_NAME) == len(scenarios.V2) + len(scenarios.V1) + len(scenarios.NUMA)
    assert set(fixtures.LOG_OF) <= set(BY_NAME)


def test_without_recordings_there_is_no_success(monkeypatch):
    monkeypatch.setattr(table, "boots_on_disk", list)
    assert table.outcomes() == []
