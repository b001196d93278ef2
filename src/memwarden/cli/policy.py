"""``memwarden policy``: look at a policy of the guard.

Each action is a module beside this one, ``policy_ACTION``, with ``EPILOG``, ``add_arguments`` and ``run``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

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
policy is a file, a folder with all files of it, or - where what it says tells
whose it is.
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


def read(where: str | None, files: PolicyFiles | None = None) -> tuple[PolicyFiles, Loaded]:
    """The files of a policy, if they were not read yet, and what they say."""
    from memwarden.guard.policy.load import load
    from memwarden.host.policy_files import read_policy
    from memwarden.words.document import Text

    files = files or read_policy(where)
    return files, load([Text(*one) for one in files.texts], name=files.name)


def texts_of(*paths: str) -> dict[str, str]:
    """The text of each file by its name; of a folder those that are another tool's, main files first."""
    import os

    from memwarden.guard.foreign import recognise
    from memwarden.host.policy_files import read_folder, read_text

    texts: dict[str, str] = {}
    for where in paths:
        if os.path.isdir(where):
            found = [(path, text) for path, text in read_folder(where) if recognise(path, text)]
            texts |= sorted(found, key=lambda one: recognise(one[0], "") is None)
        else:
            texts |= [read_text(where)]
    return texts


def tools_of(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The files that say whose policy they are, and whose that is."""
    from memwarden.guard.foreign import recognise

    return ((path, tool) for path, text in texts.items() if (tool := recognise(path, text)))


def acting(where: str, *more: str, bug_compatible: bool) -> Policy:
    """A policy that shall act, ours or another tool's; what is odd about it goes to standard error.

    ``more`` are further files of another tool's, as ``policy convert`` takes them.
    """
    from memwarden.cli import common
    from memwarden.guard import foreign
    from memwarden.host.policy_files import STDIN, read_policy

    # Standard input can be read once only.
    files = read_policy(where) if where == STDIN and not more else None
    tool, texts = _of_several(where, *more) if more else _of_one(where, files)
    if tool is not None:
        found = foreign.load(tool, texts, bug_compatible=bug_compatible)
        notes = found.notes
    else:
        ours = usable(where, files).policy
        assert ours is not None
        found = ours
        if not found.rules:
            common.note(f"{found.name}: {NO_RULE}")
        notes = tuple(f"{found.name}: {note}" for note in found.notes)
    for note in notes:
        common.note(note)
    return found


def in_effect(where: str | None) -> Loaded:
    """A policy to look at: ours as :func:`usable` has it, or another tool's, whose notes are in it."""
    from memwarden.guard import foreign
    from memwarden.guard.policy.load import Loaded
    from memwarden.host.policy_files import STDIN, read_policy

    files = read_policy(where) if where == STDIN else None
    tool, texts = (None, {}) if where is None else _of_one(where, files)
    if tool is None:
        return usable(where, files)
    found = foreign.load(tool, texts)
    return Loaded(found, (), {}, protected(found))


def protected(policy: Policy) -> dict[str, tuple[str, ...]]:
    """Whom another tool's policy keeps alive, as the one section that this is in a policy of ours."""
    return {"services": policy.protect} if policy.protect else {}


def _of_one(where: str, files: PolicyFiles | None) -> tuple[str | None, dict[str, str]]:
    """Whose policy a file or a folder is, and its texts; ``None`` where nothing says that it is another's."""
    import os

    from memwarden.errors import InputError
    from memwarden.host.policy_files import BUILT_IN, is_ours

    if where == BUILT_IN or (os.path.isdir(where) and is_ours(where)):
        return None, {}
    texts = texts_of(where) if files is None else dict(files.texts)
    tools = sorted({tool for _, tool in tools_of(texts)})
    if len(tools) > 1:
        raise InputError(f"{where}: holds files of {' and '.join(tools)}; name those of one of them")
    return next(iter(tools), None), texts


def _of_several(*paths: str) -> tuple[str, dict[str, str]]:
    """Whose policy the files together are, which is one of another tool."""
    from memwarden.errors import UsageError
    from memwarden.host.policy_files import BUILT_IN

    wrong = [path for path in paths if path in (BUILT_IN, "none") or path.endswith(".toml")]
    texts = {} if wrong else texts_of(*paths)
    tools = dict(tools_of(texts))
    tool = next(iter(tools.values()), None)
    wrong += [path for path in tools if tools[path] != tool]
    if tool is None or wrong:
        raise UsageError(
            f"{[*wrong, *paths][0]}: several files are one policy of another tool, and this is none of them; "
            "give one --policy, and --compare for each other"
        )
    return tool, texts


def usable(where: str | None, files: PolicyFiles | None = None) -> Loaded:
    """A policy that is right, of ``files`` if they were read; what is odd about them goes to standard error.

    Raises :class:`InputError` with the first of what is wrong.
    """
    from memwarden.cli import common
    from memwarden.daemon import reading
    from memwarden.errors import InputError

    files, loaded = read(where, files)
    for path, note in files.notes:
        common.note(f"{path}: {note}")
    if loaded.policy is None:
        reading.of_no_policy(*files.texts[0])
        first = next(one for one in loaded.problems if not one.warning)
        rest = sum(not one.warning for one in loaded.problems) - 1
        more = f" (and {rest} more; memwarden policy check lists them)" if rest else ""
        raise InputError(f"{first}{more}")
    return loaded


def add_policy_argument(parser: argparse.ArgumentParser) -> None:
    """``POLICY``, which may be left out."""
    parser.add_argument(
        "policy",
        metavar="POLICY",
        nargs="?",
        help="a file, a folder, default, or - (default: /etc/memwarden, or the built-in policy)",
    )
