"""What to do, and what would have helped: commands that can be pasted, numbers that can be checked."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.postmortem import advice_numbers
from memwarden.postmortem.advice import advice, would_have_helped
from memwarden.postmortem.advice_quote import option_safe, quoted, rounded_up, spelled
from memwarden.postmortem.cause_facts import facts
from memwarden.state.traits import BadnessRule
from memwarden.units import KIB, MAX, MIB
from tests.postmortem.verdict_reports import (
    PAGES,
    marks,
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    traits,
    victim,
    zone,
)

ID = "0123456789ab" + 52 * "0"
POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice"
STAT = {"anon": 95, "kernel": 5, "inactive_anon": 40, "active_anon": 55}


def commands(made, cause):
    return [step.command for step in advice(facts(made), cause)]


def steps(made, cause):
    return " ".join(step.what for step in advice(facts(made), cause))


def helped(made, cause):
    return list(would_have_helped(facts(made), cause))


def owned_by(path, stat=None, **fields):
    return memcg_report(memcg_facts(100, stat_mib=stat or STAT, oom_path=path, **fields), task_path=path)


class TestQuoting:
    @given(st.text(min_size=1))
    def test_a_posix_shell_reads_back_what_is_printable(self, name):
        if name.isprintable():
            assert shlex.split(quoted(name)) == [name]
        else:
            assert quoted(name).startswith("$'")
            assert quoted(name).isprintable()

    def test_what_bash_reads_back(self):
        assert quoted("a'b\\c\n\x1b") == "$'a\\'b\\\\c\\x0a\\x1b'"
        assert quoted("\udcff\x00") == "$'\\xff\\x00'"

    def test_names_that_look_like_options(self):
        assert option_safe("-.slice") == "-- -.slice"
        assert option_safe("a.service") == "a.service"


class TestSizes:
    @given(st.integers(min_value=1, max_value=1 << 50))
    def test_rounding_up_adds_at_most_an_eighth(self, size):
        rounded = rounded_up(size)
        assert size <= rounded <= max(size + size // 8, size + KIB)

    @pytest.mark.parametrize(("size", "text"), [(640 * MIB, "640M"), (1280 * KIB, "1280K"), (1, "1K")])
    def test_spelling(self, size, text):
        assert spelled(size, "M", "K") == text


class TestRaise:
    """100 MiB in use and a quarter are 125, rounded up to 128."""

    @pytest.mark.parametrize(
        ("path", "command"),
        [
            (
                f"/system.slice/docker-{ID}.scope",
                "docker update --memory 128m --memory-swap 128m 0123456789ab",
            ),
            (
                f"/machine.slice/libpod-{ID}.scope",
                "podman update --memory 128m --memory-swap 128m 0123456789ab",
            ),
            ("/lxc/web", "lxc config set web limits.memory 128MiB"),
            ("/system.slice/web.service", "systemctl set-property web.service MemoryMax=128M"),
            ("/-.slice", "systemctl set-property -- -.slice MemoryMax=128M"),
            (
                "/user.slice/user-7.slice/user@7.service/app.slice/x.service",
                (
                    "sudo -u '#7' XDG_RUNTIME_DIR=/run/user/7 systemctl --user set-property x.service "
                    "MemoryMax=128M"
                ),
            ),
            ("/a b/$(c)", "echo 134217728 > '/sys/fs/cgroup/a b/$(c)/memory.max'"),
            (
                f"/system.slice/other-{ID}.scope",
                f"echo 134217728 > /sys/fs/cgroup/system.slice/other-{ID}.scope/memory.max",
            ),
            (
                "/lxc/web/system.slice/x.service",
                "echo 134217728 > /sys/fs/cgroup/lxc/web/system.slice/x.service/memory.max",
            ),
        ],
    )
    def test_in_the_words_of_the_manager(self, path, command):
        assert command in commands(owned_by(path), "memcg-anon")

    def test_the_last_step_looks_at_who_is_next(self):
        assert commands(owned_by("/a b"), "memcg-anon")[-1] == "memwarden rank --cgroup '/a b'"

    def test_v1_has_its_own_files(self):
        made = owned_by("/a", swap_limit_bytes=None, kmem_limit_bytes=MAX)
        assert "echo 134217728 > /sys/fs/cgroup/memory/a/memory.limit_in_bytes" in commands(
            made, "memcg-anon"
        )

    def test_memory_and_swap(self):
        both = {"swap_limit_bytes": None, "memsw_usage_bytes": 200 * MIB, "memsw_limit_bytes": 200 * MIB}
        made = memcg_report(memcg_facts(40, limit=100 * MIB, **both))
        assert "echo 268435456 > /sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes" in commands(
            made, "memcg-swap-limit"
        )
        docker = memcg_report(memcg_facts(40, limit=100 * MIB, oom_path=f"/docker/{ID}", **both))
        assert "docker update --memory-swap 256m 0123456789ab" in commands(docker, "memcg-swap-limit")
        for path in ("/lxc/web", "/x.slice/web.service"):
            other = memcg_report(memcg_facts(40, limit=100 * MIB, oom_path=path, **both))
            assert any("memsw" in (one or "") for one in commands(other, "memcg-swap-limit"))

    def test_what_is_in_swap_wants_room_too(self):
        made = owned_by("/a", swap_usage_bytes=60 * MIB, swap_limit_bytes=MAX)
        assert "echo 218103808 > /sys/fs/cgroup/a/memory.max" in commands(
            made, "memcg-anon"
        )  # 200 MiB, rounded

    def test_container_of_a_pod(self):
        made = memcg_report(memcg_facts(100, stat_mib=STAT, oom_path=f"{POD}/cri-containerd-{ID}.scope"),
                            task_path=f"{POD}/cri-containerd-{ID}.scope")  # fmt: skip
        found = commands(made, "memcg-anon")
        words = shlex.split(found[0])
        assert words[:5] == ["kubectl", "get", "pods", "-A", "-o"]
        columns = dict(column.split(":") for column in words[5].removeprefix("custom-columns=").split(","))
        assert columns["UID"] == ".metadata.uid"
        assert columns["HASH"] == r".metadata.annotations.kubernetes\.io/config\.hash"
        assert words[6:] == ["|", "grep", "-F", "-e", "POD", "-e", "1-2"]
        assert found[1] == "ls -d /var/log/pods/*_1-2"
        assert found[2] == (
            "kubectl set resources -n NAMESPACE deployment/NAME -c CONTAINER --limits=memory=128Mi"
        )
        # Every word in capitals of the command is a column of the line that the first one finds.
        assert {"NAMESPACE", "NAME", "CONTAINERS"} <= set(columns)
        assert found.count(found[0]) == 1

    def test_static_pod(self):
        path = "/kubepods/burstable/pod0d3c3f5a2d0f7a6b9b0c1e2d3f4a5b6c"
        made = memcg_report(memcg_facts(100, stat_mib=STAT, oom_path=path), task_path=path)
        assert commands(made, "memcg-anon")[0].endswith("-e 0d3c3f5a2d0f7a6b9b0c1e2d3f4a5b6c")
        assert "in the pod's manifest on the node" in steps(made, "memcg-anon")
        assert not any("set resources" in (one or "") for one in commands(made, "memcg-anon"))

    def test_uid_of_somebody_who_means_ill(self):
        path = "/kubepods/pod$(reboot)-x"
        made = memcg_report(memcg_facts(100, stat_mib=STAT, oom_path=path), task_path=path)
        for command in commands(made, "memcg-anon")[:2]:
            assert "'$(reboot)-x'" in command

    def test_pod(self):
        made = memcg_report(memcg_facts(100, stat_mib=STAT, oom_path=POD), task_path=POD)
        assert "the pod's containers, so that they add up to 128Mi" in steps(made, "memcg-anon")

    def test_all_pods(self):
        made = memcg_report(
            memcg_facts(100, stat_mib=STAT, oom_path="/kubepods"), task_path=f"/kubepods/pod1-2/{ID}"
        )
        assert commands(made, "memcg-anon") == [
            commands(made, "memcg-anon")[0],
            "ls -d /var/log/pods/*_1-2",
            None,
            "kubectl top pods -A --sort-by=memory | head -20",
            "memwarden rank --cgroup /kubepods",
        ]
        assert "kubectl get pods" in commands(made, "memcg-anon")[0]
        assert helped(made, "memcg-anon")[0].startswith(
            "Memory limits on all pods that add up to less than what"
        )
        unknown = memcg_report(memcg_facts(None, oom_path="/kubepods"))
        assert "has for pods, or fewer" in helped(unknown, "memcg-unknown")[0]

    def test_a_cgroup_without_name_or_figures(self):
        assert commands(memcg_report(None), "memcg-unknown") == []
        assert commands(memcg_report(memcg_facts(100, oom_path=None)), "memcg-unknown") == []
        assert commands(memcg_report(memcg_facts(None)), "memcg-unknown") == ["memwarden rank --cgroup /a"]


class TestCgroupCauses:
    def test_tmpfs(self):
        stat = {"anon": 30, "file": 65, "shmem": 60, "kernel": 5}
        # 100 less 35 of programs and kernel, less a tenth: 55 MiB.
        made = owned_by("/a", stat)
        assert commands(made, "memcg-shmem")[0] == "mount -o remount,size=55m /dev/shm"
        assert "tmpfs mounts capped at 55.0 MiB in all" in " ".join(helped(made, "memcg-shmem"))
        full = owned_by("/a", {"anon": 95, "shmem": 5, "file": 5})
        assert commands(full, "memcg-shmem")[0] == "mount -o remount,size=... /dev/shm"
        assert not any("tmpfs" in one for one in helped(full, "memcg-shmem"))

    def test_kernel_memory(self):
        made = owned_by("/a", {"anon": 5, "kernel": 95})
        assert commands(made, "memcg-kernel")[0] == (
            "grep -E '^(kernel|slab|pagetables|percpu|sock|vmalloc)' /sys/fs/cgroup/a/memory.stat"
        )
        assert "A leak only takes longer" in helped(made, "memcg-kernel")[0]
        nameless = memcg_report(memcg_facts(100, oom_path=None, stat_mib={"anon": 5, "kernel": 95}))
        assert commands(nameless, "memcg-kernel") == [None]

    def test_locked(self):
        assert "VmLck" in commands(owned_by("/a"), "memcg-unevictable")[0]

    def test_file_data_not_written(self):
        made = owned_by("/a", {"anon": 5, "file": 90, "kernel": 5})
        assert (
            commands(made, "memcg-file")[0] == f"echo {100 * MIB * 100 // 118} > /sys/fs/cgroup/a/memory.high"
        )
        v1 = owned_by("/a", {"rss": 5, "cache": 95}, swap_limit_bytes=None, memsw_limit_bytes=MAX)
        assert commands(v1, "memcg-file")[0] is None

    def test_limit_high_and_swap_that_would_have_helped(self):
        found = helped(owned_by("/a"), "memcg-anon")
        assert found[0].startswith("A limit of 128 MiB or more: 100 MiB charged, and a quarter")
        assert found[1].startswith(
            "Swap for the cgroup (memory.swap.max is 0): the kernel counted 40.0 MiB as inactive"
        )
        assert found[2].startswith("memory.high at 84.7 MiB")  # 100 / 1.18

    def test_swap_used_is_told(self):
        made = owned_by("/a", swap_usage_bytes=60 * MIB, swap_limit_bytes=MAX)
        assert "100 MiB charged, 60.0 MiB in swap, and a quarter" in helped(made, "memcg-anon")[0]
        assert not any("Swap for the cgroup" in one for one in helped(made, "memcg-anon"))

    def test_no_swap_advice_without_idle_memory(self):
        made = owned_by("/a", {"anon": 95, "kernel": 5})
        assert not any("Swap for" in one for one in helped(made, "memcg-anon"))

    def test_memory_and_swap_has_no_high(self):
        both = {"swap_limit_bytes": None, "memsw_usage_bytes": 200 * MIB, "memsw_limit_bytes": 200 * MIB}
        made = memcg_report(memcg_facts(40, limit=100 * MIB, stat_mib={"rss": 40}, **both))
        assert helped(made, "memcg-swap-limit") == [
            (
                "A limit of 256 MiB or more: 200 MiB charged, and a quarter on top because a log shows "
                "where growth was "
                "stopped, not where it would have ended."
            )
        ]

    def test_high_needs_a_limit_of_memory(self):
        v2 = {"swap_limit_bytes": MAX, "memsw_usage_bytes": 200 * MIB, "memsw_limit_bytes": 200 * MIB}
        made = memcg_report(memcg_facts(40, limit=100 * MIB, stat_mib={"anon": 40}, **v2))
        assert not any("memory.high" in one for one in helped(made, "memcg-anon"))

    def test_figures_that_are_not_there_make_no_number(self):
        assert helped(memcg_report(None), "memcg-unknown") == []
        assert helped(memcg_report(memcg_facts(None, limit=64 * MIB)), "memcg-anon") == []

    def test_idle_memory_needs_statistics(self):
        assert advice_numbers.idle_anon_bytes(facts(memcg_report(None))) is None
        assert advice_numbers.idle_anon_bytes(facts(system_report(None))) is None


class TestOtherVictim:
    """64 MiB without swap: one point of oom_score_adj is 16 pages."""

    def made(self, *rows, **fields):
        return memcg_report(memcg_facts(64), *rows, victims=(victim(2, 30),), **fields)

    def test_the_adj_that_would_have_changed_it(self):
        # 30 MiB are 7680 points, 20 MiB 5120: 2560 less are 160 of adj; equal points would not do, so 161.
        found = advice_numbers.other_adj(facts(self.made(task(2, 30), task(3, 20))))
        assert (found.adj, found.selected.pid, found.instead.pid) == (-161, 2, 3)
        text = helped(self.made(task(2, 30), task(3, 20)), "memcg-anon")[-1]
        assert "with oom_score_adj -161 or lower on p2 (pid 2) the kernel would have taken p3 (pid 3)" in text

    @pytest.mark.parametrize(
        "made",
        [
            memcg_report(memcg_facts(64), task(2, 30), victims=(victim(2, 30),)),
            memcg_report(
                memcg_facts(64, swap_limit_bytes=MAX), task(2, 30), task(3, 5), victims=(victim(2, 30),)
            ),
            memcg_report(memcg_facts(3), task(2, 2), task(3, 1), victims=(victim(2, 30),)),
            memcg_report(memcg_facts(64), task(2, 64, -950), task(3, 0.1), victims=(victim(2, 30),)),
            memcg_report(memcg_facts(64), task(2, 1), task(3, 30), victims=(victim(2, 30),)),
            memcg_report(
                memcg_facts(64), task(2, 30, uid=0), task(3, 5), victims=(victim(2, 30),),
                traits=traits(BadnessRule.UNSIGNED_ROOT_BONUS),
            ),
            memcg_report(
                memcg_facts(64), task(2, 1, -999), task(3, 1, -999), victims=(victim(2, 1),),
                traits=traits(BadnessRule.UNSIGNED),
            ),
            memcg_report(
                memcg_facts(64), task(2, 30), task(3, 5), victims=(victim(2, 30),),
                traits=traits(BadnessRule.PERMILLE),
            ),
            memcg_report(memcg_facts(64), victims=()),
        ],
        ids=["alone", "bounds", "weightless", "too-low", "not-ahead", "root", "raised", "permille", "nobody"],
    )  # fmt: skip
    def test_when_no_number_can_be_given(self, made):
        assert advice_numbers.other_adj(facts(made)) is None

    def test_one_that_died_with_it_is_no_other(self):
        both = (victim(2, 30), victim(3, 20, via="oom.group"))
        made = memcg_report(memcg_facts(64), task(2, 30), task(3, 20), victims=both)
        assert not any("another victim" in one for one in helped(made, "memcg-anon"))

    def test_only_where_memory_had_run_out(self):
        made = self.made(task(2, 30), task(3, 20))
        assert helped(made, "manual") == []


class TestMachine:
    NODE = node_facts(1000, active_anon=500, inactive_anon=300, free=20)

    def test_cap_for_a_big_victim_s_unit(self):
        # 1000 less 20 free less the victim's 600: 380 others; 900 less 380 are 520, rounded up to 576.
        made = system_report(self.NODE, victims=(victim(2, 600),), task_path="/system.slice/db.service")
        assert commands(made, "system-anon")[0] == "systemctl set-property db.service MemoryMax=576M"
        assert "A limit of 576 MiB on the victim's cgroup" in " ".join(helped(made, "system-anon"))

    @pytest.mark.parametrize("path", [None, "/a"])
    def test_without_a_unit_one_is_made(self, path):
        made = system_report(self.NODE, victims=(victim(2, 600),), task_path=path)
        assert commands(made, "system-anon")[0] == "systemd-run --scope -p MemoryMax=576M COMMAND"
        assert steps(made, "system-anon").startswith("Start p2 under a limit that leaves room")

    @pytest.mark.parametrize("path", [f"/docker/{ID}", "/lxc/x/system.slice/db.service"])
    def test_no_cap_command_for_containers(self, path):
        made = system_report(self.NODE, victims=(victim(2, 600),), task_path=path)
        assert not any("MemoryMax" in (one or "") for one in commands(made, "system-anon"))

    def test_many_workers(self):
        rows = [task(pid, 30, comm="httpd") for pid in range(2, 22)]
        made = system_report(self.NODE, *rows, task(50, 9), victims=(victim(2, 30),))
        assert steps(made, "system-anon").startswith(
            "Run fewer httpd processes at a time: 20 held 600 MiB, 30.0 MiB each on average"
        )
        cgroup = memcg_report(memcg_facts(640), *rows, victims=(victim(2, 30),))
        assert steps(cgroup, "memcg-anon").startswith("Run fewer httpd processes")
        assert "fewer" not in steps(cgroup, "memcg-shmem")
        few = system_report(self.NODE, *rows[:9], victims=(victim(2, 30),))
        assert "fewer" not in steps(few, "system-anon")
        one_big = system_report(self.NODE, *rows, task(60, 900, comm="httpd"), victims=(victim(2, 30),))
        assert "fewer" not in steps(one_big, "system-anon")

    def test_the_last_step_looks_at_who_is_next(self):
        assert commands(system_report(self.NODE, victims=()), "system-anon")[-1] == "memwarden rank --system"

    def test_no_cap_for_a_small_victim(self):
        made = system_report(self.NODE, victims=(victim(2, 10),), task_path="/system.slice/db.service")
        assert not any("MemoryMax" in (one or "") for one in commands(made, "system-anon"))
        assert advice_numbers.cap_bytes(facts(system_report(None))) is None

    def test_swap(self):
        made = system_report(self.NODE, victims=())
        assert commands(made, "system-anon")[0].startswith(
            "fallocate -l 320MiB /swapfile && chmod 600 /swapfile"
        )
        assert helped(made, "system-anon")[0].startswith(
            "320 MiB of swap: the kernel counted 300 MiB as inactive"
        )
        more = system_report(node_facts(1000, 100, 0, active_anon=500, inactive_anon=300), victims=())
        assert commands(more, "system-anon") == ["memwarden rank --system"]
        assert helped(more, "system-anon")[0].startswith("320 MiB of more swap")
        assert helped(system_report(node_facts(1000, None, active_anon=9), victims=()), "system-anon") == []

    def test_hardly_any_idle_memory_is_no_case_for_swap(self):
        busy = system_report(node_facts(1000, active_anon=900, inactive_anon=40), victims=())
        assert commands(busy, "system-anon") == ["memwarden rank --system"]
        assert helped(busy, "system-anon") == []

    def test_shared_memory(self):
        made = system_report(node_facts(1000, active_anon=700, shmem=600))
        assert commands(made, "system-shmem") == ["df -h -t tmpfs -t devtmpfs", "ipcs -m -p"]
        assert helped(made, "system-shmem") == [
            "A size= on tmpfs mounts: 600 MiB was in them or in shared memory."
        ]

    def test_slab(self):
        node = node_facts(1000, slab_unreclaimable=700, slabs={"a": 1, "b": 600, "c": 50, "d": 40})
        assert steps(system_report(node), "system-slab").endswith(
            "Largest in the report: b 600 MiB, c 50.0 MiB, d 40.0 MiB."
        )
        assert commands(system_report(None), "system-slab") == ["slabtop --once --sort=c | head -20"]

    def test_huge_pages(self):
        made = system_report(node_facts(1000, active_anon=100, hugepages=700))
        assert steps(made, "system-hugepages").startswith("700 MiB is set aside as huge pages")
        assert helped(made, "system-hugepages") == ["Setting aside less than 700 MiB as huge pages."]
        assert steps(system_report(None), "system-hugepages").startswith("Memory is set aside")

    def test_locked(self):
        assert "VmLck" in commands(system_report(None), "system-unevictable")[0]

    def test_unknown(self):
        unexplained = system_report(node_facts(1000, active_anon=100))
        assert "no counter shows" in steps(unexplained, "system-unknown")
        assert "Keep the whole report" in steps(system_report(None), "system-unknown")
        assert "Keep the whole report" in steps(
            system_report(node_facts(1000, active_file=900)), "system-unknown"
        )

    def test_fragments(self):
        made = system_report(node_facts(zones=[zone("Normal", 100, 16), zone("Movable", 900, 8)]))
        assert commands(made, "fragmentation") == [
            "echo 1 > /proc/sys/vm/compact_memory",
            f"sysctl -w vm.min_free_kbytes={24 * 1024 * 2}",
        ]
        assert helped(made, "fragmentation")[0].startswith("A free piece of 4.00 KiB")
        assert commands(system_report(None), "fragmentation")[1] == "sysctl -w vm.min_free_kbytes=0"

    @pytest.mark.parametrize(
        ("zones", "command"),
        [
            ([zone("Normal", 4), zone("HighMem", 900)], "uname -m"),
            ([zone("Normal", 4), zone("Movable", 900)], "cat /proc/cmdline"),
            ([zone("Normal", 200, free_cma_bytes=190 * MIB)], "grep -i cma /proc/meminfo"),
        ],
    )
    def test_low_zone(self, zones, command):
        assert commands(system_report(node_facts(2048, zones=zones)), "low-zone") == [command]

    @pytest.mark.parametrize(
        ("fields", "last"),
        [
            ({"scope": "mempolicy"}, None),
            ({"scope": "cpuset"}, None),
            ({"scope": "cpuset", "cpuset": "/"}, None),
            ({"scope": "cpuset", "cpuset": f"docker-{ID}.scope"}, None),
            (
                {"scope": "cpuset", "cpuset": "db.service"},
                "systemctl set-property db.service AllowedMemoryNodes=",
            ),
        ],
    )
    def test_nodes(self, fields, last):
        assert commands(report(**fields), "numa-bound") == ["numactl --hardware", last]

    def test_by_hand(self):
        assert commands(system_report(None, manual=True), "manual") == [
            "journalctl -k -g sysrq",
            "sysctl -w kernel.sysrq=16",
        ]
        assert commands(system_report(None), "manual") == ["bpftool prog show"]

    def test_nobody_to_kill(self):
        assert commands(system_report(None, task(2, 1, -1000)), "no-victim") == [
            "grep -lx -e -1000 /proc/[0-9]*/oom_score_adj"
        ]
        early = system_report(None, table_columns=("pid",), victims=())
        assert commands(early, "no-victim") == [None]
        assert "No process existed yet" in steps(early, "no-victim")
        assert "exempt" in steps(system_report(None, victims=()), "no-victim")

    def test_nobody_to_kill_although_some_are_not_exempt(self):
        made = system_report(node_facts(1000, active_anon=9), task(2, 1), victims=(), no_killable=True)
        assert "no counter shows" in steps(made, "no-victim")

    def test_by_mistake(self):
        assert "(this was 5.4)" in steps(
            system_report(None, host=facts(report()).report.host.__class__(kernel="5.4")), "spurious"
        )
        assert "(this was" not in steps(system_report(None), "spurious")

    def test_unknown_has_no_advice(self):
        assert commands(report(), "unknown") == []
        assert helped(report(marks=marks(("header", 1, "x"))), "unknown") == []

    def test_pages_of_a_mib(self):
        assert PAGES == 256
