"""A node that runs out, recorded on 6.12: the total of its pages decides, not the machine's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memwarden.collect.open import open_source
from memwarden.collect.snapshot import Collector
from memwarden.rules.scope import nodes_scope, system_scope
from memwarden.rules.victim import rank

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize("kind", ["cpuset", "mempolicy"])
def test_the_first_to_die_is_ranked_first_on_its_node_only(kind):
    truth = json.loads((TESTS / "golden" / "lab" / "6.12-numa" / f"{kind}.json").read_text())
    snapshot = Collector(open_source(str(TESTS / "roots" / "nodes" / f"{kind}.rootar"))).snapshot()
    names = {pid: name for name, pid in truth["pids"].items()}
    node, machine = nodes_scope(snapshot, [1], kind), system_scope(snapshot)
    assert node is not None
    assert machine is not None
    # Node 1 has 512 MiB, of which the kernel counts what is present.
    assert 130_000 < node.total_pages <= 131_072
    on_node, on_machine = rank(snapshot, node).victim, rank(snapshot, machine).victim
    assert on_node is not None
    assert on_machine is not None
    assert names[on_node.process.pid] == truth["killed"][0] == "a"
    # With the machine's total, a point of oom_score_adj would weigh more, and the other would be first.
    assert names[on_machine.process.pid] == "b"
