"""Policies and what is wrong with them as JSON documents, and their schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.present.policy_words import paragraphs
from memwarden.present.status_json import closed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memwarden.guard import ir
    from memwarden.guard.policy.load import Spot
    from memwarden.words.problems import Origin, Problem

SCHEMA: Final = "memwarden.policy/1"
CHECK_SCHEMA: Final = "memwarden.policy_check/1"


def document(
    policy: ir.Policy,
    toml: str,
    protected: Mapping[str, tuple[str, ...]],
    origins: Mapping[Spot, tuple[Origin, ...]],
) -> dict[str, Any]:
    """A policy: as TOML, in words, as the guard understands it, and where each part came from."""
    return {
        "schema": SCHEMA,
        "name": policy.name,
        "toml": toml,
        "paragraphs": [{"title": title, "text": text} for title, text in paragraphs(policy, protected)],
        "policy": plain(policy),
        "protected": {name: list(who) for name, who in protected.items()},
        "origins": [
            {"section": section, "name": name, "file": one.file, "line": one.line}
            for (section, name), all_of_it in origins.items()
            for one in all_of_it
        ],
    }


def plain(value: Any) -> Any:
    """A record of the guard as JSON can hold it: its fields by name, and its type besides."""
    if hasattr(value, "_fields"):
        fields = {name: plain(getattr(value, name)) for name in value._fields}
        return {"type": type(value).__name__, **fields}
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def check_document(checked: Iterable[tuple[str, tuple[Problem, ...]]]) -> dict[str, Any]:
    """What is wrong with each policy that was looked at."""
    return {
        "schema": CHECK_SCHEMA,
        "policies": [
            {
                "policy": name,
                "usable": all(one.warning for one in problems),
                "problems": [
                    {
                        "file": one.origin.file,
                        "line": one.origin.line,
                        "severity": "warning" if one.warning else "error",
                        "text": one.text,
                    }
                    for one in problems
                ],
            }
            for name, problems in checked
        ],
    }


def schema() -> dict[str, Any]:
    """JSON Schema of a policy's document."""
    text = {"type": "string"}
    origin = closed({"section": text, "name": text, "file": text, "line": {"type": ["integer", "null"]}})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden policy show, explain and convert --format json print",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "name": text,
                "toml": text,
                "paragraphs": {"type": "array", "items": closed({"title": text, "text": text})},
                "policy": {
                    "type": "object",
                    "description": "the records of memwarden.guard.ir, each with its type",
                    "required": ["type", "name", "rules"],
                },
                "protected": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": text},
                },
                "origins": {"type": "array", "items": origin},
            }
        ),
    }


def check_schema() -> dict[str, Any]:
    """JSON Schema of the document about problems."""
    text = {"type": "string"}
    problem = closed(
        {
            "file": text,
            "line": {"type": ["integer", "null"]},
            "severity": {"enum": ["error", "warning"]},
            "text": text,
        }
    )
    policy = closed(
        {"policy": text, "usable": {"type": "boolean"}, "problems": {"type": "array", "items": problem}}
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden policy check --format json prints",
        **closed({"schema": {"const": CHECK_SCHEMA}, "policies": {"type": "array", "items": policy}}),
    }
