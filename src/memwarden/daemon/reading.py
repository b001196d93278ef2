"""Reads a policy, in whatever language it is written; as a program, for a guard that has no room for it.

``python -I -S FILE POLICY BUGS`` prints the policy without its classes (:mod:`memwarden.guard.flat`), as
``marshal`` writes it: what reads policies is a fifth of a guard's memory and is needed for a moment.
"""

from __future__ import annotations

import marshal
import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from typing import TYPE_CHECKING

from memwarden.collect import rootar, signals
from memwarden.errors import InputError, MemwardenError
from memwarden.guard import foreign
from memwarden.guard.flat import flatten
from memwarden.guard.policy import load
from memwarden.host import plain_json, policy_files
from memwarden.words.document import Text

if TYPE_CHECKING:
    from memwarden.guard.ir import Policy


def read(where: str | None, *, bug_compatible: bool = False) -> tuple[Policy, list[str]]:
    """The policy, and what is odd about it in words. Raises :class:`InputError` with all that is wrong."""
    found = policy_files.read_policy(where)
    notes = [f"{path}: {note}" for path, note in found.notes]
    name, text = found.texts[0]
    kind = None if name.endswith(".toml") else foreign.recognise(name, text)
    if kind is not None:
        policy = foreign.load(kind, dict(found.texts), bug_compatible=bug_compatible)
        return policy, [*notes, *policy.notes]
    loaded = load.load([Text(*one) for one in found.texts], name=found.name)
    if loaded.policy is None:
        of_no_policy(name, text)
        raise InputError("; ".join(str(problem) for problem in loaded.problems if not problem.warning))
    if not loaded.policy.rules:
        raise InputError(
            f"{name}: there is no rule in it, and nothing would ever be done; remove it, and the built-in "
            "policy holds"
        )
    return loaded.policy, [*notes, *(str(problem) for problem in loaded.problems)]


def of_no_policy(name: str, text: str) -> None:
    """Raise :class:`InputError` where a text is plainly something else, which TOML's error would not say."""
    if text.startswith((signals.HEADER, rootar.MAGIC.decode())):
        raise InputError(f"{name}: is a recording and no policy; memwarden policy replay takes it after one")
    if text.lstrip().startswith("{"):
        tool = foreign.recognise(name, text)
        if tool is not None:
            raise InputError(f"{name}: {another(tool)}")
        raise InputError(
            f"{name}: is JSON, and nothing in it says whose policy it is; memwarden policy convert --from "
            "TOOL takes it as that tool's"
        )
    if _is_list(text):
        raise InputError(
            f"{name}: is JSON, but a list, and no tool's policy is one; an object in braces may be"
        )


def another(tool: str) -> str:
    """Why the guard does not take a file that has a name of ours and is another tool's."""
    return f"is a policy of {tool}, and .toml is for ours; memwarden policy convert makes it one of ours"


def _is_list(text: str) -> bool:
    """Whether this is a list of JSON, or begins like one: TOML has brackets at its beginning, too."""
    try:
        return isinstance(plain_json.loads(text), list)
    except (ValueError, RecursionError):
        return "".join(text.split(None, 2)[:2]).startswith("[{")


def answer(where: str | None, *, bug_compatible: bool) -> bytes:
    """What the program prints: a policy and its notes, or one sentence."""
    try:
        policy, notes = read(where, bug_compatible=bug_compatible)
    except MemwardenError as error:
        return marshal.dumps(str(error))
    return marshal.dumps((flatten(policy), notes))


if __name__ == "__main__":
    with os.fdopen(1, "wb") as out:
        out.write(answer(sys.argv[1] or None, bug_compatible=sys.argv[2] == "1"))
