"""The policy of the daemon, from whatever language it is written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.errors import InputError
from memwarden.guard import foreign
from memwarden.guard.policy import load
from memwarden.host import policy_files
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
        raise InputError("; ".join(str(problem) for problem in loaded.problems if not problem.warning))
    if not loaded.policy.rules:
        raise InputError(
            f"{name}: there is no rule in it, and nothing would ever be done; remove it, and the built-in "
            "policy holds"
        )
    return loaded.policy, [*notes, *(str(problem) for problem in loaded.problems)]
