"""The kernels the laboratory boots, and how each is fetched and unpacked.

Debian's cloud kernels are built with everything memwarden reads and few drivers, so they boot quickly. Which
of them still have a v1 memory controller is Debian's choice of CONFIG_MEMCG_V1 (off since 6.12).
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from lab.apt import Apt, open_suite
from lab.errors import LabError
from lab.paths import CACHE, run

if TYPE_CHECKING:
    from pathlib import Path

META = "linux-image-cloud-amd64"
_PARTS = re.compile(r"^linux-(image|binary|modules|base)-\d")


class Series(NamedTuple):
    """A kernel series and the Debian suite that carries it."""

    name: str
    suite: str
    memcg_v1: bool


SERIES = (
    Series("5.10", "bullseye", memcg_v1=True),
    Series("6.1", "bookworm", memcg_v1=True),
    Series("6.12", "trixie", memcg_v1=False),
    Series("7.2", "sid", memcg_v1=False),
)
SPARE_SUITES = ("trixie-backports", "bookworm-backports", "forky", "forky-backports")


class Kernel(NamedTuple):
    """A kernel ready to boot: its series, exact release, and the files unpacked from its packages."""

    series: str
    release: str
    version: str
    suite: str
    memcg_v1: bool
    vmlinuz: Path
    modules: Path


def _folder(suite: str) -> Path:
    return CACHE / "kernels" / suite


def _load(suite: str) -> Kernel | None:
    """What an earlier run unpacked for this suite."""
    note = _folder(suite) / "kernel.json"
    if not note.exists():
        return None
    facts = json.loads(note.read_text())
    return Kernel(
        **facts, suite=suite, vmlinuz=_folder(suite) / "vmlinuz", modules=_folder(suite) / "modules"
    )


def fetch(suite: str) -> Kernel:
    """Download and unpack the suite's current cloud kernel, unless the cache has one."""
    cached = _load(suite)
    if cached:
        return cached
    apt = open_suite(suite)
    images = [name for name in apt.depends(META) if re.match(r"linux-image-\d", name)]
    if not images:
        raise LabError(f"suite {suite} has no {META}")
    packages = _with_parts(apt, images[0])
    folder = _folder(suite)
    shutil.rmtree(folder, ignore_errors=True)
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for package in packages:
        deb = apt.download(package, folder / "debs")
        run("dpkg-deb", "-x", deb, tree)
    version = apt.version(images[0]) or "unknown"
    return _keep(suite, images[0].removeprefix("linux-image-"), version, tree)


def _with_parts(apt: Apt, image: str) -> list[str]:
    """The image package and, where the suite splits it, the packages that hold its files."""
    parts = [name for name in apt.depends(image) if _PARTS.match(name)]
    return [image, *parts]


def _keep(suite: str, release: str, version: str, tree: Path) -> Kernel:
    """Keep vmlinuz and the modules of an unpacked kernel and remove the rest."""
    folder = _folder(suite)
    images = sorted(path for path in tree.rglob("vmlinuz*") if path.is_file())
    modules = sorted(path for path in tree.rglob(f"modules/{release}/kernel") if path.is_dir())
    if not images or not modules:
        raise LabError(
            f"{release}: its packages hold {'no modules' if images else 'no vmlinuz'}; the layout changed"
        )
    images[0].replace(folder / "vmlinuz")
    modules[0].replace(folder / "modules")
    series = ".".join(release.split(".")[:2])
    has_v1 = next((s.memcg_v1 for s in SERIES if s.name == series), False)
    note = {"series": series, "release": release, "version": version, "memcg_v1": has_v1}
    (folder / "kernel.json").write_text(json.dumps(note))
    shutil.rmtree(tree)
    shutil.rmtree(folder / "debs")
    found = _load(suite)
    assert found is not None
    return found


def fetch_all() -> list[Kernel]:
    """One kernel per suite, spare suites standing in for what cannot be had. Below four is an error."""
    kernels: list[Kernel] = []
    problems = []
    wanted = {series.suite: series.name for series in SERIES}
    for suite in [*wanted, *SPARE_SUITES]:
        if len(kernels) >= len(SERIES):
            break
        try:
            kernel = fetch(suite)
        except LabError as error:
            problems.append(f"{suite}: {error}")
            continue
        if kernel.release in (other.release for other in kernels):
            continue
        if wanted.get(suite, kernel.series) != kernel.series:
            print(f"lab: {suite} has no {wanted[suite]} any more; its kernel is {kernel.release}", flush=True)
        kernels.append(kernel)
    if len(kernels) < len(SERIES):
        raise LabError(f"only {len(kernels)} kernels: " + "; ".join(problems))
    return kernels
