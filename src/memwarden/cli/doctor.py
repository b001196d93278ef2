"""``memwarden doctor``: whether this machine, or a recording of one, is all right."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.cli.main import DONE, FINDINGS
from memwarden.errors import InputError

if TYPE_CHECKING:
    import argparse

    from memwarden.present.doctor_text import Access

HELP = "what can be read here, what is near its limit, what to do"
EPILOG = """\
examples:
  memwarden doctor                      this machine
  memwarden doctor --root web1.rootar   a recording
  memwarden doctor --format json | jq .findings

Exits with 1 when a finding asks for action (marked !), else with 0.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    common.add_format_option(parser)
    common.add_color_option(parser)
    common.add_machine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Examine, print, and say by the exit code whether there is something to do."""
    from memwarden.present import doctor_checks, doctor_text, status_rows
    from memwarden.present.colour import Paint

    snapshot = common.collector(args).snapshot()
    case = doctor_checks.examine(snapshot, status_rows.rows(snapshot))
    access = _access(args)
    if args.format == "json":
        from memwarden.present import doctor_json

        common.write_json(doctor_json.document(case, access))
    else:
        paint = Paint(common.use_color(args))
        common.write(doctor_text.text(case, access, width=common.width(), paint=paint))
    return FINDINGS if any(one.act for one in doctor_checks.findings(case)) else DONE


def _access(args: argparse.Namespace) -> Access:
    from memwarden.host import kernel_log
    from memwarden.present.doctor_text import Access

    if args.root is not None:
        return Access()
    try:
        next(iter(kernel_log.live()), None)
    except InputError as error:
        return Access(os.geteuid() == 0, str(error))
    return Access(os.geteuid() == 0, "")
