"""A kill of the kernel's, told by ``why`` from a folder that a guard put aside. The log is a sample's."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import memwarden
from memwarden.guard import ledger
from memwarden.present import why_incident, why_json
from memwarden.present.why_incident import read, text
from tests.guard.decisions import AT, BOOT, NOTIFY

LOG = (Path(memwarden.__file__).parent / "samples" / "cgroup-limit.log").read_bytes()
WHOLE = {
    "schema": "memwarden.incident/1",
    "id": "20261126-051031-1",
    "boot_id": BOOT,
    "at": {"monotonic_us": AT.monotonic_us + 10_000_000, "wall_us": AT.wall_us + 10_000_000},
    "message": "killed by the kernel: /t",
    "deaths": [{"by": "kernel", "cgroup": "/t", "pid": None, "decision": None, "count": 1}],
    "decisions": [],
    "results": [],
}


def incident(log=b"", **fields):
    return read("incidents/20261126-051031-1", json.dumps(WHOLE | fields).encode(), log)


def test_for_a_person_with_the_kernels_report(golden):
    golden("why/kernel.txt", text(incident(LOG)))


def test_without_a_report_and_with_what_had_been_decided():
    told = text(
        incident(
            decisions=[ledger.decision(NOTIFY, (), boot=BOOT)],
            deaths=[WHOLE["deaths"][0] | {"count": 3}, WHOLE["deaths"][0] | {"cgroup": None}],
        )
    )
    words = " ".join(told.split())
    assert "Died 3 processes in /t 1 process in a cgroup that is not known" in words
    assert "(decision 41e000-1)" in words
    assert "memwarden explain --journal may have it" in words
    assert max(map(len, told.splitlines())) <= 80


def test_as_json():
    document = json.loads(json.dumps(why_json.incident_document(incident(LOG))))
    jsonschema.validate(document, why_json.schema())
    assert document["verdicts"][0]["verdict"]["cause"] == "memcg-anon"


@pytest.mark.parametrize(
    "fields",
    [
        {"schema": "memwarden.status/1"},
        {"deaths": [WHOLE["deaths"][0] | {"by": "guard"}]},
        {"deaths": None},
        {"deaths": [{"by": "kernel"}]},
        {"at": {"monotonic_us": 1, "wall_us": "x"}},
    ],
)
def test_what_is_no_kill_of_the_kernels(fields):
    assert incident(**fields) is None


def test_what_somebody_asked_for():
    told = text(incident(deaths=[], decisions=[ledger.decision(NOTIFY, (), boot=BOOT)]))
    words = " ".join(told.split())
    assert words.startswith("Nobody died. Somebody asked for the last minutes (memwarden ctl dump).")
    assert "(decision 41e000-1)" in words
    assert "memwarden policy replay POLICY FILE plays it" in words
    assert "Died" not in words
    assert "kernel's report" not in words


def test_what_is_no_document():
    assert why_incident.read("x", b"{torn", b"") is None


def test_where_both_killed():
    ours = WHOLE["deaths"][0] | {"by": "guard", "cgroup": "/x"}
    assert text(incident(deaths=[ours, *WHOLE["deaths"]])).startswith(
        "Both the kernel and memwarden killed.\n"
    )
