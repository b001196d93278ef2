"""Whom the OOM killer may choose."""

from __future__ import annotations

import pytest

from memwarden.rules.badness import TaskMemory
from memwarden.rules.eligible import PF_EXITING, Eligibility, eligibility, is_exempt, task_memory
from memwarden.state.process import PF_KTHREAD
from tests.rules.machines import process


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (process(2), Eligibility.ELIGIBLE),
        (process(1), Eligibility.INIT),
        (process(2, flags=PF_KTHREAD, rss_bytes=None), Eligibility.KERNEL_THREAD),
        (process(2, oom_score_adj=-1000), Eligibility.ADJ_MIN),
        (process(2, oom_score_adj=-999), Eligibility.ELIGIBLE),
        (process(2, oom_score_adj=None), Eligibility.ELIGIBLE),
        (process(2, rss_bytes=None, state="Z"), Eligibility.NO_MEMORY),
        (process(2, rss_bytes=None, state="X", threads=None), Eligibility.NO_MEMORY),
        (process(2, rss_bytes=None, state="D", flags=PF_EXITING), Eligibility.NO_MEMORY),
        # The leader has exited, its threads have not: the kernel finds the memory, its files do not show it.
        (process(2, rss_bytes=None, state="Z", threads=3), Eligibility.UNKNOWN),
        (process(2, rss_bytes=None), Eligibility.UNKNOWN),
        (process(2, rss_bytes=None, flags=None, state=None), Eligibility.UNKNOWN),
    ],
)
def test_eligibility(one, expected):
    assert eligibility(one) is expected
    assert expected.why


def test_pid_1_of_a_container_is_not_the_machines_init():
    assert eligibility(process(1), own_pid_namespace=True) is Eligibility.ELIGIBLE


def test_oom_score_0_of_a_process_with_memory_means_that_the_kernel_refuses_it():
    assert is_exempt(process(2, 10, oom_score=0), 666)
    assert not is_exempt(process(2, 10, oom_score=666), 666)
    assert not is_exempt(process(2, 10, oom_score=None), 666)
    # One thousandth may be rounding.
    assert not is_exempt(process(2, 10, oom_score=0), 1)


def test_terms_in_pages():
    one = process(2, 1, swap_bytes=8192, pgtables_bytes=40960, oom_score_adj=7)
    assert task_memory(one, 4096) == TaskMemory(256, 2, 10, 7, cap_sys_admin=False)
    old = process(2, 1, swap_bytes=None, pgtables_bytes=None, oom_score_adj=None, uid=0)
    assert task_memory(old, 65536) == TaskMemory(16, None, None, 0, cap_sys_admin=True)
