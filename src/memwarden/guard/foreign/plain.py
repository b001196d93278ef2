"""A plain JSON policy: thresholds for memory pressure, swap and I/O pressure, and what is to be kept alive.

::

    {"memory_pressure": {"threshold": "60%", "duration": "10s"},
     "swap_usage": {"threshold": "80%", "duration": "10s"},
     "io_pressure": {"threshold": "60%", "duration": "30s"},
     "workload_protection": {"critical_services": ["postgresql"], "oom_score_adj": -900}}

Every key may be left out. No tool owns this form, so its meaning is set here:

- ``memory_pressure`` and ``io_pressure``: ``full`` avg10 of the machine above ``threshold`` for ``duration``
  (10 s); then the cgroup dies that has most of pressure and size, or of I/O.
- ``swap_usage``: more than ``threshold`` of swap in use for ``duration``; then the one with most in swap.
- ``critical_services`` are never killed, nor is a process whose ``oom_score_adj`` is at or below the value.

A threshold alone may stand for its object (``"memory_pressure": "60%"``), its parts may stand at the top
(``"memory_pressure_threshold"``), and so may those of ``workload_protection``; but nothing may be there
twice. A bare number, in quotes or not, is in percent, or in seconds; for a threshold, a note says so, and
below 1 it is refused, since that may be a share of 1.
"""

import re
from collections.abc import Mapping
from typing import Final

from memwarden.guard.foreign.json_text import Node, Object, read
from memwarden.guard.foreign.words import PERCENT_PPM, instead, refused, shown
from memwarden.guard.ir import (
    Amount,
    Choice,
    Detector,
    DoKill,
    Group,
    Policy,
    Preferences,
    Pressure,
    Ranking,
    Rule,
    SwapFree,
    Weight,
)
from memwarden.units import MILLISECOND_US, SECOND_US

_RANKINGS: Final = {
    "memory_pressure": Ranking((Weight("pressure"), Weight("size"))),
    "swap_usage": Ranking((Weight("swap"),)),
    "io_pressure": Ranking((Weight("io-cost"),)),
}
_PARTS: Final = ("threshold", "duration")
_PROTECTION: Final = ("critical_services", "oom_score_adj")
KEYS: Final = frozenset(
    {
        *_RANKINGS,
        "workload_protection",
        *_PROTECTION,
        *(f"{signal}_{part}" for signal in _RANKINGS for part in _PARTS),
    }
)
"""All that may stand at the top."""
_QUANTITY: Final = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([a-z%]*)\s*", re.ASCII)
_TIMES: Final = {
    "ms": MILLISECOND_US,
    "s": SECOND_US,
    "sec": SECOND_US,
    "m": 60 * SECOND_US,
    "min": 60 * SECOND_US,
    "h": 3600 * SECOND_US,
    "": SECOND_US,
}
_DURATION_US: Final = 10 * SECOND_US
_UNIT: Final = re.compile(r"\.(service|scope|slice|socket|mount)$")
_MARK: Final = re.compile(r"(comm|uid|cgroup)[:~]|adj<=")
"""How a mark of ours begins that is no name of a service."""

Members = dict[str, Node]


def load(texts: Mapping[str, str], *, bug_compatible: bool) -> Policy:
    """A policy of the first text; raises ``InputError`` with file and line."""
    path, text = next(iter(texts.items()))
    notes = [f"{other}: a plain policy is one file; this one is left out" for other in texts if other != path]
    given = _flat(path, read(path, text, alone=True))
    protect = _services(path, given)
    adj = _adj(path, given)
    omit: tuple[str, ...] = ()
    if adj is not None:
        omit = (f"adj<={adj}",)
        notes.append(
            f"{path}:{given['oom_score_adj'].line}: oom_score_adj: memwarden sets it on no process; "
            f"who has {adj} or less is not killed, and OOMScoreAdjust={adj} in its unit gives it to a service"
        )
    notes += [
        f"{path}:{node.line}: {signal}: {node.value} has no unit and is read as {node.value}%"
        for signal in _RANKINGS
        if (node := given.get(f"{signal}_threshold")) is not None and _is_bare(node)
    ]
    rules = tuple(
        _rule(path, signal, given, Preferences(omit=omit))
        for signal in _RANKINGS
        if f"{signal}_threshold" in given
    )
    if not rules:
        raise refused(
            path, 0, 'nothing to act on; add "memory_pressure": {"threshold": "60%", "duration": "10s"}'
        )
    return Policy(path, rules, protect=protect, steady=True, notes=tuple(notes))


