import pytest

from memwarden.kernel import psi
from memwarden.kernel.psi import Psi, PsiLine
from tests.kernel.refused import refused

SOME = "some avg10=12.34 avg60=0.05 avg300=100.00 total=12653113\n"
FULL = "full avg10=0.00 avg60=0.00 avg300=0.00 total=18446744073709551615\n"
SOME_LINE = PsiLine(12.34, 0.05, 100.0, 12653113)
FULL_LINE = PsiLine(0.0, 0.0, 0.0, 2**64 - 1)


@pytest.mark.parametrize(
    ("text", "pressure"),
    [
        (SOME + FULL, Psi(SOME_LINE, FULL_LINE)),
        (SOME, Psi(SOME_LINE, None)),  # cpu before 5.13
        (FULL, Psi(None, FULL_LINE)),  # irq
        (SOME.rstrip("\n"), Psi(SOME_LINE, None)),
        ("most avg10=0.00 total=0\n" + SOME, Psi(SOME_LINE, None)),
    ],
)
def test_good(text, pressure):
    assert psi.parse(text) == pressure


@pytest.mark.parametrize(
    "line",
    [
        "some",
        "some avg10=0.00 avg60=0.00 avg300=0.00",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=-1",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1.5",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1_0",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=٣",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=" + "9" * 5000,
        "some avg10=nan avg60=0.00 avg300=0.00 total=0",
        "some avg10=1e3 avg60=0.00 avg300=0.00 total=0",
        "some avg10=0.0.0 avg60=0.00 avg300=0.00 total=0",
        "some avg10= avg60=0.00 avg300=0.00 total=0",
        "some avg60=0.00 avg10=0.00 avg300=0.00 total=0",
        "some avg10 0.00 avg60 0.00 avg300 0.00 total 0",
        "some avg10=0.00  avg60=0.00 avg300=0.00 total=0",
    ],
)
def test_refused(line):
    assert refused(psi.parse, FULL + line + "\n") == (2, line[:80])


@pytest.mark.parametrize("text", ["", "\n", "0\n", "SOME avg10=0.00\n"])
def test_nothing_known(text):
    assert refused(psi.parse, text) == (0, text)
