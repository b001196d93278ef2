"""Where the tables of a scenario stand, and what a person calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.words.kinds import key, quoted

if TYPE_CHECKING:
    from memwarden.words.problems import Place


def group(top: Place, path: str) -> Place:
    """The table of a cgroup."""
    return top.at("group", path, title=f"[group.{quoted(path)}]")


def program(top: Place, name: str) -> Place:
    """The table of a program."""
    return top.at("program", name, title=f"[program.{key(name)}]")
