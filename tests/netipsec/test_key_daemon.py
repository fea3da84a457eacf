"""Key daemons and the engine: register, acquire, who hears what, and the counters of it."""

from __future__ import annotations

import pytest

from kamelab.core.clock import SECOND
from kamelab.core.errors import EEXIST, EINVAL
from kamelab.stack.netipsec.key import key_parse
from kamelab.stack.netipsec.policy import Request
from kamelab.wire import pfkey
from tests.netipsec.pfkey_desk import A, B, Desk, ends, esp, sockaddr, spd

ESP, AH = pfkey.SADB_SATYPE_ESP, pfkey.SADB_SATYPE_AH
REGISTER = pfkey.Message(pfkey.SADB_REGISTER, ESP, 1, 100)


def send(desk: Desk, request: Request | None = None, dst: str = B) -> list[pfkey.Message]:
    """A packet from A that finds no association; what the daemons are asked."""
    policy = next(iter(desk.keys.spd))
    found = desk.keys.checkrequest(
        request or policy.requests[0], policy, sockaddr(A).addr, sockaddr(dst).addr, desk.now
    )
    assert found is None
    said = desk.keys.drain()
    assert all(target == "registered" for target, _ in said)
    return [pfkey.parse(data) for _, data in said]


def test_register_answers_with_the_algorithms() -> None:
    ((target, answer),) = Desk().ask(REGISTER)
    assert target == "registered"
    auth, encrypt = answer.extensions
    assert [alg.id for alg in auth.algorithms] == [2, 3, 5, 6, 7, 8, 9, 249, 250, 251]
    assert [alg.id for alg in encrypt.algorithms] == [2, 3, 6, 7, 11, 12, 13, 20, 252]
    assert pfkey.Alg(12, 16, 128, 256) in encrypt.algorithms


def test_register_twice_exists_but_for_another_kind_or_none() -> None:
    desk = Desk()
    desk.done(REGISTER)
    assert desk.errno(REGISTER) == EEXIST
    desk.done(REGISTER._replace(satype=AH))
    desk.done(REGISTER._replace(satype=0))
    desk.done(REGISTER._replace(satype=0))
    assert desk.keys.registered == {ESP: [100], AH: [100]}
    desk.keys.close(100)
    assert desk.keys.registered == {}


def test_an_acquire_tells_addresses_policy_and_proposals() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    (asked,) = send(desk)
    assert (asked.type, asked.satype, asked.pid) == (pfkey.SADB_ACQUIRE, ESP, 0)
    assert asked.seq != 0
    src, dst, policy, proposal = asked.extensions
    assert (src, dst) == ends()
    assert (policy.type, policy.dir, policy.id) == (2, 2, 1)
    assert proposal.replay == 32
    assert [comb.encrypt for comb in proposal.combs] == [7, 12, 13, 20, 252]
    aes = proposal.combs[1]
    assert (aes.encrypt_minbits, aes.encrypt_maxbits, aes.auth) == (256, 256, 0)
    assert (aes.soft_addtime, aes.hard_addtime, aes.soft_usetime, aes.hard_usetime) == (69120, 86400, 23040, 28800)


def test_proposals_follow_the_sysctls() -> None:
    desk = Desk()
    desk.keys.values.update({"net.key.esp_keymin": 64, "net.key.esp_auth": 1, "net.key.ah_keymin": 150})
    desk.done(spd(A, B))
    (asked,) = send(desk)
    combs = asked.extensions[3].combs
    assert [(comb.encrypt, comb.auth) for comb in combs] == [
        (2, 3), (3, 3), (6, 3), (7, 3), (12, 3), (13, 3), (20, 0), (252, 0),
    ]  # fmt: skip
    (asked,) = send(desk, Request(pfkey.IPPROTO_AH, "transport"))
    assert [(comb.auth, comb.auth_minbits, comb.auth_maxbits) for comb in asked.extensions[3].combs] == [(3, 160, 160)]
    (asked,) = send(desk, Request(pfkey.IPPROTO_IPCOMP, "transport"))
    assert [comb.encrypt for comb in asked.extensions[3].combs] == [pfkey.SADB_X_CALG_DEFLATE]


def test_the_same_question_waits_for_ten_packets() -> None:
    desk = Desk()
    desk.done(spd(A, "::/0"))
    (first,) = send(desk)
    assert [len(send(desk)) for _ in range(11)] == [0] * 10 + [1]
    assert [len(send(desk)) for _ in range(11)] == [0] * 10 + [1]
    (other,) = send(desk, dst="2001:db8::3")
    assert other.seq != first.seq


def test_the_same_question_waits_for_twenty_seconds() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    assert len(send(desk)) == 1
    desk.at(20)
    assert send(desk) == []
    desk.at(21)
    assert len(send(desk)) == 1
    desk.at(42)
    assert desk.keys.deadline() is None
    assert desk.keys.acquires.asked == {}


def test_a_tunnel_asks_for_its_ends() -> None:
    desk = Desk()
    tunnel = pfkey.Request(50, 2, 2, 0, sockaddr("2001:db8:f::1"), sockaddr("2001:db8:f::2"))
    desk.done(spd(f"{A}/64", f"{B}/64", tunnel))
    (asked,) = send(desk)
    assert asked.extensions[:2] == ends("2001:db8:f::1", "2001:db8:f::2")


