"""systemd-oomd: oomd.conf with its drop-ins, .oomrule files, and the units that ask to be watched.

Follows ``src/oom/oomd-{conf,manager,util}.c`` of systemd 261. Which units are watched is a property of units,
so one of the texts is what ``systemctl show`` prints (``SHOW``). Names tell the texts apart, or the content.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from memwarden.guard.foreign.systemd_text import Setting, permyriad, records, settings, span_us
from memwarden.guard.foreign.words import refused, shown
from memwarden.guard.globs import literal
from memwarden.guard.ir import (
    Amount,
    Available,
    Choice,
    Detector,
    DoKill,
    Globs,
    Group,
    Policy,
    Preferences,
    Pressure,
    Ranking,
    Reclaiming,
    Rule,
    SwapFree,
    Weight,
)
from memwarden.units import SECOND_US

SHOW: Final = (
    "systemctl show -p Id,ControlGroup,ManagedOOMSwap,ManagedOOMMemoryPressure,ManagedOOMMemoryPressureLimit,"
    "ManagedOOMMemoryPressureDurationUSec,ManagedOOMPreference,OOMRules '*'"
)
"""Prints the units; for another manager, its ``--user``."""
_SWAP_TICK_US: Final = 150_000
_RECLAIM_US: Final = 30 * SECOND_US
_PAUSE_US: Final = 15 * SECOND_US
_SWAP_SHARE: Final = Amount(ppm=50_000)
"""Who has no more of SwapTotal in swap is not killed for it."""
_WHOLE: Final = 10_000
_PPM: Final = 100
"""Parts per million in a ten-thousandth."""
_SCALE: Final = (1 << 32) - 1
"""What 100 % is in the property itself."""
_ANY: Final = Amount(bytes=-1)
_RESTS: Final = "systemd-oomd"

_MAIN: Final = "oomd.conf"
_FOLDERS: Final = ((1, "/usr/local/lib/systemd/"), (0, "/lib/systemd/"), (2, "/run/systemd/"))
"""Where systemd looks besides /etc; the first that is in a path, since one is in the other."""
_CONF: Final = "OOM"
_RULE: Final = "Rule"
_UNIT_FILE: Final = {"[Unit]", "[Service]", "[Scope]", "[Slice]", "[Socket]", "[Mount]", "[Swap]"}
Kind = Literal["conf", "rule", "units", "unit file"]


class _Conf(NamedTuple):
    swap_limit: int = 9000
    pressure_limit: int = 6000
    duration_us: int = 30 * SECOND_US
    hooks: str = ""
    """Where calls to hooks are asked for; empty where they are not."""


class _OomRule(NamedTuple):
    path: str
    pressure: int | None
    swap: int | None
    action: str
    lasting_us: int


class _Unit(NamedTuple):
    path: str
    name: str
    cgroup: str
    swap: bool
    pressure: bool
    limit: int
    duration_us: int | None
    rules: tuple[str, ...]

    @property
    def leaves(self) -> Globs:
        """Whose leaves die for it: all below it, and itself where it is one."""
        path = literal(self.cgroup)
        return ("/", "/**") if path == "/" else (path, f"{path}/**")


def load(texts: Mapping[str, str], *, bug_compatible: bool) -> Policy:
    """A policy of all texts, in whatever order. Raises ``InputError`` with file and line."""
    notes: list[str] = []
    sorted_out: dict[Kind, list[str]] = {"conf": [], "rule": [], "units": [], "unit file": []}
    for path in texts:
        sorted_out[kind_of(path, texts[path])].append(path)
    conf = _conf(texts, sorted_out["conf"], notes)
    rules = {
        _stem(path): rule for path in sorted_out["rule"] if (rule := _oom_rule(path, texts[path], notes))
    }
    units: list[_Unit] = []
    preferences = Preferences(xattrs=("systemd",))
    for path in sorted_out["units"]:
        for record in records(texts[path]):
            if unit := _unit(path, record, notes):
                units.append(unit)
                preferences = _marked(preferences, record)
    notes += [
        f"{path}: is the file of a unit, which does not say its control group; it is left out"
        for path in sorted_out["unit file"]
    ]
    if not any(unit.swap or unit.pressure or unit.rules for unit in units):
        notes.append(
            f"{next(iter(texts))}: watches nothing, since no unit asks for it; give one more file with the "
            f"output of: {SHOW}"
        )
    if conf.hooks:
        notes.append(
            f"{conf.hooks}: PrekillHookTimeoutSec has no equal: memwarden calls no hooks of systemd-oomd"
        )
    built = [
        *_swap_rules(conf, units, preferences, notes),
        *(_pressure_rule(conf, unit, preferences) for unit in units if unit.pressure),
        *_rules_of_units(units, rules, preferences, bug_compatible, notes),
    ]
    tick = _SWAP_TICK_US if any(unit.swap for unit in units) else SECOND_US
    return Policy(
        next(iter(texts)),
        tuple(built),
        tick_us=tick,
        steady=True,
        wait_for_death=False,
        notes=tuple(notes),
    )


def kind_of(path: str, text: str) -> Kind:
    """What a text is: ``oomd.conf`` or a drop-in, a rule, units, or the file that sets one up."""
    if path.endswith(".oomrule"):
        return "rule"
    sections = {line.strip() for line in text.splitlines()}
    if sections & _UNIT_FILE and f"[{_CONF}]" not in sections:
        return "unit file"
    if path.endswith(".conf"):
        return "conf"
    return "rule" if f"[{_RULE}]" in sections else "conf" if f"[{_CONF}]" in sections else "units"


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".oomrule")


def _conf(texts: Mapping[str, str], paths: list[str], notes: list[str]) -> _Conf:
    """The main file first, then the drop-ins by file name."""
    conf = _Conf()
    names = {
        "SwapUsedLimit",
        "DefaultMemoryPressureLimit",
        "DefaultMemoryPressureDurationSec",
        "PrekillHookTimeoutSec",
    }
    for path in _in_order(paths, notes):
        for setting in settings(path, texts[path], _CONF, names, notes):
            try:
                conf = _changed(conf, setting, path)
            except ValueError as error:
                notes.append(
                    f"{path}:{setting.line}: systemd ignores {setting.key}={shown(setting.value)}: {error}"
                )
    return conf


def _in_order(paths: list[str], notes: list[str]) -> list[str]:
    """Files as systemd reads them. Of one name only that of the first folder counts, however given."""
    apart = [path for path in paths if ".conf.d/" not in path]
    mains = [path for path in apart if path.rpartition("/")[2] == _MAIN] or apart[:1]
    read: dict[tuple[bool, str], str] = {}
    for path in sorted(paths, key=_precedence):
        key = (False, _MAIN) if path in mains else (True, path.rpartition("/")[2])
        if key in read:
            notes.append(f"{read[key]}: systemd does not read this file, since {path} stands in its place")
        read[key] = path
    return [read[key] for key in sorted(read)]


def _precedence(path: str) -> int:
    """The higher, the more it counts: /usr/lib, /usr/local/lib, /run, and /etc as all other folders."""
    found = (at for at, folder in _FOLDERS if folder in f"/{path}")
    return next(found, len(_FOLDERS))


def _changed(conf: _Conf, setting: Setting, path: str) -> _Conf:
    value = setting.value
    if setting.key == "SwapUsedLimit":
        return conf._replace(swap_limit=permyriad(value) if value else _Conf().swap_limit)
    if setting.key == "DefaultMemoryPressureLimit":
        return conf._replace(pressure_limit=permyriad(value) if value else _Conf().pressure_limit)
    if setting.key == "DefaultMemoryPressureDurationSec":
        return conf._replace(duration_us=_duration(value or "0") or _Conf().duration_us)
    return conf._replace(hooks=f"{path}:{setting.line}" if _duration(value or "0") else "")


def _duration(text: str) -> int:
    """Zero, or one second and more."""
    span = span_us(text)
    if span is None or 0 < span < SECOND_US:
        raise ValueError("it must be at least 1s and less than infinity")
    return span


def _oom_rule(path: str, text: str, notes: list[str]) -> _OomRule | None:
    """A rule, or ``None`` when systemd-oomd leaves it out."""
    pressure = swap = None
    action, lasting = "", 0
    known = {"MemoryPressureAbove", "SwapUsageMax", "Action", "LastingSec"}
    for line, key, value in settings(path, text, _RULE, known, notes):
        try:
            if key == "MemoryPressureAbove":
                pressure = permyriad(value) if value else None
            elif key == "SwapUsageMax":
                swap = permyriad(value) if value else None
            elif key == "LastingSec":
                span = span_us(value or "0")
                lasting = -1 if span is None else span
            else:
                action = _action(value)
        except ValueError as error:
            notes.append(f"{path}:{line}: systemd ignores {key}={shown(value)}: {error}")
    for wrong, why in (
        (pressure is None and swap is None, "no MemoryPressureAbove= and no SwapUsageMax="),
        (not action, "no Action="),
        (lasting < 0, "LastingSec=infinity, which is never over"),
    ):
        if wrong:
            notes.append(f"{path}: systemd-oomd leaves this rule out: it has {why}")
            return None
    return _OomRule(path, pressure, swap, action, lasting)


def _action(text: str) -> str:
    if text not in {"", "kill-all", "kill-by-pgscan", "kill-by-swap"}:
        raise ValueError("it is kill-all, kill-by-pgscan or kill-by-swap")
    return text


def _unit(path: str, record: Mapping[str, str], notes: list[str]) -> _Unit | None:
    name, cgroup = record.get("Id", ""), record.get("ControlGroup", "")
    rules = tuple(record.get("OOMRules", "").split())
    swap = _kills(path, name, record, "ManagedOOMSwap")
    pressure = _kills(path, name, record, "ManagedOOMMemoryPressure")
    if not cgroup:
        if swap or pressure or rules:
            notes.append(
                f"{path}: {name or 'a unit'} has no control group, so that it is not watched until it runs"
            )
        return None
    return _Unit(
        path,
        name or cgroup,
        "/" + cgroup.strip("/"),
        swap,
        pressure,
        _limit(path, name, record.get("ManagedOOMMemoryPressureLimit", "")),
        _unit_duration(path, name, record.get("ManagedOOMMemoryPressureDurationUSec", "")),
        rules,
    )


def _kills(path: str, name: str, record: Mapping[str, str], key: str) -> bool:
    value = record.get(key, "auto")
    if value not in {"auto", "kill", ""}:
        raise refused(
            path, 0, f"{key} of {name or 'a unit'} is auto or kill, not {shown(value)}; print it with: {SHOW}"
        )
    return value == "kill"


def _limit(path: str, name: str, value: str) -> int:
    """Ten-thousandths from ``60%``, or from the property's own scale, rounded; 0 is oomd.conf's default."""
    try:
        if value.isdecimal() and value.isascii() and len(value) <= len(str(_SCALE)):
            return min(_WHOLE, (int(value) * _WHOLE + _SCALE // 2) // _SCALE)
        return permyriad(value) if value else 0
    except ValueError as error:
        raise refused(
            path, 0, f"ManagedOOMMemoryPressureLimit of {name or 'a unit'}: {shown(value)}: {error}"
        ) from None


def _unit_duration(path: str, name: str, value: str) -> int | None:
    """Microseconds; ``None`` is the default of oomd.conf."""
    if value in {"", "[not set]"}:
        return None
    try:
        return span_us(value) or None
    except ValueError as error:
        what = f"ManagedOOMMemoryPressureDurationUSec of {name or 'a unit'}: {shown(value)}: {error}"
        raise refused(path, 0, what) from None


def _marked(preferences: Preferences, record: Mapping[str, str]) -> Preferences:
    """The unit's mark by name too, for recordings that lack the extended attributes."""
    glob = literal("/" + record["ControlGroup"].strip("/"))
    mark = record.get("ManagedOOMPreference")
    if mark == "omit":
        return preferences._replace(omit=(*preferences.omit, glob))
    return preferences._replace(avoid=(*preferences.avoid, glob)) if mark == "avoid" else preferences


