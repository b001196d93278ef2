r"""Names of systemd units in a cgroup path.

systemd gives every unit a directory whose name is the unit's name, with one leading ``_`` where the
name would collide with a file of the kernel's (systemd ``src/basic/cgroup-util.c:cg_escape``). The
backslash escapes of a unit name (``app\x2dweb.service``) are part of the name that ``systemctl``
takes, so ``name`` keeps them and ``title`` is for people.
"""

import re
from typing import Final, NamedTuple

_SUFFIXES: Final = "automount|device|mount|path|scope|service|slice|socket|swap|target|timer"
_NAME: Final = re.compile(rf"[A-Za-z0-9:_.\\@-]+\.(?:{_SUFFIXES})")
_ESCAPES: Final = re.compile(r"(?:\\x[0-9a-f]{2})+")
_USER_MANAGER: Final = re.compile(r"user@(\d+)\.service")


class Unit(NamedTuple):
    """A unit as a directory names it. ``template`` and ``instance`` are set for ``name@instance.type``."""

    name: str
    title: str
    template: str | None
    instance: str | None

    @property
    def is_slice(self) -> bool:
        """Whether the unit only groups other units."""
        return self.name.endswith(".slice")

    @property
    def user_manager_uid(self) -> int | None:
        """The user whose service manager this unit is (``user@UID.service``), else ``None``."""
        match = _USER_MANAGER.fullmatch(self.name)
        return int(match[1]) if match else None


def parse_unit(component: str) -> Unit | None:
    """Read one component of a cgroup path as a unit name; ``None`` when it is not one.

    >>> parse_unit("getty@tty1.service")
    Unit(name='getty@tty1.service', title='getty@tty1.service', template='getty@.service', instance='tty1')
    >>> parse_unit("payload") is None
    True
    """
    name = component.removeprefix("_")
    if not _NAME.fullmatch(name):
        return None
    stem, _, suffix = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    template = f"{prefix}@.{suffix}" if at else None
    return Unit(name, unescape(name), template, unescape(instance) if instance else None)


def unescape(text: str) -> str:
    r"""Undo systemd's ``\xNN``, one byte of UTF-8 each (``src/basic/unit-name.c:do_unescape_char``).

    >>> unescape(r"caf\xc3\xa9\x2dbar")
    'café-bar'
    """
    return _ESCAPES.sub(_decode, text)


def _decode(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace(r"\x", "")).decode("utf-8", "backslashreplace")
