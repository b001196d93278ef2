"""Writes ``docs/explanation/what-is-true.md`` from what was measured. The same numbers give the same page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lab.paths import REPOSITORY
from lab.truth import runs
from lab.truth.statements import STATEMENTS
from lab.truth.verdicts import SERIES, overall

if TYPE_CHECKING:
    from lab.truth.statements import Statement

PAGE = REPOSITORY / "docs" / "explanation" / "what-is-true.md"
HEAD = """\
# What is true

Things that are said about Linux's memory limits, each tried on four kernels. What is below a statement was
measured in a virtual machine of 768 MiB whose processors are emulated: counts and sizes are the kernel's,
times are those of a slow machine and stand for their proportions.

`make truth` measures what is missing and writes this page; the command below a statement measures it again.
The verdict comes from the numbers, by a rule in `lab/truth/statements.py`.
"""


def make() -> str:
    """The page."""
    found = {one.name: runs.kept(one.name) for one in STATEMENTS}
    measured = [one for one in STATEMENTS if found[one.name]]
    lines = [HEAD, *_releases(found), "| said | verdict |", "|---|---|"]
    lines += [f"| [{one.says}](#{anchor(one.says)}) | {_verdict(one, found[one.name])} |" for one in measured]
    for one in measured:
        lines += ["", *_section(one, found[one.name])]
    return "\n".join([*lines, ""])


def anchor(heading: str) -> str:
    """What GitHub makes of a heading.

    >>> anchor("memory.oom.group kills all or none")
    'memoryoomgroup-kills-all-or-none'
    """
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _releases(found: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    releases = {kernel["release"] for kernels in found.values() for kernel in kernels.values()}
    by_series = sorted(releases, key=lambda release: [int(part) for part in release.split(".")[:2]])
    return [f"Kernels: {', '.join(by_series)}.", ""]


def words(statement: Statement, kernels: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The verdict of each kernel."""
    return {series: statement.judge(kernels[series]) for series in SERIES if series in kernels}


def _verdict(statement: Statement, kernels: dict[str, dict[str, Any]]) -> str:
    before = f", {statement.until}" if statement.until else ""
    return f"**{overall(words(statement, kernels))}**{before}"


def _section(statement: Statement, kernels: dict[str, dict[str, Any]]) -> list[str]:
    there = [series for series in SERIES if series in kernels]
    lines = [
        f"## {statement.says}",
        "",
        f"{_verdict(statement, kernels).capitalize()}. {statement.why}",
        "",
        "| | " + " | ".join(there) + " |",
        "|---|" + "---:|" * len(there),
    ]
    for key, heading in statement.shows:
        lines.append(f"| {heading} | " + " | ".join(_cell(kernels[series][key]) for series in there) + " |")
    if len(set(words(statement, kernels).values())) > 1:
        said = words(statement, kernels)
        lines.append("| verdict | " + " | ".join(said[series] for series in there) + " |")
    return [*lines, "", f"`python -m lab truth {statement.name} --again`"]


def _cell(value: Any) -> str:
    if value is True or value is False:
        return "yes" if value else "no"
    return (
        f"{value:,.4g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
