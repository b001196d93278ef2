"""``memwarden policy explain``: what a policy does, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.cli import common, policy

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  memwarden policy explain
  memwarden policy explain my-policy.toml
  memwarden policy explain /etc/oomd.json       # other tools' policies, too
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's options."""
    policy.add_policy_argument(parser)
    common.add_format_option(parser)
    common.add_color_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the words."""
    loaded = policy.in_effect(args.policy)
    assert loaded.policy is not None
    if args.format == "json":
        from memwarden.guard.policy.render import render
        from memwarden.present import policy_json

        toml = render(loaded.policy, origins=loaded.origins, protected=loaded.protected)
        common.write_json(policy_json.document(loaded.policy, toml, loaded.protected, loaded.origins))
    else:
        from memwarden.present import policy_words
        from memwarden.present.colour import Paint

        paint = Paint(common.use_color(args))
        common.write(policy_words.text(loaded.policy, loaded.protected, width=common.width(), paint=paint))
    return 0
