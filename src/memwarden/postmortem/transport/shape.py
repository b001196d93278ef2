"""The front that most lines of a stretch share, as one pattern made for it.

Reading a front in general costs more than all the rest of a line. Neighbouring lines mostly have the
same one but for its figures, so a pattern made of the first line takes the fronts off a whole block
at once. What differs (host, caller, form) stays, and is read in general.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memwarden.postmortem.transport.stamp import Stamp

MARK: Final = "\x01"
"""Stands for a front that was taken off."""

_RUNS: Final = re.compile(r" *\d+| +|[^ \d]+")


def shape_of(front: str, stamp: Stamp) -> re.Pattern[str]:
    r"""A pattern for fronts like this one: same host, same caller, any figures.

    >>> from memwarden.postmortem.transport.stamp import NO_STAMP
    >>> shape_of("[   12.5] ", NO_STAMP).sub("|", "[  112.7] a\n[ 112.8] b\nc")
    '|a\n|b\nc'
    """
    kept = [text for text in (stamp.host, stamp.caller) if text]
    pattern = ""
    while front:
        at, text = min(((front.find(text), text) for text in kept if text in front), default=(len(front), ""))
        pattern += "".join(_general(run) for run in _RUNS.findall(front[:at])) + re.escape(text)
        front = front[at + len(text) :]
        kept = [other for other in kept if other != text]
    return re.compile(rf"^{pattern}[ \t]*", re.MULTILINE)


def _general(run: str) -> str:
    if run[-1].isdecimal():
        return r" *\d+"
    return " +" if run[0] == " " else re.escape(run)
