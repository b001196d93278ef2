"""``why`` as text for a terminal: what was seen, who was considered, what was done, and what came of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from memwarden.guard.ledger import deed, name, target_of
from memwarden.guard.rankings import KEYS
from memwarden.present.colour import PLAIN, Paint
from memwarden.present.policy_words import RANKS
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, counted, duration, escape, short_size, size
from memwarden.present.wrap import wrap
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Notify,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.record import Candidate, Decision
    from memwarden.present.why_stories import Story
    from memwarden.state.intents import Intent, Outcome
    from memwarden.state.snapshot import Instant

LABEL: Final = 9
"""Cells of the longest label, Withheld, and the space behind it."""
FIGURES_SAY_IT: Final = re.compile(r"lower: [a-z-]+ [^,]*")
"""A reason that the table's figures give already."""


def text(story: Story, width: int = 80, paint: Paint = PLAIN) -> str:
    """One decision with all that belongs to it."""
    decision = story.decision
    head = f"memwarden {deed(decision, story.outcomes, dry=story.dry)}"
    lines = [paint(line, "bold") for line in wrap(escape(head), width)]
    about = (
        f"decision {decision.id}, {when(decision.at)}, "
        f"{duration(decision.at.monotonic_us)} after boot, by the policy {decision.policy}"
    )
    lines += [paint(line, "dim") for line in wrap(escape(about), width)]
    lines.append("")
    for label, said in _facts(story):
        lines += labelled(label, said, width, paint)
    lines += _considered(story, width, paint)
    return "\n".join(lines) + "\n"


def when(at: Instant) -> str:
    """An instant for people, in UTC to the millisecond; by the time since boot where the day is unknown."""
    if at.wall_us is None:
        return f"{duration(at.monotonic_us)} after boot"
    return day(at.wall_us)


