"""What is printed as the kernel prints it comes back as it was."""

from hypothesis import given
from hypothesis import strategies as st

from memwarden.kernel import (
    buddyinfo,
    cgroup_procs,
    kmsg,
    memory_events,
    memory_numa_stat,
    memory_stat,
    mountinfo,
    pid_cgroup,
    pid_oom_score_adj,
    pid_stat,
    pid_statm,
    pid_status,
    psi,
    scalar,
    v1_limit,
)
from memwarden.testing.strategies import cgroup_names, comms, counts
from memwarden.units import MAX

# Bytes that fs/seq_file.c:mangle_path escapes in mountinfo; all other characters stand as they are.
MANGLED = " \t\n\\"


def flat(figures):
    return "".join(f"{key} {value}\n" for key, value in figures.items())


def mangled(path):
    return "".join(f"\\{ord(char):03o}" if char in MANGLED else char for char in path)


@given(st.dictionaries(st.sampled_from(sorted(memory_stat.KEYS)), counts(), min_size=1))
def test_memory_stat(figures):
    assert memory_stat.parse(flat(figures)) == figures


@given(
    st.dictionaries(st.sampled_from(sorted(memory_events.KEYS)), counts(), min_size=1),
    st.text("abz_", min_size=9),
)
def test_memory_events_with_a_key_of_a_later_kernel(figures, later):
    assert memory_events.parse(flat(figures) + f"{later} 1\n") == figures


@given(
    st.sets(st.sampled_from(sorted(memory_stat.KEYS)), min_size=1),
    st.lists(st.integers(0, 1023), min_size=1, max_size=4, unique=True),
    st.data(),
)
def test_memory_numa_stat(keys, nodes, data):
    stat = {node: {key: data.draw(counts()) for key in sorted(keys)} for node in nodes}
    lines = [
        " ".join([key, *(f"N{node}={stat[node][key]}" for node in nodes)]) + "\n" for key in sorted(keys)
    ]
    assert memory_numa_stat.parse("".join(lines)) == stat


@given(st.one_of(counts(), st.just(MAX)))
def test_limits(limit):
    assert scalar.parse(f"{limit}\n") == limit


@given(st.integers(0, 2**62))
def test_v1_limits_below_unlimited(limit):
    parsed = v1_limit.parse(f"{limit}\n")
    assert parsed == limit or (parsed is MAX and limit in v1_limit.UNLIMITED_32_BIT)


@given(st.lists(st.integers(0, 2**22)))
def test_procs(pids):
    assert cgroup_procs.parse("".join(f"{pid}\n" for pid in pids)) == tuple(pids)


@given(st.lists(st.integers(0, 10000), min_size=3, max_size=3), counts())
def test_pressure(hundredths, total):
    shares = [f"{value // 100}.{value % 100:02}" for value in hundredths]
    line = "some avg10={} avg60={} avg300={} total={}\n".format(*shares, total)
    parsed = psi.parse(line).some
    assert [round(share * 100) for share in parsed[:3]] == hundredths
    assert parsed.total_us == total


@given(comms(), st.integers(1, 2**22), counts())
def test_stat(comm, pid, start):
    parsed = pid_stat.parse(f"{pid} ({comm}) R 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 {start} 4096 1 2 3\n")
    assert (parsed.pid, parsed.comm, parsed.state, parsed.start_time_ticks) == (pid, comm, "R", start)


@given(comms(), st.integers(0, 2**53))
def test_status(comm, rss):
    escaped = comm.replace("\\", "\\\\").replace("\n", "\\n")
    parsed = pid_status.parse(
        f"Name:\t{escaped}\nState:\tR (running)\nTgid:\t7\nPid:\t7\nPPid:\t1\nUid:\t0\t0\t0\t0\n"
        f"VmRSS:\t{rss:8} kB\nThreads:\t1\n"
    )
    assert (parsed.name, parsed.state, parsed.rss_bytes) == (comm, "R", rss * 1024)


@given(st.lists(st.integers(0, 2**40), min_size=7, max_size=7), st.sampled_from([4096, 16384, 65536]))
def test_statm(pages, page):
    size, resident, shared, text, _, data, _ = [count * page for count in pages]
    printed = " ".join(map(str, pages)) + "\n"
    assert pid_statm.parse(printed, page_size=page) == (size, resident, shared, text, data)


@given(st.integers(-1000, 1000))
def test_oom_score_adj(value):
    assert pid_oom_score_adj.parse(f"{value}\n") == value


@given(st.lists(cgroup_names(), max_size=4), st.booleans())
def test_cgroup(names, gone):
    path = "/" + "/".join(names)
    (membership,) = pid_cgroup.parse(f"0::{path}{' (deleted)' if gone else ''}\n")
    # A name that ends so cannot be told from a cgroup that is gone: the one ambiguity of the file.
    assert membership.path == (path if gone else path.removesuffix(" (deleted)"))
    assert membership.deleted == (gone or path.endswith(" (deleted)"))


@given(st.lists(cgroup_names(), max_size=4), st.lists(cgroup_names(), max_size=4))
def test_mountinfo(root, point):
    root, point = "/" + "/".join(root), "/" + "/".join(point)
    line = f"31 24 0:27 {mangled(root)} {mangled(point)} rw shared:9 - cgroup2 cgroup2 rw\n"
    (mount,) = mountinfo.parse(line)
    assert (mount.root, mount.mount_point) == (root, point)


@given(st.binary(max_size=60), counts(), counts(), st.integers(0, 191))
def test_kmsg(message, sequence, microseconds, priority):
    # kernel/printk/printk.c:msg_add_ext_text
    text = "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in message)
    parsed = kmsg.parse(f"{priority},{sequence},{microseconds},-;{text}\n")
    assert parsed.text.encode("utf-8", "surrogateescape") == message
    assert (parsed.sequence, parsed.timestamp_us) == (sequence, microseconds)
    assert parsed.facility * 8 + parsed.level == priority


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=11))
def test_buddyinfo_adds_up(blocks):
    (zone,) = buddyinfo.parse("Node 0, zone   Normal " + "".join(f"{count:6} " for count in blocks) + "\n")
    assert zone.free_blocks == tuple(blocks)
    assert zone.free_pages() == zone.free_pages(1) + blocks[0]
