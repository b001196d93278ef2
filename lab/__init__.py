"""The real-kernel laboratory: boots Debian's kernels in small guests and compares them with memwarden.

Needs nothing but Debian's python3 (>= 3.11) and the tools that :mod:`lab.tools` installs. What it builds
is kept under ``lab/.cache`` (git-ignored), so that a second run starts at once.
"""

import sys
from pathlib import Path

# memwarden has no required dependency, so the laboratory runs from a clean clone without installing anything.
_SOURCE = str(Path(__file__).resolve().parent.parent / "src")
if _SOURCE not in sys.path:
    sys.path.append(_SOURCE)
