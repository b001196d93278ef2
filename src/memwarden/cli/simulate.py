"""``memwarden simulate``: try a limit before it is set, and a policy before it is trusted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from memwarden.cli import common
from memwarden.errors import InputError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from memwarden.guard.ir import Policy
    from memwarden.sim.result import Result
    from memwarden.sim.scenario import Scenario
    from memwarden.sim.words.settings import Setting
    from memwarden.words.document import Text
    from memwarden.words.problems import Problem

HELP = "try a limit or a policy in a world that obeys the kernel's rules"
EPILOG = """\
examples:
  memwarden simulate --list
  memwarden simulate high-against-max
  memwarden simulate fast-leak --policy default
  memwarden simulate fast-leak --policy oomd.conf --policy units.txt
  memwarden simulate tight-cache --compare /service/memory.max=512M
  memwarden simulate tight-cache --sweep memory.max=256M..768M:64M
  memwarden simulate --from night.rootar --write first.toml

A SCENARIO is a name of the library, a file in TOML, or - for standard input;
docs/reference/scenarios.md says what stands in one.

A KEY is a cgroup's file by its path, as below /sys/fs/cgroup
(/web/memory.high=2G), or a key of the scenario (machine.ram=1GiB,
program.leak1.grow.rate=10MiB/s, duration=5min). A key of --sweep may leave the
cgroup out where only one has that file set.
"""
GUESSED = """\
# Limits and sizes are measured. Requests, hot parts and rates cannot be seen from outside and are guesses:
# edit them by docs/reference/scenarios.md.

