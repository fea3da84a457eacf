"""Duplicate address detection (KAME nd6_nbr.c nd6_dad_*; RFC 4862 5.4).

As KAME does, an own probe that the medium hands back counts as another node's. With net.inet6.ip6.dad_enhanced each
probe carries a nonce and is known again (RFC 7527); that is newer than KAME, and off by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS, SECOND
from kamelab.core.timers import Timer
from kamelab.stack.netinet6.nd6_message import nd6_ns_output
from kamelab.stack.packet import Action

if TYPE_CHECKING:
    from kamelab.stack.interface import Address, Interface
    from kamelab.stack.node import Node

MAX_TRIES = 15
"""How often a start is tried again on an interface that is not running, once a second."""


def nd6_dad_start(node: Node, iface: Interface, address: Address, *, delay: bool) -> list[Action]:
    """Begin DAD for a tentative address, after a random delay up to one second where ``delay`` (RFC 4862 5.4.2)."""
    if not address.tentative or address.dad is not None:
        return []
    if not node.sysctl["net.inet6.ip6.dad_count"] or iface.loopback:
        address.tentative = False
        node.generation += 1
        return []
    address.dad_count = 0
    address.dad_heard = 0
    address.dad_tries = 0
    address.dad_nonces = []
    address.dad = Timer(node.clock, node, "dad_timer", (iface.index, address.addr))
    wait = node.streams.below(f"{node.name}/dad", SECOND) if delay else 0
    if not iface.running:
        wait = SECOND
    elif not delay:
        return nd6_dad_timer(node, iface, address)
    address.dad.arm(node.clock.now + wait, node.trace.cause)
    return []


def nd6_dad_stop(address: Address) -> None:
    """Forget a detection that runs."""
    if address.dad is not None:
        address.dad.cancel()
        address.dad = None


def nd6_dad_again(node: Node, iface: Interface) -> list[Action]:
    """IPv6 on the interface was enabled again: what is on it has to prove itself anew (RFC 4862 5.4.5)."""
    actions: list[Action] = []
    for address in iface.addresses:
        if address.anycast or address.detached or not iface.multicast:
            continue
        nd6_dad_stop(address)
        address.duplicated = False
        address.tentative = True
        if iface.up:
            actions += nd6_dad_start(node, iface, address, delay=True)
    return actions


def nd6_dad_timer(node: Node, iface: Interface, address: Address) -> list[Action]:
    """The next probe is due, or the wait after the last one is over."""
    timer = address.dad
    if timer is None:
        return []
    now = node.clock.now
    if not iface.running:
        address.dad_tries += 1
        if address.dad_tries > MAX_TRIES:
            node.debug_nd6(f"{iface.name}: could not run DAD for {node.text(address.addr)}, driver problem?")
            nd6_dad_stop(address)
            return []
        timer.arm(now + SECOND, node.trace.cause)
        return []
    if address.dad_count < node.sysctl["net.inet6.ip6.dad_count"]:
        address.dad_count += 1
        _state(node, iface, address, f"probe {address.dad_count}")
        timer.arm(now + iface.retrans * MS, node.trace.cause)
        nonce = b""
        if node.sysctl["net.inet6.ip6.dad_enhanced"]:
            nonce = node.streams.bits64(f"{node.name}/nonce").to_bytes(8, "big")[:6]
            address.dad_nonces.append(nonce)
        return [nd6_ns_output(node, iface, address.addr, None, None, dad=True, nonce=nonce)]
    if address.dad_heard:
        return nd6_dad_duplicated(node, iface, address)
    nd6_dad_stop(address)
    address.tentative = False
    node.generation += 1
    _state(node, iface, address, "unique")
    node.debug_nd6(f"{iface.name}: DAD complete for {node.text(address.addr)} - no duplicates found")
    return []


def nd6_dad_own_probe(node: Node, iface: Interface, address: Address, nonce: bytes | None) -> bool:
    """The probe that came in is one of ours: it carries a nonce of this detection (RFC 7527 4.2)."""
    if nonce is None or nonce not in address.dad_nonces:
        return False
    node.log(f"{iface.name}: own DAD probe for {node.text(address.addr)} came back, ignored")
    _state(node, iface, address, "own probe ignored", "RFC 7527 4.2")
    return True


def nd6_dad_ns_input(node: Node, iface: Interface, address: Address) -> list[Action]:
    """Another node probes for our tentative address (RFC 4862 5.4.3)."""
    address.dad_heard += 1
    if address.dad_count == 0:
        return nd6_dad_duplicated(node, iface, address)
    return []


def nd6_dad_na_input(node: Node, iface: Interface, address: Address) -> list[Action]:
    """Another node owns our tentative address (RFC 4862 5.4.4)."""
    return nd6_dad_duplicated(node, iface, address, advertised=1)


def nd6_dad_duplicated(node: Node, iface: Interface, address: Address, advertised: int = 0) -> list[Action]:
    """DAD failed: mark the address, say so, and switch IPv6 off where the address came from the hardware's.

    RFC 4862 5.4.5; KAME IMPLEMENTATION 1.2 (2001).
    """
    sent, heard = address.dad_count, address.dad_heard
    nd6_dad_stop(address)
    address.tentative = False
    address.duplicated = True
    node.generation += 1
    _state(node, iface, address, "duplicate")
    text = node.text(address.addr)
    node.console(
        f"{iface.name}: DAD detected duplicate IPv6 address {text}: NS in/out={heard}/{sent}, NA in={advertised}"
    )
    node.console(f"{iface.name}: DAD complete for {text} - duplicate found")
    node.console(f"{iface.name}: manual intervention required")
    if address.temporary:
        node.arm_expiry()
    if node.made_from_hardware(iface, address):
        iface.disabled = True
        node.console(f"{iface.name}: possible hardware address duplication detected, IPv6 is disabled on the interface")
    return []


def _state(node: Node, iface: Interface, address: Address, what: str, rule: str = "RFC 4862 5.4") -> None:
    node.trace.record(
        node.clock.now,
        node.name,
        iface.name,
        "nd6_dad",
        0,
        "state",
        f"DAD {what}",
        rule,
        node.text(address.addr),
    )
