"""Many simulations over all processors, each kept as soon as it is done."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from memwarden.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memwarden.guard.ir import Policy
    from memwarden.sim.sweep import Point


START = b'["'
"""How every line of the file begins."""


class Job(NamedTuple):
    """One run: its place in the curve, and the scenario as TOML, which any process can read."""

    value: int
    text: str
    toml: str


class Keep:
    """The file that holds what is done, one line a run, by what it was made of."""

    def __init__(self, path: str | None, policy: Policy | None) -> None:
        self._policy = repr(policy)
        self._known: dict[str, dict[str, Any]] = {}
        self._fd: int | None = None if path is None else _appended(path)
        if path is not None and self._fd is not None:
            self._read(path, self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def _read(self, path: str, fd: int) -> None:
        with open(fd, "rb", closefd=False) as file:
            data = file.read()
        whole, _, cut = data.rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
            try:
                key, point = json.loads(line)
            except (ValueError, TypeError) as error:
                raise InputError(f"{path}:{number}: is not of a sweep; name another file") from error
            self._known[key] = point
        if cut and not cut.startswith(START):
            raise InputError(f"{path}: is not of a sweep; name another file")
        if cut:  # the end of a run that was interrupted while it was written; it is run again
            os.ftruncate(fd, len(data) - len(cut))

    def known(self, job: Job) -> Point | None:
        """What this run gave when it was run before."""
        from memwarden.sim.sweep import Point

        found = self._known.get(self._key(job))
        return None if found is None else Point(**{**found, "deaths": tuple(found["deaths"])})

    def add(self, job: Job, point: Point) -> None:
        """Keep a run."""
        if self._fd is not None:
            line = json.dumps([self._key(job), point._asdict()]) + "\n"
            os.write(self._fd, line.encode())

    def _key(self, job: Job) -> str:
        import hashlib

        from memwarden import __version__

        made_of = f"{__version__}\n{self._policy}\n{job.toml}"
        return hashlib.sha256(made_of.encode()).hexdigest()[:24]


def _appended(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o644)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):  # a FIFO would be waited for
        os.close(fd)
        raise InputError(f"{path}: is no ordinary file, and keeps nothing; name another")
    return fd


def many(
    jobs: Sequence[Job], policy: Policy | None, keep: Keep, processes: int | None
) -> Iterator[tuple[int, Point]]:
    """Each job's number and what it gave, as they end; those that are known come first."""
    waiting = []
    for number, job in enumerate(jobs):
        known = keep.known(job)
        if known is None:
            waiting.append(number)
        else:
            yield number, known
    said = Said(len(jobs), len(jobs) - len(waiting))
    count = min(processes or os.cpu_count() or 1, len(waiting))
    try:
        for number, point in _run(jobs, waiting, policy, count):
            keep.add(jobs[number], point)
            said.one()
            yield number, point
    finally:
        said.end()


def _run(
    jobs: Sequence[Job], waiting: Sequence[int], policy: Policy | None, count: int
) -> Iterator[tuple[int, Point]]:
    if count <= 1:
        for number in waiting:
            yield number, one(jobs[number], policy)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed

    with ProcessPoolExecutor(count, initializer=_quiet) as pool:
        futures = {pool.submit(one, jobs[number], policy): number for number in waiting}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:  # an interrupt, or who reads this goes away: nobody waits for what still runs
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _quiet() -> None:
    """In a process of the pool: an interrupt is for who started us, who tells us to stop, or is gone."""
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_outlived, daemon=True).start()


def _outlived() -> None:
    """End with who started us, though that was killed: nobody would ever tell us to stop."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def one(job: Job, policy: Policy | None) -> Point:
    """Run one; in a process of its own, mostly."""
    from memwarden.cli.inside import Inside
    from memwarden.sim.run import simulate
    from memwarden.sim.summary import summary
    from memwarden.sim.sweep import point
    from memwarden.sim.words.load import load
    from memwarden.words.document import Text

    scenario = load(Text("<job>", job.toml), name="job").scenario
    assert scenario is not None
    guard = None if policy is None else Inside(policy)
    return point(job.value, job.text, summary(simulate(scenario, guard)))


class Said:
    """Progress on standard error, where somebody looks at it."""

    def __init__(self, whole: int, known: int) -> None:
        self._whole, self._done, self._known = whole, known, known
        self._begin = time.monotonic()
        self._shown = sys.stderr.isatty()

    def one(self) -> None:
        """One more is done."""
        self._done += 1
        if self._shown:
            rate = (self._done - self._known) / max(time.monotonic() - self._begin, 1e-6)
            left = (self._whole - self._done) / rate
            sys.stderr.write(f"\r\x1b[K{self._done} of {self._whole} simulated, {left:.0f} s left")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
