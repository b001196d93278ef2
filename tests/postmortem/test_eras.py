"""Reports of every kernel generation, through every transport: the figures that went in come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memwarden.state.traits import BadnessRule, Basis
from tests.postmortem.eras import ERAS
from tests.postmortem.expect import check
from tests.postmortem.texts import only
from tests.postmortem.transports import START, TRANSPORTS
from tests.postmortem.world import World

if TYPE_CHECKING:
    from tests.postmortem.eras import Era

SCOPES = ("memcg", "system")


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("era", ERAS, ids=lambda era: era.name)
def test_every_figure_of_every_era(era: Era, scope: str):
    for transport in ("bare", "dmesg", "syslog", "journal export", "mail", "terminal"):
        world = World(era, scope=scope)
        check(only(TRANSPORTS[transport](world.report())), world, transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_figure_through_every_transport(transport: str):
    for number, era in enumerate(ERAS):
        world = World(era, scope=SCOPES[number % 2])
        check(only(TRANSPORTS[transport](world.report())), world, transport)


@pytest.mark.parametrize("scope", ["cpuset", "mempolicy"])
def test_scopes_that_only_the_summary_names(scope: str):
    for era in ERAS:
        if era.has("summary"):
            world = World(era, scope=scope)
            check(only(TRANSPORTS["dmesg"](world.report())), world)


SECONDS = round(START * 1_000_000)
DAY = "2024-05-09T14:52:38"


@pytest.mark.parametrize(
    ("transport", "monotonic", "wall", "host"),
    [
        ("bare", False, None, None),
        ("dmesg", True, None, None),
        ("dmesg, caller", True, None, None),
        ("dmesg, level", True, None, None),
        ("dmesg -T", False, DAY, None),
        ("dmesg -T in German", False, "Do Mai  9 14:52:38 2024", None),
        ("dmesg -x iso", False, f"{DAY}.123456+00:00", None),
        ("dmesg -H", False, None, None),
        ("dmesg -d", True, None, None),
        ("dmesg coloured", True, None, None),
        ("syslog", True, "May  9 14:52:38", "db-4.example"),
        ("syslog, no boot time", False, "May  9 14:52:38", "db-4.example"),
        ("syslog, no host", True, "May  9 14:52:38", None),
        ("syslog, facility", True, "May  9 14:52:38", "db-4.example"),
        ("syslog iso", True, f"{DAY}.123456+02:00", "db-4.example"),
        ("rfc5424", True, f"{DAY}.123456Z", "db-4.example"),
        ("logger", True, "May  9 14:52:38", "db-4.example"),
        ("journal short", False, "May 09 14:52:38", "db-4.example"),
        ("journal short-iso", False, f"{DAY}+02:00", "db-4.example"),
        ("journal short-full", False, DAY, "db-4.example"),
        ("journal short-monotonic", True, None, "db-4.example"),
        ("journal short-unix", False, f"{DAY}.123456Z", "db-4.example"),
        ("journal json", True, f"{DAY}.000000Z", "db-4.example"),
        ("journal json, bytes", True, f"{DAY}.000000Z", "db-4.example"),
        ("journal json-pretty", True, f"{DAY}.000000Z", "db-4.example"),
        ("journal export", True, f"{DAY}.000000Z", "db-4.example"),
        ("journal verbose", True, None, "db-4.example"),
        ("kmsg", True, None, None),
        ("docker json-file", True, f"{DAY}.123456789Z", None),
        ("shipped json", False, f"{DAY}Z", "db-4.example"),
        ("kubernetes cri", True, f"{DAY}.123456789Z", None),
        ("kubectl --prefix", True, None, None),
        ("talos", False, f"{DAY}.123456789Z", None),
        ("android", True, "05-09 14:52:38.123", None),
        ("grep -H", True, "May  9 14:52:38", "db-4.example"),
        ("mail", True, None, None),
        ("terminal", True, None, None),
    ],
)
def test_when_and_where(transport: str, monotonic: bool, wall: str | None, host: str | None):
    report = only(TRANSPORTS[transport](World(ERAS[-4]).report()))
    assert report.when.monotonic_us == (SECONDS if monotonic else None)
    assert (report.when.wall, report.host.name) == (wall, host)


RULES = {
    BadnessRule.LEGACY: ("2.6.24", "2.6.31", "2.6.34"),
    BadnessRule.PERMILLE: ("rhel6", "3.2"),
    BadnessRule.UNSIGNED_ROOT_BONUS: ("rhel7", "3.16", "4.4", "4.9", "4.14", "4.15"),
    BadnessRule.UNSIGNED: ("rhel8", "4.19", "5.0", "5.2", "5.3", "5.4"),
    BadnessRule.SIGNED: ("5.10", "6.1", "6.8", "6.12", "7.2", "i686", "arm64", "ppc64le"),
}


@pytest.mark.parametrize(("rule", "names"), RULES.items(), ids=lambda value: getattr(value, "value", ""))
def test_the_rule_of_each_generation(rule: BadnessRule, names: tuple[str, ...]):
    for era in ERAS:
        if era.name in names:
            for scope in SCOPES:
                traits = only("\n".join(World(era, scope=scope).report())).traits
                assert traits is not None
                assert traits.badness is rule, era.name
                assert traits.basis_of("badness") in (Basis.FORMAT, Basis.VERSION)
                assert traits.last_of_equals is (rule is BadnessRule.SIGNED)
                assert traits.page_size_bytes == era.page_size
                assert traits.sacrifice_child is (era.kill not in ("one-line", "uid", "pgtables"))


def test_every_generation_has_its_rule():
    assert {name for names in RULES.values() for name in names} == {era.name for era in ERAS}
