"""Which policy a packet meets: order, selectors, zones, levels, sockets; and that numbers do not change its cost."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.core.errors import EACCES, EINVAL, Errno
from kamelab.stack.netipsec.key import DEFAULTS, KeyEngine
from kamelab.stack.netipsec.policy import Flow, Policy, Request, in_reject
from kamelab.stack.netipsec.sadb import Sa
from kamelab.stack.netipsec.spd import CACHE_SIZE, SocketPolicy, Spd
from kamelab.wire import pfkey
from tests.netipsec.pfkey_desk import A, B, Desk, sockaddr, spd

NONE, DISCARD = pfkey.IPSEC_POLICY_NONE, pfkey.IPSEC_POLICY_DISCARD


def addr(text: str) -> bytes:
    """Kernel form: the zone is embedded."""
    address = sockaddr(text)
    plain = address.addr
    return plain[:2] + address.scope.to_bytes(2, "big") + plain[4:] if address.scope else plain


def flow(src: str = A, dst: str = B, proto: int = 17, sport: int = 1024, dport: int = 53) -> Flow:
    return Flow(addr(src), addr(dst), proto, sport, dport)


def matched(desk: Desk, packet: Flow, direction: str = "out") -> int:
    """The spid of the policy that a packet meets, 0 for none."""
    found = desk.keys.spd.find(direction, packet)
    return 0 if found is None else found.id


def test_the_first_policy_added_that_matches_counts() -> None:
    desk = Desk()
    desk.done(spd(f"{A}/64", "::/0", action=NONE))
    desk.done(spd(A, B))
    assert matched(desk, flow()) == 1
    desk.done(spd(f"{A}/64", "::/0", kind=pfkey.SADB_X_SPDDELETE))
    assert matched(desk, flow()) == 2
    desk.done(spd(f"{A}/64", "::/0", action=NONE))
    assert matched(desk, flow()) == 2
    assert matched(desk, flow(), "in") == 0


MATCHES = [
    # selector's source, destination, proto, ports; the packet; reason why not
    ((A, B, 255, 0, 0), flow(), ""),
    (("2001:db8::/32", "::/0", 255, 0, 0), flow(), ""),
    (("2001:db9::/32", "::/0", 255, 0, 0), flow(), "source address"),
    ((f"{A}/127", B, 255, 0, 0), flow("2001:db8::"), ""),
    ((f"{A}/127", B, 255, 0, 0), flow("2001:db8::2"), "source address"),
    ((A, "2001:db8::8/125", 255, 0, 0), flow(), "destination address"),
    ((A, B, 6, 0, 0), flow(), "upper protocol"),
    ((A, B, 17, 0, 53), flow(), ""),
    ((A, B, 17, 0, 54), flow(), "destination port"),
    ((A, B, 17, 53, 0), flow(), "source port"),
    ((A, B, 17, 1024, 53), flow(), ""),
    # Fragments and forwarded packets: protocol or ports are not known.
    ((A, B, 17, 0, 53), flow(proto=255, sport=0, dport=0), "upper protocol"),
    ((A, B, 17, 0, 53), flow(sport=0, dport=0), "destination port"),
    ((A, B, 17, 0, 0), flow(sport=0, dport=0), ""),
    # ICMPv6: type and code in the place of ports, 0 is any.
    ((A, B, 58, 128, 0), flow(proto=58, sport=128, dport=0), ""),
    ((A, B, 58, 128, 0), flow(proto=58, sport=129, dport=0), "ICMPv6 type"),
    ((A, B, 58, 1, 4), flow(proto=58, sport=1, dport=3), "ICMPv6 code"),
    ((A, B, 58, 0, 0), flow(proto=58, sport=135, dport=0), ""),
    # Zones.
    (("fe80::1%2", "fe80::2%2", 255, 0, 0), flow("fe80::1%2", "fe80::2%2"), ""),
    (("fe80::1%2", "fe80::2%2", 255, 0, 0), flow("fe80::1%3", "fe80::2%3"), "source address"),
    (("fe80::1", "fe80::2", 255, 0, 0), flow("fe80::1%3", "fe80::2%3"), ""),
    (("fe80::/10", "ff02::/16", 255, 0, 0), flow("fe80::1%3", "ff02::1%3"), ""),
    (("fe80::%2/10", "::/0", 255, 0, 0), flow("fe80::1%3", "ff02::1%3"), "source address"),
    (("::/0", "::/0", 255, 0, 0), flow("fe80::1%3", "ff02::1%3"), ""),
    # Families do not mix.
    (("0.0.0.0/0", "0.0.0.0/0", 255, 0, 0), flow(), "source address"),
    (("10.0.0.0/8", "0.0.0.0/0", 255, 0, 0), flow("10.9.9.9", "192.0.2.1"), ""),
    (("10.0.0.0/8", "0.0.0.0/0", 255, 0, 0), flow("11.9.9.9", "192.0.2.1"), "source address"),
]


@pytest.mark.parametrize(("selector", "packet", "reason"), MATCHES)
def test_a_selector_matches_or_says_why_not(
    selector: tuple[str, str, int, int, int], packet: Flow, reason: str
) -> None:
    src, dst, proto, sport, dport = selector
    desk = Desk()
    host, _, plen = src.partition("/")
    if "%" in host and plen:
        src = f"{host}/{plen}"
    desk.done(spd(src, dst, proto=proto, sport=sport, dport=dport, action=NONE))
    assert matched(desk, packet) == (0 if reason else 1)
    assert [why for _, why in desk.keys.spd.explain("out", packet)] == [reason]


def test_the_trace_tells_each_policy_up_to_the_one_that_matches() -> None:
    desk = Desk()
    desk.done(spd(B, A))
    desk.done(spd(A, B, proto=6))
    desk.done(spd(A, B, proto=17))
    desk.done(spd(A, B))
    steps = desk.keys.spd.explain("out", flow())
    assert [(policy.id, why) for policy, why in steps] == [
        (1, "source address"),
        (2, "upper protocol"),
        (3, ""),
    ]


HOSTS = [A, B, "2001:db8:1::1", "fe80::1%2", "fe80::1%3", "10.0.0.1", "10.0.0.2"]
PLENS = [0, 8, 16, 32, 64, 120, 127, 128]


@st.composite
def selectors(draw: st.DrawFn) -> Policy:
    src = addr(draw(st.sampled_from(HOSTS)))
    dst = addr(draw(st.sampled_from([host for host in HOSTS if len(addr(host)) == len(src)])))
    bits = len(src) * 8
    policy = Policy(draw(st.sampled_from(["in", "out"])), "none")
    proto = draw(st.sampled_from([255, 6, 17]))
    ports = draw(st.sampled_from([(0, 0), (0, 80), (53, 0)]))
    return policy.select(
        src, min(draw(st.sampled_from(PLENS)), bits), dst, min(draw(st.sampled_from(PLENS)), bits), proto, *ports
    )


@given(st.lists(selectors(), max_size=12), st.data())
def test_the_index_finds_what_a_search_one_by_one_finds(policies: list[Policy], data: st.DataObject) -> None:
    database = Spd()
    for policy in policies:
        if policy.key not in database.by_key:
            database.add(policy, 0)
    for _ in range(4):
        for policy in data.draw(
            st.lists(st.sampled_from(list(database)), max_size=2, unique_by=id) if len(database) else st.just([])
        ):
            database.remove(policy)
        src = addr(data.draw(st.sampled_from(HOSTS)))
        dst = addr(data.draw(st.sampled_from([host for host in HOSTS if len(addr(host)) == len(src)])))
        packet = Flow(src, dst, data.draw(st.sampled_from([255, 6, 17])), data.draw(st.sampled_from([0, 53])), 80)
        direction = data.draw(st.sampled_from(["in", "out"]))
        steps = database.explain(direction, packet)
        expected = steps[-1][0] if steps and not steps[-1][1] else None
        assert database.find(direction, packet) is expected
        assert database.find(direction, packet) is expected


def test_a_thousand_policies_are_not_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    for number in range(500):
        desk.done(spd(A, f"2001:db8:1::{number:x}"))
        desk.done(spd(A, f"2001:db8:2:{number:x}::/64"))
    tried: list[int] = []
    mismatch = Policy.mismatch

    def counted(policy: Policy, packet: Flow) -> str:
        tried.append(policy.id)
        return mismatch(policy, packet)

    monkeypatch.setattr(Policy, "mismatch", counted)
    assert matched(desk, flow(dst="2001:db8:1::1f3")) == 999
    assert matched(desk, flow(dst="2001:db8:2:1f3::9")) == 1000
    assert matched(desk, flow(dst="2001:db8:3::1")) == 0
    assert len(tried) == 2
    assert matched(desk, flow(dst="2001:db8:1::1f3")) == 999
    assert len(tried) == 2
    assert (desk.keys.spd.lookups, desk.keys.spd.misses) == (4, 3)


def test_flows_are_remembered_up_to_a_bound() -> None:
    desk = Desk()
    desk.done(spd(A, "::/0"))
    for port in range(CACHE_SIZE + 10):
        assert matched(desk, flow(dport=port)) == 1
    assert len(desk.keys.spd.cache) <= CACHE_SIZE


def test_without_match_the_default_policy_counts() -> None:
    keys = KeyEngine()
    assert keys.spd.byaddr("out", flow(), keys.values, 5).action == "none"
    strict = {**DEFAULTS, "net.inet6.ipsec6.def_policy": 0}
    assert keys.spd.byaddr("out", flow(), strict, 5).action == "discard"
    assert keys.spd.byaddr("out", flow("10.0.0.1", "10.0.0.2"), strict, 5).action == "none"


def test_a_match_is_the_policys_last_use() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    assert desk.keys.spd.byaddr("out", flow(), desk.keys.values, 5).used == 5


# -- levels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "default", "strict"),
    [
        (Request(50, "transport", "default"), False, True),
        (Request(50, "tunnel", "default"), False, True),
        (Request(51, "transport", "default"), False, False),
        (Request(108, "transport", "default"), False, False),
        (Request(50, "transport", "use"), False, False),
        (Request(51, "transport", "use"), False, False),
        (Request(50, "transport", "require"), True, True),
        (Request(51, "tunnel", "require"), True, True),
        (Request(50, "transport", "unique"), True, True),
    ],
)
def test_levels_mean_what_the_sysctls_say(request_: Request, default: bool, strict: bool) -> None:
    assert request_.required(DEFAULTS) is default
    values = {name: 2 if "deflev" in name else value for name, value in DEFAULTS.items()}
    assert request_.required(values) is strict
    odd = {name: 3 if "deflev" in name else value for name, value in DEFAULTS.items()}
    assert request_.required(odd) is default


def test_an_arriving_packet_must_bear_the_marks_that_its_policy_requires() -> None:
    esp, ah = Request(50, "transport", "require"), Request(51, "transport", "require")
    both = Policy("in", "ipsec", (esp, ah))
    assert in_reject(both, False, False, False, DEFAULTS) == "not encrypted by ESP"
    assert in_reject(both, True, False, False, DEFAULTS) == "not authenticated by AH"
    assert in_reject(both, True, False, True, DEFAULTS) == ""
    lax = Policy("in", "ipsec", (Request(50, "transport", "use"), Request(108, "transport", "require")))
    assert in_reject(lax, False, False, False, DEFAULTS) == ""
    esp.sa = Sa(50, 0x1000, addr(A), addr(B), ealg=12, aalg=3)
    assert in_reject(both, True, False, True, DEFAULTS) == "not authenticated by ESP"
    assert in_reject(both, True, True, True, DEFAULTS) == ""
    assert in_reject(Policy("in", "discard"), True, True, True, DEFAULTS) == "policy discard"
    assert in_reject(Policy("in", "none"), False, False, False, DEFAULTS) == ""


# -- sockets -------------------------------------------------------------------------------------------------------


def option(action: int, direction: int = pfkey.IPSEC_DIR_OUTBOUND, *requests: pfkey.Request) -> bytes:
    return pfkey.build_extension(pfkey.Policy(action, direction, 0, requests))


IPSEC = option(pfkey.IPSEC_POLICY_IPSEC, 2, pfkey.Request(51, 1, 1))
BYPASS = option(pfkey.IPSEC_POLICY_BYPASS)
ENTRUST = option(pfkey.IPSEC_POLICY_ENTRUST)


@pytest.mark.parametrize(
    ("privileged", "own", "database", "expected"),
    [
        (False, b"", True, "ipsec database"),
        (False, b"", False, "none default"),
        (False, IPSEC, True, "ipsec database"),
        (False, IPSEC, False, "ipsec own"),
        (False, ENTRUST, True, "ipsec database"),
        (False, ENTRUST, False, "none default"),
        (True, IPSEC, True, "ipsec own"),
        (True, BYPASS, True, "bypass own"),
        (True, BYPASS, False, "bypass own"),
        (True, ENTRUST, True, "ipsec database"),
        (True, ENTRUST, False, "none default"),
    ],
)
def test_whose_policy_counts_depends_on_the_sockets_privilege(
    privileged: bool, own: bytes, database: bool, expected: str
) -> None:
    desk = Desk()
    base = desk.keys.spd
    if database:
        desk.done(spd(A, B))
    socket = SocketPolicy(privileged)
    if own:
        socket.set(base, own, 0)
    policy = base.bysock("out", flow(), socket, desk.keys.values, 9)
    where = "database" if policy.selector else "own" if policy is socket.outbound else "default"
    assert f"{policy.action} {where}" == expected


@pytest.mark.parametrize(
    ("data", "privileged", "number"),
    [
        (option(DISCARD), True, EINVAL),
        (option(NONE), True, EINVAL),
        (BYPASS, False, EACCES),
        (option(pfkey.IPSEC_POLICY_IPSEC), True, EINVAL),
        (option(pfkey.IPSEC_POLICY_IPSEC, 2, pfkey.Request(51, 0, 1)), True, EINVAL),
        (option(pfkey.IPSEC_POLICY_ENTRUST, 0), True, EINVAL),
        (option(9), True, EINVAL),
        (b"", True, EINVAL),
        (IPSEC[:-8], True, EINVAL),
    ],
)
def test_a_socket_may_not_set_what_is_not_a_sockets(data: bytes, privileged: bool, number: int) -> None:
    base = Spd()
    socket = SocketPolicy(privileged)
    with pytest.raises(Errno) as caught:
        socket.set(base, data, 0)
    assert caught.value.number == number
    assert list(base) == []


def test_a_sockets_policy_is_read_back_shown_in_dumps_and_goes_with_it() -> None:
    desk = Desk()
    keys = desk.keys
    desk.done(spd(A, B))
    socket = SocketPolicy(True)
    assert pfkey.parse_policy(socket.get_bytes("in")) == pfkey.Policy(3, 1)
    socket.set(keys.spd, IPSEC, 0)
    assert pfkey.parse_policy(socket.get_bytes("out")) == pfkey.Policy(2, 2, 2, (pfkey.Request(51, 1, 1),))
    answers = desk.dump(pfkey.SADB_X_SPDDUMP)
    assert [answer.get(pfkey.SADB_X_EXT_POLICY).id for answer in answers] == [1, 2]
    assert answers[1].get(pfkey.SADB_EXT_ADDRESS_SRC) is None
    desk.done(pfkey.Message(pfkey.SADB_X_SPDFLUSH))
    assert len(desk.dump(pfkey.SADB_X_SPDDUMP)) == 1
    assert desk.errno(pfkey.Message(pfkey.SADB_X_SPDDELETE2, extensions=(pfkey.Policy(0, 2, 2),))) == EINVAL
    socket.set(keys.spd, BYPASS, 0)
    socket.close(keys.spd, keys.release)
    assert list(keys.spd) == []
    assert keys.spd.by_id == {}


def test_an_invalid_policy_leaves_the_old_one() -> None:
    base = Spd()
    socket = SocketPolicy(True)
    socket.set(base, BYPASS, 0)
    with pytest.raises(Errno):
        socket.set(base, option(DISCARD), 0)
    assert socket.outbound is not None
    assert socket.outbound.action == "bypass"


def test_a_saved_database_finds_the_same() -> None:
    desk = Desk()
    desk.done(spd(A, B))
    desk.done(spd("::/0", "::/0", action=DISCARD))
    desk.keys = pickle.loads(pickle.dumps(desk.keys))
    assert matched(desk, flow()) == 1
    assert matched(desk, flow(B, A)) == 2
