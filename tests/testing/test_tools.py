"""The tools for tests are tested too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.state.snapshot import Instant
from memwarden.testing.clock import ManualClock
from memwarden.testing.strategies import cgroup_names, comms, damaged


def test_manual_clock():
    clock = ManualClock(monotonic_us=5, wall_us=100)
    clock.sleep_us(20)
    assert (clock.monotonic_us(), clock.wall_us()) == (25, 120)
    assert clock.instant() == Instant(25, 120)
    with pytest.raises(ValueError, match="-1 us"):
        clock.sleep_us(-1)


@given(comms(), cgroup_names())
def test_names_are_such_as_a_kernel_takes(comm, name):
    assert len(comm) <= 15
    assert "\0" not in comm
    assert name not in ("", ".", "..")
    assert not set(name) & set("/\n\0")


@given(st.data())
def test_damage_changes_a_text_only_here_and_there(data):
    # At most four pieces of twelve characters are lost, whatever is put in their place.
    kept = data.draw(damaged("x" * 100)).count("x")
    assert kept >= 100 - 4 * 12
