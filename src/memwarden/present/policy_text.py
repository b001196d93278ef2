"""What ``policy check`` prints for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.present.text import counted, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.words.problems import Problem


def checked(name: str, problems: Sequence[Problem], said: str) -> str:
    """A line for each problem, and one for the policy."""
    errors = sum(not one.warning for one in problems)
    counts = [
        counted(number, word)
        for number, word in ((errors, "error"), (len(problems) - errors, "warning"))
        if number
    ]
    lines = [escape(str(one)) for one in problems]
    return "\n".join([*lines, f"{escape(name)}: {', '.join(counts) or 'all right'}; {said}"]) + "\n"
