"""The one error the laboratory raises: what outside it did not work, and what to do."""

from __future__ import annotations


class LabError(Exception):
    """One sentence for the person at the terminal; never shown as a traceback."""
