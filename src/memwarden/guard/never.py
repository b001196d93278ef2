"""Whom no policy kills: init, kernel threads, ourselves, and what a machine cannot be reached without.

The built-in list is of units and of names of processes. Anyone may call a cgroup or a process what they like,
so an entry of it counts only for what the machine itself runs: a unit that lies below nothing but slices, and
a process of a system account whose parent is init. An ``sshd`` in a container, or one that serves a login,
dies with what it belongs to. Entries that a policy adds count wherever they match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.guard.globs import Name
from memwarden.guard.names import Names, is_glob
from memwarden.rules.badness import OOM_SCORE_ADJ_MIN
from memwarden.state.cgroup import parent_path
from memwarden.state.looked import others

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process
    from memwarden.state.snapshot import Snapshot

BUILT_IN: Final = (
    # Init and service managers.
    "init.scope", "comm:systemd", "comm:init",
    # Container runtimes and what watches containers.
    "containerd.service", "docker.service", "crio.service", "cri-docker.service", "podman.service",
    "libpod-conmon-*.scope", "crio-conmon-*.scope",
    "comm:containerd", "comm:containerd-shim*", "comm:dockerd", "comm:crio", "comm:conmon",
    # Kubernetes on this node.
    "kubelet.service", "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service",
    "comm:kubelet", "comm:k3s-server", "comm:k3s-agent",
    # The way in.
    "sshd.service", "ssh.service", "dropbear.service", "comm:sshd", "comm:dropbear",
    # The journal.
    "systemd-journald.service", "systemd-journald@*.service", "comm:systemd-journal",
    # The bus and who logs people in.
    "dbus.service", "dbus-broker.service", "comm:dbus-daemon", "comm:dbus-broker*",
    "systemd-logind.service", "elogind.service", "comm:systemd-logind", "comm:elogind*",
    # Devices.
    "systemd-udevd.service", "comm:systemd-udevd", "comm:udevd",
    # The network.
    "NetworkManager.service", "systemd-networkd.service", "systemd-resolved.service", "networking.service",
    "wpa_supplicant.service", "iwd.service", "connman.service", "dhcpcd.service",
    "comm:NetworkManager", "comm:systemd-network", "comm:systemd-resolve", "comm:wpa_supplicant", "comm:iwd",
    "comm:connmand", "comm:dhclient", "comm:dhcpcd",
)  # fmt: skip
"""Entries as in :class:`memwarden.guard.ir.Preferences`; a comm has at most 15 characters."""

_CACHED: Final = 1 << 14
"""Paths that are remembered; a machine that makes cgroups all the time must not fill memory."""
_SYSTEM_UID_MAX: Final = 999
"""``SYS_UID_MAX`` of login.defs and systemd: accounts up to here are of the system."""


def resolve(extend: Iterable[str] = (), shorten: Iterable[str] = ()) -> tuple[str, ...]:
    """The built-in list with a policy's own entries, and without those that it explicitly takes out.

    Raises :class:`InputError` for one to take out that is not on the list.
    """
    gone = tuple(shorten)
    for entry in gone:
        if entry not in BUILT_IN:
            raise InputError(f"{entry!r} is not on the built-in list, so it cannot be taken out of it")
    kept = [entry for entry in BUILT_IN if entry not in gone]
    return (*kept, *(entry for entry in dict.fromkeys(extend) if entry not in kept))


class Guarded:
    """Who may not be killed under one policy, and why.

    ``never`` is the list as :func:`resolve` gives it, ``protect`` the policy's own services to be kept alive;
    ``own_pid`` and ``own_cgroup`` are ours. What was found out about a snapshot serves until the next.
    """

    __slots__ = (
        "_cgroups",
        "_comms",
        "_known",
        "_never",
        "_own_cgroup",
        "_own_pid",
        "_paths",
        "_protect",
        "_reasons",
        "_snapshot",
        "_unit_globs",
        "_units",
    )

    def __init__(
        self,
        never: Iterable[str] = BUILT_IN,
        protect: Iterable[str] = (),
        own_pid: int | None = None,
        own_cgroup: str | None = None,
    ) -> None:
        entries = tuple(never)
        built_in = [entry for entry in entries if entry in BUILT_IN]
        self._comms = Names(entry for entry in built_in if entry.startswith("comm:"))
        units = [entry for entry in built_in if not entry.startswith("comm:")]
        self._units = frozenset(entry for entry in units if not is_glob(entry))
        self._unit_globs = tuple(Name(entry) for entry in units if is_glob(entry))
        self._never = Names(entry for entry in entries if entry not in BUILT_IN)
        self._protect = Names(protect)
        self._own_pid = own_pid
        self._own_cgroup = own_cgroup
        self._paths: dict[str, str | None] = {}
        self._snapshot: Snapshot | None = None
        self._reasons: dict[str, str] = {}
        self._cgroups: Mapping[str, Cgroup] = {}
        self._known: dict[str, list[tuple[str | None, str, str]]] = {}

    def of_cgroup(self, path: str, cgroup: Cgroup, snapshot: Snapshot) -> str | None:
        """Why this cgroup may not be killed as a whole: for itself, for what is above, or for what it holds.

        Begins with ``never:`` or ``protected:``. Killing what is below it may be allowed nevertheless.
        """
        reason = self._of_path(path) or self._held(snapshot).get(path)
        if reason is None and snapshot.processes:
            reason = _all_exempt(path, snapshot)
        return reason

    def of_subtree(self, path: str) -> str | None:
        """Why neither this cgroup nor anything below it may be killed."""
        return None if path == "/" else self._of_path(path)

    def of_process(self, process: Process, snapshot: Snapshot) -> str | None:
        """Why this process may not be killed: for itself, or for the cgroup it is in."""
        if process.is_kernel_thread:
            return "never: a kernel thread"
        if process.oom_score_adj == OOM_SCORE_ADJ_MIN:
            return "never: oom_score_adj -1000 exempts it"
        reason = self._of_itself(process)
        if reason is None and process.cgroup is not None and process.cgroup != "/":
            reason = self._of_path(process.cgroup)
        return reason

    def know(self, cgroups: Mapping[str, Cgroup]) -> None:
        """Look at these now, while there is time: they are known when somebody has to be chosen."""
        self._named(cgroups)

    def _of_path(self, path: str) -> str | None:
        try:
            return self._paths[path]
        except KeyError:
            if len(self._paths) >= _CACHED:
                self._paths.clear()
            reason = self._paths[path] = self._judge(path)
            return reason

    def _judge(self, path: str) -> str | None:
        if path == "/":
            return "never: the root is the whole machine"
        own = self._own_cgroup
        if own is not None and (path == own or path.startswith(own + "/")):
            return "never: memwarden itself"
        unit = system_unit(path)
        if unit in self._units or (unit and any(name.matches(unit) for name in self._unit_globs)):
            return f"never: {unit} is on the built-in list"
        if entry := self._never.of_path_or_above(path):
            return f"never: {entry} is on the policy's list"
        if entry := self._protect.of_path_or_above(path):
            return f"protected: {entry}"
        return None

    def _of_itself(self, process: Process) -> str | None:
        if process.pid == 1:
            return "never: init"
        if process.pid == self._own_pid:
            return "never: memwarden itself"
        if _of_the_machine(process) and self._comms.of_process(process):
            return f"never: {process.comm} is on the built-in list"
        if entry := self._never.of_process(process):
            return f"never: {entry} is on the policy's list"
        if entry := self._protect.of_process(process):
            return f"protected: {entry}"
        return None

    def _held(self, snapshot: Snapshot) -> dict[str, str]:
        """Cgroups that hold somebody who may not be killed, with the reason."""
        if self._snapshot is not snapshot:
            self._snapshot, self._reasons = snapshot, {}
            for where, why, who in self._named(snapshot.cgroups):
                self._spread(where, why, who)
            for process in snapshot.processes.values():
                # Kernel threads work for others in their cgroups, and outlive a kill.
                if not process.is_kernel_thread and (reason := self._of_itself(process)):
                    self._spread(process.cgroup, reason, f"pid {process.pid}")
        return self._reasons

    def _named(self, cgroups: Mapping[str, Cgroup]) -> Iterable[tuple[str | None, str, str]]:
        """Those whose name, or list of processes, says so: where, why, and who; most are as they were."""
        before, self._cgroups = self._cgroups, cgroups
        known = {path: one for path, one in self._known.items() if path in cgroups}
        for path in others(before, cgroups):
            found = [*self._of_name(path), *self._of_members(path, cgroups[path])]
            if found:
                known[path] = found
            else:
                known.pop(path, None)
        self._known = known
        return [one for _, found in sorted(known.items()) for one in found]

    def _of_name(self, path: str) -> Iterable[tuple[str | None, str, str]]:
        if path != "/" and (reason := self._of_path(path)):
            yield parent_path(path), reason, path

    def _of_members(self, path: str, cgroup: Cgroup) -> Iterable[tuple[str | None, str, str]]:
        procs = cgroup.procs or ()
        if 1 in procs:
            yield path, "never: init", "pid 1"
        if self._own_pid in procs:
            yield path, "never: memwarden itself", f"pid {self._own_pid}"

    def _spread(self, path: str | None, reason: str, who: str) -> None:
        kind, _, why = reason.partition(": ")
        while path is not None and path not in self._reasons:
            self._reasons[path] = f"{kind}: holds {who}, {why}"
            path = parent_path(path)


def system_unit(path: str) -> str | None:
    """The unit of the system's own manager that a path lies in: the first component that is no slice.

    >>> system_unit("/system.slice/ssh.service/x"), system_unit("/user.slice"), system_unit("/lxc/a.service")
    ('ssh.service', None, 'lxc')
    """
    return next((part for part in path.split("/") if part and not part.endswith(".slice")), None)


def _of_the_machine(process: Process) -> bool:
    """Whether it is a daemon of the machine, as far as is known."""
    return process.ppid in (None, 1) and (process.uid is None or process.uid <= _SYSTEM_UID_MAX)


def _all_exempt(path: str, snapshot: Snapshot) -> str | None:
    """A cgroup all whose processes say that they may not be killed for memory."""
    adjs = [process.oom_score_adj for process in snapshot.members(path) if not process.is_kernel_thread]
    if adjs and all(adj == OOM_SCORE_ADJ_MIN for adj in adjs):
        return "never: oom_score_adj -1000 exempts all in it"
    return None
