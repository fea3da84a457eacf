"""TCP: connections come to be (RFC 9293 3.5, 3.10.1, 3.10.7.1 to 3.10.7.3; RFC 6528, RFC 7323 2, 3)."""

from __future__ import annotations

import pytest
from streams import H1, H2, PORT, TCP, Peer, alone, listening, open_to, packet, pair, row, segments, server, state, two
from wires import STRANGER_MAC, A, Wires

from kamelab.core.errors import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    ECONNREFUSED,
    EHOSTUNREACH,
    EINVAL,
    EISCONN,
    ENETUNREACH,
    EOPNOTSUPP,
    ETIMEDOUT,
    Errno,
)
from kamelab.stack import syscalls
from kamelab.stack.netinet.tcp_state import STATES, TRANSITIONS
from kamelab.wire import icmp6 as icmp
from kamelab.wire import ip6, tcp


def number(caught: pytest.ExceptionInfo[Errno]) -> int:
    return caught.value.number


def test_the_handshake_takes_three_segments(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    mine, theirs = segments(wires, h1), segments(wires, h2)
    assert [one.flags for one in mine] == ["S", "."]
    assert [one.flags for one in theirs] == ["S."]
    assert theirs[0].ack == (mine[0].seq + 1) & 0xFFFFFFFF
    assert (mine[1].seq, mine[1].ack) == (theirs[0].ack, (theirs[0].seq + 1) & 0xFFFFFFFF)
    assert mine[0].options[:2] == (1440, 0)
    assert theirs[0].options.tsecr == mine[0].options.tsval
    assert state(h1, sid) == state(h2, taken) == "ESTABLISHED"
    assert [text for _, text in wires.states(h1, "tcp")] == ["CLOSED > SYN-SENT", "SYN-SENT > ESTABLISHED"]
    assert [text for _, text in wires.states(h2, "tcp")] == [
        "CLOSED > LISTEN",
        "LISTEN > SYN-RECEIVED",
        "SYN-RECEIVED > ESTABLISHED",
    ]
    counters = h1.counters()
    assert counters["tcp.connattempt"] == counters["tcp.connects"] == 1
    assert h2.counters()["tcp.accepts"] == 1
    assert syscalls.getpeername(h2, taken)[:2] == (H1, syscalls.getsockname(h1, sid)[1])
    wires.account()


def test_every_transition_leads_from_a_state_to_a_state() -> None:
    assert {old for old, _ in TRANSITIONS} == set(STATES)
    assert {new for new, _ in TRANSITIONS.values()} == set(STATES)
    assert all(rule.startswith(("RFC", "BSD")) for _, rule in TRANSITIONS.values())


def test_a_port_that_nobody_listens_on_refuses(wires: Wires) -> None:
    h1, h2 = two(wires)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    assert not syscalls.connect_stream(h1, sid, H2, 9)
    wires.run(0.1)
    with pytest.raises(Errno) as caught:
        syscalls.connect_stream(h1, sid, H2, 9)
    assert number(caught) == ECONNREFUSED
    (answer,) = segments(wires, h2)
    assert (answer.flags, answer.seq, answer.ack) == ("R.", 0, (segments(wires, h1)[0].seq + 1) & 0xFFFFFFFF)
    assert wires.drops(h2, 3) == ["TCP_NOPORT"]
    assert h1.counters()["tcp.conndrops"] == 1
    wires.account()


def test_nobody_there_ends_after_three_minutes(wires: Wires) -> None:
    """RFC 9293 3.8.3: R2 of a SYN is at least 3 minutes; RFC 6298 5.5: the time between doubles."""
    h1, _h2 = two(wires)
    wires.net.set_link("lan", False)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.connect_stream(h1, sid, H2, PORT)
    wires.run(179)
    assert not syscalls.connect_stream(h1, sid, H2, PORT)
    times = [round(one.at - 3) for one in segments(wires, h1)]
    assert times == [0, 1, 3, 7, 15, 31, 63, 127]
    wires.run(2)
    with pytest.raises(Errno) as caught:
        syscalls.connect_stream(h1, sid, H2, PORT)
    assert number(caught) == ETIMEDOUT
    assert h1.counters()["tcp.keeptimeo"] == 1


def test_bsd_gave_up_after_75_seconds(wires: Wires) -> None:
    h1, _ = two(wires)
    wires.net.set_link("lan", False)
    syscalls.sysctl_set(h1, TCP + "keepinit", 75000)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.connect_stream(h1, sid, H2, PORT)
    wires.run(76)
    with pytest.raises(Errno):
        syscalls.connect_stream(h1, sid, H2, PORT)


def test_both_ends_open_at_once(wires: Wires) -> None:
    """RFC 9293 3.5 figure 7."""
    h1, h2 = two(wires, latency=10_000_000)
    sids = []
    for node, peer, port, other in ((h1, H2, 7001, 7002), (h2, H1, 7002, 7001)):
        sid = syscalls.socket(node, 0, "tcp6", 0)
        syscalls.bind(node, sid, bytes(16), port, 0)
        syscalls.connect_stream(node, sid, peer, other)
        sids.append(sid)
    wires.run(1)
    assert syscalls.connect_stream(h1, sids[0], H2, 7002)
    assert syscalls.connect_stream(h2, sids[1], H1, 7001)
    for node in (h1, h2):
        assert [text for _, text in wires.states(node, "tcp")] == [
            "CLOSED > SYN-SENT",
            "SYN-SENT > SYN-RECEIVED",
            "SYN-RECEIVED > ESTABLISHED",
        ]
    assert syscalls.send(h1, sids[0], b"at once") == 7
    wires.run(1)
    assert syscalls.recv(h2, sids[1]) == b"at once"
    wires.account()


def test_a_lost_syn_and_a_lost_answer_are_sent_again(wires: Wires) -> None:
    h1, h2 = two(wires)
    server(wires, h2)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    wires.net.set_link("lan", False)
    syscalls.connect_stream(h1, sid, H2, PORT)
    wires.run(0.5)
    wires.net.set_link("lan", True)
    wires.run(0.6)
    assert syscalls.connect_stream(h1, sid, H2, PORT)
    assert h1.counters()["tcp.rexmttimeo"] == 1
    # RFC 6298 5.7: a time-out of 3 s where the SYN was lost; RFC 5681 3.1: one segment to begin with.
    assert (row(h1, sid).rto, row(h1, sid).cwnd) == (3_000_000_000, 1428)


def test_the_answer_is_sent_again_until_it_is_acknowledged_or_given_up(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    peer.send("S")
    wires.run(130)
    assert [(round(one.at - 3), one.flags) for one in peer.heard()] == [(1, "S."), (3, "S."), (7, "S."), (15, "S."),
                                                                        (31, "S.")]  # fmt: skip
    assert h1.counters()["tcp.sc_timed_out"] == 1
    assert h1.counters()["tcp.sc_retransmitted"] == 5
    assert not h1.sockets[listening(h1)].tcb.syn  # type: ignore[union-attr]


def test_the_same_syn_again_is_answered_again(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    (first,) = peer.send("S")
    (second,) = peer.send("S", seq=1000)
    assert (first.seq, first.ack, second.seq, second.flags) == (second.seq, 1001, first.seq, "S.")
    assert h1.counters()["tcp.sc_dupesyn"] == 1


def test_a_half_open_connection_is_seen_in_the_table(wires: Wires) -> None:
    h1 = alone(wires)
    Peer(wires, h1).send("S")
    rows = syscalls.rows(h1, "tcp")
    assert [(one.local, one.foreign, one.state) for one in rows] == [
        ("*.5000", "*.*", "LISTEN"),
        ("2001:db8:1::1.5000", "2001:db8:1::99.4000", "SYN-RECEIVED"),
    ]


def test_as_many_wait_as_the_backlog_says(wires: Wires) -> None:
    h1 = alone(wires, backlog=2)
    for sport in (4001, 4002, 4003):
        peer = Peer(wires, h1, sport)
        answers = peer.send("S")
        if answers:
            peer.ack = answers[0].seq + 1
            peer.send(".")
    assert wires.drops(h1, 3) == ["TCP_LISTEN_FULL"]
    assert h1.counters()["tcp.listendrop"] == 1
    (listener, *_) = syscalls.rows(h1, "sockets")
    assert (listener.recv_q, listener.state) == (2, "LISTEN")
    sid = listening(h1)
    ports = [syscalls.getpeername(h1, syscalls.accept(h1, sid))[1] for _ in range(2)]
    assert ports == [4001, 4002]
    assert syscalls.accept(h1, sid) == 0


def test_segment_sizes_follow_option_and_path(wires: Wires) -> None:
    """RFC 9293 3.7.1: 1220 where the peer says nothing; the least of both otherwise."""
    h1 = alone(wires)
    assert row(h1, Peer(wires, h1, 4001).open()).mss == 1220
    assert row(h1, Peer(wires, h1, 4002).open(tcp.build_options(1000))).mss == 1000
    assert row(h1, Peer(wires, h1, 4003).open(tcp.build_options(9000))).mss == 1440
    assert row(h1, Peer(wires, h1, 4004).open(tcp.build_options(1440, -1, 5))).mss == 1428
    assert row(h1, Peer(wires, h1, 4005).open(tcp.build_options(1))).mss == 216


def test_the_default_size_and_the_options_are_variables(wires: Wires) -> None:
    h1 = alone(wires)
    syscalls.sysctl_set(h1, TCP + "v6mssdflt", 1024)
    syscalls.sysctl_set(h1, TCP + "rfc1323", 0)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(-1, 3, 77))
    assert peer.answer.options == (1440, -1, -1, -1)
    assert (row(h1, sid).mss, row(h1, sid).timestamps) == (1024, False)


def test_windows_are_scaled_where_both_sides_offer_it(wires: Wires) -> None:
    h1 = alone(wires, SO_RCVBUF=200_000)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1440, 5))
    assert peer.answer.options.wscale == 2
    assert peer.answer.window == 65535
    assert row(h1, sid).scales == (5, 2)
    assert row(h1, sid).snd_wnd == 8192 << 5
    peer.send("P.", b"x" * 100)
    peer.send("P.", b"x" * 100)
    assert peer.heard() == []
    (ack,) = segments(wires, h1)[-1:]
    assert ack.window == (200_000 - 200) >> 2


