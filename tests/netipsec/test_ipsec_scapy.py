"""scapy's SecurityAssociation opens what we send, and we what it sends: oracle_table.py has the rows.

``pytest -s`` prints the table; it is kept as docs/ipsec-oracles.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle_table import NESTED, Row, nested, rows, table, we_receive, we_send
from scapy.layers import ipsec

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ipsec-oracles.md"


@pytest.fixture(autouse=True)
def _scapy_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipsec, "AUTH_ALGOS", dict(ipsec.AUTH_ALGOS))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.text.strip("| ").replace(" | ", "/"))
def test_scapy_and_we_read_each_other(row: Row) -> None:
    assert we_send(row)
    assert we_receive(row)


@pytest.mark.parametrize(("inner", "outer"), NESTED)
def test_scapy_and_we_read_each_other_through_two_layers(inner: Row, outer: Row) -> None:
    assert nested(inner, outer) == (True, None if inner.ealg and not outer.ealg else True)


def test_the_table_in_the_documents_is_what_was_found() -> None:
    found = table()
    print(found)
    assert DOCUMENT.read_text(encoding="utf-8") == found
