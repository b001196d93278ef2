"""``python -m memwarden``."""

from __future__ import annotations

import sys

from memwarden.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
