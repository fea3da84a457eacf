"""All groups together: importing this module registers every case."""

from __future__ import annotations

from tests.conformance import (
    advertisements,
    autoconf,
    base_exthdr,
    base_fragment,
    base_header,
    dad,
    discovery_host,
    discovery_router,
    icmp6_cases,
    pmtu_cases,
    redirects,
    resolution,
    solicitations,
)
from tests.conformance.cases import Case
from tests.conformance.registry import runs as _runs

GROUPS = (
    *(base_header, base_exthdr, base_fragment, pmtu_cases, icmp6_cases),
    *(resolution, solicitations, advertisements, discovery_host, discovery_router, redirects, dad, autoconf),
)


def runs() -> list[tuple[Case, str]]:
    """Every case that is played, for host and router."""
    return _runs()
