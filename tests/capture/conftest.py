"""What the tests of the capture layer share."""

from __future__ import annotations

import pytest
from capture_frames import FRAMES


@pytest.fixture(scope="session")
def frames() -> dict[str, bytes]:
    """Frames by name."""
    return FRAMES
