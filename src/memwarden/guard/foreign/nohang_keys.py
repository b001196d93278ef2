"""The keys of nohang's configuration, their defaults and ranges, and its lines.

From ``conf/nohang/nohang.conf.in`` and the checks in ``src/nohang``. A line that begins with ``#``, blank or
tab is a comment; lines that begin with ``@`` may be repeated; a key may not.
"""

import re
from typing import Final, NamedTuple
from warnings import catch_warnings

from memwarden.errors import InputError
from memwarden.guard.foreign.words import PERCENT_PPM, instead, refused, shown
from memwarden.guard.ir import Amount
from memwarden.units import MIB, SECOND_US

_NUMBER: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?", re.ASCII)
_SEPARATOR: Final = "///"
SETS: Final = {
    "zram_checking_enabled": "False",
    "psi_checking_enabled": "False",
    "psi_path": "/proc/pressure/memory",
    "psi_metrics": "full_avg10",
    "psi_excess_duration": "30",
    "psi_post_action_delay": "15",
    "low_memory_warnings_enabled": "False",
    "warning_threshold_min_mem": "20 %",
    "warning_threshold_min_swap": "25 %",
    "warning_threshold_max_psi": "10",
    "min_post_warning_delay": "60",
    "soft_threshold_min_mem": "5 %",
    "soft_threshold_min_swap": "10 %",
    "soft_threshold_max_psi": "40",
    "hard_threshold_min_mem": "2 %",
    "hard_threshold_min_swap": "4 %",
    "hard_threshold_max_psi": "90",
    "ignore_positive_oom_score_adj": "False",
    "max_soft_exit_time": "10",
    "post_soft_action_delay": "3",
    "min_badness": "1",
    "post_kill_exe": "",
    "warning_exe": "",
    "max_sleep": "3",
    "min_sleep": "0.1",
}
"""What decides whether, whom and when, with nohang's defaults."""
ZRAM: Final = frozenset({"soft_threshold_max_zram", "hard_threshold_max_zram", "warning_threshold_max_zram"})
"""What counts only where ``zram_checking_enabled``."""
DROPPED: Final = {
    "memwarden measures how fast memory fills": ("fill_rate_mem", "fill_rate_swap", "fill_rate_zram"),
    "a victim is waited for until it is gone": ("victim_cache_time", "post_zombie_delay"),
    "memwarden runs no commands and shows nothing on a desktop": (
        "exe_timeout",
        "env_cache_time",
        "post_action_gui_notifications",
        "hide_corrective_action_type",
    ),
    "only what nohang logs": (
        "print_config_at_startup",
        "print_mem_check_results",
        "min_mem_report_interval",
        "print_proc_table",
        "extra_table_info",
        "print_victim_status",
        "print_victim_cmdline",
        "max_victim_ancestry_depth",
        "print_statistics",
        "debug_psi",
        "debug_gui_notifications",
        "debug_sleep",
        "debug_threading",
        "separate_log",
    ),
}
"""What is not taken over, by the reason."""
NAMED: Final = 3
"""Missing keys that are named; the others are counted."""
KNOWN: Final = frozenset({*SETS, *ZRAM, *(key for keys in DROPPED.values() for key in keys)})
_ADJUSTS: Final = {
    "NAME": "comm~",
    "CGROUP_V2": "cgroup~",
    "UID": "uid~",
}
"""What ``@BADNESS_ADJ_RE_*`` can be expressed, and how an entry of it begins."""
_ADJUSTS_NAMED: Final = ("CGROUP_V1", "REALPATH", "CWD", "CMDLINE", "ENVIRON")
_SOFT_ACTIONS: Final = ("NAME", "CGROUP_V1", "CGROUP_V2")


class Setting(NamedTuple):
    """A value, and its line; 0 for a default."""

    line: int
    value: str


class Config(NamedTuple):
    """One file, read."""

    path: str
    keys: dict[str, Setting]
    adjust: tuple[tuple[str, float], ...]
    notes: list[str]

    def refused(self, key: str, what: str) -> InputError:
        """The error for a value that nohang does not take."""
        line, value = self.keys[key]
        return refused(self.path, line, f"nohang refuses this file: {key} = {shown(value)}: {what}")

    def note(self, key: str, what: str) -> None:
        """Name what of a key cannot be expressed."""
        line = self.keys[key].line
        self.notes.append(f"{self.path}:{line}: {key}: {what}" if line else f"{self.path}: {key}: {what}")

    def flag(self, key: str) -> bool:
        """``True`` or ``False``, spelled so."""
        if self.keys[key].value not in {"True", "False"}:
            raise self.refused(key, "it must be True or False")
        return self.keys[key].value == "True"

    def number(self, key: str, least: float, most: float = 1e12) -> float:
        """A number within a range."""
        text = self.keys[key].value
        if not _NUMBER.fullmatch(text) or not least <= float(text) <= most:
            raise self.refused(
                key,
                f"it must be a number, {least:g} or more" + (f", at most {most:g}" if most < 1e12 else ""),
            )
        return float(text)

    def span_us(self, key: str, least: float) -> int:
        """Seconds, in microseconds."""
        return round(self.number(key, least) * SECOND_US)

    def amount(self, key: str, most_percent: float) -> Amount:
        """``5 %`` of the whole, or ``512 M``: mebibytes."""
        text = self.keys[key].value
        number, unit = text[:-1].strip(), text[-1:]
        if unit not in {"%", "M"} or not _NUMBER.fullmatch(number) or float(number) < 0:
            raise self.refused(key, "it must be a share as 5 % or a size as 512 M")
        if unit == "M":
            return Amount(bytes=int(float(number) * MIB))
        if float(number) > most_percent:
            raise self.refused(key, f"it must be from 0 to {most_percent:g} %")
        return Amount(ppm=round(float(number) * PERCENT_PPM))


