"""What a guard remembers with, opened: the ledger, the flight recorder and the incidents of one directory.

Without a ledger there is no guard, since nobody could say afterwards what it did. A disk without room for the
rest is no reason not to guard. Opening them waits for the disk; from then on the writer's thread does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from memwarden.daemon import incidents, ledger, recorder
from memwarden.daemon.memory import Keeper
from memwarden.errors import InputError
from memwarden.host import kmsg, own_files
from memwarden.host.journal import boot_id
from memwarden.host.journald import Journald
from memwarden.host.writer import Writer

if TYPE_CHECKING:
    from memwarden.daemon.options import Options
    from memwarden.host.clock import Clock

Kind = TypeVar("Kind", bound=Keeper)


def keeper(options: Options, clock: Clock, kind: type[Kind]) -> Kind:
    """Everything by the options; raises :class:`InputError` where decisions cannot be kept."""
    boot = boot_id(options.proc)
    state_fd = own_files.own_directory(options.state, purpose="decisions")
    troubles = []
    kmsg_fd = None
    if options.kmsg:
        try:
            kmsg_fd = kmsg.open_to_write()
        except OSError as error:
            troubles.append(f"{kmsg.PATH}: cannot be written: {error.strerror}")
    try:
        lines = own_files.Lines(state_fd, ledger.NAME)
    except OSError as error:
        raise InputError(f"{options.state}/{ledger.NAME}: cannot be written: {error.strerror}") from None
    writer = Writer(options.state, clock)
    written = ledger.Ledger(
        boot=boot,
        writer=writer,
        lines=lines,
        journald=Journald(),
        kmsg_fd=kmsg_fd,
    )
    flight = kept = None
    try:
        blocks = own_files.Blocks(state_fd, recorder.NAME, size=recorder.SIZE)
        flight = recorder.Recorder(blocks, writer)
        folders = own_files.Folders(state_fd, incidents.NAME, most=incidents.MOST)
        kept = incidents.Incidents(folders, flight.latest, writer, boot=boot)
    except OSError as error:
        troubles.append(f"{options.state}: no flight recorder: {error.strerror}")
    found = kind(clock=clock, writer=writer, ledger=written, recorder=flight, incidents=kept)
    for sentence in troubles:
        found.trouble(sentence)
    return found