def test_initial_numbers_follow_the_clock_and_differ_by_connection(wires: Wires) -> None:
    """RFC 6528 3: a clock of 4 us, and a secret hash of addresses and ports."""
    h1 = alone(wires)
    first = Peer(wires, h1, 4001)
    (one,) = first.send("S")
    first.send("R", seq=1001)
    (other,) = Peer(wires, h1, 4002).send("S")
    wires.run(1)
    first.heard()
    (again,) = first.send("S", seq=9000)
    assert (again.seq - one.seq) & 0xFFFFFFFF == 250_000
    assert (other.seq - one.seq) & 0xFFFFFFFF > 1_000_000


def test_every_connection_has_a_flow_label(wires: Wires) -> None:
    h1, h2, _, _ = pair(wires)
    labels = {one.flow for one in segments(wires, h1)}
    assert len(labels) == 1
    assert 0 not in labels
    assert 0 not in {one.flow for one in segments(wires, h2)}
    for node in (h1, h2):
        syscalls.sysctl_set(node, "net.inet6.ip6.auto_flowlabel", 0)
    since = wires.now
    server(wires, h2, 5001)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.connect_stream(h1, sid, H2, 5001)
    wires.run(1)
    assert {one.flow for one in segments(wires, h1, since) + segments(wires, h2, since)} == {0}


