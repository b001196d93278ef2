"""Where the laboratory finds the archive: in the host's own sources."""

from __future__ import annotations

from lab import apt
from lab.apt import Source, parse_deb822, parse_list

DEB822 = """\
Types: deb
# a comment between fields
URIs: ftp://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb deb-src
URIs: ftp://mirror.example/security
 ftp://other.example/security
Suites: bookworm-security

Enabled: no
Types: deb
URIs: ftp://off.example/debian
Suites: sid

Types: deb-src
URIs: ftp://source.example/debian
Suites: trixie
"""


def test_deb822_every_address_with_every_suite():
    assert parse_deb822(DEB822) == [
        Source("ftp://mirror.example/debian", "bookworm"),
        Source("ftp://mirror.example/debian", "bookworm-updates"),
        Source("ftp://mirror.example/security", "bookworm-security"),
        Source("ftp://other.example/security", "bookworm-security"),
    ]


def test_one_line_form():
    text = """\
# deb ftp://off.example/debian sid main
deb [arch=amd64 signed-by=/a/b.gpg] ftp://mirror.example/debian trixie main contrib
deb-src ftp://source.example/debian trixie main
deb ftp://mirror.example/security trixie-security main
"""
    assert parse_list(text) == [
        Source("ftp://mirror.example/debian", "trixie"),
        Source("ftp://mirror.example/security", "trixie-security"),
    ]


def test_address_is_that_of_a_suite_of_debian(monkeypatch):
    sources = [
        Source("ftp://vendor.example/node", "nodistro"),
        Source("ftp://mirror.example/debian", "bookworm-updates"),
        Source("ftp://mirror.example/debian", "bookworm"),
        Source("ftp://mirror.example/security", "bookworm-security"),
    ]
    monkeypatch.setattr(apt, "host_sources", lambda: sources)
    assert apt.archive_uri(security=False) == "ftp://mirror.example/debian"
    assert apt.archive_uri(security=True) == "ftp://mirror.example/security"
    monkeypatch.setattr(apt, "host_sources", lambda: sources[:1])
    assert apt.archive_uri(security=False) is None


def test_a_private_directory_leaves_the_hosts_lists_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(apt, "CACHE", tmp_path)
    options = apt.Apt("sid").options
    for name in ("Dir::Etc::sourcelist", "Dir::Etc::sourceparts", "Dir::State::lists", "Dir::Cache"):
        assert any(option.startswith(f"{name}={tmp_path}/apt/sid/") for option in options)
