"""The guard's own process, started as an installed one is, spoken to as systemd and ``memwarden ctl`` do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from staging import get, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = (sys.executable, "-I", "-S", f"{os.getcwd()}/memwarden")
READY_S = 60
"""Software emulation, and nothing is bytecode at the first start."""


def memwarden(*words: str) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    return subprocess.run([*WORDS, *words], capture_output=True, text=True, check=False)


class Daemon:
    """``memwarden guard`` with a policy and a state directory of its own, which a second start takes over."""

    def __init__(self, name: str) -> None:
        self.home = f"/run/{name}"
        self.state = f"{self.home}/state"
        self.policy = ""
        self.ready_s = READY_S
        self.process: subprocess.Popen[bytes] | None = None
        os.makedirs(self.home)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(f"{self.home}/notify")

    def write(self, policy: str) -> None:
        """The policy of the next start, or of the next SIGHUP."""
        self.policy = f"{self.home}/policy.toml"
        with open(self.policy, "w") as file:
            file.write(policy)

    def start(self, *words: str) -> None:
        """Start it, and wait until it says that it guards."""
        if self.policy:
            words = ("--policy", self.policy, *words)
        with open(f"{self.home}/errors", "wb") as errors:
            self.process = subprocess.Popen(
                [*WORDS, "guard", "--state", self.state, *words],
                env={"NOTIFY_SOCKET": f"{self.home}/notify", "PATH": os.environ["PATH"]},
                stderr=errors,
            )
        self.hear("READY=1")

    def hear(self, what: str) -> None:
        """Wait until systemd would be told this."""
        self._notify.settimeout(self.ready_s)
        said = ""
        while what not in said.split("\n"):
            try:
                said = self._notify.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"not told: {what}; {get(f'{self.home}/errors')}") from None

    def status(self) -> dict[str, Any]:
        """What the control socket says of it."""
        return dict(self.ask("status")["status"])

    def ask(self, command: str) -> dict[str, Any]:
        """One command by the control socket."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect("/run/memwarden/socket")
            peer.sendall(json.dumps({"command": command}).encode() + b"\n")
            heard = b""
            while more := peer.recv(65536):
                heard += more
        return dict(json.loads(heard))

    def ledger(self) -> list[dict[str, Any]]:
        """Everything that it wrote down."""
        try:
            lines = get(f"{self.state}/decisions.jsonl").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def acts(self) -> list[dict[str, Any]]:
        """Decisions that did something to somebody."""
        return [one for one in self.decisions() if any(act["kind"] != "notify" for act in one["intents"])]

    def decisions(self) -> list[dict[str, Any]]:
        """All decisions."""
        return [one for one in self.ledger() if one["schema"].startswith("memwarden.decision/")]

    def troubles(self) -> list[str]:
        """What it says went wrong with itself."""
        return [one["message"] for one in self.ledger() if one["schema"].startswith("memwarden.trouble/")]

    def alive(self) -> bool:
        """Whether it runs, and answers."""
        return self.process is not None and self.process.poll() is None and bool(self.status()["turns"])

    def incidents(self) -> list[str]:
        """Folders of incidents."""
        names = os.listdir(f"{self.state}/incidents") if os.path.exists(f"{self.state}/incidents") else []
        return [f"{self.state}/incidents/{name}" for name in sorted(names) if not name.startswith(".")]

    def incident(self) -> tuple[dict[str, Any], str]:
        """The first incident, waited for: its document and its folder."""
        assert wait_until(lambda: bool(self.incidents()), 30), self.ledger()
        folder = self.incidents()[0]
        return dict(json.loads(get(f"{folder}/incident.json"))), folder

    def why(self, *words: str) -> str:
        """What ``memwarden why`` prints."""
        done = memwarden("why", *words, "--state", self.state)
        assert not done.returncode, done
        return done.stdout

    def send(self, number: int) -> None:
        """A signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def die(self) -> None:
        """SIGKILL: it can undo nothing."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        assert self.process.wait() == -signal.SIGKILL

    def stop(self) -> int:
        """SIGTERM, and how it ended."""
        self.send(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(30)

    def close(self) -> None:
        """Whatever was left of it is gone afterwards."""
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
            self.process.wait()
        self._notify.close()
        shutil.rmtree(self.home, ignore_errors=True)


def kinds(decisions: Sequence[dict[str, Any]]) -> list[str]:
    """What was done, in order."""
    return [intent["kind"] for decision in decisions for intent in decision["intents"]]
