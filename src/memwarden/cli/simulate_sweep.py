"""``memwarden simulate --sweep`` and ``--seeds``: one scenario many times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from memwarden.cli.simulate_many import Job
    from memwarden.guard.ir import Policy
    from memwarden.sim.scenario import Scenario
    from memwarden.sim.sweep import Point, Sweep

MOST = 1_000_000


def run(args: argparse.Namespace) -> int:
    """Run all of it; an interrupt ends with what is done, and 130."""
    from memwarden.cli import simulate
    from memwarden.cli.simulate_many import Keep, many

    if args.compare:
        raise UsageError("--compare does not go with --sweep or --seeds; run one after the other")
    scenario = simulate.chosen(args, args.settings)
    policy = simulate.policy_of(args, *args.policies)
    simulate.tell_unseen(policy, scenario)
    swept = _seeds(args.seeds, scenario) if args.sweep is None else _swept(args.sweep, scenario)
    jobs = [_job(args, swept, at) for at in range(len(swept.values))]
    simulate.tell_like()
    points: dict[int, Point] = {}
    stopped = False
    try:
        with Keep(args.keep, policy) as keep:
            for number, point in many(jobs, policy, keep, args.jobs):
                points[number] = point  # noqa: PERF403 - what is done before an interrupt stays
    except KeyboardInterrupt:
        stopped = True
        kept = f"; {args.keep} has them" if args.keep and points else ""
        common.note(f"interrupted: {len(points)} of {len(jobs)} runs are done{kept}")
    _print(args, scenario, policy, swept, [points[number] for number in sorted(points)])
    return 130 if stopped else 0


def _seeds(count: int, scenario: Scenario) -> Sweep:
    from memwarden.sim.sweep import SEED, Sweep

    if not 1 <= count <= MOST:
        raise UsageError(f"--seeds {count}: give a number of nodes, 1 to {MOST}")
    values = tuple(range(scenario.seed, scenario.seed + count))
    return Sweep(SEED, values, tuple(map(str, values)))


def _swept(said: str, scenario: Scenario) -> Sweep:
    """The range, its key completed by the only cgroup that it can be of."""
    from memwarden.sim.sweep import sweep
    from memwarden.sim.words.settings import keys_of
    from memwarden.sim.words.words import GROUP

    found = sweep(said)
    knob = GROUP.key_of(found.key)
    if knob is None:
        keys_of(found.key, f"--sweep {said}")
        return found
    plain = type(scenario.groups[0])("/") if scenario.groups else None
    having = [one.path for one in scenario.groups if getattr(one, knob.field) != getattr(plain, knob.field)]
    paths = having or [one.cgroup for one in scenario.programs]
    paths = list(dict.fromkeys(paths))
    if len(paths) != 1:
        several = ", ".join(f"{path.rstrip('/')}/{found.key}" for path in paths) or "none"
        raise UsageError(f"--sweep {said}: of which cgroup? There are {several}")
    return found._replace(key=f"{paths[0].rstrip('/')}/{found.key}")


def _job(args: argparse.Namespace, swept: Sweep, at: int) -> Job:
    from memwarden.cli import simulate
    from memwarden.cli.simulate_many import Job
    from memwarden.sim.words.render import render
    from memwarden.sim.words.settings import setting

    option = "--seeds" if args.sweep is None else "--sweep"
    said = setting(f"{swept.key}={swept.texts[at]}", option)
    if args.sweep is not None:  # the key may have been completed: a fault names what was written
        said = said._replace(said=f"--sweep {args.sweep}")
    one = simulate.chosen(args, [*args.settings, said])
    return Job(swept.values[at], swept.texts[at], render(one))


def _print(
    args: argparse.Namespace, scenario: Scenario, policy: Policy | None, swept: Sweep, points: list[Point]
) -> None:
    from memwarden.cli.simulate import policy_name
    from memwarden.present import sweep_json, sweep_text

    named = None if policy is None else policy_name(args)
    for path in args.plot:
        from memwarden.present import plot_sweep

        if not points:
            common.note(f"{path}: is not written, since nothing is done yet")
            continue
        with common.whole_file(path, force=args.force, mode=0o644) as file:
            plot_sweep.write(scenario, swept, points, path, file, policy=named)
    if args.format == "json":
        common.write_json(sweep_json.document(scenario, policy, swept, points))
    elif args.sweep is None:
        common.write(sweep_text.nodes(scenario, points, width=common.width(), policy=named))
    else:
        common.write(sweep_text.text(scenario, swept, points, width=common.width(), policy=named))
