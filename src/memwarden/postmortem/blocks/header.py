"""The first line: ``X invoked oom-killer: gfp_mask=..., order=..., oom_score_adj=...``.

``mm/oom_kill.c:dump_header``. Forms by age: nobody named (up to 2.6.18), ``oomkilladj=`` (2.6.19),
``oom_adj=`` (2.6.30), both ``oom_adj=`` and ``oom_score_adj=`` (2.6.36), flag names after the mask
(4.6), ``nodemask=`` between (4.10 to 4.20). A comm is up to 15 bytes of anything.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Header(NamedTuple):
    """``gfp_mask`` as an integer, ``gfp_flags`` as printed or ``None`` where the kernel printed none.

    ``oom_adj`` is the old scale (-17 to 15); ``None`` where a field is missing or cut off.
    """

    comm: str | None
    gfp_mask: int | None = None
    gfp_flags: tuple[str, ...] | None = None
    order: int | None = None
    oom_score_adj: int | None = None
    oom_adj: int | None = None
    nodemask: str | None = None


_INVOKED: Final = " invoked oom-killer"
_NOBODY: Final = "oom-killer: gfp_mask="
# What follows a figure shows that no digit of it was cut off.
_GFP: Final = re.compile(r"gfp_mask=(0x[0-9a-fA-F]+|\d+)(?:\(([^)]*)\)|(?=,))")
_ORDER: Final = re.compile(r"\border=(-?\d+)(?=,|$)")
_SCORE_ADJ: Final = re.compile(r"\boom_score_adj=(-?\d+)")
_ADJ: Final = re.compile(r"\boom(?:kill|_)adj=(-?\d+)")
_NODEMASK: Final = re.compile(r"\bnodemask=(\(null\)|[\d,-]*\d)")


def parse_header(message: str) -> Header | None:
    """Read a header, whole or cut; ``None`` when the words are not those of the kernel's line.

    >>> parse_header("cc1 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0")[:4]
    ('cc1', 3264, ('GFP_KERNEL',), 0)
    """
    comm, found, rest = message.partition(_INVOKED)
    if not found:
        comm, rest = "", message.removeprefix("oom-killer") if message.startswith(_NOBODY) else "-"
    if rest[:1] not in ("", ":", " ") or len(comm.encode()) > 64:
        return None
    gfp = _GFP.search(rest)
    return Header(
        comm=comm or None,
        gfp_mask=int(gfp[1], 0) if gfp else None,
        gfp_flags=_flags(gfp[2]) if gfp else None,
        order=_number(_ORDER, rest),
        oom_score_adj=_number(_SCORE_ADJ, rest),
        oom_adj=_number(_ADJ, rest),
        nodemask=_text(_NODEMASK, rest),
    )


def _flags(printed: str | None) -> tuple[str, ...] | None:
    if printed is None:
        return None
    return tuple(flag for flag in printed.split("|") if flag)


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None


def _text(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None
