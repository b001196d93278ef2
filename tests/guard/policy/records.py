"""Any policy there can be, from the annotations of the records, so that a new field cannot be forgotten."""

from __future__ import annotations

from types import UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from memwarden.guard import ir
from memwarden.guard.never import BUILT_IN

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
GLOBS = st.sampled_from(
    ["/a/**", "postgresql*.service", ".", "./**", "/", "**", "/x[!a-c]?", '/q"\\', "/ä b"]
)
MARKS = st.sampled_from(
    [
        "/a/**",
        "b*.service",
        "comm:x*",
        "comm~^(a|b)$",
        "cgroup~\\.slice",
        "uid:0",
        "uid~1",
        "adj<=-5",
        'c".scope',
    ]
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 1 << 45) | st.integers(0, 3000)
SPECIAL = {
    "average_s": st.sampled_from([10, 60, 300]),
    "least": (COUNTS | st.integers(-(1 << 62), -1)).map(lambda value: ir.Amount(bytes=value))
    | st.integers(-(1 << 30), 1 << 30).map(lambda value: ir.Amount(ppm=value)),
    "swappiness": st.none() | st.integers(0, 200),
    "at_least": st.integers(1, 1 << 40),
    "tick_us": st.integers(1000, 1 << 45),
    "cgroups": st.lists(GLOBS, max_size=3).map(tuple),
    "per_cgroup": st.lists(GLOBS, max_size=3).map(tuple),
    "parameters": st.lists(st.tuples(NAMES, NUMBERS), max_size=3).map(tuple),
    "adjust": st.lists(st.tuples(MARKS, NUMBERS), max_size=3).map(tuple),
    "weights": st.lists(
        st.builds(ir.Weight, st.sampled_from(get_args(ir.RankKey)), NUMBERS),
        min_size=1, max_size=3, unique_by=lambda weight: weight.key,
    ).map(tuple),
    "hook": st.just(()) | st.lists(TEXTS, max_size=2).map(lambda words: ("/bin/x", *words)),
    "unit": NAMES,
    "xattr_filter": st.none() | NAMES,
    "rests_with": st.just("") | NAMES,
    "notes": st.lists(TEXTS, max_size=2, unique=True).map(tuple),
    "prefer": st.lists(MARKS, max_size=2, unique=True).map(tuple),
    "avoid": st.lists(MARKS, max_size=2, unique=True).map(tuple),
    "omit": st.lists(MARKS, max_size=2, unique=True).map(tuple),
    "protect": st.lists(MARKS, max_size=3, unique=True).map(tuple),
    "pause_us": COUNTS,
}  # fmt: skip
"""Fields whose values are narrower than their types, by name."""


def of(record):
    """Any such record."""
    hints = get_type_hints(record)
    return st.builds(record, **{name: field(name, hints[name]) for name in record._fields})


def field(name, hint):
    if name == "pause_us" and type(None) in get_args(hint):
        return st.none() | COUNTS
    return SPECIAL[name] if name in SPECIAL else typed(hint)


def typed(hint):
    if hint is ir.Amount:
        return COUNTS.map(lambda value: ir.Amount(bytes=value)) | COUNTS.map(
            lambda value: ir.Amount(ppm=value)
        )
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([typed(one) for one in get_args(hint)])
    if get_origin(hint) is tuple:
        return st.lists(typed(get_args(hint)[0]), max_size=3).map(tuple)
    plain = {bool: st.booleans(), int: COUNTS, str: TEXTS, type(None): st.none()}
    return plain[hint] if hint in plain else of(hint)


def in_kinds(group):
    """The same group with detectors of one kind together, as they are written."""
    kinds = list(dict.fromkeys(type(one) for one in group.detectors))
    return group._replace(detectors=tuple(sorted(group.detectors, key=lambda one: kinds.index(type(one)))))


GROUPS = st.builds(ir.Group, TEXTS, st.lists(typed(ir.Detector), min_size=1, max_size=4).map(tuple)).map(
    in_kinds
)
RULES = st.builds(
    ir.Rule,
    name=NAMES,
    groups=st.lists(GROUPS, max_size=3).map(tuple),
    actions=st.lists(typed(ir.Action), max_size=3).map(tuple),
    **{name: field(name, get_type_hints(ir.Rule)[name]) for name in ir.Rule._fields[3:]},
)
NEVER = st.tuples(
    st.lists(st.sampled_from(BUILT_IN), unique=True).map(lambda marks: sorted(marks, key=BUILT_IN.index)),
    st.lists(MARKS, unique=True, max_size=2),
).map(lambda parts: (*parts[0], *parts[1]))
POLICIES = st.builds(
    ir.Policy,
    name=NAMES,
    rules=st.lists(RULES, max_size=3, unique_by=lambda rule: rule.name).map(tuple),
    never=NEVER,
    **{
        name: field(name, get_type_hints(ir.Policy)[name])
        for name in ir.Policy._fields
        if name not in {"name", "rules", "never"}
    },
)
