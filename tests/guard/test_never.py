"""Whom no policy kills."""

from __future__ import annotations

import pytest

from memwarden.errors import InputError
from memwarden.guard import never
from memwarden.guard.never import BUILT_IN, Guarded, resolve
from memwarden.state.process import PF_KTHREAD
from tests.guard.ticks import group
from tests.rules.machines import process, snapshot

BUILT_IN_UNITS = [
    "/init.scope",
    "/system.slice/containerd.service",
    "/system.slice/docker.service",
    "/system.slice/crio.service",
    "/system.slice/kubelet.service",
    "/system.slice/sshd.service",
    "/system.slice/ssh.service",
    "/system.slice/systemd-journald.service",
    "/system.slice/dbus.service",
    "/system.slice/dbus-broker.service",
    "/system.slice/systemd-logind.service",
    "/system.slice/systemd-udevd.service",
    "/system.slice/NetworkManager.service",
    "/system.slice/systemd-networkd.service",
    "/system.slice/systemd-resolved.service",
    "/machine.slice/libpod-conmon-0a.scope",
    "/kubepods.slice/kubepods-pod1.slice/crio-conmon-0a.scope",
    "/system.slice/system-x.slice/sshd.service/inner",
]


def reason(path, guarded=None, processes=(), cgroups=()):
    machine = snapshot((group("/"), group(path), *cgroups), tuple(processes))
    return (guarded or Guarded()).of_cgroup(path, machine.cgroups[path], machine)


def test_names_that_were_looked_at_before_are_judged_alike():
    guarded = Guarded(protect=("b*.service",))
    paths = ("/", "/system.slice/sshd.service", "/a/bee.service", "/a")
    guarded.know({path: group(path) for path in paths})
    for path in ("/system.slice/sshd.service", "/a/bee.service", "/a"):
        assert reason(path, guarded) == reason(path, Guarded(protect=("b*.service",)))


def of_process(one, guarded=None):
    return (guarded or Guarded()).of_process(one, snapshot((), (one,)))


@pytest.mark.parametrize("path", BUILT_IN_UNITS)
def test_units_of_the_machine_are_not_killed(path):
    assert "is on the built-in list" in reason(path)
    assert Guarded().of_subtree(path) == reason(path)


def test_the_reason_names_the_unit():
    assert reason("/system.slice/sshd.service") == "never: sshd.service is on the built-in list"


@pytest.mark.parametrize(
    "path",
    [
        "/user.slice/user-1000.slice/user@1000.service/app.slice/sshd.service",
        "/system.slice/docker-0a.scope/system.slice/sshd.service",
        "/lxc.payload.a/system.slice/dbus.service",
        "/system.slice/web.service/sshd.service",
        "/system.slice/my-sshd.service",
        "/system.slice/comm:systemd",
    ],
)
def test_a_name_that_anyone_may_take_counts_for_nothing(path):
    assert reason(path) is None


def daemon(pid, comm, **fields):
    return process(pid, 1, **{"comm": comm, "ppid": 1, "uid": 0, **fields})


DAEMONS = """
    systemd containerd containerd-shim dockerd crio conmon kubelet sshd dbus-daemon dbus-broker-lau
    systemd-journal systemd-logind systemd-udevd NetworkManager systemd-network systemd-resolve
"""


@pytest.mark.parametrize("comm", DAEMONS.split())
def test_daemons_are_known_by_name(comm):
    one = daemon(50, comm, cgroup="/odd")
    assert of_process(one) == f"never: {comm} is on the built-in list"
    assert reason("/odd", processes=[one]) == f"never: holds pid 50, {comm} is on the built-in list"


def test_names_fit_into_what_the_kernel_keeps():
    assert [
        entry for entry in BUILT_IN if entry.startswith("comm:") and len(entry.rstrip("*")) > 5 + 15
    ] == []


@pytest.mark.parametrize("fields", [{"ppid": 50}, {"uid": 1000}])
def test_an_sshd_that_serves_a_login_or_is_a_users_is_nobody(fields):
    one = daemon(50, "sshd", cgroup="/user.slice/user-1000.slice/session-1.scope", **fields)
    assert of_process(one) is None
    assert reason(one.cgroup, processes=[one]) is None


def test_where_parent_and_user_are_unknown_the_name_counts():
    assert of_process(daemon(50, "sshd", ppid=None, uid=None)) is not None


def test_init_kernel_threads_and_ourselves():
    assert of_process(process(1)) == "never: init"
    assert of_process(process(7, flags=PF_KTHREAD)) == "never: a kernel thread"
    assert of_process(process(7), Guarded(own_pid=7)) == "never: memwarden itself"
    assert of_process(process(8), Guarded(own_pid=7)) is None
    assert of_process(process(7, oom_score_adj=-1000)) == "never: oom_score_adj -1000 exempts it"


def test_the_root_is_never_killed_though_what_is_in_it_may():
    assert reason("/") == "never: the root is the whole machine"
    assert Guarded().of_subtree("/") is None
    assert of_process(process(7, cgroup="/")) is None


def test_a_process_is_kept_by_the_cgroup_it_is_in():
    assert of_process(process(7, cgroup="/system.slice/sshd.service")).startswith("never: sshd.service")
    assert of_process(process(7, cgroup="/system.slice/web.service")) is None
    assert of_process(process(7, cgroup=None)) is None


