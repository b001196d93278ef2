"""The built-in policy keeps what it promises for a server on which nothing was configured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import memwarden
from memwarden.guard import ir
from memwarden.guard.engine import Engine
from memwarden.guard.names import Names
from memwarden.guard.never import BUILT_IN, Guarded
from memwarden.guard.policy.document import Text
from memwarden.guard.policy.doubts import doubts
from memwarden.guard.policy.load import load
from memwarden.state.intents import Kill
from memwarden.state.process import Process
from tests.guard.ticks import S, group, psi, tick

TEXT = (Path(memwarden.__file__).parent / "guard" / "policies" / "default.toml").read_text()
LOADED = load([Text("default.toml", TEXT)], name="default")
POLICY = LOADED.policy
KILLS = [(rule, action) for rule in POLICY.rules for action in rule.actions if isinstance(action, ir.DoKill)]


def test_it_is_right_and_nothing_about_it_is_odd():
    assert LOADED.problems == ()
    assert doubts(POLICY) == ()


def test_the_built_in_list_is_whole():
    assert set(POLICY.never) >= set(BUILT_IN)


def test_nobody_dies_without_need_and_every_kill_is_in_earnest():
    assert KILLS
    for _, kill in KILLS:
        assert not kill.even_without_need
        assert not kill.dry


def test_whoever_kills_has_seen_a_real_stall_or_the_end_of_memory():
    for rule, _ in KILLS:
        for seen in rule.groups:
            assert any(
                (isinstance(one, ir.Stall) and one.kind == "full" and one.resource == "memory" and one.for_us)
                or (isinstance(one, ir.Stuck) and one.for_us)
                or isinstance(one, ir.Exhaustion)
                for one in seen.detectors
            ), (rule.name, seen.name)


def test_the_culprit_is_asked_for_before_the_largest():
    of_the_machine = [
        (rule, kill) for rule, kill in KILLS if not isinstance(rule.groups[0].detectors[0], ir.Stuck)
    ]
    keys = [kill.choice.ranking.weights[0].key for _, kill in of_the_machine]
    assert keys[0] == "culprit"
    by_size = [rule for rule, kill in of_the_machine if kill.choice.ranking.weights[0].key == "size"]
    for rule in by_size:  # only where half of the time has been lost for long
        stalls = [one for group in rule.groups for one in group.detectors if isinstance(one, ir.Stall)]
        assert stalls
        for stall in stalls:
            assert stall.above_us * 2 >= stall.window_us
            assert stall.for_us >= 10_000_000


def stuck_machine(at):
    """At the ``at``-th second: /c is held at its memory.high and waits, /big has more and does not."""
    waits = psi(full_us=at * S)
    return tick(
        at * S,
        group("/", memory_pressure=psi()),
        group("/big", held=500, memory_pressure=psi(), populated=True, procs=(10,)),
        group("/c", held=90, high_bytes=90 << 20, memory_pressure=waits, events_local={"high": 10 * at}),
        group("/c/one", held=30, memory_pressure=waits, populated=True, procs=(11,)),
        group("/c/two", held=60, memory_pressure=waits, populated=True, procs=(12,)),
        group("/c/postgresql.service", held=80, memory_pressure=psi(), populated=True, procs=(13,)),
        held=700,
        memory_pressure=psi(),
    )


def test_who_is_stuck_at_memory_high_is_told_first_and_dies_later_and_nobody_else_does():
    engine = Engine(POLICY, Guarded(POLICY.never, POLICY.protect))
    decisions = []
    for at in range(60):
        step = engine.step(stuck_machine(at))
        decisions += [(at, decision) for decision in step.decisions]
    told = [(at, one) for at, one in decisions if one.action == "notify"]
    killed = [(at, one) for at, one in decisions if any(isinstance(two, Kill) for two in one.intents)]
    assert told[0][0] >= 10
    assert killed[0][0] >= 30
    assert told[0][0] < killed[0][0]
    assert {intent.target.path for _, one in killed for intent in one.intents} == {"/c/two"}


UNITS = {
    # As the packages of Debian, of the projects themselves and of Red Hat name them.
    "PostgreSQL": ["postgresql.service", "postgresql@17-main.service", "postgresql-17.service"],
    "MySQL": ["mysql.service", "mysqld.service", "mysqld@replica.service"],
    "MariaDB": ["mariadb.service", "mariadb@1.service"],
    "Redis": [
        "redis-server.service",
        "redis.service",
        "redis-server@cache.service",
        "redis-sentinel.service",
    ],
    "Valkey": ["valkey-server.service", "valkey.service"],
    "MongoDB": ["mongod.service", "mongodb.service", "mongos.service"],
    "Elasticsearch": ["elasticsearch.service"],
    "OpenSearch": ["opensearch.service"],
    "Cassandra": ["cassandra.service"],
    "ClickHouse": ["clickhouse-server.service", "clickhouse-keeper.service"],
    "InfluxDB": ["influxdb.service", "influxd.service"],
    "etcd": ["etcd.service"],
    "RabbitMQ": ["rabbitmq-server.service"],
    "memcached": ["memcached.service", "memcached@2.service"],
}
COMMS = [
    "postgres", "mysqld", "mariadbd", "redis-server", "valkey-server", "mongod", "clickhouse-serv", "influxd",
    "etcd", "memcached",
]  # fmt: skip


@pytest.mark.parametrize("unit", [unit for units in UNITS.values() for unit in units])
def test_databases_are_known_by_their_units(unit):
    names = Names(POLICY.protect)
    assert names.of_path_or_above(f"/system.slice/{unit}")
    assert names.of_path_or_above(f"/system.slice/system-db.slice/{unit}")


@pytest.mark.parametrize("comm", COMMS)
def test_databases_are_known_by_their_processes(comm):
    assert Names(POLICY.protect).of_process(Process(pid=9, start_time_ticks=1, comm=comm))


@pytest.mark.parametrize("unit", ["nginx.service", "cron.service", "user@1000.service", "app-mysqlx.service"])
def test_others_are_not(unit):
    assert Names(POLICY.protect).of_path_or_above(f"/system.slice/{unit}") is None


def test_every_rule_is_explained_to_people():
    lines = TEXT.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\[\[rule\]\]", line):
            previous = lines[number - 1]
            told = previous.startswith("#") or lines[number + 1] == 'name = "dead at memory.high"'
            assert told, number + 1
