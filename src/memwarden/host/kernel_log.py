"""The kernel log of this machine as chunks of bytes: from the kernel itself, or from systemd's journal."""

from __future__ import annotations

import os
import select
import subprocess
from typing import TYPE_CHECKING

from memwarden.errors import InputError, UnsupportedError
from memwarden.host import kmsg
from memwarden.host.logs import CHUNK, Log

if TYPE_CHECKING:
    from collections.abc import Iterator


def live(*, follow: bool = False) -> Log:
    """What the kernel's ring buffer holds; with ``follow`` also what comes, without end.

    Raises :class:`UnsupportedError` where it may not be read.
    """
    notes: list[str] = []
    try:
        log = kmsg.Kmsg()
    except OSError as error:
        return _from_syslog(error)
    return Log("the kernel log", _records(log, notes, follow=follow), notes)


def _records(log: kmsg.Kmsg, notes: list[str], *, follow: bool) -> Iterator[bytes]:
    poll = select.poll()
    poll.register(log.fileno(), select.POLLIN)
    try:
        yield from log.records()
        while follow and not log.ended:
            poll.poll()
            yield from log.records()
    except OSError as error:
        raise InputError(f"the kernel log cannot be read: {error.strerror}") from error
    finally:
        if log.lost:
            notes.append(f"the kernel log: {log.lost} records were overwritten before they could be read")
        log.close()


def _from_syslog(refused: OSError) -> Log:
    try:
        text = kmsg.syslog()
    except OSError:
        raise UnsupportedError(
            f"the kernel log may not be read here ({kmsg.PATH}: {refused.strerror}); try with sudo, "
            "or give a file: memwarden explain /var/log/kern.log"
        ) from refused
    note = f"{kmsg.PATH} cannot be opened ({refused.strerror}); the kernel log was read by syslog(2)"
    return Log("the kernel log", iter((text,)), [note])


def journal(*options: str, program: str = "journalctl") -> Log:
    """The kernel's messages of this boot in systemd's journal, in the export format.

    ``options`` are passed on (``--boot=-1``, ``--directory=DIR``). Raises :class:`UnsupportedError` where
    there is no journalctl; :class:`InputError`, while it is read, when it fails before it gave anything.
    """
    words = [program, "-k", "-o", "export", "--no-pager", *options]
    complaints = os.memfd_create("journalctl")  # a pipe could fill up while nobody reads it
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints)
    except OSError as error:
        os.close(complaints)
        raise UnsupportedError(
            f"{program} cannot be run here ({error.strerror}); give a log file, or use --live"
        ) from error
    notes: list[str] = []
    return Log("the journal", _output(process, complaints, notes), notes)


def _output(process: subprocess.Popen[bytes], complaints: int, notes: list[str]) -> Iterator[bytes]:
    assert process.stdout is not None
    given = False
    try:
        while chunk := os.read(process.stdout.fileno(), CHUNK):
            given = True
            yield chunk
        if process.wait() != 0:
            said = os.pread(complaints, CHUNK, 0).decode("utf-8", "replace").strip().partition("\n")[0]
            sentence = f"journalctl failed with exit code {process.returncode}" + (
                f": {said}" if said else ""
            )
            if not given:
                raise InputError(f"{sentence}; give a log file, or read the ring buffer with --live")
            notes.append(f"{sentence}; what it printed before was read")
    finally:
        process.stdout.close()
        process.kill()  # nothing, if it has ended
        process.wait()
        os.close(complaints)
