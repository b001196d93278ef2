"""POSIX extended regular expressions, as ``regcomp(REG_EXTENDED)`` of glibc takes them, in Python's words."""

import re
from typing import Final

_CLASSES: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "cntrl": r"\x00-\x1f\x7f",
    "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
}
_GNU: Final = {"<": r"\b", ">": r"\b", "`": r"\A", "'": r"\Z"}
_TOKEN: Final = re.compile(
    r"\\(?P<escaped>.)"
    r"|\[(?P<not>\^?)(?P<set>\]?(?:\[[:.=].*?[:.=]\]|[^\]])*)\]"
    r"|(?P<repeat>[*+?]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_CLASS: Final = re.compile(r"\[:(\w+):\]|\[[.=](.)[.=]\]|([^\w-])", re.DOTALL)


def python_regex(pattern: str) -> str:
    r"""The same expression for ``re.search``. Raises ``ValueError`` where glibc would not compile it either.

    >>> python_regex("^(apache|http)d$"), python_regex(r"[[:alpha:]\\]a**")
    ('^(apache|http)d$', '[a-zA-Z\\\\\\\\]a*')
    """
    parts: list[str] = []
    for token in _TOKEN.finditer(pattern):
        if token[0] == ")" and parts.count("(") == parts.count(")"):
            parts.append(r"\)")  # one that closes nothing is a character
            continue
        if token["repeat"] and (not parts or parts[-1] in {"(", "|", "^"}):
            raise ValueError(f"nothing stands before {token['repeat']!r}")
        parts.append(_part(token))
    translated = "".join(parts)
    try:
        re.compile(translated)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return translated


def _part(token: re.Match[str]) -> str:
    if token["escaped"] is not None:
        character = token["escaped"]
        known = character in "wWsSbB123456789"
        return f"\\{character}" if known else _GNU.get(character) or re.escape(character)
    if token["set"] is not None:
        return f"[{token['not']}{_CLASS.sub(_member, token['set'])}]"
    if token["repeat"] is not None:
        # Repeated once more is still repeated; Python would take a second sign as another kind of match.
        kinds = set(token["repeat"])
        return str(kinds.pop() if len(kinds) == 1 else "*")
    if token[0] == "[":
        raise ValueError("a bracket is not closed")
    return token[0]


def _member(found: re.Match[str]) -> str:
    if found[1] is not None:
        if found[1] not in _CLASSES:
            raise ValueError(f"there is no class of characters {found[1]!r}")
        return _CLASSES[found[1]]
    return re.escape(found[2] or found[3])
