"""Why packets end in IPsec: one story for each reason, with h1 (2001:db8:1::1) and a peer that is nobody's node.

RFC 4301 5.1, 5.2, RFC 4302 3.4, RFC 4303 3.4; KAME esp6_input, ah6_input, ipcomp6_input, ip6_output.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from wires import ROUTER_MAC, A, Wires

from kamelab.core.errors import EHOSTUNREACH, EINVAL, Errno
from kamelab.stack import syscalls
from kamelab.stack.netipsec import keysock
from kamelab.stack.netipsec.ah import ah_output
from kamelab.stack.netipsec.esp import esp_output
from kamelab.stack.netipsec.ipcomp import ipcomp_output
from kamelab.stack.netipsec.policy import Policy, Request
from kamelab.stack.netipsec.sadb import IPPROTO_AH, IPPROTO_ESP, IPPROTO_IPCOMP, Sa
from kamelab.stack.node import Node
from kamelab.wire import exthdr, ip6, pfkey, udp
from kamelab.wire import icmp6 as icmp

H1, PEER = A("2001:db8:1::1"), A("2001:db8:1::5")
MAC = b"\x02\0\0\0\0\x01"
AES, SHA1 = b"sixteen octets !", b"KAMEKAMEKAMEKAMEKAME"


def esp_sa(src: bytes = PEER, dst: bytes = H1, spi: int = 0x1000, ekey: bytes = AES, **given: object) -> Sa:
    """aes-cbc, hmac-sha1, a window of 32 packets."""
    values = {
        "ealg": pfkey.SADB_X_EALG_AES, "ekey": ekey, "aalg": pfkey.SADB_AALG_SHA1HMAC, "akey": SHA1, "replay": 4,
        **given,
    }  # fmt: skip
    return Sa(IPPROTO_ESP, spi, src, dst, **values)  # type: ignore[arg-type]


def ah_sa(src: bytes = PEER, dst: bytes = H1, spi: int = 0x2000) -> Sa:
    return Sa(IPPROTO_AH, spi, src, dst, aalg=pfkey.SADB_AALG_SHA1HMAC, akey=SHA1, replay=4)


def comp_sa(src: bytes = PEER, dst: bytes = H1) -> Sa:
    return Sa(IPPROTO_IPCOMP, 0x3000, src, dst, calg=2)


def zeros(count: int) -> bytes:
    return bytes(count)


def datagram(size: int = 4, src: bytes = PEER, dst: bytes = H1) -> bytes:
    return ip6.build(src, dst, 17, udp.build(src, dst, 4000, 5000, bytes(size)))


def host(wires: Wires, *sas: Sa) -> Node:
    """h1 with associations and a socket on port 5000."""
    h1 = wires.host()
    for sa in sas:
        h1.keys.insert(sa)
    syscalls.bind(h1, syscalls.socket(h1, 0, "udp6", 0), bytes(16), 5000, 0)
    return h1


def policy(node: Node, direction: str, action: str, *requests: Request, src: bytes = PEER, dst: bytes = H1) -> Policy:
    """A policy between two addresses for datagrams."""
    made = Policy(direction, action, requests).select(src, 128, dst, 128, 17)
    node.keys.spd.add(made, node.clock.now)
    keysock.changed(node)
    return made


def arrives(packet: Callable[[], bytes], *sas: Callable[[], Sa], twice: bool = False) -> Callable[[Wires], None]:
    """A packet of the peer comes to h1, which has the associations."""

    def story(wires: Wires) -> None:
        h1 = host(wires, *(make() for make in sas))
        wires.inject(h1, packet(), dmac=MAC)
        if twice:
            wires.inject(h1, packet(), dmac=MAC)

    return story


def spoilt(packet: bytes, at: int = -1) -> bytes:
    """One octet was changed on the way."""
    out = bytearray(packet)
    out[at] ^= 1
    return bytes(out)


def protected(by: Sa, size: int = 4) -> bytes:
    packet = datagram(size)
    if by.proto == IPPROTO_ESP:
        return esp_output(by, packet, zeros)
    return ah_output(by, packet) if by.proto == IPPROTO_AH else ipcomp_output(by, packet)


def leaves(action: str, *requests: Request) -> Callable[[Wires], None]:
    """h1 sends a datagram to the peer, and a policy has its say."""

    def story(wires: Wires) -> None:
        h1 = host(wires)
        policy(h1, "out", action, *requests, src=H1, dst=PEER)
        assert syscalls.sendmsg(h1, syscalls.socket(h1, 0, "udp6", 0), b"data", PEER, 5000) == 4

    return story


def number_used_up(wires: Wires) -> None:
    """The association has sent all its numbers; EINVAL for who sends."""
    h1 = host(wires)
    sa = esp_sa(H1, PEER)
    sa.seq = 0xFFFFFFFF
    h1.keys.insert(sa)
    policy(h1, "out", "ipsec", Request(IPPROTO_ESP, "transport", "require"), src=H1, dst=PEER)
    with pytest.raises(Errno) as caught:
        syscalls.sendmsg(h1, syscalls.socket(h1, 0, "udp6", 0), b"data", PEER, 5000)
    assert caught.value.number == EINVAL


def clear_where_esp_is_required(wires: Wires) -> None:
    h1 = host(wires)
    policy(h1, "in", "ipsec", Request(IPPROTO_ESP, "transport", "require"))
    wires.inject(h1, datagram(), dmac=MAC)


def decrypts_to_nonsense() -> bytes:
    """No authentication, and a key that h1 does not have."""
    return esp_output(esp_sa(ekey=b"another key, yes", aalg=0, akey=b""), datagram(4), zeros)


def too_much_inside() -> bytes:
    """IPComp that expands to more than a packet holds, behind an association of IPComp."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeeze.compress(bytes(70000)) + squeeze.flush()
    return ip6.build(PEER, H1, IPPROTO_IPCOMP, b"\x11\0\0\x02" + data)