def _flat(path: str, root: Node) -> Members:
    """All parts by their flat names: ``memory_pressure_threshold``, ``critical_services`` ..."""
    flat: Members = {}
    for key, node in _members(path, root, "the policy").items():
        if key not in KEYS:
            raise refused(path, node.line, f"there is no {shown(key)}; {instead(key, KEYS)}")
        if key == "workload_protection":
            parts = _inner(path, key, node, _PROTECTION, "")
        elif key in _RANKINGS and isinstance(node.value, dict):
            parts = _inner(path, key, node, _PARTS, f"{key}_")
        else:
            parts = {f"{key}_threshold" if key in _RANKINGS else key: node}
        for name in parts.keys() & flat.keys():
            raise _twice(path, max(parts[name].line, flat[name].line), name)
        flat |= parts
    return flat


def _twice(path: str, line: int, key: str) -> Exception:
    return refused(path, line, f"{shown(key)} is given once before; leave one of them out")


def _members(path: str, node: Node, what: str) -> Members:
    if not isinstance(node.value, Object):
        raise refused(path, node.line, f"{what} must be an object in braces")
    for key, line in node.value.again.items():
        raise _twice(path, line, key)
    return node.value


def _inner(path: str, key: str, node: Node, known: tuple[str, ...], prefix: str) -> Members:
    members = _members(path, node, key)
    for name, inner in members.items():
        if name not in known:
            raise refused(path, inner.line, f"{key} has no {shown(name)}; {instead(name, known)}")
    if prefix and "threshold" not in members:
        raise refused(path, node.line, f'{key} has no "threshold"; add one as "60%"')
    return {f"{prefix}{name}": inner for name, inner in members.items()}


def _rule(path: str, signal: str, given: Members, preferences: Preferences) -> Rule:
    threshold = given[f"{signal}_threshold"]
    percent = _quantity(path, threshold, {"%": 1, "": 1}, 'a share of 100 as "60%"')
    if not 0 < percent < 100:
        raise refused(
            path, threshold.line, f'{signal}: the threshold must be above 0% and below 100%, as "60%"'
        )
    if percent < 1 and _is_bare(threshold):
        raise refused(
            path,
            threshold.line,
            f'{signal}: {threshold.value} may be a share of 1 or of 100; write "{percent * 100:g}%" or '
            f'"{percent:g}%"',
        )
    for_us = _DURATION_US
    if f"{signal}_duration" in given:
        for_us = round(_quantity(path, given[f"{signal}_duration"], _TIMES, 'a time as "10s" or "500ms"'))
    detector: Detector = Pressure(round(percent * 100), for_us=for_us)
    if signal == "swap_usage":
        detector = SwapFree(Amount(ppm=round((100 - percent) * PERCENT_PPM)), for_us=for_us)
    elif signal == "io_pressure":
        detector = Pressure(round(percent * 100), "io", for_us=for_us)
    choice = Choice(ranking=_RANKINGS[signal], preferences=preferences)
    return Rule(signal, (Group(signal, (detector,)),), (DoKill(choice, even_without_need=True),))


def _is_bare(node: Node) -> bool:
    """A number without a unit."""
    return not isinstance(node.value, str) or node.value.strip()[-1:].isdigit()


def _quantity(path: str, node: Node, units: Mapping[str, int], wanted: str) -> float:
    text = node.value
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = f"{text:.6f}" if isinstance(text, float) else str(text)
    found = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[2] not in units:
        seen = shown(text) if isinstance(text, str) else "what stands here"
        raise refused(path, node.line, f"{seen} is not {wanted}")
    return float(found[1]) * units[found[2]]


def _services(path: str, given: Members) -> tuple[str, ...]:
    node = given.get("critical_services", Node(0, ()))
    if not isinstance(node.value, tuple):
        raise refused(
            path, node.line, 'critical_services must be an array of names, as ["postgresql.service"]'
        )
    names = []
    for one in node.value:
        name = one.value.strip() if isinstance(one.value, str) else ""
        if not name or not name.isprintable() or _MARK.match(name):
            raise refused(
                path, one.line, 'a critical service must be a name in quotes, as "postgresql.service"'
            )
        names.append(name if "/" in name or _UNIT.search(name) else f"{name}.service")
    return tuple(names)


def _adj(path: str, given: Members) -> int | None:
    node = given.get("oom_score_adj")
    if node is None:
        return None
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int) or not -1000 <= value <= 1000:
        raise refused(path, node.line, "oom_score_adj must be a whole number from -1000 to 1000")
    return value
