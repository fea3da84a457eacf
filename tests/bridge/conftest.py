"""Fixtures of the bridge's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bridge_wall import Bench, Caller


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A lab at wall speed, the wall turned by hand."""
    one = Bench()
    yield one
    one.close()


@pytest.fixture
def joined() -> Iterator[Bench]:
    """The same, with a device on lan1."""
    one = Bench(device=True)
    yield one
    one.close()


@pytest.fixture
def caller(bench: Bench, tmp_path: Path) -> Iterator[Caller]:
    """Somebody at the lab's control socket."""
    path = str(tmp_path / "control")
    bench.loop.listen(path)
    one = Caller(bench, path)
    yield one
    one.sock.close()
