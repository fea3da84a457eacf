"""TCP against strangers: resets and SYNs out of the blue (RFC 5961), floods (RFC 4987), segments made of nonsense.

Each drop reason of TCP has its story in `TCP_STORIES`, which test_reasons tells.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import H1, M32, PEER, PORT, TCP, Peer, alone, listening, packet, pair, row, state, transfer
from wires import A, Wires

from kamelab.core.errors import ECONNRESET, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet import tcp_subr
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6, ip6, tcp
from kamelab.wire.checksum import in6_cksum

MAC = b"\x02\0\0\0\0\x01"


def opened(wires: Wires, options: bytes = b"") -> tuple[Peer, int]:
    """A peer with a connection to h1."""
    peer = Peer(wires, alone(wires))
    sid = peer.open(options)
    peer.heard()
    return peer, sid


# -- resets and SYNs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [1, 1000, 57_343])
def test_a_reset_elsewhere_in_the_window_is_challenged(offset: int) -> None:
    """RFC 5961 3.2."""
    wires = Wires()
    peer, sid = opened(wires)
    (challenge,) = peer.send("R", seq=peer.seq + offset)
    assert (challenge.flags, challenge.ack) == (".", 1001)
    assert state(peer.node, sid) == "ESTABLISHED"
    # One who did mean it answers the challenge with exactly what it asks for.
    peer.send("R", seq=challenge.ack)
    assert state(peer.node, sid) == "CLOSED"
    with pytest.raises(Errno) as caught:
        syscalls.recv(peer.node, sid)
    assert caught.value.number == ECONNRESET
    wires.account()


@pytest.mark.parametrize("offset", [-1, -70_000, 57_345, 1 << 30])
def test_a_reset_from_outside_of_the_window_is_nothing(offset: int) -> None:
    wires = Wires()
    peer, sid = opened(wires)
    assert peer.send("R", seq=(peer.seq + offset) & M32) == []
    assert state(peer.node, sid) == "ESTABLISHED"


@pytest.mark.parametrize("offset", [-5000, -1, 0, 100, 1 << 31])
def test_a_syn_on_a_connection_is_challenged(offset: int) -> None:
    """RFC 5961 4.2."""
    wires = Wires()
    peer, sid = opened(wires)
    (challenge,) = peer.send("S", seq=(peer.seq + offset) & M32)
    assert (challenge.flags, challenge.ack) == (".", 1001)
    assert state(peer.node, sid) == "ESTABLISHED"


def test_a_peer_that_was_started_anew_gets_its_connection(wires: Wires) -> None:
    """The challenge makes it reset the old one (RFC 9293 3.5.1 figure 9)."""
    h1, h2, sid, taken = pair(wires)
    port = syscalls.getsockname(h1, sid)[1]
    h1.power_off()
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.address(h1, "2001:db8:1::1")
    wires.run(3)
    again = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.bind(h1, again, bytes(16), port, 0)
    syscalls.connect_stream(h1, again, A("2001:db8:1::2"), PORT)
    wires.run(5)
    assert state(h2, taken) == "CLOSED"
    assert syscalls.connect_stream(h1, again, A("2001:db8:1::2"), PORT)
    assert syscalls.accept(h2, listening(h2))


def test_an_acknowledgement_that_nobody_could_send_is_refused(wires: Wires) -> None:
    """RFC 5961 5.2: blind injection of data."""
    peer, sid = opened(wires)
    right = peer.ack
    for wrong in (right + 1, right + 1_000_000, right - 100_000):
        assert [one.ack for one in peer.send(".", b"forged", seq=1001, ack=wrong & M32)] == [1001]
    assert syscalls.recv(peer.node, sid) is None
    assert wires.drops(peer.node, 3) == ["TCP_ACK_TOOMUCH", "TCP_ACK_TOOMUCH", "TCP_ACK_OLD"]


def test_challenges_are_rationed(wires: Wires) -> None:
    """RFC 5961 7: five a second for each connection."""
    peer, _ = opened(wires)
    answers = [peer.send("R", seq=peer.seq + 1 + n) for n in range(20)]
    assert sum(map(len, answers)) == 5
    assert peer.node.counters()["tcp.ackwarlimited"] == 15
    wires.run(1)
    assert len(peer.send("R", seq=peer.seq + 7)) == 1
    syscalls.sysctl_set(peer.node, TCP + "ack_war_cnt", 2)
    syscalls.sysctl_set(peer.node, TCP + "ack_war_timewindow", 10_000)
    assert [len(peer.send("R", seq=peer.seq + 7)) for _ in range(3)] == [1, 0, 0]


def test_old_duplicates_are_known_by_their_timestamp(wires: Wires) -> None:
    """PAWS (RFC 7323 5.3), and that 24 days of silence end its memory (5.5)."""
    peer, sid = opened(wires, tcp.build_options(1440, -1, 1000))
    peer.send(".", b"new", options=tcp.build_options(-1, -1, 1001))
    (answer,) = peer.send(".", b"old", options=tcp.build_options(-1, -1, 999), seq=peer.seq)
    assert answer.ack == 1004
    assert syscalls.recv(peer.node, sid) == b"new"
    wires.run(25 * 86400)
    peer.send(".", b"later", options=tcp.build_options(-1, -1, 5))
    assert syscalls.recv(peer.node, sid) == b"later"
    assert peer.node.counters()["tcp.pawsdrop"] == 1


def test_forged_errors_do_not_end_a_connection(wires: Wires) -> None:
    """RFC 5927 5.2: errors are soft for a connection that is there."""
    peer, sid = opened(wires)
    syscalls.send(peer.node, sid, b"x")
    quoted = wires.sent(peer.node)[-1].packet
    for kind, code in ((1, 0), (1, 1), (1, 3), (1, 4), (3, 0), (4, 1)):
        message = icmp.build(PEER, H1, kind, code, icmp.error_body(0, quoted))
        wires.inject(peer.node, ip6.build(PEER, H1, 58, message), dmac=MAC)
    assert state(peer.node, sid) == "ESTABLISHED"
    wires.run(3600)
    # When it ends by itself in the end, the error says why.
    with pytest.raises(Errno) as caught:
        syscalls.recv(peer.node, sid)
    assert caught.value.number in (61, 65)


# -- floods ----------------------------------------------------------------------------------------------------------


def test_a_flood_of_syns_is_bounded_and_others_are_served() -> None:
    wires = Wires()
    h1 = alone(wires)
    flood = 100_000
    net = in6.pton("2001:db8:1::")[:8]
    syscalls.route(h1, "add", destination=A("2001:db8:f::"), plen=48, gateway=PEER)
    syscalls.neighbor(h1, "set", address=PEER, interface="ne0", lladdr=b"\x02\0\0\0\0\x99")
    wires.net.trace.keep = False
    iface = h1.interfaces["ne0"]
    head = MAC + b"\x02\0\0\0\0\x99\x86\xdd"
    src = in6.pton("2001:db8:f::")
    octets = tcp.build(4000, PORT, 1, 0, tcp.SYN, 8192)
    blank = in6_cksum(src, H1, 6, octets)
    for number in range(flood):
        low = number % 60_000 + 1
        # The checksum of a source that grows by n falls by n: no need to sum a hundred thousand times.
        cksum = (blank - low - number // 60_000) % 0xFFFF
        who = src[:12] + (number // 60_000).to_bytes(2, "big") + low.to_bytes(2, "big")
        h1.receive(
            iface, head + ip6.build(who, H1, 6, octets[:16] + cksum.to_bytes(2, "big") + octets[18:]), 0, False
        )  # fmt: skip
        if not number % 5000:
            wires.net.trace.packets.clear()
    wires.net.trace.packets.clear()
    wires.net.trace.octets = 0
    counters = h1.counters()
    assert counters["tcp.sc_added"] == flood
    assert counters["tcp.sc_bucketoverflow"] == flood - 128
    listener = h1.sockets[listening(h1)].tcb
    assert listener is not None
    assert len(listener.syn) == 128
    assert len(h1.sockets) == 1
    peer = Peer(wires, h1)
    sid = peer.open()
    peer.send("P.", b"still here")
    assert syscalls.recv(h1, sid) == b"still here"
    assert net == PEER[:8]
    wires.run(200)
    assert not listener.syn


def test_the_syn_queue_has_the_size_of_the_variable(wires: Wires) -> None:
    h1 = alone(wires)
    syscalls.sysctl_set(h1, TCP + "syn_bucket_limit", 2)
    for sport in (1, 2, 3):
        Peer(wires, h1, sport).send("S")
    assert [one.foreign[-2:] for one in syscalls.rows(h1, "tcp")[1:]] == [".2", ".3"]


def test_somaxconn_is_the_most_that_may_wait(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, "kern.ipc.somaxconn", 1)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.bind(h1, sid, bytes(16), PORT, 0)
    syscalls.listen(h1, sid, 100)
    for sport in (1, 2):
        peer = Peer(wires, h1, sport)
        if answers := peer.send("S"):
            peer.ack = answers[0].seq + 1
            peer.send(".")
    assert wires.drops(h1, 3) == ["TCP_LISTEN_FULL"]


def test_the_queue_out_of_order_is_bounded(wires: Wires) -> None:
    peer, sid = opened(wires)
    for number in range(300):
        peer.send(".", b"x", seq=1003 + 2 * number)
    assert row(peer.node, sid).out_of_order == 256
    assert wires.drops(peer.node, 3).count("TCP_REASS_FULL") == 44


# -- nonsense --------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.integers(-3000, 60_000),
            st.integers(-3000, 3000),
            st.integers(0, 65535),
            st.binary(max_size=40),
            st.binary(max_size=60),
            st.integers(0, 65535),
        ),
        max_size=30,
    )
)
def test_segments_of_nonsense_never_break_anything(said: list[tuple[int, int, int, int, bytes, bytes, int]]) -> None:
    wires = Wires()
    peer, sid = opened(wires, tcp.build_options(1440, 3, 7))
    syscalls.send(peer.node, sid, b"x" * 3000)
    base_seq, base_ack = peer.seq, peer.ack
    for flags, seq, ack, window, options, data, urgent in said:
        options = options[: len(options) // 4 * 4]
        octets = packet(
            PEER, H1, 4000, PORT, flags, base_seq + seq, base_ack + ack, window, options, data, urgent
        )  # fmt: skip
        wires.inject(peer.node, octets, dmac=MAC)
        wires.run(0.3)
    wires.account()
    wires.run(4000)
    assert "INTERNAL" not in wires.drops(peer.node)
    assert not wires.log(peer.node)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80))
def test_octets_of_nonsense_have_one_end(octets: bytes) -> None:
    wires = Wires()
    h1 = alone(wires)
    body = bytearray(octets)
    if len(body) >= 18:
        body[16:18] = b"\0\0"
        body[16:18] = in6_cksum(PEER, H1, 6, bytes(body)).to_bytes(2, "big")
    wires.inject(h1, ip6.build(PEER, H1, 6, bytes(body)), dmac=MAC)
    wires.account()
    assert "INTERNAL" not in wires.drops(h1)


def test_options_that_lie_about_their_length_do_no_harm(wires: Wires) -> None:
    """RFC 9293 3.2 MUST-7."""
    for number, options in enumerate((b"\x02\x00\x05\xb4", b"\x02\x28\x05\xb4", b"\x01\x01\x01\x02", b"\x08\x0a\0\0")):
        story = Wires()
        peer = Peer(story, alone(story), 4000 + number)
        assert peer.open(options)


def test_two_stacks_agree_under_a_storm_of_forgeries(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    port = syscalls.getsockname(h1, sid)[1]
    for number in range(40):
        forged = packet(H1, A("2001:db8:1::2"), port, PORT, tcp.RST, number * 100_000_000)
        wires.inject(h2, forged, dmac=h2.interfaces["ne0"].mac)
    data = bytes(range(256)) * 40
    assert transfer(wires, h1, sid, h2, taken, data) == data


# -- a story for each reason -----------------------------------------------------------------------------------------

Story = Callable[[Wires], None]


def to_port(flags: int, *, src: bytes = PEER, dst: bytes = H1, sport: int = 4000, dport: int = PORT, ack: int = 0,
            dmac: bytes = MAC) -> Story:  # fmt: skip
    """One segment for a host that listens."""

    def story(wires: Wires) -> None:
        wires.inject(alone(wires), packet(src, dst, sport, dport, flags, 1, ack), dmac=dmac)

    return story


def broken(change: Callable[[bytes], bytes]) -> Story:
    """A SYN whose octets were changed."""

    def story(wires: Wires) -> None:
        octets = change(packet(PEER, H1, 4000, PORT, tcp.SYN)[40:])
        wires.inject(alone(wires), ip6.build(PEER, H1, 6, octets), dmac=MAC)

    return story


def summed(octets: bytes) -> bytes:
    """With the checksum made right again."""
    octets = octets[:16] + b"\0\0" + octets[18:]
    return octets[:16] + in6_cksum(PEER, H1, 6, octets).to_bytes(2, "big") + octets[18:]


def later(flags: str, data: bytes = b"", seq: int = 0, ack: int = 0, options: bytes = b"") -> Story:
    """One segment on a connection, ``seq`` and ``ack`` away from what is right."""

    def story(wires: Wires) -> None:
        peer, _ = opened(wires, tcp.build_options(1440, -1, 1000))
        peer.send(flags, data, seq=(peer.seq + seq) & M32, ack=(peer.ack + ack) & M32, options=options)

    return story


def anycast(wires: Wires) -> None:
    h1 = alone(wires)
    wires.address(h1, "2001:db8:1::a", flags=("anycast",))
    wires.run(3)
    wires.inject(h1, packet(PEER, A("2001:db8:1::a"), 4000, PORT, tcp.SYN), dmac=MAC)


def full_backlog(wires: Wires) -> None:
    h1 = alone(wires, backlog=1)
    first = Peer(wires, h1, 4001)
    (answer,) = first.send("S")
    first.ack = answer.seq + 1
    first.send(".")
    Peer(wires, h1, 4002).send("S")


def half_open(flags: str, seq: int, ack: int) -> Story:
    def story(wires: Wires) -> None:
        peer = Peer(wires, alone(wires))
        (answer,) = peer.send("S")
        peer.send(flags, seq=1001 + seq, ack=answer.seq + ack)

    return story


def nosyn(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.bind(h1, sid, bytes(16), PORT, 0)
    peer = Peer(wires, h1)
    syscalls.connect_stream(h1, sid, PEER, 4000)
    wires.run(0)
    (syn,) = peer.heard()
    peer.send(".", ack=syn.seq + 1)


def after_close(wires: Wires) -> None:
    peer, sid = opened(wires)
    syscalls.close(peer.node, sid)
    peer.send("P.", b"x")


def too_many_pieces(wires: Wires) -> None:
    peer, _ = opened(wires)
    for number in range(257):
        peer.send(".", b"x", seq=1003 + 2 * number)


def to_deprecated(wires: Wires) -> None:
    h1 = alone(wires)
    wires.address(h1, "2001:db8:1::1", pltime=0, vltime=1000)
    syscalls.sysctl_set(h1, "net.inet6.ip6.use_deprecated", 0)
    Peer(wires, h1).send("S")


TCP_STORIES: dict[str, Story] = {
    "TCP_SRC_UNSPECIFIED": to_port(tcp.SYN, src=bytes(16)),
    "TCP_MULTICAST": to_port(tcp.SYN, dst=A("ff02::1"), src=A("fe80::99"), dmac=b"\x33\x33\0\0\0\x01"),
    "TCP_ANYCAST": anycast,
    "TCP_SHORT": broken(lambda octets: octets[:19]),
    "TCP_CHECKSUM": broken(lambda octets: octets[:-1] + b"\1"),
    "TCP_BADOFF": broken(lambda octets: summed(octets[:12] + b"\xf0" + octets[13:])),
    "TCP_PORT_ZERO": to_port(tcp.SYN, sport=0),
    "TCP_NOPORT": to_port(tcp.SYN, dport=9),
    "TCP_LISTEN_RST": to_port(tcp.RST),
    "TCP_LISTEN_ACK": to_port(tcp.ACK),
    "TCP_LISTEN_NOSYN": to_port(tcp.FIN),
    "TCP_LISTEN_FULL": full_backlog,
    "TCP_LAND": to_port(tcp.SYN, src=H1, sport=PORT),
    "TCP_DEPRECATED": to_deprecated,
    "TCP_NOSYN": nosyn,
    "TCP_BADACK": half_open(".", 0, 7),
    "TCP_PAWS": later(".", b"x", options=tcp.build_options(-1, -1, 999)),
    "TCP_DUPLICATE": later(".", b"x", seq=-1),
    "TCP_OLD": later(".", seq=-2),
    "TCP_KEEPALIVE": later(".", seq=-1),
    "TCP_OUTSIDE": later(".", b"x", seq=60_000),
    "TCP_REASS_FULL": too_many_pieces,
    "TCP_RST_INEXACT": later("R", seq=1),
    "TCP_RST_OUTSIDE": later("R", seq=-1),
    "TCP_SYN_AGAIN": later("S"),
    "TCP_NOACK": later("P", b"x"),
    "TCP_ACK_TOOMUCH": later(".", ack=1),
    "TCP_ACK_OLD": later(".", ack=-10_000),
    "TCP_AFTERCLOSE": after_close,
}


def test_a_half_open_connection_can_be_reset_and_only_exactly(wires: Wires) -> None:
    for seq, reason in ((5, "TCP_RST_INEXACT"), (70_000, "TCP_RST_OUTSIDE")):
        story = Wires()
        half_open("R", seq, 0)(story)
        node = story.net.nodes["h1"]
        assert story.drops(node, 3) == [reason]
        assert len(syscalls.rows(node, "tcp")) == 2
    half_open("R", 0, 0)(wires)
    assert len(syscalls.rows(wires.net.nodes["h1"], "tcp")) == 1
    assert wires.net.nodes["h1"].counters()["tcp.sc_reset"] == 1


def test_the_network_may_end_a_half_open_connection_that_it_quotes(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    (answer,) = peer.send("S")
    assert tcp_subr.validated(h1, H1, PEER, PORT, 4000)
    assert not tcp_subr.validated(h1, H1, PEER, PORT, 4001)
    for seq, left in ((answer.seq + 1, 2), (answer.seq, 1)):
        quoted = packet(H1, PEER, PORT, 4000, tcp.SYN | tcp.ACK, seq, 1001)
        message = icmp.build(PEER, H1, icmp.DST_UNREACH, icmp.UNREACH_PORT, icmp.error_body(0, quoted))
        wires.inject(h1, ip6.build(PEER, H1, 58, message), dmac=MAC)
        assert len(syscalls.rows(h1, "tcp")) == left
    assert h1.counters()["tcp.sc_unreach"] == 1
    assert not tcp_subr.validated(h1, H1, PEER, PORT, 4000)


def test_bulk_data_takes_the_short_way(wires: Wires) -> None:
    """Header prediction, and one acknowledgement for two segments (RFC 9293 3.8.6.3)."""
    h1, h2, sid, taken = pair(wires, latency=1_000_000)
    data = bytes(200_000)
    assert transfer(wires, h1, sid, h2, taken, data) == data
    sender, receiver = h1.counters(), h2.counters()
    assert receiver["tcp.preddat"] > 0.9 * sender["tcp.sndpack"]
    assert receiver["tcp.sndacks"] + receiver.get("tcp.sndwinup", 0) <= 0.6 * sender["tcp.sndpack"]
    assert sender["tcp.rcvackbyte"] <= sender["tcp.sndbyte"] + 1
    assert sender["tcp.rttupdated"] <= sender["tcp.segstimed"]
