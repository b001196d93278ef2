"""Coverage-guided fuzzing of every kernel parser: they may return or raise ParseError, nothing else.

Not part of the test suite, since it needs atheris and runs for as long as it is let::

    .venv/bin/python -m pip install --group fuzz
    .venv/bin/python tests/fuzz/fuzz_parsers.py -max_total_time=60

Other arguments are those of libFuzzer: a folder keeps the corpus from one run to the next, a file is
run once. The first byte of an input chooses the parser, the rest is its text.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["memwarden"]):
    from memwarden.errors import ParseError
    from memwarden.testing.parsers import PARSERS, name_of, sample_of


def one_input(data: bytes) -> None:
    """Give the text to the chosen parser; whatever else than ParseError comes out stops the fuzzer."""
    if not data:
        return
    parser = PARSERS[data[0] % len(PARSERS)]
    try:
        parser(data[1:].decode("utf-8", "surrogateescape"))
    except ParseError as refused:
        if not str(refused):
            raise AssertionError(f"{name_of(parser)} refuses without a word") from refused


def main() -> int:
    """Fuzz, with the samples of the docstrings to begin from."""
    with tempfile.TemporaryDirectory(prefix="memwarden-fuzz-") as seeds:
        child = os.fork()  # libFuzzer leaves without cleaning up
        if child == 0:
            fuzz(Path(seeds))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fuzz(seeds: Path) -> None:
    """Does not return."""
    for number, parser in enumerate(PARSERS):
        sample = sample_of(parser).encode("utf-8", "surrogateescape")
        (seeds / name_of(parser)).write_bytes(bytes([number]) + sample)
    only_run = any(Path(argument).is_file() for argument in sys.argv[1:])
    atheris.Setup(sys.argv if only_run else [*sys.argv, str(seeds)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
