"""What a memory cgroup holds on each NUMA node: ``memory.numa_stat`` of cgroup v2.

::

    anon N0=1323008 N1=0
    file N0=4628480 N1=8192
    workingset_refault_file N0=12 N1=0

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``mm/memcontrol.c:memory_numa_stat_show``. Keys and
units are those of ``memory.stat`` (:mod:`memwarden.kernel.memory_stat`); only what is kept per node is here.
"""

from __future__ import annotations

from typing import TypeAlias, cast

from memwarden.errors import ParseError
from memwarden.kernel import flat_keyed
from memwarden.kernel.memory_stat import KEYS, MemoryStat
from memwarden.kernel.numbers import unsigned

NumaStat: TypeAlias = dict[int, MemoryStat]
"""Node number to what the cgroup has there, with the keys and units of ``memory.stat``."""


def parse(text: str, *, path: str = "<memory.numa_stat>") -> NumaStat:
    """Parse the file; keys that ``memory.stat`` is not known to have are ignored.

    Raises ``ParseError`` also when not all lines have the same nodes.
    """
    nodes = text.partition("\n")[0].count("=")
    words = text.replace("=", " ").split()
    stride = 1 + 2 * nodes  # key, then name and value of each node
    lines = flat_keyed.line_count(text)
    stat = {}
    if len(words) == stride * lines and text.count("=") == nodes * lines:
        try:
            for column in range(1, stride, 2):
                node = _node(words[column::stride])
                stat[node] = flat_keyed.figures(words[::stride], words[column + 1 :: stride], KEYS)
        except ValueError:
            raise _first_wrong(text, path) from None
    if not any(stat.values()):
        raise _first_wrong(text, path)
    return cast("NumaStat", stat)


def _node(names: list[str]) -> int:
    name = names[0]
    if names.count(name) != len(names) or not name.startswith("N"):
        raise ValueError(name)
    return unsigned(name[1:])


def _first_wrong(text: str, path: str) -> ParseError:
    lines = text.removesuffix("\n").split("\n")
    expected = _names(lines[0])
    for number, line in enumerate(lines, 1):
        if not expected or _names(line) != expected:
            return ParseError(path, line, "not a key and N<node>=<bytes> of every node", line_number=number)
    return ParseError(path, text, "no known key")


def _names(line: str) -> list[str]:
    """``["N0", "N1"]``; empty when the line is malformed."""
    names = []
    key, _, pairs = line.partition(" ")
    for pair in [] if "=" in key else pairs.split():
        name, _, value = pair.partition("=")
        try:
            _node([name])
            unsigned(value)
        except ValueError:
            return []
        names.append(name)
    return names
