"""The document of ``record``."""

from __future__ import annotations

import jsonschema
import pytest

from memwarden.present.record_json import document, schema
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.snapshot import CgroupMode
from tests.rules.machines import cgroup, process, snapshot


def test_the_document_is_what_its_schema_says():
    one = snapshot((cgroup("/"), cgroup("/a")), (process(1),))
    one = one._replace(gaps=(Gap("/x", GapReason.GONE),), cgroup_mode=CgroupMode.V1)
    made = document("x.rootar", 123, 2, one)
    jsonschema.validate(made, schema())
    assert (made["cgroups"], made["processes"], made["cgroup_mode"]) == (2, 1, "v1")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made | {"gaps": [{"path": "/x", "reason": "because", "detail": ""}]}, schema())
