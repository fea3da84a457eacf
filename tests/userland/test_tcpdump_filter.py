"""The filter expressions of tcpdump: which frames pass, what can't be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.userland.tcpdump_filter import FilterError, matches, parse
from kamelab.wire import ether, exthdr, icmp6, in6, ip6, tcp

A, B, GROUP = in6.pton("2001:db8:1::1"), in6.pton("2001:db8:2::2"), in6.pton("ff02::1")
MAC_A, MAC_B = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"


def frame(nxt: int, payload: bytes, dst: bytes = B) -> bytes:
    mac = ether.multicast_mac(dst) if dst[0] == 0xFF else MAC_B
    return ether.header(mac, MAC_A) + ip6.build(A, dst, nxt, payload)


def segment(sport: int, dport: int, flags: int) -> bytes:
    return frame(6, sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + bytes(8) + bytes((0x50, flags)) + bytes(6))


UDP = frame(17, (5000).to_bytes(2, "big") + (53).to_bytes(2, "big") + bytes((0, 8, 0, 0)))
SYN, FIN = segment(4000, 80, tcp.SYN), segment(80, 4000, tcp.FIN | tcp.ACK)
ECHO = frame(58, icmp6.build(A, B, icmp6.ECHO_REQUEST, 0, bytes(64)))
NS = frame(58, icmp6.build(A, GROUP, icmp6.NEIGHBOR_SOLICIT, 0, bytes(20)), GROUP)
FRAGMENT = frame(44, exthdr.build_fragment(58, 0, True, 1) + ECHO[54:])
MLD = frame(0, exthdr.router_alert(58) + bytes((131, 0, 0, 0)) + bytes(20), GROUP)
ARP = b"\xff" * 6 + MAC_A + b"\x08\x06" + bytes(28)
ALL = {"udp": UDP, "syn": SYN, "fin": FIN, "echo": ECHO, "ns": NS, "fragment": FRAGMENT, "mld": MLD, "arp": ARP}


def resolve(name: str) -> bytes:
    if name == "h2":
        return B
    raise FilterError(f"unknown host '{name}'")


def passing(text: str) -> set[str]:
    node = parse(text, resolve)
    return {name for name, data in ALL.items() if matches(node, data, len(data))}


EVERY = set(ALL)
IP6 = EVERY - {"arp"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", EVERY),
        ("ip6", IP6),
        ("arp", {"arp"}),
        ("tcp", {"syn", "fin"}),
        ("udp", {"udp"}),
        ("icmp6", {"echo", "ns", "fragment"}),
        ("ip6 proto 0", {"mld"}),
        ("ip6 protochain 58", {"echo", "ns", "fragment", "mld"}),
        ("not ip6", {"arp"}),
        ("! ip6 || udp", {"arp", "udp"}),
        ("host 2001:db8:2::2", IP6 - {"ns", "mld"}),
        ("host h2", IP6 - {"ns", "mld"}),
        ("h2", IP6 - {"ns", "mld"}),
        ("ip6 host h2 and udp", {"udp"}),
        ("src host 2001:db8:1::1", IP6),
        ("dst host 2001:db8:1::1", set()),
        ("dst host fe80::1%ne0 or udp", {"udp"}),
        ("net 2001:db8:1::/48", IP6),
        ("dst net ff00::/8", {"ns", "mld"}),
        ("src and dst net 2001:db8::/32", IP6 - {"ns", "mld"}),
        ("port 80", {"syn", "fin"}),
        ("port http", {"syn", "fin"}),
        ("dst port 80", {"syn"}),
        ("src port 80 or 5000", {"fin", "udp"}),
        ("tcp port 53", set()),
        ("udp port domain", {"udp"}),
        ("portrange 50-60", {"udp"}),
        ("ether src 02:00:00:00:00:01", EVERY),
        ("ether dst 2:0:0:0:0:2", IP6 - {"ns", "mld"}),
        ("ether proto 0x0806", {"arp"}),
        ("ether proto \\ip6", IP6),
        ("multicast", {"ns", "mld", "arp"}),
        ("broadcast", {"arp"}),
        ("ip6 multicast", {"ns", "mld"}),
        ("less 62", {"udp", "arp"}),
        ("greater 100", {"echo", "fragment"}),
        ("len = 62", {"udp"}),
        ("ip6[6] = 58", {"echo", "ns"}),
        ("icmp6[0] == 135", {"ns"}),
        ("icmp6[icmp6type] = icmp6-echo", {"echo"}),
        ("icmp6[0] != 135", {"echo"}),
        ("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", {"syn", "fin"}),
        ("tcp[13] & tcp-ack = 0", {"syn"}),
        ("udp[2:2] = 53", {"udp"}),
        ("ip6[4:2] + 40 + 14 = len and tcp", {"syn", "fin"}),
        ("ip6[0:4] >> 28 = 6", IP6),
        ("(udp or tcp) and not port 80", {"udp"}),
        ("udp or tcp and port 80", {"syn", "fin"}),
        ("ip6[500] = 0 or ip6", set()),
        ("ip6 or ip6[500] = 0", IP6),
        ("ip6[40] / 0 = 1", set()),
    ],
)
def test_what_passes(text: str, names: set[str]) -> None:
    assert passing(text) == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("and", "can't parse filter expression: syntax error"),
        ("tcp and", "can't parse filter expression: syntax error"),
        ("(tcp", "can't parse filter expression: syntax error"),
        ("tcp)", "can't parse filter expression: syntax error"),
        ("port", "can't parse filter expression: syntax error"),
        ("tcp ;", "can't parse filter expression: illegal character ';'"),
        ("host nosuch", "unknown host 'nosuch'"),
        ("port 70000", "illegal port number 70000 > 65535"),
        ("port nosuch", "invalid port name 'nosuch'"),
        ("ip6[0:3] = 1", "can't parse filter expression: syntax error"),
        ("net 2001:db8:1::1/32", 'non-network bits set in "2001:db8:1::1/32"'),
        ("net ::/129", "mask length must be <= 128: ::/129"),
        ("ether host 2:0:0", "unknown ether host '2:0:0'"),
        ("ip host h2", "'ip host' needs IPv4, which these nodes do not speak"),
        ("tcp host h2", "'tcp' modifier applied to host"),
        ("(" * 60 + "tcp" + ")" * 60, "can't parse filter expression: nested more than 50 deep"),
    ],
)
def test_what_can_not_be_read(text: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, resolve)
    assert str(caught.value) == said


WORDS = [
    "tcp",
    "udp",
    "and",
    "or",
    "not",
    "(",
    ")",
    "port",
    "80",
    "host",
    "::1",
    "ip6[",
    "]",
    "=",
    "&",
    "len",
    "src",
    "net",
    "/",
    "0x1",
]


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.binary(max_size=80))
def test_any_words_and_octets_are_read_or_refused(words: list[str], data: bytes) -> None:
    try:
        node = parse(" ".join(words), resolve)
    except FilterError:
        return
    assert matches(node, data, len(data)) in (True, False)
