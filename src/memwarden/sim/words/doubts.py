"""What cannot be, and what is legal and odd: said with what the kernel does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim import scenario as sim
from memwarden.sim.words import spots
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.world import kept_free
from memwarden.state.cgroup import ancestry
from memwarden.units import MAX, SECOND_US, size
from memwarden.words.near import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.sim.words.merge import Newcomer
    from memwarden.words.problems import Place

LONGEST_H: Final = 366 * 24
"""A year: an hour of a small machine takes a second or so to simulate."""
MOST_RAM: Final = 1 << 52
"""4096 TiB: ``arch/x86/include/asm/sparsemem.h:MAX_PHYSMEM_BITS`` (v6.12)."""


def say(scenario: sim.Scenario, place: Place) -> None:
    """Note what is wrong with a scenario as a whole, and what is odd."""
    _whole(scenario, place.at("scenario", title="[scenario]"))
    _machine(scenario.machine, place.at("machine", title="[machine]"))
    for group in scenario.groups:
        _group(group, spots.group(place, group.path))
    for program in scenario.programs:
        _program(program, scenario, spots.program(place, program.name))


def newcomers(found: Iterable[Newcomer], scenario: sim.Scenario, place: Place) -> None:
    """Note who is new in a text that extends another, and surely a slip: an empty cgroup, half a program."""
    running = {path for one in scenario.programs for path in ancestry(one.cgroup)}
    whole = {one.name for one in scenario.programs}
    right = all(problem.warning for problem in place.problems)  # else a program may be left out
    for one in found:
        if one.section == "program" and one.name not in whole and (meant := nearest(one.name, one.there)):
            spots.program(place, one.name).wrong(f"there is no such program in what is extended{meant}")
        empty = one.section == "group" and one.name not in running
        if empty and right and (meant := nearest(one.name, one.there)):
            spots.group(place, one.name).wrong(
                f"nothing runs in it, and there is no such cgroup in what is extended{meant}", warning=True
            )


def _whole(scenario: sim.Scenario, place: Place) -> None:
    for key, value in (("duration", scenario.duration_us), ("sample", scenario.sample_us)):
        if value <= 0:
            place.at(key).wrong(f'{key}: nothing takes no time; write it as {key} = "1s" or more')
    if scenario.duration_us > LONGEST_H * 3600 * SECOND_US:
        place.at("duration").wrong(f'duration: more than a year takes too long; write "{LONGEST_H}h" or less')
    if not scenario.programs:
        place.wrong("nothing runs in it; write [program.NAME] for what does", warning=True)


def _machine(machine: sim.Machine, place: Place) -> None:
    held = machine.kernel_bytes + kept_free(machine)
    if machine.ram_bytes > MOST_RAM:
        place.at("ram").wrong(
            f"ram: {size(machine.ram_bytes)} is more than a processor can address; write 4096TiB at most"
        )
    elif held >= machine.ram_bytes:
        place.at("ram").wrong(
            f"ram: {size(machine.ram_bytes)} is no more than what the kernel holds and keeps free "
            f"({size(held)}); give it more"
        )
    page = machine.traits.page_size_bytes
    if page != PAGE:
        place.under("traits").at("page_size").wrong(
            f"page_size: only pages of {size(PAGE)} are simulated, none of {size(page)}; leave it out"
        )
    for key, value in (("fault", machine.fault_us), ("copy", machine.copy_us)):
        if value <= 0:
            place.at(key).wrong(f'{key}: no page comes in no time; write it as {key} = "1ns" or more')
    _disk(machine.disk, place.under("disk"))
    if machine.zswap is not None and machine.swap is None:
        place.at("zswap").wrong(
            "zswap: compresses nothing where there is no swap, since each of its pages needs a slot there; "
            'give the machine one, swap = { size = "1GiB" }',
            warning=True,
        )
    if machine.swap is not None:
        _disk(machine.swap.disk, place.under("swap").under("disk"))


def _disk(disk: sim.Disk, place: Place) -> None:
    for key, value in (("read", disk.read_bps), ("write", disk.write_bps)):
        if value <= 0:
            place.at(key).wrong(f'{key}: nothing moves at this rate; write it as {key} = "200MiB/s"')


def _group(group: sim.Group, place: Place) -> None:
    """``mm/memcontrol.c:try_charge_memcg`` and ``effective_protection (v6.12)``."""
    for key, value in (("memory.min", group.min_bytes), ("memory.low", group.low_bytes)):
        if value > group.max_bytes:
            place.at(*key.split(".")).wrong(
                f"{key} is above memory.max ({size(value)}, {size(group.max_bytes)}): the kernel takes it. "
                "Protection counts up to what is used, so all of it is protected from others; at memory.max "
                "it is still reclaimed by its own limit, and killed when that frees nothing",
                warning=True,
            )
    if group.high_bytes != MAX and group.high_bytes >= group.max_bytes:
        place.at("memory", "high").wrong(
            f"memory.high is not below memory.max ({size(group.high_bytes)}, {size(group.max_bytes)}): the "
            "kernel takes it, and never throttles, since reclaim and the OOM killer at memory.max come first",
            warning=True,
        )


def _program(program: sim.Program, scenario: sim.Scenario, place: Place) -> None:
    if program.start_us >= scenario.duration_us:
        place.at("start").wrong("start: is after the end of the simulation; it never runs", warning=True)
    if program.stop_us is not None and program.stop_us <= program.start_us:
        place.at("stop").wrong("stop: is not after start; it would never run")


def change(at_us: int, duration_us: int, place: Place) -> None:
    """Note a change that comes too late."""
    if at_us > duration_us:
        place.at("at").wrong("at: is after the end of the simulation; it never happens", warning=True)


def part(one: sim.Part, place: Place) -> None:
    """Note what cannot be within one part."""
    if isinstance(one, sim.WorkingSet) and one.hot_bytes > one.anon_bytes:
        place.at("hot").wrong(f"hot: {size(one.hot_bytes)} is more than anon, of which it is a part")
    if isinstance(one, sim.Sawtooth) and one.bottom_bytes >= one.top_bytes:
        place.at("bottom").wrong(f"bottom: {size(one.bottom_bytes)} is not below top")
    if isinstance(one, sim.Steps) and one.every_us <= 0:
        place.at("every").wrong('every: nothing takes no time; write it as every = "1s"')
    if isinstance(one, sim.ReadFile | sim.WriteFile) and one.file_bytes <= 0:
        place.at("size").wrong('size: there is nothing in a file of this size; write it as size = "64MiB"')
    rates = (
        ("rate", "rate_bps", "moves", "20MiB/s"),
        ("requests", "requests_per_s", "comes", "100/s"),
        ("per_s", "per_s", "starts", "10/s"),
    )
    for key, field, does, sample in rates:
        rate = getattr(one, field, None)
        if rate is not None and rate <= 0:
            text = f'{key}: nothing {does} at this rate; leave it out, or write it as {key} = "{sample}"'
            place.at(key).wrong(text)
