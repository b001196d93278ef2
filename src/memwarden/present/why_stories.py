"""The ledger as stories: each decision with what led to it and all that came of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.guard import ledger, ledger_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.state.intents import Outcome, Target

FAR_US: Final = 120_000_000
"""How long before a decision something may have been done to the same victim, and belong to it."""


class Story(NamedTuple):
    """One decision, with what the ledger has of it (``documents``, the decision's own first).

    ``before`` are earlier decisions of the same rule about the same cgroup or process, the latest first, and
    ``after`` later ones, the first of them first.
    """

    boot: str
    dry: bool
    decision: Decision
    outcomes: tuple[Outcome, ...]
    results: tuple[Result, ...]
    documents: tuple[dict[str, Any], ...]
    before: tuple[Decision, ...] = ()
    after: tuple[Decision, ...] = ()

    @property
    def key(self) -> str:
        """By what it is asked for."""
        return self.decision.id

    @property
    def is_deed(self) -> bool:
        """Whether something was done to somebody."""
        return ledger.is_deed(self.decision)

    @property
    def chosen(self) -> Decision | None:
        """The decision that chose its victim: an earlier one, where a hook or SIGTERM came between."""
        return next((one for one in (self.decision, *self.before) if one.candidates), None)

    @property
    def summary(self) -> str:
        """It in one line."""
        return ledger.sentence(self.decision, self.outcomes, dry=self.dry)


class Ledger:
    """Lines of the ledger, the latest first. ``damaged`` counts what could not be read."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.damaged = 0

    def stories(self) -> Iterator[Story]:
        """Every decision, the latest first."""
        later: dict[tuple[str, str], list[dict[str, Any]]] = {}
        waiting: list[Story] = []
        seen: list[Story] = []
        for document in self._documents():
            if document["schema"] in (ledger.RESULT, ledger.OUTCOME):
                later.setdefault((document["boot_id"], str(document.get("decision"))), []).append(document)
            if document["schema"] != ledger.DECISION:
                continue
            try:
                story = _story(document, later.pop((document["boot_id"], str(document.get("id"))), []))
            except ledger_read.Unlike:
                self.damaged += 1
                continue
            seen = [one for one in seen if _is_near(one, story)]
            story = story._replace(
                after=tuple(one.decision for one in reversed(seen) if _is_same(one, story))
            )
            seen.append(story)
            waiting = [*(_with_earlier(one, story) for one in waiting), story]
            while not _is_near(waiting[0], story):
                yield waiting.pop(0)
        yield from waiting

    def _documents(self) -> Iterator[dict[str, Any]]:
        for line in self._lines:
            try:
                document = json.loads(line)
            except ValueError:
                document = None
            if ledger_read.is_document(document):
                yield document
            elif line.strip():
                self.damaged += 1


def _story(document: dict[str, Any], later: list[dict[str, Any]]) -> Story:
    decision, outcomes = ledger_read.decision(document)
    later.reverse()
    ended = tuple(ledger_read.outcome(one) for one in later if one["schema"] == ledger.OUTCOME)
    results = tuple(ledger_read.result(one) for one in later if one["schema"] == ledger.RESULT)
    return Story(
        document["boot_id"],
        document.get("dry") is True,
        decision,
        (*outcomes, *ended),
        results,
        (document, *later),
    )


def _victim(decision: Decision) -> Target | None:
    for intent in decision.intents:
        target = ledger.target_of(intent)
        if target is not None:
            return target
    return None


def _is_near(story: Story, earlier: Story) -> bool:
    apart_us = story.decision.at.monotonic_us - earlier.decision.at.monotonic_us
    return story.boot == earlier.boot and apart_us < FAR_US


def _is_same(story: Story, earlier: Story) -> bool:
    """Whether both are of one rule and about the same cgroup or process, soon after each other."""
    victim = _victim(story.decision)
    same = story.decision.rule == earlier.decision.rule and victim == _victim(earlier.decision)
    return victim is not None and same and _is_near(story, earlier)


def _with_earlier(story: Story, earlier: Story) -> Story:
    if _is_same(story, earlier):
        return story._replace(before=(*story.before, earlier.decision))
    return story