def test_a_cgroup_that_holds_such_a_one_is_not_killed_whole():
    inner = group("/a/b/c")
    for one, why in (
        (process(1, cgroup="/a/b/c"), "never: holds pid 1, init"),
        (process(7, cgroup="/a/b/c"), "never: holds pid 7, memwarden itself"),
    ):
        machine = snapshot((group("/"), group("/a"), group("/a/b"), inner, group("/a/d")), (one,))
        guarded = Guarded(own_pid=7)
        for path in ("/a", "/a/b", "/a/b/c"):
            assert guarded.of_cgroup(path, machine.cgroups[path], machine) == why
            assert guarded.of_subtree(path) is None
        assert guarded.of_cgroup("/a/d", machine.cgroups["/a/d"], machine) is None


def test_it_is_seen_without_the_processes_too():
    machine = snapshot((group("/"), group("/a", procs=(7, 1)), group("/b", procs=(8,))))
    guarded = Guarded(own_pid=8)
    assert guarded.of_cgroup("/a", machine.cgroups["/a"], machine) == "never: holds pid 1, init"
    assert guarded.of_cgroup("/b", machine.cgroups["/b"], machine) == "never: holds pid 8, memwarden itself"


def test_a_slice_above_a_unit_that_is_kept():
    assert reason("/system.slice", cgroups=[group("/system.slice/sshd.service")]) == (
        "never: holds /system.slice/sshd.service, sshd.service is on the built-in list"
    )
    assert Guarded().of_subtree("/system.slice") is None


def test_kernel_threads_keep_no_cgroup_alive():
    worker = process(90, flags=PF_KTHREAD, comm="vhost-7", cgroup="/vm")
    assert reason("/vm", processes=[worker, process(7, cgroup="/vm")]) is None


def test_our_own_cgroup_and_all_in_it():
    guarded = Guarded(own_cgroup="/system.slice/memwarden.service")
    assert reason("/system.slice/memwarden.service", guarded) == "never: memwarden itself"
    assert guarded.of_subtree("/system.slice/memwarden.service/hook") == "never: memwarden itself"
    assert guarded.of_subtree("/system.slice/memwarden.service2") is None


def test_entries_of_a_policy_count_wherever_they_match():
    guarded = Guarded(resolve(["vault.service", "comm:vault"]))
    path = "/user.slice/user-1000.slice/user@1000.service/vault.service"
    assert reason(path, guarded) == "never: vault.service is on the policy's list"
    assert reason(f"{path}/inner", guarded) == "never: vault.service is on the policy's list"
    one = process(7, comm="vault", cgroup="/x", ppid=50)
    assert of_process(one, guarded) == "never: comm:vault is on the policy's list"
    assert reason("/x", guarded, [one]) == "never: holds pid 7, comm:vault is on the policy's list"


def test_protected_services():
    guarded = Guarded(protect=["postgresql*.service", "comm:redis-server"])
    assert reason("/system.slice/postgresql@15.service/x", guarded) == "protected: postgresql*.service"
    one = process(7, comm="redis-server", cgroup="/c")
    assert of_process(one, guarded) == "protected: comm:redis-server"
    assert reason("/c", guarded, [one]) == "protected: holds pid 7, comm:redis-server"
    inner = group("/p/postgresql.service")
    assert reason("/p", guarded, cgroups=[inner]) == (
        "protected: holds /p/postgresql.service, postgresql*.service"
    )


def test_a_cgroup_whose_every_process_is_exempt():
    exempt = [process(pid, cgroup="/a", oom_score_adj=-1000) for pid in (7, 8)]
    assert reason("/a", processes=exempt) == "never: oom_score_adj -1000 exempts all in it"
    assert reason("/a", processes=[*exempt, process(9, cgroup="/a")]) is None
    assert reason("/a", processes=[process(9, cgroup="/b")]) is None


def test_the_list_is_extended_and_only_explicitly_shortened():
    assert resolve() == BUILT_IN
    assert resolve(["a.service", "a.service", "sshd.service"]) == (*BUILT_IN, "a.service")
    shorter = resolve(shorten=["sshd.service"])
    assert set(BUILT_IN) - set(shorter) == {"sshd.service"}
    assert reason("/system.slice/sshd.service", Guarded(shorter)) is None
    assert reason("/system.slice/ssh.service", Guarded(shorter)) is not None


def test_what_is_not_on_the_list_cannot_be_taken_out():
    with pytest.raises(InputError) as caught:
        resolve(shorten=["sshd"])
    assert str(caught.value) == "'sshd' is not on the built-in list, so it cannot be taken out of it"


def test_even_an_empty_list_keeps_init_and_the_root():
    guarded = Guarded(())
    assert reason("/system.slice/sshd.service", guarded) is None
    assert of_process(process(1), guarded) == "never: init"
    assert reason("/", guarded) is not None


def test_answers_belong_to_one_snapshot():
    guarded = Guarded()
    one = snapshot((group("/"), group("/a")), (process(1, cgroup="/a"),))
    other = snapshot((group("/"), group("/a")), (process(2, cgroup="/a"),))
    for _ in range(2):
        assert guarded.of_cgroup("/a", one.cgroups["/a"], one) is not None
        assert guarded.of_cgroup("/a", other.cgroups["/a"], other) is None


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(never, "_CACHED", 3)
    guarded = Guarded()
    assert [guarded.of_subtree(f"/a{number}") for number in range(9)] == [None] * 9
    assert len(guarded._paths) <= 3
