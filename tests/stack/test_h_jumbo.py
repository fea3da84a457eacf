"""Jumbo payloads on lo0 (RFC 2675; KAME IMPLEMENTATION 1.7 (2001))."""

from __future__ import annotations

import pytest
from wires import STRANGER, A, Wires, echo_to, ns

from kamelab.core.errors import EINVAL, EMSGSIZE, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import exthdr, in6, ip6
from kamelab.wire import icmp6 as icmp

LO = in6.LOOPBACK
OWN = A("fe80::ff:fe00:1")


def host(wires: Wires, mtu: int = 70000) -> Node:
    h1 = wires.host()
    syscalls.ioctl(h1, "SIOCSIFMTU", "lo0", mtu=mtu)
    return h1


def ping(size: int) -> Output:
    """An echo request to ::1 with ``size`` octets of data."""
    body = icmp.echo_body(1, 1, bytes(range(251)) * (size // 251 + 1))[: 4 + size]
    return Output("test", LO, 58, bytes((icmp.ECHO_REQUEST, 0, 0, 0)) + body, cksum=2)


def looped(wires: Wires, node: Node, packet: bytes) -> None:
    """A packet comes in by lo0."""
    frame = bytes(12) + b"\x86\xdd" + packet
    wires.net.clock.send(wires.net.clock.now, node.interfaces["lo0"], frame, 0, True)
    wires.run(0)


def jumbo(options: bytes, length: int, *, plen: int = 0, nxt: int = 59) -> bytes:
    """A packet of ``length`` octets of payload with a hop-by-hop header of just these ``options``."""
    header = exthdr.hop_by_hop(nxt, options)
    packet = ip6.build_jumbo(LO, LO, header + bytes(length - len(header)))
    return packet[:4] + plen.to_bytes(2, "big") + packet[6:]


def option(value: int, length: int = 4) -> bytes:
    return exthdr.option(exthdr.OPT_JUMBO, value.to_bytes(length, "big"))


def test_a_ping_of_68000_octets_is_answered_in_one_packet(wires: Wires) -> None:
    h1 = host(wires)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    syscalls.setsockopt(h1, sid, "SO_RCVBUF", 200_000)
    out = ping(68000)
    assert wires.output(h1, out) == 0
    wires.run(0.1)
    request, reply = (one.packet for one in wires.sent(h1, since=3, interface="lo0"))
    for packet in (request, reply):
        assert (len(packet), packet[4:6], packet[6]) == (40 + 8 + 68008, b"\0\0", 0)
        ((kind, value, at),) = exthdr.options(packet[42:48], 42)
        assert (kind, int.from_bytes(value, "big"), at) == (0xC2, 68016, 42)
    assert reply[48] == icmp.ECHO_REPLY
    assert reply[52:] == request[52:]
    # Whoever wants to receive it needs a buffer of that size (ping6 -b).
    messages = [syscalls.recvmsg(h1, sid) for _ in range(3)]
    assert [len(one.data) for one in messages if one] == [68008, 68008]
    assert h1.counters()["icmp6.reflect"] == 1
    assert wires.drops(h1, 3) == []


@pytest.mark.parametrize(("size", "is_jumbo"), [(65527, False), (65528, True)])
def test_from_65536_octets_of_payload_on_it_is_a_jumbogram(wires: Wires, size: int, is_jumbo: bool) -> None:
    h1 = host(wires)
    assert wires.output(h1, ping(size)) == 0
    wires.run(0.1)
    request = wires.sent(h1, since=3, interface="lo0")[0].packet
    assert (request[6] == 0) == is_jumbo
    assert h1.counters()["icmp6.reflect"] == 1


def test_options_of_the_program_stay_beside_the_jumbo_option(wires: Wires) -> None:
    h1 = host(wires)
    out = ping(66000)
    out.hop_by_hop = exthdr.hop_by_hop(0, exthdr.option(0x1E, b"abc"))
    out.dstopts = exthdr.destination_options(0, exthdr.option(0x1F, b"xyz"))
    assert wires.output(h1, out) == 0
    request = wires.sent(h1, since=3, interface="lo0")[0].packet
    found = [(kind, value, at) for kind, value, at in exthdr.options(request[42:56], 42) if kind > 1]
    assert found[0] == (0x1E, b"abc", 42)
    kind, value, at = found[1]
    assert (kind, int.from_bytes(value, "big"), at % 4) == (0xC2, len(request) - 40, 2)
    assert (request[40], request[56]) == (60, 58)
    wires.run(0.1)
    assert h1.counters()["icmp6.reflect"] == 1


@pytest.mark.parametrize(
    ("packet", "reason", "pointer", "counter"),
    [
        (jumbo(option(66000, 5), 66000), "OPT_BADLEN", 43, ""),
        (jumbo(option(66000)[:1] + b"\x03" + bytes(3), 66000), "OPT_BADLEN", 43, ""),
        (jumbo(option(66000), 66000, plen=64), "JUMBO_BAD", 42, "badoptions"),
        (jumbo(option(66000) + bytes(2) + option(66000), 66000), "JUMBO_BAD", 52, "badoptions"),
        (jumbo(option(65535), 66000), "JUMBO_BAD", 44, "badoptions"),
        (jumbo(b"", 66000), "IP6_ZEROLEN", 4, "badoptions"),
        (jumbo(option(66008), 66000), "IP6_TOOSHORT", None, "tooshort"),
        (jumbo(option(66000), 66000, nxt=44), "FRAG_JUMBO", 48, ""),
    ],
)
def test_jumbograms_that_are_refused(
    wires: Wires, packet: bytes, reason: str, pointer: int | None, counter: str
) -> None:
    h1 = host(wires)
    before = h1.counters()
    looped(wires, h1, packet)
    assert wires.drops(h1, 3)[0] == reason
    problems = wires.sent(h1, icmp.PARAM_PROB, 3)
    told = [(one.message[1], int.from_bytes(one.message[4:8], "big")) for one in problems]
    assert told == ([] if pointer is None else [(0, pointer)])
    assert all(packet.startswith(one.message[8:]) for one in problems)
    after = h1.counters()
    changed = {
        name for name in ("ip6.badoptions", "ip6.tooshort", "ip6.toosmall") if after.get(name) != before.get(name)
    }
    assert changed == ({f"ip6.{counter}"} if counter else set())


def test_what_follows_a_jumbogram_is_not_part_of_it(wires: Wires) -> None:
    h1 = host(wires)
    sid = syscalls.socket(h1, 0, "raw6", 200)
    syscalls.setsockopt(h1, sid, "SO_RCVBUF", 100000)
    looped(wires, h1, jumbo(option(66000), 66000, nxt=200) + b"padding")
    message = syscalls.recvmsg(h1, sid)
    assert message is not None
    assert len(message.data) == 66000 - 8


@pytest.mark.parametrize("nxt", [6, 17])
def test_tcp_and_udp_know_no_jumbograms(wires: Wires, nxt: int) -> None:
    h1 = host(wires)
    assert wires.output(h1, Output("test", LO, nxt, bytes(66000))) == EMSGSIZE
    assert wires.drops(h1, 3) == ["OUT_TOOBIG"]
    looped(wires, h1, jumbo(option(66000), 66000, nxt=nxt))
    assert len(wires.drops(h1, 3)) == 2


def test_no_other_interface_and_no_smaller_lo0_carries_them(wires: Wires) -> None:
    h1 = host(wires, 16384)
    assert wires.output(h1, ping(66000)) == EMSGSIZE
    out = echo_to("fe80::99", h1.interfaces["ne0"])
    out.payload += bytes(66000)
    assert wires.output(h1, out) == EMSGSIZE
    assert wires.drops(h1, 3) == ["OUT_TOOBIG", "OUT_TOOBIG"]
    assert h1.counters()["ip6.cantfrag"] == 2
    # Up to 65535 octets of payload lo0 does with fragments.
    assert wires.output(h1, ping(65000)) == 0
    wires.run(0.1)
    assert h1.counters()["ip6.reassembled"] == 2
    assert h1.counters()["icmp6.reflect"] == 1


@pytest.mark.parametrize(
    ("name", "mtu", "fits"), [("lo0", 131072, True), ("lo0", 131073, False), ("ne0", 65536, False)]
)
def test_how_large_an_mtu_may_be(wires: Wires, name: str, mtu: int, fits: bool) -> None:
    h1 = wires.host()
    if fits:
        syscalls.ioctl(h1, "SIOCSIFMTU", name, mtu=mtu)
        assert h1.interfaces[name].mtu == mtu
        return
    with pytest.raises(Errno) as refusal:
        syscalls.ioctl(h1, "SIOCSIFMTU", name, mtu=mtu)
    assert refusal.value.number == EINVAL


def test_a_stranger_s_small_packet_may_not_call_itself_jumbo(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    body = exthdr.hop_by_hop(59, option(70000)) + bytes(64)
    wires.inject(h1, ip6.build_jumbo(STRANGER, OWN, body))
    assert wires.drops(h1, 3) == ["IP6_TOOSHORT"]
    assert wires.sent(h1, icmp.PARAM_PROB) == []
