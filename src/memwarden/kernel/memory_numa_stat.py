"""What a memory cgroup holds on each NUMA node: ``memory.numa_stat`` of cgroup v2.

::

    anon N0=1323008 N1=0
    file N0=4628480 N1=8192
    workingset_refault_file N0=12 N1=0

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``mm/memcontrol.c:memory_numa_stat_show``. Keys and
units are those of ``memory.stat`` (:mod:`memwarden.kernel.memory_stat`); only what is kept per node is here.
"""

from __future__ import annotations

from typing import TypeAlias

from memwarden.errors import ParseError
from memwarden.kernel.memory_stat import KEYS
from memwarden.kernel.numbers import unsigned

NumaStat: TypeAlias = dict[str, dict[int, int]]
"""Key of ``memory.stat`` to node number to bytes (or a count, where ``memory.stat`` has a count)."""


def parse(text: str, *, path: str = "<memory.numa_stat>") -> NumaStat:
    """Parse the file; keys that ``memory.stat`` is not known to have are ignored."""
    stat: NumaStat = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, _, rest = line.partition(" ")
        if key in KEYS:
            try:
                stat[key] = _nodes(rest)
            except ValueError:
                raise ParseError(
                    path, line, "not a key and N<node>=<value> pairs", line_number=number
                ) from None
    if not stat:
        raise ParseError(path, text, "no known key")
    return stat


def _nodes(rest: str) -> dict[int, int]:
    nodes = {}
    for word in rest.split():
        node, _, value = word.partition("=")
        if not node.startswith("N"):
            raise ValueError(word)
        nodes[unsigned(node[1:])] = unsigned(value)
    return nodes
