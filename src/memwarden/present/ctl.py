"""What a running guard answers, as text, and the schema of ``memwarden.ctl/1``."""

from __future__ import annotations

from typing import Any, Final

from memwarden.present.status_json import closed
from memwarden.present.text import counted, duration, escape
from memwarden.present.wrap import wrap

SCHEMA: Final = "memwarden.ctl/1"
TYPES: Final[dict[str, Any]] = {
    "version": str,
    "pid": int,
    "doing": str,
    "paused": bool,
    "policy": str,
    "rules": int,
    "turns": int,
    "started_us": int,
    "now_us": int,
    "waits_for": list,
    "changed": list,
    "notes": list,
    "cannot": list,
    "granted": list,
    "ledger_dropped": int,
    "ledger_lost": int,
    "journal_dropped": int,
    "recorder_dropped": int,
}
DOING: Final = {"observing": "observing: it decides nothing", "dry-run": "on a dry run: it does nothing"}
LOST: Final = {
    "ledger_dropped": "entries of the ledger were dropped",
    "ledger_lost": "lines of the ledger could not be written",
    "journal_dropped": "messages were not taken by the journal",
    "recorder_dropped": "records of the flight recorder were lost",
}


def is_answer(found: Any) -> bool:
    """Whether this is an answer of a guard of this version."""
    if (
        not isinstance(found, dict)
        or found.get("schema") != SCHEMA
        or not isinstance(found.get("error"), str)
    ):
        return False
    status = found.get("status")
    if status is None:
        return bool(found["error"])
    return isinstance(status, dict) and all(type(status.get(name)) is kind for name, kind in TYPES.items())


def text(answer: dict[str, Any], *, width: int) -> str:
    """How the guard is, a line for each thing worth knowing."""
    status = answer["status"]
    observes = status["doing"] == "observing"  # it is paused from the start, and that is no news
    paused = ", paused: it decides nothing" if status["paused"] and not observes else ""
    rules, woken = counted(status["rules"], "rule"), counted(status["turns"], "time")
    since = duration(max(status["now_us"] - status["started_us"], 0))
    doing = f"{DOING.get(status['doing'], status['doing'])}{paused}"
    lines = [
        f"memwarden {status['version']} is {doing} (pid {status['pid']}, for {since})",
        f"policy {status['policy']}, {rules}; woken {woken}",
    ]
    if answer["dump"]:
        lines.append(
            f"the last minutes are in incidents/{answer['dump']} of its --state directory; "
            "memwarden policy replay reads the flight there"
        )
    if observes and answer["command"] in ("pause", "resume"):
        lines.append(f"{answer['command']} changes nothing: it was started with --observe")
    lines += [f"waits for the end of {_name(one)}" for one in status["waits_for"]]
    lines += [f"throttled or frozen by it: {_name(one)}" for one in status["changed"]]
    lines += [
        f"not granted: {one.get('what')}: {one.get('detail')}"
        for one in status["granted"]
        if isinstance(one, dict) and not one.get("granted")
    ]
    lines += [f"note: {one}" for one in status["notes"]]
    lines += [f"cannot: {one}" for one in status["cannot"]]
    lines += [f"{status[name]} {said}" for name, said in LOST.items() if status[name]]
    return "\n".join(line for one in lines for line in wrap(escape(one), width, rest="  ")) + "\n"


def _name(target: Any) -> str:
    if not isinstance(target, dict):
        return str(target)
    return str(target.get("path") or f"process {target.get('pid')} ({target.get('comm')})")


def schema() -> dict[str, Any]:
    """JSON Schema of an answer."""
    kinds = {str: "string", int: "integer", bool: "boolean"}
    items = {
        "waits_for": {"type": "object", "required": ["kind"]},
        "changed": {"type": "object", "required": ["kind"]},
        "notes": {"type": "string"},
        "cannot": {"type": "string"},
        "granted": closed(
            {"what": {"type": "string"}, "granted": {"type": "boolean"}, "detail": {"type": "string"}}
        ),
    }
    status = {
        name: {"type": "array", "items": items[name]} if kind is list else {"type": kinds[kind]}
        for name, kind in TYPES.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden ctl --format json prints",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "command": {"type": "string"},
                "error": {"type": "string", "description": "why it could not be done; empty when it was"},
                "status": {"anyOf": [closed(status), {"type": "null"}]},
                "dump": {"type": ["string", "null"], "description": "the incident that dump made"},
            }
        ),
    }
