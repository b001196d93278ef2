"""What things are called."""

from __future__ import annotations

import pytest

from memwarden.postmortem import names
from memwarden.postmortem.cause_facts import facts
from memwarden.rules.identity import identify
from memwarden.units import MAX, MIB
from tests.postmortem.verdict_reports import memcg_facts, memcg_report, task, victim

ID = "0123456789ab" + 52 * "0"
POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{POD}/cri-containerd-{ID}.scope", "containerd container 0123456789ab of pod 1-2 (Burstable)"),
        (f"/kubepods/pod1-2/{ID}", "container 0123456789ab of pod 1-2 (Guaranteed)"),
        (POD, "pod 1-2 (Burstable)"),
        ("/kubepods/besteffort", "all BestEffort pods of the node together"),
        ("/kubepods.slice", "all pods of the node together (node allocatable)"),
        (f"/docker/{ID}", "Docker container 0123456789ab"),
        ("/lxc/101", "LXC container 101"),
        ("/qemu.slice/101.scope", "virtual machine 101"),
        ("/machine.slice/machine-qemu\\x2d1\\x2ddb.scope", "virtual machine db"),
        (f"/lxc/101/system.slice/docker-{ID}.scope", "Docker container 0123456789ab in LXC container 101"),
        ("/lxc/101/system.slice/web.service", "systemd unit web.service in LXC container 101"),
        ("/system.slice/web.service", "systemd unit web.service"),
        ("/user.slice/user-7.slice/user@7.service/app.slice/x.service", "systemd unit x.service of user 7"),
        ("/user.slice", "systemd slice user.slice"),
        ("/", "the root cgroup"),
        ("/a b", "cgroup /a b"),
    ],
)
def test_whose_cgroup(path, name):
    assert names.group(identify(path)) == name


@pytest.mark.parametrize(
    ("owner", "home", "phrase"),
    [
        (POD, f"{POD}/cri-containerd-{ID}.scope", "the pod's memory limit of 64.0 MiB"),
        (
            f"{POD}/cri-containerd-{ID}.scope",
            f"{POD}/cri-containerd-{ID}.scope",
            "the container's memory limit of 64.0 MiB",
        ),
        (
            "/kubepods",
            f"/kubepods/pod1/{ID}",
            "the memory limit of 64.0 MiB of all pods of the node together (node allocatable)",
        ),
        (f"/docker/{ID}", f"/docker/{ID}", "the container's memory limit of 64.0 MiB"),
        ("/x.slice/y.service", "/x.slice/y.service", "the unit's memory limit of 64.0 MiB"),
        ("/x.slice", "/x.slice", "the slice's memory limit of 64.0 MiB"),
        ("/a", "/a", "the cgroup's memory limit of 64.0 MiB"),
        ("/a", "/a/b", "the memory limit of 64.0 MiB of cgroup /a"),
        ("/a", None, "the memory limit of 64.0 MiB of cgroup /a"),
        (None, "/a", "the memory limit of 64.0 MiB of a cgroup that the text does not name"),
    ],
)
def test_whose_limit_beside_the_victim(owner, home, phrase):
    made = memcg_report(memcg_facts(64, oom_path=owner), task_path=home)
    assert names.limit_phrase(facts(made)) == phrase


def test_other_limits_and_unknown_figures():
    both = {"memsw_usage_bytes": 99 * MIB, "memsw_limit_bytes": 99 * MIB}
    made = facts(memcg_report(memcg_facts(10, limit=50 * MIB, **both)))
    assert names.limit_phrase(made) == "the cgroup's memory+swap limit of 99.0 MiB"
    assert names.limit(made) == "memory+swap limit (memory.memsw.limit_in_bytes)"
    kmem = facts(
        memcg_report(memcg_facts(10, limit=50 * MIB, kmem_usage_bytes=9 * MIB, kmem_limit_bytes=9 * MIB))
    )
    assert names.limit_phrase(kmem) == "the cgroup's kernel-memory limit of 9.00 MiB"
    assert (
        names.limit_phrase(facts(memcg_report(None)))
        == "the memory limit of a cgroup that the text does not name"
    )


def test_the_file_that_sets_the_limit():
    assert names.limit(facts(memcg_report(memcg_facts(9)))) == "memory limit (memory.max)"
    v1 = facts(memcg_report(memcg_facts(9, swap_limit_bytes=None, memsw_limit_bytes=MAX)))
    assert names.limit(v1) == "memory limit (memory.limit_in_bytes)"
    assert names.limit(facts(memcg_report(memcg_facts(9, swap_limit_bytes=None)))) == "memory limit"
    assert names.limit(facts(memcg_report(None))) == "memory limit"


def test_unknown_owner_and_home():
    made = facts(memcg_report(None, task_path=None))
    assert names.owner(made) == "a cgroup whose name is not in the text"
    assert names.home(made) is None


def test_processes():
    assert names.process(victim(7)) == "p7 (pid 7)"
    assert names.process(task(8, 1, comm="")) == "a process without a name (pid 8)"


def test_lists():
    assert names.listed(["a"]) == "a"
    assert names.listed(["a", "b"]) == "a and b"
    assert names.listed(["a", "b", "c"]) == "a, b and c"


def test_an_unknown_qos_class_is_kept():
    assert names.qos(identify("/a")) is None
