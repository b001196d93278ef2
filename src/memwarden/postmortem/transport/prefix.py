"""The front of a line: what loggers, collectors and consoles put before the kernel's words.

One pattern reads the common form at once (syslog or journal, log level, seconds since boot, caller).
Every other form is taken off in layers, in any order, as they are found nested in the wild:
``file:line:`` of grep, container runtimes, RFC 5424, ``dmesg -x``, ``-T``, ``--time-format iso``,
/dev/kmsg records, Talos, Android, Huawei.
"""

from __future__ import annotations

import re
from typing import Final

from memwarden.postmortem.transport.stamp import Stamp

_ZONE: Final = r"(?:Z|[+-]\d\d:?\d\d)"
_ISO: Final = rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?{_ZONE}?"
_DATE: Final = (
    r"[A-Z][a-z]{2} [ \d]\d(?: \d{4})? \d\d:\d\d:\d\d(?:\.\d+)?"
    # logread of OpenWrt
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}"
    rf"|{_ISO}"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?"
    r"|\w{2,5}\.? \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [A-Z][A-Za-z0-9+-]*"
    r"|\d{9,10}\.\d{6}"
)
_CALLER: Final = r"(?: ?\[ *(?P<caller>[TC]\d+)\])"
_BOOT: Final = rf"\[ *(?P<mono>\d+\.\d+)\]{_CALLER}?"
_TAG: Final = r"(?:kernel|vmunix|klogd|dmesg)(?:\[-?\d*\])?"

_COMMON: Final = re.compile(
    rf"\s*(?:(?P<wall>{_DATE}) (?:(?P<host>\S+) )??(?:[a-z]+\.[a-z]+ )?{_TAG}: ?)?(?:<\d{{1,3}}>)?"
    rf"(?: *{_BOOT})?"
)

_LAYERS: Final = tuple(
    re.compile(layer)
    for layer in (
        # CloudWatch's table: milliseconds since 1970 and a comma
        r"\d{13},(?=\D)",
        # /dev/kmsg: priority,sequence,microseconds,flags[,caller=T1];
        r"\d{1,4},\d+,(?P<us>\d+),[^,;]*(?:,caller=(?P<caller>[TC]\d+))?(?:,[^;]{1,80})?;",
        # <4>
        r"<\d{1,3}>(?!1 )",
        # [12.345678], [ 12.345678][ T12], [12.345678 <    0.000012>], (12.345678)
        rf"\[ *(?P<mono>\d+\.\d+)(?: <[ \d.]+>)?\]{_CALLER}? ?",
        # dmesg -T, in any language: [Do Mai  9 14:52:38 2024]; crash names the zone
        rf"\[(?P<wall>[^\[\]]{{2,24}} \d\d:\d\d:\d\d(?: [A-Z]{{2,5}})? \d{{4}})\]{_CALLER}? ?",
        # dmesg -H and -e: [May 9 14:52] and [  +0.000012]
        r"\[(?:(?P<wall>[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d)| +\+?\d+\.\d+)\] ?",
        # Talos: kern: warning: [2024-05-09T14:52:38.123Z]:
        rf"(?:\S+: +)?kern: +\w+: \[(?P<wall>{_ISO})\]: ?",
        # dmesg -x: kern  :warn  :
        r"(?:kern|user|daemon|syslog) *: *(?:emerg|alert|crit|err|warn|warning|notice|info|debug) *: ",
        # RFC 5424: <4>1 2024-05-09T14:52:38.123Z host kernel - - -
        rf"<\d{{1,3}}>1 (?P<wall>{_ISO}|-) (?P<host>\S+) kernel \S+ \S+ (?:-|\[[^\]]*\]) ?(?:\ufeff)?",
        # CRI: 2024-05-09T14:52:38.123456789Z stdout F
        rf"(?P<wall>{_ISO}) std(?:out|err) [FP] ",
        # syslog and the journal's short forms
        rf"(?P<wall>{_DATE}) (?:(?P<host>\S+) )??(?:[a-z]+\.[a-z]+ )?{_TAG}: ?",
        # journalctl -o short-monotonic behind its [12.345678]
        rf"(?P<host>[\w.*-]+) {_TAG}: ?",
        rf"{_TAG}: ",
        # Android: 05-09 14:52:38.123 <4>[   12.345678]
        r"(?P<wall>\d\d-\d\d \d\d:\d\d:\d\d\.\d+) +(?:\d+ +\d+ [VDIWEF] )?(?=<|\[|kernel|c\d)",
        # logcat -b kernel, whose tag is padded; -v uid, -v brief
        r"(?P<wall>\d\d-\d\d \d\d:\d\d:\d\d\.\d+) +(?:\w+ +)?0 +0 [VDIWEF] (?:(?:kernel)? *: )?",
        r"[VDIWEF]/(?:kernel)? *\( *0\): ",
        # Huawei: warning|kernel[-]|
        r"(?:\w+\|)?kernel\[-?\d*\]\| ?",
        # kubectl logs --prefix and docker compose
        r"\[pod/[^\]]+\] |[\w.-]+ +\| ",
        # kubectl logs --timestamps, dmesg --time-format iso, docker logs -t
        rf"(?P<wall>{_ISO}){_CALLER}? ",
        # grep -H and -n
        (
            r"(?:[\w.+/-]{0,160}[./][\w+-]{0,80}[:-](?:\d+[:-])?|\d+[:-])"
            r"(?=[A-Z][a-z]{2} [ \d]\d \d\d:|\d{4}-\d\d-\d\dT|\[ *\d+\.\d+\])"
        ),
    )
)
_ANY: Final = re.compile(
    r"[<(\[]|\d|kern|user|daemon|syslog|[A-Z][a-z]{2} |[VDIWEF]/|\S+(?: +\|| kernel|:)|c\d|\w+\|"
    r"|\w{2,5}\.? \d{4}-|[\w.+/-]*[:-]"
)
_OTHER_PROGRAM: Final = re.compile(
    rf"\s*(?P<wall>{_DATE}) (?P<host>\S+) (?:[^\s\[\]:]+(?:\[\d+\])?|\([\w-]+\)\[\d+\]): "
)
_INNER: Final = re.compile(rf" *(?:(?P<host>[\w.*-]+) {_TAG}: ?|c\d+ +(?:\d+ )?|\(\d+\)\[\d+:[^\]]*\])")
"""What may stand behind the seconds since boot: host and tag of short-monotonic, Android's CPU and task."""
_MORE: Final = re.compile(r"\s*(?:\[ *\d+\.\d+ <|\[[^\]]* \d{4}\]|<\d|\d+,\d+,\d+,)")
_BARE: Final = re.compile(r"\s*\[(?: *(?:pid|\d+) *\]|<|[0-9a-f]{8,16}\])")
_EMBEDDED: Final = re.compile(rf"\[ *(?P<mono>\d+\.\d{{6}})\]{_CALLER}? ?")
_MOST_LAYERS: Final = 6


