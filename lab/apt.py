"""A private apt directory per suite, so that the host's own lists and sources stay as they are.

The address of the archive is read from the host's own sources at run time and signed by the host's
debian-archive-keyring (or the newer one of the host's own suite, when a suite is signed by a key it lacks).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from lab.errors import LabError
from lab.paths import CACHE, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ETC = Path("/etc/apt")
_SUITE = re.compile(r"^(bullseye|bookworm|trixie|forky|duke|sid|stable|testing|unstable|oldstable)$")
_SECURITY = re.compile(r"^(\w+-security|\w+/updates)$")


class Source(NamedTuple):
    """One address of the host's own apt sources with one of its suites."""

    uri: str
    suite: str


def parse_list(text: str) -> list[Source]:
    """The entries of a one-line ``sources.list``."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line)
        if match:
            found.append(Source(match[1], match[2]))
    return found


def parse_deb822(text: str) -> list[Source]:
    """The entries of a ``*.sources`` file: every address with every suite."""
    found = []
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"(?m)^([A-Za-z-]+):[ \t]*((?:.*)(?:\n[ \t]+.*)*)$", stanza))
        if fields.get("Enabled", "yes").strip() != "no" and "deb" in fields.get("Types", "").split():
            found += [
                Source(u, s) for u in fields.get("URIs", "").split() for s in fields.get("Suites", "").split()
            ]
    return found


def host_sources() -> list[Source]:
    """Every source of the host, one-line files first."""
    found: list[Source] = []
    for file in [ETC / "sources.list", *sorted((ETC / "sources.list.d").glob("*"))]:
        if file.is_file() and file.suffix == ".sources":
            found += parse_deb822(file.read_text(errors="replace"))
        elif file.is_file() and file.suffix == ".list":
            found += parse_list(file.read_text(errors="replace"))
    return found


def archive_uri(*, security: bool) -> str | None:
    """The address of Debian's main (or security) archive as the host itself uses it."""
    pattern = _SECURITY if security else _SUITE
    return next((source.uri for source in host_sources() if pattern.match(source.suite)), None)


def host_codename() -> str:
    """``bookworm`` and the like, from os-release."""
    text = Path("/etc/os-release").read_text()
    match = re.search(r"(?m)^VERSION_CODENAME=(\S+)", text)
    return match[1] if match else "sid"


class Apt:
    """apt with its own sources, lists and cache, for one suite and its security updates."""

    def __init__(self, suite: str, *, keyring: Path = KEYRING) -> None:
        self.suite = suite
        self.keyring = keyring
        self.root = CACHE / "apt" / suite
        self.options = [
            f"Dir::Etc::sourcelist={self.root}/sources.list",
            f"Dir::Etc::sourceparts={self.root}/none",
            f"Dir::Etc::preferencesparts={self.root}/none",
            f"Dir::State::lists={self.root}/lists",
            f"Dir::Cache={self.root}/cache",
            "APT::Sandbox::User=root",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
        ]

    def lines(self) -> list[str]:
        """The content of our sources.list."""
        main = archive_uri(security=False)
        if main is None:
            raise LabError(
                "no Debian archive in /etc/apt/sources.list or /etc/apt/sources.list.d: add one there"
            )
        lines = [f"deb [signed-by={self.keyring}] {main} {self.suite} main"]
        security = archive_uri(security=True)
        if security and self.suite in ("bullseye", "bookworm", "trixie"):
            lines.append(f"deb [signed-by={self.keyring}] {security} {self.suite}-security main")
        return lines

    def call(self, program: str, *words: str, cwd: Path | None = None) -> str:
        """Run apt-get or apt-cache against the private directory."""
        flags = [word for option in self.options for word in ("-o", option)]
        return run(program, *flags, *words, cwd=cwd)

    def update(self) -> None:
        """Fetch the lists, without the security suite when the archive has none of it any more."""
        for part in ("none", "lists/partial", "cache/archives/partial"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
        lines = self.lines()
        problem: LabError | None = None
        for wanted in (lines, lines[:1]):
            (self.root / "sources.list").write_text("\n".join(wanted) + "\n")
            try:
                self.call("apt-get", "update", "-q", "--error-on=any")
            except LabError as error:
                problem = error
            else:
                return
        raise LabError(f"suite {self.suite} cannot be read: {problem}")

    def depends(self, package: str) -> list[str]:
        """The names a package depends on, from the newest version in this suite."""
        text = self.call("apt-cache", "show", "--no-all-versions", package)
        match = re.search(r"(?m)^(?:Pre-)?Depends: (.*)$", text)
        return [re.split(r"[ (:|]", name.strip())[0] for name in match[1].split(",")] if match else []

    def version(self, package: str) -> str | None:
        """The version this suite would install, or None."""
        match = re.search(r"Candidate: (\S+)", self.call("apt-cache", "policy", package))
        return match[1] if match and match[1] != "(none)" else None

    def download(self, package: str, into: Path) -> Path:
        """Fetch one .deb, checked against the signed lists."""
        into.mkdir(parents=True, exist_ok=True)
        before = set(into.iterdir())
        self.call("apt-get", "download", "-q", package, cwd=into)
        new = set(into.iterdir()) - before
        found = sorted(new or into.glob(f"{package}_*.deb"))
        if not found:
            raise LabError(f"{package}: downloaded nothing from suite {self.suite}")
        return found[-1]


def open_suite(suite: str) -> Apt:
    """An updated Apt for the suite; with the newer keyring of the host's own suite when ours is too old."""
    apt = Apt(suite)
    try:
        apt.update()
    except LabError:
        keyring = newer_keyring()
        if keyring is None:
            raise
        apt = Apt(suite, keyring=keyring)
        apt.update()
    return apt


def newer_keyring() -> Path | None:
    """The keyring of the host's own suite, unpacked into the cache, or None when it cannot be had."""
    target = CACHE / "keyring"
    try:
        host = Apt(host_codename())
        host.update()
        run("dpkg-deb", "-x", host.download("debian-archive-keyring", target / "deb"), target)
    except LabError:
        return None
    return target / str(KEYRING).lstrip("/")
