"""What is kept of a decision and of all that came of it: one JSON object each, and the same for the journal.

Every object has a ``schema``, the boot it is of, since ids are unique on one boot only, and the instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.guard import written
from memwarden.guard.judge import unit_of
from memwarden.state.intents import CgroupId, Kill, Notify, ProcessId, RunHook, Terminate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.state.intents import Intent, Outcome, Target
    from memwarden.state.snapshot import Instant

DECISION: Final = "memwarden.decision/1"
OUTCOME: Final = "memwarden.outcome/1"
RESULT: Final = "memwarden.result/1"
TROUBLE: Final = "memwarden.trouble/1"

MESSAGE_IDS: Final = {
    DECISION: "3c1d9c0e5b7f4c6e8a52d7f04f9e6b21",
    OUTCOME: "8e2f6a4d90b14c0f9c7b35e1a6d8f013",
    RESULT: "b7a5e8c1f2d34e6fa0918c27d4b6e359",
    TROUBLE: "5f80d2b6c49a4e1db3e7690a1c8f2d74",
}
"""What ``journalctl MESSAGE_ID=`` finds each kind by."""
ERROR: Final = 3
WARNING: Final = 4
NOTICE: Final = 5
INFO: Final = 6
DEADLY: Final = (Kill, Terminate)
ACTS: Final = {
    "kill": "killed",
    "term": "terminated",
    "hook": "started the hook for",
    "throttle": "throttled",
    "freeze": "frozen",
    "reclaim": "reclaimed from",
    "restart": "restarted",
    "restore": "restored",
    "panic": "crashed",
}
"""Actions when they were done."""
VERBS: Final = {"term": "terminate", "hook": "run the hook for", "reclaim": "reclaim from", "panic": "crash"}
"""Actions that do not go by their own name."""


def decision(
    decided: Decision, outcomes: Sequence[Outcome], *, boot: str, dry: bool = False
) -> dict[str, Any]:
    """A decision with what became of its intents at once; ``dry``: nothing was really done."""
    return {
        "schema": DECISION,
        "boot_id": boot,
        "dry": dry,
        "message": sentence(decided, outcomes, dry=dry),
        **written.decision(decided, outcomes),
    }


def outcome(decision_id: str, ended: Outcome, *, at: Instant, boot: str) -> dict[str, Any]:
    """What became later of an intent that was not over at once."""
    return {
        "schema": OUTCOME,
        "boot_id": boot,
        "at": written.plain(at),
        "message": ended_sentence(ended),
        "decision": decision_id,
        "outcome": written.plain(ended),
    }


def result(came: Result, *, at: Instant, boot: str) -> dict[str, Any]:
    """What came of a decision: whether its victim is gone, and what that freed."""
    return {
        "schema": RESULT,
        "boot_id": boot,
        "at": written.plain(at),
        "message": f"{name(came.target)}: {came.text}",
        **written.result(came),
    }


def trouble(text: str, *, at: Instant, boot: str) -> dict[str, Any]:
    """Something that went wrong with the guard itself."""
    return {"schema": TROUBLE, "boot_id": boot, "at": written.plain(at), "message": text}


def sentence(decided: Decision, outcomes: Sequence[Outcome] = (), *, dry: bool = False) -> str:
    """A decision in one line, with the reason."""
    need = "" if decided.need in decided.withheld else decided.need
    because = f"{decided.rule}: {need}" if need else decided.rule
    return f"{deed(decided, outcomes, dry=dry)} ({because})"


def deed(decided: Decision, outcomes: Sequence[Outcome] = (), *, dry: bool = False) -> str:
    """What was done to whom, in one line."""
    whom = ", ".join(filter(None, (_object(intent) for intent in decided.intents)))
    if decided.withheld:
        return f"did not {decided.action}: {decided.withheld}"
    if decided.action == "notify":
        return f"said: {whom}" if whom else "said so"
    failed = next((each.error for each in outcomes if not each.done), "")
    if failed:
        return f"could not {VERBS.get(decided.action, decided.action)} {whom}: {failed}"
    if decided.action == "restore" and (left := next((each.error for each in outcomes if each.error), "")):
        return left
    done = ACTS.get(decided.action, decided.action)
    return f"{'dry run: would have ' if dry else ''}{done} {whom}"


def ended_sentence(ended: Outcome) -> str:
    """A later outcome in one line."""
    what = f"{written.KINDS[type(ended.intent)]} {_object(ended.intent)}".rstrip()
    return f"{what} is over" if ended.done else f"{what} failed: {ended.error}"


def name(target: Target) -> str:
    """A target in a sentence."""
    if isinstance(target, CgroupId):
        return target.path
    return f"process {target.pid} ({target.comm})" if target.comm else f"process {target.pid}"


def _object(intent: Intent) -> str:
    """What an intent is about."""
    if isinstance(intent, Notify):
        return intent.text
    about = target_of(intent)
    return name(about) if about is not None else getattr(intent, "unit", "")


def target_of(intent: Intent) -> Target | None:
    """The cgroup or process that an intent is about, if it is about one."""
    found: Target | None = getattr(intent, "target", None) or getattr(intent, "cgroup", None)
    return found


def is_deed(decided: Decision) -> bool:
    """Whether something was done to somebody, rather than said, withheld or undone."""
    return decided.rule != "restore" and any(not isinstance(each, Notify) for each in decided.intents)


def decision_fields(decided: Decision, document: Mapping[str, Any]) -> dict[str, str]:
    """A decision as fields of systemd's journal."""
    deadly = any(isinstance(intent, (*DEADLY, RunHook)) for intent in decided.intents)
    failed = any(not one["done"] for one in document["outcomes"])
    fields = _fields(document, ERROR if failed else WARNING if deadly else NOTICE)
    fields |= {
        "MEMWARDEN_DECISION": decided.id,
        "MEMWARDEN_POLICY": decided.policy,
        "MEMWARDEN_RULE": decided.rule,
        "MEMWARDEN_ACTION": decided.action,
        "MEMWARDEN_NEED": decided.need,
    }
    if decided.withheld:
        fields["MEMWARDEN_WITHHELD"] = decided.withheld
    if document["dry"]:
        fields["MEMWARDEN_DRY"] = "1"
    for intent in decided.intents:
        fields |= _whom(target_of(intent), deadly=isinstance(intent, DEADLY))
    return fields


