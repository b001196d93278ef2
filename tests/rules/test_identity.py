r"""Cgroup paths to unit, container and pod.

The pod vectors are those of the kubelet's and cAdvisor's own tests and of kernel lines found in the field;
the systemd ones follow from systemd's naming rules.
"""

from __future__ import annotations

import pytest

from memwarden.rules.container_path import Container, is_monitor
from memwarden.rules.identity import identify

ID = "98bac6c4b73cfd4c647647aa80248208b67de059874d4ddfdd1aa43ea3967e54"
OTHER = "ef807430361e6e82b45db92e2e9b6fbec98f419b12c591e655c1a725565e73a8"
UID = "17efb6ec-09ab-4eec-8ad6-f953eb1a7466"
SLICE_UID = UID.replace("-", "_")
POD_SLICE = f"kubepods-burstable-pod{SLICE_UID}.slice"
BURSTABLE = f"/kubepods.slice/kubepods-burstable.slice/{POD_SLICE}"

PODS = {
    # path: (qos, pod uid, level, runtime, id)
    f"{BURSTABLE}/cri-containerd-{ID}.scope": ("burstable", UID, "container", "containerd", ID),
    BURSTABLE: ("burstable", UID, "pod", None, None),
    f"/kubepods.slice/kubepods-pod{SLICE_UID}.slice/crio-{ID}.scope": (
        "guaranteed",
        UID,
        "container",
        "cri-o",
        ID,
    ),
    f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SLICE_UID}.slice"
    f"/crio-{ID}.scope/container": ("besteffort", UID, "container", "cri-o", ID),
    f"/kubepods/burstable/pod{UID}/{ID}": ("burstable", UID, "container", "unknown", ID),
    f"/kubepods/pod{UID}/crio-{ID}": ("guaranteed", UID, "container", "cri-o", ID),
    f"/kubepods/pod{UID}": ("guaranteed", UID, "pod", None, None),
    f"/kubepods/besteffort/pod{UID}/{ID}/init.scope": ("besteffort", UID, "container", "unknown", ID),
    f"{BURSTABLE}/docker-{ID}.scope": ("burstable", UID, "container", "docker", ID),
    f"{BURSTABLE}/crio-conmon-{ID}.scope": ("burstable", UID, "pod", None, None),
    f"{BURSTABLE}/libcontainer": ("burstable", UID, "pod", None, None),
    "/kubepods.slice": (None, None, "node-allocatable", None, None),
    "/kubepods": (None, None, "node-allocatable", None, None),
    "/kubepods/burstable": ("burstable", None, "qos", None, None),
    "/kubepods.slice/kubepods-burstable.slice": ("burstable", None, "qos", None, None),
    "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice"
    f"/kubelet-{POD_SLICE}/cri-containerd-{ID}.scope": ("burstable", UID, "container", "containerd", ID),
    # A static pod's UID is a hash without dashes.
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0d3c3f5a2d0f7a6b9b0c1e2d3f4a5b6c.slice": (
        "burstable",
        "0d3c3f5a2d0f7a6b9b0c1e2d3f4a5b6c",
        "pod",
        None,
        None,
    ),
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1234_abcd_5678_efgh.slice": (
        "burstable",
        "1234-abcd-5678-efgh",
        "pod",
        None,
        None,
    ),
    # containerd with the cgroupfs driver under a kubelet with the systemd driver: runc's triple as a name.
    f"/system.slice/containerd.service/{POD_SLICE}:cri-containerd:{ID}": (
        "burstable",
        UID,
        "container",
        "containerd",
        ID,
    ),
    f"/system.slice/docker-{ID}.scope (deleted)": (None, None, None, "docker", ID),
    "/system.slice/kubelet.service": (None, None, None, None, None),
    "/podruntime/kubelet": (None, None, None, None, None),
}


@pytest.mark.parametrize("path", PODS)
def test_pod_and_container(path):
    identity = identify(path)
    found = (identity.qos, identity.pod_uid, identity.level, identity.runtime, identity.container_id)
    assert found == PODS[path]
    assert identity.outer_containers == ()


