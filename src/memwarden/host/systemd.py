"""What systemd knows of its units, in the form that ``systemctl show`` prints.

::

    Id=postgresql.service
    ControlGroup=/system.slice/postgresql.service
    ManagedOOMSwap=auto
    ManagedOOMMemoryPressure=auto
    MemoryLow=536870912

Blocks of ``Name=value`` with an empty line between them. ``systemctl`` asks over D-Bus; one run of it answers
for all units, where ``busctl`` would have to be run for each. It is run at start and at a reload, never in
the loop: systemd may itself be waiting for memory, and so its answer is waited for only so long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError, UnsupportedError
from memwarden.host import programs
from memwarden.host.effects import Hands
from memwarden.host.underway import ready
from memwarden.units import MIB, SECOND_US

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_US: Final = 10 * SECOND_US
MOST: Final = 16 * MIB
"""Bytes of an answer; some 500 for each unit."""
PATTERNS: Final = ("*.service", "*.slice", "*.scope")
"""Units that have a cgroup. A pattern names those that systemd has loaded."""
PROPERTIES: Final = (
    "Id",
    "ActiveState",
    "ControlGroup",
    "Slice",
    "MainPID",
    "Delegate",
    "OOMPolicy",
    "OOMScoreAdjust",
    "ManagedOOMSwap",
    "ManagedOOMMemoryPressure",
    "ManagedOOMMemoryPressureLimit",
    "ManagedOOMMemoryPressureDurationUSec",
    "ManagedOOMPreference",
    "MemoryMin",
    "MemoryLow",
    "MemoryHigh",
    "MemoryMax",
    "MemorySwapMax",
)
"""A property that a version of systemd does not have is left out of its answer."""


def show(
    patterns: Sequence[str] = PATTERNS,
    *,
    properties: Sequence[str] = PROPERTIES,
    limit_us: int = LIMIT_US,
    program: str | None = None,
) -> str:
    """The blocks of all loaded units with these names.

    Raises :class:`UnsupportedError` where there is no systemd to ask, :class:`InputError` when it fails.
    """
    program = program or programs.find("systemctl")
    if program is None:
        raise UnsupportedError("systemctl is not installed, so nothing is known of systemd's units")
    words = (program, "show", "--no-pager", f"--property={','.join(properties)}", "--", *patterns)
    code, output = _run(words, limit_us)
    if code != 0:
        said = output.decode("utf-8", "replace").strip().partition("\n")[0]
        problem = programs.sentence(code, limit_us, late=code is None)
        raise InputError(f"systemctl show {problem}" + (f": {said}" if said else ""))
    return output.decode("utf-8", "replace")


def _run(words: Sequence[str], limit_us: int) -> tuple[int | None, bytes]:
    """Exit code (``None``: killed when its time was over) and output."""
    hands = Hands()
    try:
        program = hands.spawn(words, programs.ENVIRONMENT, limit_us, MOST)
    except OSError as error:
        raise InputError(f"{words[0]} cannot be run: {error.strerror}") from None
    until = time.monotonic_ns() // 1000 + limit_us
    late = False
    while not ready([program.pidfd], 0) and not late:
        left = until - time.monotonic_ns() // 1000
        late = left <= 0
        ready(program.filenos(), max(-(-left // 1000), 0))
        program.collect()
    code = hands.end(program)
    if code is None:
        hands.reap(program, 1000)
    if program.dropped:
        raise InputError(f"{words[0]}: its answer is longer than {MOST // MIB} MiB")
    return None if late else code, bytes(program.output)
