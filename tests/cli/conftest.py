"""What tests of several verbs need."""

import os

import pytest


@pytest.fixture
def piped(cli, tmp_path):
    """Runs the command with a text at its standard input."""

    def run(text, *words):
        (tmp_path / "piped").write_bytes(text if isinstance(text, bytes) else text.encode())
        kept = os.dup(0)
        try:
            with (tmp_path / "piped").open("rb") as stream:
                os.dup2(stream.fileno(), 0)
            return cli(*words)
        finally:
            os.dup2(kept, 0)
            os.close(kept)

    return run
