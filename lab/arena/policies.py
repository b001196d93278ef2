"""The columns' policies for the simulator: ours by its files, the peers' from what they run with.

The peers are taken as they really are (``bug_compatible``), where that differs from what they document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.arena.columns import BY_NAME, DEFAULT, MANAGED
from lab.errors import LabError
from lab.paths import LAB
from memwarden.guard import foreign
from memwarden.guard.policy.load import load
from memwarden.words.document import Text

if TYPE_CHECKING:
    from memwarden.guard.ir import Policy

NOHANG = LAB / "arena" / "peers" / "nohang.conf"
TENANTS = "\n".join(("Id=tenants.slice", "ControlGroup=/tenants.slice", *MANAGED)) + "\n"
"""``systemctl show`` of the slice, as the guest sets it; Debian's package asks for 20 s."""
SYSTEMD_OOMD = "[OOM]\nDefaultMemoryPressureDurationSec=20s\n"


def policy(column: str) -> Policy | None:
    """Who acts in a column; ``None`` for the kernel alone."""
    match column:
        case "kernel":
            return None
        case "earlyoom":
            return foreign.load("earlyoom", ("earlyoom", "earlyoom"), bug_compatible=True)
        case "nohang":
            return foreign.load("nohang", ("nohang.conf", NOHANG.read_text()), bug_compatible=True)
        case "oomd":
            return foreign.load("oomd", BY_NAME["oomd"].files[0], bug_compatible=True)
        case "systemd-oomd":
            texts = {"oomd.conf": SYSTEMD_OOMD, "units": TENANTS}
            return foreign.load("systemd-oomd", texts, bug_compatible=True)
        case "memwarden":
            return _ours("")
        case "memwarden+objective":
            return _ours(BY_NAME[column].files[0][1])
    raise LabError(f"no policy is known for the column {column}")


def _ours(text: str) -> Policy:
    loaded = load([Text("policy.toml", text or DEFAULT.read_text())], name="policy")
    if loaded.policy is None:
        raise LabError("; ".join(str(problem) for problem in loaded.problems))
    return loaded.policy
