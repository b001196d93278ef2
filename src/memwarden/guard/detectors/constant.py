"""Always, or never."""

from memwarden.guard import ir
from memwarden.guard.record import Finding
from memwarden.guard.view import View


class ConstantWatch:
    """See :class:`memwarden.guard.ir.Constant`."""

    __slots__ = ("_finding",)

    def __init__(self, spec: ir.Constant) -> None:
        self._finding = Finding("constant", spec.fires, text="always" if spec.fires else "")

    def see(self, view: View) -> Finding:
        """The same at every tick."""
        return self._finding
