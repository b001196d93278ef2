"""Which task does which part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim import scenario as words
from memwarden.sim.parts import anon, files, others, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.sim.world.process import Proc, Task

TASKS: Final[dict[type, Callable[..., Task]]] = {
    words.Grow: anon.Growth,
    words.Mlock: anon.Growth,
    words.Steps: anon.Stepping,
    words.Sawtooth: anon.Collected,
    words.Spike: anon.Spiking,
    words.WorkingSet: serving.Serving,
    words.ReadFile: files.Reading,
    words.WriteFile: files.Writing,
    words.Tmpfs: others.Filling,
    words.KernelMemory: others.Kernel,
    words.Forks: others.Forking,
}


def task_of(proc: Proc, part: words.Part) -> Task:
    """The task that does this part."""
    return TASKS[type(part)](proc, part)
