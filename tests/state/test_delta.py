import pytest

from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.cgroup import Cgroup
from memwarden.state.delta import Stall, between
from memwarden.state.snapshot import HostFacts, Instant, Snapshot

SECOND = 1_000_000


def pressure(some_us, full_us):
    lines = [None if total is None else PsiLine(0.0, 0.0, 0.0, total) for total in (some_us, full_us)]
    return Psi(*lines)


A = Cgroup(
    path="/a",
    inode=7,
    current_bytes=8 << 20,
    events={"low": 0, "high": 5, "max": 18, "oom": 1, "oom_kill": 1},
    events_local={"oom": 1},
    swap_events={"high": 0, "max": 2, "fail": 2},
    stat={"anon": 4096, "pgfault": 100, "workingset_refault_file": 3},
    memory_pressure=pressure(1000, 400),
    cpu_pressure=pressure(50, None),
    io_pressure=pressure(0, 0),
    cpu_usage_us=700,
    v1_failcnt=None,
)
EARLIER = Snapshot(
    Instant(10 * SECOND),
    HostFacts(boot_id="one"),
    vmstat={"oom_kill": 1, "pgmajfault": 10},
    memory_pressure=pressure(5000, 0),
    cgroups={"/a": A},
)


def later(**changes):
    """Two seconds later, with another state of ``/a``."""
    return EARLIER._replace(instant=Instant(12 * SECOND), cgroups={"/a": A._replace(**changes)})


def test_increments_and_rates():
    snapshot = later(
        current_bytes=6 << 20,
        events={"low": 0, "high": 22, "max": 18, "oom": 1, "oom_kill": 1, "oom_group_kill": 0},
        swap_events={"high": 0, "max": 3, "fail": 4},
        stat={"anon": 0, "pgfault": 130, "workingset_refault_file": 3},
        memory_pressure=pressure(501_000, 200_400),
        cpu_pressure=pressure(90, None),
        cpu_usage_us=800,
    )
    delta = between(EARLIER, snapshot)
    a = delta.cgroups["/a"]
    assert delta.elapsed_us == 2 * SECOND
    assert a.path == "/a"
    assert a.grown_bytes == -(2 << 20)
    # A key that the earlier snapshot lacks has no increment.
    assert a.events == {"low": 0, "high": 17, "max": 0, "oom": 0, "oom_kill": 0}
    assert a.events_local == {"oom": 0}
    assert a.swap_events == {"high": 0, "max": 1, "fail": 2}
    # Bytes now in use are no counters.
    assert a.stat == {"pgfault": 30, "workingset_refault_file": 0}
    assert a.memory_stall == Stall(500_000, 200_000)
    assert a.cpu_stall == Stall(40, None)
    assert a.io_stall == Stall(0, 0)
    assert a.cpu_usage_us == 100
    assert a.v1_failcnt is None
    assert delta.per_second(a.events["high"]) == 17 / 2
    assert delta.share(a.memory_stall.some_us) == 0.25


def test_the_machine():
    delta = between(
        EARLIER, later()._replace(vmstat={"oom_kill": 2, "pgmajfault": 10}, memory_pressure=pressure(6000, 0))
    )
    assert delta.vmstat == {"oom_kill": 1, "pgmajfault": 0}
    assert delta.memory_stall == Stall(1000, 0)
    assert delta.cpu_stall is None


def test_a_cgroup_made_again_has_no_past():
    assert between(EARLIER, later(inode=8)).cgroups == {}


def test_a_new_cgroup_and_one_that_is_gone():
    both = later()._replace(cgroups={"/a": A, "/b": A._replace(path="/b", inode=9)})
    assert set(between(EARLIER, both).cgroups) == {"/a"}
    assert between(EARLIER, both._replace(cgroups={})).cgroups == {}


@pytest.mark.parametrize(
    ("name", "before", "value"),
    [
        ("events", A.events, {"high": 9, "oom": 0}),
        ("swap_events", A.swap_events, {"max": 1, "fail": 2}),
        ("stat", A.stat, {"pgfault": 99, "workingset_refault_file": 4}),
        ("cpu_usage_us", A.cpu_usage_us, 699),
    ],
)
def test_a_file_whose_counter_went_backwards_gives_nothing(name, before, value):
    assert getattr(A, name) == before
    delta = between(EARLIER, later(**{name: value})).cgroups["/a"]
    assert getattr(delta, name) is None
    assert delta.events_local == {"oom": 0}


def test_pressure_that_went_backwards_gives_nothing():
    assert between(EARLIER, later(memory_pressure=pressure(999, 400))).cgroups["/a"].memory_stall == Stall(
        None, 0
    )


@pytest.mark.parametrize("name", ["current_bytes", "events", "stat", "memory_pressure", "cpu_usage_us"])
def test_what_either_snapshot_lacks_is_none(name):
    fields = {"current_bytes": "grown_bytes", "memory_pressure": "memory_stall"}
    absent = later(**{name: None})
    for first, second in [(EARLIER, absent), (absent, EARLIER._replace(instant=Instant(13 * SECOND)))]:
        assert getattr(between(first, second).cgroups["/a"], fields.get(name, name)) is None


def test_v1_failures_are_counted():
    first = EARLIER._replace(cgroups={"/a": A._replace(v1_failcnt=4)})
    assert between(first, later(v1_failcnt=9)).cgroups["/a"].v1_failcnt == 5


@pytest.mark.parametrize(
    "second",
    [
        EARLIER,  # no time passed
        EARLIER._replace(instant=Instant(9 * SECOND)),
        later()._replace(host=HostFacts(boot_id="two")),
    ],
)
def test_no_common_time(second):
    assert between(EARLIER, second) is None
