"""The built-in policy keeps what it promises for a server on which nothing was configured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import memwarden
from memwarden.guard import ir
from memwarden.guard.names import Names
from memwarden.guard.never import BUILT_IN
from memwarden.guard.policy.document import Text
from memwarden.guard.policy.doubts import doubts
from memwarden.guard.policy.load import load
from memwarden.state.process import Process

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
        for group in rule.groups:
            assert any(
                (isinstance(one, ir.Stall) and one.kind == "full" and one.resource == "memory" and one.for_us)
                or isinstance(one, ir.Exhaustion)
                for one in group.detectors
            ), (rule.name, group.name)


def test_the_culprit_is_asked_for_before_the_largest():
    of_the_machine = [(rule, kill) for rule, kill in KILLS if not rule.per_cgroup]
    keys = [kill.choice.ranking.weights[0].key for _, kill in of_the_machine]
    assert keys[0] == "culprit"
    by_size = [rule for rule, kill in of_the_machine if kill.choice.ranking.weights[0].key == "size"]
    for rule in by_size:  # only where half of the time has been lost for long
        stalls = [one for group in rule.groups for one in group.detectors if isinstance(one, ir.Stall)]
        assert stalls
        for stall in stalls:
            assert stall.above_us * 2 >= stall.window_us
            assert stall.for_us >= 10_000_000


def test_at_a_limit_of_its_own_only_the_cgroup_itself_is_concerned():
    rules = [rule for rule in POLICY.rules if rule.per_cgroup]
    assert rules
    for rule in rules:
        for action in rule.actions:
            if isinstance(action, ir.DoKill):
                assert set(action.choice.cgroups) == {".", "./**"}


def test_each_rule_says_first_that_it_is_not_the_first_resort():
    # Who is stuck at memory.high is told of before somebody dies for it.
    told = [rule for rule in POLICY.rules if rule.per_cgroup and isinstance(rule.actions[0], ir.DoNotify)]
    dead = [rule for rule in POLICY.rules if rule.per_cgroup and isinstance(rule.actions[0], ir.DoKill)]
    held = [rule.groups[0].detectors[0].for_us for rule in (*told, *dead)]
    assert len(told) == len(dead) == 1
    assert held[0] < held[1]


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
