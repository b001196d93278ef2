"""The guard as a service of systemd: the unit of ``deploy`` installed, started, reloaded, stuck, stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import traceback
from typing import TYPE_CHECKING, Any

from units import call, cgroup_of, main_pid, put, start, text

if TYPE_CHECKING:
    from collections.abc import Callable

UNIT = "memwarden-guard.service"
FOLDER = "/etc/systemd/system"
POLICY = "/etc/memwarden/policy.d/50-lab.toml"
PROGRAM = """\
#!/usr/bin/python3 -I
import sys
sys.path.insert(0, "/usr/lib/memwarden")
from memwarden.cli.main import run
sys.exit(run())
"""
PRESSED = """\
[guard]
steady = true
tick = "50ms"
[[rule]]
name = "pressed"
pause = "60s"
  [[rule.when]]
  exists = {{ cgroup = "{unit}" }}
  [[rule.do]]
  {act} = {{ {words} cgroup = "{unit}", rank = "size" }}
"""
VICTIM = "victim.service"


def install() -> None:
    """As README says: the package, the program, the unit."""
    shutil.copytree("/job/src", "/usr/lib/memwarden")
    # As a package does it: under ProtectSystem=strict nothing can be compiled later.
    call("python3", "-m", "compileall", "-q", "/usr/lib/memwarden")
    put("/usr/bin/memwarden", PROGRAM)
    os.chmod("/usr/bin/memwarden", 0o755)
    shutil.copy(f"/job/{UNIT}", FOLDER)
    os.makedirs(os.path.dirname(POLICY), exist_ok=True)
    call("systemctl", "daemon-reload")


def shown(what: str) -> str:
    """A property of the unit."""
    return call("systemctl", "show", "-P", what, UNIT).strip()


def status() -> dict[str, Any]:
    """What ``memwarden ctl status`` says."""
    return dict(json.loads(call("/usr/bin/memwarden", "ctl", "status", "--format", "json"))["status"])


def eventually(what: Callable[[], object], limit_s: float = 120) -> bool:
    """Whether it comes true in time."""
    until = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def pressed(act: str, words: str) -> None:
    """A policy that does this to the victim without any shortage."""
    put(POLICY, PRESSED.format(unit=VICTIM, act=act, words=words))


def victim() -> str:
    """Somebody of another user; its cgroup."""
    start(VICTIM, "--uid=65534 /bin/sleep 100000", slice_="tenants")
    return cgroup_of(VICTIM)


def ready() -> str:
    """``systemctl start`` returns once it guards, and says so; nothing that it needs is sandboxed away."""
    call("systemctl", "start", UNIT)
    assert (shown("ActiveState"), shown("SubState"), shown("Result")) == ("active", "running", "success")
    assert shown("StatusText").startswith("guarding by the policy default"), shown("StatusText")
    found = status()
    assert found["pid"] == main_pid(UNIT)
    assert found["doing"] == "guarding"
    assert [one for one in found["granted"] if not one["granted"]] == [], found["granted"]
    assert found["cannot"] == [], found["cannot"]
    assert text(f"/sys/fs/cgroup/{UNIT}/memory.min").strip() == str(32 << 20)
    return "; ".join(f"{one['what']}: {one['detail']}" for one in found["granted"])


def capabilities() -> str:
    """It has those capabilities that the unit names, and no others."""
    lines = text(f"/proc/{main_pid(UNIT)}/status").splitlines()
    names = ("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb", "NoNewPrivs")
    found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(names)}
    # linux/capability.h: DAC_OVERRIDE 1, KILL 5, IPC_LOCK 14, SYS_NICE 23, SYS_RESOURCE 24, SYSLOG 34.
    wanted = sum(1 << number for number in (1, 5, 14, 23, 24, 34))
    assert int(found["CapBnd"], 16) == int(found["CapEff"], 16) == int(found["CapPrm"], 16) == wanted, found
    assert found["NoNewPrivs"] == "1", found
    return found["CapEff"].lstrip("0")


def reloaded() -> str:
    """``systemctl reload`` takes a new policy, and keeps the old one where the new one is wrong."""
    rules = status()["rules"]
    pressed("kill", "dry = true,")
    call("systemctl", "reload", UNIT)
    assert eventually(lambda: status()["rules"] == rules + 1), shown("StatusText")
    put(POLICY, "[guard]\ntick = 5\n")
    call("systemctl", "reload", UNIT)
    assert eventually(lambda: "the policy stays as it was" in _journal()), _journal()
    assert status()["rules"] == rules + 1
    assert shown("ActiveState") == "active"
    return shown("StatusText")


def throttled_and_restored() -> str:
    """It throttles somebody of another user with those capabilities, and ``systemctl stop`` restores it."""
    path = victim()
    pressed("throttle", 'within = "60s",')
    call("systemctl", "restart", UNIT)
    assert eventually(lambda: text(f"{path}/memory.high").strip() != "max"), _journal()
    call("systemctl", "stop", UNIT)
    assert text(f"{path}/memory.high").strip() == "max"
    assert (shown("ActiveState"), shown("Result"), shown("ExecMainStatus")) == ("inactive", "success", "0")
    return ""


def stuck() -> str:
    """A guard that hangs is killed by the watchdog, started again, and restores what it had changed."""
    path = cgroup_of(VICTIM)
    os.makedirs(f"{FOLDER}/{UNIT}.d", exist_ok=True)
    put(f"{FOLDER}/{UNIT}.d/watchdog.conf", "[Service]\nWatchdogSec=8\n")
    call("systemctl", "daemon-reload")
    call("systemctl", "start", UNIT)
    time.sleep(12)
    assert shown("NRestarts") == "0", "a guard that works was killed by the watchdog"
    call("systemctl", "restart", UNIT)  # what it throttles is given back after a while, all being calm
    assert eventually(lambda: text(f"{path}/memory.high").strip() != "max"), _journal()
    first = main_pid(UNIT)
    os.kill(first, signal.SIGSTOP)
    os.unlink(POLICY)
    assert text(f"{path}/memory.high").strip() != "max"
    assert eventually(lambda: main_pid(UNIT) not in (0, first)), shown("ActiveState")
    assert eventually(lambda: shown("ActiveState") == "active"), _journal()
    assert shown("NRestarts") == "1"
    assert eventually(lambda: text(f"{path}/memory.high").strip() == "max", 5), _journal()
    os.unlink(f"{FOLDER}/{UNIT}.d/watchdog.conf")
    call("systemctl", "daemon-reload")
    return "restored by the next one"


def killed() -> str:
    """It kills somebody of another user, and the journal of the victim's unit says so."""
    pressed("kill", "even_without_need = true,")
    call("systemctl", "restart", UNIT)
    assert eventually(lambda: call("systemctl", "show", "-P", "ActiveState", VICTIM).strip() != "active"), (
        _journal()
    )
    assert eventually(lambda: "killed /tenants.slice/victim.service" in _journal(VICTIM)), _journal(VICTIM)
    said = call("/usr/bin/memwarden", "why", "last")
    for word in ("Did", "SIGKILL", VICTIM):
        assert word in said, said
    call("systemctl", "stop", UNIT)
    assert shown("Result") == "success"
    return said.splitlines()[0]


def _journal(unit: str = UNIT) -> str:
    return call("journalctl", "-q", "-b", "-u", unit, "-o", "cat", "-n", "60")


CHECKS = (ready, capabilities, reloaded, throttled_and_restored, stuck, killed)


def run(check: Callable[[], str]) -> dict[str, object]:
    """One check; what follows builds on it, and is tried all the same."""
    name = f"unit-{check.__name__.replace('_', '-')}"
    try:
        result: dict[str, object] = {"ok": True, "detail": check()}
    except BaseException:
        result = {"ok": False, "detail": f"{traceback.format_exc()}\n{_journal()}"}
    put("/dev/ttyS0", f"{name} {'ok' if result['ok'] else result['detail']}\n")
    return result


def main() -> None:
    """All of them, in this order."""
    install()
    results = {f"unit-{check.__name__.replace('_', '-')}": run(check) for check in CHECKS}
    with open("/out/checks.json", "w") as file:
        json.dump(results, file)


main()
