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
from memwarden.guard.policy.doubts import doubts
from memwarden.guard.policy.load import load
from memwarden.state.intents import Kill
from memwarden.state.process import Process
from memwarden.state.snapshot import Instant
from memwarden.words.document import Text
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
                or (isinstance(one, ir.Stuck) and one.above_us >= 5 * S)
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


def stuck_machine(at, *, less_ms=0):
    """At the ``at``-th second: /c is held at its memory.high and waits, /big has more and does not.

    /c waits all of each second but for ``less_ms``, and in every other one for twice as many.
    """
    waits = psi(full_us=at * S - (at + at // 2) * less_ms * 1000)
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
    for at in range(36):
        step = engine.step(stuck_machine(at))
        decisions += [(at, decision) for decision in step.decisions]
    told = [(at, one) for at, one in decisions if one.action == "notify"]
    killed = [(at, one) for at, one in decisions if any(isinstance(two, Kill) for two in one.intents)]
    assert told[0][0] == 3  # 2.25 s are waited for
    assert killed[0][0] == 8  # 7.5 s are
    assert {intent.target.path for _, one in killed for intent in one.intents} == {"/c/two"}


def test_who_is_stuck_need_not_be_so_in_each_second():
    # 850 and 700 ms by turns are 7.75 of 10 s: the task runs a little between, as one does in a guest.
    engine = Engine(POLICY, Guarded(POLICY.never, POLICY.protect))
    steps = [engine.step(stuck_machine(at, less_ms=150)) for at in range(14)]
    killed = [
        (at, intent.target.path)
        for at, step in enumerate(steps)
        for decision in step.decisions
        for intent in decision.intents
        if isinstance(intent, Kill)
    ]
    assert killed[0] == (10, "/c/two")


def leaking(at, *, rate, available, full_us=0, reclaims=True, scanned=None, refaults=0):
    """At the ``at``-th tenth of a second: /leak takes ``rate`` MiB/s of a machine of 1000 MiB, /old has more.

    ``available`` is what there was at first, in MiB. There is no swap.
    """
    taken = rate * at // 10
    left = (available - taken) << 20
    return tick(
        at * S // 10,
        group("/", memory_pressure=psi(full_us=full_us)),
        group("/old", held=1000 - available - 50, memory_pressure=psi(), populated=True, procs=(10,)),
        group("/leak", held=40 + taken, memory_pressure=psi(), populated=True, procs=(11,)),
        meminfo={"MemTotal": 1000 << 20, "MemAvailable": left, "SwapTotal": 0, "SwapFree": 0},
        vmstat={
            "pgscan_kswapd": scanned if scanned is not None else at if reclaims else 0,
            "workingset_refault_file": refaults,
        },
        held=1000 - available + taken,
        memory_pressure=psi(full_us=full_us),
    )


def first_kill(machines):
    engine = Engine(POLICY, Guarded(POLICY.never, POLICY.protect))
    for at, machine in enumerate(machines):
        # Calm for the first second, as nothing has begun to grow.
        for decision in engine.step(machine, calm=at < 10).decisions:
            for intent in decision.intents:
                if isinstance(intent, Kill):
                    return at, decision.rule, intent.target.path
    return None


def test_a_leak_is_ended_at_the_last_tenth_and_not_before():
    # 400 MiB at 40 MiB/s: 100 are left after 7.5 s, and last for 2.5 s, which is within 3 s.
    at, rule, victim = first_kill(leaking(at, rate=40, available=400) for at in range(100))
    assert (rule, victim) == ("memory ends", "/leak")
    assert 75 <= at <= 80


def test_a_slow_leak_is_waited_for_until_little_time_is_left():
    # 90 MiB at 10 MiB/s: below a tenth from the start, and 4 s before the end after 5 s.
    at, rule, victim = first_kill(leaking(at, rate=10, available=90) for at in range(90))
    assert (rule, victim) == ("memory ends", "/leak")
    assert 50 <= at <= 56


def test_one_who_takes_all_that_is_free_in_a_moment_and_stops_is_left_alone():
    # 300 MiB/s for 1.2 s; 40 of 400 MiB are left, which is a tenth of a second before the end.
    def spike(at):
        return leaking(min(at, 12), rate=300, available=520)._replace(instant=Instant(at * S // 10))

    assert first_kill(spike(at) for at in range(50)) is None


def test_nobody_dies_of_a_forecast_while_the_kernel_does_not_reclaim():
    # 90 MiB at 10 MiB/s, as before: where nobody is known to be short, that is an action's own time and the
    # way to the next look, 3.35 s.
    machines = [leaking(at, rate=10, available=90, reclaims=False) for at in range(90)]
    at, rule, _ = first_kill(machines)
    assert rule == "memory ends"
    assert 56 <= at <= 60


def test_growth_that_is_felt_is_not_waited_for_to_the_end():
    # 10 MiB/s into 200 MiB, and 50 ms of each second are lost from 5 s on; below a tenth after 10 s.
    def machine(at):
        return leaking(at, rate=10, available=200, full_us=max(0, at - 50) * 5000)

    at, rule, victim = first_kill(machine(at) for at in range(200))
    assert (rule, victim) == ("memory ends and is felt", "/leak")
    assert 101 <= at <= 103


@pytest.mark.parametrize("reclaims", [False, True])
def test_refaults_at_a_limit_of_ones_own_are_no_thrashing_of_the_machine(reclaims):
    def machine(at):
        # 2000 refaults and half of each second lost; /leak took 100 MiB in the second after all was calm.
        return leaking(
            min(at, 20), rate=100, available=600, full_us=at * 50_000, refaults=at * 200,
            scanned=at if reclaims else 0,
        )._replace(instant=Instant(at * S // 10))  # fmt: skip

    found = first_kill(machine(at) for at in range(60))
    assert (found is not None and found[1:]) == (reclaims and ("machine stalls", "/leak"))


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
