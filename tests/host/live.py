"""Cgroups of this machine for tests to make and break; every test that uses them cleans up."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest

from memwarden.collect import hierarchy
from memwarden.collect.leniency import Reading
from memwarden.host.live import Live
from memwarden.state.snapshot import CgroupMode


class LiveHierarchy(NamedTuple):
    """Where cgroups with the memory controller can be made here."""

    mode: CgroupMode
    mount_point: str
    parent: str
    """A directory in which new cgroups have the memory controller."""


def memory_hierarchy():
    """The hierarchy of this machine, or ``None`` where we may not make cgroups with memory in it."""
    source = Live()
    reading = Reading(source)
    found = hierarchy.detect(reading, hierarchy.mounts(reading), None)
    source.close()
    if found.mode is CgroupMode.NONE or not os.access(found.mount_point, os.W_OK):
        return None
    if found.mode is CgroupMode.V2:
        control = Path(found.mount_point, "cgroup.subtree_control")
        if "memory" not in control.read_text().split():
            return None
    return LiveHierarchy(found.mode, found.mount_point, found.mount_point)


def make_live_cgroup():
    """Generator of a fixture: a new cgroup with memory, as a ``Path``, removed with all below it."""
    found = memory_hierarchy()
    if found is None:
        pytest.skip("no cgroup with memory can be made here (needs root and a writable hierarchy)")
    path = Path(found.parent, f"memwarden-test-{uuid.uuid4().hex[:8]}")
    path.mkdir()
    try:
        yield path
    finally:
        remove(path)


def make_live_cgroup2():
    """Generator of a fixture: a new cgroup of v2, with or without memory in it, and the root above it."""
    source = Live()
    reading = Reading(source)
    mounts = [mount for mount in hierarchy.mounts(reading) if mount.fs_type == "cgroup2"]
    source.close()
    if not mounts or not os.access(mounts[0].mount_point, os.W_OK):
        pytest.skip("no cgroup of v2 can be made here (needs root and a writable hierarchy)")
    path = Path(mounts[0].mount_point, f"memwarden-test-{uuid.uuid4().hex[:8]}")
    path.mkdir()
    try:
        yield path
    finally:
        kill = path / "cgroup.kill"
        if kill.exists():
            kill.write_text("1")
        for _ in range(200):
            if "populated 0" in (path / "cgroup.events").read_text():
                break
            time.sleep(0.01)
        remove(path)


def remove(path):
    """Remove a cgroup and all below it."""
    for directory, _, _ in os.walk(path, topdown=False):
        os.rmdir(directory)
