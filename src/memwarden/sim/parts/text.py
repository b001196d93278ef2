"""What programs execute from: mapped files of the machine's page cache, without which nobody gets on.

``mm/filemap.c:filemap_fault`` (v6.12): a task whose code was reclaimed waits until it was read again, which
is a memory stall, as the page was in use (``folio_wait_bit_common``: ``folio_test_workingset``). Near an
OOM without swap there is little else that can be reclaimed: tasks take each other's code away, and each
page so freed is progress, with which ``should_reclaim_retry`` begins to count anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.memory.machine import allocate
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.process import Retry

if TYPE_CHECKING:
    from memwarden.sim.world.holding import File, FilePages
    from memwarden.sim.world.process import Task
    from memwarden.sim.world.world import World

TEXT: Final = 32
"""Pages that a program needs to get on: what one fault on a mapped file brings (``ra_pages``), 128 KiB."""


class Text:
    """The code of one program, charged to no cgroup, and in memory from the start.

    It is part of what the scenario's machine has in use by itself.
    """

    __slots__ = ("arrives_us", "file", "part", "world")

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.file: File = world.file(f"text of {name}", TEXT * PAGE)
        self.part: FilePages = self.file.of(world.root)
        self.part.code = self.part.mapped = True
        self.arrives_us = 0
        world.kernel -= min(TEXT, world.kernel)
        world.charge(world.root, TEXT)
        world.executable += TEXT
        self._put(TEXT)

    def needed(self, task: Task) -> None:
        """A task is about to execute.

        Raises ``Retry`` when it has to wait, and what :func:`allocate` raises.
        """
        missing = TEXT - self.part.active
        if not missing:
            return
        world = self.world
        if world.now >= self.arrives_us:
            missing = allocate(task, missing)
            world.charge(world.root, missing)
            world.root.kernel += missing
            world.arriving += missing
            self.file.evicted -= missing
            world.root.counts["refault_file"] += missing
            work = missing * world.machine.fault_us
            task.cpu += work
            begun = world.now + task.reclaim + task.wait
            read = world.disk.read_us(begun, missing * PAGE)
            took = task.reclaim + task.wait + max(read - work, 0.0)
            self.arrives_us = world.now + int(took)
            world.at(self.arrives_us, self._arrived, missing)
        task.inside = task.faulted = True
        raise Retry(max(self.arrives_us - world.now, 1) - task.reclaim - task.wait)

    def _arrived(self, pages: int) -> None:
        self.world.root.kernel -= pages
        self.world.arriving -= pages
        self._put(pages)

    def _put(self, pages: int) -> None:
        self.part.active += pages
        self.world.root.active_file += pages
        self.world.code += pages
