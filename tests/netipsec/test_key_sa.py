"""The key engine's associations: what each PF_KEY message does and answers, and its refusals."""

from __future__ import annotations

import pickle

import pytest

from kamelab.core.clock import DEFAULT_EPOCH, SECOND
from kamelab.core.errors import EEXIST, EINVAL, ENOENT, EOPNOTSUPP
from kamelab.stack.netipsec.rows import sa_rows
from kamelab.stack.netipsec.sadb import recordxfer
from kamelab.wire import pfkey
from tests.netipsec.pfkey_desk import AES, SHA1, A, B, Desk, ah, ends, esp, lifetimes, sockaddr

ESP, AH, IPCOMP = pfkey.SADB_SATYPE_ESP, pfkey.SADB_SATYPE_AH, pfkey.SADB_X_SATYPE_IPCOMP


def getspi(low: int = 0x1000, high: int = 0x1000, satype: int = ESP, dst: str = B, seq: int = 5) -> pfkey.Message:
    return pfkey.Message(pfkey.SADB_GETSPI, satype, seq, 100, 0, (*ends(A, dst), pfkey.SpiRange(low, high)))


def find(kind: int, spi: int = 0x1000, satype: int = ESP, src: str = A, dst: str = B) -> pfkey.Message:
    return pfkey.Message(kind, satype, 4, 100, 0, (pfkey.Sa(spi), *ends(src, dst)))


def ipcomp(spi: int = 0x2, **sa: int) -> pfkey.Message:
    values = {"encrypt": pfkey.SADB_X_CALG_DEFLATE, **sa}
    return pfkey.Message(pfkey.SADB_ADD, IPCOMP, 3, 100, 0, (pfkey.Sa(spi, **values), *ends()))


def test_an_added_association_is_told_to_all_sockets_without_its_keys() -> None:
    desk = Desk()
    ((target, answer),) = desk.ask(esp(0x1000, A, B, pfkey.Sa2(2, 0, 9), *lifetimes(100, 80)))
    assert target == "all"
    assert (answer.type, answer.seq, answer.pid, answer.errno) == (pfkey.SADB_ADD, 1, 100, 0)
    kinds = [pfkey.exttype(extension) for extension in answer.extensions]
    assert kinds == [1, 19, 5, 6, 3, 4]
    assert AES not in pfkey.build(answer)


def test_get_tells_everything_of_an_association() -> None:
    desk = Desk()
    desk.at(10)
    key = pfkey.Key(pfkey.SADB_EXT_KEY_AUTH, SHA1)
    desk.done(esp(0x1000, A, B, key, pfkey.Sa2(2, 0, 9), *lifetimes(100, 80, 5000, 4000), auth=3, replay=4, flags=0x40))
    sa = next(iter(desk.keys.sad))
    recordxfer(sa, 1400, 15 * SECOND)
    sa.seq = 7
    ((target, answer),) = desk.ask(find(pfkey.SADB_GET))
    boot = DEFAULT_EPOCH // SECOND
    assert target == "one"
    assert answer.extensions == (
        pfkey.Sa(0x1000, 4, pfkey.SADB_SASTATE_MATURE, 3, 12, 0x40),
        pfkey.Sa2(2, 7, 9),
        *lifetimes(100, 80, 5000, 4000),
        pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_CURRENT, 1, 1400, boot + 10, boot + 15),
        *ends(),
        pfkey.Key(pfkey.SADB_EXT_KEY_AUTH, SHA1),
        pfkey.Key(pfkey.SADB_EXT_KEY_ENCRYPT, AES),
    )
    assert answer.reserved == 1


def test_a_link_local_association_keeps_its_zone_inside_and_tells_it_outside() -> None:
    desk = Desk()
    desk.done(esp(0x1000, "fe80::1%3", "fe80::2%3"))
    sa = next(iter(desk.keys.sad))
    assert sa.dst[:4] == bytes.fromhex("fe800003")
    (answer,) = desk.dump()
    assert answer.get(pfkey.SADB_EXT_ADDRESS_DST) == ends("fe80::1%3", "fe80::2%3")[1]
    assert desk.keys.inbound(sa.dst, 50, 0x1000) is sa


def test_an_association_of_no_told_zone_serves_any_zone() -> None:
    desk = Desk()
    desk.done(esp(0x1000, "fe80::1", "fe80::2"))
    dst = sockaddr("fe80::2").addr
    assert desk.keys.inbound(dst[:3] + b"\x05" + dst[4:], 50, 0x1000) is not None


