"""Who guards: the kernel alone, the daemons of Debian's packages as they come, and memwarden."""

from __future__ import annotations

from typing import NamedTuple

from lab.paths import REPOSITORY


class Column(NamedTuple):
    """A daemon as it is started in the guest.

    ``command`` runs as a service with root's rights; ``files`` are written before. ``managed`` are properties
    of the tenants' slice, for who acts on those only.
    """

    name: str
    command: tuple[str, ...] = ()
    unit: str = ""
    files: tuple[tuple[str, str], ...] = ()
    managed: tuple[str, ...] = ()
    package: str = ""


OOMD = """\
{"rulesets": [{
  "name": "tenants under pressure",
  "detectors": [["pressure", {"name": "pressure_above",
    "args": {"cgroup": "tenants.slice", "resource": "memory", "threshold": "60", "duration": "10"}}]],
  "actions": [{"name": "kill_by_memory_size_or_growth", "args": {"cgroup": "tenants.slice/*"}}]
}, {
  "name": "swap runs out",
  "detectors": [["swap", {"name": "swap_free", "args": {"threshold_pct": "15"}}]],
  "actions": [{"name": "kill_by_swap_usage", "args": {"cgroup": "tenants.slice/*"}}]
}]}
"""
DEFAULT = REPOSITORY / "src" / "memwarden" / "guard" / "policies" / "default.toml"
OBJECTIVE = """
[protect.database]
who = ["postgresql*.service"]
stall = {above = "50ms", in = "1s"}
"""
"""What an administrator adds to the default policy as a drop-in file."""
MANAGED = (
    "ManagedOOMMemoryPressure=kill",
    "ManagedOOMMemoryPressureLimit=60%",
    "ManagedOOMSwap=kill",
)
MEMWARDEN = ("/usr/bin/python3", "-I", "/job/memwarden", "guard")

COLUMNS = (
    Column("kernel"),
    Column("earlyoom", ("/usr/bin/earlyoom",), package="earlyoom"),
    Column(
        "nohang", ("/usr/sbin/nohang", "--monitor", "--config", "/etc/nohang/nohang.conf"),
        package="nohang",
    ),
    Column(
        "oomd", ("/usr/bin/oomd", "--interval", "1", "--config", "/etc/arena-oomd.json"),
        files=(("/etc/arena-oomd.json", OOMD),), package="oomd",
    ),
    Column("systemd-oomd", unit="systemd-oomd.service", managed=MANAGED, package="systemd-oomd"),
    Column("memwarden", MEMWARDEN),
    Column(
        "memwarden+objective", (*MEMWARDEN, "--policy", "/etc/memwarden-objective.toml"),
        files=(("/etc/memwarden-objective.toml", DEFAULT.read_text() + OBJECTIVE),),
    ),
)  # fmt: skip
BY_NAME = {column.name: column for column in COLUMNS}
