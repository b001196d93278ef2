r"""One record of the kernel log: what one ``read()`` of ``/dev/kmsg`` gives.

::

    6,1042,98203344,-,caller=T4242;Memory cgroup out of memory: Killed process 4242 (a\x0ab) total-vm:81920kB
     SUBSYSTEM=pci
     DEVICE=+pci:0000:00:03.0

Kernel: Documentation/ABI/testing/dev-kmsg, ``kernel/printk/printk.c:msg_add_ext_text``. Priority is
facility times 8 plus level. Bytes that are not printable ASCII, and the backslash, are printed as ``\xNN``.
Sequence numbers rise by one: a gap is what the ring lost, of which ``read()`` also tells by ``EPIPE``.
"""

from typing import Final, NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned

_HEX: Final = b"0123456789abcdef"


class KmsgRecord(NamedTuple):
    """A record. ``timestamp_us`` is microseconds since boot; ``fields`` are the ``KEY=value`` lines.

    ``continues`` is true for a piece of a line whose earlier pieces are records of their own; ``caller``
    (``T`` thread id or ``C`` CPU) is there where the kernel was built with it.
    """

    facility: int
    level: int
    sequence: int
    timestamp_us: int
    continues: bool
    caller: str | None
    text: str
    fields: dict[str, str]


def parse(text: str, *, path: str = "<kmsg>") -> KmsgRecord:
    """Parse one record; its text is decoded as UTF-8, other bytes as surrogates."""
    header, _, rest = text.removesuffix("\n").partition(";")
    message, *lines = rest.split("\n")
    try:
        priority, sequence, timestamp, flags, *extra = header.split(",")
        return KmsgRecord(
            facility=unsigned(priority) >> 3,
            level=unsigned(priority) & 7,
            sequence=unsigned(sequence),
            timestamp_us=unsigned(timestamp),
            continues="c" in flags,
            caller=next((tag[7:] for tag in extra if tag.startswith("caller=")), None),
            text=unescape(message),
            fields=dict([_field(line) for line in lines]),
        )
    except ValueError:
        raise ParseError(path, text, "not 'priority,sequence,time,flags;text'") from None


def lost_between(earlier: KmsgRecord, later: KmsgRecord) -> int:
    """How many records the ring overwrote between two that were read one after the other."""
    return later.sequence - earlier.sequence - 1


def unescape(text: str) -> str:
    r"""Undo ``\xNN``, each one byte; a backslash that this does not follow stays as it is."""
    if "\\x" not in text:
        return text
    first, *parts = text.encode("utf-8", "surrogateescape").split(b"\\x")
    return (first + b"".join([_byte(part) for part in parts])).decode("utf-8", "surrogateescape")


def _byte(part: bytes) -> bytes:
    digits = part[:2]
    if len(digits) == 2 and digits[0] in _HEX and digits[1] in _HEX:
        return bytes([int(digits, 16)]) + part[2:]
    return b"\\x" + part


def _field(line: str) -> tuple[str, str]:
    key, equals, value = line.partition("=")
    if not (equals and key.startswith(" ")):
        raise ValueError(line)
    return key[1:], unescape(value)
