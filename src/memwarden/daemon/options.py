"""How a guard is started. The verb fills this in; the process reads it back from its one argument."""

from typing import Final, NamedTuple

from memwarden.host import plain_json

STATE: Final = "/var/lib/memwarden"
RUN: Final = "/run/memwarden"


class Options(NamedTuple):
    """``policy``: a file or folder, ``None`` for what is installed or built in.

    ``dry_run`` decides and does nothing, ``observe`` looks and records and decides nothing, ``once`` looks
    for one turn and ends. ``state`` outlives the boot, ``run`` does not.
    """

    policy: str | None = None
    bug_compatible: bool = False
    proc: str = "/proc"
    cgroup_root: str | None = None
    state: str = STATE
    run: str = RUN
    dry_run: bool = False
    observe: bool = False
    once: bool = False
    kmsg: bool = False
    allow_panic: bool = False


def pack(options: Options) -> str:
    """As one word of a command line."""
    return plain_json.dumps(options._asdict())


def unpack(word: str) -> Options:
    """What :func:`pack` made."""
    return Options(**plain_json.loads(word))
