"""The story fixture: an empty network, and every packet of the story accounted for at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from wires import Wires


@pytest.fixture
def wires() -> Iterator[Wires]:
    story = Wires()
    yield story
    story.account()
