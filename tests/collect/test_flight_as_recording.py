"""A flight recorder's ring read by those that read recordings."""

from __future__ import annotations

import json

import pytest

from memwarden.collect import recordings
from memwarden.collect.flight import Encoder
from memwarden.collect.flight_blocks import BLOCK, Framer
from memwarden.errors import InputError
from memwarden.state.cgroup import Cgroup
from memwarden.state.snapshot import CgroupMode, HostFacts, Instant, Snapshot
from memwarden.units import MIB
from tests.collect.test_flight import CALM


def look(number):
    leak = Cgroup("/leak", 7, populated=True, current_bytes=number * MIB, stat={"anon": number * MIB})
    return Snapshot(
        Instant(number * 1_000_000, number * 1_000_000),
        host=HostFacts(hostname="lab", boot_id="boot"),
        cgroup_mode=CgroupMode.V2,
        meminfo={"MemTotal": 900 * MIB, "MemAvailable": (880 - number) * MIB, "SwapTotal": 0, "SwapFree": 0},
        cgroups={"/": Cgroup("/", 1, children=("/leak",)), "/leak": leak},
    )


def ring(path, count=3):
    encoder, framer = Encoder(), Framer()
    records = [encoder.look(look(number)) for number in range(count)]
    file = bytearray(4 * BLOCK)
    for number, data in framer.add([*records, encoder.woken(CALM)]):
        file[number * BLOCK : (number + 1) * BLOCK] = data
    path.write_bytes(file)
    return str(path)


def test_its_looks_are_snapshots_over_time(tmp_path):
    recording = recordings.open_recording(ring(tmp_path / "flight"))
    assert recording.kind == "flight"
    assert [*recording.snapshots] == [look(number) for number in range(3)]
    assert recording.notes == []


def test_records_that_build_on_nothing_are_noted(tmp_path):
    encoder = Encoder()
    encoder.look(look(0))
    [(_, data)] = Framer().add([encoder.look(look(1))])
    (tmp_path / "flight").write_bytes(data)
    recording = recordings.open_recording(str(tmp_path / "flight"))
    assert [*recording.snapshots] == []
    assert "1 records build on ones that were overwritten" in recording.notes[0]


def test_what_is_too_large_is_no_ring(tmp_path, monkeypatch):
    path = ring(tmp_path / "flight")
    with open(path, "ab") as file:
        file.truncate(1 << 20)
    monkeypatch.setattr(recordings, "LARGEST_RING", 1 << 19)
    with pytest.raises(InputError, match="larger than any ring"):
        [*recordings.open_recording(path).snapshots]


def test_status_shows_its_last_look(cli, tmp_path):
    ran = cli("status", "--root", ring(tmp_path / "flight"), "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert document["machine"]["available_bytes"] == 878 * MIB
    [leak] = [one for one in document["cgroups"] if one["path"] == "/leak"]
    assert leak["usage_bytes"] == 2 * MIB


def test_status_watches_it_look_by_look(cli, tmp_path):
    ran = cli("status", "--root", ring(tmp_path / "flight"), "--format", "json", "--watch", "1")
    assert len(ran.out.splitlines()) == 3


def test_a_ring_without_a_look_and_a_verb_that_needs_processes(cli, tmp_path):
    ran = cli("status", "--root", ring(tmp_path / "empty", count=0))
    assert (ran.code, ran.err) == (3, f"memwarden: {tmp_path / 'empty'}: holds no whole record yet\n")
    ran = cli("rank", "--root", ring(tmp_path / "flight"))
    assert ran.code == 2
    assert "is a flight recorder's ring, figures of cgroups without processes" in ran.err


def test_a_policy_is_replayed_on_it(cli, tmp_path):
    ran = cli("policy", "replay", "default", ring(tmp_path / "flight"), "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["recordings"][0]["kind"] == "flight"
