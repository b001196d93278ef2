"""What was put aside when the kernel killed, or when somebody asked for it, as ``memwarden why`` tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from memwarden.postmortem.read import find_reports
from memwarden.postmortem.verdict import judge
from memwarden.present import explain_json, explain_text
from memwarden.present.colour import PLAIN, Paint
from memwarden.present.text import counted, duration, escape
from memwarden.present.why_text import labelled, when
from memwarden.present.wrap import wrap
from memwarden.state.snapshot import Instant

if TYPE_CHECKING:
    from memwarden.postmortem.model import Incident as Verdict

SCHEMA = "memwarden.incident/1"


class Incident(NamedTuple):
    """One folder of incidents. ``deaths`` are cgroup (or ``None``) and count, of the kernel's kills only.

    Without any, nobody died: ``memwarden ctl dump`` put the last minutes aside.
    """

    key: str
    at: Instant
    deaths: tuple[tuple[str | None, int], ...]
    decisions: tuple[tuple[str, str], ...]
    """Id and message of what the guard had decided in the minute before."""
    path: str
    log: bytes
    document: dict[str, Any]

    @property
    def summary(self) -> str:
        """It in one line."""
        return str(self.document["message"])

    def verdicts(self) -> list[Verdict]:
        """What the reports in the kernel's log say."""
        return [judge(report) for report in find_reports([self.log], file=f"{self.path}/kernel.log")]


def read(path: str, text: bytes, log: bytes) -> Incident | None:
    """An incident by its ``incident.json``; ``None`` for one that is none, or has kills of the guard only."""
    try:
        found = json.loads(text)
        at = Instant(int(found["at"]["monotonic_us"]), found["at"]["wall_us"])
        assert at.wall_us is None or isinstance(at.wall_us, int)
        deaths = tuple(
            (None if one["cgroup"] is None else str(one["cgroup"]), int(one["count"]))
            for one in found["deaths"]
            if one["by"] == "kernel"
        )
        decisions = tuple((str(one["id"]), str(one["message"])) for one in found["decisions"])
        key, _ = str(found["id"]), str(found["message"])
    except (ValueError, TypeError, KeyError, AssertionError):
        return None
    if found.get("schema") != SCHEMA or (found["deaths"] and not deaths):
        return None
    return Incident(key, at, deaths, decisions, path, log, found)


def text(incident: Incident, width: int = 80, paint: Paint = PLAIN) -> str:
    """What is known of it, and what the kernel's own report says."""
    lines = [paint(line, "bold") for line in wrap(_head(incident), width)]
    about = f"incident {incident.key}, {when(incident.at)}, {duration(incident.at.monotonic_us)} after boot"
    lines += [paint(line, "dim") for line in wrap(escape(about), width)]
    lines.append("")
    for number, (cgroup, count) in enumerate(incident.deaths):
        where = f"in {cgroup}" if cgroup else "in a cgroup that is not known"
        lines += labelled(
            "" if number else "Died", f"{counted(count, 'process', 'processes')} {where}", width, paint
        )
    said = [f"{message} (decision {key})" for key, message in incident.decisions]
    for number, one in enumerate(said or ["memwarden had decided nothing in the minute before"]):
        lines += labelled("" if number else "Before", one, width, paint)
    kept = f"{incident.path}/flight (memwarden policy replay POLICY FILE plays it)"
    lines += labelled("Kept", f"the last minutes: {kept}", width, paint)
    report = "".join(explain_text.text(incident.verdicts(), width, paint))
    if not incident.deaths:
        return "\n".join(lines) + "\n"
    if not report:
        unknown = (
            "The kernel's report was not seen, or it made none; memwarden explain --journal may have it."
        )
        report = "\n".join(wrap(unknown, width)) + "\n"
    return "\n".join(lines) + "\n\n" + report


def _head(incident: Incident) -> str:
    if not incident.deaths:
        return "Nobody died. Somebody asked for the last minutes (memwarden ctl dump)."
    ours = any(one.get("by") == "guard" for one in incident.document["deaths"])
    return "Both the kernel and memwarden killed." if ours else "The kernel killed, and memwarden did not."


def document(incident: Incident) -> dict[str, Any]:
    """The incident with the verdicts on the kernel's reports."""
    verdicts = [explain_json.incident_document(one) for one in incident.verdicts()]
    return {"incident": incident.document, "verdicts": verdicts}
