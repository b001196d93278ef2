"""Effective protection, worked by hand; the kernel's own function counts pages of 4 KiB."""

from __future__ import annotations

import pytest

from memwarden.rules.protection import (
    Exposure,
    Protection,
    effective_protection,
    effective_protections,
    exposure,
    recursive_protection,
    stale_protection_risk,
    to_pages,
)
from memwarden.state.traits import KernelTraits
from memwarden.units import MAX, MIB
from tests.rules.machines import cgroup, snapshot

RECURSIVE = KernelTraits(recursive_protection=True)
PLAIN = KernelTraits(recursive_protection=False)


def mib(count):
    return count if count is MAX else count * MIB


def tree(*children, traits=PLAIN, low=100, usage=400):
    """``/a`` below the root with its own low, and children as (name, usage MiB, low MiB)."""
    return snapshot(
        (
            cgroup("/"),
            cgroup("/a", current_bytes=mib(usage), low_bytes=mib(low)),
            *(
                cgroup(f"/a/{name}", current_bytes=mib(used), low_bytes=mib(wanted))
                for name, used, wanted in children
            ),
        ),
        traits=traits,
    )


def lows(machine, target="/"):
    return {
        path: protection.low_bytes if protection.low_bytes is MAX else protection.low_bytes // MIB
        for path, protection in effective_protections(machine, target).items()
    }


def test_the_target_itself_has_none():
    machine = tree(("b", 200, 100))
    assert "/a" not in lows(machine, "/a")
    # As seen from its parent the child keeps what it was given, not capped by its usage.
    assert lows(machine, "/a") == {"/a/b": 100}
    assert lows(machine, "/a/b") == {}


def test_a_child_of_an_unprotected_parent_is_unprotected_from_above():
    assert lows(tree(("b", 200, 100), low=0)) == {"/a": 0, "/a/b": 0}


def test_under_committed():
    # Claims are min(200, 50) + min(30, 40) = 80 of 100: everyone gets its own claim.
    assert lows(tree(("b", 200, 50), ("c", 30, 40))) == {"/a": 100, "/a/b": 50, "/a/c": 30}


def test_over_committed_shares_by_used_protection():
    # Claims 150 + 50 = 200 of 100: 150 * 100 / 200 and 50 * 100 / 200; d uses nothing and claims nothing.
    found = lows(tree(("b", 200, 150), ("c", 100, 50), ("d", 0, 500)))
    assert found == {"/a": 100, "/a/b": 75, "/a/c": 25, "/a/d": 0}


def test_recursive_protection_hands_on_what_nobody_claims():
    # Claims 20; unclaimed 80 go by unprotected usage: b 200 - 20 = 180 and c 200 of 400 - 20 = 380.
    # 80 MiB = 20480 pages: b 5120 + 20480 * 46080 // 97280 = 5120 + 9701, c 20480 * 51200 // 97280 = 10778.
    machine = tree(("b", 200, 20), ("c", 200, 0), traits=RECURSIVE)
    found = effective_protections(machine)
    assert found["/a/b"].low_bytes == (5120 + 9701) * 4096
    assert found["/a/c"].low_bytes == 10778 * 4096
    # Without the option c has nothing.
    assert lows(tree(("b", 200, 20), ("c", 200, 0))) == {"/a": 100, "/a/b": 20, "/a/c": 0}


def test_unlimited_protection():
    found = lows(tree(("b", 200, MAX), low=MAX))
    assert found == {"/a": MAX, "/a/b": 200}
    assert lows(tree(("b", 200, MAX)), "/a") == {"/a/b": MAX}


def test_what_an_unlimited_parent_leaves_is_without_bound():
    found = lows(tree(("b", 200, 0), ("c", 0, 0), low=MAX, traits=RECURSIVE))
    assert found == {"/a": MAX, "/a/b": MAX, "/a/c": 0}


def test_min_and_low_are_independent():
    machine = snapshot(
        (
            cgroup("/"),
            cgroup("/a", current_bytes=200 * MIB, min_bytes=10 * MIB, low_bytes=100 * MIB),
            cgroup("/a/b", current_bytes=100 * MIB, min_bytes=20 * MIB, low_bytes=0),
        ),
        traits=PLAIN,
    )
    assert effective_protections(machine)["/a/b"] == Protection(10 * MIB, 0)


