"""What ``rank`` says of each candidate: one record per process, its fields named by the registry."""

from typing import NamedTuple

from memwarden.rules.freed import freed_by
from memwarden.rules.victim import Candidate, Ranking
from memwarden.state.snapshot import Snapshot
from memwarden.state.traits import BadnessRule


class RankRow(NamedTuple):
    """One process. Names, units and meanings are those of :data:`memwarden.fields.RANK`."""

    pid: int
    comm: str
    uid: int | None
    cgroup: str | None
    points: int
    badness_bytes: int | None
    rss_bytes: int
    swap_bytes: int | None
    pgtables_bytes: int | None
    adj_bytes: int
    root_bonus_bytes: int
    oom_score_adj: int
    oom_score: int | None
    frees_bytes: int | None
    frees_swap_bytes: int | None


def rows(snapshot: Snapshot, ranking: Ranking) -> list[RankRow]:
    """The candidates of a ranking in its order."""
    return [row(snapshot, candidate) for candidate in ranking.candidates]


def row(snapshot: Snapshot, candidate: Candidate) -> RankRow:
    """One candidate, pages turned into bytes."""
    page = snapshot.traits.page_size_bytes
    process, badness = candidate.process, candidate.badness
    in_pages = snapshot.traits.badness is not BadnessRule.PERMILLE
    freed = freed_by(process)
    return RankRow(
        pid=process.pid,
        comm=process.comm,
        uid=process.uid,
        cgroup=process.cgroup,
        points=badness.points,
        badness_bytes=badness.points * page if in_pages else None,
        rss_bytes=badness.rss_pages * page,
        swap_bytes=_bytes(badness.swap_pages, page),
        pgtables_bytes=_bytes(badness.pgtables_pages, page),
        adj_bytes=badness.adj_pages * page,
        root_bonus_bytes=badness.root_bonus_pages * page,
        oom_score_adj=badness.oom_score_adj,
        oom_score=process.oom_score,
        frees_bytes=freed.memory_bytes,
        frees_swap_bytes=freed.swap_bytes,
    )


def _bytes(pages: int | None, page_size_bytes: int) -> int | None:
    return None if pages is None else pages * page_size_bytes
