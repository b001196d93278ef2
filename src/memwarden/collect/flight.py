"""Flight records: beats and looks of a guard as a few bytes each, and back as snapshots.

A *key* says everything anew; a *look* after it only which figures differ from the one before, and by how
much. So a ring of them can be read from any key on. Numbers are varints: seven bits a byte, the lowest first,
signs in the lowest bit. A figure is 0 for what was not read, 1 for ``max``, else its difference and 2; the
difference is in pages of 4 KiB where its second lowest bit is set, for most are whole pages.
"""

from __future__ import annotations

from itertools import compress
from operator import ne
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from memwarden.collect import flight_columns as columns
from memwarden.collect.woken import Woken
from memwarden.host import plain_json
from memwarden.state.cgroup import parent_path
from memwarden.state.looked import others
from memwarden.state.snapshot import CgroupMode, HostFacts, Instant, Snapshot
from memwarden.state.traits import KernelTraits
from memwarden.units import MAX, Max

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from memwarden.collect.flight_columns import Row, Value
    from memwarden.state.cgroup import Cgroup

KEY: Final = 1
LOOK: Final = 2
WOKEN: Final = 3
LONGEST_TEXT: Final = 200


class _Known:
    """A cgroup as the last record had it."""

    __slots__ = ("inode", "number", "path", "row", "version")

    def __init__(self, number: int, path: str, inode: int, version: int) -> None:
        self.number = number
        self.path = path
        self.inode = inode
        self.version = version
        self.row: Row = (None,) * columns.CGROUP_WIDTH


class Encoder:
    """Makes records. A key is made first, and again when ``key_every`` bytes were made since the last."""

    def __init__(self, key_every: int = 1 << 19) -> None:
        self._key_every = key_every
        self._since_key: int | None = None
        self._key_size = 0
        self._cgroups: dict[str, _Known] = {}
        self._present: Mapping[str, Cgroup] = {}
        """Those of the snapshot before; the rows are of these."""
        self._machine: Row = ()
        self._next = 0

    def woken(self, one: Woken) -> bytes:
        """The record of a wake-up."""
        out = bytearray((WOKEN, one.signalled))
        for value in (one.now_us, one.total_bytes, one.available_bytes, one.swap_free_bytes, one.late_us):
            _put(out, value)
        for stalled in (one.full_us, one.some_us):
            _put(out, 0 if stalled is None else stalled + 1)
        _put_text(out, one.alarm[:LONGEST_TEXT])
        return self._made(out)

    def look(self, snapshot: Snapshot) -> bytes:
        """The record of a snapshot."""
        is_key = self._since_key is None or self._since_key > max(self._key_every, 8 * self._key_size)
        out = bytearray((KEY if is_key else LOOK,))
        _put(out, snapshot.instant.monotonic_us)
        _put(out, 0 if snapshot.instant.wall_us is None else snapshot.instant.wall_us + 1)
        if is_key:
            self._cgroups, self._present, self._next = {}, {}, 0
            self._machine = (None,) * columns.MACHINE_WIDTH
            _put_text(out, plain_json.dumps(_facts(snapshot)))
        row = columns.machine_row_of(snapshot)
        _put_row(out, self._machine, row)
        self._machine = row
        self._put_cgroups(out, snapshot)
        if is_key:
            self._since_key, self._key_size = 0, len(out)
        return self._made(out)

    def _made(self, out: bytearray) -> bytes:
        if self._since_key is not None:
            self._since_key += len(out)
        return bytes(out)

    def _put_cgroups(self, out: bytearray, snapshot: Snapshot) -> None:
        known, present = self._cgroups, snapshot.cgroups
        changed = others(self._present, present)
        self._present = present
        gone = [known[path] for path in changed if path in known and present[path].inode != known[path].inode]
        fresh = [present[path] for path in changed if path not in known] + [present[one.path] for one in gone]
        if len(known) - len(gone) + len(fresh) != len(present):  # who is not there any more is no change
            gone += [one for path, one in known.items() if path not in present]
        _put(out, len(gone))
        for one in gone:
            _put(out, one.number)
            del known[one.path]
        _put(out, len(fresh))
        for cgroup in fresh:
            _put_text(out, cgroup.path)
            _put(out, cgroup.inode)
            _put(out, cgroup.version)
            known[cgroup.path] = _Known(self._next, cgroup.path, cgroup.inode, cgroup.version)
            self._next += 1
        for path in changed:
            one, row = known[path], columns.row_of(present[path])
            if row != one.row:
                _put(out, one.number + 1)
                _put_row(out, one.row, row)
                one.row = row
        out.append(0)


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "host": snapshot.host._asdict(),
        "mode": snapshot.cgroup_mode.value,
        "root": snapshot.cgroup_root,
        "options": snapshot.mount_options,
        "page_size": snapshot.traits.page_size_bytes,
        "sysctl": dict(snapshot.sysctl),
    }


