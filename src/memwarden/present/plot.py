"""A simulation as a picture: usage by kind against the limits, pressure and events, on one time axis.

matplotlib draws it, and is asked for only here and in :mod:`plot_sweep`. The same result gives the same bytes
with the same version of matplotlib: no date, no random names, and its own fonts.
"""

from __future__ import annotations

from html import escape as html_escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from memwarden.errors import UnsupportedError, UsageError
from memwarden.present.explain_page import COLOURS, END, head
from memwarden.present.plot_names import names
from memwarden.present.simulate_words import MACHINE, at, event, headline, machine_line
from memwarden.present.text import counted, cut, escape
from memwarden.sim.result import Kind
from memwarden.sim.summary import DEATHS, killer, summary, told
from memwarden.units import MAX, MIB, SECOND_US

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from memwarden.sim.result import Result, Sample
    from memwarden.sim.scenario import Scenario
    from memwarden.units import Limit

ENDS: Final = (".svg", ".png", ".html")
MISSING: Final = (
    "a plot needs matplotlib, which is not installed; pip install 'memwarden[plot]' (the text and "
    "--format json need nothing)"
)
COLUMNS: Final = 4
TITLE: Final = 60
"""Characters of a panel's title; more would run into the panel beside it."""
PANELS: Final = 3
"""Cgroups that are drawn besides the machine."""
OTHERS: Final = "and {} not shown: who died, has a limit or stalled longest goes first"
KINDS: Final = (
    ("anon", COLOURS["anon"]),
    ("shmem", COLOURS["shmem"]),
    ("file", COLOURS["file"]),
    ("dirty", COLOURS["unevictable"]),
    ("kernel", COLOURS["kernel"]),
    ("sock", COLOURS["sockets"]),
)
LINES: Final = (
    ("memory.min", "min_bytes", "#3b7d3b", ":"),
    ("memory.low", "low_bytes", "#3b7d3b", "--"),
    ("memory.high", "high_bytes", "#c77700", "--"),
    ("memory.max", "max_bytes", "#b3261e", "-"),
)
SWAP: Final = "in swap (not counted by memory.max)"
SWAP_HIGH: Final = "memory.swap.high"
STROKES: Final = {Kind.OOM_KILL: "-", Kind.KILL: "--", Kind.TERM: ":"}
SETTINGS: Final = {
    "svg.hashsalt": "memwarden",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,  # a name may have dollars in it
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
}


def check(path: str) -> None:
    """Raise where nothing can be drawn to such a file, before anything is simulated."""
    if not path.endswith(ENDS):
        raise UsageError(f"--plot {path}: the name has to end in {', '.join(ENDS)}")
    figures()


def figures() -> Any:
    """``matplotlib.figure``, with what makes its output the same every time.

    Raises :class:`UnsupportedError` where matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - optional, and slow to import
        from matplotlib import figure  # noqa: PLC0415 - the same
    except ImportError as error:
        raise UnsupportedError(MISSING) from error
    mpl.rcParams.update(SETTINGS)
    return figure


def write(runs: Sequence[tuple[str, Result]], path: str, file: BinaryIO) -> None:
    """Draw runs beside each other, at most four; on a page below each other, so that none is out of sight."""
    if path.endswith(".html"):
        file.write("".join(_page(runs)).encode("utf-8", "surrogateescape"))
    else:
        file.write(saved(_draw(runs[:COLUMNS]), path.rpartition(".")[2]))


def saved(drawn: Any, kind: str) -> bytes:
    """A figure as a file's bytes."""
    out = BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    drawn.savefig(out, format=kind, dpi=110, metadata=metadata)
    return out.getvalue()


