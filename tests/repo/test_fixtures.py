"""Every recording, log and sample says which kernel it came from."""

from __future__ import annotations

import json
import re

import pytest

from tests.repo.tree import relative, tracked

RELEASE = re.compile(rb"\b\d+\.\d+\.\d+[-+]\S*(?:amd64|arm64|generic)")
SERIES = re.compile(r"/(\d+\.\d+)(?:-\w+)?/")


def files(*patterns):
    return [path for path in tracked() if any(re.search(pattern, relative(path)) for pattern in patterns)]


@pytest.mark.parametrize("path", files(r"\.rootar$"), ids=relative)
def test_a_recording_states_its_kernel(path):
    head = path.read_bytes()[:400]
    found = re.search(rb"^FACT kernel_release (\d+\.\d+\S*)$", head, re.MULTILINE)
    assert found
    folder = SERIES.search(relative(path))
    assert folder is None or found[1].decode().startswith(folder[1] + ".")


@pytest.mark.parametrize("path", files(r"^src/memwarden/samples/.*\.log"), ids=relative)
def test_a_sample_holds_its_kernels_release(path):
    assert RELEASE.search(path.read_bytes())


@pytest.mark.parametrize("path", files(r"^tests/golden/lab/.*\.(?:kmsg|dmesg)$"), ids=relative)
def test_a_log_of_the_lab_is_of_the_kernel_of_its_folder(path):
    releases = RELEASE.findall(path.read_bytes())
    assert {b".".join(one.split(b".")[:2]).decode() for one in releases} <= {SERIES.search(relative(path))[1]}


def test_the_folders_of_the_lab_are_four_kernels():
    series = {SERIES.search(relative(path))[1] for path in files(r"^tests/(?:golden|roots)/lab/")}
    assert len(series) >= 4


def test_nothing_of_other_peoples_reports_is_here():
    # Their texts stay beside the checkout; what is here was recorded by the lab, on QEMU.
    texts = {relative(path): path.read_bytes() for path in files(r"\.(?:log|kmsg|dmesg)$")}
    foreign = [name for name, text in texts.items() if b"Hardware name:" in text.replace(b"name: QEMU", b"")]
    assert texts
    assert foreign == []


def test_answers_of_the_lab_are_json():
    for path in files(r"^tests/golden/lab/.*\.json$"):
        assert isinstance(json.loads(path.read_text()), dict), relative(path)
