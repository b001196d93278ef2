"""The keys of the document ``memwarden.explain/1``: one table that writes the document and its schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from memwarden.postmortem.model import Cause, Confidence, PageSizeBasis, Scope, Via
from memwarden.units import limit_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.postmortem.model import Incident, Statement, TaskRow, Verdict

INTEGER: Final = {"type": "integer"}
INTEGER_OR_NULL: Final = {"type": ["integer", "null"]}
BOOLEAN: Final = {"type": "boolean"}
BOOLEAN_OR_NULL: Final = {"type": ["boolean", "null"]}
STRING: Final = {"type": "string"}
STRING_OR_NULL: Final = {"type": ["string", "null"]}
LIMIT: Final = {"anyOf": [{"type": ["integer", "null"]}, {"const": "max"}]}
STRINGS_OR_NULL: Final = {"anyOf": [{"type": "array", "items": STRING}, {"type": "null"}]}
STRINGS: Final = {"type": "array", "items": STRING}
FIGURES: Final = {"type": "object", "additionalProperties": INTEGER}


def words(literal: Any) -> dict[str, Any]:
    """One of the words of a ``Literal``."""
    return {"enum": list(get_args(literal))}


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with exactly these keys, a list of such (``many``), or null (``or_null``)."""

    keys: tuple[Key, ...]
    many: bool = False
    or_null: bool = False
    getters: tuple[tuple[str, Callable[[Any], Any]], ...] = field(init=False, repr=False, compare=False)
    """Each key's name and how its value is had, worked out once for the many rows to come."""

    def __post_init__(self) -> None:
        """Work out the getters."""
        object.__setattr__(self, "getters", tuple((key.name, key.getter()) for key in self.keys))


class Key(NamedTuple):
    """One key: its kind (a JSON Schema or a shape), where its value comes from, and what it means."""

    name: str
    kind: dict[str, Any] | Shape
    about: str = ""
    get: Callable[[Any], Any] | None = None
    """By default the attribute of the same name."""

    def getter(self) -> Callable[[Any], Any]:
        """What gives the value for the document."""
        get = self.get or attrgetter(self.name)
        kind = self.kind
        if isinstance(kind, Shape):
            return lambda of: shaped(kind, get(of))
        return (lambda of: limit_json(get(of))) if kind is LIMIT else get


def shaped(shape: Shape, of: Any) -> Any:
    """The document of an object, of a sequence of objects, or null."""
    if of is None:
        return None
    getters = shape.getters
    if shape.many:
        return [{name: get(one) for name, get in getters} for one in of]
    return {name: get(of) for name, get in getters}


def _sentences(statements: tuple[Statement, ...]) -> str | None:
    return " ".join(statement.text for statement in statements) or None


def all_evidence(verdict: Verdict) -> list[tuple[int, str]]:
    """The lines that any statement of a verdict rests on, each once, in the order of the text."""
    statements = [
        *(one for one in (verdict.died, verdict.limit, verdict.filled) if one is not None),
        *verdict.why_victim,
        *verdict.why_while_free,
        *verdict.statements,
    ]
    found = {line: text for statement in statements for line, text in statement.evidence}
    return sorted(found.items())


class _Row(NamedTuple):
    """A task row with the page size that its columns count in."""

    row: TaskRow
    page: int

    def size(self, pages: int | None) -> int | None:
        return None if pages is None else pages * self.page


def _rows(incident: Incident) -> list[_Row]:
    return [_Row(row, incident.report.host.page_size_bytes) for row in incident.tasks]


def _plain(*names: str) -> tuple[Key, ...]:
    return tuple(Key(name, INTEGER_OR_NULL) for name in names)


