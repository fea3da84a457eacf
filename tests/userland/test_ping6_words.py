"""ping6 without a network: the command line, the data of a request, and the lines that it prints."""

from __future__ import annotations

import pytest

from kamelab.stack.socket.message import Message
from kamelab.userland import ping6, ping6_nodeinfo, ping6_options, ping6_print, probe
from kamelab.userland.getopt import Fault
from kamelab.userland.ping6 import Ping
from kamelab.userland.ping6_options import Options
from kamelab.wire import exthdr, icmp6, in6, ip6, nodeinfo

MS = 1_000_000
A, B = in6.pton("2001:db8::a"), in6.pton("2001:db8::b")


def parse(line: str) -> Options:
    return ping6_options.parse(line.split())


def ping(**changed: object) -> Ping:
    out = Ping(Options(host="h2"), 3, 77, B, 0, 0, bytes(8), 0, 0, 0)
    for name, value in changed.items():
        setattr(out, name, value)
    return out


def test_options() -> None:
    made = parse("ping6 -c 3 -i 0.25 -s 100 -h 9 -I ne0 -q -v -b 9000 -l 2 -p ff -S ::1 a b host")
    assert (made.count, made.interval, made.size, made.hoplimit, made.interface) == (3, 250 * MS, 100, 9, "ne0")
    assert (made.quiet, made.verbose, made.bufsize, made.preload, made.pattern) == (True, True, 9000, 2, b"\xff")
    assert (made.source, made.hops, made.host) == ("::1", ["a", "b"], "host")
    assert (parse("ping6 h").size, parse("ping6 h").interval, parse("ping6 h").minmtu) == (8, 1000 * MS, 1)
    assert (parse("ping6 -m h").minmtu, parse("ping6 -mm h").minmtu) == (-1, 0)
    assert parse("ping6 -f h").interval == 10 * MS


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ping6 -z h", "illegal option -- z"),
        ("ping6 -c", "option requires an argument -- c"),
        ("ping6 -c 0 h", "illegal number of packets -- 0"),
        ("ping6 -c x h", "illegal number of packets -- x"),
        ("ping6 -i 0.001 h", "illegal timing interval -- 0.001: the least is 0.01"),
        ("ping6 -i 1.5.1 h", "illegal timing interval -- 1.5.1"),
        ("ping6 -i . h", "illegal timing interval -- ."),
        ("ping6 -i -1 h", "illegal timing interval -- -1"),
        ("ping6 -h 256 h", "illegal hoplimit -- 256"),
        ("ping6 -s 131025 h", "datalen value too large, maximum is 131024"),
        ("ping6 -s -1 h", "illegal datalen value -- -1"),
        ("ping6 -p xyz h", "patterns must be specified as hex digits -- xyz"),
        ("ping6 -p " + "00" * 17 + " h", "a pattern has at most 16 octets -- " + "00" * 17),
        ("ping6 -f -i 1 h", "-f and -i incompatible options"),
        ("ping6 -a x h", "invalid address type -- x"),
        ("ping6 -R h", "illegal option -- R"),
        ("ping6 -y h", "illegal option -- y"),
        ("ping6", "no host given"),
    ],
)
def test_wrong_command_lines(line: str, said: str) -> None:
    with pytest.raises(Fault) as caught:
        parse(line)
    assert str(caught.value) == said


def test_data_counts_from_the_message_start_or_repeats_the_pattern() -> None:
    assert ping6_options.fill(10, b"") == bytes(range(8, 18))
    assert ping6_options.fill(13, b"\xab\xcd") == bytes(8) + b"\xab\xcd\xab\xcd\xab"
    assert ping6_options.fill(3, b"\xab") == b"\xab\xab\xab", "no room for the time of sending"


def test_wrong_data_is_shown_from_the_first_octet_that_differs() -> None:
    sent = ping6_options.fill(20, b"")
    got = sent[:9] + b"\x00" + sent[10:]
    assert ping6_print.wrong_data(sent, got, 8) == [
        "wrong data byte #9 should be 0x11 but was 0x0",
        "       0\t08 09 0a 0b 0c 0d 0e 0f 10 00 12 13 14 15 16 17",
        "      16\t18 19 1a 1b",
    ]
    assert ping6_print.wrong_data(sent, bytes(8) + sent[8:], 8) == [], "the time of sending is not compared"


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0"), (250_000, "0.25"), (1_333_000, "1.333"), (1_000_000, "1"), (12_345_678, "12.345"), (10**9, "1000")],
)
def test_times_as_kame_usage_prints_them(ns: int, text: str) -> None:
    assert probe.milliseconds(ns) == text