ADD_REFUSED = {
    "no sa": (pfkey.Message(pfkey.SADB_ADD, ESP, extensions=esp().extensions[1:]), EINVAL),
    "no destination": (pfkey.Message(pfkey.SADB_ADD, ESP, extensions=esp().extensions[:2]), EINVAL),
    "esp without key": (pfkey.Message(pfkey.SADB_ADD, ESP, extensions=esp().extensions[:3]), EINVAL),
    "ah without key": (pfkey.Message(pfkey.SADB_ADD, AH, extensions=ah().extensions[:3]), EINVAL),
    "hard lifetime alone": (esp(0x1000, A, B, lifetimes(10, 5)[0]), EINVAL),
    "soft lifetime alone": (esp(0x1000, A, B, lifetimes(10, 5)[1]), EINVAL),
    "reserved spi": (esp(0xFF), EINVAL),
    "spi 0": (ah(0), EINVAL),
    "unknown cipher": (esp(encrypt=99), EINVAL),
    "unsupported cipher": (esp(encrypt=pfkey.SADB_X_EALG_TWOFISHCBC), EINVAL),
    "wrong key length": (esp(encrypt=pfkey.SADB_EALG_3DESCBC), EINVAL),
    "wrong auth key length": (ah(auth=pfkey.SADB_AALG_MD5HMAC), EINVAL),
    "unknown authentication": (ah(auth=77), EINVAL),
    "ah that encrypts": (ah(encrypt=12), EINVAL),
    "old esp with aes": (esp(flags=pfkey.SADB_X_EXT_OLD), EINVAL),
    "old ah with a window": (ah(flags=pfkey.SADB_X_EXT_OLD, replay=4), EINVAL),
    "derived iv for aes": (esp(flags=pfkey.SADB_X_EXT_DERIV), EINVAL),
    "an invalid mode": (esp(0x1000, A, B, pfkey.Sa2(3)), EINVAL),
    "compression unknown": (ipcomp(encrypt=9), EINVAL),
    "compression unsupported": (ipcomp(encrypt=pfkey.SADB_X_CALG_LZS), EINVAL),
    "cpi too big": (ipcomp(0x10000), EINVAL),
    "a zone inside the address": (esp(0x1000, "fe80:3::1", B), EINVAL),
    "no kind of sa": (esp()._replace(satype=0), EINVAL),
    "a kind that is not there": (esp()._replace(satype=4), EINVAL),
    "rsvp": (esp()._replace(satype=pfkey.SADB_SATYPE_RSVP), EOPNOTSUPP),
    "upper protocols differ": (
        esp()._replace(extensions=(pfkey.Sa(0x1000), ends(A, B, 6)[0], ends(A, B, 17)[1])),
        EINVAL,
    ),
    "families differ": (esp(0x1000, "10.0.0.1", B), EINVAL),
    "prefix too long": (esp(0x1000, f"{A}/129", B), EINVAL),
    "prefix too long for ipv4": (esp(0x1000, "10.0.0.1/33", "10.0.0.2"), EINVAL),
}


@pytest.mark.parametrize("name", ADD_REFUSED)
def test_an_association_that_cannot_be_is_refused_and_nothing_stays(name: str) -> None:
    message, number = ADD_REFUSED[name]
    desk = Desk()
    assert desk.errno(message) == number
    assert len(desk.keys.sad) == 0
    assert desk.keys.refusal.startswith("key_")


def test_refusals_by_kind_and_address_are_counted_apart() -> None:
    desk = Desk()
    for name in ("no kind of sa", "a kind that is not there", "rsvp", "families differ", "prefix too long"):
        desk.errno(ADD_REFUSED[name][0])
    assert desk.keys.stat.refused["invsatype"] == 3
    assert desk.keys.stat.refused["invaddr"] == 2
    assert desk.keys.stat.out_total == 5
    assert desk.keys.stat.out_msgtype[pfkey.SADB_ADD] == 5


@pytest.mark.parametrize(
    "kind", [pfkey.SADB_EXPIRE, pfkey.SADB_X_PCHANGE, pfkey.SADB_X_SPDACQUIRE, pfkey.SADB_X_SPDEXPIRE, 0]
)
def test_what_only_the_kernel_may_say_is_refused(kind: int) -> None:
    desk = Desk()
    satype = ESP if kind == pfkey.SADB_EXPIRE else 0
    assert desk.errno(pfkey.Message(kind, satype)) == EINVAL
    assert desk.keys.stat.refused["invmsgtype"] == 1