def _draw(runs: Sequence[tuple[str, Result]]) -> Any:
    paths, others = _paths(runs[0][1])
    rows = len(paths) + 2
    drawn = figures().Figure(figsize=(5.2 + 4.6 * len(runs), 1.3 + 1.9 * (rows - 1)), layout="constrained")
    heights = [*([2.0] * (len(paths) + 1)), 1.2]
    axes = drawn.subplots(
        rows, len(runs), sharex="col", sharey="row", squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for column, (label, result) in enumerate(runs):
        for row, path in enumerate([MACHINE, *paths]):
            _usage(axes[row][column], result, path)
            _events(axes[row][column], result, path, (5.2 + 4.6 * len(runs)) / len(runs) - 0.6)
        _pressure(axes[rows - 1][column], result, paths)
        axes[0][column].set_title(f"{cut(escape(label), TITLE)}\nthe machine")
    for beside in axes[:-1]:  # one scale for all runs, once all are drawn: none is cut off
        beside[0].set_ylim(bottom=0, top=1.15 * beside[0].get_ylim()[1])
    if others:
        axes[-1][0].set_title(
            OTHERS.format(counted(others, "more cgroup", "more cgroups")),
            loc="right", fontsize=7, fontweight="normal", color="#5c5c5c",
        )  # fmt: skip
    drawn.suptitle(title(runs[0][1].scenario), x=0.01, ha="left", fontsize=10)
    drawn.align_ylabels(axes)
    handles, labels = _legend(axes)
    drawn.legend(
        handles, labels, loc="outside lower left", ncols=4 if len(runs) == 1 else 6, frameon=False, fontsize=8
    )
    return drawn


def title(scenario: Scenario) -> str:
    """What stands above a picture: the name, and what it shows where that is said."""
    return escape(f"{scenario.name}: {scenario.text}" if scenario.text else scenario.name)


def _paths(result: Result) -> tuple[list[str], int]:
    """The cgroups that say most of those that have a limit or a program, and how many there are besides.

    Where somebody died comes first, then who has a limit, then who stalled longest, then who held most.
    """
    died = {one.cgroup for one in result.events if one.kind in DEATHS}
    limited = {one.path for one in result.scenario.groups if one[1:-1] != type(one)(one.path)[1:-1]}
    owners = {one.cgroup for one in result.scenario.programs}
    found = [one for one in summary(result).groups if one.path in limited | owners and one.peak_bytes]
    found.sort(
        key=lambda one: (
            one.path not in died, one.path not in limited, -one.stalled_us, -one.peak_bytes, one.path,
        )
    )  # fmt: skip
    shown = sorted(one.path for one in found[:PANELS])
    return shown, len(found) - len(shown)


def _times(result: Result) -> list[float]:
    return [one.time_us / SECOND_US for one in result.samples]


def _usage(axis: Any, result: Result, path: str) -> None:
    times = _times(result)
    ram = result.scenario.machine.ram_bytes if path == MACHINE else 0
    used = [_kinds(one, path, ram) for one in result.samples]
    layers = [[figures[kind] / MIB for figures in used] for kind, _ in KINDS]
    axis.stackplot(
        times, *layers, colors=[colour for _, colour in KINDS], labels=[kind for kind, _ in KINDS],
        linewidth=0, alpha=0.85,
    )  # fmt: skip
    _limits(axis, result, path, times)
    _swap(axis, result, path, times)
    axis.set_title(_named(path, TITLE))
    axis.set_ylabel("MiB")
    axis.margins(x=0)


def _kinds(sample: Sample, path: str, ram: int) -> dict[str, int]:
    """Parts that add up to what is used: shared memory and what is dirty are parts of ``file``.

    Of the machine, what nobody is charged for is the kernel's.
    """
    group = sample.groups.get(path)
    if group is None:
        return dict.fromkeys((kind for kind, _ in KINDS), 0)
    usage = group.usage
    uncharged = max(0, ram - sample.free_bytes - usage.total) if ram else 0
    return {
        "anon": usage.anon,
        "shmem": usage.shmem,
        "file": max(0, usage.file - usage.shmem - usage.dirty),
        "dirty": usage.dirty,
        "kernel": usage.kernel + uncharged,
        "sock": usage.sock,
    }


def _limits(axis: Any, result: Result, path: str, times: Sequence[float]) -> None:
    if path == MACHINE:
        ram = result.scenario.machine.ram_bytes / MIB
        axis.axhline(ram, color="#444444", linewidth=1, label="memory of the machine")
        return
    for name, field, colour, style in LINES:
        values = [_limit(sample, path, field) for sample in result.samples]
        if any(value is not None for value in values):
            plain = [float("nan") if value is None else value for value in values]
            axis.plot(times, plain, color=colour, linestyle=style, linewidth=1.3, label=name)
    _shade(axis, times, [_above_high(one, path) for one in result.samples], "memory.high", "#c77700")


def _swap(axis: Any, result: Result, path: str, times: Sequence[float]) -> None:
    """What is in swap, as a line: stacked upon the rest it would seem to be above memory.max.

    Who has more there than memory.swap.high is slowed down as above memory.high
    (``mm/memcontrol.c:mem_cgroup_handle_over_high``, v6.12).
    """
    swapped = [one.groups[path].usage.swap if path in one.groups else 0 for one in result.samples]
    if not any(swapped):
        return
    around = zip([0, *swapped[:-1]], swapped, [*swapped[1:], 0], strict=True)
    values = [now / MIB if before or now or after else float("nan") for before, now, after in around]
    axis.plot(times, values, color="white", linewidth=3, alpha=0.8)  # so that it stands out from the areas
    axis.plot(times, values, color="black", linestyle="-.", linewidth=1.3, label=SWAP)
    highs = _swap_highs(result, path)
    if any(high != MAX for high in highs):
        plain = [high / MIB if isinstance(high, int) else float("nan") for high in highs]
        axis.plot(times, plain, color="#7f3c8d", linestyle="--", linewidth=1.3, label=SWAP_HIGH)
    above = [used > high for used, high in zip(swapped, highs, strict=True)]
    _shade(axis, times, above, SWAP_HIGH, "#7f3c8d")


def _swap_highs(result: Result, path: str) -> list[Limit]:
    """memory.swap.high at each sample: samples do not have it, but only the scenario ever writes it."""
    scenario = result.scenario
    set_at = [(0, one.swap_high_bytes) for one in scenario.groups if one.path == path]
    set_at += [
        (one.at_us, one.value) for one in scenario.changes if (one.cgroup, one.knob) == (path, SWAP_HIGH)
    ]
    set_at.sort(key=lambda one: one[0])
    return [
        next((value for when, value in reversed(set_at) if when <= sample.time_us), MAX)
        for sample in result.samples
    ]


def _shade(axis: Any, times: Sequence[float], where: Sequence[bool], limit: str, colour: str) -> None:
    if any(where):
        axis.fill_between(
            times, 0, 1, where=where, transform=axis.get_xaxis_transform(), color=colour, alpha=0.13,
            linewidth=0, label=f"above {limit}: throttled",
        )  # fmt: skip


def _above_high(sample: Sample, path: str) -> bool:
    group = sample.groups.get(path)
    return group is not None and group.usage.total > group.high_bytes


def _limit(sample: Sample, path: str, field: str) -> float | None:
    group = sample.groups.get(path)
    value = None if group is None else getattr(group, field)
    return None if value is None or value in (MAX, 0) else value / MIB


def _events(axis: Any, result: Result, path: str, inches: float) -> None:
    """Kills as red lines, and who died; ``inches`` is how wide the panel is."""
    died = [one for one in result.events if one.kind in DEATHS and _inside(one.cgroup, path)]
    for one in died:
        label = f"{'SIGTERM' if one.kind is Kind.TERM else 'killed'} by {killer(one)}"
        when = one.time_us / SECOND_US
        axis.axvline(when, color="#d00000", linewidth=1.1, linestyle=STROKES[one.kind], label=label)
    for name in names(died, result.scenario.duration_us, inches):
        axis.annotate(
            name.text, (name.time_us / SECOND_US, 1.0), xycoords=("data", "axes fraction"),
            xytext=(2, -8 * name.line),
            textcoords="offset points", fontsize=7, color="#d00000", annotation_clip=True,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip


def _inside(cgroup: str, path: str) -> bool:
    return path in (MACHINE, cgroup) or cgroup.startswith(f"{path}/")


def _named(path: str, columns: int) -> str:
    return "the machine" if path == MACHINE else cut(escape(path), columns)


def _pressure(axis: Any, result: Result, paths: Sequence[str]) -> None:
    """Share of the time that some tasks stalled, from one sample to the next, and the machine's avg10."""
    times = _times(result)
    axis.plot(times, [one.some_avg10 for one in result.samples], color="#444444", linewidth=1.4,
              label="some avg10 of the machine")  # fmt: skip
    axis.plot(times, [one.full_avg10 for one in result.samples], color="#b3261e", linewidth=1.1,
              label="full avg10 of the machine")  # fmt: skip
    for path in paths:
        axis.plot(times, _stalls(result.samples, path), linewidth=0.8, alpha=0.8)
        axis.lines[-1].set_label(f"some, {_named(path, 32)}")
    axis.set_title("pressure")
    axis.set_ylabel("% of time")
    axis.set_xlabel("seconds")
    axis.set_ylim(0, 105)
    axis.margins(x=0)


def _stalls(samples: Sequence[Sample], path: str) -> list[float]:
    found, before, since = [], 0, 0
    for sample in samples:
        now = sample.groups[path].some_us if path in sample.groups else before
        span = sample.time_us - since
        found.append(100 * max(0, now - before) / span if span else 0.0)
        before, since = now, sample.time_us
    return found


def _legend(axes: Any) -> tuple[list[Any], list[str]]:
    found: dict[str, Any] = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def _page(runs: Sequence[tuple[str, Result]]) -> list[str]:
    """One HTML page that needs nothing else: of each run the picture, and what happened as a table."""
    first = runs[0][1]
    heading = html_escape(title(first.scenario))
    parts = [head(heading), f"<h1>{heading}</h1>\n<p>{html_escape(machine_line(first))}</p>\n"]
    for label, result in runs:
        svg = saved(_draw([(label, result)]), "svg").decode()
        said = html_escape(headline(summary(result)))
        heading = f"{html_escape(escape(label))}: "
        rows = "".join(
            f'<tr{_class(one.event.kind)}><td class="n">{at(one.event.time_us)}</td>'
            f"<td>{html_escape(event(one, result))}</td></tr>\n"
            for one in told(result.events)
        )
        picture = f'<div class="wide">{svg[svg.index("<svg") :]}</div>\n'
        parts.append(
            f"<article>\n<h2>{heading}{said}</h2>\n{picture}<table><tbody>\n{rows}</tbody></table>\n</article>\n"
        )
    return [*parts, END]


def _class(kind: Kind) -> str:
    return ' class="dead"' if kind in DEATHS else ""
