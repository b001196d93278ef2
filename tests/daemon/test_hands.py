"""The loop's hands: what is over at once, and what goes on by itself, without a machine."""

from __future__ import annotations

from memwarden.daemon.hands import Hands
from memwarden.daemon.loop import Heard
from memwarden.state.intents import CgroupId, Freeze, Kill, Notify, Outcome
from tests.daemon.test_loop import decision


class Effects:
    """Kills at once; the rest goes on by itself until it is ended."""

    def __init__(self):
        self.going = []
        self.unsettled = False

    def apply(self, intent):
        if isinstance(intent, Kill):
            return Outcome(intent, done=True)
        self.going.append(intent)
        return None

    def ended(self):
        over, self.going = self.going, []
        return [Outcome(intent, done=True) for intent in over]

    settle = ended


def test_hands_tell_later_what_goes_on_by_itself():
    effects = Effects()
    hands = Hands(effects)
    kill, freeze = Kill(CgroupId("/a", 1)), Freeze(CgroupId("/b", 2))
    assert hands.ended() == []
    assert hands.carry(decision(kill, freeze)) == [Outcome(kill, done=True)]
    assert hands.busy
    assert hands.ended() == [("1-1", Outcome(freeze, done=True))]
    assert not hands.busy


def test_what_was_waited_for_is_told_as_well():
    hands, freeze = Hands(Effects()), Freeze(CgroupId("/b", 2))
    hands.carry(decision(freeze))
    assert hands.settle() == [("1-1", Outcome(freeze, done=True))]
    assert not hands.busy


def test_hands_drain_what_belongs_to_nobody():
    effects = Effects()
    hands = Hands(effects)
    effects.going.append(Notify("of a restore"))
    assert hands.ended() == []
    assert effects.going
    assert hands.stir(1) == Heard()
    assert hands.ended() == []
    assert effects.going == []
    effects.going.append(Notify("of what could not be undone"))
    effects.unsettled = True
    assert hands.ended() == []
    assert effects.going == []
