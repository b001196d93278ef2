"""``doctor`` as the JSON document ``memwarden.doctor/1``, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.present import gaps_text
from memwarden.present.doctor_checks import CHECKS, MACHINE, findings
from memwarden.present.status_json import closed, host, host_schema

if TYPE_CHECKING:
    from memwarden.present.doctor_checks import Case
    from memwarden.present.doctor_text import Access
    from memwarden.rules.victim import Ranking

SCHEMA = "memwarden.doctor/1"


def document(case: Case, access: Access) -> dict[str, Any]:
    """The document."""
    snapshot = case.snapshot
    return {
        "schema": SCHEMA,
        "host": host(snapshot),
        "readable": {
            "cgroups": sum(one.current_bytes is not None for one in snapshot.cgroups.values()),
            "processes": sum(one.rss_bytes is not None for one in snapshot.processes.values()),
            "pressure": snapshot.memory_pressure is not None,
            "root": access.root,
            "kernel_log": None if access.kernel_log is None else not access.kernel_log,
        },
        "next_victims": [_next(path, ranking) for path, ranking in case.rankings.items()],
        "findings": [one._asdict() for one in findings(case)],
        "notes": gaps_text.plain(snapshot),
    }


def _next(path: str, ranking: Ranking) -> dict[str, Any]:
    victim = ranking.victim.process if ranking.victim is not None else None
    return {
        "scope": "system" if path == MACHINE else "memcg",
        "cgroup": None if path == MACHINE else path,
        "outcome": ranking.outcome.value,
        "pid": None if victim is None else victim.pid,
        "comm": None if victim is None else victim.comm,
    }


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    word, flag, count = {"type": ["string", "null"]}, {"type": ["boolean", "null"]}, {"type": "integer"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden doctor --format json prints",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "host": host_schema(),
                "readable": closed(
                    {
                        "cgroups": count,
                        "processes": count,
                        "pressure": {"type": "boolean"},
                        "root": flag,
                        "kernel_log": flag,
                    }
                ),
                "next_victims": {
                    "type": "array",
                    "items": closed(
                        {
                            "scope": {"enum": ["system", "memcg"]},
                            "cgroup": word,
                            "outcome": {"type": "string"},
                            "pid": {"type": ["integer", "null"]},
                            "comm": word,
                        }
                    ),
                },
                "findings": {
                    "type": "array",
                    "items": closed(
                        {
                            "check": {"enum": [check.__name__.replace("_", "-") for check in CHECKS]},
                            "act": {"type": "boolean"},
                            "what": {"type": "string"},
                            "command": word,
                        }
                    ),
                },
                "notes": {"type": "array", "items": {"type": "string"}},
            }
        ),
    }
