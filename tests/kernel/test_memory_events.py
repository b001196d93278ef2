import pytest

from memwarden.kernel import memory_events
from tests.kernel.refused import refused

FIRST_FIVE = "low 1\nhigh 583\nmax 18\noom 1\noom_kill 2\n"


@pytest.mark.parametrize(
    ("text", "added"),
    [
        (FIRST_FIVE, {}),  # 5.10
        (FIRST_FIVE + "oom_group_kill 1\n", {"oom_group_kill": 1}),  # 6.1, 6.12
        (
            FIRST_FIVE + "oom_group_kill 1\nsock_throttled 4\n",
            {"oom_group_kill": 1, "sock_throttled": 4},
        ),  # 7.2
    ],
    ids=["5.10", "6.1", "7.2"],
)
def test_of_each_kernel(text, added):
    events = memory_events.parse(text)
    assert events == {"low": 1, "high": 583, "max": 18, "oom": 1, "oom_kill": 2, **added}


def test_swap():
    assert memory_events.parse_swap("high 0\nmax 3\nfail 5\n") == {"high": 0, "max": 3, "fail": 5}


def test_refused():
    assert refused(memory_events.parse, "low 1\nhigh x\n") == (2, "high x")
    assert refused(memory_events.parse, "fail 1\n") == (0, "fail 1\n")
    assert refused(memory_events.parse_swap, "oom 1\n") == (0, "oom 1\n")
