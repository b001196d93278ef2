"""What a stream was like, besides its reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LINE_LIMIT: Final = 1 << 20
"""Bytes of one line that are read; the rest is cut off and counted."""


@dataclass(slots=True)
class Scan:
    """Filled while a stream is read; complete once it is read to its end. Lines count from 1."""

    file: str = "-"
    lines: int = 0
    size_bytes: int = 0
    cut_lines: int = 0
    """Lines over 1 MiB, of which only the first 1 MiB was read."""
    first_cut_line: int | None = None
    binary_line: int | None = None
    """The first line that holds a NUL byte: the file is not, or not only, text."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the text, one sentence each."""
        notes = []
        if self.cut_lines == 1:
            notes.append(f"line {self.first_cut_line} is longer than 1 MiB: only its first 1 MiB was read")
        elif self.cut_lines:
            notes.append(
                f"{self.cut_lines} lines are longer than 1 MiB, the first is line {self.first_cut_line}: "
                "only the first 1 MiB of each was read"
            )
        if self.binary_line is not None:
            notes.append(f"line {self.binary_line} holds NUL bytes: this is not, or not only, text")
        return tuple(notes)
