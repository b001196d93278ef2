"""What ``restore`` has undone: as text, and as the JSON document ``memwarden.restore/1`` with its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.host import undo
from memwarden.present.status_json import closed
from memwarden.present.text import escape
from memwarden.present.wrap import wrap
from memwarden.state.intents import CgroupId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.host.changes import Undone

SCHEMA = "memwarden.restore/1"


def text(done: Sequence[Undone], damaged: int, *, dry_run: bool, where: str, width: int) -> str:
    """One line for each change, in the order of undoing; ``where`` is the directory of the journal."""
    lines = [line for one in done for line in wrap(escape(one.sentence(dry_run=dry_run)), width, rest="  ")]
    if not done:
        known = "can be read" if damaged else "was left behind by a guard"
        said = f"nothing to restore: no change {known} in {escape(where)}"
        lines += wrap(said, width, rest="  ")
    if damaged:
        lines += wrap(
            f"damaged lines in the journal: {damaged}; what they said is not known. Compare "
            "cgroup.freeze and memory.high of your cgroups with what they should be",
            width,
            rest="  ",
        )
    return "\n".join(lines)


def document(done: Sequence[Undone], damaged: int, *, dry_run: bool) -> dict[str, Any]:
    """The document. ``settled`` is false for what could not be undone and stays in the journal."""
    return {
        "schema": SCHEMA,
        "dry_run": dry_run,
        "damaged_lines": damaged,
        "changes": [_json(one) for one in done],
    }


def _json(one: Undone) -> dict[str, Any]:
    entry = one.entry
    group = isinstance(entry.target, CgroupId)
    return {
        "kind": entry.kind,
        "cgroup": entry.target.path if isinstance(entry.target, CgroupId) else None,
        "pid": None if isinstance(entry.target, CgroupId) else entry.target.pid,
        "was": entry.was if group and entry.was else None,
        "now": entry.now if group and entry.now else None,
        "undone": one.settled and not one.text,
        "settled": one.settled,
        "detail": one.text,
    }


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    word = {"type": ["string", "null"]}
    change = closed(
        {
            "kind": {"enum": list(undo.KINDS)},
            "cgroup": word,
            "pid": {"type": ["integer", "null"]},
            "was": {**word, "description": "memory.high before: bytes, or max"},
            "now": {**word, "description": "what the guard wrote"},
            "undone": {"type": "boolean"},
            "settled": {"type": "boolean"},
            "detail": {"type": "string"},
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden restore --format json prints",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "dry_run": {"type": "boolean"},
                "damaged_lines": {"type": "integer", "minimum": 0},
                "changes": {"type": "array", "items": change},
            }
        ),
    }
