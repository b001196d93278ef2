"""Inside the guest: transient units of systemd, and files of the kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import time

ROOT = "/sys/fs/cgroup"


def put(path: str, content: str) -> None:
    """Write one value."""
    with open(path, "w") as file:
        file.write(content)


def text(path: str, otherwise: str | None = None) -> str:
    """The content of a file, or ``otherwise`` where it cannot be read and that is given."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        if otherwise is None:
            raise
        return otherwise


def number(path: str) -> int | None:
    """One number, ``None`` where there is none."""
    content = text(path, "")
    return int(content) if content.strip().isdigit() else None


def exists(path: str) -> bool:
    """Whether there is such a file."""
    return os.path.exists(path)


def call(*words: str, check: bool = True) -> str:
    """Run a program to its end; what it printed."""
    done = subprocess.run(words, capture_output=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


def start(
    unit: str,
    command: str,
    *,
    slice_: str,
    high_mib: int | None = None,
    max_mib: int | None = None,
    wait: bool = True,
) -> None:
    """Start a command as a transient service that is not restarted."""
    words = ["systemd-run", "-q", f"--unit={unit}", f"--slice={slice_}", "-p", "OOMPolicy=continue"]
    if high_mib:
        words += ["-p", f"MemoryHigh={high_mib}M"]
    if max_mib:
        words += ["-p", f"MemoryMax={max_mib}M"]
    if not wait:
        words.append("--no-block")
    call(*words, *command.split())


def cgroup_of(unit: str) -> str:
    """Where the unit's cgroup is."""
    return ROOT + call("systemctl", "show", "-P", "ControlGroup", unit).strip()


def main_pid(unit: str) -> int:
    """The unit's main process."""
    return int(call("systemctl", "show", "-P", "MainPID", unit).strip() or 0)


def set_properties(unit: str, properties: list[str]) -> None:
    """Set properties of a unit until the next boot."""
    call("systemctl", "set-property", "--runtime", unit, *properties)


def stop_all(units: list[str], column: dict) -> None:
    """Stop and forget units; a frozen one is thawed first."""
    if column["unit"]:
        call("systemctl", "stop", column["unit"], check=False)
    # The guard first: it must not see the others end.
    for name in units:
        call("systemctl", "kill", "-s", "KILL" if name != units[0] else "TERM", name, check=False)
        call("systemctl", "stop", name, check=False)
    call("systemctl", "reset-failed", check=False)


def cgroups(slice_: str, count: int) -> list[str]:
    """So many cgroups with a sleeping process each below a slice."""
    if not count:
        return []
    top = f"{ROOT}/{slice_}"
    os.makedirs(top, exist_ok=True)
    put(f"{top}/cgroup.subtree_control", "+memory")
    made = []
    for place in range(count):
        path = f"{top}/idle-{place}.scope"
        os.makedirs(path, exist_ok=True)
        sleeper = subprocess.Popen(["/bin/sleep", "100000"])
        put(f"{path}/cgroup.procs", str(sleeper.pid))
        made.append(path)
    return made


def hooked(path: str) -> None:
    """Empty and remove one of those cgroups."""
    for pid in text(f"{path}/cgroup.procs", "").split():
        os.kill(int(pid), signal.SIGKILL)
        os.waitpid(int(pid), 0)
    for _ in range(100):
        try:
            os.rmdir(path)
        except OSError:
            time.sleep(0.02)
        else:
            return
