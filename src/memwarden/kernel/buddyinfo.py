"""Free blocks of each order in each zone: ``/proc/buddyinfo``.

::

    Node 0, zone   Normal    858    240    131    438    426    345    252     85     20      1     12

Kernel: Documentation/filesystems/proc.rst, ``mm/vmstat.c:frag_show_print``. Column n (from 0)
counts free blocks of 2^n pages.
"""

from typing import NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned
from memwarden.kernel.zoneinfo import heading


class BuddyZone(NamedTuple):
    """The free lists of one zone; ``free_blocks[n]`` is how many blocks of ``2**n`` pages are free."""

    node: int
    name: str
    free_blocks: tuple[int, ...]

    def free_pages(self, order: int = 0) -> int:
        """Pages in free blocks of at least ``order``: what an allocation of that order can be cut from."""
        return sum(blocks << n for n, blocks in enumerate(self.free_blocks) if n >= order)


def parse(text: str, *, path: str = "<buddyinfo>") -> tuple[BuddyZone, ...]:
    """Parse the file, zones in the order printed."""
    zones = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        try:
            zones.append(BuddyZone(*heading(words[:4]), tuple([unsigned(blocks) for blocks in words[4:]])))
        except ValueError:
            raise ParseError(path, line, "not 'Node N, zone NAME' and counts", line_number=number) from None
    if not zones:
        raise ParseError(path, text, "no zone")
    return tuple(zones)
