"""``rank`` as the JSON document ``memwarden.rank/1``, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.fields import RANK
from memwarden.present import gaps_text, rank_rows, rank_words
from memwarden.present.status_json import closed, host, host_schema, of_field
from memwarden.rules.eligible import Eligibility
from memwarden.rules.freed import freed_by_all
from memwarden.rules.sureness import Sureness
from memwarden.rules.victim import Outcome
from memwarden.units import limit_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.rules.group import GroupKill
    from memwarden.rules.victim import Ranking
    from memwarden.state.process import Process
    from memwarden.state.snapshot import Snapshot

SCHEMA: Final = "memwarden.rank/1"
_HIDDEN: Final = (Eligibility.KERNEL_THREAD, Eligibility.NO_MEMORY)


def document(snapshot: Snapshot, ranking: Ranking, requested: str | None) -> dict[str, Any]:
    """The document. What is not known is null; kernel threads and zombies are left out."""
    page = snapshot.traits.page_size_bytes
    return {
        "schema": SCHEMA,
        "host": host(snapshot),
        "scope": _scope(snapshot, ranking, requested),
        "outcome": ranking.outcome.value,
        "selected_pid": ranking.first.process.pid if ranking.first else None,
        "victim_pid": ranking.victim.process.pid if ranking.victim else None,
        "sureness": ranking.sureness.value,
        "margin_points": ranking.margin,
        "error_bytes": ranking.error_pages * page,
        "group": _group(ranking.group),
        "why": rank_words.sentences(snapshot, ranking, requested),
        "candidates": [
            {field.name: getattr(row, field.name) for field in RANK}
            for row in rank_rows.rows(snapshot, ranking)
        ],
        "excluded": [
            {"pid": process.pid, "comm": process.comm, "reason": reason.value}
            for process, reason in ranking.excluded
            if reason not in _HIDDEN
        ],
        "notes": gaps_text.plain(snapshot),
    }


def _scope(snapshot: Snapshot, ranking: Ranking, requested: str | None) -> dict[str, Any]:
    scope, page = ranking.scope, snapshot.traits.page_size_bytes
    limit = snapshot.cgroups[scope.path].max_bytes if scope.path is not None else None
    return {
        "kind": scope.kind,
        "path": scope.path,
        "requested": requested,
        "limit_bytes": limit_json(limit),
        "total_bytes": scope.total_pages * page,
        "adj_unit_bytes": scope.total_pages // 1000 * page,
        "badness_rule": snapshot.traits.badness.value,
        "badness_rule_basis": snapshot.traits.basis_of("badness").value,
    }


def _group(group: GroupKill | None) -> dict[str, Any] | None:
    if group is None:
        return None
    freed = freed_by_all(group.killed)
    return {
        "path": group.path,
        "killed": _who(group.killed),
        "spared": _who(group.spared),
        "frees_bytes": freed.memory_bytes,
        "frees_swap_bytes": freed.swap_bytes,
    }


def _who(processes: Iterable[Process]) -> list[dict[str, Any]]:
    return [{"pid": process.pid, "comm": process.comm} for process in processes]


def schema() -> dict[str, Any]:
    """JSON Schema of the document, from the field registry."""
    number, word = {"type": ["integer", "null"]}, {"type": ["string", "null"]}
    name = {"pid": {"type": "integer"}, "comm": {"type": "string"}}
    people = {"type": "array", "items": closed(name)}
    texts = {"type": "array", "items": {"type": "string"}}
    reasons = [reason.value for reason in Eligibility if reason not in (*_HIDDEN, Eligibility.ELIGIBLE)]
    group = {
        "path": {"type": "string"},
        "killed": people,
        "spared": people,
        "frees_bytes": number,
        "frees_swap_bytes": number,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden rank --format json prints",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "host": host_schema(),
                "scope": closed(
                    {
                        "kind": {"enum": ["memcg", "system", "cpuset", "mempolicy"]},
                        "path": word,
                        "requested": word,
                        "limit_bytes": number,
                        "total_bytes": {"type": "integer"},
                        "adj_unit_bytes": {"type": "integer"},
                        "badness_rule": {"type": "string"},
                        "badness_rule_basis": {"type": "string"},
                    }
                ),
                "outcome": {"enum": [outcome.value for outcome in Outcome]},
                "selected_pid": number,
                "victim_pid": number,
                "sureness": {"enum": [sureness.value for sureness in Sureness]},
                "margin_points": number,
                "error_bytes": {"type": "integer"},
                "group": {"anyOf": [closed(group), {"type": "null"}]},
                "why": texts,
                "candidates": {
                    "type": "array",
                    "items": closed({field.name: of_field(field) for field in RANK}),
                },
                "excluded": {"type": "array", "items": closed({**name, "reason": {"enum": reasons}})},
                "notes": texts,
            }
        ),
    }
