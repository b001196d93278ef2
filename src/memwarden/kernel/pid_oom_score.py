"""The OOM score of a process: ``/proc/PID/oom_score``.

::

    666

Kernel: Documentation/filesystems/proc.rst, ``fs/proc/base.c:proc_oom_score``. 0 to 2000 since 5.9, where
an idle process has 666; before, 0 to 1000 from 0. Always scaled by the RAM and swap of the machine.
"""

from __future__ import annotations

from memwarden.kernel import scalar


def parse(text: str, *, path: str = "<oom_score>") -> int:
    """The score; 0 does not mean that the process cannot be killed."""
    return scalar.parse_number(text, path=path)
