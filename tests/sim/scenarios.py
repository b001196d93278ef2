"""Any scenario there can be, from the annotations of the records, so that a new field cannot be forgotten."""

from __future__ import annotations

from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from memwarden.sim import scenario as sim
from memwarden.sim.words.words import KNOBS
from memwarden.state.traits import BadnessRule, KernelTraits
from memwarden.units import MAX, Max

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
SIZES = st.integers(0, 1 << 45)
TIMES = st.integers(0, 1 << 45)
COUNTS = st.integers(1, 1000)
LIMITS = SIZES | st.just(MAX)
PATHS = st.sampled_from(["/a", "/a/b", "/a.slice/b@c.service", "/ä b", '/q"\\'])
TAKES = st.integers(1, 10**6).map(lambda ns: ns / 1000)
MICRO = st.integers(1, 10**9).map(lambda value: value / 10**6)
SPECIAL = {
    "name": NAMES,
    "text": TEXTS,
    "path": PATHS,
    "cgroup": PATHS,
    "badness": st.sampled_from(list(BadnessRule)),
    "kind": st.sampled_from(["sock", "dentries", "other"]),
    "knob": st.sampled_from(list(KNOBS)),
    "value": LIMITS,
    "hz": st.none() | st.integers(100, 1000),
    "oom_score_adj": st.integers(-1000, 1000),
    "swappiness": st.integers(0, 200),
    "pool_share": st.integers(0, 10**6).map(lambda ppm: ppm / 10**6),
    "hot_share": st.integers(0, 10**6).map(lambda ppm: ppm / 10**6),
    "ratio": st.floats(1, 100),
    "ram_ratio": st.none() | st.floats(1, 100),
    "requests_per_s": MICRO,
    "per_s": MICRO,
    "ram_bytes": st.integers(1 << 46, 1 << 47),
    "kernel_bytes": SIZES,
    "fault_us": TAKES,
    "copy_us": TAKES,
    "min_free_bytes": st.none() | SIZES,
    "duration_us": st.integers(1, 1 << 44),
    "sample_us": st.integers(1, 1 << 45),
    "every_us": st.integers(1, 1 << 45),
    "stop_us": st.none() | st.integers((1 << 45) + 1, 1 << 46),
    "top_bytes": st.integers((1 << 45) + 1, 1 << 46),
    "anon_bytes": st.integers(1 << 45, 1 << 46),
    "basis": st.just(KernelTraits().basis),
    "page_size_bytes": st.just(4096),
}  # fmt: skip
"""Fields whose values are narrower than their types, by name."""


def field(name, hint):
    if name in SPECIAL:
        return SPECIAL[name]
    if name.endswith("_bps"):
        whole = st.integers(1, 1 << 40)
        return whole | st.none() if type(None) in get_args(hint) else whole
    if name.endswith("_us") and float in (hint, *get_args(hint)):
        cost = st.integers(0, 10**6).map(lambda ns: ns / 1000)
        return cost | st.none() if type(None) in get_args(hint) else cost
    return typed(hint)


def typed(hint):
    if hint is Max:
        return st.just(MAX)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([typed(one) for one in get_args(hint)])
    plain = {bool: st.booleans(), int: COUNTS, str: TEXTS, type(None): st.none()}
    return plain[hint] if hint in plain else of(hint)


def of(record):
    """Any such record."""
    hints = get_type_hints(record)
    return st.builds(record, **{name: field(name, hints[name]) for name in record._fields})


def in_kinds(program):
    """The same program with parts of one kind together, as they are written."""
    kinds = list(dict.fromkeys(type(one) for one in program.parts))
    return program._replace(parts=tuple(sorted(program.parts, key=lambda one: kinds.index(type(one)))))


PARTS = st.lists(st.one_of([of(one) for one in get_args(sim.Part)]), min_size=1, max_size=4).map(tuple)
PROGRAMS = st.builds(
    sim.Program,
    **{name: field(name, hint) for name, hint in get_type_hints(sim.Program).items() if name != "parts"},
    parts=PARTS,
).map(in_kinds)
EVERY_GROUP = [sim.Group(path) for path in ("/a", "/a/b", "/a.slice/b@c.service", "/ä b", '/q"\\')]
GROUPS = st.lists(of(sim.Group), max_size=4, unique_by=lambda one: one.path).map(
    lambda found: (*found, *(one for one in EVERY_GROUP if one.path not in {some.path for some in found}))
)
SCENARIOS = st.builds(
    sim.Scenario,
    name=NAMES,
    machine=of(sim.Machine),
    groups=GROUPS,
    programs=st.lists(PROGRAMS, max_size=3, unique_by=lambda one: one.name).map(tuple),
    changes=st.lists(of(sim.Change), max_size=2).map(tuple),
    duration_us=SPECIAL["duration_us"],
    sample_us=SPECIAL["sample_us"],
    seed=st.integers(0, 1 << 40),
    text=TEXTS,
)
