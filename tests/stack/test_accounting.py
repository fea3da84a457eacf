"""The accountant itself: it is content with a sound trace and finds what is missing or double (promise 3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wires import STRANGER, A, Wires, account, datagram, echo, na, ns

from kamelab.core.trace import Trace
from kamelab.wire import exthdr, ip6

OWN = A("fe80::ff:fe00:1")


def busy() -> Wires:
    """A story with every kind of end: answered, dropped, held and released, held still, forwarded, reassembled."""
    wires = Wires()
    r1 = wires.router()
    wires.inject(r1, ns(OWN))
    wires.inject(r1, echo(STRANGER, OWN))
    wires.inject(r1, datagram(STRANGER, OWN))
    wires.inject(r1, datagram(A("2001:db8:1::5"), A("2001:db8:2::5")))
    wires.inject(r1, na(A("2001:db8:2::5"), A("2001:db8:2::ff"), "SO"), "ne1")
    for _ in range(3):
        wires.inject(r1, datagram(A("2001:db8:1::5"), A("2001:db8:2::5")))
    body = echo(STRANGER, OWN, bytes(56))[40:]
    for at in (0, 32):
        wires.inject(r1, ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(58, at, at == 0, 1) + body[at : at + 32]))
    wires.inject(r1, ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(58, 0, True, 2) + bytes(32)))
    wires.send(r1, "fe80::77", "ne0")
    wires.send(r1, "2001:db8:1::ff", data=bytes(2000))
    return wires


def test_a_sound_story() -> None:
    wires = busy()
    ended = account(wires.net)
    assert ended["held"] == 2
    assert ended["forward"] == 4
    assert ended["drop"] >= 1
    assert set(ended) == {"held", "forward", "drop", "deliver", "sent"}


def without(event: str, reason: str = "") -> Callable[[Trace], None]:
    """Take the last record of an event away."""

    def tamper(trace: Trace) -> None:
        for rows in (trace.records, trace.packets):
            found = [at for at, row in enumerate(rows) if row[6] == event and row[7] == reason and row[5]]
            if found:
                del rows[found[-1]]
                return
        raise LookupError(event)

    return tamper


def twice(event: str) -> Callable[[Trace], None]:
    def tamper(trace: Trace) -> None:
        rows = trace.packets if event in ("rx", "tx") else trace.records
        row = next(row for row in reversed(rows) if row[6] == event)
        rows.append((trace.num + 1, *row[1:]))

    return tamper


@pytest.mark.parametrize(
    "tamper",
    [
        without("deliver"),
        without("drop", "UDP_NOPORT"),
        without("forward"),
        without("hold"),
        without("rx"),
        without("tx"),
        twice("deliver"),
        twice("drop"),
        twice("forward"),
        twice("hold"),
        twice("rx"),
        twice("tx"),
    ],
)
def test_what_is_missing_or_double_is_found(tamper: Callable[[Trace], None]) -> None:
    wires = busy()
    tamper(wires.net.trace)
    with pytest.raises(AssertionError):
        account(wires.net)


def test_a_packet_that_waits_without_a_record_is_found() -> None:
    wires = busy()
    wires.net.nodes["r1"].reassembly.clear()
    with pytest.raises(AssertionError):
        account(wires.net)


def test_nothing_waits_any_more_after_the_longest_wait() -> None:
    wires = busy()
    wires.run(61)
    assert "held" not in account(wires.net)
