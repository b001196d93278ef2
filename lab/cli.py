"""The verbs of ``python -m lab``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from lab import image, kernels, runs, tools
from lab.errors import LabError
from lab.guest.scenarios import BY_NAME


def _install(_arguments: argparse.Namespace) -> int:
    print("installed:", " ".join(tools.install()) or "nothing was missing")
    return 0


def _list(_arguments: argparse.Namespace) -> int:
    for kernel in kernels.fetch_all():
        print(f"{kernel.series:6} {kernel.release:32} {kernel.version:14} {kernel.suite}")
    return 0


def _prepare(_arguments: argparse.Namespace) -> int:
    tools.install()
    for kernel in kernels.fetch_all():
        print(f"{kernel.release}: {image.initramfs(kernel).name}")
    print(image.root_disk().name)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    """Boot, run, compare. Where guests cannot be had, say so; that is a failure only with --require-all."""
    import_module("lab.table")  # what cannot be compared need not be run
    found = _bootable(arguments)
    if not found:
        return 0
    wanted = [boot for boot in runs.boots(found) if not arguments.kernel or boot.name in arguments.kernel]
    if not wanted:
        raise LabError(
            f"no boot named {arguments.kernel}; there are {[boot.name for boot in runs.boots(found)]}"
        )
    problems = runs.run_all(wanted, arguments.scenario, parallel=arguments.parallel)
    status = _judge([boot.name for boot in wanted])
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else status


def _bootable(arguments: argparse.Namespace) -> list[kernels.Kernel]:
    """The kernels; none, with a word on it, where guests cannot be booted and need not be."""
    try:
        tools.check()
        found = kernels.fetch_all()
        image.root_disk()
    except LabError as error:
        if arguments.require_all:
            raise
        print(f"lab: skipped, no guest can be booted here: {error}")
        return []
    return found


def _judge(boots: list[str] | None = None) -> int:
    table = import_module("lab.table")  # what compares needs memwarden; what installs and boots does not
    outcomes = table.outcomes(boots)
    print(table.render(outcomes))
    return 1 if not outcomes or any(outcome.failed for outcome in outcomes) else 0


def _compare(arguments: argparse.Namespace) -> int:
    return _judge(arguments.kernel)


def _faults(arguments: argparse.Namespace) -> int:
    """What the guard does to a machine; skipped as ``run`` is."""
    found = _bootable(arguments)
    if not found:
        return 0
    faults = import_module("lab.faults")
    known = faults.boots(found, tuple(arguments.check))
    wanted = [boot for boot in known if not arguments.kernel or boot.name in arguments.kernel]
    if not wanted:
        raise LabError(f"no boot named {arguments.kernel}; there are {[boot.name for boot in known]}")
    if not (arguments.kernel or arguments.require_all):
        for boot in [boot for boot in wanted if boot.guest.root and not boot.guest.root.exists()]:
            print(f"lab: {boot.name} skipped, its root disk is not made yet: --kernel {boot.name} makes it")
            wanted.remove(boot)
    return int(faults.run(wanted, parallel=arguments.parallel, cgroups=arguments.cgroups))


def _leak(arguments: argparse.Namespace) -> int:
    """A recording to try policies on; skipped as ``run`` is."""
    leak = import_module("lab.leak")
    kernel = next((one for one in _bootable(arguments) if one.series == leak.SERIES), None)
    if kernel is None:
        return 0
    archive = leak.run(kernel)
    print(f"{archive}: {archive.stat().st_size} bytes")
    return 0


def _arena(arguments: argparse.Namespace) -> int:
    tools.check()
    return int(import_module("lab.arena.verb").main(arguments))


def _chosen(arguments: argparse.Namespace) -> list[kernels.Kernel]:
    """The kernels that were asked for; none where guests cannot be booted and need not be."""
    found = _bootable(arguments)
    wanted = [kernel for kernel in found if not arguments.kernel or kernel.series in arguments.kernel]
    if found and not wanted:
        raise LabError(f"no kernel {arguments.kernel}; there are {[kernel.series for kernel in found]}")
    return wanted


def _fidelity(arguments: argparse.Namespace) -> int:
    """Measure what was not measured yet, simulate the same, write the document and print the table."""
    page, fidelity = import_module("lab.fidelity.page"), import_module("lab.fidelity.runs")
    if not arguments.simulate_only:
        fidelity.run(_chosen(arguments), parallel=arguments.parallel, again=arguments.again)
    found = page.write()
    print(page.summary(found))
    outside = [one for one in found if not one.within]
    for one in outside:
        print(f"outside {one.series} {one.scenario} {one.quantity} {one.what}: {one.guest} / {one.simulated}")
    free = sum(one.bar is None for one in found)
    held = len(found) - len(outside) - free
    print(f"fidelity: {held} within their bars, {len(outside)} outside, {free} without a bar")
    return 1 if outside else 0


def _truth(arguments: argparse.Namespace) -> int:
    tools.check()
    return int(import_module("lab.truth.verb").main(arguments))


def _fixtures(arguments: argparse.Namespace) -> int:
    written = import_module("lab.fixtures").write(arguments.scenario)
    print(f"{len(written)} files, {sum(path.stat().st_size for path in written)} bytes")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="Real kernels in small virtual machines."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    made = {}
    for name, function, text in (
        ("install", _install, "install the Debian packages the laboratory needs (as root)"),
        ("list", _list, "name the kernels"),
        ("prepare", _prepare, "fetch the kernels and build what guests boot from"),
        ("run", _run, "boot the kernels, run the scenarios, compare, print the table"),
        ("faults", _faults, "boot the kernels and try what the guard does to a machine"),
        ("fidelity", _fidelity, "compare the simulator with the kernels, write docs/explanation/fidelity.md"),
        ("leak", _leak, "record a leak until the kernel kills: what policies are tried on"),
        ("arena", _arena, "memwarden beside the other daemons: run what is missing, write docs/arena.md"),
        ("truth", _truth, "try what is said about limits; writes docs/explanation/what-is-true.md"),
        ("compare", _compare, "compare what the last run brought back once more"),
        ("fixtures", _fixtures, "add recordings and logs to those that the unit tests read"),
    ):
        made[name] = verbs.add_parser(name, help=text)
        made[name].set_defaults(function=function)
    for name in ("run", "compare", "faults", "fidelity"):
        made[name].add_argument("--kernel", action="append", help="only this boot, as 6.12 or 6.1-v1")
    import_module("lab.truth.verb").add_arguments(made["truth"])
    import_module("lab.arena.verb").add_arguments(made["arena"])
    for name, text in (("run", "only this scenario"), ("fixtures", "renew the files of this one, too")):
        made[name].add_argument(
            "--scenario", action="append", default=[], choices=BY_NAME, metavar="NAME", help=text
        )
    made["faults"].add_argument(
        "--check", action="append", default=[], metavar="NAME", help="only this check"
    )
    made["faults"].add_argument(
        "--cgroups", type=int, default=1000, help="how many of them the check of many makes (1000)"
    )
    made["fidelity"].add_argument(
        "--simulate-only", action="store_true", help="with the kept measurements, no boots"
    )
    made["fidelity"].add_argument("--again", action="store_true", help="measure although there is a result")
    for name in ("run", "faults", "fidelity"):
        made[name].add_argument("--parallel", type=int, default=2, help="guests at a time (2)")
    for name in ("run", "faults", "fidelity", "leak"):
        made[name].add_argument(
            "--require-all",
            action="store_true",
            help="fail, not skip, where guests cannot be booted",
        )
    return parser


def main(words: list[str] | None = None) -> int:
    """Run one verb; a LabError is one line on stderr and exit status 3."""
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.function(arguments))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 3
