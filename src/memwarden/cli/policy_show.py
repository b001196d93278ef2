"""``memwarden policy show``: the policy in effect, with where each part of it is from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.cli import common, policy

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  memwarden policy show
  memwarden policy show default > policy.toml

What is printed is a policy again: files and drop-ins put together, the rules of
protected services written out, and what is as it is by default left out.
Another tool's policy is shown as one of ours, as memwarden policy convert does.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's options."""
    policy.add_policy_argument(parser)
    common.add_format_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the policy."""
    from memwarden.guard.policy.render import render

    loaded = policy.in_effect(args.policy)
    assert loaded.policy is not None
    toml = render(loaded.policy, origins=loaded.origins, protected=loaded.protected)
    if args.format == "json":
        from memwarden.present import policy_json

        common.write_json(policy_json.document(loaded.policy, toml, loaded.protected, loaded.origins))
    else:
        common.write(toml)
    return 0