def day(wall_us: int) -> str:
    """Unix time in microseconds as a date, in UTC; a figure that is no date as it is.

    >>> day(1_795_669_821_000_000), day(10 ** 30)
    ('2026-11-26 05:10:21.000 UTC', '1000000000000000000000000000000 us')
    """
    try:
        at = datetime.fromtimestamp(wall_us // 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{wall_us} us"
    return f"{at:%Y-%m-%d %H:%M:%S}.{wall_us // 1000 % 1000:03d} UTC"


def labelled(label: str, said: str, width: int, paint: Paint) -> list[str]:
    """A fact behind its label."""
    found = wrap(escape(said), width, first=" " * LABEL)
    return [paint(label, "bold") + found[0][len(label) :], *found[1:]]


def _facts(story: Story) -> list[tuple[str, str]]:
    decision = story.decision
    step = f", action {decision.step + 1}" if decision.step else ""
    group = f" ({decision.group})" if decision.rule != "restore" and not decision.group.isdecimal() else ""
    facts = [("Rule", f"{decision.rule}{group}{step}")]
    labels = ["Seen", *[""] * len(decision.findings)]
    facts += [(label, one.text) for label, one in zip(labels, decision.findings, strict=False)]
    facts += [("Before" if number == 0 else "", said) for number, said in enumerate(_before(story))]
    if decision.need and decision.need not in decision.withheld:
        facts.append(("Need", decision.need))
    facts += [("Did" if number == 0 else "", said) for number, said in enumerate(_did(story))]
    for number, came in enumerate(story.results):
        facts.append(("Result" if number == 0 else "", f"{name(came.target)} is {came.text}"))
    facts += [("Then" if number == 0 else "", said) for number, said in enumerate(_after(story))]
    if any(isinstance(one, Kill | Terminate) for one in decision.intents) and not (
        story.results or story.after
    ):
        unknown = "not in the ledger: it is waited for still, or the guard ended before it was over"
        facts.append(("Result", "none, since nothing was done" if story.dry else unknown))
    return facts


def _before(story: Story) -> list[str]:
    """What was done to the same victim shortly before."""
    now = story.decision.at.monotonic_us
    return [
        f"{duration(now - one.at.monotonic_us)} earlier: {deed(one)} (decision {one.id})"
        for one in story.before
    ]


def _after(story: Story) -> list[str]:
    """What was done to the same victim soon after, since this did not do."""
    now = story.decision.at.monotonic_us
    return [
        f"{duration(one.at.monotonic_us - now)} later: {deed(one)} (decision {one.id})" for one in story.after
    ]


def _did(story: Story) -> list[str]:
    decision = story.decision
    if decision.withheld:
        return [f"nothing: {decision.withheld}"]
    said = []
    for intent in decision.intents:
        outcome = next((one for one in story.outcomes if one.intent == intent), None)
        said.append(f"{_what(intent)}{_how(intent, outcome, dry=story.dry)}")
        if outcome is not None and outcome.output:
            said.append(f'it printed "{outcome.output.strip()}"')
    return said


def _what(intent: Intent) -> str:
    match intent:
        case Notify():
            return f'said "{intent.text}"' if intent.text else "said so"
        case Reclaim():
            return f"had the kernel take back {size(intent.amount_bytes)} from {intent.cgroup.path}"
        case SetHigh():
            before = "" if intent.restore is None else f" (it was {size(intent.restore)})"
            return f"set memory.high of {intent.cgroup.path} to {size(intent.high_bytes)}{before}"
        case Freeze():
            return f"froze {intent.cgroup.path}"
        case Thaw():
            return f"thawed {intent.cgroup.path}"
        case RunHook():
            meanwhile = {"freeze": ", the victim frozen", "throttle": ", the victim throttled"}
            return (
                f"ran {' '.join(intent.argv)} for {name(intent.target)}, at most "
                f"{duration(intent.limit_us)}{meanwhile.get(intent.meanwhile, '')}"
            )
        case Terminate():
            return f"SIGTERM to {name(intent.target)}"
        case Kill():
            how = "SIGKILL to all of" if isinstance(intent.target, CgroupId) else "SIGKILL to"
            return f"{how} {name(intent.target)}"
        case Restart():
            return f"had systemd restart {intent.unit}"
    return "crashed the kernel, for a dump"


def _how(intent: Intent, outcome: Outcome | None, *, dry: bool) -> str:
    if dry:
        return ": not really, it was a dry run"
    if outcome is None:
        return "" if isinstance(intent, Notify) else ": whether that succeeded is not known"
    parts = [] if outcome.done else [f"failed: {outcome.error}"]
    if outcome.done and outcome.error:
        parts.append(outcome.error)
    if outcome.signalled:
        parts.append(f"{counted(outcome.signalled, 'process', 'processes')} signalled")
    if outcome.took_us:
        parts.append(f"in {duration(outcome.took_us)}")
    return f": {', '.join(parts)}" if parts else ""


def _considered(story: Story, width: int, paint: Paint) -> list[str]:
    decision = story.chosen
    if decision is None:
        return []
    keys = [key for key, _ in decision.candidates[0].numbers]
    by = keys[0] if keys else "score"
    first, meaning = RANKS.get(by, (by, ""))
    title = f"Considered, {first} first{f' ({meaning})' if meaning else ''}"
    lines = ["", *(paint(line, "bold") for line in wrap(title, width))]
    if decision is not story.decision:
        lines += wrap(f"as it was at the decision {decision.id}", width, first="  ")
    return lines + _table(decision, keys, story, width, paint)


def _table(decision: Decision, keys: Sequence[str], story: Story, width: int, paint: Paint) -> list[str]:
    columns = [
        *(Column(key.upper(), drop=number) for number, key in enumerate(keys)),
        *([Column("SCORE")] if _scored(decision.candidates) else []),
        Column("MARK", right=False, keep_empty=False),
        Column("WHO", right=False, flexible=True, least=20),
    ]
    verb = _chosen_word(story)
    rows = [_row(one, keys, verb, scored=_scored(decision.candidates)) for one in decision.candidates]
    head, *body = render(columns, rows, width - 2, paint)
    lines = [f"  {head}"]
    for candidate, line in zip(decision.candidates, body, strict=True):
        lines.append(f"  {line}")
        if candidate.why_not and not FIGURES_SAY_IT.fullmatch(candidate.why_not):
            lines += [paint(one, "dim") for one in wrap(escape(candidate.why_not), width, first=" " * 10)]
    return lines


def _scored(candidates: Sequence[Candidate]) -> bool:
    """Whether more than the first figure decided."""
    return any(one.numbers and one.score != one.numbers[0][1] for one in candidates)


def _chosen_word(story: Story) -> str:
    intents = story.decision.intents
    if not any(target_of(one) for one in intents):
        return "first"
    return "would be it" if story.dry else "this one"


def _row(one: Candidate, keys: Sequence[str], verb: str, *, scored: bool) -> Row:
    numbers = dict(one.numbers)
    more = f" ({counted(one.stands_for, 'cgroup')})" if one.stands_for > 1 else ""
    mark = "" if one.mark == "normal" else one.mark
    who = f"{escape(name(one.target))}{more}{'' if one.why_not else f'  <- {verb}'}"
    figures = [_figure(key, numbers.get(key)) for key in keys]
    texts = (*figures, *([f"{one.score:.4g}"] if scored else []), mark, who)
    return Row(texts, {} if one.why_not else {len(texts) - 1: ("red",)})


def _figure(key: str, value: float | None) -> str:
    if value is None:
        return ABSENT
    unit = KEYS[key].unit if key in KEYS else ""
    if unit == "bytes":
        return short_size(int(value))
    return f"{short_size(int(value))}/s" if unit == "bytes-per-second" else f"{value:.4g}"


def listed(entries: Sequence[tuple[str, Instant, str]], width: int = 80, paint: Paint = PLAIN) -> str:
    """Id, time and summary of each, the summary below where it does not fit behind."""
    lines = (
        [] if entries else ["nothing is listed: the guard has had nothing to decide, and nobody was killed"]
    )
    for key, at, summary in entries:
        lines.append(f"{paint(escape(key), 'bold')}  {when(at)}")
        lines += wrap(escape(summary), width, first="    ")
    return "\n".join(lines) + "\n"
