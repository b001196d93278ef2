"""What could not be read, in plain words: which answers that costs, and what would give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.present.text import counted, escape
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.snapshot import CgroupMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.state.snapshot import Snapshot

NAMED: Final = 3
"""Files named one by one; the rest is counted."""


def plain(snapshot: Snapshot) -> list[str]:
    """One sentence per kind of gap, the costliest first. What this kernel never had is no gap here."""
    of = {reason: [gap for gap in snapshot.gaps if gap.reason is reason] for reason in GapReason}
    return [
        *_view(snapshot),
        *_hierarchy(snapshot),
        *_pressure(snapshot),
        *_refused(of[GapReason.NOT_PERMITTED]),
        *_malformed(of[GapReason.MALFORMED]),
        *_unsupported(snapshot, of[GapReason.NOT_SUPPORTED]),
        *_gone(of[GapReason.GONE]),
    ]


def _view(snapshot: Snapshot) -> list[str]:
    view = snapshot.host.container_view
    if view is None:
        return []
    if view == "lxcfs":
        return ["lxcfs is mounted over /proc: the machine's figures here are those of this container"]
    return [f"this is the inside of a container ({escape(view)}): what runs outside of it is not seen"]


def _hierarchy(snapshot: Snapshot) -> list[str]:
    if snapshot.cgroup_mode is CgroupMode.V2:
        return []
    if snapshot.cgroup_mode is CgroupMode.NONE:
        return [
            "no cgroup hierarchy with the memory controller was found: only the machine as a whole is shown"
        ]
    return ["memory is on cgroup v1, which has no memory.high, memory.min, memory.low or pressure per cgroup"]


def _pressure(snapshot: Snapshot) -> list[str]:
    if snapshot.memory_pressure is not None:
        return []
    reasons = {gap.reason for gap in snapshot.gaps if gap.path == "/proc/pressure/memory"}
    if GapReason.NOT_PERMITTED in reasons:
        return ["no PSI: /proc/pressure/memory may not be read here"]
    if GapReason.MALFORMED in reasons:
        return []  # said with the other malformed files
    return ["no PSI: this kernel was built without it or booted with psi=0; boot with psi=1 to have it"]


def _refused(gaps: list[Gap]) -> list[str]:
    processes = {gap.path.split("/")[2] for gap in gaps if _is_of_process(gap)}
    others = [gap for gap in gaps if not _is_of_process(gap) and not gap.path.startswith("/proc/pressure/")]
    said = []
    if processes:
        said.append(
            f"{counted(len(processes), 'process', 'processes')} could not be read in full (no permission): "
            "run as root to see all of it"
        )
    if others:
        said.append(f"not permitted: {_names(others)}")
    return said


def _is_of_process(gap: Gap) -> bool:
    return gap.path.startswith("/proc/") and gap.path.split("/")[2].isdecimal()


def _malformed(gaps: list[Gap]) -> list[str]:
    said = [
        f"{escape(gap.path)} is not what the kernel prints ({escape(gap.detail)})" for gap in gaps[:NAMED]
    ]
    more = len(gaps) - NAMED
    return (
        [*said, f"and {counted(more, 'more file')} that are not what the kernel prints"] if more > 0 else said
    )


def _unsupported(snapshot: Snapshot, gaps: list[Gap]) -> list[str]:
    # Pressure files are many and have one cause, which is said once for the machine; so is v1.
    said = {snapshot.cgroup_root, "/proc/self/mountinfo"}
    others = [
        gap
        for gap in gaps
        if gap.path not in said and not gap.path.startswith("/proc/pressure/")
        if not gap.path.endswith((".pressure", "/cgroup.controllers"))
    ]
    return [f"not supported here: {_names(others)}"] if others else []


def _gone(gaps: list[Gap]) -> list[str]:
    return (
        [f"{counted(len(gaps), 'file')} vanished while being read, as processes and cgroups ended"]
        if gaps
        else []
    )


def _names(gaps: Iterable[Gap]) -> str:
    paths = sorted({gap.path for gap in gaps})
    named = ", ".join(escape(path) for path in paths[:NAMED])
    return f"{named} and {len(paths) - NAMED} more" if len(paths) > NAMED else named
