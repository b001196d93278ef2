r"""The escapes of ``seq_file``: ``\ooo`` in mountinfo and swaps, ``\n`` and ``\\`` in status.

Kernel: ``fs/seq_file.c:mangle_path`` prints every character of a given set as a backslash and three
octal digits; the set has the backslash in it where paths are printed.
"""

from __future__ import annotations


def unescape(word: str) -> str:
    r"""Undo ``\ooo``; a backslash that three octal digits do not follow stays as it is.

    >>> unescape(r"/srv/swap\040file")
    '/srv/swap file'
    """
    if "\\" not in word:
        return word
    first, *parts = word.split("\\")
    return first + "".join([_octal(part) for part in parts])


def _octal(part: str) -> str:
    digits = part[:3]
    if len(digits) == 3 and digits[0] in "0123" and digits[1] in "01234567" and digits[2] in "01234567":
        return chr(int(digits, 8)) + part[3:]
    return "\\" + part
