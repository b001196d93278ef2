"""Ways in which the records of a kernel log reach a reader.

Each takes records (a record may have several lines) and gives the text as a program writes it: dmesg and
journalctl (util-linux and systemd man pages), RFC 3164 and 5424, printk's own console and /dev/kmsg
(``Documentation/ABI/testing/dev-kmsg``), container runtimes (CRI log format), mail and web.
"""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START: Final = 12_345.678901
HOST: Final = "db-4.example"
WALL: Final = 1_715_266_358
"""2024-05-09 14:52:38 UTC."""


def stamps(records: Sequence[str]) -> list[tuple[float, str]]:
    """Each record with the second it was printed, 13 microseconds apart."""
    return [(START + number * 0.000013, record) for number, record in enumerate(records)]


def _each(front: Callable[[float], str], *, later: str | None = None) -> Callable[[Sequence[str]], str]:
    """A front for each record; further lines of one get ``later``, or the same front."""

    def dress(records: Sequence[str]) -> str:
        lines = []
        for at, record in stamps(records):
            first, *rest = record.split("\n")
            lines.append(front(at) + first)
            lines += [(front(at) if later is None else later) + line for line in rest]
        return "\n".join(lines) + "\n"

    return dress


def _boot(at: float) -> str:
    return f"[{at:12.6f}] "


def bare(records: Sequence[str]) -> str:
    """No front at all: ``dmesg -t``, pasted text."""
    return "\n".join(records) + "\n"


def rsyslog(records: Sequence[str]) -> str:
    """Rsyslog writes the control characters of a record as octal numbers."""
    fronted = ((_boot(at), record.replace("\n", "#012")) for at, record in stamps(records))
    return "".join(f"May  9 14:52:38 {HOST} kernel: {front}{record}\n" for front, record in fronted)


def kmsg(records: Sequence[str]) -> str:
    """/dev/kmsg: one record per line, newlines escaped, a dictionary behind some."""
    lines = []
    for number, (at, record) in enumerate(stamps(records)):
        text = record.replace("\\", "\\x5c").replace("\n", "\\x0a")
        lines.append(f"4,{900 + number},{round(at * 1_000_000)},-,caller=T131072;{text}")
        if number % 7 == 3:
            lines += [" SUBSYSTEM=memory", " DEVICE=+memory:memory32"]
    return "\n".join(lines) + "\n"


def _fields(number: int, at: float, record: str) -> dict[str, str]:
    return {
        "__CURSOR": f"s=0123;i={number:x};b=4567",
        "__REALTIME_TIMESTAMP": str(WALL * 1_000_000 + number),
        "__MONOTONIC_TIMESTAMP": str(round(at * 1_000_000) + 9),
        "_BOOT_ID": "4567",
        "PRIORITY": "4",
        "_TRANSPORT": "kernel",
        "SYSLOG_IDENTIFIER": "kernel",
        "MESSAGE": record,
        "_SOURCE_MONOTONIC_TIMESTAMP": str(round(at * 1_000_000)),
        "_HOSTNAME": HOST,
    }


def journal_json(records: Sequence[str]) -> str:
    """``journalctl -o json``."""
    documents = (_fields(number, at, record) for number, (at, record) in enumerate(stamps(records)))
    return "".join(json.dumps(fields) + "\n" for fields in documents)


def journal_bytes(records: Sequence[str]) -> str:
    """The same with every message as an array, as journalctl writes what is not plain text."""
    documents = []
    for number, (at, record) in enumerate(stamps(records)):
        fields: dict[str, object] = {**_fields(number, at, record), "MESSAGE": list(record.encode())}
        documents.append(json.dumps(fields, separators=(",", ":")) + "\n")
    return "".join(documents)


def journal_pretty(records: Sequence[str]) -> str:
    """``journalctl -o json-pretty``."""
    documents = (_fields(n, at, record) for n, (at, record) in enumerate(stamps(records)))
    return "".join(json.dumps(fields, indent="\t", separators=(",", " : ")) + "\n" for fields in documents)


def journal_export(records: Sequence[str]) -> str:
    """``journalctl -o export``: a value with newlines has a length before it."""
    text = ""
    for number, (at, record) in enumerate(stamps(records)):
        for name, value in _fields(number, at, record).items():
            if "\n" in value:
                length = len(value).to_bytes(8, "little").decode("latin-1")
                text += f"{name}\n{length}{value}\n"
            else:
                text += f"{name}={value}\n"
        text += "\n"
    return text


