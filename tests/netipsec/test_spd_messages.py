"""Policies by PF_KEY: adding, deleting, dumping, what is refused, and how they are shown."""

from __future__ import annotations

import pytest

from kamelab.core.clock import DEFAULT_EPOCH, SECOND
from kamelab.core.errors import EEXIST, EINVAL, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT
from kamelab.stack.netipsec.rows import policy_rows
from kamelab.wire import pfkey
from tests.netipsec.pfkey_desk import TRANSPORT, A, B, Desk, ends, sockaddr, spd

IN, OUT = pfkey.IPSEC_DIR_INBOUND, pfkey.IPSEC_DIR_OUTBOUND
G, H = "2001:db8:f::1", "2001:db8:f::2"


def tunnel(src: str = G, dst: str = H, level: int = 2, reqid: int = 0) -> pfkey.Request:
    return pfkey.Request(50, 2, level, reqid, sockaddr(src), sockaddr(dst))


def unique(reqid: int = 0) -> pfkey.Request:
    return pfkey.Request(50, 1, pfkey.IPSEC_LEVEL_UNIQUE, reqid)


def by_id(kind: int, number: int) -> pfkey.Message:
    return pfkey.Message(kind, 0, 4, 77, 0, (pfkey.Policy(0, OUT, number),))


def test_an_added_policy_is_told_to_all_with_its_id() -> None:
    desk = Desk()
    ((target, answer),) = desk.ask(spd(A, B))
    assert (target, answer.errno, answer.seq) == ("all", 0, 3)
    assert answer.extensions == (pfkey.Policy(2, OUT, 1, (TRANSPORT,)), *ends())
    assert desk.done(spd(B, A)).extensions[0].id == 2


ADD_REFUSED = {
    "no policy": (pfkey.Message(pfkey.SADB_X_SPDADD, extensions=ends()), EINVAL),
    "no addresses": (pfkey.Message(pfkey.SADB_X_SPDADD, extensions=spd(A, B).extensions[:2]), EINVAL),
    "direction any": (spd(A, B, direction=0), EINVAL),
    "direction beyond": (spd(A, B, direction=3), EINVAL),
    "entrust": (spd(A, B, action=pfkey.IPSEC_POLICY_ENTRUST), EINVAL),
    "bypass": (spd(A, B, action=pfkey.IPSEC_POLICY_BYPASS), EINVAL),
    "unknown action": (spd(A, B, action=9), EINVAL),
    "ipsec without request": (
        spd(A, B)._replace(extensions=(pfkey.Policy(2, OUT), *ends())),
        EINVAL,
    ),
    "unknown protocol": (spd(A, B, TRANSPORT._replace(proto=6)), EPROTONOSUPPORT),
    "mode any": (spd(A, B, TRANSPORT._replace(mode=0)), EINVAL),
    "unknown mode": (spd(A, B, TRANSPORT._replace(mode=3)), EINVAL),
    "unknown level": (spd(A, B, TRANSPORT._replace(level=4)), EINVAL),
    "tunnel without ends": (spd(A, B, TRANSPORT._replace(mode=2)), EINVAL),
    "tunnel of two families": (spd(A, B, tunnel(G, "10.0.0.1")), EINVAL),
    "tunnel of another family": (spd(A, B, tunnel("10.0.0.1", "10.0.0.2")), EINVAL),
    "ipv6 tunnel for ipv4": (spd("10.0.0.1", "10.0.0.2", tunnel()), EINVAL),
    "tunnel with a port": (spd(A, B, tunnel(), proto=6, dport=80), EINVAL),
    "prefix too long": (spd(f"{A}/129", B), EINVAL),
    "families differ": (spd(A, "10.0.0.1"), EINVAL),
    "a kind of sa": (spd(A, B)._replace(satype=pfkey.SADB_SATYPE_ESP), EINVAL),
    "upper protocols differ": (
        spd(A, B)._replace(extensions=(pfkey.Policy(1, OUT), ends(A, B, 6)[0], ends(A, B, 17)[1])),
        EINVAL,
    ),
    "a tag": (spd(A, B, more=(pfkey.Tag(b"web"),)), EOPNOTSUPP),
    "a zone inside": (spd("fe80:3::1", B), EINVAL),
}


