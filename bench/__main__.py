"""``python -m bench [--quick] [--write] [NAME ...]``: run the benches and print their table."""

from __future__ import annotations

import argparse
import os
import platform
import sys

from bench import decision, explain, simulate, snapshot, startup
from bench.report import Claim, table

BENCHES = {
    "startup": startup.claims,
    "explain": explain.claims,
    "snapshot": snapshot.claims,
    "decision": decision.claims,
    "simulate": simulate.claims,
}
DOCUMENT = "docs/benchmarks.md"


def main() -> int:
    """Run what was asked for; 1 when a bar is not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which benches (default: all)")
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT}")
    options = parser.parse_args()
    claims: list[Claim] = []
    for name in options.names or BENCHES:
        for claim in BENCHES[name]():
            claims.append(claim)
            print(
                f"{claim.what}: {claim.value} of {claim.rival} ({claim.bar}); {claim.detail}", file=sys.stderr
            )
    print(table(claims))
    if options.write:
        write(claims, whole=not options.names)
    return 0 if all(claim.met for claim in claims) else 1


def write(claims: list[Claim], *, whole: bool) -> None:
    """Replace the table in the document, between its two markers; where not ``whole``, only these rows."""
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    head, _, rest = text.partition("<!-- measured -->\n")
    before, _, tail = rest.partition("<!-- end of measured -->")
    release = platform.release().partition("-")[0]
    machine = f"{os.cpu_count()} CPUs, kernel {release}, Python {platform.python_version()}"
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(
            f"{head}<!-- measured -->\nMeasured on: {machine}.\n\n{table(claims, '' if whole else before)}"
            f"<!-- end of measured -->{tail}"
        )


if __name__ == "__main__":
    sys.exit(main())
