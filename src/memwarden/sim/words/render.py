"""A scenario as TOML that loads to the same scenario; parts of one kind of a program stand together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.sim import scenario as sim
from memwarden.sim.words.words import (
    CHANGE,
    DISK,
    GROUP,
    KNOBS,
    MACHINE,
    PART_OF,
    PROGRAM,
    SCENARIO,
    SWAP,
    TRAITS,
    ZSWAP,
)
from memwarden.words.kinds import key, quoted
from memwarden.words.word import default_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.words.word import Word

WIDTH: Final = 100
"""Columns that a list of parts may take on one line."""


def render(scenario: sim.Scenario) -> str:
    """TOML; what is as when left out is left out."""
    blocks = [["[scenario]", *_lines(SCENARIO, scenario)], _machine(scenario.machine)]
    blocks += [[f"[group.{quoted(one.path)}]", *_lines(GROUP, one)] for one in scenario.groups]
    blocks += [_program(one) for one in scenario.programs]
    blocks += [_change(one) for one in scenario.changes]
    return "\n".join("\n".join(block) + "\n" for block in blocks)


def _settings(word: Word, record: Any) -> Iterator[tuple[str, str]]:
    for one in word.keys:
        value = getattr(record, one.field)
        if value != default_of(word, one):
            yield one.name, one.kind.write(value)


def _lines(word: Word, record: Any) -> list[str]:
    return [f"{name} = {value}" for name, value in _settings(word, record)]


def _inline(word: Word, record: Any, *more: str) -> str:
    pairs = ", ".join([*_lines(word, record), *more])
    return f"{{ {pairs} }}" if pairs else "{}"


def _machine(machine: sim.Machine) -> list[str]:
    lines = ["[machine]", *_lines(MACHINE, machine)]
    if machine.disk != sim.Disk():
        lines.append(f"disk = {_inline(DISK, machine.disk)}")
    if machine.swap is not None:
        own = () if machine.swap.disk == sim.Disk() else (f"disk = {_inline(DISK, machine.swap.disk)}",)
        lines.append(f"swap = {_inline(SWAP, machine.swap, *own)}")
    if machine.zswap is not None:
        lines.append(f"zswap = {_inline(ZSWAP, machine.zswap)}")
    if traits := _lines(TRAITS, machine.traits):
        lines += ["", "[machine.traits]", *traits]
    return lines


def _program(program: sim.Program) -> list[str]:
    lines = [f"[program.{key(program.name)}]", *_lines(PROGRAM, program)]
    parts: dict[str, list[str]] = {}
    for one in program.parts:
        word = PART_OF[type(one)]
        parts.setdefault(word.name, []).append(_inline(word, one))
    for name, several in parts.items():
        if len(several) == 1:
            lines.append(f"{name} = {several[0]}")
        else:
            lines += [f"{name} = [", *(f"  {one}," for one in several), "]"]
    return lines


def _change(change: sim.Change) -> list[str]:
    return [
        "[[change]]",
        *_lines(CHANGE, change),
        f"{change.knob} = {KNOBS[change.knob].write(change.value)}",
    ]
