"""I/O of a cgroup by device: ``io.stat`` of cgroup v2.

::

    8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0
    8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``block/blk-cgroup.c:blkcg_print_one_stat``. Some
kernels print a device that did nothing without figures, even without ending its line: ``8:0 8:16 rbytes=…``.
"""

from typing import Final, TypedDict, cast

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned


class IoStat(TypedDict, total=False):
    """Bytes and operations read, written and discarded since the cgroup was made."""

    rbytes: int
    wbytes: int
    dbytes: int
    rios: int
    wios: int
    dios: int


KEYS: Final = frozenset(IoStat.__annotations__)


def parse(text: str, *, path: str = "<io.stat>") -> dict[str, IoStat]:
    """Device ``major:minor`` to its figures; empty where nothing was read or written."""
    devices: dict[str, dict[str, int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        device = ""
        for word in line.split():
            key, equals, value = word.partition("=")
            try:
                if not equals:
                    device = _device(word)
                elif key in KEYS:
                    devices.setdefault(_device(device), {})[key] = unsigned(value)
            except ValueError:
                raise ParseError(path, line, "not a device and its figures", line_number=number) from None
    return cast("dict[str, IoStat]", devices)


def _device(word: str) -> str:
    major, _, minor = word.partition(":")
    return f"{unsigned(major)}:{unsigned(minor)}"