def journal_verbose(records: Sequence[str]) -> str:
    """``journalctl -o verbose``."""
    text = ""
    for number, (at, record) in enumerate(stamps(records)):
        fields = _fields(number, at, record)
        text += f"Thu 2024-05-09 14:52:38.{number:06d} UTC [{fields.pop('__CURSOR')}]\n"
        for name, value in fields.items():
            if not name.startswith("__"):
                text += f"    {name}=" + value.replace("\n", "\n" + " " * 13) + "\n"
    return text


def docker_file(records: Sequence[str]) -> str:
    """Docker's json-file of a container that runs ``dmesg -w``."""
    lines = [line for at, record in stamps(records) for line in (_boot(at) + record).split("\n")]
    return "".join(
        json.dumps({"log": line + "\n", "stream": "stdout", "time": "2024-05-09T14:52:38.123456789Z"}) + "\n"
        for line in lines
    )


def shipped(records: Sequence[str]) -> str:
    """A log shipper's JSON, the text one level down."""
    outer = {"timestamp": "2024-05-09T14:52:38Z", "severity": "WARNING"}
    payloads = ({"message": record, "hostname": HOST} for record in records)
    return "".join(json.dumps({**outer, "jsonPayload": payload}) + "\n" for payload in payloads)


def dmesg_json(records: Sequence[str]) -> str:
    """``dmesg --json`` (util-linux ``sys-utils/dmesg.c:print_json``)."""
    between = ",\n         "
    entries = (
        "{" + between[1:] + between.join(('"pri": 4', f'"time": {at:12.6f}', f'"msg": {json.dumps(record)}'))
        for at, record in stamps(records)
    )
    return '{\n   "dmesg": [\n      ' + "\n      },".join(entries) + "\n      }\n   ]\n}\n"


def _events(records: Sequence[str]) -> dict[str, object]:
    events = [
        {"timestamp": WALL * 1000 + n, "message": _boot(at) + record, "ingestionTime": WALL * 1000}
        for n, (at, record) in enumerate(stamps(records))
    ]
    return {"events": events, "nextForwardToken": "f/37"}


def cloudwatch(records: Sequence[str]) -> str:
    """``aws logs get-log-events``."""
    return json.dumps(_events(records), indent=4) + "\n"


def cloudwatch_table(records: Sequence[str]) -> str:
    """CloudWatch's download as a table: in quotes where it must be."""
    lines = ["timestamp,message"]
    for n, (at, record) in enumerate(stamps(records)):
        for line in (_boot(at) + record).split("\n"):
            cell = '"' + line.replace('"', '""') + '"' if "," in line or '"' in line else line
            lines.append(f"{WALL * 1000 + n},{cell}")
    return "\n".join(lines) + "\n"


def gcloud(records: Sequence[str]) -> str:
    """``gcloud logging read --format json --order asc``."""
    entries = [
        {
            "insertId": f"x{n}",
            "jsonPayload": {"MESSAGE": record, "PRIORITY": "4", "_TRANSPORT": "kernel"},
            "resource": {"labels": {"node_name": HOST}, "type": "k8s_node"},
            "timestamp": "2024-05-09T14:52:38.123456Z",
        }
        for n, record in enumerate(records)
    ]
    return json.dumps(entries, indent=2) + "\n"


def loki(records: Sequence[str]) -> str:
    """Loki's ``/loki/api/v1/query_range``: pairs of nanoseconds and text, the newest first."""
    pairs = [[f"{WALL}{n:09d}", _boot(at) + record] for n, (at, record) in enumerate(stamps(records))]
    result = [{"stream": {"host": HOST}, "values": pairs[::-1]}]
    return json.dumps({"status": "success", "data": {"resultType": "streams", "result": result}}) + "\n"


def splunk(records: Sequence[str]) -> str:
    """Splunk's export as JSON."""
    raws = _each(lambda at: f"May  9 14:52:38 {HOST} kernel: {_boot(at)}")(records).splitlines()
    return "".join(json.dumps({"preview": False, "result": {"_raw": raw}}) + "\n" for raw in raws)