def test_summary() -> None:
    done = ping(sent=4, received=3, repeated=1, shortest=1000, longest=3000, total=8000, squares=18_000_000)
    assert ping6.summary(done) == [
        "",
        "--- h2 ping6 statistics ---",
        "4 packets transmitted, 3 packets received, +1 duplicates, 25.0% packet loss",
        "round-trip min/avg/max/std-dev = 1.000/2.000/3.000/0.707 ms",
    ]
    assert ping6.summary(ping(sent=2))[2:] == ["2 packets transmitted, 0 packets received, 100.0% packet loss"]
    assert ping6.summary(ping())[2:] == ["0 packets transmitted, 0 packets received"]
    assert "packet loss" not in ping6.summary(ping(sent=1, received=2, data=b""))[2]


def answered(qtype: int, data: bytes, *, code: int = 0, flags: int = 0, verbose: bool = False) -> list[str]:
    body = nodeinfo.NodeInfo(qtype, flags, bytes(8), data).pack()
    return ping6_nodeinfo.answer(bytes((icmp6.NI_REPLY, code, 0, 0)) + body, verbose)


TTL = bytes(4)


@pytest.mark.parametrize(
    ("qtype", "data", "plain", "verbose"),
    [
        (0, b"", [" NodeInfo NOOP"], [" NodeInfo NOOP"]),
        (
            1,
            b"\0\0\0\x0f",
            [" NodeInfo Supported Qtypes: NOOP, SupportedTypes, DnsName, NodeAddr"],
            [" NodeInfo Supported Qtypes, raw bitmap: NOOP, SupportedTypes, DnsName, NodeAddr"],
        ),
        (2, TTL + b"\2h2\0\0", [" h2"], [" h2 (TTL=0:meaningless)"]),
        (2, TTL + b"\2h2\3org\0", [" h2.org."], [" h2.org. (TTL=0:meaningless)"]),
        (2, TTL + b"\2h2\0\0\2h3\0\0", [" h2,h3"], [" h2,h3 (TTL=0:meaningless)"]),
        (2, TTL + b"\3h\x1b2\0\0", [" h\\0332"], [" h\\0332 (TTL=0:meaningless)"]),
        (2, TTL + b"\x09h2", [" ???"], [" ??? (TTL=0:meaningless)"]),
        (2, TTL + b"\2h2", [" h2"], [" h2 (TTL=0:meaningless,03 draft)"]),
        (3, b"", ["", "  no address"], ["", "  no address"]),
        (3, b"\xff" * 4 + A, ["", "  2001:db8::a(TTL=infty)"], ["", "  2001:db8::a(TTL=infty)"]),
        (3, bytes((0, 0, 0, 9)) + A, ["", "  2001:db8::a(TTL=9)"], ["", "  2001:db8::a(TTL=9)"]),
        (3, A + B, ["", "  2001:db8::a", "  2001:db8::b"], ["", "  2001:db8::a", "  2001:db8::b"]),
    ],
)
def test_answers_to_queries_in_words(qtype: int, data: bytes, plain: list[str], verbose: list[str]) -> None:
    assert answered(qtype, data) == plain
    assert answered(qtype, data, verbose=True) == verbose


def test_refusals_lifetimes_and_cut_lists() -> None:
    assert answered(2, b"", code=1) == [" refused, type 0x2"]
    assert answered(4, b"", code=2) == [" unknown, type 0x4"]
    assert answered(4, b"", code=7) == [" unknown code 0x7, type 0x4"]
    assert answered(2, b"\0\0\0\x09\2h2\0\0", flags=1, verbose=True) == [" h2 (TTL=9)"]
    assert answered(2, b"\xff\xff\xff\xff\2h2\0\0", flags=1, verbose=True) == [" h2 (TTL=-1:invalid)"]
    assert answered(3, b"\xff" * 4 + A, flags=1, verbose=True)[0] == " truncated"
    assert answered(1, b"\0\1\0\0\0\0\0\5", flags=1, verbose=True) == [
        " NodeInfo Supported Qtypes, compressed bitmap: NOOP, DnsName"
    ]


def test_queries_and_the_replies_that_are_known_by_the_nonce() -> None:
    def sent(line: str) -> bytes:
        return ping6_nodeinfo.query(parse(line), B, ping6_nodeinfo.nonce(77, 258, 1_000_000))

    assert sent("ping6 -w h") == bytes((139, 0, 0, 0, 0, 2, 0, 0, 1, 2, 0, 77, 0, 0, 3, 232)) + B
    assert sent("ping6 -W h")[:8] == bytes((139, 0, 0, 0, 0, 2, 0, 0))
    assert len(sent("ping6 -W h")) == 16
    assert sent("ping6 -t h")[:8] == bytes((139, 1, 0, 0, 0, 1, 0, 1))
    assert sent("ping6 -a aclsgA h")[:8] == bytes((139, 0, 0, 0, 0, 3, 0, 0x7E))
    mark = ping6_nodeinfo.nonce(77, 0, 1_000_000)
    reply = bytes((140, 0)) + sent("ping6 -w h")[2:]
    assert ping6_nodeinfo.sequence(reply, mark) == 258
    assert ping6_nodeinfo.sequence(reply, ping6_nodeinfo.nonce(78, 0, 1_000_000)) is None
    assert ping6_nodeinfo.sequence(sent("ping6 -w h"), mark) is None