"""
_TOLD: set[str] = set()
"""What was said of scenarios already: each of many runs reads its own, with the same oddities."""
_LIKE: dict[str, int] = {}
"""How many warnings there were that differ in their figures only, by what stands before those."""
NOBODY = "none"
"""The policy that is none: the kernel alone."""


class Variant(NamedTuple):
    """One run: what it is called, what it is of, and who acts in it."""

    label: str
    scenario: Scenario
    policy: Policy | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("scenario", metavar="SCENARIO", nargs="?", help="a name, a file, or -")
    parser.add_argument("--list", action="store_true", help="list the named scenarios")
    parser.add_argument(
        "--from", dest="source", metavar="SOURCE",
        help="make the scenario of what runs: a recording, a PID or a cgroup of this machine",
    )  # fmt: skip
    parser.add_argument(
        "--write", metavar="FILE", help="write the scenario as TOML (- for standard output), simulate nothing"
    )
    parser.add_argument("--force", action="store_true", help="write over files that are there")
    parser.add_argument(
        "--policy", dest="policies", metavar="POLICY", action="append", default=[],
        help="who acts in it: a policy as memwarden policy takes it, ours or another tool's "
        f"(default: {NOBODY}, the kernel alone); repeated for each file of one that has several, as "
        "memwarden policy convert takes them",
    )  # fmt: skip
    parser.add_argument(
        "--bug-compatible",
        action="store_true",
        help="other tools' policies as the tool really behaves, not as it is documented",
    )
    parser.add_argument(
        "--set", dest="settings", metavar="KEY=VALUE", action="append", default=[],
        help="set one key of the scenario; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--compare", metavar="POLICY|KEY=VALUE", action="append", default=[],
        help="run it again with this instead, and print a table; may be repeated",
    )  # fmt: skip
    several = parser.add_argument_group("many runs, over all processors")
    several.add_argument("--sweep", metavar="KEY=FROM..TO:STEP", help="a curve over the values of one key")
    several.add_argument("--seeds", metavar="N", type=int, help="N independent nodes, one seed each")
    several.add_argument("--jobs", metavar="N", type=int, help="processes (default: one per processor)")
    several.add_argument(
        "--keep", metavar="FILE", help="keep every run that is done here, and go on from it the next time"
    )
    parser.add_argument(
        "--plot", metavar="FILE", action="append", default=[],
        help="draw it: .svg, .png or .html (needs matplotlib); may be repeated",
    )  # fmt: skip
    common.add_format_option(parser)
    common.add_color_option(parser)


def run(args: argparse.Namespace) -> int:
    """Do what the options say."""
    _TOLD.clear()
    _LIKE.clear()
    if args.list:
        return _list(args)
    if args.scenario is None and args.source is None:
        raise UsageError("name one scenario (memwarden simulate --list shows them), or --from a recording")
    if args.scenario is not None and args.source is not None:
        raise UsageError(f"{args.scenario} and --from are two scenarios; give one of them")
    if args.sweep is not None and args.seeds is not None:
        raise UsageError("--sweep and --seeds are two questions; ask one of them")
    if args.sweep is None and args.seeds is None and (args.keep is not None or args.jobs is not None):
        raise UsageError("--keep and --jobs are for many runs; give --sweep or --seeds, too")
    idle = {"--sweep": args.sweep, "--seeds": args.seeds, "--plot": args.plot, "--compare": args.compare,
            "--policy": args.policies}  # fmt: skip
    if args.write is not None and (given := [name for name, value in idle.items() if value]):
        raise UsageError(f"--write simulates nothing; leave out {' and '.join(given)}")
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs}: give a number of processes, 1 or more")
    if [args.scenario, args.source, *args.policies, *args.compare].count("-") > 1:
        raise UsageError("standard input (-) can be read only once; name files for the others")
    args.plot = list(dict.fromkeys(args.plot))
    for path in args.plot:
        from memwarden.present import plot

        plot.check(path)
        common.refuse_existing(path, force=args.force)
    if args.write is not None:
        return _write(args)
    if args.sweep is not None or args.seeds is not None:
        from memwarden.cli import simulate_sweep

        return simulate_sweep.run(args)
    return _runs(args)


def _list(args: argparse.Namespace) -> int:
    from memwarden.host import scenario_files
    from memwarden.present import simulate_list

    found = [scenario(name, ()) for name in scenario_files.names()]
    if args.format == "json":
        common.write_json(simulate_list.document(found))
    else:
        common.write(simulate_list.text(found, width=common.width()))
    return 0


def _write(args: argparse.Namespace) -> int:
    from memwarden.sim.words.render import render

    toml = render(chosen(args, args.settings))
    if args.source is not None:
        toml = GUESSED + toml
    if args.write == "-":
        common.write(toml)
    else:
        common.write_file(args.write, [toml], force=args.force)
    return 0


def _runs(args: argparse.Namespace) -> int:
    from memwarden.sim.words.settings import setting

    named = policy_name(args)
    policy = policy_of(args, *args.policies)
    variants = [Variant(named or "the kernel alone", chosen(args, args.settings), policy)]
    for said in args.compare:
        if "=" in said:
            other = chosen(args, [*args.settings, setting(said, "--compare")])
            variants.append(Variant(said, other, variants[0].policy))
        else:
            variants.append(Variant(said, variants[0].scenario, policy_of(args, said)))
    tell_like()
    for one in variants:
        tell_unseen(one.policy, one.scenario)
    runs = [(one.label, simulated(one)) for one in variants]
    for path in args.plot:
        from memwarden.present import plot

        with common.whole_file(path, force=args.force, mode=0o644) as file:
            plot.write(runs, path, file)
    _print(args, runs, None if policy is None else named)
    return 0


def _print(args: argparse.Namespace, runs: Sequence[tuple[str, Result]], policy: str | None) -> None:
    if args.format == "json":
        from memwarden.present import simulate_json

        common.write_json(simulate_json.document(runs))
        return
    from memwarden.present import simulate_compare, simulate_text
    from memwarden.present.colour import Paint

    paint, width = Paint(common.use_color(args)), common.width()
    common.write(simulate_text.text(runs[0][1], width=width, paint=paint, policy=policy))
    if len(runs) > 1:
        common.write("\n" + simulate_compare.text(runs, width=width, paint=paint))


def chosen(args: argparse.Namespace, settings: Sequence[str | Setting]) -> Scenario:
    """The scenario that the options name, with settings over it."""
    if args.source is not None:
        from memwarden.cli import simulate_from

        return simulate_from.scenario(args.source, settings)
    return scenario(args.scenario, settings)


def scenario(where: str, settings: Sequence[str | Setting]) -> Scenario:
    """A scenario by its name or file; what is odd about it goes to standard error.

    Raises :class:`InputError` with all that is wrong.
    """
    from memwarden.host import scenario_files
    from memwarden.words.document import Text

    if where != scenario_files.STDIN:
        _known(where)
    text = Text(*scenario_files.read(where))
    return of_text(text, text.name.rpartition("/")[2].removesuffix(".toml"), settings)


def of_text(text: object, name: str, settings: Sequence[str | Setting]) -> Scenario:
    """A scenario by its text."""
    from memwarden.sim.words.load import load
    from memwarden.sim.words.settings import setting
    from memwarden.words.document import Text

    assert isinstance(text, Text)
    loaded = load(
        text,
        name=name,
        fetch=_fetched,
        settings=[setting(one) if isinstance(one, str) else one for one in settings],
    )
    if loaded.scenario is not None:
        _tell(loaded.problems)
        return loaded.scenario
    *others, last = (one for one in loaded.problems if not one.warning)
    _tell(others)
    raise InputError(str(last))


def _known(where: str) -> None:
    """Raise :class:`InputError` for a name that no scenario has; a file is for whoever reads it."""
    from memwarden.cli.parser import nearest
    from memwarden.host import scenario_files

    if not scenario_files.is_file(where) and where not in scenario_files.names():
        raise InputError(
            f"{where}: there is no scenario of this name{nearest(where, scenario_files.names())}; memwarden "
            "simulate --list shows them, and a file ends in .toml"
        )


def _fetched(base: str, beside: str) -> Text:
    """What a scenario extends."""
    from memwarden.host import scenario_files
    from memwarden.words.document import Text

    _known(base)
    return Text(*scenario_files.read(base, beside))


def _tell(problems: Sequence[Problem]) -> None:
    for line in dict.fromkeys(map(str, problems)):
        if line not in _TOLD:
            _TOLD.add(line)
            like = line.partition(" (")[0] if ": warning: " in line else line
            _LIKE[like] = _LIKE.get(like, 0) + 1
            if _LIKE[like] == 1:
                common.note(line)


def tell_like() -> None:
    """Say of how many more values something odd is true that was said of the first."""
    from memwarden.present.text import counted

    for like, times in _LIKE.items():
        if times > 1:
            common.note(f"{like}: so it is at {counted(times - 1, 'more value')}")


def policy_of(args: argparse.Namespace, *where: str) -> Policy | None:
    """The policy that acts, of one or several files; ``None`` for the kernel alone."""
    from memwarden.cli import policy

    if where in ((), (NOBODY,)):
        return None
    return policy.acting(*where, bug_compatible=args.bug_compatible)


def policy_name(args: argparse.Namespace) -> str:
    """The policy as it was named, with all its files."""
    from memwarden.host.policy_files import STDIN

    return " + ".join("standard input" if one == STDIN else one for one in args.policies)


def tell_unseen(policy: Policy | None, scenario: Scenario) -> None:
    """Say that a policy watches cgroups only that are not in a scenario."""
    from memwarden.guard.sight import absent
    from memwarden.state.cgroup import ancestry

    there = {path for one in scenario.groups for path in ancestry(one.path)} | {"/"}
    missing = () if policy is None else absent(policy, there)
    if policy is not None and missing:
        common.note(
            f"{policy.name}: does nothing here: it watches {', '.join(missing)}, and there is no such cgroup "
            f"in {scenario.name}"
        )


def simulated(variant: Variant) -> Result:
    """Run one, with a sign of progress where somebody looks."""
    from memwarden.cli.inside import Inside
    from memwarden.sim.run import simulate

    guard = None if variant.policy is None else Inside(variant.policy)
    say = _progress(variant) if sys.stderr.isatty() else None
    result = simulate(variant.scenario, guard, progress=say)
    if say is not None:
        sys.stderr.write("\r\x1b[K")
    return result


def _progress(variant: Variant) -> Callable[[int], None]:
    whole = variant.scenario.duration_us / 1e6

    def say(time_us: int) -> None:
        sys.stderr.write(f"\r\x1b[K{variant.scenario.name}: {time_us / 1e6:.0f} s of {whole:.0f} s")
        sys.stderr.flush()

    return say