def result_fields(came: Result, document: Mapping[str, Any]) -> dict[str, str]:
    """A result as fields of systemd's journal."""
    fields = _fields(document, NOTICE if came.gone else ERROR)
    fields |= {"MEMWARDEN_DECISION": came.decision, "MEMWARDEN_TOOK_USEC": str(came.took_us)}
    if came.freed_bytes is not None:
        fields["MEMWARDEN_FREED_BYTES"] = str(came.freed_bytes)
    return fields | _whom(came.target, deadly=True)


def outcome_fields(decision_id: str, ended: Outcome, document: Mapping[str, Any]) -> dict[str, str]:
    """A later outcome as fields of systemd's journal."""
    fields = _fields(document, INFO if ended.done else WARNING)
    return fields | {"MEMWARDEN_DECISION": decision_id}


def trouble_fields(document: Mapping[str, Any]) -> dict[str, str]:
    """A trouble as fields of systemd's journal."""
    return _fields(document, WARNING)


def _fields(document: Mapping[str, Any], priority: int) -> dict[str, str]:
    return {
        "MESSAGE": document["message"],
        "MESSAGE_ID": MESSAGE_IDS[document["schema"]],
        "PRIORITY": str(priority),
        "SYSLOG_IDENTIFIER": "memwarden",
    }


def _whom(target: Target | None, *, deadly: bool) -> dict[str, str]:
    """Who it is about. ``OBJECT_SYSTEMD_UNIT`` is what shows it in ``journalctl -u`` of the victim's unit."""
    if target is None:
        return {}
    key = "MEMWARDEN_VICTIM" if deadly else "MEMWARDEN_TARGET"
    if isinstance(target, ProcessId):
        return {key: target.comm, f"{key}_PID": str(target.pid)}
    unit = unit_of(target.path)
    return {key: target.path} | ({"OBJECT_SYSTEMD_UNIT": unit} if unit else {})
