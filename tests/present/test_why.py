"""``why``: the ledger read back, as text, as JSON, as a list. The decisions are made by hand."""

from __future__ import annotations

import json

import jsonschema
import pytest

from memwarden.guard import ledger
from memwarden.present import ledger_json, why_json, why_stories, why_text
from memwarden.present.colour import Paint
from memwarden.state.intents import (
    Freeze,
    Kill,
    Notify,
    Outcome,
    Panic,
    Reclaim,
    Restart,
    SetHigh,
    Terminate,
    Thaw,
)
from memwarden.state.snapshot import Instant
from memwarden.units import MAX, MIB
from tests.guard.decisions import (
    AT,
    BATCH,
    BOOT,
    GONE,
    HOOK,
    KILL,
    KILLED,
    LEAK,
    NOTIFY,
    POSTGRES,
    PROCESS,
    TERM,
    THROTTLE,
    WITHHELD,
)

THROTTLED = (Outcome(THROTTLE.intents[0], done=True, took_us=900),)
LATE = Outcome(HOOK.intents[0], done=True, output="core written\n", took_us=700_000)
TERMINATED = (Outcome(Terminate(PROCESS), done=True, signalled=1, took_us=60),)
FINISHED = TERM._replace(id="41ec32-a", action="kill", intents=(Kill(PROCESS),))


def later(decision, after_us, **fields):
    at = Instant(AT.monotonic_us + after_us, AT.wall_us + after_us)
    return decision._replace(at=at, **fields)


EPISODE = [
    ledger.decision(NOTIFY, (Outcome(NOTIFY.intents[0], done=True),), boot=BOOT),
    ledger.decision(WITHHELD, (), boot=BOOT),
    ledger.decision(THROTTLE, THROTTLED, boot=BOOT),
    ledger.trouble("an entry of no decision", at=AT, boot=BOOT),
    ledger.decision(KILL, KILLED, boot=BOOT),
    ledger.result(GONE, at=AT, boot=BOOT),
]
HOOKED = [
    ledger.decision(HOOK, (), boot=BOOT),
    ledger.outcome(HOOK.id, LATE, at=AT, boot=BOOT),
    ledger.decision(later(TERM, 1_000_000), TERMINATED, boot=BOOT),
    ledger.decision(later(FINISHED, 3_000_000), (), boot=BOOT),
]


def stories(documents):
    lines = [json.dumps(one).encode() for one in reversed(documents)]
    return [*why_stories.Ledger(lines).stories()]


def story(decision, outcomes=(), **options):
    [one] = stories([ledger.decision(decision, outcomes, boot=BOOT, **options)])
    return one


@pytest.mark.parametrize(("name", "number"), [("kill", 0), ("withheld", 2), ("notify", 3)])
def test_a_decision_for_a_person(golden, name, number):
    golden(f"why/{name}.txt", why_text.text(stories(EPISODE)[number]))


def test_a_kill_after_a_hook_and_a_sigterm(golden):
    kill, term, hook = stories(HOOKED)
    golden("why/hook.txt", "\n".join(why_text.text(one) for one in (hook, term, kill)))


def test_the_list(golden):
    entries = [(one.key, one.decision.at, one.summary) for one in stories(EPISODE)]
    golden("why/list.txt", why_text.listed(entries))


def test_all_that_is_shown_fits_eighty_columns():
    wide = KILL._replace(
        candidates=tuple(
            one._replace(target=one.target._replace(path=f"/{'kubepods.slice' * 12}"))
            for one in KILL.candidates
        )
    )
    for one in [*stories(EPISODE), *stories(HOOKED), story(wide, KILLED)]:
        assert [line for line in why_text.text(one).splitlines() if len(line) > 80] == []


def test_a_decision_has_what_came_of_it_and_what_came_before():
    kill, throttle, withheld, notify = stories(EPISODE)
    assert (kill.key, kill.results, kill.before) == ("41ec32-7", (GONE,), (THROTTLE,))
    assert throttle.outcomes == THROTTLED
    assert [one.before for one in (throttle, withheld, notify)] == [(), (), ()]
    assert [one.is_deed for one in (kill, throttle, withheld, notify)] == [True, True, False, False]


def test_what_was_long_ago_or_on_another_boot_does_not_belong_to_it():
    old = THROTTLE._replace(at=Instant(AT.monotonic_us - why_stories.FAR_US, 0))
    for documents in (
        [ledger.decision(old, (), boot=BOOT), EPISODE[4]],
        [ledger.decision(THROTTLE, (), boot="another"), EPISODE[4]],
        [ledger.decision(THROTTLE._replace(rule="another"), (), boot=BOOT), EPISODE[4]],
        [ledger.decision(THROTTLE._replace(intents=(Freeze(BATCH),)), (), boot=BOOT), EPISODE[4]],
    ):
        assert stories(documents)[0].before == ()


def test_a_result_of_another_boot_is_not_taken_for_its_own():
    foreign = ledger.result(GONE, at=AT, boot="another")
    assert stories([EPISODE[4], foreign])[0].results == ()


