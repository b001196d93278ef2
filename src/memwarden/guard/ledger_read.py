"""Documents of the ledger back into records, checked: a file on a disk may hold anything.

The types of the records' fields say what is expected, so that nothing has to be said twice.
"""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from memwarden.guard.ledger import DECISION, OUTCOME, RESULT, TROUBLE
from memwarden.guard.record import Decision
from memwarden.guard.victims import Result
from memwarden.guard.written import KINDS, PAIRS
from memwarden.state.intents import Outcome, Target
from memwarden.units import MAX, Max

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMAS: Final = (DECISION, OUTCOME, RESULT, TROUBLE)
_hints: dict[type, dict[str, Any]] = {}


class Unlike(ValueError):  # noqa: N818 - the name of what is wrong with a document
    """A document is not what its schema says; the text names the field."""


def is_document(found: object) -> bool:
    """Whether this is an object of the ledger at all."""
    return (
        isinstance(found, dict)
        and found.get("schema") in SCHEMAS
        and isinstance(found.get("boot_id"), str)
        and isinstance(found.get("message"), str)
        and isinstance(found.get("at"), dict)
    )


def decision(document: Mapping[str, Any]) -> tuple[Decision, tuple[Outcome, ...]]:
    """A decision and the outcomes it had at once; raises :class:`Unlike`."""
    return (
        _value(Decision, document, "decision"),
        _value(tuple[Outcome, ...], document.get("outcomes"), "outcomes"),
    )


def outcome(document: Mapping[str, Any]) -> Outcome:
    """A later outcome; raises :class:`Unlike`."""
    found: Outcome = _value(Outcome, document.get("outcome"), "outcome")
    return found


def result(document: Mapping[str, Any]) -> Result:
    """A result; raises :class:`Unlike`."""
    found: Result = _value(Result, document, "result")
    return found


def _value(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _one_of(get_args(hint), value, where)
    if origin is Literal:
        return _checked(value in get_args(hint), value, where)
    if origin is tuple:
        first, *_ = get_args(hint)
        if not isinstance(value, list):
            raise Unlike(where)
        return tuple(_value(first, one, f"{where}[{number}]") for number, one in enumerate(value))
    if hasattr(hint, "_fields"):
        return _record(hint, value, where)
    if hint is Max:
        return _checked(value == "max", MAX, where)
    if hint is float:
        return float(_checked(isinstance(value, int | float) and not isinstance(value, bool), value, where))
    return _checked(type(value) is hint, value, where)


def _checked(right: bool, value: Any, where: str) -> Any:
    if not right:
        raise Unlike(where)
    return value


def _one_of(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None:
        return _checked(type(None) in hints, None, where)
    if isinstance(value, dict):
        for hint in hints:
            if KINDS.get(hint) == value.get("kind"):
                return _value(hint, value, where)
        raise Unlike(f"{where}.kind")
    for hint in hints:
        try:
            return _value(hint, value, where)
        except Unlike:
            continue
    raise Unlike(where)


def _record(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise Unlike(where)
    hints = _hints.get(kind)
    if hints is None:
        hints = _hints[kind] = get_type_hints(kind, localns={"Target": Target})
    fields = {}
    for name, hint in hints.items():
        if name not in value:
            raise Unlike(f"{where}.{name}")
        fields[name] = (_pairs if name in PAIRS else _value)(hint, value[name], f"{where}.{name}")
    return kind(**fields)


def _pairs(hint: Any, value: Any, where: str) -> tuple[tuple[str, Any], ...]:
    """Fields that are objects in a document and pairs in a record."""
    if not isinstance(value, dict):
        raise Unlike(where)
    _, kind = get_args(get_args(hint)[0])
    return tuple((name, _value(kind, one, f"{where}.{name}")) for name, one in value.items())
