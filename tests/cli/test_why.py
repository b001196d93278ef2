"""``memwarden why``: which decision is meant, and what is said when there is none."""

from __future__ import annotations

import json

import jsonschema
import pytest

from memwarden.present.why_json import schema
from tests.present.test_why import EPISODE, HOOKED
from tests.present.test_why_incident import LOG, WHOLE


@pytest.fixture
def state(tmp_path):
    (tmp_path / "decisions.jsonl.1").write_text("".join(json.dumps(one) + "\n" for one in HOOKED))
    (tmp_path / "decisions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in EPISODE))
    return str(tmp_path)


def test_the_last_is_the_last_that_was_done_to_somebody(cli, state):
    ran = cli("why", "--state", state)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("memwarden killed /system.slice/leak.service\n")


def test_a_decision_by_its_id_through_older_files(cli, state):
    assert cli("why", "41ec00-6", "--state", state).out.startswith("memwarden did not kill")
    assert cli("why", "41ec32-8", "--state", state).out.startswith("memwarden started the hook")


def test_one_that_is_not_there(cli, state):
    ran = cli("why", "41ec00-7", "--state", state)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("memwarden: 41ec00-7: no such decision")
    assert "memwarden why --list" in ran.err


def test_where_nothing_was_done_the_last_that_was_said(cli, tmp_path):
    (tmp_path / "decisions.jsonl").write_text(json.dumps(EPISODE[0]) + "\n")
    assert cli("why", "last", "--state", str(tmp_path)).out.startswith("memwarden said: out of memory")


def test_an_empty_ledger_and_none(cli, tmp_path):
    assert "there is none" in cli("why", "--state", str(tmp_path)).err
    (tmp_path / "decisions.jsonl").touch()
    ran = cli("why", "--state", str(tmp_path))
    assert (ran.code, ran.err) == (
        3,
        "memwarden: the ledger holds no decision: the guard has had nothing to decide\n",
    )


def test_as_json(cli, state):
    document = json.loads(cli("why", "--state", state, "--format", "json").out)
    assert (document["schema"], document["decision"]["id"]) == ("memwarden.why/1", "41ec32-7")
    assert [one["schema"] for one in document["later"]] == ["memwarden.result/1"]


def test_what_was_done_to_the_same_victim_before_and_after(cli, state):
    def ids(key):
        document = json.loads(cli("why", key, "--state", state, "--format", "json").out)
        jsonschema.validate(document, schema())
        return [[one["id"] for one in document[part]] for part in ("before", "after")]

    assert ids("41ec32-8") == [[], ["41ec32-9", "41ec32-a"]]
    assert ids("41ec32-9") == [["41ec32-8"], ["41ec32-a"]]
    assert ids("41ec11-6") == [[], ["41ec32-7"]]


def test_the_list(cli, state):
    ran = cli("why", "--list", "--top", "2", "--state", state)
    assert [line.split()[0] for line in ran.out.splitlines() if not line.startswith(" ")] == [
        "41ec32-7",
        "41ec11-6",
    ]
    listed = json.loads(cli("why", "--list", "--top", "0", "--state", state, "--format", "json").out)
    assert len(listed["entries"]) == 7
    assert cli("why", "--list", "--top", "-1", "--state", state).code == 2


def test_an_empty_list_is_said_to_be_empty(cli, tmp_path):
    (tmp_path / "decisions.jsonl").write_text("")
    ran = cli("why", "--list", "--state", tmp_path)
    assert ran.out.startswith("nothing is listed: the guard has had nothing to decide")


def test_damaged_lines_are_said(cli, state, tmp_path):
    with (tmp_path / "decisions.jsonl").open("a") as file:
        file.write("{torn\n")
    ran = cli("why", "--state", state)
    assert ran.code == 0
    damaged = f"memwarden: {state}: 1 line of the ledger could not be read\n"
    assert ran.err == damaged
    (tmp_path / "decisions.jsonl").write_text("{torn\n")
    (tmp_path / "decisions.jsonl.1").unlink()
    unread = "memwarden: the ledger holds no decision that can be read\n"
    assert cli("why", "--state", state) == (3, "", damaged + unread)


@pytest.fixture
def killed(state, tmp_path):
    folder = tmp_path / "incidents" / WHOLE["id"]
    folder.mkdir(parents=True)
    (tmp_path / "incidents" / ".half-written").mkdir()
    (folder / "incident.json").write_text(json.dumps(WHOLE))
    (folder / "kernel.log").write_bytes(LOG)
    return state


def test_a_kill_of_the_kernels_that_came_later_is_the_last(cli, killed):
    ran = cli("why", "--state", killed)
    assert ran.out.startswith("The kernel killed, and memwarden did not.\n")
    assert "the cgroup's memory limit of 96.0 MiB was" in ran.out
    document = json.loads(cli("why", WHOLE["id"], "--state", killed, "--format", "json").out)
    assert document["incident"]["id"] == WHOLE["id"]
    assert cli("why", "--list", "--top", "1", "--state", killed).out.startswith(WHOLE["id"])


def test_a_kill_of_the_kernels_that_came_earlier_is_not(cli, killed, tmp_path):
    earlier = WHOLE | {"at": {"monotonic_us": 1, "wall_us": None}}
    (tmp_path / "incidents" / WHOLE["id"] / "incident.json").write_text(json.dumps(earlier))
    assert cli("why", "--state", killed).out.startswith("memwarden killed")


def test_what_somebody_asked_for_is_listed_and_is_no_death(cli, killed, tmp_path):
    asked = WHOLE | {"id": "20261126-051031-2", "deaths": [], "message": "nobody died"}
    folder = tmp_path / "incidents" / asked["id"]
    folder.mkdir()
    (folder / "incident.json").write_text(json.dumps(asked))
    assert cli("why", "--state", killed).out.startswith("The kernel killed")
    assert "nobody died" in cli("why", "--list", "--state", killed).out
    assert cli("why", asked["id"], "--state", killed).out.startswith("Nobody died.")


def test_incidents_that_may_not_be_read(cli, state, tmp_path):
    (tmp_path / "incidents").symlink_to(tmp_path)
    ran = cli("why", "--state", state)
    assert ran.code == 3
    assert "incidents: cannot be read: " in ran.err
