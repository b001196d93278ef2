"""What policies would have done on recordings: the JSON document ``memwarden.replay/1`` and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.guard import written
from memwarden.guard.played import seconds
from memwarden.guard.sight import unseen
from memwarden.present.status_json import closed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.played import Played, Taken, Tape

SCHEMA: Final = "memwarden.replay/1"


def document(tapes: Sequence[Tape], played: Sequence[Played], notes: Sequence[str]) -> dict[str, Any]:
    """The document. Times are those of the text: a CSV's ``time_s``, seconds since an archive's start."""
    signals = any(tape.kind == "signals" for tape in tapes)
    return {
        "schema": SCHEMA,
        "recordings": [_tape(tape) for tape in tapes],
        "policies": [_policy(one, unseen(one.policy) if signals else ()) for one in played],
        "notes": list(notes),
    }


def _tape(tape: Tape) -> dict[str, Any]:
    first, last = (one.instant.monotonic_us - tape.zero_us for one in (tape.first, tape.last))
    return {
        "name": tape.name,
        "kind": tape.kind,
        "host": tape.first.host.hostname,
        "kernel": tape.first.host.kernel_release,
        "wall_us": tape.first.instant.wall_us,
        "snapshots": tape.snapshots,
        "first_s": seconds(first),
        "last_s": seconds(last),
        "kernel_kills": [
            {"time_s": seconds(one.time_us), "cgroup": one.cgroup, "processes": one.processes}
            for one in tape.deaths
        ],
    }


def _policy(played: Played, blind: Sequence[str]) -> dict[str, Any]:
    act, kill = played.first_act, played.first_kill
    return {
        "name": played.policy.name,
        "notes": list(played.policy.notes),
        "rules_that_see_nothing": list(blind),
        "first_action_s": None if act is None else seconds(act.time_us),
        "first_action": None if act is None else act.decision.action,
        "first_kill_s": None if kill is None else seconds(kill.time_us),
        "victim": None if kill is None else written.plain(kill.victim),
        "decisions": [_decision(one) for one in played.taken],
    }


def _decision(taken: Taken) -> dict[str, Any]:
    plain = written.plain(taken.decision)
    del plain["at"], plain["policy"]
    return {
        "time_s": seconds(taken.time_us),
        "recording": taken.tape,
        "wall_us": taken.decision.at.wall_us,
        "acts": taken.acts,
        "kills": taken.kills,
        "victim": written.plain(taken.victim),
        "holds_bytes": taken.holds_bytes,
        **plain,
    }


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    text, number, flag = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
    word, maybe = {"type": ["string", "null"]}, {"type": ["number", "null"]}
    count = {"type": "integer"}
    texts = {"type": "array", "items": text}
    target = {
        "type": ["object", "null"],
        "description": "kind cgroup with path and inode, or kind process with pid, start_time_ticks and comm",
        "required": ["kind"],
    }
    records = {"type": "array", "items": {"type": "object"}}
    death = closed({"time_s": number, "cgroup": word, "processes": count})
    recording = closed(
        {
            "name": text,
            "kind": {"enum": ["archive", "flight", "signals"]},
            "host": word,
            "kernel": word,
            "wall_us": {"type": ["integer", "null"]},
            "snapshots": count,
            "first_s": number,
            "last_s": number,
            "kernel_kills": {"type": "array", "items": death},
        }
    )
    decision = closed(
        {
            "time_s": number,
            "recording": text,
            "wall_us": {"type": ["integer", "null"]},
            "acts": flag,
            "kills": flag,
            "victim": {
                **target,
                "description": "whom it kills; null where it kills nobody, or one without a name",
            },
            "holds_bytes": {
                "type": ["integer", "null"],
                "description": "memory and swap of the victim then; null where nobody knows",
            },
            "id": text,
            "rule": text,
            "group": text,
            "step": count,
            "action": text,
            "findings": records,
            "need": text,
            "candidates": records,
            "intents": {**records, "description": "what would have been done, each with its kind"},
            "withheld": {**text, "description": "why nothing is done although the rule fired"},
        }
    )
    policy = closed(
        {
            "name": text,
            "notes": texts,
            "rules_that_see_nothing": texts,
            "first_action_s": maybe,
            "first_action": word,
            "first_kill_s": maybe,
            "victim": target,
            "decisions": {"type": "array", "items": decision},
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden policy replay --format json prints",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "recordings": {"type": "array", "items": recording},
                "policies": {"type": "array", "items": policy},
                "notes": texts,
            }
        ),
    }
