"""Decisions and results as plain data, for a line of JSON that outlives the guard.

Every record becomes an object with its fields by name; intents and targets have a ``kind`` besides, since
their fields alone do not tell them apart. An unlimited limit is the string ``"max"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.guard.record import Considered
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Notify,
    Panic,
    ProcessId,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)
from memwarden.units import Max

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.state.intents import Outcome

KINDS: Final = {
    CgroupId: "cgroup",
    ProcessId: "process",
    Notify: "notify",
    Reclaim: "reclaim",
    SetHigh: "set-high",
    Freeze: "freeze",
    Thaw: "thaw",
    RunHook: "hook",
    Terminate: "terminate",
    Kill: "kill",
    Restart: "restart",
    Panic: "panic",
}
"""What an intent or a target is called."""
PAIRS: Final = ("numbers", "environment")
"""Fields that hold pairs of a name and a value."""


def plain(value: object) -> Any:
    """A record, or a part of one, as JSON can hold it."""
    if isinstance(value, Max):
        return "max"
    if isinstance(value, Considered):
        value = value.settle()
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None)
        if names is None:
            return [plain(one) for one in value]
        kind = KINDS.get(type(value))
        made: dict[str, Any] = {} if kind is None else {"kind": kind}
        for name, part in zip(names, value, strict=True):
            made[name] = {key: plain(one) for key, one in part} if name in PAIRS else plain(part)
        return made
    return value


def decision(decided: Decision, outcomes: Sequence[Outcome] = ()) -> dict[str, Any]:
    """A decision with what became of its intents at once."""
    return {**plain(decided), "outcomes": [plain(one) for one in outcomes]}


def result(came: Result) -> dict[str, Any]:
    """What came of a decision later."""
    return {**plain(came), "text": came.text}
