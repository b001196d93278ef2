"""Logs: whatever is in the file, under whatever name, plain or packed, whole or broken."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import subprocess
import sys
from functools import partial

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from memwarden.errors import InputError
from memwarden.host import decompress, logs

TEXT = b"".join(b"Nov 23 10:00:%02d host kernel: line %d\n" % (number % 60, number) for number in range(5000))
HARD = random.Random(1).randbytes(300_000).hex().encode()
"""Text that takes more than one block of any format."""
PACKERS = {
    "gzip": gzip.compress,
    "xz": partial(lzma.compress, preset=0),
    "bzip2": partial(bz2.compress, compresslevel=1),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "zstd without a size": zstandard.ZstdCompressor(write_content_size=False, write_checksum=True).compress,
}
PACKED = pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)


def read(path, **options):
    log = logs.open_file(str(path), **options)
    return b"".join(log), log.notes


@pytest.fixture
def file(tmp_path):
    """``file(bytes)``: the path of a file that holds them."""

    def write(data, name="log"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_plain(file):
    assert read(file(TEXT)) == (TEXT, [])


def test_empty(file):
    assert read(file(b"")) == (b"", [])


@pytest.mark.parametrize("data", [b"x", b"\n", b"BZ", b"abc\xff\xfe"])
def test_short_files_are_text(file, data):
    assert read(file(data)) == (data, [])


@PACKED
@pytest.mark.parametrize("name", ["kern.log", "kern.log.gz", "x"])
def test_packed_under_any_name(file, pack, name):
    assert read(file(pack(TEXT), name)) == (TEXT, [])


@PACKED
def test_several_members_as_cat_makes_them(file, pack):
    assert read(file(pack(TEXT) + pack(b"") + pack(b"the end\n"))) == (TEXT + b"the end\n", [])


@PACKED
def test_truncated_gives_what_there_was(file, pack):
    packed = pack(HARD)
    data, [note] = read(file(packed[: len(packed) * 2 // 3]))
    assert data
    assert HARD.startswith(data)
    assert f"is cut off; the {len(data)} bytes unpacked before that were read" in note


@PACKED
def test_truncated_at_the_very_start(file, pack):
    path = file(pack(TEXT)[:8])
    with pytest.raises(
        InputError, match=rf"^{path}: is cut off before anything in it could be unpacked; copy"
    ):
        read(path)


@PACKED
def test_damaged_in_the_middle(file, pack):
    packed = bytearray(pack(HARD))
    packed[len(packed) // 2 : len(packed) // 2 + 200] = bytes(200)
    notes = []
    try:
        notes = read(file(bytes(packed)))[1]
    except InputError as error:  # of a format that checks all before it gives any of it
        notes.append(str(error))
    assert len(notes) == 1
    assert "is damaged" in notes[0]


@PACKED
def test_padding_is_no_damage_and_other_data_is_said(file, pack):
    assert read(file(pack(TEXT) + bytes(512))) == (TEXT, [])
    data, [note] = read(file(pack(TEXT) + b"tail"))
    assert data == TEXT
    assert "other data follows the" in note


@pytest.mark.parametrize(
    "pack", [PACKERS["gzip"], PACKERS["xz"], PACKERS["zstd"]], ids=["gzip", "xz", "zstd"]
)
def test_a_small_file_that_unpacks_to_a_huge_one_takes_no_memory(file, pack):
    zeros = b"line\n" + bytes(64 << 20)
    path = file(pack(zeros))
    del zeros
    program = (
        "import sys\n"
        "from memwarden.host import logs\n"
        "print(sum(len(chunk) for chunk in logs.open_file(sys.argv[1])))\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    size, peak_kib = map(int, done.stdout.split())
    assert size == (64 << 20) + 5
    assert peak_kib < 48 << 10


def test_zstd_without_its_package_names_the_way_out(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression", None)
    path = file(PACKERS["zstd"](TEXT))
    with pytest.raises(
        InputError, match=rf"^{path}: is packed with zstd, .*zstd -dc {path} \| memwarden explain -$"
    ):
        read(path)


@given(st.binary(max_size=200), st.sampled_from([kind.magic for kind in decompress.FORMATS]))
def test_junk_behind_a_magic_is_one_sentence(junk, magic):
    notes = []
    try:
        b"".join(decompress.decompressed(iter([magic + junk]), "x", notes))
    except InputError as error:
        assert str(error).startswith("x: is ")  # noqa: PT017 - either is right


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=8))
def test_chunks_of_any_size(chunks):
    data = b"".join(chunks)
    packed = gzip.compress(data)
    assert b"".join(decompress.decompressed((bytes((byte,)) for byte in packed), "x", [])) == data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            b"LPKSHHRH" + bytes(200),
            "is a systemd journal; try: journalctl -k -o export --file {} | memwarden explain -",
        ),
        (b"\x7fELF\x02\x01", "is a program or a memory dump; take the log out of a dump with: makedumpfile"),
        (b"KDUMP   \x06", "is a memory dump; take the log out of it with: makedumpfile --dump-dmesg {} LOG"),
        (
            b"memwarden-root 1\n",
            "is a recording of a machine, not a log; give it to status or rank with --root",
        ),
        (b"PK\x03\x04", "is a zip archive; unpack it first"),
        (bytes(range(256)) * 20, "is binary data, not a log; give a kernel log as text, plain or compressed"),
        (bytes(5000), "is binary data, not a log; give a kernel log as text, plain or compressed"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_what_is_no_log_gets_one_sentence(file, data, sentence, pack):
    path = file(pack(data))
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {sentence.format(path)}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        TEXT + bytes(4096) + TEXT,  # blocks that a crash left unwritten
        b"\x1b[1m\x1b[31m[    1.0] Out of memory\x1b[0m\r\n" * 50,
        "\u6f22\u5b57 \u00e9\n".encode() * 100,
        "caf\u00e9 na\u00efve\n".encode("latin-1") * 100,
        b"\b\b\b[ 1.0] x\n" * 50,
    ],
)
def test_logs_with_odd_bytes_are_logs(file, text):
    assert read(file(text))[0] == text


def test_a_recording_is_opened_as_binary(file):
    assert read(file(b"memwarden-root 1\n\0\0"), binary=True) == (b"memwarden-root 1\n\0\0", [])


def test_a_directory(tmp_path):
    with pytest.raises(InputError, match=rf"^{tmp_path}: is a directory, not a log; name a file$"):
        logs.open_file(str(tmp_path))
    with pytest.raises(InputError, match=r"is a directory, not a recording; name a file$"):
        logs.open_file(str(tmp_path), binary=True)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"/none: cannot be opened: No such file or directory$"):
        logs.open_file(str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"cannot be opened: .*embedded null"):
        logs.open_file("a\0b")


def test_a_file_that_may_not_be_read(file):
    path = file(TEXT)
    path.chmod(0)
    program = (
        "import os, sys\n"
        "from memwarden.errors import InputError\n"
        "from memwarden.host import logs\n"
        "os.chdir(os.path.dirname(sys.argv[1]))\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try: logs.open_file('log')\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout == "log: may not be read by this user; try with sudo, or as a member of group adm\n"


def test_a_file_that_fails_while_it_is_read():
    with pytest.raises(InputError, match=r"^/proc/self/mem: cannot be read: Input/output error$"):
        read("/proc/self/mem")


def test_a_link_that_the_user_names_is_followed(file, tmp_path):
    (tmp_path / "link").symlink_to(file(TEXT))
    assert read(tmp_path / "link")[0] == TEXT


@PACKED
def test_standard_input(pack):
    program = (
        "from memwarden.host import logs\n"
        "import sys\n"
        "log = logs.open_file('-')\n"
        "for chunk in log: sys.stdout.buffer.write(chunk)\n"
        "assert log.name == 'standard input'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=pack(TEXT), capture_output=True, check=True)
    assert done.stdout == TEXT


def test_a_pipe_with_a_name(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    writer = subprocess.Popen(["/bin/sh", "-c", 'printf "oom\\n" > "$1"', "sh", tmp_path / "fifo"])
    assert read(tmp_path / "fifo") == (b"oom\n", [])
    writer.wait()


def test_the_file_is_closed_when_nobody_reads_on(file):
    before = os.listdir("/proc/self/fd")
    log = logs.open_file(str(file(TEXT)))
    iterator = iter(log)
    next(iterator)
    del log, iterator
    assert os.listdir("/proc/self/fd") == before


def test_sizes_are_bounded(file):
    for chunk in logs.open_file(str(file(b"x" * (5 << 20)))):
        assert len(chunk) <= 1 << 20
    for chunk in logs.open_file(str(file(gzip.compress(b"x" * (5 << 20))))):
        assert len(chunk) <= 1 << 20


def test_an_iterator_can_be_wrapped(file):
    assert (
        io.BytesIO(b"".join(logs.open_file(str(file(TEXT))))).readline() == TEXT.splitlines(keepends=True)[0]
    )
