"""nohang's configuration: its thresholds as rules, its adjustments of badness where they can be expressed.

Follows ``src/nohang`` of hakavlad/nohang at 1d49838: who is at a threshold has passed it. A soft threshold
sends SIGTERM and, ``max_soft_exit_time`` later, SIGKILL, a hard one SIGKILL at once. nohang exits when a
key is missing; here its default stands in, and is named, since keys differ between its versions.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from memwarden.guard.foreign.nohang_keys import Config, read
from memwarden.guard.globs import literal
from memwarden.guard.ir import (
    Action,
    Amount,
    Available,
    Choice,
    Detector,
    DoKill,
    DoNotify,
    Group,
    Policy,
    Preferences,
    Pressure,
    PressureKind,
    Ranking,
    Resource,
    Rule,
    SwapFree,
    Weight,
)
from memwarden.units import SECOND_US

_METRIC: Final = re.compile(r"(some|full)_avg(10|60|300)")
_PSI_FILE: Final = re.compile(
    r"/proc/pressure/(memory|io|cpu)|/sys/fs/cgroup(?:/unified)?(/.*)?/(memory|io|cpu)\.pressure"
)
_ADJ_NOTE: Final = (
    "nohang raises nobody's badness whose oom_score_adj is negative; here adjustments always count"
)


class _Level(NamedTuple):
    """Thresholds of one severity: ``warning``, ``soft`` or ``hard``."""

    name: str
    memory: Amount
    swap: Amount
    psi: float


def load(texts: Mapping[str, str], *, bug_compatible: bool) -> Policy:
    """A policy of the first text; the others are not read. Raises ``InputError`` with file and line."""
    path, text = next(iter(texts.items()))
    notes = [f"{other}: nohang reads one file only; this one is left out" for other in texts if other != path]
    config = read(path, text, notes)
    levels = [_level(config, name, 50.0) for name in ("hard", "soft")]
    if config.flag("low_memory_warnings_enabled"):
        levels.append(_level(config, "warning", 100.0))
    psi = _psi(config)
    actions = _actions(config)
    rules = []
    for level in levels:
        rules.append(_memory_rule(config, level, actions[level.name]))
        if psi is not None:
            rules.append(_psi_rule(config, level, psi, actions[level.name]))
    tick = _tick_us(config)
    _name(config)
    return Policy(path, tuple(rules), tick_us=tick, steady=True, notes=tuple(notes))


def _level(config: Config, name: str, most_percent: float) -> _Level:
    return _Level(
        name,
        config.amount(f"{name}_threshold_min_mem", most_percent),
        config.amount(f"{name}_threshold_min_swap", 100.0),
        config.number(f"{name}_threshold_max_psi", 1, 100),
    )


def _tick_us(config: Config) -> int:
    """How often it looks when memory is short: as often as it ever does."""
    longest = config.number("max_sleep", 0.01)
    return round(config.number("min_sleep", 0.01, longest) * SECOND_US)


def _actions(config: Config) -> dict[str, Action]:
    least = config.number("min_badness", 1)
    if config.adjust:
        config.notes.append(f"{config.path}: {_ADJ_NOTE}")
    ranking = Ranking((Weight("oom-score"),), Amount(bytes=int(least) - 1), adjust=config.adjust)
    choice = Choice(("/**", "/"), "process", ranking, Preferences(omit=("adj<=-1000",), xattrs=()))
    kill = DoKill(choice, even_without_need=True)
    return {
        "hard": kill,
        "soft": kill._replace(term_us=config.span_us("max_soft_exit_time", 0.1)),
        "warning": DoNotify("memory is low"),
    }


def _pause_us(config: Config, level: _Level) -> int:
    if level.name == "warning":
        return config.span_us("min_post_warning_delay", 1)
    return config.span_us("post_soft_action_delay", 0.1) if level.name == "soft" else 0


def _memory_rule(config: Config, level: _Level, action: Action) -> Rule:
    detectors = (
        Available(level.memory, inclusive=True),
        SwapFree(level.swap, without_swap=True, inclusive=True),
    )
    group = Group(f"memory and swap at their {level.name} thresholds", detectors)
    return Rule(level.name, (group,), (action,), _pause_us(config, level))


def _psi_rule(config: Config, level: _Level, psi: Pressure, action: Action) -> Rule:
    # A warning asks for no duration.
    for_us = 0 if level.name == "warning" else config.span_us("psi_excess_duration", 0)
    detectors: tuple[Detector, ...] = (
        psi._replace(above_centi=round(level.psi * 100) - 1, for_us=for_us),  # at the threshold is enough
        Available(level.memory, for_us=for_us, inclusive=True),
        SwapFree(Amount(ppm=1_000_000), inclusive=True),  # there is swap at all
    )
    pause_us, rests = config.span_us("psi_post_action_delay", 10), "nohang pressure"
    if level.name == "warning":
        pause_us, rests = _pause_us(config, level), ""
    group = Group(f"pressure and memory at their {level.name} thresholds", detectors)
    return Rule(f"{level.name} pressure", (group,), (action,), pause_us, rests_with=rests)


def _psi(config: Config) -> Pressure | None:
    """What pressure is asked for; the threshold comes later."""
    metric = _METRIC.fullmatch(config.keys["psi_metrics"].value)
    if metric is None:
        raise config.refused("psi_metrics", "it must be some or full, _avg, and 10, 60 or 300, as full_avg10")
    if not config.flag("psi_checking_enabled"):
        return None
    file = _PSI_FILE.fullmatch(config.keys["psi_path"].value)
    if file is None:
        path = config.keys["psi_path"].value
        config.note("psi_path", f"{path!r} is no file of PSI; pressure is not looked at")
        return None
    kinds: dict[str, PressureKind] = {"some": "some", "full": "full"}
    resources: dict[str, Resource] = {"memory": "memory", "io": "io", "cpu": "cpu"}
    averages: dict[str, Literal[10, 60, 300]] = {"10": 10, "60": 60, "300": 300}
    config.note(
        "psi_post_action_delay",
        "nohang waits so long after whatever it did, here after what pressure asked for",
    )
    cgroups = (literal(file[2]),) if file[2] else ()
    return Pressure(0, resources[file[1] or file[3]], kinds[metric[1]], averages[metric[2]], cgroups)


def _name(config: Config) -> None:
    if config.flag("zram_checking_enabled"):
        config.note("zram_checking_enabled", "zram is not looked at; what it holds lowers available memory")
    if config.flag("ignore_positive_oom_score_adj"):
        config.note("ignore_positive_oom_score_adj", "oom_score is taken as the kernel gives it")
    for key, what in (("post_kill_exe", "after a kill"), ("warning_exe", "as a warning")):
        if config.keys[key].value:
            config.note(key, f"memwarden runs nothing {what}; its decisions are in the journal")
