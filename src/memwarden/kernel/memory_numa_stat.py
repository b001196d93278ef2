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
from memwarden.kernel.deferred import Deferred, only_digits_differ
from memwarden.kernel.memory_stat import KEYS, MemoryStat
from memwarden.kernel.numbers import unsigned

NumaStat: TypeAlias = dict[int, MemoryStat]
"""Node number to what the cgroup has there, with the keys and units of ``memory.stat``."""


def parse(text: str, *, path: str = "<memory.numa_stat>") -> NumaStat:
    """Parse the file; keys that ``memory.stat`` is not known to have are ignored.

    Raises ``ParseError`` also when not all lines have the same nodes.
    """
    keys, nodes = _columns(text, path)
    return cast("NumaStat", {node: flat_keyed.figures(keys, values, KEYS) for node, values in nodes.items()})


def parse_later(text: str, *, before: str | None = None, path: str = "<memory.numa_stat>") -> NumaStat:
    """The same, and as strict at once, but turned into figures when one is asked for.

    ``before`` is a text that was taken, as with ``memory.stat``. Names of nodes have digits too, so that it
    is of use where there is one node.
    """
    one_node = text.count(" N0=") == text.count("=")
    if before is None or not one_node or not only_digits_differ(before, text):
        _columns(text, path)
    return cast("NumaStat", Deferred(text, parse))


def _columns(text: str, path: str) -> tuple[list[str], dict[int, list[str]]]:
    """The keys, and of each node the values as they stand there."""
    width = text.partition("\n")[0].count("=")
    words = text.replace("=", " ").split()
    stride = 1 + 2 * width  # key, then name and value of each node
    lines = flat_keyed.line_count(text)
    if width and len(words) == stride * lines and text.count("=") == width * lines:
        keys = words[::stride]
        try:
            nodes = {
                _node(words[column::stride]): words[column + 1 :: stride] for column in range(1, stride, 2)
            }
        except ValueError:
            raise _first_wrong(text, path) from None
        if all(map(flat_keyed.unsigned_all, nodes.values())) and not KEYS.isdisjoint(keys):
            return keys, nodes
    raise _first_wrong(text, path)


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
