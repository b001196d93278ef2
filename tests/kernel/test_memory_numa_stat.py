import pytest

from memwarden.kernel import memory_numa_stat
from tests.kernel.refused import refused


def test_one_node():
    assert memory_numa_stat.parse("anon N0=4096\nfile N0=8192\n") == {0: {"anon": 4096, "file": 8192}}


def test_nodes_need_not_be_consecutive():
    text = "anon N0=1 N2=2 N10=3\nof_kernel_9 N0=7 N2=7 N10=7\nworkingset_nodereclaim N0=4 N2=5 N10=6"
    assert memory_numa_stat.parse(text) == {
        0: {"anon": 1, "workingset_nodereclaim": 4},
        2: {"anon": 2, "workingset_nodereclaim": 5},
        10: {"anon": 3, "workingset_nodereclaim": 6},
    }


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", (1, "")),
        ("\n", (1, "")),
        ("anon\n", (1, "anon")),
        ("anon 4096\n", (1, "anon 4096")),
        ("anon 0=4096\n", (1, "anon 0=4096")),
        ("anon N=4096\n", (1, "anon N=4096")),
        ("anon Nx=4096\n", (1, "anon Nx=4096")),
        ("anon N0=\n", (1, "anon N0=")),
        ("anon N0=-1\n", (1, "anon N0=-1")),
        ("anon N0=1_0\n", (1, "anon N0=1_0")),
        ("anon N0=1 N1=2\nfile N0=3\n", (2, "file N0=3")),
        ("anon N0=1\nfile N0=3 N1=2\n", (2, "file N0=3 N1=2")),
        ("anon N0=1 N1=2\nfile N1=3 N0=4\n", (2, "file N1=3 N0=4")),
        ("anon N0=1\nfile N1=2\n", (2, "file N1=2")),
        ("anon N0=1\n\nfile N0=2\n", (2, "")),
        ("anon N0 1\n", (1, "anon N0 1")),
        ("total=5 N0=5\n", (1, "total=5 N0=5")),  # v1
        ("of_kernel_9 N0=5\n", (0, "of_kernel_9 N0=5\n")),
    ],
)
def test_refused(text, where):
    assert refused(memory_numa_stat.parse, text) == where
