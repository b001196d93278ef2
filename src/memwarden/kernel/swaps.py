r"""Swap areas in use: ``/proc/swaps``.

::

    Filename				Type		Size		Used		Priority
    /dev/vdb                                partition	98300		1024		-2
    /srv/swap\040file\040(deleted)          file		65532		0		5

Kernel: ``mm/swapfile.c:swap_show``. Size and use in kB; blanks, tabs, newlines and backslashes in the
path are printed as ``\ooo``; a swap file that was unlinked ends in ``\040(deleted)``.
"""

from typing import NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.escapes import unescape
from memwarden.kernel.numbers import signed, unsigned
from memwarden.units import KIB


class SwapArea(NamedTuple):
    """One swap area; the higher ``priority`` is used first.

    ``type`` is ``partition`` or ``file`` (lxcfs prints ``virtual``). ``deleted``: the swap file was unlinked.
    """

    path: str
    type: str
    size_bytes: int
    used_bytes: int
    priority: int
    deleted: bool = False


def parse(text: str, *, path: str = "<swaps>") -> tuple[SwapArea, ...]:
    """Parse the file; its heading alone means that there is no swap."""
    heading, *lines = text.removesuffix("\n").split("\n")
    if heading.split()[:2] != ["Filename", "Type"]:
        raise ParseError(path, heading, "no heading 'Filename Type Size Used Priority'", line_number=1)
    areas = []
    for number, line in enumerate(lines, 2):
        try:
            areas.append(_area(line))
        except ValueError:
            raise ParseError(
                path, line, "not path, type, size, used and priority", line_number=number
            ) from None
    return tuple(areas)


def _area(line: str) -> SwapArea:
    name, _, rest = line.partition(" ")
    kind, size, used, priority = rest.split()
    name = unescape(name)
    return SwapArea(
        path=name.removesuffix(" (deleted)"),
        type=kind,
        size_bytes=unsigned(size) * KIB,
        used_bytes=unsigned(used) * KIB,
        priority=signed(priority),
        deleted=name.endswith(" (deleted)"),
    )
