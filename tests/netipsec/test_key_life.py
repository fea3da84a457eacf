"""The life of associations and policies, tick by tick, and what key daemons hear of it."""

from __future__ import annotations

from kamelab.core.clock import SECOND
from kamelab.stack.netipsec import sa_state
from kamelab.stack.netipsec.policy import Policy
from kamelab.stack.netipsec.sadb import Sa
from kamelab.wire import pfkey
from tests.netipsec.pfkey_desk import A, B, Desk, ends, esp, lifetimes, sockaddr, spd


def sa_of(desk: Desk) -> Sa:
    return next(iter(desk.keys.sad))


def policy_of(desk: Desk) -> Policy:
    return next(iter(desk.keys.spd))


def send(desk: Desk) -> Sa | None:
    """What a packet from A to B under the first policy gets."""
    policy = policy_of(desk)
    return desk.keys.checkrequest(policy.requests[0], policy, sockaddr(A).addr, sockaddr(B).addr, desk.now)


def test_the_table_leads_from_birth_to_death_and_never_back() -> None:
    order = [sa_state.NONE, *sa_state.STATES]
    for (state, event), (new, rule) in sa_state.TRANSITIONS.items():
        assert event in sa_state.EVENTS
        assert rule
        assert order.index(new) > order.index(state)
    assert {event for _, event in sa_state.TRANSITIONS} == set(sa_state.EVENTS)


def test_a_used_association_dies_in_two_steps_and_both_are_told() -> None:
    desk = Desk()
    desk.done(esp(0x1000, A, B, *lifetimes(100, 80)))
    desk.keys.transferred(sa_of(desk), 500, 2 * SECOND)
    assert desk.at(80.5) == []
    assert desk.states() == [(0x1000, "mature")]
    (soft,) = desk.at(81)
    assert (soft.type, soft.satype, soft.seq) == (pfkey.SADB_EXPIRE, pfkey.SADB_SATYPE_ESP, 1)
    assert [pfkey.exttype(extension) for extension in soft.extensions] == [1, 19, 2, 4, 5, 6]
    assert soft.extensions[0].state == pfkey.SADB_SASTATE_DYING
    assert desk.states() == [(0x1000, "dying")]
    assert desk.keys.inbound(sockaddr(B).addr, 50, 0x1000) is not None
    assert desk.at(100.9) == []
    (hard,) = desk.at(101)
    assert [pfkey.exttype(extension) for extension in hard.extensions] == [1, 19, 2, 3, 5, 6]
    assert desk.states() == []
    assert desk.keys.deadline() is None


def test_one_that_was_never_used_is_dead_at_the_soft_limit() -> None:
    desk = Desk()
    desk.done(esp(0x1000, A, B, *lifetimes(100, 80)))
    (told,) = desk.at(81)
    assert told.type == pfkey.SADB_EXPIRE
    assert desk.states() == []


def test_a_manual_association_without_limits_lives_for_ever() -> None:
    desk = Desk()
    desk.done(esp())
    assert desk.keys.deadline() is None
    assert desk.at(10_000_000) == []
    assert desk.states() == [(0x1000, "mature")]


def test_without_soft_limit_the_hard_one_is_not_looked_at() -> None:
    desk = Desk()
    desk.done(esp(0x1000, A, B, *lifetimes(100, 0)))
    assert desk.at(1000) == []
    assert desk.states() == [(0x1000, "mature")]


def test_limits_by_octets_end_it_at_the_next_second() -> None:
    desk = Desk()
    desk.done(esp(0x1000, A, B, *lifetimes(0, 0, 3000, 2000)))
    desk.at(5.25)
    desk.keys.transferred(sa_of(desk), 2000, desk.now)
    assert desk.at(7) == []
    desk.at(7.5)
    desk.keys.transferred(sa_of(desk), 1, desk.now)
    assert desk.keys.deadline() == 8 * SECOND
    (soft,) = desk.at(8)
    assert soft.extensions[2].octets == 2001
    assert desk.states() == [(0x1000, "dying")]
    desk.keys.transferred(sa_of(desk), 1000, desk.now)
    (hard,) = desk.at(10)
    assert pfkey.exttype(hard.extensions[3]) == pfkey.SADB_EXT_LIFETIME_HARD
    assert desk.states() == []


def test_a_dead_one_stays_while_a_request_holds_it_and_goes_with_the_next_packet() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    desk.done(esp(0x1000, A, B, *lifetimes(10, 8)))
    assert send(desk) is sa_of(desk)
    assert sa_of(desk).refcnt == 2
    desk.keys.transferred(sa_of(desk), 100, desk.now)
    desk.at(20)
    assert desk.states() == [(0x1000, "dead")]
    desk.done(esp(0x1000))
    assert desk.states() == [(0x1000, "mature"), (0x1000, "dead")]
    chosen = send(desk)
    assert chosen is not None
    assert desk.states() == [(0x1000, "mature")]
    desk.done(pfkey.Message(pfkey.SADB_X_SPDFLUSH))
    assert chosen.refcnt == 1


def test_the_oldest_is_preferred_dying_before_mature() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    desk.done(esp(0x1000, A, B, *lifetimes(100, 10)))
    desk.keys.transferred(sa_of(desk), 100, desk.now)
    desk.at(5)
    desk.done(esp(0x1001))
    desk.at(20)
    assert desk.states() == [(0x1001, "mature"), (0x1000, "dying")]
    assert send(desk).spi == 0x1000


def test_the_newest_may_be_preferred_and_older_ones_with_a_hard_limit_die_of_it() -> None:
    desk = Desk()
    desk.keys.values["net.key.preferred_oldsa"] = 0
    desk.done(spd(A, B))
    desk.done(esp(0x1000))
    desk.at(1)
    desk.done(esp(0x1001, A, B, *lifetimes(100, 80)))
    desk.at(2)
    desk.done(esp(0x1002))
    assert send(desk).spi == 0x1002
    ((target, data),) = desk.keys.drain()
    told = pfkey.parse(data)
    assert (target, told.type, told.extensions[0].spi) == ("registered", pfkey.SADB_DELETE, 0x1001)
    assert desk.states() == [(0x1002, "mature"), (0x1000, "mature")]


def test_a_policy_ends_after_its_lifetime() -> None:
    desk = Desk()
    desk.at(100)
    desk.done(spd(A, B, more=(pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_HARD, 0, 0, 60),)))
    assert desk.at(160) == []
    (told,) = desk.at(161)
    assert told.type == pfkey.SADB_X_SPDEXPIRE
    assert told.get(pfkey.SADB_EXT_ADDRESS_SRC) == ends()[0]
    assert len(desk.keys.spd) == 0


def test_a_policy_ends_when_it_was_not_used_for_its_validtime() -> None:
    desk = Desk()
    desk.done(spd(A, B, more=(pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_HARD, 0, 0, 0, 30),)))
    desk.at(20)
    policy_of(desk).used = desk.now
    assert desk.at(50) == []
    assert len(desk.keys.spd) == 1
    assert [told.type for told in desk.at(51)] == [pfkey.SADB_X_SPDEXPIRE]
    assert len(desk.keys.spd) == 0
