"""ping6 without a network: the command line, the data of a request, and the lines that it prints."""

from __future__ import annotations

import pytest

from kamelab.userland import ping6, probe
from kamelab.userland.ping6 import Fault, Options, Ping
from kamelab.wire import icmp6, in6, ip6

MS = 1_000_000
A, B = in6.pton("2001:db8::a"), in6.pton("2001:db8::b")


def parse(line: str) -> Options:
    return ping6.parse(line.split())


def ping(**changed: object) -> Ping:
    out = Ping(Options(host="h2"), 3, 77, B, 0, 0, bytes(8), 0, 0)
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
        ("ping6 -s 65488 h", "datalen value too large, maximum is 65487"),
        ("ping6 -s -1 h", "illegal datalen value -- -1"),
        ("ping6 -p xyz h", "patterns must be specified as hex digits -- xyz"),
        ("ping6 -p " + "00" * 17 + " h", "a pattern has at most 16 octets -- " + "00" * 17),
        ("ping6 -f -i 1 h", "-f and -i incompatible options"),
        ("ping6 -w ff02::1", "node information queries are not built yet"),
        ("ping6 -N h2", "node information queries are not built yet"),
        ("ping6 -g fe80::1 h", "-g: the choice of the next hop is not built yet"),
        ("ping6", "no host given"),
    ],
)
def test_wrong_command_lines(line: str, said: str) -> None:
    with pytest.raises(Fault) as caught:
        parse(line)
    assert str(caught.value) == said


def test_data_counts_from_the_message_start_or_repeats_the_pattern() -> None:
    assert ping6.fill(10, b"") == bytes(range(8, 18))
    assert ping6.fill(13, b"\xab\xcd") == bytes(8) + b"\xab\xcd\xab\xcd\xab"
    assert ping6.fill(3, b"\xab") == b"\xab\xab\xab", "no room for the time of sending"


def test_wrong_data_is_shown_from_the_first_octet_that_differs() -> None:
    sent = ping6.fill(20, b"")
    got = sent[:9] + b"\x00" + sent[10:]
    assert ping6.wrong_data(sent, got, 8) == [
        "wrong data byte #9 should be 0x11 but was 0x0",
        "       0\t08 09 0a 0b 0c 0d 0e 0f 10 00 12 13 14 15 16 17",
        "      16\t18 19 1a 1b",
    ]
    assert ping6.wrong_data(sent, bytes(8) + sent[8:], 8) == [], "the time of sending is not compared"


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