def _kill(
    cgroups: Globs, ranking: Ranking, preferences: Preferences, units: Literal["leaf", "matched"] = "leaf"
) -> DoKill:
    choice = Choice(cgroups, units, ranking, preferences)
    return DoKill(choice, hook_meanwhile="nothing", even_without_need=True, release=False)


_BY_PGSCAN: Final = Ranking((Weight("pgscan"),), _ANY, ties=("current",))
_BY_SWAP: Final = Ranking((Weight("swap"),), _SWAP_SHARE)


def _swap_rules(
    conf: _Conf, units: Iterable[_Unit], preferences: Preferences, notes: list[str]
) -> Iterable[Rule]:
    """Memory and swap both used above the limit: the leaf with most in swap dies, and nothing rests."""
    swapped = [unit for unit in units if unit.swap]
    if not swapped:
        return ()
    cgroups = tuple(glob for unit in swapped for glob in unit.leaves)
    left = Amount(ppm=(_WHOLE - conf.swap_limit) * _PPM)
    notes.append(
        f"{swapped[0].path}: systemd-oomd looks at swap every 150 ms and at pressure every second; here both "
        "every 150 ms"
    )
    group = Group("memory and swap used", (Available(left), SwapFree(left)))
    return [Rule("memory-used", (group,), (_kill(cgroups, _BY_SWAP, preferences),), pause_us=0)]