def test_a_nested_node_takes_the_last_kubepods_segment():
    for path in (
        f"/docker/{OTHER}/kubelet/kubepods/burstable/pod{UID}/{ID}",
        (
            f"/system.slice/docker-{OTHER}.scope/kubelet.slice/kubelet-kubepods.slice"
            f"/kubelet-kubepods-burstable.slice/kubelet-{POD_SLICE}/cri-containerd-{ID}.scope"
        ),
        f"/kubepods/besteffort/podaaaa/{OTHER}/kubelet/kubepods/burstable/pod{UID}/{ID}",
    ):
        identity = identify(path)
        assert (identity.qos, identity.pod_uid, identity.level) == ("burstable", UID, "container")
        assert identity.container_id == ID
        assert [outer.id for outer in identity.outer_containers] == [OTHER]


def test_the_node_of_a_nested_cluster_is_not_the_container_of_a_pod_level_path():
    identity = identify(f"/docker/{OTHER}/kubelet/kubepods/burstable/pod{UID}")
    assert identity.level == "pod"
    assert identity.container is None
    assert identity.outer_containers == (Container("docker", OTHER),)


CONTAINERS = {
    f"/docker/{ID}": ("docker", ID),
    f"/system.slice/docker-{ID}.scope": ("docker", ID),
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope": ("docker", ID),
    f"/machine.slice/libpod-{ID}.scope/container": ("podman", ID),
    f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope/container": ("podman", ID),
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope": ("podman", ID),
    f"/system.slice/web.service/libpod-payload-{ID}": ("podman", ID),
    f"/libpod_parent/libpod-{ID}": ("podman", ID),
    "/lxc/101": ("lxc", "101"),
    "/lxc/101/ns/system.slice/nginx.service": ("lxc", "101"),
    "/lxc.payload.web01": ("lxc", "web01"),
    "/lxc.payload/web01/system.slice": ("lxc", "web01"),
    f"/ecs/8f9c1f1e-0f0e-4a3e-9d0e-000000000001/{ID}": ("ecs", ID),
    f"/ecs/8f9c1f1e0f0e4a3e9d0e000000000001/8f9c1f1e0f0e4a3e9d0e000000000001-{2063330213}": (
        "ecs",
        "8f9c1f1e0f0e4a3e9d0e000000000001-2063330213",
    ),
    f"/ecstasks.slice/ecstasks-8f9c1f1e0f0e4a3e.slice/docker-{ID}.scope": ("docker", ID),
    f"/default/{ID}": ("containerd", ID),
    f"/k8s.io/{ID}": ("containerd", ID),
    f"/system.slice/nerdctl-{ID}.scope": ("containerd", ID),
    f"/system.slice:docker:{ID}": ("docker", ID),
    f"/system.slice/:nerdctl:{ID}": ("containerd", ID),
    f"/system.slice/garden-{ID}.scope": ("unknown", ID),
    r"/machine.slice/machine-debian\x2dtest.scope": ("systemd-nspawn", "debian-test"),
    "/machine.slice/systemd-nspawn@debian.service/payload": ("systemd-nspawn", "debian"),
    r"/machine.slice/machine-qemu\x2d3\x2dvm\x2done.scope/libvirt/vcpu0": ("libvirt-qemu", "vm-one"),
    r"/machine.slice/machine-lxc\x2d12\x2dold.scope": ("libvirt-lxc", "old"),
    "/qemu.slice/101.scope": ("qemu", "101"),
}


@pytest.mark.parametrize("path", CONTAINERS)
def test_container_without_kubernetes(path):
    identity = identify(path)
    assert identity.container == Container(*CONTAINERS[path])
    assert (identity.qos, identity.pod_uid, identity.level) == (None, None, None)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/system.slice/ssh.service",
        "/lxc",
        "/lxc.monitor.web01",
        "/qemu.slice",
        "/foo/101.scope",
        f"/machine.slice/libpod-conmon-{ID}.scope",
        # systemd makes mount units that carry the container's id.
        f"/system.slice/var-lib-docker-containers-{ID}-shm.mount",
        f"/system.slice/{ID}.mount",
        "/docker/abcdef",
    ],
)
def test_no_container(path):
    assert identify(path).container is None


