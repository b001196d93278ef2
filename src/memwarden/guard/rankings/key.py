"""What a rank key is, and what keys need that is worked out once per choice."""

from collections.abc import Callable, Container, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from memwarden.guard.view import View
from memwarden.rules.protection import Protection, effective_protections
from memwarden.state.cgroup import Cgroup, ancestry, parent_path
from memwarden.state.looked import special
from memwarden.state.process import Process
from memwarden.units import Limit

Figure: TypeAlias = int | float
_MIN: Final = itemgetter(Cgroup._fields.index("min_bytes"))
_LOW: Final = itemgetter(Cgroup._fields.index("low_bytes"))


class Ground:
    """One view, and the parameters of a ranking, with what several keys ask for."""

    __slots__ = ("_most", "_oomd", "_protections", "parameters", "snapshot", "view")

    def __init__(self, view: View, parameters: Mapping[str, float]) -> None:
        self.view = view
        self.snapshot = view.snapshot
        self.parameters = parameters
        self._protections: Mapping[str, Protection] | None = None
        self._oomd: dict[str, int] = {}
        self._most: dict[str, dict[str, Figure]] = {}

    def total_bytes(self, key: str) -> int:
        """``MemTotal`` or ``SwapTotal``, 0 where unknown; as oomd keeps it, in 32 bits with their sign."""
        meminfo: Mapping[str, object] = self.snapshot.meminfo or {}
        total = meminfo.get(key, 0)
        assert isinstance(total, int)
        if self.parameters.get("totals_int32"):
            return (total + (1 << 31)) % (1 << 32) - (1 << 31)
        return total

    def protections(self) -> Mapping[str, Protection]:
        """What protects each from the machine's reclaim; of nobody where nobody asked for any."""
        if self._protections is None:
            cgroups = special(self.snapshot.cgroups)
            asked = any(map(_MIN, cgroups)) or any(map(_LOW, cgroups))
            self._protections = effective_protections(self.snapshot) if asked else {}
        return self._protections

    def protected_bytes(self, path: str) -> Limit:
        """What of a cgroup the kernel protects from the machine's reclaim, by min or low."""
        protection = self.protections().get(path)
        return 0 if protection is None else max(protection.min_bytes, protection.low_bytes)

    def oomd_protected_bytes(self, path: str) -> int:
        """The same as oomd works it out (``src/oomd/CgroupContext.cpp:getMemoryProtection``).

        R = min(usage, max(min, low)); at the top it is R, below R * min(1, P(parent) / sum of the siblings'
        R).
        """
        for above in reversed(ancestry(path)):
            if above not in self._oomd:
                self._oomd[above] = self._oomd_protected(above)
        return self._oomd[path]

    def _oomd_protected(self, path: str) -> int:
        above = parent_path(path)
        if above is None:
            return self.usage_bytes("/")
        own = self._claimed(path)
        if above == "/":
            return own
        parent = self.snapshot.cgroups.get(above)
        siblings = parent.children if parent is not None else (path,)
        claims = sum(self._claimed(sibling) for sibling in siblings)
        return int(own * min(1.0, self._oomd[above] / claims)) if claims else 0

    def _claimed(self, path: str) -> int:
        cgroup = self.snapshot.cgroups.get(path)
        if cgroup is None:
            return 0
        claimed = min(cgroup.current_bytes or 0, max(cgroup.min_bytes or 0, cgroup.low_bytes or 0))
        assert isinstance(claimed, int)
        return claimed

    def usage_bytes(self, path: str) -> int:
        """``memory.current``; of the root what is not available."""
        if path == "/":
            meminfo = self.snapshot.meminfo or {}
            return meminfo.get("MemTotal", 0) - meminfo.get("MemAvailable", 0)
        cgroup = self.snapshot.cgroups.get(path)
        return 0 if cgroup is None else cgroup.current_bytes or 0

    def greatest(
        self, name: str, path: str, of_process: Callable[[Process, "Ground"], Figure | None]
    ) -> Figure | None:
        """The greatest figure of the processes in a cgroup and below it; ``None`` when none has one."""
        most = self._most.get(name)
        if most is None:
            most = self._most[name] = {}
            for process in self.snapshot.processes.values():
                figure = None if process.is_kernel_thread else of_process(process, self)
                if figure is not None and process.cgroup is not None:
                    _raise(most, process.cgroup, figure)
        return most.get(path)


class Key(NamedTuple):
    """One rank key: a number per candidate, the greatest dies first; ``None`` where the machine does not say.

    ``bound`` is what no cgroup below this one exceeds; without it nothing is known of what is below. A
    candidate of a ``quantity`` must have more of it than the ranking's ``least`` to be one at all; other keys
    ask for that only where ``least`` is above 0, since their 0 means something. ``floor`` is compared with
    ``least`` in place of the figure. ``of_group`` is for a key that depends on who else is a candidate: the
    parts of the figure for each, the first that differs decides. ``among`` are the only cgroups whose figure
    may be above 0, where that is known without asking each.
    """

    of_cgroup: Callable[[Cgroup, Ground], Figure | None]
    of_process: Callable[[Process, Ground], Figure | None]
    bound: Callable[[Cgroup, Ground], Figure | None] | None = None
    unit: str = "bytes"
    quantity: bool = True
    of_processes: bool = False
    """Whether a cgroup's figure is made of those of the processes in it."""
    of_swap: bool = False
    """Whether ``least`` is of SwapTotal; of MemTotal otherwise."""
    floor: Callable[[Cgroup, Ground], Figure | None] | None = None
    of_group: Callable[[Sequence[Cgroup], Ground], list[tuple[Figure, ...]]] | None = None
    among: Callable[[Ground], Container[str] | None] | None = None


def _raise(most: dict[str, Figure], path: str, figure: Figure) -> None:
    for above in ancestry(path):
        if above in most and most[above] >= figure:
            return
        most[above] = figure
