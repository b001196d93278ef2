"""Whether the guard would take a policy, and what is to be said about it, for ``memwarden policy check``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from memwarden.cli import policy
from memwarden.daemon import reading
from memwarden.errors import InputError
from memwarden.guard import foreign
from memwarden.guard.policy.doubts import doubts
from memwarden.host.policy_files import is_ours
from memwarden.present.text import counted
from memwarden.words.kinds import quoted
from memwarden.words.problems import Origin, Problem

if TYPE_CHECKING:
    from memwarden.host.policy_files import PolicyFiles

UNUSED: Final = "it is not used"


def of(where: str | None) -> tuple[str, tuple[Problem, ...], str]:
    """Its name, what is wrong with it or odd about it, and what it comes to in words."""
    if where is not None and os.path.isdir(where) and not is_ours(where) and _is_anothers(where):
        text = (
            f"the guard takes no folder of another tool; memwarden policy convert {where} makes it one file"
        )
        return where, (Problem(Origin(where), text),), UNUSED
    files, loaded = policy.read(where)
    odd = [Problem(Origin(path), text, warning=True) for path, text in files.notes]
    if loaded.policy is None:
        return _another(files, loaded.problems, odd)
    said = ", ".join(
        (
            counted(len(loaded.policy.rules), "rule"),
            counted(len(loaded.policy.protect), "name") + " protected",
        )
    )
    for doubt in doubts(loaded.policy):
        origin = loaded.origins.get(doubt.spot, (Origin(files.name),))[-1]
        section, name = doubt.spot
        rule = f"rule {quoted(name)}: " if section == "rule" else ""
        odd.append(Problem(origin, f"{rule}{doubt.text}", warning=True))
    if not loaded.policy.rules:  # the guard takes no such policy of ours
        odd, said = (
            [one._replace(warning=False) if one.text == policy.NO_RULE else one for one in odd],
            UNUSED,
        )
    return files.name, (*loaded.problems, *odd), said


def _is_anothers(folder: str) -> bool:
    return any(policy.tools_of(policy.texts_of(folder)))


def _another(
    files: PolicyFiles, problems: tuple[Problem, ...], odd: list[Problem]
) -> tuple[str, tuple[Problem, ...], str]:
    """What is wrong with a policy that is none of ours, as the guard would take it or not."""
    name, text = files.texts[0]
    try:
        tool = foreign.recognise(name, text)
        if tool is None:
            reading.of_no_policy(name, text)
            return files.name, problems, UNUSED
        if name.endswith(".toml"):
            return files.name, (Problem(Origin(name), reading.another(tool)),), UNUSED
        found = foreign.load(tool, dict(files.texts))
    except InputError as error:
        return files.name, (_problem(str(error), name),), UNUSED
    notes = [_problem(note, name, warning=True) for note in found.notes]
    return files.name, (*odd, *notes), f"{counted(len(found.rules), 'rule')}, read as {tool}"


def _problem(said: str, name: str, *, warning: bool = False) -> Problem:
    """A sentence that may begin with file and line."""
    file, colon, text = said.partition(": ")
    path, _, line = file.rpartition(":")
    if path and line.isdecimal():
        return Problem(Origin(path, int(line)), text, warning)
    return (
        Problem(Origin(file), text, warning)
        if colon and file == name
        else Problem(Origin(name), said, warning)
    )