def splunk_table(records: Sequence[str]) -> str:
    """Splunk's export as a table."""
    lines = [line for at, record in stamps(records) for line in (_boot(at) + record).split("\n")]
    quoted = (line.replace('"', '""') for line in lines)
    return '"_time","_raw"\n' + "".join(f'"2024-05-09T14:52:38.123+0000","{line}"\n' for line in quoted)


def coloured(records: Sequence[str]) -> str:
    """``dmesg --color=always``."""
    lines = []
    for at, record in stamps(records):
        for line in record.split("\n"):
            subject, colon, rest = line.partition(":")
            lines.append(f"\x1b[32m{_boot(at)}\x1b[0m\x1b[33m{subject}{colon}\x1b[0m{rest}")
    return "\n".join(lines) + "\n"


def serial(records: Sequence[str]) -> str:
    """A serial console: carriage returns and trailing blanks."""
    return _each(_boot)(records).replace("\n", "  \r\n")


def html(records: Sequence[str]) -> str:
    """A page's source."""
    text = _each(_boot)(records)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def blank_lines(records: Sequence[str]) -> str:
    """A blank line after each line, as some pagers and forums make of CR LF."""
    return _each(_boot)(records).replace("\n", "\n\n")


def mail(records: Sequence[str]) -> str:
    """Quoted twice, and broken at blanks to fit 72 columns."""
    lines: list[str] = []
    for line in _each(_boot)(records).splitlines():
        lines += textwrap.wrap(
            line, 72, break_long_words=False, break_on_hyphens=False, drop_whitespace=False
        )
    return "".join(f"> > {line.rstrip() if index % 2 else line}\n" for index, line in enumerate(lines))


