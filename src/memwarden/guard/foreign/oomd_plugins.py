"""oomd's plugins as detectors and actions, and what of them has no equal here."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from memwarden.guard.foreign.oomd_args import PLUGINS, Args, Plugin, read_args, refusal
from memwarden.guard.foreign.words import PERCENT_PPM, shown
from memwarden.guard.ir import (
    Action,
    Amount,
    Choice,
    Constant,
    Detector,
    DoKill,
    DoNothing,
    DoNotify,
    DoPanic,
    DoRestart,
    Dying,
    Exists,
    Globs,
    Preferences,
    Pressure,
    PressureRising,
    Ranking,
    RankKey,
    Reclaiming,
    SwapFree,
    Usage,
    Weight,
)
from memwarden.units import SECOND_US


class Site(NamedTuple):
    """Where a plugin stands: its file, its ruleset, and what holds for all of that."""

    path: str
    ruleset: str
    scoped: bool
    """Whether the ruleset has ``cgroup``, so that it runs once for each that matches."""
    hook_limit_us: int
    bug_compatible: bool
    notes: list[str]

    def note(self, plugin: Plugin, text: str) -> None:
        """Name what cannot be expressed, once."""
        line = f'{self.path}:{plugin.line}: {plugin.name} in "{self.ruleset}": {text}'
        if line not in self.notes:
            self.notes.append(line)


_SET: Final = re.compile(r"\[!?\]?(?:\[:\w+:\]|[^\]])*\]")
_RANGES: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "xdigit": "0-9A-Fa-f",
}
_CLASS: Final = re.compile(rf"\[:({'|'.join(_RANGES)}):\]")
"""``[:digit:]`` within brackets, which globs of ours spell out."""


def glob_of(piece: str) -> str:
    """A cgroup of oomd's as a glob of ours.

    glob(3) has no ``**`` and takes a backslash as escaping what follows; slashes too many do not count. What
    cannot be printed is any one character, since no glob of ours holds it.

    >>> glob_of("system.slice//*.service/"), glob_of("/"), glob_of("**")
    ('/system.slice/*.service', '/', '/*')
    """
    parts: list[str] = []
    escaped = False
    for character in piece:
        if escaped:
            parts.append(f"[{character}]" if character in "*?[" else character)
        elif not character.isprintable():
            parts.append("?")
        elif character == "*" and parts and parts[-1] == "*":
            continue
        elif character != "\\":
            parts.append("!" if character == "^" and parts and parts[-1] == "[" else character)
        escaped = character == "\\" and not escaped
    whole = _SET.sub(_spelled_out, "".join(parts))
    return "/" + "/".join(name for name in whole.split("/") if name)


def _spelled_out(found: re.Match[str]) -> str:
    return f"[{_CLASS.sub(lambda name: _RANGES[name[1]], found[0][1:-1])}]"


def split(text: str) -> list[str]:
    """The pieces of a comma list; empty ones are dropped, spaces are not."""
    return [piece for piece in text.split(",") if piece]


def _cgroups(args: Args, plugin: Plugin, site: Site) -> Globs:
    globs = [glob_of(piece) for piece in split(args.get("cgroup", ""))]
    inner = [glob_of(piece) for piece in split(args.get("ruleset_cgroup", ""))]
    if site.scoped:
        globs += ["." if glob == "/" else f".{glob}" for glob in inner]
    elif inner:
        site.note(plugin, 'ruleset_cgroup does nothing, since the ruleset has no "cgroup"')
    if not globs:
        site.note(plugin, "it names no cgroup, so it never sees one, as in oomd")
    return tuple(globs)


def _pressure(args: Args, cgroups: Globs, site: Site) -> Detector:
    return Pressure(
        args["threshold"] * 100,
        args["resource"],
        cgroups=cgroups,
        for_us=_seconds(args),
        worst="weighted",
    )


def _rising(args: Args, cgroups: Globs, site: Site) -> Detector:
    ratio = args.get("fast_fall_ratio", 0.85)
    return PressureRising(
        args["threshold"] * 100,
        args["resource"],
        cgroups,
        _seconds(args),
        max(0, round(ratio * 1_000_000)),  # nothing falls below a share that is below zero
    )


def _usage(args: Args, cgroups: Globs, site: Site) -> Detector:
    anon = "threshold_anon" in args
    return Usage(args["threshold_anon" if anon else "threshold"], anon, cgroups, _seconds(args), "free")


def _reclaim(args: Args, cgroups: Globs, site: Site) -> Detector:
    # It counts whole seconds: up to 10.999 s are 10.
    return Reclaiming(_seconds(args) + SECOND_US - 1, cgroups, since_start=site.bug_compatible)


def _dying(args: Args, cgroups: Globs, site: Site) -> Detector:
    return Dying(args["count"], args.get("lte", True), cgroups)


def _exists(args: Args, cgroups: Globs, site: Site) -> Detector:
    return Exists(cgroups, args.get("negate", False))


def _seconds(args: Args) -> int:
    return max(0, int(args["duration"])) * SECOND_US


_OF_CGROUPS: Final[dict[str, Callable[[Args, Globs, Site], Detector]]] = {
    "pressure_above": _pressure,
    "pressure_rising_beyond": _rising,
    "memory_above": _usage,
    "memory_reclaim": _reclaim,
    "nr_dying_descendants": _dying,
    "exists": _exists,
}


def _swap_free(args: Args) -> Detector:
    below = Amount(ppm=max(0, args["threshold_pct"]) * PERCENT_PPM)
    return SwapFree(below, max(0, args.get("swapout_bps_threshold", 0)))


def detector(plugin: Plugin, site: Site) -> Detector:
    """A plugin that stands among the detectors. Raises ``InputError`` when oomd refuses it."""
    args = _args(plugin, site)
    if plugin.name in _OF_CGROUPS:
        cgroups = _cgroups(args, plugin, site)
        if not cgroups:
            return Constant(bool(args.get("negate")))
        return _OF_CGROUPS[plugin.name](_from_zero(args, plugin, site), cgroups, site)
    if plugin.name == "swap_free":
        return _swap_free(args)
    if plugin.name == "dump_cgroup_overview":
        site.note(plugin, "it only logs; memwarden's own record of a decision says more")
        return Constant(True)
    if plugin.name == "senpai":
        _senpai(plugin, site)
        return Constant(True)
    if plugin.name in {"continue", "stop"}:
        return Constant(plugin.name == "continue")
    site.note(plugin, "an action among detectors cannot be expressed; its group never fires here")
    return Constant(False)


def _from_zero(args: Args, plugin: Plugin, site: Site) -> Args:
    """Thresholds that are below zero, which oomd takes and everything is above, as zero."""
    zero = {
        name: Amount(bytes=0) if isinstance(value, Amount) else 0
        for name, value in args.items()
        if name.startswith("threshold") and (value.bytes or 0 if isinstance(value, Amount) else value) < 0
    }
    for name in zero:
        site.note(plugin, f"{name} is below zero, so that it always fires in oomd; here it fires above 0")
    return {**args, **zero}


def _args(plugin: Plugin, site: Site) -> Args:
    args = read_args(site.path, plugin, PLUGINS, "plugin")
    if plugin.name == "memory_above" and not {"threshold", "threshold_anon"} & args.keys():
        what = "memory_above needs threshold or threshold_anon; add one"
        raise refusal(site.path, plugin.line, what)
    if args.get("debug"):
        site.note(plugin, "debug only has oomd log more")
    if "meminfo_location" in args:
        site.note(plugin, "meminfo_location is for oomd's own tests; /proc/meminfo is read")
    return args


def action(plugin: Plugin, site: Site) -> Action:
    """A plugin that stands among the actions. Raises ``InputError`` when oomd refuses it."""
    args = _args(plugin, site)
    if plugin.name.startswith("kill_by_"):
        return _kill(plugin, args, site)
    if plugin.name == "systemd_restart":
        if "machine_type" in args:
            site.note(plugin, "machine_type has no equal; the unit of this machine is restarted")
        if not (args["service"].strip() and args["service"].isprintable()):
            site.note(plugin, f"there is no unit {shown(args['service'])}; nothing is restarted")
            return DoNothing()
        delay = args.get("post_action_delay", 15) * SECOND_US
        return DoRestart(args["service"], delay, args.get("dry", False))
    if plugin.name == "kernel_panic":
        return DoPanic()
    if plugin.name == "dump_cgroup_overview":
        return DoNotify(f"overview of {args.get('cgroup', '')}")
    if plugin.name == "senpai":
        _senpai(plugin, site)
        return DoNothing()
    if plugin.name in {"continue", "stop"}:
        return DoNothing(plugin.name == "stop")
    site.note(
        plugin, "a detector among actions cannot be expressed; the chain ends here, so nothing is killed"
    )
    return DoNothing(stop=True)


def _senpai(plugin: Plugin, site: Site) -> None:
    site.note(plugin, "memwarden does not probe for the least memory a cgroup needs; nothing is reclaimed")


def _kill(plugin: Plugin, args: Args, site: Site) -> Action:
    cgroups = _cgroups(args, plugin, site)
    if not cgroups:
        return DoNothing()
    if args.get("kernelkill"):
        site.note(
            plugin, "kernelkill: cgroup.kill is used wherever the kernel has it, without freezing first"
        )
    if args.get("log_kmemalloc_prekill"):
        site.note(plugin, "log_kmemalloc_prekill has no equal")
    if plugin.name == "kill_by_io_cost":
        site.note(plugin, "oomd weighs I/O as its --device and its coefficients say; here a byte is a byte")
    delay = args.get("post_action_delay")
    if delay is not None and site.bug_compatible and plugin.name == "kill_by_pg_scan":
        site.note(plugin, "oomd forgets post_action_delay when its detectors no longer fire on the next tick")
    return DoKill(
        Choice(
            cgroups,
            "recursive" if args.get("recursive") else "matched",
            _RANKINGS[plugin.name](args, site),
            Preferences(xattrs=("oomd",)),
        ),
        hook_limit_us=site.hook_limit_us,
        hook_meanwhile="nothing",
        pause_us=None if delay is None else delay * SECOND_US,
        go_on=args.get("always_continue", False),
        even_without_need=True,
        dry=args.get("dry", False),
        release=args.get("reap_memory", True),
    )


_ANY: Final = Amount(bytes=-1)
"""Also who has nothing of the key can be chosen."""


def _by_growth(args: Args, site: Site) -> Ranking:
    ratio = args.get("min_growth_ratio", 1.25)
    if site.bug_compatible and "min_growth_ratio" in args:
        ratio = int(ratio)  # the parser for unsigned numbers reads it
    parameters = (
        ("size_threshold", float(args.get("size_threshold", 50))),
        ("min_growth_ratio", float(ratio)),
        ("growing_size_percentile", float(args.get("growing_size_percentile", 80))),
        ("average_from_zero", float(site.bug_compatible)),
    )
    return Ranking((Weight("oomd-growth"),), _ANY, parameters)


def _by_swap(args: Args, site: Site) -> Ranking:
    key: RankKey = "swap-biased" if args.get("biased_swap_kill") else "swap"
    threshold = args.get("threshold", Amount(bytes=1))
    # oomd keeps who has at least that much, we who has more.
    least = threshold if threshold.bytes is None else Amount(bytes=threshold.bytes - 1)
    return Ranking((Weight(key),), least, (("totals_int32", 1.0),) if site.bug_compatible else ())


def _by_pressure(args: Args, site: Site) -> Ranking:
    return Ranking((Weight("io-pressure" if args["resource"] == "io" else "pressure"),), _ANY)


def _by_io_cost(args: Args, site: Site) -> Ranking:
    return Ranking((Weight("io-cost"),), _ANY)


def _by_pg_scan(args: Args, site: Site) -> Ranking:
    return Ranking((Weight("pgscan"),))


_RANKINGS: Final[dict[str, Callable[[Args, Site], Ranking]]] = {
    "kill_by_memory_size_or_growth": _by_growth,
    "kill_by_swap_usage": _by_swap,
    "kill_by_pressure": _by_pressure,
    "kill_by_io_cost": _by_io_cost,
    "kill_by_pg_scan": _by_pg_scan,
}
