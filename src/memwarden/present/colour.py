"""Terminal colours, which only ever repeat what the text says."""

from typing import NamedTuple

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Paint(NamedTuple):
    """Wraps text in SGR codes when ``enabled``; otherwise returns it unchanged."""

    enabled: bool

    def __call__(self, text: str, *styles: str) -> str:
        """``text`` in the given styles: bold, dim, red, green, yellow, cyan."""
        if not (self.enabled and styles and text):
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


PLAIN = Paint(enabled=False)