def a_key_that_does_not_fit(wires: Wires) -> None:
    """An association whose key does not fit its algorithm: nothing can be read with it."""
    h1 = host(wires, esp_sa(ealg=99))
    wires.inject(h1, protected(esp_sa()), dmac=MAC)


IPSEC_STORIES: dict[str, Callable[[Wires], None]] = {
    "IPSEC_OUT_POLICY": leaves("discard"),
    "IPSEC_NOSA": leaves("ipsec", Request(IPPROTO_ESP, "transport", "require")),
    "IPSEC_OUT_INVAL": number_used_up,
    "IPSEC_IN_NOSA": arrives(lambda: protected(esp_sa())),
    "IPSEC_IN_INVAL": a_key_that_does_not_fit,
    "IPSEC_POLICY": clear_where_esp_is_required,
    "AH_INVAL": arrives(lambda: spoilt(protected(ah_sa()), 41), ah_sa),
    "AH_REPLAY": arrives(lambda: protected(ah_sa()), ah_sa, twice=True),
    "AH_ICV": arrives(lambda: spoilt(protected(ah_sa())), ah_sa),
    "ESP_INVAL": arrives(lambda: ip6.build(PEER, H1, 50, b"\0\0\x10\0" + bytes(8)), esp_sa),
    "ESP_REPLAY": arrives(lambda: protected(esp_sa()), esp_sa, twice=True),
    "ESP_ICV": arrives(lambda: spoilt(protected(esp_sa())), esp_sa),
    "ESP_PAD": arrives(decrypts_to_nonsense, lambda: esp_sa(aalg=0, akey=b"")),
    "IPCOMP_BAD": arrives(too_much_inside),
}
"""By reason; test_reasons tells them."""


def everything_arrives_well(wires: Wires) -> None:
    """ESP, AH and IPComp, one each; and one each leaves."""
    h1 = host(wires, esp_sa(), ah_sa(), comp_sa(), esp_sa(H1, PEER), ah_sa(H1, PEER), comp_sa(H1, PEER))
    for sa in (esp_sa(), ah_sa(), comp_sa()):
        wires.inject(h1, protected(sa, 400), dmac=MAC)
    policy(
        h1, "out", "ipsec", *(Request(proto, "transport", "require") for proto in (108, 50, 51)), src=H1, dst=PEER
    )  # fmt: skip
    syscalls.sendmsg(h1, syscalls.socket(h1, 0, "udp6", 0), bytes(400), PEER, 5000)


