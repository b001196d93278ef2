"""The one error the laboratory raises: something outside it did not work; the text says what and what to do."""

from __future__ import annotations


class LabError(Exception):
    """One sentence for the person at the terminal; never shown as a traceback."""
