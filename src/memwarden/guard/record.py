"""What a decision is made of: findings, candidates, and the decision itself."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from memwarden.state.intents import Intent, Target
from memwarden.state.snapshot import Instant
from memwarden.units import Limit


class Finding(NamedTuple):
    """What one detector saw at one tick.

    ``value`` and ``threshold`` are in ``unit`` (``bytes``, ``bytes-per-second``, ``us``, ``centi-percent``,
    ``per-second``, ``count``); ``value`` is ``None`` where the machine does not say, and then it did not
    fire. ``held_us`` is for how long the condition has held, ``where`` the cgroup it was seen at (``/`` is
    the machine), ``error`` the value's own error. ``text`` says all that for people where it fired, and is
    empty otherwise.
    """

    detector: str
    fired: bool
    value: Limit | float | None = None
    threshold: Limit | float | None = None
    unit: str = ""
    where: str = "/"
    held_us: int = 0
    error: float | None = None
    text: str = ""


class Candidate(NamedTuple):
    """One that might have been chosen, with its numbers and why it was or was not.

    ``numbers`` are by rank key, bytes unless the key says otherwise. ``why_not`` is empty for the chosen one,
    else one of a few words (``never``, ``protected``, ``omit``, ``empty``, ``lower``, ``pruned``, ``gone``,
    ``failed``)
    with a reason behind a colon. A pruned subtree is one entry that ``stands_for`` so many cgroups.
    """

    target: Target
    score: float
    numbers: tuple[tuple[str, float], ...] = ()
    mark: Literal["prefer", "normal", "avoid", "omit"] = "normal"
    why_not: str = ""
    stands_for: int = 1
    unit: str | None = None


class Considered(Sequence[Candidate]):
    """Everybody considered: the chosen one now, the others once somebody asks for them, or it is settled.

    Who is short of memory is helped first, and told afterwards why it was not somebody else. It stands where
    a tuple of candidates does. ``rest`` gives all, the chosen one among them; until it is settled nothing
    that it looks at may change.
    """

    __slots__ = ("_all", "_rest", "chosen")

    def __init__(self, chosen: Candidate, rest: Callable[[], Sequence[Candidate]]) -> None:
        self.chosen = chosen
        self._rest: Callable[[], Sequence[Candidate]] | None = rest
        self._all: tuple[Candidate, ...] = (chosen,)

    def settle(self) -> tuple[Candidate, ...]:
        """All of them, the chosen one first."""
        if self._rest is not None:
            others = [one for one in self._rest() if one.target != self.chosen.target or one.stands_for > 1]
            self._all, self._rest = (self.chosen, *others), None
        return self._all

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.settle())

    def __len__(self) -> int:
        return len(self.settle())

    def __getitem__(self, place: Any) -> Any:
        return self.settle()[place]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Considered | tuple):
            return NotImplemented  # and nobody is asked for that
        return self is other or self.settle() == (*other,)

    def __hash__(self) -> int:
        return hash(self.settle())

    def __repr__(self) -> str:
        return repr(self.settle())


class Decision(NamedTuple):
    """One thing that was decided at one instant, with all it rests on.

    ``id`` is unique on this boot and in order. ``rule`` and ``group`` are those of the policy. ``findings``
    are the
    detectors of the group that fired; ``need`` says in words why something had to be done at all (``stall``,
    ``reclaim``, ``forecast``, or ``policy``). ``step`` counts the rule's actions from 0. ``candidates`` are
    in order,
    the chosen one first among equals of its mark. ``withheld`` is why nothing was done although the rule
    fired.
    """

    id: str
    at: Instant
    policy: str
    rule: str
    group: str
    step: int
    action: str
    findings: tuple[Finding, ...]
    need: str
    candidates: tuple[Candidate, ...] = ()
    intents: tuple[Intent, ...] = ()
    withheld: str = ""