def a_tunnel_that_leads_nowhere(wires: Wires) -> None:
    h1 = host(wires)
    far = A("2001:db8:77::1")
    h1.keys.insert(esp_sa(H1, far))
    policy(h1, "out", "ipsec", Request(IPPROTO_ESP, "tunnel", "require", 0, H1, far), src=H1, dst=PEER)
    with pytest.raises(Errno) as caught:
        syscalls.sendmsg(h1, syscalls.socket(h1, 0, "udp6", 0), b"data", PEER, 5000)
    assert caught.value.number == EHOSTUNREACH


ENDS = tuple(
    pfkey.Address(kind, pfkey.Sockaddr(addr), 128, 255)
    for kind, addr in ((pfkey.SADB_EXT_ADDRESS_SRC, PEER), (pfkey.SADB_EXT_ADDRESS_DST, H1))
)


def a_daemon_asks(wires: Wires) -> None:
    """Requests of every sort through a PF_KEY socket, the wrong ones too."""
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "key", 2)
    build = pfkey.build
    for data in (
        build(pfkey.Message(pfkey.SADB_REGISTER, pfkey.SADB_SATYPE_ESP)),
        build(pfkey.Message(pfkey.SADB_FLUSH)),
        build(pfkey.Message(99)),
        build(pfkey.Message(pfkey.SADB_FLUSH, 77)),
        build(pfkey.Message(pfkey.SADB_GET, pfkey.SADB_SATYPE_ESP, extensions=ENDS)).replace(b"\x1c\x1c", b"\x1c\x63"),
        b"\1" + build(pfkey.Message(pfkey.SADB_FLUSH))[1:],
    ):
        syscalls.sendmsg(h1, sid, data)
    register = build(pfkey.Message(pfkey.SADB_REGISTER, pfkey.SADB_SATYPE_ESP))
    twice = b"\x02\0\1\0" + bytes(12)
    unknown = b"\x01\0\x7f\0" + bytes(4)
    for data in (
        register[:8],
        register[:4] + b"\x09\0" + register[6:],
        register[:4] + b"\x06\0" + register[6:] + twice + twice,
        register[:4] + b"\x03\0" + register[6:] + unknown,
    ):
        with pytest.raises(Errno):
            syscalls.sendmsg(h1, sid, data)
    policy(h1, "out", "ipsec", Request(IPPROTO_ESP, "transport", "use"), src=H1, dst=PEER)
    wires.send(h1, "2001:db8:1::5")


def test_protected_datagrams_reach_the_socket_and_leave_in_order_of_the_requests(wires: Wires) -> None:
    everything_arrives_well(wires)
    h1 = wires.net.nodes["h1"]
    counters = h1.counters()
    assert counters["ipsec6.in_success"] == 3
    assert counters["ipsec6.out_success"] == 3
    used = {(row.proto, row.src): row.packets for row in syscalls.rows(h1, "sas")}
    assert used.pop(("ipcomp", "2001:db8:1::5")) == 0, "a well-known index needs no association"
    assert set(used.values()) == {1}
    body = icmp.build(PEER, H1, 136, 0, b"\x60\0\0\0" + PEER + b"\x02\x01" + ROUTER_MAC)
    wires.inject(h1, ip6.build(PEER, H1, 58, body, hlim=255), dmac=MAC)
    sent = [one.packet for one in wires.sent(h1) if one.packet[6] == IPPROTO_AH]
    assert [exthdr.upper_layer(packet)[0] for packet in sent] == [IPPROTO_ESP], "the last request is the outermost"
    wires.account()


def test_fragments_are_made_after_protection_and_put_together_before_it_is_taken_off(wires: Wires) -> None:
    h1 = host(wires, esp_sa())
    packet = protected(esp_sa(), 2000)
    whole = packet[40:]
    for offset in (0, 1200):
        piece = whole[offset : offset + 1200]
        head = exthdr.build_fragment(IPPROTO_ESP, offset, offset + 1200 < len(whole), 7)
        wires.inject(h1, ip6.build(PEER, H1, 44, head + piece), dmac=MAC)
    assert h1.counters()["ipsec6.in_success"] == 1
    wires.account()
