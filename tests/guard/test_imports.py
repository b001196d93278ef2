"""The guard's judgement loads in a daemon that has to be small: next to nothing comes along."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("dataclasses", "json", "argparse", "fnmatch", "inspect", "logging", "datetime", "random", "pathlib")


def test_detectors_import_next_to_nothing():
    program = "import sys, memwarden.guard.detectors; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert sorted(set(HEAVY) & set(found.stdout.split())) == []


POLICY_READERS = (
    "tomllib",
    "difflib",
    "memwarden.guard.foreign",
    "memwarden.guard.policy",
    "memwarden.words",
)


def test_what_reads_policies_is_never_in_the_guards_process():
    program = (
        "from memwarden.daemon import start, policies;"
        "clock = start.SystemClock(); reader = policies.Reader(start.Ears(clock), clock);"
        "policy, _ = reader.read(None); assert policy.rules; print(*sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert sorted(set(POLICY_READERS) & set(found.stdout.split())) == []
