import pytest

from memwarden.kernel import lru_gen, pid_oom_score, pid_oom_score_adj, scalar, sysctl_vm, v1_limit
from memwarden.units import MAX
from tests.kernel.refused import refused

JUNK = [
    "",
    "\n",
    " 1\n",
    "1 \n",
    "1\n\n",
    "1\n2\n",
    "0x1\n",
    "1_0\n",
    "+1\n",
    "٣\n",
    "Max\n",
    "\0",
    "9" * 21,
    "9" * 5000,
]


@pytest.mark.parametrize(
    ("text", "limit"),
    [("0\n", 0), ("67108864\n", 64 << 20), ("67108864", 64 << 20), ("max\n", MAX), ("max", MAX)],
)
def test_limit(text, limit):
    assert scalar.parse(text) == limit


@pytest.mark.parametrize("text", [*JUNK, "-1\n", "max\nmax\n"])
def test_limit_refused(text):
    assert refused(scalar.parse, text) == (0, text[:80])


def test_number():
    assert scalar.parse_number("9223372036854771712\n") == 9223372036854771712


@pytest.mark.parametrize("text", [*JUNK, "-1\n", "max\n"])
def test_number_refused(text):
    assert refused(scalar.parse_number, text) == (0, text[:80])
    assert refused(pid_oom_score.parse, text) == (0, text[:80])
    assert refused(v1_limit.parse, text) == (0, text[:80])


def test_switch():
    assert scalar.parse_switch("1\n") is True
    assert scalar.parse_switch("0\n") is False


@pytest.mark.parametrize("text", ["", "\n", "2\n", "01\n", "-1\n", "max\n", "10"])
def test_switch_refused(text):
    assert refused(scalar.parse_switch, text) == (0, text)


@pytest.mark.parametrize("page_kib", [4, 16, 64])
def test_v1_unlimited_on_64_bit_is_long_max_pages_rounded_down(page_kib):
    page = page_kib * 1024
    assert v1_limit.parse(f"{(2**63 - 1) // page * page}\n") is MAX


@pytest.mark.parametrize("page_kib", [4, 16, 64])
def test_v1_unlimited_on_32_bit_is_long_max_pages(page_kib):
    assert v1_limit.parse(f"{(2**31 - 1) * page_kib * 1024}\n") is MAX


@pytest.mark.parametrize("number", [2**63 - 1, 2**64 - 1, 0x7FFFFFFFFFFFF000])
def test_v1_unlimited_of_older_kernels(number):
    assert v1_limit.parse(f"{number}\n") is MAX


@pytest.mark.parametrize("number", [0, 4096, 2**31 - 1, (2**31 - 2) * 4096, 2**43, 2**62])
def test_v1_limits_that_are_numbers(number):
    assert v1_limit.parse(f"{number}\n") == number


def test_oom_score_has_the_range_of_every_kernel():
    assert [pid_oom_score.parse(text) for text in ("0\n", "666\n", "2000\n")] == [0, 666, 2000]


@pytest.mark.parametrize("value", [-1000, -999, 0, 1000])
def test_oom_score_adj(value):
    assert pid_oom_score_adj.parse(f"{value}\n") == value


@pytest.mark.parametrize("text", [*JUNK, "-1001\n", "1001\n", "--1\n"])
def test_oom_score_adj_refused(text):
    assert refused(pid_oom_score_adj.parse, text) == (0, text[:80])


def test_sysctl():
    assert sysctl_vm.parse("60\n") == 60
    assert sysctl_vm.parse("-1\n") == -1


@pytest.mark.parametrize("text", [*JUNK, "256\t256\t32\t0\t0\n", "Node\n"])
def test_sysctl_refused(text):
    assert refused(sysctl_vm.parse, text) == (0, text[:80])


def test_sysctl_names_are_sorted_and_those_of_files():
    assert list(sysctl_vm.NAMES) == sorted(set(sysctl_vm.NAMES))
    assert {"overcommit_memory", "oom_kill_allocating_task", "panic_on_oom", "swappiness"} <= set(
        sysctl_vm.NAMES
    )


@pytest.mark.parametrize(
    ("text", "on"), [("0x0007\n", True), ("0x0001\n", True), ("0x0000\n", False), ("0x6", False)]
)
def test_lru_gen(text, on):
    assert bool(lru_gen.parse(text) & lru_gen.CORE) is on


@pytest.mark.parametrize(
    "text", ["", "\n", "7\n", "0x\n", "0xg\n", "0x7 \n", "x7", "-0x1", "0x" + "f" * 17, "0X1"]
)
def test_lru_gen_refused(text):
    assert refused(lru_gen.parse, text) == (0, text)
