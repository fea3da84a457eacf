"""The life of an address as a state machine: duplicate detection and lifetimes (RFC 4862 5.4, 5.5.4; KAME in6.c).

The kernel keeps flags (`Address`); an address is in the first of these states whose flag it has. The table is what
diagrams and explanations are drawn from. Events:

============  =====================================================================
assigned      given by hand, by an advertised prefix, or when its interface came up
unprobed      the same where no detection is done: anycast, loopback, dad_count 0
unique        detection ended and nobody answered
duplicate     somebody else has the address
pltime        the preferred lifetime ran out
refreshed     an advertisement or a command gave a new preferred lifetime
vltime        the valid lifetime ran out
no_router     no router that advertises its prefix is reachable, but others are
router_back   one is reachable again
enabled       IPv6 was enabled again on the interface: the address is probed anew
deleted       taken away by hand
============  =====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

NONE = ""
TENTATIVE = "tentative"
DUPLICATED = "duplicated"
DETACHED = "detached"
PREFERRED = "preferred"
DEPRECATED = "deprecated"

STATES = (TENTATIVE, PREFERRED, DEPRECATED, DETACHED, DUPLICATED)

MEANINGS: dict[str, str] = {
    TENTATIVE: "being probed for duplicates, not used yet (RFC 4862 5.4)",
    DUPLICATED: "somebody else has it, never used; delete it and give another (RFC 4862 5.4.5)",
    DETACHED: "no router that advertises its prefix is reachable, not used (KAME nd6_rtr.c)",
    PREFERRED: "may be used without limits (RFC 4862 2)",
    DEPRECATED: "still valid, but not for new connections (RFC 4862 5.5.4)",
}
"""What each state means, with the rule."""

TRANSITIONS: dict[tuple[str, str], tuple[str, str]] = {
    (NONE, "assigned"): (TENTATIVE, "RFC 4862 5.4"),
    (NONE, "unprobed"): (PREFERRED, "RFC 4862 5.4"),
    (TENTATIVE, "unique"): (PREFERRED, "RFC 4862 5.4"),
    (TENTATIVE, "duplicate"): (DUPLICATED, "RFC 4862 5.4.5"),
    (PREFERRED, "pltime"): (DEPRECATED, "RFC 4862 5.5.4"),
    (DEPRECATED, "refreshed"): (PREFERRED, "RFC 4862 5.5.3"),
    (DEPRECATED, "vltime"): (NONE, "RFC 4862 5.5.4"),
    (PREFERRED, "no_router"): (DETACHED, "KAME nd6_rtr.c"),
    (DEPRECATED, "no_router"): (DETACHED, "KAME nd6_rtr.c"),
    (TENTATIVE, "no_router"): (DETACHED, "KAME nd6_rtr.c"),
    (DETACHED, "router_back"): (TENTATIVE, "KAME nd6_rtr.c"),
}
for _state in STATES:
    TRANSITIONS[_state, "deleted"] = (NONE, "KAME in6.c")
for _state in (TENTATIVE, DUPLICATED, DETACHED, PREFERRED):
    TRANSITIONS[_state, "vltime"] = (NONE, "RFC 4862 5.5.4")
for _state in (TENTATIVE, DUPLICATED, PREFERRED, DEPRECATED):
    TRANSITIONS[_state, "enabled"] = (TENTATIVE, "RFC 4862 5.4.5")


def state_of(flags: Sequence[str]) -> str:
    """The state of an address with these flag words (`Address.flags`)."""
    for state in (DUPLICATED, DETACHED, TENTATIVE, DEPRECATED):
        if state in flags:
            return state
    return PREFERRED