SOURCE: Final = (
    Key("file", STRING, "as it was given; standard input, the kernel log and the journal by these words"),
    Key("first_line", INTEGER, "counted from 1 in the text as given"),
    Key("last_line", INTEGER),
    Key("complete", BOOLEAN, "false where parts of the report are missing from the text"),
    Key("unparsed_lines", INTEGER, "lines inside the report that could not be read"),
)
HOST: Final = (
    Key("name", STRING_OR_NULL),
    Key("kernel", STRING_OR_NULL, "the release, as the report's CPU line has it"),
    Key(
        "page_size",
        Shape(
            (
                Key("bytes", INTEGER, get=attrgetter("page_size_bytes")),
                Key("basis", words(PageSizeBasis), get=attrgetter("page_size_basis")),
            )
        ),
        get=lambda host: host,
    ),
)
INVOKER: Final = (
    Key("pid", INTEGER_OR_NULL, "the thread that asked for memory"),
    Key("comm", STRING_OR_NULL),
    Key("gfp_mask", INTEGER_OR_NULL),
    Key("gfp_flags", STRINGS_OR_NULL, get=lambda who: None if who.gfp_flags is None else list(who.gfp_flags)),
    Key("order", INTEGER_OR_NULL, "the request was for 2^order pages; -1: asked for by hand"),
    Key("oom_score_adj", INTEGER_OR_NULL),
)
MEMCG: Final = (
    Key("oom_path", STRING_OR_NULL, "the cgroup whose limit was hit"),
    Key("usage_bytes", INTEGER_OR_NULL),
    Key("limit_bytes", LIMIT),
    Key("failcnt", INTEGER_OR_NULL, "how often the limit was hit"),
    Key("swap_usage_bytes", INTEGER_OR_NULL, "cgroup v2"),
    Key("swap_limit_bytes", LIMIT, "cgroup v2"),
    Key("memsw_usage_bytes", INTEGER_OR_NULL, "memory and swap together, cgroup v1"),
    Key("memsw_limit_bytes", LIMIT, "cgroup v1"),
    Key("memsw_failcnt", INTEGER_OR_NULL, "cgroup v1"),
    Key("kmem_usage_bytes", INTEGER_OR_NULL, "kernel memory, cgroup v1"),
    Key("kmem_limit_bytes", LIMIT, "cgroup v1"),
    Key("stat", FIGURES, "the printed statistics: bytes, counts where the kernel counts"),
)
ZONE: Final = (
    Key("node", INTEGER),
    Key("name", STRING, "DMA, DMA32, Normal, HighMem, Movable, Device"),
    *_plain("free_bytes", "min_bytes", "low_bytes", "high_bytes", "reserved_highatomic_bytes"),
    *_plain("present_bytes", "managed_bytes", "free_cma_bytes"),
)
NODE: Final = (
    *_plain("ram_bytes", "free_bytes", "total_swap_bytes", "free_swap_bytes"),
    *_plain("active_anon_bytes", "inactive_anon_bytes", "active_file_bytes", "inactive_file_bytes"),
    *_plain("unevictable_bytes", "shmem_bytes", "slab_reclaimable_bytes", "slab_unreclaimable_bytes"),
    *_plain("pagetables_bytes", "hugepages_bytes"),
    Key("zones", Shape(ZONE, many=True)),
)
TASK: Final = (
    Key("pid", INTEGER, get=attrgetter("row.pid")),
    Key("tgid", INTEGER_OR_NULL, get=attrgetter("row.tgid")),
    Key("uid", INTEGER_OR_NULL, get=attrgetter("row.uid")),
    Key("comm", STRING, get=attrgetter("row.comm")),
    Key("total_vm_bytes", INTEGER_OR_NULL, get=lambda one: one.size(one.row.total_vm_pages)),
    Key("total_vm_pages", INTEGER_OR_NULL, "as printed", attrgetter("row.total_vm_pages")),
    Key("rss_bytes", INTEGER_OR_NULL, get=lambda one: one.size(one.row.rss_pages)),
    Key("rss_pages", INTEGER_OR_NULL, "as printed", attrgetter("row.rss_pages")),
    Key("pgtables_bytes", INTEGER_OR_NULL, get=attrgetter("row.pgtables_bytes")),
    Key("swap_bytes", INTEGER_OR_NULL, get=lambda one: one.size(one.row.swap_pages)),
    Key("swap_pages", INTEGER_OR_NULL, "as printed", attrgetter("row.swap_pages")),
    Key("oom_score_adj", INTEGER_OR_NULL, get=attrgetter("row.oom_score_adj")),
    Key(
        "badness_pages",
        INTEGER_OR_NULL,
        "recomputed; null where the process is exempt or the text lacks a term",
        attrgetter("row.badness_pages"),
    ),
)
VICTIM: Final = (
    Key("pid", INTEGER),
    Key("comm", STRING),
    *_plain("uid", "total_vm_bytes", "anon_rss_bytes", "file_rss_bytes", "shmem_rss_bytes"),
    *_plain("pgtables_bytes", "oom_score_adj"),
    Key("via", words(Via)),
)
CONTAINER: Final = (Key("runtime", STRING), Key("id", STRING))
KUBERNETES: Final = (
    Key("qos", STRING_OR_NULL, "guaranteed, burstable or besteffort"),
    Key("pod_uid", STRING_OR_NULL, "of the victim's pod"),
    Key("level", STRING, "whose limit was hit: container, pod, qos or node-allocatable"),
)
VERDICT: Final = (
    Key("cause", words(Cause)),
    Key("confidence", words(Confidence)),
    Key("summary", STRING, "one or two sentences for a ticket"),
    Key("why_victim", STRING_OR_NULL, get=lambda verdict: _sentences(verdict.why_victim)),
    Key("why_while_free", STRING_OR_NULL, get=lambda verdict: _sentences(verdict.why_while_free)),
    Key(
        "evidence",
        Shape(
            (Key("line", INTEGER, get=lambda one: one[0]), Key("text", STRING, get=lambda one: one[1])),
            many=True,
        ),
        "the log lines that the verdict rests on",
        all_evidence,
    ),
    Key(
        "advice",
        Shape(
            (Key("what", STRING), Key("command", STRING_OR_NULL, "to paste; never run by memwarden")),
            many=True,
        ),
    ),
    Key("would_have_helped", STRINGS, get=lambda verdict: list(verdict.would_have_helped)),
    Key(
        "filled_by",
        Shape(
            (Key("what", STRING, get=lambda part: part[0]), Key("bytes", INTEGER, get=lambda part: part[1])),
            many=True,
        ),
        "what filled the limit or the machine, largest first; free and unexplained come last",
    ),
    Key(
        "choice_checked",
        BOOLEAN_OR_NULL,
        "true: the recomputed scores name the same victim; null: not checkable",
    ),
    Key("choice_note", STRING_OR_NULL),
)
INCIDENT: Final = (
    Key("source", Shape(SOURCE), get=attrgetter("report.source")),
    Key(
        "time",
        Shape((Key("monotonic_us", INTEGER_OR_NULL), Key("wall", STRING_OR_NULL))),
        "of the report's first line with a stamp",
        attrgetter("report.when"),
    ),
    Key("host", Shape(HOST), get=attrgetter("report.host")),
    Key("scope", words(Scope), "whose limit was hit", attrgetter("report.scope")),
    Key("constraint", STRING_OR_NULL, "as printed", attrgetter("report.constraint")),
    Key("killed", BOOLEAN_OR_NULL, "null: the text ends before one can know", attrgetter("report.killed")),
    Key("panic", BOOLEAN, get=attrgetter("report.panic")),
    Key("invoker", Shape(INVOKER), get=attrgetter("report.invoker")),
    Key("task_path", STRING_OR_NULL, "the victim's cgroup as printed", attrgetter("report.task_path")),
    Key("memcg", Shape(MEMCG, or_null=True), get=attrgetter("report.memcg")),
    Key("node", Shape(NODE, or_null=True), get=attrgetter("report.node")),
    Key("tasks", Shape(TASK, many=True), get=_rows),
    Key("tasks_listed", INTEGER, "rows of the task table", attrgetter("report.tasks_listed")),
    Key("victims", Shape(VICTIM, many=True), get=attrgetter("report.victims")),
    Key("unit", STRING_OR_NULL, "the victim's systemd unit"),
    Key("container", Shape(CONTAINER, or_null=True)),
    Key("kubernetes", Shape(KUBERNETES, or_null=True)),
    Key("verdict", Shape(VERDICT)),
)
