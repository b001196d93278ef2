"""When it is the number of processes that fills memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem.model import Advice
from memwarden.postmortem.why_programs import programs
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts


def workers(facts: Facts) -> tuple[Advice, ...]:
    """It is the number that has to go down, not the size of any one."""
    found = programs(facts.report)
    if not found or not found[0].is_workers:
        return ()
    one = found[0]
    mean = size(one.size_bytes // one.processes)
    what = (
        f"Run fewer {one.comm} processes at a time: {one.processes} held {size(one.size_bytes)}, "
        f"{mean} each on "
        "average (a worker or pool setting of the program)."
    )
    return (Advice(what, None),)