def _pressure_rule(conf: _Conf, unit: _Unit, preferences: Preferences) -> Rule:
    path = literal(unit.cgroup)
    limit, duration = unit.limit or conf.pressure_limit, unit.duration_us or conf.duration_us
    detectors = (Pressure(limit, cgroups=(path,), for_us=duration), Reclaiming(_RECLAIM_US, (path,)))
    kill = _kill(unit.leaves, _BY_PGSCAN, preferences)
    group = Group(f"memory pressure of {unit.name}", detectors)
    return Rule(f"memory-pressure {unit.name}", (group,), (kill,), _PAUSE_US, rests_with=_RESTS)


def _rules_of_units(
    units: list[_Unit],
    rules: Mapping[str, _OomRule],
    preferences: Preferences,
    bug_compatible: bool,
    notes: list[str],
) -> Iterable[Rule]:
    bearing = tuple(glob for unit in units if unit.rules for glob in unit.leaves)
    for unit in units:
        for name in unit.rules:
            if name not in rules:
                notes.append(
                    f"{unit.path}: OOMRules={name} of {unit.name}: there is no {name}.oomrule, so that it "
                    "does nothing"
                )
                continue
            rule, path = rules[name], literal(unit.cgroup)
            detectors: list[Detector] = []
            if rule.pressure is not None:
                detectors.append(Pressure(rule.pressure, cgroups=(path,), for_us=rule.lasting_us))
            if rule.swap is not None:
                left = Amount(ppm=(_WHOLE - rule.swap) * _PPM)
                detectors.append(SwapFree(left, for_us=rule.lasting_us))
            if rule.action == "kill-all":
                kill = _kill((path,), Ranking((Weight("current"),), _ANY), preferences, "matched")
            elif rule.action == "kill-by-swap":
                # 261 takes the candidates of all units that have rules.
                kill = _kill(bearing if bug_compatible else unit.leaves, _BY_SWAP, preferences)
            else:
                kill = _kill(unit.leaves, _BY_PGSCAN, preferences)
                if bug_compatible:
                    notes.append(
                        f"{rule.path}: systemd 261 ranks by pages scanned ever, here since the last look"
                    )
            group = Group(f"{name} of {unit.name}", tuple(detectors))
            # After acting its clock begins anew, which resting as long comes to.
            yield Rule(f"rule {name} {unit.name}", (group,), (kill,), rule.lasting_us)