def test_the_same_addresses_and_spi_exist_already() -> None:
    desk = Desk()
    desk.done(esp())
    assert desk.errno(esp()) == EEXIST
    assert desk.errno(esp(0x1000, A, B, pfkey.Sa2(2, 0, 9))) == EEXIST
    desk.done(esp(0x1001))
    desk.done(ah(0x1000))
    desk.done(esp(0x1000, B, A))


def test_an_ipv4_association_and_compression_are_taken_too() -> None:
    desk = Desk()
    desk.done(esp(0x1000, "10.1.2.3", "10.4.5.6"))
    desk.done(ipcomp())
    assert [(row.src, row.proto, row.encryption) for row in sa_rows(desk.keys)] == [
        (A, "ipcomp", "deflate"),
        ("10.1.2.3", "esp", "rijndael-cbc"),
    ]


def test_getspi_reserves_and_update_brings_the_keys() -> None:
    desk = Desk()
    desk.at(3)
    ((target, answer),) = desk.ask(getspi(0x1000, 0x1FFF))
    assert (target, answer.seq) == ("one", 5)
    spi = answer.extensions[0].spi
    assert 0x1000 <= spi <= 0x1FFF
    assert desk.states() == [(spi, "larval")]
    assert desk.keys.inbound(sockaddr(B).addr, 50, spi) is None
    desk.at(20)
    ((target, answer),) = desk.ask(esp(spi)._replace(type=pfkey.SADB_UPDATE, seq=5))
    assert (target, answer.errno) == ("all", 0)
    assert desk.states() == [(spi, "mature")]
    assert next(iter(desk.keys.sad)).created == 20 * SECOND
    desk.at(1000)
    assert desk.states() == [(spi, "mature")]


def test_a_larval_association_without_keys_is_gone_after_30_seconds() -> None:
    desk = Desk()
    desk.done(getspi())
    desk.at(30)
    assert desk.states() == [(0x1000, "larval")]
    assert desk.at(31) == []
    assert desk.states() == []
    assert desk.keys.deadline() is None


UPDATE_REFUSED = {
    "another number": ({"seq": 6}, 0x1000, ENOENT),
    "another spi": ({"seq": 5}, 0x1001, EINVAL),
    "another process": ({"seq": 5, "pid": 101}, 0x1000, EINVAL),
    "no number and another spi": ({"seq": 0}, 0x1001, EINVAL),
    "another kind": ({"seq": 5, "satype": AH}, 0x1000, EINVAL),
}


@pytest.mark.parametrize("name", UPDATE_REFUSED)
def test_an_update_that_fits_no_reservation_is_refused(name: str) -> None:
    changes, spi, number = UPDATE_REFUSED[name]
    desk = Desk()
    desk.done(getspi())
    assert desk.errno(esp(spi)._replace(type=pfkey.SADB_UPDATE, **changes)) == number
    assert desk.states() == [(0x1000, "larval")]


def test_an_update_of_a_pair_that_is_not_there_does_not_find_it() -> None:
    desk = Desk()
    assert desk.errno(esp()._replace(type=pfkey.SADB_UPDATE)) == ENOENT
    desk.done(esp())
    assert desk.errno(esp()._replace(type=pfkey.SADB_UPDATE)) == ENOENT


def test_an_update_with_impossible_keys_ends_the_reservation() -> None:
    desk = Desk()
    desk.done(getspi())
    assert desk.errno(esp(0x1000, encrypt=3)._replace(type=pfkey.SADB_UPDATE, seq=5)) == EINVAL
    assert desk.states() == []


def test_an_spi_is_free_only_if_no_protocol_uses_it_for_the_destination() -> None:
    desk = Desk()
    desk.done(ah(0x1000))
    assert desk.errno(getspi()) == EINVAL
    desk.done(getspi(dst="2001:db8::3"))
    desk.done(getspi(0x1000, 0x1001, seq=6))
    assert desk.errno(getspi(0x1001, 0x1000, seq=7)) == EINVAL
    assert desk.errno(getspi(0x10, 0xFF)) == EINVAL


