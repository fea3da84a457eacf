"""The associations of a node: found by SPI, chosen for sending, listed in the order of a dump."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from ipsec_packets import A, B, C

from kamelab.stack.netipsec.sadb import DEAD, DYING, LARVAL, MATURE, Lifetime, Sa, Sad, recordxfer


def sa(spi: int, src: bytes = A, dst: bytes = B, proto: int = 50, **given: Any) -> Sa:
    return Sa(proto, spi, src, dst, **given)


def database(*sas: Sa) -> Sad:
    sad = Sad()
    for one in sas:
        sad.add(one)
    return sad


def test_an_arriving_packet_is_matched_by_destination_protocol_and_spi() -> None:
    first, other = sa(256), sa(256, proto=51)
    sad = database(first, other)
    assert sad.inbound(B, 50, 256) is first
    assert sad.inbound(B, 51, 256) is other
    assert sad.inbound(B, 50, 257) is None
    assert sad.inbound(A, 50, 256) is None
    first.state = DYING
    assert sad.inbound(B, 50, 256) is first
    for unusable in (LARVAL, DEAD):
        first.state = unusable
        assert sad.inbound(B, 50, 256) is None


def test_one_spi_of_a_destination_is_taken_for_all_protocols() -> None:
    sad = database(sa(256, proto=108))
    assert sad.spi_taken(B, 256)
    assert not sad.spi_taken(A, 256)
    assert sad.find(A, B, 108, 256) is not None
    assert sad.find(C, B, 108, 256) is None


def test_preferred_oldsa_chooses_dying_and_oldest_or_mature_and_newest() -> None:
    one, two, three = sa(1, created=1), sa(2, created=2), sa(3, created=3)
    sad = database(one, two, three)
    assert sad.outbound(A, B, 50) is one
    assert sad.outbound(A, B, 50, oldest=False) is three
    two.state = DYING
    assert sad.outbound(A, B, 50) is two
    assert sad.outbound(A, B, 50, oldest=False) is three
    three.state = LARVAL
    assert sad.outbound(A, B, 50, oldest=False) is one
    sad.remove(two)
    assert sad.outbound(A, B, 50) is one
    one.state = DEAD
    assert sad.outbound(A, B, 50) is None
    three.state = MATURE
    assert sad.outbound(A, B, 50) is three
    assert sad.outbound(B, A, 50) is None
    assert sad.outbound(A, B, 51) is None


def test_mode_and_request_id_must_fit() -> None:
    transport, tunnel, free = sa(1, mode="transport"), sa(2, mode="tunnel", reqid=7), sa(3, reqid=7)
    sad = database(transport, tunnel)
    assert sad.outbound(A, B, 50, "transport") is transport
    assert sad.outbound(A, B, 50, "tunnel") is tunnel
    assert sad.outbound(A, B, 50, "tunnel", 7) is tunnel
    assert sad.outbound(A, B, 50, "tunnel", 8) is None
    assert sad.outbound(A, B, 50, "transport", 7) is None
    assert sad.outbound(A, B, 50, "any", 7) is tunnel
    # An association for any mode serves both; the newest group comes first.
    sad.add(free)
    assert sad.outbound(A, B, 50, "transport", 7) is free
    assert sad.outbound(A, B, 50, "tunnel", 7) is free
    free.state = DEAD
    assert sad.outbound(A, B, 50, "tunnel", 7) is tunnel


def test_a_newer_association_supersedes_those_with_a_hard_lifetime() -> None:
    limited = [sa(n, created=n, hard=Lifetime(addtime=100)) for n in (1, 2, 3)]
    forever = sa(4, created=0)
    sad = database(*limited, forever)
    assert sad.superseded(limited[2]) == limited[:2]
    assert sad.superseded(limited[0]) == []


def test_a_dump_shows_the_newest_pair_first_and_states_in_order() -> None:
    sad = database(
        sa(1, state=LARVAL), sa(2), sa(3, state=DEAD), sa(4, state=DYING), sa(5), sa(6, src=B, dst=A), sa(7, proto=51)
    )
    assert [one.spi for one in sad] == [7, 6, 5, 2, 4, 1, 3]
    assert len(sad) == 7


def test_removing_leaves_nothing_behind() -> None:
    sas = [sa(n) for n in range(5)] + [sa(9, dst=C)]
    sad = database(*sas)
    for one in sas:
        sad.remove(one)
    assert (sad.groups, sad.by_spi, sad.by_pair) == ({}, {}, {})
    with pytest.raises(ValueError, match="no such"):
        sad.remove(sas[0])
    sad.add(sas[0])
    sad.clear()
    assert (len(sad), sad.inbound(B, 50, 0), sas[0].group) == (0, None, None)


def test_a_saved_database_comes_back_whole() -> None:
    sas = [sa(1), sa(2, state=DYING), sa(3, dst=C)]
    sad = database(*sas)
    sas[0].ctx = lambda: "what can't be saved"
    recordxfer(sas[0], 120, 77)
    again: Sad = pickle.loads(pickle.dumps(sad))
    assert [one.__getstate__() for one in again] == [one.__getstate__() for one in sad]
    chosen = again.outbound(A, B, 50)
    assert chosen is not None
    assert chosen is again.inbound(B, 50, 2)
    # The groups are tied together as before: a change of state is noticed.
    chosen.state = DEAD
    used = again.outbound(A, B, 50)
    assert used is not None
    assert (used.spi, used.octets, used.packets, used.used, used.ctx) == (1, 120, 1, 77, None)
    again.add(sa(4, dst=C))
    assert [one.spi for one in again] == [4, 3, 1, 2]