def read(path: str, text: str, notes: list[str]) -> Config:
    """The lines of a file; raises ``InputError`` for what nohang exits at."""
    keys: dict[str, Setting] = {}
    adjust: list[tuple[str, float]] = []
    for line, content in enumerate(text.split("\n"), 1):
        if content.startswith("@"):
            adjust += _repeated(path, line, content, notes)
        elif content.strip("\r") and not content.startswith(("#", " ", "\t")):
            key, _, value = content.partition("=")
            key = key.strip()
            if key in keys:
                raise refused(path, line, f"nohang refuses this file: {shown(key)} is set twice; keep one")
            keys[key] = Setting(line, value.strip())
    if not keys.keys() & SETS.keys():
        raise refused(path, 0, "no key of nohang's is set here; give its configuration, as nohang.conf")
    _name(path, keys, notes)
    return Config(
        path, {key: keys.get(key, Setting(0, value)) for key, value in SETS.items()}, tuple(adjust), notes
    )


def _name(path: str, keys: dict[str, Setting], notes: list[str]) -> None:
    """Say of each key that it is not known, does not count here, or is missing."""
    for key, (line, _) in keys.items():
        if key not in KNOWN:
            hint = instead(key, KNOWN)
            notes.append(f"{path}:{line}: {shown(key)} is no key of nohang's, which ignores it; {hint}")
    for reason, dropped in DROPPED.items():
        if given := [key for key in dropped if key in keys]:
            notes.append(f"{path}:{keys[given[0]].line}: {', '.join(given)}: {reason}")
    if missing := sorted(SETS.keys() - keys.keys()):
        rest = f" and {len(missing) - NAMED} more keys" if len(missing) > NAMED else ""
        names = ", ".join(missing[:NAMED])
        notes.append(f"{path}: nohang itself exits without {names}{rest}; its defaults are taken")


def _repeated(path: str, line: int, content: str, notes: list[str]) -> list[tuple[str, float]]:
    """A line that begins with ``@``: an adjustment of badness, or a command in place of SIGTERM."""
    for kind in _SOFT_ACTIONS:
        if (rest := _behind(content, f"@SOFT_ACTION_RE_{kind}")) is not None:
            pattern, _, command = (part.strip() for part in rest.partition(_SEPARATOR))
            _checked(path, line, pattern)
            notes.append(f"{path}:{line}: memwarden runs no command in place of SIGTERM: {shown(command)}")
            return []
    for kind in (*_ADJUSTS, *_ADJUSTS_NAMED):
        if (rest := _behind(content, f"@BADNESS_ADJ_RE_{kind}")) is not None:
            points, _, pattern = (part.strip() for part in rest.partition(_SEPARATOR))
            _checked(path, line, pattern)
            if not _NUMBER.fullmatch(points):
                raise refused(path, line, f"nohang refuses this file: {shown(points)} is no number of points")
            if kind in _ADJUSTS:
                return [(f"{_ADJUSTS[kind]}{pattern}", float(points))]
            notes.append(
                f"{path}:{line}: badness cannot be adjusted by {kind.lower()} here: {shown(pattern)}"
            )
            return []
    if not content.startswith(("@check_kmsg", "@debug_kmsg")):
        notes.append(f"{path}:{line}: {shown(content)} is no key of nohang's, which ignores it")
    else:
        notes.append(
            f"{path}:{line}: {content.split(maxsplit=1)[0]}: memwarden always reads the kernel's log"
        )
    return []


def _behind(content: str, key: str) -> str | None:
    """What follows the key, where it is this one and not a longer one."""
    rest = content.removeprefix(key)
    return rest if rest != content and rest.startswith((" ", "\t")) else None


def _checked(path: str, line: int, pattern: str) -> None:
    try:
        with catch_warnings(action="ignore"):
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise refused(
            path, line, f"nohang refuses this file: bad expression {shown(pattern)}: {error}"
        ) from None