def test_more_options() -> None:
    made = parse("ping6 -dNw -g fe80::1%ne0 -a l h")
    assert (made.debug, made.group, made.gateway, made.query) == (True, True, "fe80::1%ne0", "nodeaddr")
    assert parse("ping6 -s 131024 h").size == 131024
    assert not parse("ping6 -s 8192 h").short_of_buffer
    assert parse("ping6 -s 8193 h").short_of_buffer
    assert not parse("ping6 -s 8193 -b 9000 h").short_of_buffer
    assert parse("ping6 -s 9001 -b 9000 h").short_of_buffer


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (bytes((128, 0, 0, 0, 0, 5, 0, 9)), "Echo Request id=0x5 seq=9"),
        (bytes((129, 0, 0, 0, 0, 5, 0, 9)), "Echo Reply id=0x5 seq=9"),
        (bytes((137, 0, 0, 0, 0, 0, 0, 0)) + A + B, "Redirect Destination: 2001:db8::b New Target: 2001:db8::a"),
        (bytes((139, 0)) + bytes(14), "Node Information Query"),
        (bytes((140, 0)) + bytes(14), "Node Information Reply"),
        (bytes((131, 0)) + bytes(22), "Multicast Listener Report"),
        (bytes((1, 4)) + bytes(6), "Destination Port Unreachable"),
    ],
)
def test_other_messages_in_words(message: bytes, text: str) -> None:
    assert ping6_print.describe(message) == text


def test_what_an_error_quotes() -> None:
    def quote(nxt: int, upper: bytes) -> str:
        return ping6_print.quoted_line(bytes((1, 0)) + bytes(6) + ip6.build(A, B, nxt, upper))

    assert quote(17, bytes((0, 1, 0, 9, 0, 8, 0, 0))) == "\t2001:db8::a --> 2001:db8::b, UDP: from port 1, to port 9"
    assert quote(6, bytes((0, 1, 0, 80))) == "\t2001:db8::a --> 2001:db8::b, TCP: from port 1, to port 80"
    assert quote(58, bytes((128, 0, 0, 0, 0, 1, 0, 7))) == "\t2001:db8::a --> 2001:db8::b, icmp_seq=7"
    assert quote(58, bytes((135, 0)) + bytes(6)) == "\t2001:db8::a --> 2001:db8::b, ICMP6: type = 135, code = 0"
    assert quote(103, b"") == "\t2001:db8::a --> 2001:db8::b, next header 103"
    assert ping6_print.quoted_line(bytes((135, 0)) + bytes(60)) == ""


def test_extension_headers_of_a_reply() -> None:
    header = exthdr.router_alert(58)
    routing = exthdr.build_routing0(58, 0, (A, B))
    message = Message(b"", A, 0, 0, B, 1, 64, 0, 0, (("IPV6_HOPOPTS", header), ("IPV6_RTHDR", routing)))
    assert ping6_print.extension_headers(message) == [
        "  HbH Options: nxt 58, len 0 (8 bytes)",
        "    Router Alert Opt: Type 0",
        "  rthdr: nxt 58, len 4, type 0, 0 segments left, [0]2001:db8::a [1]2001:db8::b",
    ]


def quoting(ident: int, proto: int = ip6.IPPROTO_ICMPV6) -> bytes:
    request = icmp6.build(A, B, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(ident, 1, bytes(8)))
    return icmp6.build(B, A, icmp6.DST_UNREACH, 3, icmp6.error_body(0, ip6.build(A, B, proto, request)))


def test_errors_about_our_requests_are_known_by_the_identifier() -> None:
    assert ping6.is_own_error(ping(), quoting(77))
    assert not ping6.is_own_error(ping(), quoting(78))
    assert not ping6.is_own_error(ping(), quoting(77, ip6.IPPROTO_UDP))
    assert not ping6.is_own_error(ping(), quoting(77)[:50]), "too little is quoted"
    assert not ping6.is_own_error(ping(), icmp6.build(B, A, icmp6.ECHO_REPLY, 0, icmp6.echo_body(77, 1, b"")))


@pytest.mark.parametrize(
    ("kind", "code", "word", "text"),
    [
        (1, 0, 0, "No Route to Destination"),
        (1, 3, 0, "Destination Host Unreachable"),
        (1, 9, 0, "Destination Unreachable, Bad Code: 9"),
        (2, 0, 1280, "Packet too big mtu = 1280"),
        (3, 0, 0, "Time to live exceeded"),
        (4, 1, 6, "Parameter problem: Unknown Nextheader pointer = 0x06"),
        (135, 0, 0, "Neighbor Solicitation"),
        (200, 0, 0, "Bad ICMP type: 200"),
    ],
)
def test_icmp_messages_in_words(kind: int, code: int, word: int, text: str) -> None:
    assert probe.describe(bytes((kind, code, 0, 0)) + word.to_bytes(4, "big")) == text