def test_what_is_damaged_is_left_out_and_counted():
    lines = [
        b"{torn",
        b"",
        b'{"schema": "memwarden.status/1"}',
        b"\xff\xfe",
        json.dumps(EPISODE[4] | {"step": "one"}).encode(),
        json.dumps(EPISODE[4]).encode(),
    ]
    found = why_stories.Ledger(lines)
    assert [one.key for one in found.stories()] == ["41ec32-7"]
    assert found.damaged == 4


def test_names_that_would_paint_the_terminal_are_escaped():
    hostile = LEAK._replace(path="/x\x1b[31m\u202e")
    candidates = (
        KILL.candidates[0]._replace(target=hostile),
        KILL.candidates[2]._replace(why_not="never: \x1b"),
    )
    decided = KILL._replace(rule="\x1b[1m", intents=(Kill(hostile),), candidates=candidates)
    text = why_text.text(story(decided, (Outcome(Kill(hostile), done=False, error="\x1b]0;"),)))
    assert text.isascii()
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("intent", "said"),
    [
        (Reclaim(LEAK, 64 * MIB), "had the kernel take back 64.0 MiB from /system.slice/leak.service"),
        (SetHigh(LEAK, MAX), "set memory.high of /system.slice/leak.service to max"),
        (Freeze(POSTGRES), "froze /system.slice/postgresql@16-main.service"),
        (Thaw(LEAK), "thawed /system.slice/leak.service"),
        (Restart("web.service"), "had systemd restart web.service"),
        (Panic(), "crashed the kernel, for a dump"),
        (Notify(""), "said so"),
        (
            HOOK.intents[0]._replace(meanwhile="nothing"),
            "ran /usr/bin/gcore 4242 for process 4242 (hog), at most 1.0 s",
        ),
    ],
)
def test_every_act_has_words(intent, said):
    told = " ".join(why_text.text(story(KILL._replace(intents=(intent,), candidates=()))).split())
    assert said in told


def test_what_failed_and_what_half_succeeded():
    failed = why_text.text(story(KILL, (Outcome(Kill(LEAK), done=False, error="it is gone"),)))
    assert "could not kill /system.slice/leak.service: it is gone" in failed
    assert "failed: it is gone" in failed
    partly = why_text.text(story(KILL, (Outcome(Kill(LEAK), done=True, error="1 is left", signalled=1),)))
    assert "1 is left, 1 process signalled" in " ".join(partly.split())


def test_a_dry_run_never_says_that_it_was_done():
    text = why_text.text(story(KILL, KILLED, dry=True))
    assert text.startswith("memwarden dry run: would have killed")
    assert "not really, it was a dry run" in " ".join(text.split())
    assert "none, since nothing was done" in text
    assert "<- would be it" in text


def test_figures_that_are_no_bytes_and_a_score_of_several():
    candidates = (
        KILL.candidates[0]._replace(score=0.75, numbers=(("growth", 2.0 * MIB), ("qos", 3.0))),
        KILL.candidates[1]._replace(numbers=(("growth", 1.0 * MIB), ("fancy", 1.25)), mark="avoid"),
    )
    text = why_text.text(story(KILL._replace(candidates=candidates), KILLED))
    assert "the fastest to grow first" in text
    [first, second] = [line.split() for line in text.splitlines() if "M/s" in line]
    assert first[:3] == ["2.00M/s", "3", "0.75"]
    # 20 MiB are 2.097e+07 bytes
    assert second[:4] == ["1.00M/s", "-", "2.097e+07", "avoid"]


def test_a_decision_without_day_or_numbers():
    bare = KILL._replace(
        at=Instant(5_000_000),
        candidates=(KILL.candidates[0]._replace(numbers=()),),
        group="short",
        need="",
        intents=(),
    )
    text = why_text.text(story(bare))
    assert "5.0 s after boot" in text
    assert "memory ends (short), action 2" in text
    assert "score first" in text
    assert "<- first" in text


def test_colours_are_on_top_of_the_text():
    plain = why_text.text(stories(EPISODE)[0])
    coloured = why_text.text(stories(EPISODE)[0], paint=Paint(enabled=True))
    assert "\x1b[" in coloured
    assert plain.splitlines()[0] in coloured


def test_every_document_is_what_its_schema_says():
    schemas = {
        ledger.DECISION: ledger_json.decision(),
        ledger.OUTCOME: ledger_json.outcome(),
        ledger.RESULT: ledger_json.result(),
        ledger.TROUBLE: ledger_json.trouble(),
    }
    for document in [*EPISODE, *HOOKED]:
        jsonschema.validate(document, schemas[document["schema"]])
    for one in [*stories(EPISODE), *stories(HOOKED)]:
        jsonschema.validate(json.loads(json.dumps(why_json.document(one))), why_json.schema())
    entries = [(one.key, one.decision.at, one.summary) for one in stories(EPISODE)]
    jsonschema.validate(why_json.listed(entries), why_json.list_schema())


def test_a_schema_refuses_what_is_none():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(EPISODE[4] | {"step": "one"}, ledger_json.decision())


def test_the_ledger_of_the_tutorial_is_this_one(golden):
    golden("why/decisions.jsonl", "".join(json.dumps(one) + "\n" for one in EPISODE))