def split(line: str) -> tuple[Stamp | None, str]:
    """Stamp and message of one line; the stamp is ``None`` where the line carries none.

    >>> split("May  9 14:52:38 db1 kernel: [   12.000001] Mem-Info:")
    (Stamp(wall='May  9 14:52:38', host='db1', mono='12.000001', caller=None, kernel=True), ' Mem-Info:')
    """
    found = _COMMON.match(line)
    assert found is not None, "every part of the pattern is optional"
    wall, host, mono, caller = found.groups()
    message = line[found.end() :]
    if mono is not None:
        if wall is None and (inner := _INNER.match(message)) is not None:
            host, message = inner["host"], message[inner.end() :]
        return Stamp(wall, host, mono, caller), message
    if wall is not None and not _MORE.match(message):
        return Stamp(wall, host), message
    return (None, line) if _BARE.match(line) else _peel(line)


def _peel(line: str) -> tuple[Stamp | None, str]:
    """Take known fronts off one by one; what an inner one says goes before what an outer one says."""
    text = line.lstrip()
    said: dict[str, str] = {}
    layers = 0
    while layers < _MOST_LAYERS:
        found = _layer(text)
        if found is None:
            break
        layers += 1
        said.update({name: value for name, value in found.groupdict().items() if value})
        text = text[found.end() :]
    if layers:
        if "mono" in said and (inner := _INNER.match(text)) is not None:
            said.setdefault("host", inner["host"] or "")
            text = text[inner.end() :]
        return _stamp(said), text
    other = _OTHER_PROGRAM.match(line)
    if other is not None:
        stamp, message = _peel(line[other.end() :])
        if stamp is not None:
            return stamp._replace(wall=stamp.wall or other["wall"], host=stamp.host or other["host"]), message
        return Stamp(other["wall"], other["host"], kernel=False), message
    return None, line


def _layer(text: str) -> re.Match[str] | None:
    if not text or not _ANY.match(text):
        return None
    for layer in _LAYERS:
        found = layer.match(text)
        if found is not None and found.end():
            return found
    return None


def _stamp(said: dict[str, str]) -> Stamp:
    mono = said.get("mono")
    if "us" in said:
        mono = f"{int(said['us']) // 1_000_000}.{int(said['us']) % 1_000_000:06d}"
    return Stamp(said.get("wall"), said.get("host") or None, mono, said.get("caller"))


def embedded(line: str) -> tuple[str, Stamp, str] | None:
    """A kernel message that begins inside a line: what stands before it, its stamp, its text."""
    found = _EMBEDDED.search(line, 1)
    if found is None:
        return None
    return line[: found.start()], Stamp(mono=found["mono"], caller=found["caller"]), line[found.end() :]
