"""Runs parts of the test suite, all of them even when one fails, and says how long each took.

``python tests/parts.py lint types`` runs those targets of the Makefile. The last line counts parts;
pytest's own count of tests stands above it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def main(parts: list[str]) -> int:
    """Run the parts; 1 when one failed."""
    results = []
    for part in parts:
        print(f"=== {part}", flush=True)
        start = time.monotonic()
        code = subprocess.run(["make", "--no-print-directory", part], cwd=REPOSITORY, check=False).returncode
        results.append((part, time.monotonic() - start, code))
    print("=== times")
    for part, seconds, code in results:
        print(f"{part:<9} {seconds:7.1f} s  {'FAILED' if code else 'passed'}")
    failed = sum(code != 0 for _, _, code in results)
    print(f"parts: {len(results) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
