import pytest

from memwarden.state.cgroup import Cgroup, ancestry, parent_path
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.looked import others
from memwarden.state.process import PF_KTHREAD, Process
from memwarden.state.snapshot import Instant, Snapshot
from memwarden.state.traits import Basis, KernelTraits


def cgroup(path, *children, procs=()):
    return Cgroup(path=path, inode=hash(path), procs=procs, children=children)


SNAPSHOT = Snapshot(
    Instant(0),
    cgroups={
        "/": cgroup("/", "/a", "/b", procs=(1,)),
        "/a": cgroup("/a", "/a/x", "/a/gone", procs=(30, 20)),
        "/a/x": cgroup("/a/x", procs=(40, 0, 99)),
        "/b": cgroup("/b", procs=None),
    },
    processes={pid: Process(pid, f"p{pid}", start_time_ticks=pid) for pid in (1, 20, 30, 40)},
)


def test_parents():
    assert [parent_path(path) for path in ("/", "/a", "/a/b")] == [None, "/", "/a"]
    assert ancestry("/") == ("/",)
    assert ancestry("/a/b/c") == ("/a/b/c", "/a/b", "/a", "/")


def test_subtree_is_pre_order_and_leaves_out_what_vanished():
    assert [found.path for found in SNAPSHOT.subtree("/")] == ["/", "/a", "/a/x", "/b"]
    assert [found.path for found in SNAPSHOT.subtree("/a/gone")] == []


def test_ancestors_are_nearest_first():
    assert [found.path for found in SNAPSHOT.ancestors("/a/x")] == ["/a", "/"]
    assert list(SNAPSHOT.ancestors("/")) == []
    # Of a cgroup whose parent could not be read, those that could.
    assert [found.path for found in SNAPSHOT.ancestors("/c/d")] == ["/"]


def test_members_are_in_the_order_in_which_the_kernel_visits_them():
    assert [process.pid for process in SNAPSHOT.members("/")] == [1, 30, 20, 40]
    assert [process.pid for process in SNAPSHOT.members("/b")] == []


@pytest.mark.parametrize(("flags", "kernel"), [(PF_KTHREAD | 0x40, True), (0x400000, False), (None, None)])
def test_kernel_threads(flags, kernel):
    assert Process(2, "kthreadd", 0, flags=flags).is_kernel_thread is kernel


def test_basis_of_a_trait_is_assumed_unless_said():
    traits = KernelTraits(mglru=True, basis={"mglru": Basis.PROBED})
    assert traits.basis_of("mglru") is Basis.PROBED
    assert traits.basis_of("hz") is Basis.ASSUMED


def test_gaps_are_named_as_documents_name_them():
    assert [reason.value for reason in GapReason] == [
        "no-file",
        "not-permitted",
        "not-supported",
        "gone",
        "malformed",
    ]
    assert Gap("/proc/swaps", GapReason.NO_FILE).detail == ""


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (("/", "/a", "/b"), []),
        (("/", "/a", "/b*"), ["/b"]),
        (("/", "/a*", "/b*"), ["/a", "/b"]),
        (("/", "/b", "/c"), ["/c"]),
        (("/b*", "/c", "/"), ["/b", "/c"]),
        ((), []),
    ],
)
def test_others_are_those_that_are_not_the_same_any_more(now, expected):
    before = {path: Cgroup(path, 1) for path in ("/", "/a", "/b")}
    found = {
        path.strip("*"): Cgroup(path.strip("*"), 1) if "*" in path or path not in before else before[path]
        for path in now
    }
    assert others(before, found) == expected
