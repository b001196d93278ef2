"""Whose a cgroup's directory is, and what its extended attributes ask an OOM daemon to do.

::

    uid 0
    user.oomd_avoid 1

No file has this text: it is ``st_uid`` of the directory and, one a line with their values, those extended
attributes that systemd-oomd (``src/oom/oomd-util.c:oomd_fetch_cgroup_oom_preference``) and oomd
(``src/oomd/util/Fs.cpp:readKillPreferenceAt``) look at. systemd wants a true boolean as value, oomd looks
only whether the attribute is there. Kernel: ``fs/kernfs/inode.c:kernfs_iop_listxattr``.
"""

from typing import Final, NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned

FILE: Final = "@marks"
"""What it is called among the files of a cgroup; no file of a cgroup begins like this."""
ATTRIBUTES: Final = (
    "trusted.oomd_avoid",
    "trusted.oomd_prefer",
    "user.oomd_avoid",
    "user.oomd_omit",
    "user.oomd_prefer",
)
UNTRUE: Final = "="
"""Stands behind the name of an attribute whose value is not a true boolean."""

_TRUE: Final = frozenset(("1", "yes", "y", "true", "t", "on"))
"""systemd ``src/basic/parse-util.c:parse_boolean``, in any case."""


class Marks(NamedTuple):
    """``names`` are sorted; one whose value is not true ends in ``=``: only oomd heeds it."""

    owner_uid: int
    names: tuple[str, ...]


def parse(text: str, *, path: str = "<marks>") -> Marks:
    """Parse the text; attributes that nobody looks at are ignored."""
    first, _, rest = text.partition("\n")
    key, _, uid = first.partition(" ")
    if key != "uid":
        raise ParseError(path, first, "no 'uid' and the number of a user", line_number=1)
    try:
        owner = unsigned(uid)
    except ValueError:
        raise ParseError(path, first, "no number of a user", line_number=1) from None
    names = []
    for line in rest.splitlines():
        name, _, value = line.partition(" ")
        if name in ATTRIBUTES:
            names.append(name if value.lower() in _TRUE else name + UNTRUE)
    return Marks(owner, tuple(sorted(names)))