def test_a_connection_to_oneself(wires: Wires) -> None:
    h1 = alone(wires)
    for text in ("::1", "2001:db8:1::1", "::"):
        sid = syscalls.socket(h1, 0, "tcp6", 0)
        syscalls.connect_stream(h1, sid, A(text), PORT)
        wires.run(0.1)
        assert syscalls.connect_stream(h1, sid, A(text), PORT)
        taken = syscalls.accept(h1, listening(h1))
        syscalls.send(h1, sid, b"hello")
        wires.run(0.1)
        assert syscalls.recv(h1, taken) == b"hello"
    wires.account()


def test_what_connect_and_listen_refuse(wires: Wires) -> None:
    h1, _h2, sid, _ = pair(wires)

    def refused(expected: int, *args: object) -> None:
        with pytest.raises(Errno) as caught:
            syscalls.connect_stream(h1, *args)  # type: ignore[arg-type]
        assert number(caught) == expected

    fresh = syscalls.socket(h1, 0, "tcp6", 0)
    refused(EISCONN, sid, H2, PORT)
    refused(EADDRNOTAVAIL, fresh, H2, 0)
    refused(EAFNOSUPPORT, fresh, A("ff02::1"), 9, 1)
    refused(EHOSTUNREACH, fresh, A("2001:db8:ffff::1"), 9)
    refused(ENETUNREACH, fresh, A("::ffff:192.0.2.1"), 9)
    refused(EOPNOTSUPP, syscalls.socket(h1, 0, "udp6", 0), H2, 9)
    refused(EOPNOTSUPP, server(wires, h1, 6000), H2, 9)
    with pytest.raises(Errno) as caught:
        syscalls.listen(h1, sid)
    assert number(caught) == EINVAL
    with pytest.raises(Errno) as caught:
        syscalls.accept(h1, sid)
    assert number(caught) == EINVAL
    again = syscalls.socket(h1, 0, "tcp6", 0)
    with pytest.raises(Errno) as caught:
        syscalls.bind(h1, again, bytes(16), 6000, 0)
    assert number(caught) == EADDRINUSE