def test_monitor():
    assert is_monitor(f"crio-conmon-{ID}.scope")
    assert is_monitor(f"libpod-conmon-{ID}.scope")
    assert not is_monitor(f"crio-{ID}.scope")
    assert not is_monitor("conmon.service")


UNITS = {
    # path: (unit, slice, manager, uid of the user's manager)
    "/system.slice/ssh.service": ("ssh.service", "system.slice", "system", None),
    "/init.scope": ("init.scope", None, "system", None),
    "/user.slice/user-1000.slice/session-2.scope": ("session-2.scope", "user-1000.slice", "system", None),
    "/user.slice/user-1000.slice": ("user-1000.slice", "user-1000.slice", "system", None),
    "/user.slice/user-0.slice/user@0.service/init.scope": ("init.scope", "user-0.slice", "user", 0),
    "/user.slice/user-1000.slice/user@1000.service": (
        "user@1000.service",
        "user-1000.slice",
        "system",
        None,
    ),
    "/user.slice/user-1000.slice/user@1000.service/app.slice/app-graphical.slice/app-a@02f77be1.service": (
        "app-a@02f77be1.service",
        "app-graphical.slice",
        "user",
        1000,
    ),
    # What a service makes below itself is its own business.
    "/system.slice/buildd.service/job.service": ("buildd.service", "system.slice", "system", None),
    "/system.slice/buildd.service/supervisor": ("buildd.service", "system.slice", "system", None),
    f"/lxc/39004/ns/system.slice/docker-{ID}.scope": (
        f"docker-{ID}.scope",
        "system.slice",
        "container",
        None,
    ),
    "/machine.slice/systemd-nspawn@deb.service/payload/system.slice/nginx.service": (
        "nginx.service",
        "system.slice",
        "container",
        None,
    ),
    # A user's manager inside a container is the container's.
    "/lxc/1/user.slice/user-5.slice/user@5.service/app.slice/a.service": (
        "a.service",
        "app.slice",
        "container",
        None,
    ),
    f"{BURSTABLE}/cri-containerd-{ID}.scope": (f"cri-containerd-{ID}.scope", POD_SLICE, "system", None),
    BURSTABLE: (POD_SLICE, POD_SLICE, "system", None),
    "/kubepods/burstable": (None, None, None, None),
    "/": (None, None, None, None),
    "/mygroup/sub": (None, None, None, None),
    # cg_escape: a name that a kernel file could have gets one leading underscore.
    "/system.slice/_cpu.service": ("cpu.service", "system.slice", "system", None),
}


@pytest.mark.parametrize("path", UNITS)
def test_unit(path):
    identity = identify(path)
    assert (identity.unit, identity.slice, identity.manager, identity.user_uid) == UNITS[path]


def test_template_and_escapes():
    identity = identify(
        r"/system.slice/system-systemd\x2dfsck.slice/systemd-fsck@dev-disk-by\x2duuid-1.service"
    )
    assert identity.unit == r"systemd-fsck@dev-disk-by\x2duuid-1.service"
    assert identity.unit_title == "systemd-fsck@dev-disk-by-uuid-1.service"
    assert identity.template == "systemd-fsck@.service"
    assert identity.instance == "dev-disk-by-uuid-1"
    assert identity.slice == r"system-systemd\x2dfsck.slice"
    assert identify("/system.slice/getty@.service").instance is None


def test_escapes_of_other_than_ascii():
    assert identify(r"/system.slice/caf\xc3\xa9.service").unit_title == "café.service"
    # A byte that is no UTF-8 stays visible.
    assert identify(r"/system.slice/x\xff.service").unit_title == r"x\xff.service"


def test_ecs_task():
    assert identify(f"/ecs/task1/{ID}").ecs_task == "task1"
    assert identify(f"/ecs/cluster/task1/{ID}").ecs_task == "task1"
    assert identify(f"/ecstasks.slice/ecstasks-ab12.slice/docker-{ID}.scope").ecs_task == "ab12"
    assert identify("/ecs/task1").ecs_task is None
    assert identify("/ecstasks.slice").ecs_task is None
    assert identify("/ecstasks.slice/plain").ecs_task is None


def test_other_names_are_not_pods():
    assert identify("/system.slice/my-kubepods-tool.service").level is None
    assert identify("/kubepodsx/burstable").level is None
