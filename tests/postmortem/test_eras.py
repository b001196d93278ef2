"""Reports of every kernel generation, through every transport: the figures that went in come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.postmortem.eras import ERAS
from tests.postmortem.expect import check
from tests.postmortem.transports import TRANSPORTS
from tests.postmortem.world import World

from memwarden.postmortem.read import find_reports

if TYPE_CHECKING:
    from tests.postmortem.eras import Era

ERA_NAMES = [era.name for era in ERAS]


@pytest.mark.parametrize("scope", ["memcg", "system"])
@pytest.mark.parametrize("era", ERAS, ids=ERA_NAMES)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_figure_of_every_era_comes_through_every_transport(era: Era, transport: str, scope: str):
    world = World(era, scope=scope)
    text = TRANSPORTS[transport](world.report())
    reports = list(find_reports([text.encode()], file="log"))
    assert len(reports) == 1
    check(reports[0], world, transport)
