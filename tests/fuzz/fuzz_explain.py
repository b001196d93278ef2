"""Coverage-guided fuzzing of the reading of OOM reports: any bytes, in any chunks, never an exception.

Not part of the test suite, since it needs atheris and runs for as long as it is let::

    .venv/bin/python -m pip install --group fuzz
    .venv/bin/python tests/fuzz/fuzz_explain.py -max_total_time=60 -max_len=8192

Other arguments are those of libFuzzer: a folder keeps the corpus from one run to the next, a file is
run once. The first byte of an input chooses the size of the chunks, the rest is the text. Reports of
every kernel generation through every transport are there to begin from.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["memwarden"]):
    from memwarden.postmortem.read import find_reports
    from memwarden.postmortem.scan import Scan

from tests.postmortem.eras import ERAS
from tests.postmortem.transports import TRANSPORTS
from tests.postmortem.world import World


def one_input(data: bytes) -> None:
    """Read the text; whatever comes out as an exception, or counts lines wrongly, stops the fuzzer."""
    size = 1 + (data[0] if data else 0) * 16
    text = data[1:]
    scan = Scan("fuzz")
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    reports = list(find_reports(pieces, file="fuzz", scan=scan))
    for report in reports:
        if not 1 <= report.source.first_line <= report.source.last_line <= scan.lines:
            raise AssertionError(f"{report.source} of {scan.lines} lines")
    if reports != list(find_reports([text], file="fuzz")):
        raise AssertionError("chunks matter")


def main() -> int:
    """Fuzz, with reports of every era and transport to begin from."""
    with tempfile.TemporaryDirectory(prefix="memwarden-fuzz-") as seeds:
        child = os.fork()  # libFuzzer leaves without cleaning up
        if child == 0:
            fuzz(Path(seeds))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fuzz(seeds: Path) -> None:
    """Does not return."""
    for number, (name, dress) in enumerate(TRANSPORTS.items()):
        world = World(ERAS[number % len(ERAS)], scope="system" if number % 2 else "memcg")
        (seeds / name.replace(" ", "-")).write_bytes(bytes([number]) + dress(world.report()).encode())
    only_run = any(Path(argument).is_file() for argument in sys.argv[1:])
    atheris.Setup(sys.argv if only_run else [*sys.argv, str(seeds)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