@pytest.mark.parametrize("name", ADD_REFUSED)
def test_a_policy_that_cannot_be_is_refused_and_nothing_stays(name: str) -> None:
    message, number = ADD_REFUSED[name]
    desk = Desk()
    assert desk.errno(message) == number
    assert len(desk.keys.spd) == 0


def test_the_same_selector_and_direction_exist_already() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    assert desk.errno(spd(A, B)) == EEXIST
    assert desk.errno(spd(A, B, action=pfkey.IPSEC_POLICY_DISCARD)) == EEXIST
    for other in (
        spd(A, B, direction=IN),
        spd(B, A),
        spd(f"{A}/127", B),
        spd(A, B, proto=6),
        spd(A, B, proto=6, sport=80),
        spd(A, B, proto=6, dport=80),
    ):
        desk.done(other)
    assert len(desk.keys.spd) == 7


def test_the_second_policy_of_usages_host_b_exists_already() -> None:
    # KAME USAGE writes the outbound one twice where the inbound one is meant.
    desk = Desk()
    again = spd("10.2.3.4", "10.6.7.8", TRANSPORT)
    desk.done(again)
    assert desk.errno(again) == EEXIST


def test_update_takes_the_place_of_an_equal_one_at_the_end() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    desk.done(spd(B, A))
    desk.done(spd(A, B, action=pfkey.IPSEC_POLICY_DISCARD, kind=pfkey.SADB_X_SPDUPDATE))
    assert [(row.src, row.action) for row in policy_rows(desk.keys)] == [
        (f"{B}[any]", "ipsec"),
        (f"{A}[any]", "discard"),
    ]
    desk.done(spd(G, H, action=pfkey.IPSEC_POLICY_NONE, kind=pfkey.SADB_X_SPDUPDATE))
    assert len(desk.keys.spd) == 3


def test_setidx_makes_a_policy_whose_requests_come_later() -> None:
    desk = Desk()
    desk.done(spd(A, B, kind=pfkey.SADB_X_SPDSETIDX))
    assert desk.errno(spd(A, B, kind=pfkey.SADB_X_SPDSETIDX)) == EEXIST
    assert next(iter(desk.keys.spd)).requests == ()
    desk.done(spd(A, B, TRANSPORT, kind=pfkey.SADB_X_SPDUPDATE))
    assert [row.requests for row in policy_rows(desk.keys)] == [("esp/transport//require",)]


def test_unique_without_id_draws_from_16384_on_and_a_given_id_stays() -> None:
    desk = Desk()
    assert desk.done(spd(A, B, unique(), unique(7))).extensions[0].requests == (unique(16384), unique(7))
    assert desk.done(spd(B, A, unique(16383))).extensions[0].requests == (unique(16383),)
    assert desk.done(spd(G, H, unique(40000))).extensions[0].requests == (unique(16385),)
    assert [row.requests for row in policy_rows(desk.keys)] == [
        ("esp/transport//unique#16384", "esp/transport//unique:7"),
        ("esp/transport//unique:16383",),
        ("esp/transport//unique#16385",),
    ]


def test_only_unique_requests_have_an_id() -> None:
    desk = Desk()
    answer = desk.done(spd(A, B, TRANSPORT._replace(reqid=9)))
    assert answer.extensions[0].requests == (TRANSPORT,)


def test_delete_goes_by_selector_and_direction() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    desk.done(spd(A, B, direction=IN))
    ((target, answer),) = desk.ask(spd(A, B, kind=pfkey.SADB_X_SPDDELETE))
    assert (target, answer.extensions[0].id) == ("all", 1)
    assert [row.direction for row in policy_rows(desk.keys)] == ["in"]
    for message in (
        spd(A, B, kind=pfkey.SADB_X_SPDDELETE),
        spd(A, f"{B}/64", direction=IN, kind=pfkey.SADB_X_SPDDELETE),
        spd(A, B, direction=0, kind=pfkey.SADB_X_SPDDELETE),
        pfkey.Message(pfkey.SADB_X_SPDDELETE, extensions=ends()),
    ):
        assert desk.errno(message) == EINVAL
    assert len(desk.keys.spd) == 1