def test_the_answer_to_an_acquire_is_found_by_the_next_packet() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    (asked,) = send(desk)
    desk.done(pfkey.Message(pfkey.SADB_GETSPI, ESP, asked.seq, 100, 0, (*ends(), pfkey.SpiRange(0x1000, 0x1000))))
    assert send(desk) == []
    desk.done(esp()._replace(type=pfkey.SADB_UPDATE, seq=asked.seq))
    policy = next(iter(desk.keys.spd))
    found = desk.keys.checkrequest(policy.requests[0], policy, sockaddr(A).addr, sockaddr(B).addr, desk.now)
    assert found is not None
    assert found.spi == 0x1000


def test_a_daemon_that_gives_up_starts_the_wait_anew() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    (asked,) = send(desk)
    desk.at(15)
    assert desk.ask(pfkey.Message(pfkey.SADB_ACQUIRE, ESP, asked.seq, 100, 60)) == []
    desk.at(30)
    assert send(desk) == []
    desk.at(36)
    assert len(send(desk)) == 1
    assert desk.ask(pfkey.Message(pfkey.SADB_ACQUIRE, ESP, 999, 100, 60)) == []


def test_user_land_may_ask_for_an_association() -> None:
    desk = Desk()
    wish = pfkey.Message(pfkey.SADB_ACQUIRE, ESP, 8, 100, 0, (*ends(), pfkey.Proposal(())))
    assert [(target, message.type, message.pid) for target, message in desk.ask(wish)] == [
        ("registered", pfkey.SADB_ACQUIRE, 0),
        ("registered", pfkey.SADB_ACQUIRE, 100),
    ]
    assert desk.errno(wish._replace(extensions=ends())) == EINVAL
    desk.done(esp())
    assert desk.errno(wish) == EEXIST


def test_a_policy_without_requests_asks_for_them() -> None:
    desk = Desk()
    desk.done(spd(A, B, kind=pfkey.SADB_X_SPDSETIDX))
    policy = next(iter(desk.keys.spd))
    assert desk.keys.spacquire(policy, desk.now)
    assert not desk.keys.spacquire(policy, desk.now)
    ((target, data),) = desk.keys.drain()
    assert (target, pfkey.parse(data).type) == ("registered", pfkey.SADB_X_SPDACQUIRE)


def test_questions_are_remembered_up_to_a_bound() -> None:
    desk = Desk()
    desk.done(spd(A, "::/0"))
    for host in range(1500):
        assert len(send(desk, dst=f"2001:db8:1::{host:x}")) == 1
    assert len(desk.keys.acquires.asked) == 1024


def test_each_socket_hears_what_is_for_it() -> None:
    desk = Desk()
    keys = desk.keys
    sockets = [100, 200, 300]
    key_parse(keys, 200, pfkey.build(REGISTER))

    def heard(answers: list[tuple[str, bytes]], asker: int | None) -> list[int]:
        return [socket for socket, _ in keys.deliver(answers, sockets, asker)]

    assert heard(key_parse(keys, 100, pfkey.build(esp())), 100) == [100, 200, 300]
    assert heard(key_parse(keys, 100, pfkey.build(pfkey.Message(pfkey.SADB_DUMP))), 100) == [100]
    assert heard(key_parse(keys, 300, pfkey.build(REGISTER._replace(satype=0))), 300) == [200, 300]
    desk.done(spd(A, "2001:db8::9"))
    policy = next(iter(keys.spd))
    keys.checkrequest(policy.requests[0], policy, sockaddr(A).addr, sockaddr("2001:db8::9").addr, SECOND)
    assert heard(keys.drain(), None) == [200]
    stat = keys.stat
    assert stat.in_msgtarget == {"one": 1, "all": 3, "registered": 3}
    assert stat.in_total == 7
    assert (stat.in_msgtype[pfkey.SADB_ADD], stat.in_msgtype[pfkey.SADB_ACQUIRE]) == (3, 1)


def test_a_promiscuous_socket_gets_a_copy_of_everything() -> None:
    desk = Desk()
    keys = desk.keys
    desk.done(esp())
    key_parse(keys, 200, pfkey.build(pfkey.Message(pfkey.SADB_X_PROMISC, 1)))
    dump = key_parse(keys, 100, pfkey.build(pfkey.Message(pfkey.SADB_DUMP)))
    (copy, answer) = keys.deliver(dump, [200, 100], 100)
    assert (copy[0], answer[0]) == (200, 100)
    assert pfkey.parse(copy[1]).payload == answer[1]
    key_parse(keys, 200, pfkey.build(pfkey.Message(pfkey.SADB_X_PROMISC, 0)))
    assert len(keys.deliver(dump, [200, 100], 100)) == 1


@pytest.mark.parametrize("satype", [2, 3, 7, 200])
def test_promisc_takes_no_other_kind(satype: int) -> None:
    assert Desk().errno(pfkey.Message(pfkey.SADB_X_PROMISC, satype)) != 0


def test_a_wrapped_message_is_passed_on_to_all() -> None:
    desk = Desk()
    inner = pfkey.build(esp())
    assert key_parse(desk.keys, 100, pfkey.build(pfkey.Message(pfkey.SADB_X_PROMISC, payload=inner))) == [
        ("all", inner)
    ]
