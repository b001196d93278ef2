"""Other tools' policies, as policies of ours: text in, ``ir.Policy`` out.

What a tool documents is what it means here; ``bug_compatible`` asks for what it really does where the two
differ, for a replay that shall show what it would have done. A file that the tool itself does not take is
refused with the tool's reason. What cannot be expressed is named in ``Policy.notes``.
"""

from collections.abc import Callable, Mapping
from typing import Final

from memwarden.errors import InputError
from memwarden.guard import never
from memwarden.guard.foreign import earlyoom, nohang, oomd, plain, systemd_oomd
from memwarden.guard.foreign.recognition import recognise
from memwarden.guard.foreign.words import instead, one_line
from memwarden.guard.ir import Policy, Rule

__all__ = ["KINDS", "load", "recognise"]

KINDS: Final[dict[str, Callable[..., Policy]]] = {
    "oomd": oomd.load,
    "plain": plain.load,
    "systemd-oomd": systemd_oomd.load,
    "earlyoom": earlyoom.load,
    "nohang": nohang.load,
}
"""Loaders by kind."""


def load(kind: str, texts: Mapping[str, str] | tuple[str, str], *, bug_compatible: bool = False) -> Policy:
    """A policy of the texts of one or several files, by their names.

    ``kind`` is one of ``KINDS``. The first text is the main file, the others are its drop-ins. The built-in
    list of whom nobody kills holds, except where ``bug_compatible``. Raises ``InputError`` with file and
    line, whatever the text is.
    """
    named = dict([texts]) if isinstance(texts, tuple) else texts
    if kind not in KINDS:
        raise InputError(f"no policies of the kind {kind!r} can be read; {instead(kind, KINDS)}")
    if not named:
        raise InputError("no policy file is given; name at least one")
    policy = KINDS[kind](named, bug_compatible=bug_compatible)
    return policy._replace(
        name=one_line(policy.name),
        rules=_named_apart(policy.rules),
        never=() if bug_compatible else never.resolve(),
        notes=tuple(map(one_line, policy.notes)),
    )


def _named_apart(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Rules whose names differ and can be printed; other tools take any name, and the same one twice."""
    taken: set[str] = set()
    apart = []
    for rule in rules:
        own = one_line(rule.name)
        names = (own, *(f"{own} ({number})" for number in range(2, len(rules) + 1)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        apart.append(rule._replace(name=name))
    return tuple(apart)
