"""Every exception memwarden raises on purpose.

::

    MemwardenError            one sentence for a person: what is wrong, where, what to do
    ├── ParseError            text that is not what its interface prints
    ├── ReadError             a file of the machine or of a recording that the kernel would not let us read
    ├── InputError            a file, archive or argument that cannot be used here (exit code 3)
    │   └── UnsupportedError  this machine or kernel does not have what was asked for
    └── UsageError            the command line is wrong (exit code 2)

An exception outside this tree that reaches a person is a bug of memwarden.
"""

from __future__ import annotations


class MemwardenError(Exception):
    """Base of all; ``str()`` is the sentence to print."""


class ParseError(MemwardenError):
    """Text is not what its interface prints.

    ``path`` is the file (or ``<interface>`` when the parser was not told), ``line`` the offending
    text cut to 80 characters, ``line_number`` counts from 1 and is 0 where the whole file is meant.
    """

    def __init__(self, path: str, line: str, reason: str, *, line_number: int = 0) -> None:
        self.path = path
        self.line = line[:80]
        self.reason = reason
        self.line_number = line_number
        where = f"{path}:{line_number}" if line_number else path
        super().__init__(f"{where}: {reason}: {self.line!r}")


class ReadError(MemwardenError):
    """A file of the machine, or of a recording of one, gave an error instead of text.

    ``path`` is the file as on the machine it came from, ``errno_name`` the error's symbolic name
    (``"ENOENT"``), which is the same on every architecture, unlike its number.
    """

    def __init__(self, path: str, errno_name: str) -> None:
        self.path = path
        self.errno_name = errno_name
        super().__init__(f"{path}: {errno_name}")


class InputError(MemwardenError):
    """A file, archive, stream or machine that cannot be used; the sentence names it and the next step."""


class UnsupportedError(InputError):
    """The machine, kernel or permission does not have what was asked for."""


class UsageError(MemwardenError):
    """The command line asks for something that does not exist or does not fit together."""


def printable(sentence: str) -> str:
    r"""A sentence for a terminal: names in it are the user's, but not always the user's own.

    What a terminal would obey, or does not show, is spelled out.

    >>> print(printable("a" + chr(0x1B) + "[2J" + chr(0x202E) + chr(0x9B)))
    a\x1b[2J\u202e\x9b
    """
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in sentence)
