"""The conformance suite: one test for each numbered case, host and router."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conformance import groups, registry, report
from tests.conformance.cases import CASES, HOST, NOT_DERIVED, SEED_WINS, Case
from tests.conformance.frames import slla
from tests.conformance.moves import common
from tests.conformance.tester import Failure, Tester

_RUNS = groups.runs()


@pytest.mark.parametrize(("case", "role"), _RUNS, ids=[registry.test_id(one, role) for one, role in _RUNS])
def test_case(case: Case, role: str) -> None:
    registry.play(case, role)


def test_every_case_is_played_or_listed_with_a_reason() -> None:
    names = {one.name for one in CASES}
    assert len(CASES) == len(names)
    assert Counter(one.number[0] for one in CASES) == {"1": 78, "2": 267, "3": 45, "4": 15, "5": 40}
    assert names == set(registry.PLAYED) | set(NOT_DERIVED)
    assert not set(registry.PLAYED) & set(NOT_DERIVED)
    assert set(SEED_WINS) <= names
    assert len(_RUNS) == 674 - sum(len(one.roles) for one in CASES if one.name in NOT_DERIVED)


def test_the_documents_are_up_to_date() -> None:
    """``python -m tests.conformance`` writes them."""
    top = Path(__file__).parents[2]
    assert (top / report.PATH).read_text(encoding="utf-8") == report.text()
    coverage = (top / report.COVERAGE).read_text(encoding="utf-8")
    assert coverage == report.coverage(coverage)


def _solicited() -> Tester:
    tester = Tester(HOST, "v6LC.0.0.0")
    common(tester)
    tester.tn2.ns(tester.ll, options=slla(tester.tn2.mac))
    return tester


def test_a_failure_says_which_field_differs_and_shows_the_packets() -> None:
    tester = _solicited()
    with pytest.raises(Failure) as caught:
        tester.expect("na", target=tester.ll, R=1, S=1)
    text = str(caught.value)
    assert "v6LC.0.0.0, host, at 6.000002 s: a neighbor advertisement came with R other than expected" in text
    assert "* R          1                                            0" in text
    assert "  target     fe80::260:8ff:fe11:2233 (NUT's link-local)" in text
    assert "tester on B: ns TN2's link-local > NUT's solicited-node group, " in text


def test_a_failure_says_what_did_not_come_and_what_was_not_to_come() -> None:
    with pytest.raises(Failure, match="a router solicitation was expected within 2 s, none came"):
        _solicited().expect("rs", 2)
    with pytest.raises(Failure, match="a neighbor advertisement came that was not to come: no reason"):
        _solicited().quiet("na", 1, why="no reason")
    with pytest.raises(Failure, match=r"came after 0\.000 s, it was not expected before 1 s"):
        _solicited().expect("na", 2, after=1)