def _put(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _put_text(out: bytearray, text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    _put(out, len(data))
    out += data


def _put_row(out: bytearray, before: Row, now: Row) -> None:
    last = -1
    append = out.append
    for at in compress(range(len(now)), map(ne, now, before)):
        value, old = now[at], before[at]
        append(at - last)
        last = at
        if value is None:
            append(0)
            continue
        if type(value) is int and type(old) is int:
            rise = value - old
        elif isinstance(value, Max):
            append(1)
            continue
        else:
            rise = _integer(value) - _integer(old)
        # Inlined, since this is most of the work.
        code = (rise >> 10 | 2 if rise & 4095 == 0 else rise << 2) if rise >= 0 else _negative(rise)
        code += 2
        while code > 0x7F:
            append(code & 0x7F | 0x80)
            code >>= 7
        append(code)
    append(0)


def _negative(rise: int) -> int:
    return -rise >> 10 | 3 if rise & 4095 == 0 else -rise << 2 | 1


def _integer(value: Value) -> int:
    """A figure as an integer; 0 for what differences cannot build on."""
    return 0 if value is None or isinstance(value, Max) else int(value)


class Decoder:
    """Reads records in order. ``skipped`` counts those that could not be read, or had no key before them."""

    def __init__(self) -> None:
        self.skipped = 0
        self._facts: dict[str, Any] | None = None
        self._machine: list[Value] = []
        self._cgroups: dict[int, _Known] = {}
        self._next = 0

    def read(self, records: Iterable[bytes | None]) -> Iterator[Snapshot | Woken]:
        """What the records say; ``None`` among them is a gap, after which a key is waited for."""
        for record in records:
            if record is None:
                self._facts = None
                continue
            try:
                found = self._one(_Bytes(record))
            except (IndexError, ValueError, TypeError, KeyError, OverflowError, AttributeError):
                found, self._facts = None, None
            if found is None:
                self.skipped += 1
            else:
                yield found

    def _one(self, data: _Bytes) -> Snapshot | Woken | None:
        kind = data.byte()
        if kind == WOKEN:
            return _woken(data)
        instant = Instant(data.number(), data.number() - 1)
        if instant.wall_us == -1:
            instant = Instant(instant.monotonic_us)
        if kind == KEY:
            self._facts = _checked(plain_json.loads(data.text()))
            self._cgroups, self._next = {}, 0
            self._machine = [None] * columns.MACHINE_WIDTH
        elif kind != LOOK or self._facts is None:
            return None
        assert self._facts is not None
        data.row(self._machine)
        self._read_cgroups(data)
        return self._snapshot(instant, self._facts)

    def _read_cgroups(self, data: _Bytes) -> None:
        for _ in range(data.number()):
            del self._cgroups[data.number()]
        for _ in range(data.number()):
            path, inode, version = data.text(), data.number(), data.number()
            self._cgroups[self._next] = _Known(self._next, path, inode, version)
            self._next += 1
        while number := data.number():
            one = self._cgroups[number - 1]
            row = list(one.row)
            data.row(row)
            one.row = tuple(row)

    def _snapshot(self, instant: Instant, facts: dict[str, Any]) -> Snapshot:
        children: dict[str, list[str]] = {}
        for one in self._cgroups.values():
            children.setdefault(parent_path(one.path) or "", []).append(one.path)
        found = {
            one.path: columns.cgroup_of(
                one.path, one.inode, one.version, one.row, tuple(sorted(children.get(one.path, ())))
            )
            for one in self._cgroups.values()
        }
        return Snapshot(
            instant=instant,
            host=facts["host"],
            traits=KernelTraits(page_size_bytes=facts["page_size"]),
            cgroup_mode=CgroupMode(facts["mode"]),
            cgroup_root=facts["root"],
            mount_options=tuple(facts["options"]),
            sysctl=MappingProxyType(facts["sysctl"]),
            cgroups=MappingProxyType(found),
            **columns.machine_of(tuple(self._machine)),
        )


class _Bytes:
    """A record being read; ``IndexError`` at its end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def number(self) -> int:
        found = shift = 0
        while (byte := self.byte()) > 0x7F:
            found |= (byte & 0x7F) << shift
            shift += 7
        return found | byte << shift

    def text(self) -> str:
        length = self.number()
        data = self._data[self._at : self._at + length]
        if len(data) < length:
            raise IndexError(length)
        self._at += length
        return data.decode("utf-8", "surrogateescape")

    def row(self, row: list[Value]) -> None:
        """Change a row by what is written."""
        at = -1
        while gap := self.byte():
            at += gap
            code = self.number()
            if code < 2:
                row[at] = MAX if code else None
                continue
            code -= 2
            rise = code >> 2 << 12 if code & 2 else code >> 2
            row[at] = _integer(row[at]) + (-rise if code & 1 else rise)


def _checked(facts: Any) -> dict[str, Any]:
    """The facts of a key; raises ``TypeError`` or ``KeyError`` where they are of other types than ours."""
    host = HostFacts(**facts["host"])
    for value, kind in (
        (facts["root"], str),
        (facts["page_size"], int),
        *((one, str) for one in facts["options"]),
        *((one, int) for one in facts["sysctl"].values()),
        *((one, int if name in ("cpus", "clock_ticks") else str) for name, one in host._asdict().items()),
    ):
        if value is not None and not isinstance(value, kind):
            raise TypeError(value)
    return {**facts, "host": host}


def _woken(data: _Bytes) -> Woken:
    signalled = bool(data.byte())
    now, total, available, swap_free, late = (data.number() for _ in range(5))
    full, some = (data.number() - 1 for _ in range(2))
    return Woken(
        now,
        total,
        available,
        swap_free,
        None if full < 0 else full,
        None if some < 0 else some,
        late,
        signalled,
        data.text(),
    )
