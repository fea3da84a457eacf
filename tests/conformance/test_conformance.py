"""The conformance suite, groups 2 and 3: one test for each numbered case, host and router."""

from __future__ import annotations

import pytest

from tests.conformance import groups, registry
from tests.conformance.cases import Case

_RUNS = groups.runs()


@pytest.mark.parametrize(("case", "role"), _RUNS, ids=[registry.test_id(one, role) for one, role in _RUNS])
def test_case(case: Case, role: str) -> None:
    registry.play(case, role)
