"""The real-kernel laboratory: boots Debian's kernels in small guests and compares them with memwarden.

Needs nothing but Debian's python3 (>= 3.11) and the tools that :mod:`lab.tools` installs. Everything it builds is
kept under ``lab/.cache`` (git-ignored), so that a second run starts at once.
"""