def flowed(records: Sequence[str]) -> str:
    """Broken at blanks without any front: a pasted report that was mailed."""
    lines: list[str] = []
    for line in bare(records).splitlines():
        lines += textwrap.wrap(line, 78, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(lines) + "\n"


def terminal(records: Sequence[str]) -> str:
    """Broken anywhere at 80 columns."""
    lines = []
    for line in _each(_boot)(records).splitlines():
        lines += [line[at : at + 80] for at in range(0, max(len(line), 1), 80)]
    return "\n".join(lines) + "\n"


def nbsp(records: Sequence[str]) -> str:
    """Blanks in runs become no-break spaces, as mail programs write them."""
    return _each(_boot)(records).replace("  ", "\u00a0\u00a0")


TRANSPORTS: Final[dict[str, Callable[[Sequence[str]], str]]] = {
    "bare": bare,
    "dmesg": _each(_boot),
    "dmesg, further lines bare": _each(_boot, later=""),
    "dmesg, caller": _each(lambda at: f"[{at:12.6f}][T131072] "),
    "dmesg, caller apart": _each(lambda at: f"[{at:12.6f}] [ T1072] "),
    "dmesg, level": _each(lambda at: f"<4>[{at:12.6f}] "),
    "dmesg -T": _each(lambda _at: "[Thu May  9 14:52:38 2024] "),
    "dmesg -T in German": _each(lambda _at: "[Do Mai  9 14:52:38 2024] "),
    "dmesg -T in Chinese": _each(lambda _at: "[四 5月  9 14:52:38 2024] "),
    "crash log -T": _each(lambda _at: "[Thu May  9 14:52:38 UTC 2024] "),
    "dmesg -x": _each(lambda at: f"kern  :warn  : [{at:12.6f}] "),
    "dmesg -x iso": _each(lambda _at: "kern  :warn  : 2024-05-09T14:52:38,123456+00:00 "),
    "dmesg iso": _each(lambda _at: "2024-05-09T14:52:38,123456+00:00 "),
    "dmesg -H": _each(lambda _at: "[  +0.000013] "),
    "dmesg -d": _each(lambda at: f"[{at:12.6f} <    0.000013>] "),
    "dmesg coloured": coloured,
    "syslog": _each(lambda at: f"May  9 14:52:38 {HOST} kernel: {_boot(at)}"),
    "syslog, no boot time": _each(lambda _at: f"May  9 14:52:38 {HOST} kernel: "),
    "syslog, no host": _each(lambda at: f"May  9 14:52:38 kernel: {_boot(at)}"),
    "syslog, facility": _each(lambda at: f"May  9 14:52:38 {HOST} kern.warn kernel: {_boot(at)}"),
    "syslog iso": _each(lambda at: f"2024-05-09T14:52:38.123456+02:00 {HOST} kernel: {_boot(at)}"),
    "syslog, tag only": _each(lambda _at: "kernel: "),
    "rsyslog": rsyslog,
    "rfc5424": _each(lambda at: f"<4>1 2024-05-09T14:52:38.123456Z {HOST} kernel - - - {_boot(at)}"),
    "logger": _each(lambda at: f"May  9 14:52:38 {HOST} root[812]: {_boot(at)}"),
    "journal short": _each(lambda _at: f"May 09 14:52:38 {HOST} kernel: ", later=" " * 40),
    "journal short-precise": _each(lambda _at: f"May 09 14:52:38.123456 {HOST} kernel: ", later=" " * 47),
    "journal short-iso": _each(lambda _at: f"2024-05-09T14:52:38+0200 {HOST} kernel: ", later=" " * 50),
    "journal short-full": _each(lambda _at: f"Thu 2024-05-09 14:52:38 CEST {HOST} kernel: ", later=" " * 54),
    "journal short-monotonic": _each(lambda at: f"[{at:12.6f}] {HOST} kernel: ", later=" " * 40),
    "journal short-unix": _each(lambda _at: f"{WALL}.123456 {HOST} kernel: ", later=" " * 43),
    "journal json": journal_json,
    "journal json, bytes": journal_bytes,
    "journal json-pretty": journal_pretty,
    "journal export": journal_export,
    "journal verbose": journal_verbose,
    "kmsg": kmsg,
    "serial": serial,
    "docker json-file": docker_file,
    "shipped json": shipped,
    "kubernetes cri": _each(lambda at: f"2024-05-09T14:52:38.123456789Z stdout F {_boot(at)}"),
    "kubectl --timestamps": _each(lambda at: f"2024-05-09T14:52:38.123456789Z {_boot(at)}"),
    "kubectl --prefix": _each(lambda at: f"[pod/dmesg-7xk2p/main] {_boot(at)}"),
    "compose": _each(lambda at: f"dmesg_1  | {_boot(at)}"),
    "talos": _each(lambda _at: "kern: warning: [2024-05-09T14:52:38.123456789Z]: "),
    "talos, node": _each(lambda _at: "10.5.0.2: kern:    warn: [2024-05-09T14:52:38.123456789Z]: "),
    "android": _each(lambda at: f"05-09 14:52:38.123 <4>[{at:12.6f}] c2 "),
    "android, mtk": _each(lambda at: f"<4>[{at:12.6f}]  (2)[1131:kworker/2:1]"),
    "logcat": _each(lambda _at: "05-09 14:52:38.123     0     0 W         : "),
    "logcat -v uid": _each(lambda at: f"05-09 14:52:38.123  root     0     0 W kernel  : {_boot(at)}"),
    "logcat -v brief": _each(lambda _at: "W/        (    0): "),
    "openwrt": _each(lambda at: f"Thu May  9 14:52:38 2024 kern.warn kernel: {_boot(at)}"),
    "two blanks": _each(lambda at: f"May  9 14:52:38 {HOST} kernel:  {_boot(at)}"),
    "dmesg --json": dmesg_json,
    "journal json-seq": lambda records: "".join(
        f"\x1e{line}\n" for line in journal_json(records).splitlines()
    ),
    "journal json-sse": lambda records: "".join(
        f"data: {line}\n\n" for line in journal_json(records).splitlines()
    ),
    "cloudwatch": cloudwatch,
    "cloudwatch, one line": lambda records: json.dumps(_events(records)) + "\n",
    "cloudwatch, table": cloudwatch_table,
    "gcloud": gcloud,
    "loki": loki,
    "splunk": splunk,
    "splunk, table": splunk_table,
    "huawei": _each(lambda at: f"warning|kernel[-]|[{at:12.6f}] "),
    "grep -H": _each(lambda at: f"/var/log/kern.log.1:May  9 14:52:38 {HOST} kernel: {_boot(at)}"),
    "grep -n": _each(lambda at: f"817:{_boot(at)}"),
    "html": html,
    "markdown indent": _each(lambda at: f"    {_boot(at)}"),
    "tab": _each(lambda at: f"\t{_boot(at)}"),
    "quoted": _each(lambda at: f">>> {_boot(at)}"),
    "blank lines": blank_lines,
    "mail": mail,
    "flowed": flowed,
    "terminal": terminal,
    "nbsp": nbsp,
}
