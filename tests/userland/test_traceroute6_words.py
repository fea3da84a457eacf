"""traceroute6 without a network: the command line and what each answer means."""

from __future__ import annotations

import pytest

from kamelab.userland import traceroute6
from kamelab.userland.getopt import Fault
from kamelab.userland.traceroute6 import Answer, Options, Trace
from kamelab.wire import icmp6, in6, ip6, udp

A, B = in6.pton("2001:db8::a"), in6.pton("2001:db8::b")
IDENT = 0x8005


def trace(**options: object) -> Trace:
    return Trace(Options(**options), 4, 3, IDENT, B, 0, 12)  # type: ignore[arg-type]


def error(kind: int, code: int, proto: int, upper: bytes) -> bytes:
    return icmp6.build(B, A, kind, code, icmp6.error_body(0, ip6.build(A, B, proto, upper)))


def about(seq: int, kind: int, code: int, sport: int = IDENT) -> bytes:
    return error(kind, code, ip6.IPPROTO_UDP, udp.build(A, B, sport, 33434 + seq - 1, bytes(12)))


def test_options() -> None:
    line = "traceroute6 -n -f 2 -m 9 -q 1 -p 40000 -w 2 -s ::1 -I host 100"
    made = traceroute6.parse(line.split())
    assert (made.names, made.first, made.most, made.probes, made.port, made.wait) == (False, 2, 9, 1, 40000, 2)
    assert (made.source, made.echo, made.target, made.size) == ("::1", True, "host", 100)
    plain = traceroute6.parse(["traceroute6", "h"])
    assert (plain.first, plain.most, plain.probes, plain.port, plain.wait, plain.size) == (1, 30, 3, 33434, 5, 12)
    assert traceroute6.parse(["traceroute6", "-I", "h", "1"]).size == 16
    led = traceroute6.parse(["traceroute6", "-d", "-r", "-v", "-l", "-g", "one", "-g", "two", "h"])
    assert (led.gateways, led.debug, led.direct, led.verbose, led.addresses) == (("one", "two"), True, True, True, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("traceroute6 -z h", "illegal option -- z"),
        ("traceroute6 -p 0 h", "invalid port."),
        ("traceroute6 -p 65500 h", "invalid port."),
        ("traceroute6 -m 256 h", "invalid max hop limit."),
        ("traceroute6 -f 0 h", "invalid first hop limit."),
        ("traceroute6 -f 9 -m 8 h", "the first hop limit must not be greater than the max hop limit."),
        ("traceroute6 -q 0 h", "invalid number of probes."),
        ("traceroute6 -w 1 h", "invalid wait time: it must be more than 1 second."),
        ("traceroute6 h 65488", "invalid packet size: it must be at most 65487."),
        ("traceroute6" + " -g fe80::1" * 128 + " h", "too many gateways: 127 fit in a routing header."),
        ("traceroute6", "no target given"),
        ("traceroute6 a 1 2", "too many arguments"),
    ],
)
def test_wrong_command_lines(line: str, said: str) -> None:
    with pytest.raises(Fault) as caught:
        traceroute6.parse(line.split())
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("kind", "code", "hoplimit", "answer"),
    [
        (3, 0, 64, Answer(arrived=False)),
        (1, 4, 64, Answer(arrived=True)),
        (1, 4, 1, Answer(arrived=True, mark=" !")),
        (1, 0, 64, Answer(arrived=False, mark=" !N", failed=True)),
        (1, 1, 64, Answer(arrived=False, mark=" !P", failed=True)),
        (1, 2, 64, Answer(arrived=False, mark=" !S", failed=True)),
        (1, 3, 64, Answer(arrived=False, mark=" !A", failed=True)),
        (3, 1, 64, None),
        (2, 0, 64, None),
    ],
)
def test_answers_to_udp_probes(kind: int, code: int, hoplimit: int, answer: Answer | None) -> None:
    assert traceroute6.judge(trace(), 5, about(5, kind, code), hoplimit) == answer


def test_answers_to_other_probes_and_other_programs_are_passed_over() -> None:
    assert traceroute6.judge(trace(), 5, about(4, 3, 0), 64) is None
    assert traceroute6.judge(trace(), 5, about(5, 3, 0, sport=IDENT + 1), 64) is None
    assert traceroute6.judge(trace(echo=True), 5, about(5, 3, 0), 64) is None
    assert traceroute6.judge(trace(), 5, about(5, 3, 0)[:50], 64) is None
    assert traceroute6.judge(trace(), 5, b"\x03\x00", 64) is None


def test_answers_to_echo_probes() -> None:
    reply = icmp6.build(B, A, icmp6.ECHO_REPLY, 0, icmp6.echo_body(IDENT, 5, b""))
    assert traceroute6.judge(trace(echo=True), 5, reply, 64) == Answer(arrived=True)
    assert traceroute6.judge(trace(echo=True), 6, reply, 64) is None
    assert traceroute6.judge(trace(), 5, reply, 64) is None
    request = icmp6.build(A, B, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(IDENT, 5, b""))
    quoted = error(3, 0, ip6.IPPROTO_ICMPV6, request)
    assert traceroute6.judge(trace(echo=True), 5, quoted, 64) == Answer(arrived=False)
