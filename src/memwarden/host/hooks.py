"""Hooks before a kill, and systemctl: programs that run beside the loop and are seen to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.host import programs, undo
from memwarden.host.targets import Refused
from memwarden.host.underway import Done
from memwarden.state.intents import ProcessId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.host.changes import Changes
    from memwarden.host.effects import Hands
    from memwarden.host.targets import Machine
    from memwarden.host.underway import Act
    from memwarden.host.undo import Entry
    from memwarden.state.intents import Restart, RunHook


class Hooks:
    """Starts programs and ends them; whoever is held meanwhile is always released."""

    def __init__(self, machine: Machine, hands: Hands, changes: Changes, *, dry: bool) -> None:
        self._machine = machine
        self._hands = hands
        self._changes = changes
        self._dry = dry
        self._unreaped: list[programs.Program] = []

    def run(self, intent: RunHook, act: Act) -> Done | None:
        """A hook, with its victim held."""
        programs.check_program(intent.argv)
        held: list[Entry] = []
        if isinstance(intent.target, ProcessId):
            with self._machine.process(intent.target) as pidfd:
                if not self._dry:
                    held = self._changes.hold_process(intent, intent.target, pidfd)
        else:
            with self._machine.cgroup(intent.target) as fd:
                self._machine.members(fd, intent.target.path)
                if not self._dry:
                    held = self._changes.hold_group(intent, intent.target, fd)
        if self._dry:
            return Done()
        self._start(act, intent.argv, dict(intent.environment), held)
        return None

    def restart(self, intent: Restart, act: Act) -> Done | None:
        """``systemctl restart --no-block``: systemd does it in its own time."""
        programs.check_unit(intent.unit, self._machine.proc)
        systemctl = programs.find("systemctl")
        if systemctl is None:
            raise Refused(f"{intent.unit}: cannot be restarted without systemctl")
        if self._dry:
            return Done()
        words = (systemctl, "restart", "--no-block", "--", intent.unit)
        self._start(act, words, programs.ENVIRONMENT, [])
        return None

    def _start(self, act: Act, argv: Sequence[str], environment: dict[str, str], held: list[Entry]) -> None:
        try:
            program = self._hands.spawn(argv, environment, act.limit_us)
        except OSError:
            for entry in held:
                self._changes.undo(entry)
            raise
        act.program = program
        running = self._changes.running(program.pid)
        if running is not None:
            held = [*held, running]

        def finish(late: bool) -> Done:
            code = self._hands.end(program)
            if code is None:
                self._unreaped.append(program)
            problems = [programs.sentence(code, act.limit_us, late=late)]
            for entry in held:
                text = self._changes.undo(entry).text
                if entry.kind != undo.HOOK:  # that one is gone, as it should be
                    problems.append(text)
            error = "; ".join(filter(None, problems))
            return Done(code == 0 and not late, f"{argv[0]}: {error}" if error else "", 0, program.text())

        act.finish = finish

    def reap(self, wait_ms: int = 0) -> None:
        """Reap programs that had not died when they were ended: they were in the kernel."""
        self._unreaped = [one for one in self._unreaped if self._hands.reap(one, wait_ms) is None]
