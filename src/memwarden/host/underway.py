"""Acts that go on by themselves: begun, looked after between other things, and over or given up in time."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, NamedTuple

from memwarden.host.targets import Refused
from memwarden.host.workers import Job, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memwarden.host.programs import Program
    from memwarden.state.intents import Intent


class Done(NamedTuple):
    """An act that is over: the fields of its outcome."""

    done: bool = True
    error: str = ""
    signalled: int = 0
    output: str = ""


class Act:
    """One intent being carried out, by a worker or a program where it takes time.

    ``finish`` is called once when it is over, with true when it was given up instead.
    """

    __slots__ = ("began_us", "finish", "intent", "job", "limit_us", "program", "until_us")

    def __init__(self, intent: Intent, began_us: int, limit_us: int) -> None:
        self.intent = intent
        self.began_us = began_us
        self.limit_us = limit_us
        self.until_us = began_us + limit_us
        self.job: Job | None = None
        self.program: Program | None = None
        self.finish: Callable[[bool], Done] = lambda _late: Done()

    def over(self) -> bool:
        """Whether it has ended by itself."""
        if self.program is not None:
            self.program.collect()
            return bool(ready([self.program.pidfd], 0))
        return self.job is None or self.job.over


class Underway:
    """The acts that have not ended, and the workers that some of them are done by."""

    def __init__(self, workers: int) -> None:
        self._count = workers
        self._workers = Workers(workers)
        self._acts: list[Act] = []

    def __bool__(self) -> bool:
        return bool(self._acts)

    def add(self, act: Act) -> None:
        """Look after it."""
        self._acts.append(act)

    def hand_over(self, act: Act, run: Callable[[Job], None], finish: Callable[[bool], Done]) -> None:
        """Let a worker do it; raises :class:`Refused` where all are busy."""
        act.job = Job(run)
        act.finish = finish
        if not self.start(run, act.job):
            raise Refused(f"{self._count} writes are in the kernel still; this one has to wait for them")

    def start(self, run: Callable[[Job], None], job: Job | None = None) -> bool:
        """Let a worker do something that nobody waits for; false where all are busy."""
        return self._workers.start(job or Job(run))

    def filenos(self) -> list[int]:
        """Descriptors to ``poll`` for POLLIN."""
        found = [self._workers.fileno()]
        for act in self._acts:
            if act.program is not None:
                found += act.program.filenos()
        return found

    def next_us(self) -> int | None:
        """When the first limit is over, on the monotonic clock."""
        return min((act.until_us for act in self._acts), default=None)

    def ended(self, now_us: int) -> list[tuple[Act, Done]]:
        """What has ended or is given up now."""
        self._workers.ended()
        found = []
        for act in list(self._acts):
            over = act.over()
            if over or now_us >= act.until_us:
                self._acts.remove(act)
                found.append((act, _finish(act, late=not over)))
        return found

    def close(self) -> None:
        """Give everything up, and let the workers end."""
        while self._acts:
            _finish(self._acts.pop(), late=True)
        self._workers.close()


def _finish(act: Act, *, late: bool) -> Done:
    if act.job is not None and late:
        act.job.given_up = True
    done = act.finish(late)
    if act.job is not None and act.job.error is not None:
        return Done(False, f"it was not done whole: {act.job.error!r}")
    return done


def ready(fds: Sequence[int], timeout_ms: int) -> list[int]:
    """Descriptors that can be read, or a pidfd whose process has exited, within a time."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(timeout_ms)]