def test_the_socket_bound_to_the_address_is_asked_first(wires: Wires) -> None:
    h1 = alone(wires)
    named = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.setsockopt(h1, named, "SO_REUSEADDR", True)
    syscalls.bind(h1, named, H1, PORT, 0)
    syscalls.listen(h1, named)
    peer = Peer(wires, h1)
    (answer,) = peer.send("S")
    peer.ack = answer.seq + 1
    peer.send(".")
    assert syscalls.accept(h1, named)
    assert not syscalls.accept(h1, 1)


def test_a_syn_to_an_anycast_address_is_answered_by_icmpv6(wires: Wires) -> None:
    """draft-itojun-ipv6-tcp-to-anycast: address unreachable, and the one who connects gives up at once."""
    h1, h2 = two(wires)
    server(wires, h2)
    wires.address(h2, "2001:db8:1::a", flags=("anycast",))
    syscalls.neighbor(h1, "set", address=A("2001:db8:1::a"), interface="ne0", lladdr=h2.interfaces["ne0"].mac)
    wires.run(3)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.connect_stream(h1, sid, A("2001:db8:1::a"), PORT)
    wires.run(0.1)
    assert wires.drops(h2, 6) == ["TCP_ANYCAST"]
    (error,) = wires.sent(h2, icmp.DST_UNREACH)
    assert error.message[1] == icmp.UNREACH_ADDR
    with pytest.raises(Errno) as caught:
        syscalls.connect_stream(h1, sid, A("2001:db8:1::a"), PORT)
    assert number(caught) == EHOSTUNREACH
    wires.account()


@pytest.mark.parametrize(("may_rst", "there"), [(1, False), (0, True)])
def test_an_administrator_who_forbids_ends_an_opening_if_the_variable_says_so(may_rst: int, there: bool) -> None:
    wires = Wires()
    h1 = wires.host()
    syscalls.sysctl_set(h1, TCP + "icmp_may_rst", may_rst)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    peer = A("2001:db8:1::99")
    syscalls.neighbor(h1, "set", address=peer, interface="ne0", lladdr=STRANGER_MAC)
    syscalls.connect_stream(h1, sid, peer, 80)
    wires.run(0)
    (syn,) = [one for one in wires.sent(h1) if one.packet[6] == 6]
    forged = packet(H1, peer, 1, 80, tcp.SYN)
    for quoted in (forged, syn.packet):
        body = icmp.error_body(0, quoted)
        message = icmp.build(peer, H1, icmp.DST_UNREACH, icmp.UNREACH_ADMIN, body)
        wires.inject(h1, ip6.build(peer, H1, 58, message), dmac=h1.interfaces["ne0"].mac)
    assert (state(h1, sid) == "SYN-SENT") is there


def test_a_closed_listener_resets_who_waits(wires: Wires) -> None:
    h1, h2 = two(wires)
    listener = server(wires, h2)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.connect_stream(h1, sid, H2, PORT)
    wires.run(1)
    assert syscalls.connect_stream(h1, sid, H2, PORT)
    syscalls.close(h2, listener)
    wires.run(1)
    assert state(h1, sid) == "CLOSED"
    assert not h2.sockets
    assert not h2.tcp_conns
    assert not h2.tcp_ports


def test_a_second_connection_has_a_port_of_its_own(wires: Wires) -> None:
    h1, h2, sid, _ = pair(wires)
    other, _ = open_to(wires, h1, h2)
    assert syscalls.getsockname(h1, sid)[1] != syscalls.getsockname(h1, other)[1]
    assert len(h2.tcp_ports[PORT]) == 3
