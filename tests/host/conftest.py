"""Fixtures of the tests that read this machine."""

from __future__ import annotations

import pytest

from tests.host.live import make_live_cgroup, make_live_cgroup2

live_cgroup = pytest.fixture(make_live_cgroup)
live_cgroup2 = pytest.fixture(make_live_cgroup2)
