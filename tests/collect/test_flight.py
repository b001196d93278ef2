"""Flight records: what was kept comes back, whatever is torn, lost or made up."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.collect import flight_blocks, flight_columns
from memwarden.collect.flight import Decoder, Encoder
from memwarden.collect.flight_blocks import BLOCK, ROOM, Framer, blocks_of, parse, records_of
from memwarden.collect.woken import Woken
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.cgroup import Cgroup
from memwarden.state.snapshot import CgroupMode, HostFacts, Instant, Snapshot
from memwarden.units import MAX, MIB

WOKEN = Woken(
    5_000_000, 900 * MIB, 20 * MIB, 0, 31_000, 60_000, 12, signalled=True, alarm="all tasks stalled"
)
CALM = Woken(6_000_000, 900 * MIB, 700 * MIB, 0, None, None, 0, signalled=False, alarm="")

counts = st.integers(0, 1 << 62)
limits = st.one_of(st.none(), st.just(MAX), counts)
averages = st.integers(0, 10_000).map(lambda cents: cents / 100)  # the kernel prints two digits
lines = st.none() | st.tuples(averages, averages, averages, counts).map(lambda parts: PsiLine(*parts))
pressures = st.none() | st.tuples(lines, lines).filter(any).map(lambda both: Psi(*both))


def table(names):
    """A file of named figures; without one it is as if there were no file."""
    return st.none() | st.dictionaries(st.sampled_from(names), counts, min_size=1)


# Of a record itself Hypothesis would make up the fields that are not given, too.
cgroups = st.builds(
    lambda **fields: Cgroup(**fields),  # noqa: PLW0108 - see above
    path=st.sampled_from(["/", "/a", "/a/b", "/a/\udcff", "/c"]),
    inode=st.integers(1, 3),
    populated=st.none() | st.booleans(),
    current_bytes=st.none() | counts,
    high_bytes=limits,
    max_bytes=limits,
    oom_group=st.none() | st.booleans(),
    stat=table(flight_columns.STAT),
    events=table(flight_columns.EVENTS),
    events_local=table(flight_columns.EVENTS),
    memory_pressure=pressures,
    io_pressure=pressures,
)


def with_children(found):
    by_path = {one.path: one for one in found}
    return {
        path: one._replace(
            children=tuple(
                sorted(each for each in by_path if each != "/" and (each.rpartition("/")[0] or "/") == path)
            )
        )
        for path, one in by_path.items()
    }


snapshots = st.builds(
    lambda **fields: Snapshot(**fields),  # noqa: PLW0108 - see above
    instant=st.tuples(counts, st.none() | counts).map(lambda both: Instant(*both)),
    host=st.just(HostFacts(hostname="lab", cpus=2, boot_id="boot")),
    cgroup_mode=st.just(CgroupMode.V2),
    sysctl=st.just({"swappiness": 60}),
    meminfo=table(flight_columns.MEMINFO),
    vmstat=table(flight_columns.VMSTAT),
    memory_pressure=pressures,
    cpu_pressure=pressures,
    cgroups=st.lists(cgroups, max_size=5).map(with_children),
)


def decoded(records):
    decoder = Decoder()
    return [*decoder.read(records)], decoder.skipped


@given(st.lists(snapshots, min_size=1, max_size=5), st.integers(0, 4000))
def test_snapshots_come_back_as_they_were(seen, key_every):
    encoder = Encoder(key_every)
    found, skipped = decoded([encoder.look(one) for one in seen])
    assert skipped == 0
    assert found == seen


def test_wake_ups_come_back_as_they_were():
    encoder = Encoder()
    assert decoded([encoder.woken(WOKEN), encoder.woken(CALM)]) == ([WOKEN, CALM], 0)


def look(at, mib, path="/a", inode=2):
    cgroup = Cgroup(path, inode, current_bytes=mib * MIB, stat={"anon": mib * MIB})
    return Snapshot(Instant(at), cgroups={path: cgroup})


def test_a_look_costs_what_has_changed():
    encoder = Encoder()
    first, second, third = (encoder.look(look(number, mib)) for number, mib in enumerate((100, 100, 101)))
    # 1 kind, 1 time, 1 no wall clock, 1 machine unchanged, 1 gone, 1 new, 1 end
    assert len(second) == 7
    # its number; twice the column and 256 pages in two bytes; the end
    assert len(third) == 7 + 1 + 2 * (1 + 2) + 1
    assert len(first) > 100


def test_a_cgroup_made_anew_under_the_same_name_begins_anew():
    encoder = Encoder()
    seen = [look(1, 100), look(2, 1, inode=3), look(3, 5, path="/b")]
    assert decoded([encoder.look(one) for one in seen]) == (seen, 0)


def test_a_key_comes_again_and_what_was_before_it_is_not_needed():
    encoder = Encoder(key_every=0)
    records = [encoder.look(look(number, 100 + number)) for number in range(400)]
    keys = [number for number, record in enumerate(records) if record[0] == 1]
    assert keys[0] == 0
    assert len(keys) > 1
    found, skipped = decoded(records[keys[1] :])
    assert (len(found), skipped) == (400 - keys[1], 0)
    assert found[-1] == look(399, 499)


def test_what_follows_a_gap_waits_for_a_key():
    encoder = Encoder()
    key, second, third = (encoder.look(look(number, 100)) for number in range(3))
    found, skipped = decoded([second, key, None, third, encoder.woken(CALM), key])
    assert [getattr(one, "instant", one) for one in found] == [Instant(0), CALM, Instant(0)]
    assert skipped == 2


@given(st.binary(max_size=200))
def test_records_that_are_none_never_raise(data):
    encoder = Encoder()
    key = encoder.look(look(1, 100))
    decoded([data, key, data, key[:20] + data, bytes([1]) + data, bytes([2]) + data])


@pytest.mark.parametrize(
    "change", [(b'"cpus": null', b'"cpus": "x" '), (b'"page_size": 4096', b'"page_size": "09"')]
)
def test_facts_of_other_types_are_no_facts(change):
    encoder = Encoder()
    key = encoder.look(look(1, 100))
    assert change[0] in key
    assert decoded([key.replace(*change)]) == ([], 1)


# Blocks.


def ring(blocks, count=8):
    file = bytearray(count * BLOCK)
    for number, data in blocks:
        at = number % count * BLOCK
        file[at : at + BLOCK] = data
    return file


@given(st.lists(st.binary(min_size=1, max_size=9000), max_size=6), st.integers(0, 5))
def test_records_come_out_of_blocks_as_they_went_in(records, number):
    framer = Framer(number)
    blocks = [block for record in records for block in framer.add([record])]
    assert [*records_of(blocks_of(bytes(ring(blocks))))] == records


def test_old_blocks_are_written_over_and_reading_begins_at_a_whole_record():
    framer = Framer()
    records = [bytes([number]) * 3000 for number in range(60)]
    blocks = [block for record in records for block in framer.add([record])]
    found = [*records_of(blocks_of(bytes(ring(blocks))))]
    # Eight blocks of 4076 bytes, the last not full: ten records of 3004 and parts of two at most.
    assert ROOM == 4076
    assert found == records[-len(found) :]
    assert len(found) in (9, 10)


@pytest.mark.parametrize("torn", [b"", b"MWF1", os.urandom(20)])
def test_a_torn_block_is_a_gap(torn):
    framer = Framer()
    records = [bytes([number]) * 2000 for number in range(10)]
    file = ring([block for record in records for block in framer.add([record])])
    file[2 * BLOCK : 3 * BLOCK] = torn.ljust(BLOCK, b"\1")
    found = [*records_of(blocks_of(bytes(file)))]
    gap = found.index(None)
    assert found[:gap] == records[:gap]
    assert found[gap + 1 :] == records[-len(found[gap + 1 :]) :]
    assert len(found) >= 8


def test_a_record_whose_writer_died_in_it_is_a_gap():
    framer = Framer()
    [(first, data)] = framer.add([b"a" * 100])
    [(_, whole), _] = Framer(1).add([b"b" * 6000])  # its second block was never written
    again = [block for record in (b"c" * 10, b"d" * 20) for block in Framer(2).add([record])][-1:]
    file = ring([(first, data), (1, whole), *again])
    assert [*records_of(blocks_of(bytes(file)))] == [b"a" * 100, None, b"d" * 20]


def test_a_record_cut_within_its_length_is_a_gap():
    block = Framer().add([b"x" * (ROOM - 4 - 2), b"y"])[0][1]  # two bytes of the next one's length
    [(number, data)] = Framer(1).add([b"z"])
    assert [*records_of(blocks_of(bytes(ring([(0, block), (number, data)]))))] == [
        b"x" * (ROOM - 6),
        None,
        b"z",
    ]


def test_a_whole_block_without_the_start_of_a_record_is_skipped_at_the_beginning():
    framer = Framer()
    blocks = framer.add([b"x" * 9000, b"y"])
    assert [*records_of(blocks_of(b"".join(data for _, data in blocks[1:])))] == [b"y"]


def test_what_is_no_block():
    [(_, data)] = Framer().add([b"x"])
    assert parse(data) is not None
    assert parse(data[:-1]) is None
    assert parse(b"MWF0" + data[4:]) is None
    assert parse(data[:4] + b"\x50\x00" + data[6:]) is None  # begins beyond what is used
    assert parse(data[:-1] + b"\1") is not None  # what is not used is not looked at
    assert parse(data[:20] + b"\xff" + data[21:]) is None
    assert flight_blocks.is_flight(data)
    assert flight_blocks.is_flight(bytes(BLOCK) + data)
    assert not flight_blocks.is_flight(b"memwarden-root")


def test_two_records_in_one_block():
    [(number, data)] = Framer(7).add([b"a", b"b"])
    assert [*records_of(blocks_of(data))] == [b"a", b"b"]
    assert (number, parse(data).first) == (7, 0)


def test_who_is_as_it_was_is_not_worked_out_again(monkeypatch):
    made = []
    row_of = flight_columns.row_of
    monkeypatch.setattr(flight_columns, "row_of", lambda one: made.append(one.path) or row_of(one))
    two = {path: Cgroup(path=path, inode=2, current_bytes=4096) for path in ("/a", "/b")}
    encoder = Encoder()
    encoder.look(Snapshot(Instant(1), cgroups=two))
    encoder.look(Snapshot(Instant(2), cgroups={**two, "/b": two["/b"]._replace(current_bytes=8192)}))
    assert made == ["/a", "/b", "/b"]
