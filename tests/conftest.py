"""What every test may use: golden texts, the folder of real reports, the command line in this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from memwarden.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
OOMLOGS = REPOSITORY.parent / "shared" / "oomlogs"

# Needs atheris, which the suite does not (make fuzz).
collect_ignore = ["fuzz"]

# The same examples on every run and no clock: a slow machine must not turn a test red.
settings.register_profile(
    "default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what was printed into tests/golden; read the difference line by line then",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden("explain/single.txt", text)``: the text is what tests/golden/explain/single.txt holds."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"tests/golden/{name} is missing; make it with pytest --update-golden"
        assert text == path.read_text(encoding="utf-8"), f"tests/golden/{name} differs"

    return compare


@pytest.fixture(scope="session")
def oomlogs() -> Path:
    """The folder of real OOM reports with answer keys, which is not part of this repository."""
    if not (OOMLOGS / "README.md").exists():
        pytest.skip("the real reports are not beside this checkout (../shared/oomlogs)")
    return OOMLOGS


class Ran(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """``cli("status", "--root", path)`` runs a command line in this process, 80 columns, no colour."""
    for name in ("COLUMNS", "NO_COLOR", "MEMWARDEN_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str | os.PathLike[str]) -> Ran:
        capsys.readouterr()
        code = main.run([os.fspath(word) for word in words])
        return Ran(code, *capsys.readouterr())

    return run
