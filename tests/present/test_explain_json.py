"""The document memwarden.explain/1 and its schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from memwarden.postmortem.model import HostInfo, When
from memwarden.postmortem.read import find_reports
from memwarden.postmortem.verdict import judge
from memwarden.present.explain_json import document, incident_document, schema, text
from memwarden.units import MAX, MIB
from tests.postmortem.verdict_reports import (
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    victim,
    zone,
)

LAB = sorted((Path(__file__).parent.parent / "golden" / "lab").glob("*/*.kmsg"))
VALIDATOR = jsonschema.Draft202012Validator(schema())


def one(made):
    return incident_document(judge(made))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_no_incident():
    assert document([]) == {"schema": "memwarden.explain/1", "incidents": []}
    assert json.loads("".join(text([]))) == document([])


@pytest.mark.parametrize("path", LAB, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_documents_of_real_kernels_fit_the_schema(path):
    incidents = [judge(one) for one in find_reports([path.read_bytes()], file=path.name)]
    found = json.loads("".join(text(incidents)))
    VALIDATOR.validate(found)
    assert found == json.loads(json.dumps(document(incidents)))


@pytest.mark.parametrize(
    "made",
    [
        report(),
        memcg_report(memcg_facts(64, limit=MAX, stat_mib={"anon": 1}), task(1, 1)),
        memcg_report(memcg_facts(None), task(1, 1, rss_pages=None, swap_pages=None, total_vm_pages=None)),
        system_report(node_facts(zones=[zone("Normal", 1)]), victims=(), no_killable=True, panic=True),
        memcg_report(None, victims=(victim(1), victim(2, via="oom.group"))),
        memcg_report(None, task_path="/kubepods/burstable/pod1-2/" + 64 * "0"),
    ],
)
def test_sparse_documents_fit_the_schema(made):
    VALIDATOR.validate(json.loads(json.dumps(document([judge(made)]))))


def test_what_the_text_does_not_say_is_null():
    found = one(report())
    assert found["memcg"] is None
    assert found["node"] is None
    assert found["task_path"] is None
    assert found["tasks"] == []
    assert found["tasks_listed"] == 0
    assert (found["unit"], found["container"], found["kubernetes"]) == (None, None, None)
    assert found["verdict"]["why_victim"] is None
    assert found["verdict"]["why_while_free"] is None
    assert found["time"] == {"monotonic_us": None, "wall": None}


def test_unlimited_is_a_word():
    found = one(memcg_report(memcg_facts(64, limit=MAX, swap_limit_bytes=MAX)))
    assert found["memcg"]["limit_bytes"] == "max"
    assert found["memcg"]["swap_limit_bytes"] == "max"
    assert found["memcg"]["memsw_limit_bytes"] is None


def test_rows_in_bytes_and_in_pages_as_printed():
    made = memcg_report(
        memcg_facts(64),
        task(3, 1, pgtables_bytes=5000, swap_pages=2),
        host=HostInfo(page_size_bytes=65536, page_size_basis="text"),
    )
    assert one(made)["tasks"] == [
        {
            "pid": 3,
            "tgid": 3,
            "uid": 1000,
            "comm": "p3",
            "total_vm_bytes": 512 * 65536,
            "total_vm_pages": 512,
            "rss_bytes": 256 * 65536,
            "rss_pages": 256,
            "pgtables_bytes": 5000,
            "swap_bytes": 2 * 65536,
            "swap_pages": 2,
            "oom_score_adj": 0,
            "badness_pages": 258,
        }
    ]


def test_the_rest_of_an_incident():
    made = memcg_report(
        memcg_facts(64, stat_mib={"anon": 60, "kernel": 4}),
        when=When(5_000_000, "2026-03-04T02:17:41"),
        host=HostInfo("db4", "6.12.0", 4096, "text"),
        task_path="/kubepods/burstable/pod1-2/" + 64 * "0",
    )
    found = one(made)
    assert found["host"] == {"name": "db4", "kernel": "6.12.0", "page_size": {"bytes": 4096, "basis": "text"}}
    assert found["time"] == {"monotonic_us": 5_000_000, "wall": "2026-03-04T02:17:41"}
    assert found["invoker"] == {
        "pid": 77, "comm": "asker", "gfp_mask": 0xCC0, "gfp_flags": ["GFP_KERNEL"], "order": 0,
        "oom_score_adj": 0,
    }  # fmt: skip
    assert found["container"] == {"runtime": "unknown", "id": 64 * "0"}
    assert found["kubernetes"] == {"qos": "burstable", "pod_uid": "1-2", "level": "container"}
    assert found["verdict"]["filled_by"] == [
        {"what": "anon", "bytes": 60 * MIB},
        {"what": "kernel", "bytes": 4 * MIB},
    ]
    assert found["verdict"]["advice"][0]["command"].startswith("kubectl get pods")


def test_names_that_are_not_utf_8_survive():
    made = memcg_report(memcg_facts(64), task(3, 1, comm="a\udcff\n"))
    assert json.loads("".join(text([judge(made)])))["incidents"][0]["tasks"][0]["comm"] == "a\udcff\n"


def test_a_name_that_looks_like_a_row_stays_one_name():
    hostile = task(2, 5, comm='}, {"pid": ')
    made = judge(memcg_report(memcg_facts(64), task(1, 1), hostile))
    found = json.loads("".join(text([made])))
    assert [row["comm"] for row in found["incidents"][0]["tasks"]][1] == '}, {"pid": '
