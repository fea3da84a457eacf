"""The lines of tcpdump for what the sample frames do not show, and for frames that are cut or wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.userland.tcpdump_print import Printer, ascii_text, hex_lines, tcp_options
from kamelab.wire import ether, exthdr, in6, ip6, udp
from tests.capture.capture_frames import FRAMES

A, B = in6.pton("2001:db8::1"), in6.pton("2001:db8::2")
HEAD = ether.header(b"\2\0\0\0\0\2", b"\2\0\0\0\0\1")


def segment(src: bytes, dst: bytes, sport: int, dport: int, seq: int, ack: int, flags: int, data: bytes = b"",
            options: bytes = b"") -> bytes:  # fmt: skip
    head = sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + seq.to_bytes(4, "big") + ack.to_bytes(4, "big")
    head += bytes(((20 + len(options)) << 2, flags, 0x20, 0)) + bytes(4) + options
    return HEAD + ip6.build(src, dst, 6, head + data)


def test_sequence_numbers_are_relative_after_the_first_acknowledgement() -> None:
    printer = Printer()
    sack = b"\1\1\5\12" + (5101).to_bytes(4, "big") + (5201).to_bytes(4, "big")
    frames = [
        segment(A, B, 4000, 80, 999, 0, 2),
        segment(B, A, 80, 4000, 5000, 1000, 18),
        segment(A, B, 4000, 80, 1000, 5001, 24, b"GET / HTTP/1.0\r\n\r\n"),
        segment(A, B, 4000, 80, 1018, 5001, 16, b"", sack),
    ]
    assert [printer.line(frame, len(frame)) for frame in frames] == [
        "IP6 2001:db8::1.4000 > 2001:db8::2.80: Flags [S], seq 999, win 8192, length 0",
        "IP6 2001:db8::2.80 > 2001:db8::1.4000: Flags [S.], seq 5000, ack 1000, win 8192, length 0",
        "IP6 2001:db8::1.4000 > 2001:db8::2.80: Flags [P.], seq 1:19, ack 1, win 8192, length 18: HTTP: GET / HTTP/1.0",
        "IP6 2001:db8::1.4000 > 2001:db8::2.80: Flags [.], ack 1, win 8192, options [nop,nop,sack 1 {101:201}], "
        "length 0",
    ]
    assert "seq 1000:1018, ack 5001" in Printer(absolute=True).line(frames[2], len(frames[2]))
    assert Printer(quiet=True).line(frames[2], 92).endswith(": tcp 18")


def test_a_jumbogram_has_the_length_of_its_option() -> None:
    data = udp.build(A, B, 1, 9, bytes(8))
    header = exthdr.hop_by_hop(17, exthdr.option(exthdr.OPT_JUMBO, (70000).to_bytes(4, "big")))
    packet = bytearray(ip6.build(A, B, 0, header + data))
    packet[4:6] = b"\0\0"
    frame = HEAD + bytes(packet)
    assert Printer().line(frame, 70054) == "IP6 2001:db8::1 > 2001:db8::2: HBH 1 > 9: UDP, length 8"
    assert "payload length: 0) 2001:db8::1 > 2001:db8::2: HBH (jumbo: 70000)  1 > 9:" in Printer(verbose=1).line(
        frame, 70054
    )


def test_names_stand_for_numbers() -> None:
    frame = HEAD + ip6.build(A, B, 17, udp.build(A, B, 4000, 53, b""))
    printer = Printer(numeric=False, names={A: "h1"})
    assert printer.line(frame, len(frame)) == "IP6 h1.4000 > 2001:db8::2.domain: UDP, length 0"


def test_a_tunnel_in_a_tunnel_without_end_has_an_end_here() -> None:
    packet = b""
    for _ in range(1500):
        packet = ip6.build(A, B, 41, packet)
    text = Printer().line(HEAD + packet, len(HEAD + packet))
    assert text.endswith("IP6 2001:db8::1 > 2001:db8::2: ...")
    assert text.count("IP6") == 9


def test_options_of_tcp() -> None:
    text = tcp_options(bytes.fromhex("020405a0010303060402080a0000000a00000000fe03ff00"))
    assert text == "mss 1440,nop,wscale 6,sackOK,TS val 10 ecr 0,unknown-254 0xff,eol"
    assert tcp_options(b"\2\x09\0") == "mss [bad opt]"


def test_dumps() -> None:
    assert hex_lines(b"ABCDEFGHIJKLMNOP\0q", True) == [
        "\t0x0000:  4142 4344 4546 4748 494a 4b4c 4d4e 4f50  ABCDEFGHIJKLMNOP",
        "\t0x0010:  0071                                     .q",
    ]
    assert hex_lines(b"abc", False) == ["\t0x0000:  6162 63"]
    assert ascii_text(b"a\0b\r\nc") == "a.b\nc"


def test_other_ethertypes_are_shown_in_hex() -> None:
    frame = b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x08\x06" + b"arp!"
    assert Printer().line(frame, 18).split("\n") == [
        "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 18: ",
        "\t0x0000:  6172 7021                                arp!",
    ]


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_a_frame_cut_anywhere_still_has_a_line(name: str) -> None:
    frame = FRAMES[name]
    for size in range(len(frame)):
        for verbose in (0, 2):
            assert Printer(verbose=verbose).line(frame[:size], len(frame))


@given(st.sampled_from(sorted(FRAMES)), st.integers(14, 200), st.binary(min_size=1, max_size=4), st.integers(0, 2))
def test_octets_changed_at_random_never_raise(name: str, at: int, octets: bytes, verbose: int) -> None:
    frame = FRAMES[name]
    changed = (frame[:at] + octets + frame[at + len(octets) :])[: len(frame)]
    printer = Printer(verbose=verbose, link=True)
    assert printer.line(changed, len(changed)).startswith("02:00:00:00:00:02 > ")
