"""The ledger's documents: one way out, one way back, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest

from memwarden.guard import ledger, ledger_read
from memwarden.guard.victims import Result
from memwarden.state.intents import (
    Freeze,
    Kill,
    Notify,
    Outcome,
    Panic,
    ProcessId,
    Reclaim,
    Restart,
    SetHigh,
    Thaw,
)
from memwarden.units import MAX
from tests.guard.decisions import (
    AT,
    BOOT,
    GONE,
    HOOK,
    KILL,
    KILLED,
    LEAK,
    NOTIFY,
    PROCESS,
    TERM,
    THROTTLE,
    WITHHELD,
)

FAILED = Outcome(Kill(LEAK), done=False, error="/system.slice/leak.service: it is gone")
RESTORE = KILL._replace(
    rule="restore", group="41ec11-6", action="restore", findings=(), candidates=(), intents=(Thaw(LEAK),)
)
EVERY = KILL._replace(
    intents=(
        Notify("x"),
        Reclaim(LEAK, 4096, None),
        Reclaim(LEAK, 4096, 60),
        SetHigh(LEAK, MAX, MAX),
        Freeze(LEAK),
        Thaw(LEAK),
        *HOOK.intents,
        *TERM.intents,
        Kill(PROCESS, release=False),
        Restart("web.service"),
        Panic(),
    )
)


def through_json(document):
    return json.loads(json.dumps(document))


@pytest.mark.parametrize("decided", [KILL, WITHHELD, THROTTLE, NOTIFY, HOOK, TERM, RESTORE, EVERY])
def test_a_decision_comes_back_as_it_was(decided):
    document = through_json(ledger.decision(decided, KILLED, boot=BOOT))
    assert ledger_read.is_document(document)
    assert ledger_read.decision(document) == (decided, KILLED)


def test_a_finding_without_a_value_and_one_without_end_come_back():
    findings = (
        KILL.findings[0]._replace(value=None, error=None),
        KILL.findings[0]._replace(value=MAX, threshold=2.5),
    )
    decided = KILL._replace(findings=findings)
    assert ledger_read.decision(through_json(ledger.decision(decided, (), boot=BOOT))) == (decided, ())


@pytest.mark.parametrize(
    "came", [GONE, GONE._replace(gone=False, freed_bytes=None), GONE._replace(target=PROCESS)]
)
def test_a_result_comes_back_as_it_was(came):
    document = through_json(ledger.result(came, at=AT, boot=BOOT))
    assert ledger_read.is_document(document)
    assert ledger_read.result(document) == came


def test_a_later_outcome_comes_back_as_it_was():
    ended = Outcome(HOOK.intents[0], done=True, output="core written", took_us=700_000)
    document = through_json(ledger.outcome("41ec32-8", ended, at=AT, boot=BOOT))
    assert ledger_read.is_document(document)
    assert (document["decision"], ledger_read.outcome(document)) == ("41ec32-8", ended)


@pytest.mark.parametrize(
    ("decided", "outcomes", "said"),
    [
        (
            KILL,
            KILLED,
            "killed /system.slice/leak.service (memory ends: memory ends in 0.6 s at the earliest)",
        ),
        (
            KILL,
            (FAILED,),
            (
                "could not kill /system.slice/leak.service: /system.slice/leak.service: it is gone "
                "(memory ends: memory ends in 0.6 s at the earliest)"
            ),
        ),
        (
            THROTTLE,
            (),
            "throttled /system.slice/leak.service (memory ends: memory ends in 0.9 s at the earliest)",
        ),
        (
            TERM,
            (FAILED,),
            (
                "could not terminate process 4242 (hog): /system.slice/leak.service: it is gone "
                "(memory ends: memory ends in 0.6 s at the earliest)"
            ),
        ),
        (TERM, (), "terminated process 4242 (hog) (memory ends: memory ends in 0.6 s at the earliest)"),
        (
            NOTIFY,
            (),
            "said: out of memory at its limit (spinning at memory.max: tasks stalled for 310 ms in 2 s)",
        ),
        (
            NOTIFY._replace(intents=(Notify(""),), need=""),
            (),
            "said so (spinning at memory.max)",
        ),
        (
            WITHHELD._replace(need="", withheld="there is nobody who may be killed"),
            (),
            "did not kill: there is nobody who may be killed (machine stalls)",
        ),
        (
            KILL._replace(action="restart", intents=(Restart("web.service"),), need=""),
            (),
            "restarted web.service (memory ends)",
        ),
        (
            RESTORE._replace(need=""),
            (Outcome(Thaw(LEAK), done=True),),
            "restored /system.slice/leak.service (restore)",
        ),
        (
            RESTORE._replace(need=""),
            (Outcome(Thaw(LEAK), done=True, error="left as it is: it is gone"),),
            "left as it is: it is gone (restore)",
        ),
    ],
)
def test_a_decision_in_one_line(decided, outcomes, said):
    assert ledger.sentence(decided, outcomes) == said


def test_a_dry_run_says_that_it_was_one():
    assert ledger.sentence(KILL, dry=True).startswith("dry run: would have killed /system.slice/leak.service")


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (Outcome(Reclaim(LEAK, 4096), done=True), "reclaim /system.slice/leak.service is over"),
        (Outcome(Panic(), done=False, error="not allowed"), "panic failed: not allowed"),
    ],
)
def test_a_later_outcome_in_one_line(ended, said):
    assert ledger.ended_sentence(ended) == said


def test_a_process_without_a_name_has_its_number():
    assert ledger.name(ProcessId(7, 9)) == "process 7"


@pytest.mark.parametrize(
    ("decided", "deed"),
    [(KILL, True), (THROTTLE, True), (NOTIFY, False), (WITHHELD, False), (RESTORE, False)],
)
def test_what_counts_as_a_deed(decided, deed):
    assert ledger.is_deed(decided) is deed


def fields_of(decided, outcomes=(), **options):
    return ledger.decision_fields(decided, ledger.decision(decided, outcomes, boot=BOOT, **options))


def test_a_kill_is_found_in_the_journal_by_its_victims_unit():
    fields = fields_of(KILL, KILLED)
    assert fields["OBJECT_SYSTEMD_UNIT"] == "leak.service"
    assert fields["MEMWARDEN_VICTIM"] == "/system.slice/leak.service"
    assert fields["MEMWARDEN_DECISION"] == "41ec32-7"
    assert fields["MEMWARDEN_RULE"] == "memory ends"
    assert fields["PRIORITY"] == "4"  # <syslog.h> LOG_WARNING
    assert "MEMWARDEN_WITHHELD" not in fields
    assert "MEMWARDEN_DRY" not in fields


def test_what_failed_is_an_error_what_was_withheld_a_notice():
    assert fields_of(KILL, (FAILED,))["PRIORITY"] == "3"  # LOG_ERR
    withheld = fields_of(WITHHELD, dry=True)
    assert withheld["PRIORITY"] == "5"  # LOG_NOTICE
    assert withheld["MEMWARDEN_WITHHELD"].startswith("no need")
    assert withheld["MEMWARDEN_DRY"] == "1"


def test_a_process_is_a_victim_with_a_pid_and_a_throttled_cgroup_is_none():
    assert fields_of(TERM)["MEMWARDEN_VICTIM_PID"] == "4242"
    restart = KILL._replace(action="restart", intents=(Restart("web.service"),))
    assert not {"MEMWARDEN_VICTIM", "MEMWARDEN_TARGET"} & set(fields_of(restart))
    throttled = fields_of(THROTTLE)
    assert throttled["MEMWARDEN_TARGET"] == "/system.slice/leak.service"
    assert "MEMWARDEN_VICTIM" not in throttled


def test_a_cgroup_outside_of_systemd_has_no_unit():
    assert "OBJECT_SYSTEMD_UNIT" not in fields_of(KILL._replace(intents=(Kill(LEAK._replace(path="/t/x")),)))


def test_results_and_outcomes_and_troubles_as_fields():
    found = ledger.result_fields(GONE, ledger.result(GONE, at=AT, boot=BOOT))
    assert (found["MEMWARDEN_FREED_BYTES"], found["MEMWARDEN_TOOK_USEC"]) == (str(355 << 20), "310000")
    assert found["PRIORITY"] == "5"
    lasting = Result("41ec32-7", LEAK, gone=False, freed_bytes=None, took_us=2_000_000)
    found = ledger.result_fields(lasting, ledger.result(lasting, at=AT, boot=BOOT))
    assert found["PRIORITY"] == "3"
    assert found["MESSAGE"] == "/system.slice/leak.service: still there after 2.00 s"
    assert "MEMWARDEN_FREED_BYTES" not in found
    ended = Outcome(Restart("web.service"), done=False, error="no such unit")
    found = ledger.outcome_fields("1-1", ended, ledger.outcome("1-1", ended, at=AT, boot=BOOT))
    assert (found["PRIORITY"], found["MEMWARDEN_DECISION"]) == ("4", "1-1")
    assert ledger.trouble_fields(ledger.trouble("blind", at=AT, boot=BOOT))["MESSAGE"] == "blind"


def changed(**fields):
    return ledger.decision(KILL, KILLED, boot=BOOT) | fields


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (changed(id=7), "decision.id"),
        (changed(step=True), "decision.step"),
        (changed(at={"monotonic_us": 1}), "decision.at.wall_us"),
        (changed(at=[]), "decision.at"),
        (changed(findings={}), "decision.findings"),
        (changed(outcomes=None), "outcomes"),
        (changed(intents=[{"kind": "explode"}]), "decision.intents[0].kind"),
        (changed(intents=[None]), "decision.intents[0]"),
        (changed(intents=["kill"]), "decision.intents[0]"),
        (
            changed(candidates=[changed()["candidates"][0] | {"mark": "spared"}]),
            "decision.candidates[0].mark",
        ),
        (changed(candidates=[changed()["candidates"][0] | {"score": True}]), "decision.candidates[0].score"),
        (
            changed(candidates=[changed()["candidates"][0] | {"numbers": []}]),
            "decision.candidates[0].numbers",
        ),
        (
            changed(candidates=[changed()["candidates"][0] | {"numbers": {"size": "much"}}]),
            "decision.candidates[0].numbers.size",
        ),
        ({key: value for key, value in changed().items() if key != "need"}, "decision.need"),
    ],
)
def test_what_is_no_decision_is_refused_with_the_name_of_the_field(document, where):
    with pytest.raises(ledger_read.Unlike) as refused:
        ledger_read.decision(through_json(document))
    assert str(refused.value) == where


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"schema": "memwarden.status/1"},
        changed(boot_id=None),
        changed(message=1),
        changed(at=0),
    ],
)
def test_other_things_are_no_documents_of_the_ledger(found):
    assert not ledger_read.is_document(found)
