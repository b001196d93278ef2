"""Where the laboratory keeps what it builds, and the one way it runs programs."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from lab.errors import LabError

LAB = Path(__file__).resolve().parent
REPOSITORY = LAB.parent
CACHE = LAB / ".cache"
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


def run(*command: str | Path, timeout_s: float = 900, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed; a failure is a LabError with its last words."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=ENVIRONMENT,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise LabError(f"{words[0]}: not installed; run 'python3 -m lab install' as root") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{words[0]}: still running after {timeout_s:.0f} s: {' '.join(words)}") from None
    if done.returncode:
        tail = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines()[-6:]
        raise LabError(f"{' '.join(words[:4])} … failed ({done.returncode}): " + " | ".join(tail))
    return done.stdout.decode(errors="replace")


def fingerprint(*files: Path) -> str:
    """A short hash over the bytes of these files: what was built from them is rebuilt when it changes."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
