"""``--set KEY=VALUE``, and the same of ``--compare`` and ``--sweep``: a key of a scenario.

A file of a cgroup by its path, as below /sys/fs/cgroup (``/web/memory.high=2G``); everything else as its
TOML key (``machine.ram=1GiB``, ``program.leak1.grow.rate=10MiB/s``), and a key of ``[scenario]``
without its section (``duration=5min``). Quotes around a value are not needed.
"""

from __future__ import annotations

import tomllib
from typing import Any, Final, NamedTuple

from memwarden.errors import UsageError
from memwarden.sim.words.merge import SECTIONS
from memwarden.sim.words.words import GROUP, SCENARIO
from memwarden.words.document import DEEPEST, deeper
from memwarden.words.kinds import FLAG
from memwarden.words.near import nearest

SAMPLE: Final = "write it as /web/memory.high=2G, machine.ram=1GiB or program.NAME.start=5s"


class Setting(NamedTuple):
    """What was said, with its option, and the tree of one key that it makes."""

    said: str
    tree: dict[str, Any]


def setting(text: str, option: str = "--set") -> Setting:
    """Read one ``KEY=VALUE``.

    Raises :class:`UsageError` where it is none.
    """
    key, sign, value = text.partition("=")
    said = f"{option} {text}"
    if not sign or not key.strip() or not value.strip():
        raise UsageError(f"{said}: is not KEY=VALUE; {SAMPLE}")
    keys = keys_of(key.strip(), said)
    tree = _tree(keys, _plain(keys, _value(value.strip())))
    if deeper(tree, DEEPEST):
        raise UsageError(f"{option}: what was written is nested too deeply; {SAMPLE}")
    return Setting(said, tree)


def keys_of(key: str, said: str) -> list[str]:
    """The keys from the top that a key of the command line names; ``said`` is what it stands in.

    Raises :class:`UsageError` where it names none.

    >>> keys_of("/a.slice/memory.high", ""), keys_of("machine.ram", ""), keys_of("seed", "")
    (['group', '/a.slice', 'memory', 'high'], ['machine', 'ram'], ['scenario', 'seed'])
    """
    if key.startswith("/"):
        path, _, knob = key.rpartition("/")
        if GROUP.key_of(knob) is None:
            raise UsageError(f"{said}: {_no_knob(knob)}")
        return ["group", path or "/", *knob.split(".")]
    try:
        found: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        raise UsageError(f"{said}: {key} is not a key; {SAMPLE}") from None
    keys: list[str] = []
    while isinstance(found, dict):
        [(name, found)] = found.items()
        keys.append(name)
    if len(keys) == 1 and SCENARIO.key_of(keys[0]) is not None:
        return ["scenario", *keys]
    if keys[0] == "memory":
        if GROUP.key_of(key) is None:
            raise UsageError(f"{said}: {_no_knob(key)}")
        raise UsageError(f"{said}: of which cgroup? W{SAMPLE[1:]}")
    if len(keys) == 1 or keys[0] not in SECTIONS or keys[0] == "change":
        known = [*SECTIONS[:-1], *(one.name for one in SCENARIO.keys)]
        raise UsageError(f"{said}: {keys[0]} is nothing that can be set{nearest(keys[0], known)}; {SAMPLE}")
    return keys


def _no_knob(knob: str) -> str:
    hint = nearest(knob, [one.name for one in GROUP.keys]) or f"; {SAMPLE}"
    return f"{knob} is no file of a cgroup that a scenario has{hint}"


def _tree(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    found: dict[str, Any] = value
    return found


def _plain(keys: list[str], value: Any) -> Any:
    """What people write to the kernel's file: 0 has no unit that could be wrong, and a flag is 0 or 1."""
    knob = GROUP.key_of(".".join(keys[2:])) if keys[0] == "group" else None
    if knob is None or isinstance(value, bool) or value not in (0, 1):
        return value
    if knob.kind is FLAG:
        return bool(value)
    return value or "0B"


def _value(text: str) -> Any:
    """A number, a flag, quoted text or a list as TOML reads it; everything else is text."""
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except (ValueError, RecursionError):  # too many digits, or brackets, too
        return text
    return value if isinstance(value, bool | int | float | str | list | dict) else text
