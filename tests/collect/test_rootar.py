"""The archive format: what is written is read back, and what is not an archive gets one clear sentence."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.collect import rootar
from memwarden.collect.chunks import ChunkReader
from memwarden.collect.rootar import Dir, Failed, File, Link
from memwarden.collect.rootar_writer import Writer
from memwarden.errors import InputError

FACTS = {"taken_monotonic_us": "1", "page_size_bytes": "4096"}
NAMES = st.binary(min_size=1, max_size=12).map(
    lambda name: "/" + name.replace(b"\0", b"0").decode("utf-8", "surrogateescape")
)
ENTRIES = st.one_of(
    st.builds(File, st.binary(max_size=40)),
    st.builds(Link, st.binary(max_size=10)),
    st.builds(Dir, st.integers(0, 2**64 - 1)),
    st.builds(Failed, st.sampled_from(["ENOENT", "EACCES", "EOPNOTSUPP"])),
)
SNAPSHOT = st.dictionaries(NAMES, ENTRIES, min_size=1, max_size=6)

WHOLE = b"memwarden-root 1\nFACT arch x86_64\nDIR 7 /proc\nFILE 3 /proc/a\nabc\nERR EACCES /proc/b\nEND 4\n"


def read(data, notes=None):
    return list(rootar.read(io.BytesIO(data), "x.rootar", notes))


def written(*snapshots):
    out = io.BytesIO()
    writer = Writer(out)
    for number, entries in enumerate(snapshots):
        writer.snapshot({**FACTS, "taken_monotonic_us": str(number)}, entries)
    writer.finish()
    return out.getvalue()


def test_every_kind_of_entry():
    [one] = read(WHOLE.replace(b"END 4", b"LINK 4 /proc/self\n4242\nEND 5"))
    assert one.facts == {"arch": "x86_64"}
    assert one.entries == {
        "/proc": Dir(7),
        "/proc/a": File(b"abc"),
        "/proc/b": Failed("EACCES"),
        "/proc/self": Link(b"4242"),
    }


def test_a_file_may_hold_what_looks_like_an_entry():
    content = b"END 1\nFILE 3 /x\n"
    [one] = read(written({"/a": File(content), "/b": File(b"")}))
    assert one.entries == {"/a": File(content), "/b": File(b"")}


@given(st.lists(SNAPSHOT, min_size=1, max_size=4))
def test_what_is_written_is_read_back(snapshots):
    read_back = read(written(*snapshots))
    assert [each.entries for each in read_back] == snapshots
    assert [each.facts["taken_monotonic_us"] for each in read_back] == [
        str(number) for number in range(len(snapshots))
    ]


@given(st.lists(SNAPSHOT, min_size=1, max_size=3), st.lists(st.integers(1, 50), min_size=1))
def test_the_size_of_chunks_does_not_matter(snapshots, sizes):
    data = written(*snapshots)
    chunks, at = [], 0
    while at < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[at : at + size])
        at += size
    assert [each.entries for each in rootar.read(ChunkReader(chunks), "x")] == snapshots


@given(NAMES)
def test_paths_are_one_word_of_text(path):
    escaped = rootar.escape(path)
    assert rootar.unescape(escaped) == path
    assert not set(escaped) & {*range(0x21), 0x7F}
    escaped.decode("utf-8")  # does not raise


@pytest.mark.parametrize(
    ("path", "escaped"),
    [
        ("/plain/path", b"/plain/path"),
        ("/with space", b"/with%20space"),
        ("/100%", b"/100%25"),
        ("/new\nline", b"/new%0Aline"),
        ("/system-\\x2d.slice", b"/system-\\x2d.slice"),
        ("/caf\u00e9", "/caf\u00e9".encode()),
        ("/\udcff\udcfe", b"/%FF%FE"),
        ("/\x7f", b"/%7F"),
    ],
)
def test_escapes(path, escaped):
    assert rootar.escape(path) == escaped
    assert rootar.unescape(escaped) == path


def test_unchanged_files_are_not_repeated():
    data = written({"/a": File(b"same"), "/b": File(b"1")}, {"/a": File(b"same"), "/b": File(b"2")})
    assert data.count(b"same") == 1
    assert data.count(b"SAME /a\n") == 1
    assert data.count(b"FACT page_size_bytes") == 1


def test_facts_are_carried_on_but_not_the_wall_clock():
    data = (
        b"memwarden-root 1\nFACT hz 250\nFACT taken_wall_us 9\nFACT taken_monotonic_us 1\nDIR 1 /a\n"
        b"SNAP 1 77\nSAME /a\nEND 6\n"
    )
    first, second = read(data)
    assert first.facts == {"hz": "250", "taken_wall_us": "9", "taken_monotonic_us": "1"}
    assert second.facts == {"hz": "250", "taken_monotonic_us": "77"}
    assert (first.number, second.number) == (0, 1)


def test_a_recording_may_begin_with_snap():
    [one] = read(b"memwarden-root 1\nSNAP 1 5\nDIR 1 /a\nEND 2\n")
    assert one.number == 1
    assert one.facts == {"taken_monotonic_us": "5"}


@pytest.mark.parametrize("cut", range(len(b"memwarden-root 1\n"), len(WHOLE)))
def test_a_single_snapshot_cut_off_anywhere_is_refused(cut):
    with pytest.raises(
        InputError, match=r"^x\.rootar: cut off in entry \d, .*record or copy the file again$"
    ):
        read(WHOLE[:cut])


def test_a_recording_cut_off_anywhere_gives_its_whole_snapshots():
    data = written({"/a": File(b"0")}, {"/a": File(b"1")}, {"/a": File(b"2")})
    starts = [data.index(b"SNAP 1"), data.index(b"SNAP 2")]
    for cut in range(data.index(b"\n", starts[0]) + 1, len(data)):
        notes = []
        whole = read(data[:cut], notes)
        # A snapshot is whole when the line that begins the next one is.
        expected = 2 if cut > data.index(b"\n", starts[1]) else 1
        assert [each.entries["/a"] for each in whole] == [File(b"0"), File(b"1")][:expected]
        assert len(notes) == 1
        assert notes[0].startswith("x.rootar: cut off in entry ")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "x.rootar: is empty, not a recording; make one with: memwarden record -o FILE.rootar"),
        (b"\x7fELF\x02", "x.rootar:1: not a recording of memwarden"),
        (b"Nov 23 kernel: oom\n", "x.rootar:1: not a recording of memwarden"),
        (b"memwarden-root\n", "x.rootar:1: not a recording of memwarden"),
        (b"memwarden-root 1.5\n", "x.rootar:1: not a recording of memwarden"),
        (
            b"memwarden-root 2\nDIR 1 /\n",
            "x.rootar:1: has format 2, written by a newer memwarden; this one reads format 1: upgrade it",
        ),
        (b"memwarden-root 1\nEND 0\n", "x.rootar: holds no file of a machine"),
        (b"memwarden-root 1\nFACT hz 250\nEND 1\n", "x.rootar: holds no file of a machine"),
        (b"memwarden-root 1\nWHAT 3 /a\n", "x.rootar: entry 1: b'WHAT 3 /a' is no entry"),
        (b"memwarden-root 1\nDIR x /a\n", "x.rootar: entry 1: b'x' is no number"),
        (b"memwarden-root 1\nDIR -1 /a\n", "x.rootar: entry 1: b'-1' is no number"),
        (b"memwarden-root 1\nFILE  /a\n", "x.rootar: entry 1: b'' is no number"),
        (b"memwarden-root 1\nDIR 1 a\n", "x.rootar: entry 1: b'a' is no absolute path"),
        (b"memwarden-root 1\nDIR 1\n", "x.rootar: entry 1: b'' is no absolute path"),
        (b"memwarden-root 1\nDIR 1 /a\nERR EIO /a\n", "x.rootar: entry 2: /a stands twice in one snapshot"),
        (b"memwarden-root 1\nFILE 2 /a\nabcd\n", "x.rootar: entry 1: the content does not end where"),
        (b"memwarden-root 1\nFILE 99999999999 /a\n", "x.rootar: entry 1: a file of 99999999999 bytes"),
        (
            b"memwarden-root 1\nSAME /a\n",
            "x.rootar: entry 1: SAME /a, which the snapshot before does not have",
        ),
        (
            b"memwarden-root 1\nDIR 1 /a\nEND 2\n",
            "x.rootar: entry 2: the last line says 2 entries, there are 1",
        ),
        (
            b"memwarden-root 1\nDIR 1 /a\nEND 1\nDIR 2 /b\n",
            "x.rootar: entry 2: there is more after the END line",
        ),
        (b"memwarden-root 1\nSNAP one 1\n", "x.rootar: entry 1: b'one' is no number"),
        (b"memwarden-root 1\n" + b"x" * (1 << 17), "x.rootar: entry 1: a line without an end"),
    ],
)
def test_bad_archives_get_one_sentence(data, sentence):
    with pytest.raises(InputError) as caught:
        read(data)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@given(st.data())
def test_damage_is_an_input_error_or_harmless(data):
    whole = bytearray(
        written({"/a": File(b"x\ny"), "/b": Dir(3)}, {"/a": File(b"x\ny"), "/c": Failed("EIO")})
    )
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(InputError):
        read(bytes(whole))