def test_v1_has_no_protection():
    machine = snapshot((cgroup("/", version=1), cgroup("/a", version=1, low_bytes=MIB, current_bytes=MIB)))
    assert effective_protections(machine) == {"/a": Protection(0, 0)}


def test_without_the_controller_there_is_nothing_to_hand_on():
    machine = snapshot(
        (cgroup("/"), cgroup("/a"), cgroup("/a/b", low_bytes=MIB, current_bytes=MIB)), traits=PLAIN
    )
    assert effective_protections(machine)["/a/b"] == Protection(0, 0)


@pytest.mark.parametrize(
    ("arguments", "recursive", "expected"),
    [
        # usage, parent's usage, setting, parent's effective, siblings' claims
        ((0, 10, 5, 5, 5), True, 0),
        ((10, 20, 5, 3, 10), True, 1),  # 5 * 3 // 10
        ((10, 20, 5, 8, 5), False, 5),
        ((10, 20, 5, 8, 5), True, 6),  # 5 + (8 - 5) * (10 - 5) // (20 - 5) = 5 + 1
        ((10, 5, 5, 8, 5), True, 5),  # parent's usage is not above the claims
        ((5, 20, 9, 8, 5), True, 5),  # all of the usage is protected already
        ((10, 20, 5, 5, 5), True, 5),  # nothing unclaimed
    ],
)
def test_the_kernels_function(arguments, recursive, expected):
    assert effective_protection(*arguments, recursive=recursive) == expected


def test_the_product_overflows_as_in_c():
    # Unlimited parent: (2**51 - 1) * 2**14 wraps at 2**64 to 2**64 - 2**14; divided by the parent's 2**14
    # pages that is 2**50 - 1, more than any usage, so that the cgroup is protected all the same.
    everything = to_pages(MAX, 4096)
    assert everything == 2**51 - 1
    assert effective_protection(2**14, 2**14, 0, everything, 0, recursive=True) == 2**50 - 1


def test_recursive_protection_by_trait_or_mount_option():
    assert recursive_protection(snapshot(traits=RECURSIVE))
    assert not recursive_protection(snapshot(traits=PLAIN, mount_options=("memory_recursiveprot",)))
    assert recursive_protection(snapshot(mount_options=("rw", "memory_recursiveprot")))
    assert not recursive_protection(snapshot())


@pytest.mark.parametrize(
    ("usage", "least", "low", "mglru", "proportional", "expected"),
    [
        (100, 0, 0, False, None, Exposure.EXPOSED),
        (100, 100, 0, False, None, Exposure.SKIPPED),
        (100, 50, 100, False, None, Exposure.LAST_RESORT),
        (100, MAX, 0, False, None, Exposure.SKIPPED),
        (100, 0, MAX, True, False, Exposure.LAST_RESORT),
        (101, 0, 100, False, None, Exposure.PROPORTIONAL),
        (101, 0, 100, None, None, Exposure.PROPORTIONAL),
        (101, 100, 0, True, True, Exposure.PROPORTIONAL),
        (101, 100, 0, True, False, Exposure.WHOLE),
        (101, 0, 100, True, None, Exposure.WHOLE),
    ],
)
def test_exposure(usage, least, low, mglru, proportional, expected):  # noqa: PLR0917 - columns of the table
    traits = KernelTraits(mglru=mglru, mglru_proportional_protection=proportional)
    assert exposure(usage, Protection(least, low), traits) is expected


def test_stale_protection():
    bug = KernelTraits(stale_protection_bug=True)
    cgroups = (cgroup("/a", min_bytes=MIB), cgroup("/b", min_bytes=0))
    assert stale_protection_risk(snapshot(cgroups, traits=bug), "/a")
    assert not stale_protection_risk(snapshot(cgroups, traits=bug), "/b")
    assert not stale_protection_risk(snapshot(cgroups, traits=bug), "/nowhere")
    assert not stale_protection_risk(snapshot(cgroups), "/a")
