"""Lines and averages of pressure files, as detectors use them."""

from memwarden.guard.ir import PressureKind
from memwarden.kernel.psi import Psi, PsiLine


def line(psi: Psi | None, kind: PressureKind) -> PsiLine | None:
    """The ``some`` or ``full`` line; ``None`` where there is none."""
    if psi is None:
        return None
    return psi.full if kind == "full" else psi.some


def average_centi(found: PsiLine, seconds: int) -> int:
    """An average in hundredths of a percent, which the kernel prints two digits of."""
    percent = found.avg10_pct if seconds == 10 else found.avg60_pct if seconds == 60 else found.avg300_pct
    return round(percent * 100)


def weighted(found: PsiLine) -> float:
    """How bad it is by the weights of oomd (``oomd/plugins/PressureAbove.cpp``): the recent counts more."""
    return 3 * found.avg10_pct + 2 * found.avg60_pct + found.avg300_pct