def test_spis_are_drawn_from_the_sysctls_range_and_the_given_stream() -> None:
    first, again = Desk(), Desk()
    drawn = [
        [desk.done(getspi()._replace(seq=seq, extensions=ends())).extensions[0].spi for seq in range(1, 20)]
        for desk in (first, again)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 19
    assert all(0x100 <= spi <= 0x0FFFFFFF for spi in drawn[0])


def test_a_cpi_is_drawn_from_16_bits() -> None:
    desk = Desk()
    for seq in range(1, 20):
        spi = desk.done(getspi(0x100, 0xFFFFFFFF, IPCOMP, seq=seq)).extensions[0].spi
        assert 0x100 <= spi <= 0xFFFF


def test_a_getspi_without_number_gets_one() -> None:
    assert Desk().done(getspi(seq=0)).seq != 0


def test_delete_takes_one_and_says_so_to_all() -> None:
    desk = Desk()
    desk.done(esp(0x1000))
    desk.done(esp(0x1001))
    ((target, answer),) = desk.ask(find(pfkey.SADB_DELETE))
    assert (target, [pfkey.exttype(extension) for extension in answer.extensions]) == ("all", [1, 5, 6])
    assert desk.states() == [(0x1001, "mature")]
    assert desk.errno(find(pfkey.SADB_DELETE)) == ENOENT
    assert desk.errno(find(pfkey.SADB_GET)) == ENOENT
    assert desk.errno(find(pfkey.SADB_GET, 0x1001, AH)) == ENOENT


def test_delete_without_spi_takes_all_of_the_pair_but_larval_ones() -> None:
    desk = Desk()
    everything = pfkey.Message(pfkey.SADB_DELETE, ESP, extensions=ends())
    desk.done(everything)
    desk.done(esp(0x1000))
    desk.done(esp(0x1001, A, B, pfkey.Sa2(2, 0, 4)))
    desk.done(esp(0x1002, B, A))
    desk.done(ah(0x1003))
    desk.done(getspi(0x1004, 0x1004))
    desk.done(everything)
    assert sorted(desk.states()) == [(0x1002, "mature"), (0x1003, "mature"), (0x1004, "larval")]


def test_flush_takes_all_of_a_kind_or_all() -> None:
    desk = Desk()
    desk.done(esp())
    desk.done(ah())
    ((target, answer),) = desk.ask(pfkey.Message(pfkey.SADB_FLUSH, ESP))
    assert (target, answer.extensions) == ("all", ())
    assert desk.states() == [(0x2000, "mature")]
    desk.done(pfkey.Message(pfkey.SADB_FLUSH))
    assert desk.states() == []


def test_a_dump_shows_newest_pairs_first_and_counts_down() -> None:
    desk = Desk()
    desk.done(esp(0x1000))
    desk.done(esp(0x1100, B, A))
    desk.done(esp(0x1001))
    desk.done(getspi(0x1002, 0x1002))
    answers = desk.dump()
    assert [(answer.extensions[0].spi, answer.seq) for answer in answers] == [
        (0x1100, 3),
        (0x1001, 2),
        (0x1000, 1),
        (0x1002, 0),
    ]
    assert all(answer.pid == 77 for answer in answers)


def test_a_dump_of_a_kind_shows_that_only_and_of_none_is_refused() -> None:
    desk = Desk()
    assert desk.errno(pfkey.Message(pfkey.SADB_DUMP)) == ENOENT
    desk.done(esp())
    assert [answer.extensions[0].spi for answer in desk.dump(satype=ESP)] == [0x1000]
    assert desk.errno(pfkey.Message(pfkey.SADB_DUMP, AH)) == ENOENT


def test_esn_is_a_flag_in_and_out() -> None:
    desk = Desk()
    key = pfkey.Key(pfkey.SADB_EXT_KEY_ENCRYPT, bytes(20))
    message = esp(encrypt=pfkey.SADB_X_EALG_AES_GCM_16, flags=pfkey.SADB_X_EXT_ESN)
    desk.done(message._replace(extensions=(*message.extensions[:3], key)))
    assert next(iter(desk.keys.sad)).esn
    assert desk.dump()[0].extensions[0].flags == pfkey.SADB_X_EXT_ESN


def test_a_saved_engine_goes_on_as_before() -> None:
    desk = Desk()
    desk.done(esp())
    desk.done(getspi(0x3000, 0x3000))
    before = [pfkey.build(message) for message in desk.dump()]
    desk.keys = pickle.loads(pickle.dumps(desk.keys))
    assert [pfkey.build(message) for message in desk.dump()] == before
    desk.at(31)
    assert desk.states() == [(0x1000, "mature")]
