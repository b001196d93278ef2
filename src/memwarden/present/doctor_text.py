"""``doctor`` as text: what is readable, what is close to its limit, who would die next, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.present import gaps_text, machine_text, rank_words, status_sort, status_text
from memwarden.present.colour import PLAIN, Paint
from memwarden.present.doctor_checks import MACHINE, findings
from memwarden.present.text import counted, escape
from memwarden.present.wrap import wrap

if TYPE_CHECKING:
    from memwarden.present.doctor_checks import Case, Finding
    from memwarden.state.snapshot import Snapshot

CLOSEST: Final = 5
"""Cgroups shown as closest to their limit."""
SCOPES: Final = 3
"""Limits for which the next victim is named, beside the machine."""


class Access(NamedTuple):
    """What only the live machine can tell; ``None`` for a recording."""

    root: bool | None = None
    kernel_log: str | None = None
    """Empty when it can be read, else why not."""


def text(case: Case, access: Access, *, width: int, paint: Paint = PLAIN) -> str:
    """The whole report."""
    found = findings(case)
    sections = (
        ("What can be read", _items(_readable(case.snapshot, access), width)),
        ("Closest to a limit", _closest(case, width, paint)),
        ("Who would die next", _items(_next(case), width)),
        (_title(found), [line for one in found for line in _finding(one, width, paint)]),
    )
    blocks = [
        machine_text.lines(case.snapshot),
        *([paint(title, "bold"), *lines] for title, lines in sections),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _items(sentences: list[str], width: int) -> list[str]:
    return [line for sentence in sentences for line in wrap(sentence, width, first="  - ")]


def _readable(snapshot: Snapshot, access: Access) -> list[str]:
    memory = sum(cgroup.current_bytes is not None for cgroup in snapshot.cgroups.values())
    users = [process for process in snapshot.processes.values() if process.rss_bytes is not None]
    lines = [
        f"{counted(memory, 'cgroup')} with memory figures below {escape(snapshot.cgroup_root)}",
        f"memory of {counted(len(users), 'process', 'processes')}",
    ]
    if snapshot.memory_pressure is not None:
        lines.append("pressure of the machine (PSI)")
    if access.kernel_log is not None:
        lines.append(f"not the kernel log: {access.kernel_log}" if access.kernel_log else "the kernel log")
    if access.root is False:
        lines.append("not everything: this is not root")
    return [*lines, *(f"but: {note}" for note in gaps_text.plain(snapshot))]


def _closest(case: Case, width: int, paint: Paint) -> list[str]:
    limited = {path: row for path, row in case.rows.items() if row.limited_by is not None}
    if not limited:
        return ["  No cgroup has a limit; only the machine as a whole can run out."]
    rows = status_sort.flat(limited, status_sort.trouble)[:CLOSEST]
    return [f"  {line}" for line in status_text.table(rows, full_paths=True, width=width - 2, paint=paint)]


def _next(case: Case) -> list[str]:
    tight = sorted(
        (path for path in case.rankings if path != MACHINE and path in case.rows),
        key=lambda path: status_sort.trouble(case.rows[path]),
    )
    lines = []
    for path in (*([MACHINE] if MACHINE in case.rankings else []), *tight[:SCOPES]):
        where = "the machine" if path == MACHINE else escape(path)
        answer = rank_words.sentences(case.snapshot, case.rankings[path], None)[0]
        lines.append(f"in {where}: {answer}")
    return lines or ["Nobody can be named: neither the machine's memory nor its processes could be read."]


def _title(found: list[Finding]) -> str:
    urgent = sum(one.act for one in found)
    if not found:
        return "Findings: none"
    return f"Findings: {urgent} to act on, {len(found) - urgent} to know"


def _finding(one: Finding, width: int, paint: Paint) -> list[str]:
    mark = paint("!", "red", "bold") if one.act else "-"
    lines = wrap(one.what, width, first=f"  {'!' if one.act else '-'} ")
    # A command stays on one line, so that it can be copied.
    command = [] if one.command is None else [f"      {one.command}"]
    return [lines[0].replace("!", mark, 1) if one.act else lines[0], *lines[1:], *command]
