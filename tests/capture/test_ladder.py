"""The ladder diagram: who sent what to whom, and what became of it."""

from __future__ import annotations

import pytest
from capture_frames import FRAMES

from kamelab.capture.filter import compile_filter
from kamelab.capture.ladder import OUTSIDE, Relative, ladder, steps
from kamelab.wire import tcp
from tests.userland.real_nodes import Bench, routed, small


def lines(bench: Bench, text: str, width: int = 80) -> list[str]:
    return ladder(bench.net, compile_filter(text), width)


def test_a_ping_across_a_router_climbs_from_column_to_column() -> None:
    bench = routed()
    bench.sh("h1", "ping6 -c 1 2001:db8:2::2")
    assert lines(bench, "icmpv6.type == 128 || icmpv6.type == 129") == [
        "      time      h1        r1        h2",
        "  3.000100       |-------->|         |     echo request id 6 seq 0 length 16",
        "  3.000250       |         |-------->|     echo request id 6 seq 0 length 16",
        "  3.000400       |         |<--------|     echo reply id 6 seq 0 length 16",
        "  3.000450       |<--------|         |     echo reply id 6 seq 0 length 16",
    ]


def test_a_group_has_an_arrowhead_at_every_member() -> None:
    bench = Bench()
    bench.link("lan")
    for name in ("h1", "h2", "h3"):
        bench.node(name, "lan")
    bench.run(3)
    bench.sh("h2", "ping6 -c 1 -I ne0 ff02::1")
    bench.run(1)
    assert "  3.000000       |<--------|-------->|     echo request id 2 seq 0 length 16" in lines(
        bench, "icmpv6.type == 128"
    )


def test_a_drop_ends_in_a_cross_with_its_reason() -> None:
    bench = routed()
    bench.sh("h1", "ping6 -c 1 -h 1 2001:db8:2::2")
    (line,) = lines(bench, "icmpv6.type == 128 && !(icmpv6.type == 3)", 120)[1:]
    assert line.startswith("  3.000100       |--------x|     echo request")
    assert line.endswith("[FWD_HLIM]")


def test_a_frame_that_the_link_lost_ends_in_a_cross_too() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    bench.net.links["lan"].set("loss", 1.0)
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    last = lines(bench, "icmpv6.type == 128", 120)[-1]
    assert "|--------x|" in last
    assert last.endswith("[LINK_LOST]")


def test_a_frame_that_nobody_takes_has_no_head_and_one_to_oneself_a_mark() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 ::1")
    assert lines(bench, "icmpv6.type == 128")[1].startswith("  3.000000       |--@  echo request")
    assert any("|---      |     NS who has 2001:db8:1::1" in line for line in lines(bench, "icmpv6.type == 135"))
    assert any("|      ---|     NS who has 2001:db8:1::2" in line for line in lines(bench, "icmpv6.type == 135"))


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_lines_keep_to_the_width_and_lose_no_word(width: int) -> None:
    bench = routed()
    bench.sh("h1", "ping6 -c 1 2001:db8:2::2")
    out = ladder(bench.net, None, width)
    assert max(map(len, out)) <= width
    words = " ".join(word for line in out for word in line.split() if word.strip("|"))
    assert "NA 2001:db8:2::2 is at 2:0:0:0:0:4 S O" in words


def test_a_narrow_one_puts_the_words_below_the_arrow() -> None:
    bench = routed()
    bench.sh("h1", "ping6 -c 1 2001:db8:2::2")
    assert lines(bench, "icmpv6.type == 128", 40)[1:3] == [
        "  3.000100     |---->|     |",
        "            echo request id 6 seq 0",
    ]


def test_frames_from_outside_have_a_column_of_their_own() -> None:
    bench = small()
    port = bench.net.links["lan"].port("tap")
    frame = bench.net.trace.packets[-1][12]
    bench.net.links["lan"].transmit(port, b"\x33\x33\0\0\0\1" + frame[6:], 0)
    bench.run(1)
    assert {step.sender for step in steps(bench.net)} == {"h1", "h2", OUTSIDE}
    assert OUTSIDE in ladder(bench.net)[0]


def test_no_packets_no_diagram() -> None:
    assert lines(small(), "udp") == []


def segment(sport: int, dport: int, seq: int, ack: int, flags: int, data: bytes = b"") -> bytes:
    frame = FRAMES["tcp"]
    head = sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + seq.to_bytes(4, "big") + ack.to_bytes(4, "big")
    head += bytes((0x50, flags)) + (1000).to_bytes(2, "big") + bytes(4)
    src, dst = frame[22:38], frame[38:54]
    if sport < dport:
        src, dst = dst, src
    return frame[:18] + (len(head) + len(data)).to_bytes(2, "big") + frame[20:22] + src + dst + head + data


def test_tcp_counts_from_the_first_of_each_direction() -> None:
    relative = Relative()
    said = [
        relative.text(segment(4000, 80, 0xFFFFFFFF, 0, tcp.SYN)),
        relative.text(segment(80, 4000, 500, 0, tcp.SYN | tcp.ACK)),
        relative.text(segment(4000, 80, 0, 501, tcp.ACK | tcp.PSH, b"hello")),
        relative.text(segment(80, 4000, 501, 5, tcp.ACK | tcp.FIN)),
    ]
    assert said == [
        "TCP 4000 > 80 [S] seq 0 win 1000 len 0",
        "TCP 80 > 4000 [S.] seq 0 ack 1 win 1000 len 0",
        "TCP 4000 > 80 [P.] seq 1 ack 1 win 1000 len 5",
        "TCP 80 > 4000 [F.] seq 1 ack 6 win 1000 len 0",
    ]