def test_a_policy_is_read_and_deleted_by_its_id() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    assert desk.done(by_id(pfkey.SADB_X_SPDGET, 1)).extensions[:2] == ends()
    assert desk.errno(by_id(pfkey.SADB_X_SPDGET, 2)) == ENOENT
    assert desk.errno(by_id(pfkey.SADB_X_SPDDELETE2, 2)) == EINVAL
    desk.done(by_id(pfkey.SADB_X_SPDDELETE2, 1))
    assert desk.errno(by_id(pfkey.SADB_X_SPDGET, 1)) == ENOENT


def test_a_dump_shows_in_before_out_in_order_of_adding_and_counts_down() -> None:
    desk = Desk()
    assert desk.errno(pfkey.Message(pfkey.SADB_X_SPDDUMP)) == ENOENT
    desk.at(5)
    for message in (spd(A, B), spd(B, A, direction=IN), spd(A, G), spd(G, A, direction=IN)):
        desk.done(message)
    next(iter(desk.keys.spd)).used = 65 * SECOND
    answers = desk.dump(pfkey.SADB_X_SPDDUMP)
    assert [(answer.seq, answer.get(pfkey.SADB_X_EXT_POLICY).id) for answer in answers] == [
        (3, 2),
        (2, 4),
        (1, 1),
        (0, 3),
    ]
    boot = DEFAULT_EPOCH // SECOND
    assert answers[0].extensions == (
        *ends(B, A),
        pfkey.Policy(2, IN, 2, (TRANSPORT,)),
        pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_CURRENT, 0, 0, boot + 5, boot + 65),
        pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_HARD),
    )
    assert (answers[0].pid, answers[0].reserved) == (77, 1)
    assert answers[1].extensions[3].usetime == boot + 5


def test_a_dump_recreates_the_database() -> None:
    desk = Desk()
    desk.done(spd(f"{A}/64", f"{B}/64", tunnel(level=3), pfkey.Request(51, 1, 2)))
    desk.done(spd("fe80::/10", "ff02::1%2", proto=58, sport=128, action=pfkey.IPSEC_POLICY_NONE))
    desk.done(spd("10.0.0.0/8", "0.0.0.0/0", proto=6, dport=80, direction=IN, action=pfkey.IPSEC_POLICY_DISCARD))
    assert [answer.extensions[:2] for answer in desk.dump(pfkey.SADB_X_SPDDUMP)] == [
        ends("10.0.0.0/8", "0.0.0.0/0", 6, dport=80),
        ends(f"{A}/64", f"{B}/64"),
        ends("fe80::/10", "ff02::1%2", 58, sport=128),
    ]
    copy = Desk()
    for answer in desk.dump(pfkey.SADB_X_SPDDUMP):
        copy.done(answer._replace(type=pfkey.SADB_X_SPDADD, reserved=0))
    assert [answer.extensions[:2] for answer in copy.dump(pfkey.SADB_X_SPDDUMP)] == [
        answer.extensions[:2] for answer in desk.dump(pfkey.SADB_X_SPDDUMP)
    ]
    assert [row.requests for row in policy_rows(copy.keys)] == [row.requests for row in policy_rows(desk.keys)]


def test_flush_takes_all_and_brings_no_extensions() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    assert desk.errno(pfkey.Message(pfkey.SADB_X_SPDFLUSH, extensions=(pfkey.Policy(0, OUT),))) == EINVAL
    ((target, answer),) = desk.ask(pfkey.Message(pfkey.SADB_X_SPDFLUSH))
    assert (target, answer.extensions) == ("all", ())
    assert len(desk.keys.spd) == 0


def test_rows_show_selectors_and_requests_in_words() -> None:
    desk = Desk()
    desk.done(spd("2001:db8:1::/48", "2001:db8:2::/48", tunnel()))
    desk.done(spd(A, B, proto=6, dport=80, direction=IN))
    desk.done(spd(A, B, proto=58, sport=128, action=pfkey.IPSEC_POLICY_NONE))
    rows = policy_rows(desk.keys)
    assert [(row.src, row.dst, row.proto, row.action, row.requests) for row in rows] == [
        (f"{A}[any]", f"{B}[80]", "6", "ipsec", ("esp/transport//require",)),
        (
            "2001:db8:1::/48[any]",
            "2001:db8:2::/48[any]",
            "any",
            "ipsec",
            ("esp/tunnel/2001:db8:f::1-2001:db8:f::2/require",),
        ),
        (f"{A}[any]", f"{B}[any]", "58 128,0", "none", ()),
    ]
