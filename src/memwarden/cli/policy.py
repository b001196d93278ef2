"""``memwarden policy``: look at a policy of the guard.

Each action is a module beside this one, ``policy_ACTION``, with ``EPILOG``, ``add_arguments`` and ``run``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from memwarden.guard.ir import Policy
    from memwarden.guard.policy.load import Loaded
    from memwarden.host.policy_files import PolicyFiles

HELP = "check, show, explain, convert or replay a policy of the guard"
EPILOG = """\
examples:
  memwarden policy explain                  # the installed one, in words
  memwarden policy check /etc/memwarden
  memwarden policy show default
  memwarden policy convert --from oomd /etc/oomd.json
  memwarden policy replay default night.rootar

A POLICY is a file (and FILE.d/*.toml beside it), a folder (policy.toml, or the
built-in policy, and policy.d/*.toml), "default" for the built-in one, or - for
standard input. Left out: /etc/memwarden, or the built-in one. Another tool's
policy is a file, or a folder with all files of it.
memwarden policy ACTION --help tells more.
"""
NO_RULE = "has no rule, so that the guard does nothing; write a [[rule]]"
ACTIONS: tuple[tuple[str, str], ...] = (
    ("check", "say all that is wrong with a policy"),
    ("show", "print the policy in effect, and where each part is from"),
    ("explain", "say what a policy does, in words"),
    ("convert", "print another tool's policy as one of ours"),
    ("replay", "say what policies would have done on recordings"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    from importlib import import_module

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, help="what to do")
    for name, about in ACTIONS:
        module = import_module(f"memwarden.cli.policy_{name}")
        child = actions.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}.", epilog=module.EPILOG
        )
        module.add_arguments(child)
        child.set_defaults(run=module.run)


def run(args: argparse.Namespace) -> int:
    """Do the action."""
    code: int = args.run(args)
    return code


def read(where: str | None) -> tuple[PolicyFiles, Loaded]:
    """The files of a policy, and what they say."""
    from memwarden.guard.policy.load import load
    from memwarden.host.policy_files import read_policy
    from memwarden.words.document import Text

    files = read_policy(where)
    return files, load([Text(*one) for one in files.texts], name=files.name)


def kind(where: str | None) -> str | None:
    """The tool whose policy this is, by what is in the file; ``None`` where it is one of ours."""
    found = _recognised(where)
    return found and found[0]


def in_effect(where: str | None) -> Loaded:
    """A policy to look at: ours as :func:`usable` has it, or another tool's, whose notes are in it."""
    from memwarden.guard.policy.load import Loaded

    found = None if where is None else foreign(where)
    return usable(where) if found is None else Loaded(found, (), {}, protected(found))


def protected(policy: Policy) -> dict[str, tuple[str, ...]]:
    """Whom another tool's policy keeps alive, as the one section that this is in a policy of ours."""
    return {"services": policy.protect} if policy.protect else {}


def foreign(where: str, *, bug_compatible: bool = False) -> Policy | None:
    """Another tool's policy, by what is in the file; ``None`` where it is one of ours, or nothing says so."""
    from memwarden.guard import foreign as others

    found = _recognised(where)
    return None if found is None else others.load(found[0], found[1], bug_compatible=bug_compatible)


def _recognised(where: str | None) -> tuple[str, dict[str, str]] | None:
    """The tool, and its files by their names: one, or all of a folder."""
    import os

    from memwarden.errors import InputError
    from memwarden.guard.foreign import recognise
    from memwarden.host.policy_files import BUILT_IN, STDIN, is_ours

    if where is None or where in (BUILT_IN, STDIN) or (os.path.isdir(where) and is_ours(where)):
        return None
    texts = texts_of(where)
    tools = sorted({tool for path in texts if (tool := recognise(path, texts[path]))})
    if len(tools) > 1:
        raise InputError(f"{where}: holds files of {' and '.join(tools)}; name those of one of them")
    return (tools[0], texts) if tools else None


def texts_of(where: str) -> dict[str, str]:
    """The text of a file by its name, or of those in a folder that are another tool's, main files first."""
    import os

    from memwarden.guard.foreign import recognise
    from memwarden.host.policy_files import read_folder, read_text

    if not os.path.isdir(where):
        return dict([read_text(where)])
    found = [(path, text) for path, text in read_folder(where) if recognise(path, text)]
    return dict(sorted(found, key=lambda one: recognise(one[0], "") is None))


def tool_of(texts: Mapping[str, str]) -> str | None:
    """Whose policy the files are, by the first of them that says so."""
    from memwarden.guard.foreign import recognise

    kinds = (recognise(path, text) for path, text in texts.items())
    return next((kind for kind in kinds if kind is not None), None)


def acting(where: str, *more: str, bug_compatible: bool) -> Policy:
    """A policy that shall act, ours or another tool's; what is odd about it goes to standard error.

    ``more`` are further files of another tool's, as ``policy convert`` takes them.
    """
    import sys

    if more:
        found: Policy | None = _of_several((where, *more), bug_compatible=bug_compatible)
    else:
        found = foreign(where, bug_compatible=bug_compatible)
    if found is None:
        found = usable(where, bug_compatible=bug_compatible).policy
        assert found is not None
        if not found.rules:
            sys.stderr.write(f"memwarden: {found.name}: {NO_RULE}\n")
    for note in found.notes:
        sys.stderr.write(f"memwarden: {_with_file(note, found.name)}\n")
    return found


def _with_file(note: str, name: str) -> str:
    """A note that begins with a file; of several policies nobody could tell which else."""
    file, _, line = note.partition(": ")[0].rpartition(":")
    return note if note.startswith(f"{name}: ") or (file and line.isdecimal()) else f"{name}: {note}"


def _of_several(paths: tuple[str, ...], *, bug_compatible: bool) -> Policy:
    from memwarden.errors import UsageError
    from memwarden.guard import foreign as others
    from memwarden.host.policy_files import BUILT_IN

    ours = [path for path in paths if path in (BUILT_IN, "none") or path.endswith(".toml")]
    texts: dict[str, str] = {}
    for path in () if ours else paths:
        texts |= texts_of(path)
    tools = {path: tool for path, text in texts.items() if (tool := others.recognise(path, text))}
    tool = next(iter(tools.values()), None)
    wrong = [*ours, *(path for path in tools if tools[path] != tool), *([] if tools else paths)]
    if wrong or tool is None:
        raise UsageError(
            f"{wrong[0]}: several files are one policy of another tool, and this is none of them; give one "
            "--policy, and --compare for each other"
        )
    return others.load(tool, texts, bug_compatible=bug_compatible)


def usable(where: str | None, *, bug_compatible: bool = False) -> Loaded:
    """A policy that is right; what is odd about its files goes to standard error.

    On standard input, which can be read only once, it may be another tool's. Raises :class:`InputError` with
    the first of what is wrong.
    """
    import sys

    from memwarden.errors import InputError

    files, loaded = read(where)
    for path, note in files.notes:
        sys.stderr.write(f"memwarden: {path}: {note}\n")
    if loaded.policy is None:
        theirs = _on_standard_input(files, bug_compatible=bug_compatible) if where == "-" else None
        if theirs is not None:
            return theirs
        of_no_policy(*files.texts[0])
        first = next(one for one in loaded.problems if not one.warning)
        rest = sum(not one.warning for one in loaded.problems) - 1
        more = f" (and {rest} more; memwarden policy check lists them)" if rest else ""
        raise InputError(f"{first}{more}")
    return loaded


def _on_standard_input(files: PolicyFiles, *, bug_compatible: bool) -> Loaded | None:
    from memwarden.guard import foreign as others
    from memwarden.guard.policy.load import Loaded

    tool = others.recognise(*files.texts[0])
    if tool is None:
        return None
    found = others.load(tool, files.texts[0], bug_compatible=bug_compatible)
    return Loaded(found, (), {}, protected(found))


def of_no_policy(name: str, text: str) -> None:
    """Raise :class:`InputError` where a text is plainly something else, which TOML's error would not say."""
    from memwarden.collect import rootar, signals
    from memwarden.errors import InputError

    if text.startswith((signals.HEADER, rootar.MAGIC.decode())):
        raise InputError(f"{name}: is a recording and no policy; memwarden policy replay takes it after one")
    if text.lstrip().startswith("{"):
        raise InputError(
            f"{name}: is JSON, and nothing in it says whose policy it is; memwarden policy convert --from "
            "TOOL takes it as that tool's"
        )


def add_policy_argument(parser: argparse.ArgumentParser) -> None:
    """``POLICY``, which may be left out."""
    parser.add_argument(
        "policy",
        metavar="POLICY",
        nargs="?",
        help="a file, a folder, default, or - (default: /etc/memwarden, or the built-in policy)",
    )
