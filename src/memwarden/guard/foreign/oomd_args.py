"""Arguments of oomd's plugins: which there are, which are required, and how oomd reads each.

The tables follow ``src/oomd/plugins`` and ``util/{PluginArgParser,Util}.cpp`` of oomd at 88c28fd. Numbers are
read from the front and what follows is not looked at, as the C++ library does it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from memwarden.errors import InputError
from memwarden.guard.foreign.c_numbers import floating, integer, stof, stoi, stoll, stoull
from memwarden.guard.foreign.words import PERCENT_PPM, instead, refused, shown
from memwarden.guard.ir import Amount
from memwarden.units import GIB, KIB, MIB

Args = Mapping[str, Any]
"""Values by argument; what was not given is not there."""


class Plugin(NamedTuple):
    """A plugin as it stands in the file; ``args`` are texts, whatever they were."""

    name: str
    args: dict[str, str]
    line: int


Reader = Callable[[str], Any]


class _Arg(NamedTuple):
    read: Reader
    required: bool = False


def _unsigned(text: str) -> int:
    number = stoi(text)
    if number < 0:
        raise ValueError("it must not be negative")
    return number


def _percentile(text: str) -> int:
    number = stoi(text)
    if not 0 <= number < 100:
        raise ValueError("it must be at least 0 and below 100")
    return number


def _boolean(text: str) -> bool:
    if text in {"true", "True", "1"}:
        return True
    if text in {"false", "False", "0"}:
        return False
    raise ValueError("it must be true, True, 1, false, False or 0")


def _resource(text: str) -> str:
    if text in {"io", "memory"}:
        return text
    raise ValueError("it must be io or memory")


def _double(text: str) -> float:
    return floating(text)[0]


def _growth_ratio(text: str) -> float:
    number = stof(text)
    if number < 0:
        raise ValueError("it must not be negative")
    return number


_UNITS: Final = {"k": KIB, "m": MIB, "g": GIB, "t": 1 << 40, "": 1}


def size(text: str) -> int:
    """Bytes of ``1.5M 32K 512``: parts with a unit each are added up, the last may be bytes.

    >>> size("1.5M 32K 512"), size("-1G")
    (1606144, -1073741824)
    """
    packed = "".join(text.lower().split())
    sign = -1 if packed.startswith("-") else 1
    rest, total = packed.removeprefix("-") if sign < 0 else packed.removeprefix("+"), 0
    while rest:
        number, took = floating(rest)
        unit = rest[took : took + 1]
        if unit not in _UNITS or number < 0:
            raise ValueError("it is no size as 1.5G, 512M or 20%")
        total += int(number * _UNITS[unit])
        rest = rest[took + 1 :]
    if total >= 1 << 63:
        raise ValueError("the size is out of range")
    return sign * total


def size_or_percent(text: str) -> Amount:
    """A size, a percentage of the whole that the plugin means, or a bare number of MiB.

    >>> size_or_percent("1536"), size_or_percent("10%")
    (Amount(bytes=1610612736, ppm=None), Amount(bytes=None, ppm=100000))
    """
    if text.endswith("%"):
        percent = stoi(text[:-1])
        if not 0 <= percent <= 100:
            raise ValueError("a percentage must be from 0 to 100")
        return Amount(ppm=percent * PERCENT_PPM)
    number, took = integer(text, -(1 << 63), (1 << 63) - 1)
    if took < len(text):
        return Amount(bytes=size(text))
    if abs(number) >= 1 << 43:
        raise ValueError("the size is out of range")
    return Amount(bytes=number << 20)


def refusal(path: str, line: int, what: str) -> InputError:
    """The error for a file with which oomd does not start either."""
    return refused(path, line, f"oomd refuses this file: {what}")


_CGROUPS: Final = {"cgroup": _Arg(str), "ruleset_cgroup": _Arg(str)}
_PRESSURE: Final = {
    **_CGROUPS,
    "resource": _Arg(_resource, required=True),
    "threshold": _Arg(stoi, required=True),
    "duration": _Arg(stoi, required=True),
}
_KILL: Final = {
    **_CGROUPS,
    "recursive": _Arg(_boolean),
    "post_action_delay": _Arg(_unsigned),
    "dry": _Arg(_boolean),
    "always_continue": _Arg(_boolean),
    "debug": _Arg(_boolean),
    "kernelkill": _Arg(_boolean),
    "reap_memory": _Arg(_boolean),
    "log_kmemalloc_prekill": _Arg(_boolean),
}
_SENPAI_COUNTS: Final = (
    "limit_min_bytes",
    "limit_max_bytes",
    "interval",
    "swapout_bps_threshold",
    "log_interval",
)
_SENPAI_RATIOS: Final = (
    "pressure_pct",
    "io_pressure_pct",
    "max_probe",
    "max_backoff",
    "coeff_probe",
    "coeff_backoff",
    "swap_threshold",
)
_SENPAI: Final = {
    **dict.fromkeys(_SENPAI_COUNTS, _Arg(stoull)),
    **dict.fromkeys(("pressure_ms", "memory_high_timeout_ms"), _Arg(stoll)),
    **dict.fromkeys(_SENPAI_RATIOS, _Arg(_double)),
    **dict.fromkeys(("immediate_backoff", "swap_validation", "modulate_swappiness"), _Arg(_boolean)),
    "cgroup": _Arg(str, required=True),
}
_ANY: Final[dict[str, _Arg]] = {}
"""``continue`` and ``stop`` take whatever they are given."""
_GROWTH: Final = {
    **_KILL,
    "size_threshold": _Arg(_unsigned),
    "min_growth_ratio": _Arg(_growth_ratio),
    "growing_size_percentile": _Arg(_percentile),
}
PLUGINS: Final[dict[str, dict[str, _Arg]]] = {
    "continue": _ANY,
    "stop": _ANY,
    "exists": {**_CGROUPS, "negate": _Arg(_boolean), "debug": _Arg(_boolean)},
    "pressure_above": _PRESSURE,
    "pressure_rising_beyond": {**_PRESSURE, "fast_fall_ratio": _Arg(stof)},
    "memory_above": {
        **_CGROUPS,
        "threshold": _Arg(size_or_percent),
        "threshold_anon": _Arg(size_or_percent),
        "duration": _Arg(stoi, required=True),
        "debug": _Arg(_boolean),
        "meminfo_location": _Arg(str),
    },
    "memory_reclaim": {**_CGROUPS, "duration": _Arg(stoi, required=True)},
    "swap_free": {
        "threshold_pct": _Arg(stoi, required=True),
        "swapout_bps_threshold": _Arg(stoull),
    },
    "nr_dying_descendants": {
        **_CGROUPS,
        "count": _Arg(_unsigned, required=True),
        "lte": _Arg(_boolean),
        "debug": _Arg(_boolean),
    },
    "dump_cgroup_overview": {**_CGROUPS, "always": _Arg(_boolean)},
    "kernel_panic": {},
    "kill_by_memory_size_or_growth": _GROWTH,
    "kill_by_swap_usage": {
        **_KILL,
        "threshold": _Arg(size_or_percent),
        "biased_swap_kill": _Arg(_boolean),
        "meminfo_location": _Arg(str),
    },
    "kill_by_pressure": {**_KILL, "resource": _Arg(_resource, required=True)},
    "kill_by_io_cost": _KILL,
    "kill_by_pg_scan": _KILL,
    "senpai": _SENPAI,
    "systemd_restart": {
        "service": _Arg(str, required=True),
        "post_action_delay": _Arg(_unsigned),
        "dry": _Arg(_boolean),
        "machine_type": _Arg(str),
    },
}
HOOKS: Final[dict[str, dict[str, _Arg]]] = {"dummy_prekill_hook": {"cgroup": _Arg(str), "xattr": _Arg(str)}}
"""Pre-kill hooks that oomd ships: one, which does nothing."""


def read_args(path: str, plugin: Plugin, known: Mapping[str, dict[str, _Arg]], kind: str) -> Args:
    """A plugin's arguments as values. Raises ``InputError`` with oomd's reason when oomd refuses them."""
    if not plugin.name:
        raise refusal(path, plugin.line, f'a {kind} is missing its "name"')
    if plugin.name not in known:
        hint = instead(plugin.name, known)
        raise refusal(path, plugin.line, f'there is no {kind} "{plugin.name}"; {hint}')
    args = known[plugin.name]
    for name, arg in args.items():
        if arg.required and name not in plugin.args:
            what = f'required argument "{name}" of {plugin.name} is missing; add it'
            raise refusal(path, plugin.line, what)
    return dict(_read(path, plugin, args))


def _read(path: str, plugin: Plugin, args: dict[str, _Arg]) -> list[tuple[str, Any]]:
    values = []
    for name, text in plugin.args.items() if args is not _ANY else ():
        if name not in args:
            what = f'{plugin.name} has no argument "{name}"; {instead(name, args)}'
            raise refusal(path, plugin.line, what)
        if name == "threshold" and "threshold_anon" in plugin.args:
            continue  # memory_above looks at the other one only, however bad this one is
        try:
            values.append((name, args[name].read(text)))
        except ValueError as error:
            what = f'{plugin.name} cannot take "{name}": {shown(text)}: {error}'
            raise refusal(path, plugin.line, what) from None
    return values
