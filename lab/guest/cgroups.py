"""Makes, fills, reads and removes the cgroups of a scenario, on v2 or on the v1 memory controller."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios import Group

MIB = 1 << 20
V2_ROOT = "/sys/fs/cgroup"
V1_ROOT = "/sys/fs/cgroup/memory"


def put(path: str, text: str) -> None:
    """Write one value; unbuffered, so that the kernel's answer belongs to this write."""
    with open(path, "wb", buffering=0) as file:
        file.write(text.encode())


def get(path: str) -> str:
    """The content, stripped; empty where the file is missing or cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


class Tree:
    """The hierarchy that controls memory on this boot."""

    def __init__(self) -> None:
        self.v1 = os.path.isdir(V1_ROOT)
        self.root = V1_ROOT if self.v1 else V2_ROOT
        self.made: list[str] = []
        available = get(self.root + "/cgroup.controllers").split()
        self.control = "+memory +cpuset" if "cpuset" in available else "+memory"
        if not self.v1:
            put(self.root + "/cgroup.subtree_control", self.control)

    @property
    def mounts(self) -> list[str]:
        """Where cgroups are mounted."""
        return [V1_ROOT, V2_ROOT + "/unified"] if self.v1 else [V2_ROOT]

    def at(self, path: str, name: str = "") -> str:
        return self.root + path + ("/" + name if name else "")

    def make(self, groups: tuple[Group, ...]) -> None:
        """Create the cgroups, parents first, and write what each row says."""
        parents = {g.path.rpartition("/")[0] for g in groups}
        for group in groups:
            os.mkdir(self.at(group.path))
            self.made.append(group.path)
            if self.v1:
                self._fill_v1(group)
            else:
                self._fill_v2(group, is_parent=group.path in parents)

    def _fill_v2(self, group: Group, *, is_parent: bool) -> None:
        sizes = {"max": group.max, "swap.max": group.swap_max, "low": group.low, "min": group.min}
        for name, value in sizes.items():
            if value is not None:
                put(self.at(group.path, "memory." + name), str(int(value * MIB)))
        if group.oom_group:
            put(self.at(group.path, "memory.oom.group"), "1")
        if is_parent:
            put(self.at(group.path, "cgroup.subtree_control"), self.control)
        if group.mems is not None:
            put(self.at(group.path, "cpuset.mems"), group.mems)

    def _fill_v1(self, group: Group) -> None:
        # Before v5.11 a v1 hierarchy is only one when its top says so, before it has children.
        with contextlib.suppress(OSError):
            put(self.at(group.path, "memory.use_hierarchy"), "1")
        if group.max is not None:
            put(self.at(group.path, "memory.limit_in_bytes"), str(int(group.max * MIB)))
        if group.memsw is not None:
            put(self.at(group.path, "memory.memsw.limit_in_bytes"), str(group.memsw * MIB))
        if group.oom_kill_disable:
            put(self.at(group.path, "memory.oom_control"), "1")

    def usage(self, path: str) -> int:
        return int(get(self.at(path, "memory.usage_in_bytes" if self.v1 else "memory.current")))

    def limit(self, path: str) -> int:
        return int(get(self.at(path, "memory.limit_in_bytes" if self.v1 else "memory.max")))

    def unexplained(self, path: str) -> int:
        """How far memory.stat is from the usage, 0 where the kernel does not itemise all of it."""
        lines = get(self.at(path, "memory.stat")).splitlines()
        if self.v1 or _keyed(lines, "kernel") == 0:
            return 0
        return self.usage(path) - sum(_keyed(lines, key) for key in ("anon", "file", "kernel", "sock"))

    def kills(self, path: str | None) -> int:
        """Kills counted so far: by the cgroup, or by the machine."""
        if path is None:
            lines = get("/proc/vmstat").splitlines()
        elif self.v1:
            return _keyed(get("/proc/vmstat").splitlines(), "oom_kill")
        else:
            lines = get(self.at(path, "memory.events")).splitlines()
        return _keyed(lines, "oom_kill")

    def under_oom(self, path: str) -> bool:
        """Whether tasks wait here for memory, on v1 with its OOM killer switched off."""
        return bool(_keyed(get(self.at(path, "memory.oom_control")).splitlines(), "under_oom"))

    def events(self) -> dict[str, dict[str, str]]:
        """The event files of every cgroup of this scenario."""
        names = ("memory.failcnt", "memory.oom_control", "memory.memsw.failcnt") if self.v1 else (
            "memory.events", "memory.events.local", "memory.swap.events")  # fmt: skip
        return {path: {name: get(self.at(path, name)) for name in names} for path in self.made}

    def remove(self) -> None:
        """Remove what was made, children first; a dying process may keep its cgroup busy for a moment."""
        for path in reversed(self.made):
            for _ in range(100):
                try:
                    os.rmdir(self.at(path))
                except OSError:
                    time.sleep(0.05)
                else:
                    break
        self.made.clear()


def _keyed(lines: list[str], key: str) -> int:
    return next((int(line.split()[1]) for line in lines if line.split()[0] == key), 0)
