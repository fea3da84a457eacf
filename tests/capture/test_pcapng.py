"""Capture files: scapy reads what we write, we read what was written, and no file whatever breaks the reader."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.capture import pcapng
from kamelab.capture.pcapng import CapturedPacket, CaptureInterface, PcapngError

EPOCH = 950522400 * 10**9
H1 = CaptureInterface("h1:ne0", "lan", bytes.fromhex("020000000001"), ((bytes.fromhex("fe80" + "00" * 13 + "01"), 64),))
R1 = CaptureInterface("r1:ne1", "wan", b"", ())
SENT = CapturedPacket(0, EPOCH + 123456789, b"abcdefghijklmno", True, 7, "forwarded: route 2001:db8::/32")
GOT = CapturedPacket(1, EPOCH + 2**33, b"", False, 0, "")


def written(interfaces: list[CaptureInterface], packets: list[CapturedPacket], application: str = "kamelab 1") -> bytes:
    out = io.BytesIO()
    assert pcapng.write(out, interfaces, packets, application=application) == len(packets)
    return out.getvalue()


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<", major: int = 1) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1), order)


def interface_block(order: str = "<", link: int = 1, options: bytes = b"", snaplen: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def packet_block(stamp: int, frame: bytes, order: str = "<", interface: int = 0) -> bytes:
    head = struct.pack(order + "IIIII", interface, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame + bytes(-len(frame) % 4), order)


def test_file_reads_back_as_written() -> None:
    found = pcapng.read(written([H1, R1], [SENT, GOT, SENT]))
    assert found == ("kamelab 1", (H1, R1), (SENT, GOT, SENT))


def test_equal_input_gives_equal_bytes_and_known_layout() -> None:
    first = written([H1], [SENT])
    assert first == written([H1], [SENT])
    assert first[:12] == bytes.fromhex("0a0d0d0a 30000000 4d3c2b1a")
    assert len(first) % 4 == 0
    # The bytes are a contract: the same lab, seed and script give the same file on every machine.
    assert (
        hashlib.sha256(written([H1, R1], [SENT, GOT])).hexdigest()
        == "3412f64c0f98abe0f93307e40e4fd368e459c7e6b5f5e280245f723e055560bc"
    )


def test_scapy_reads_frames_times_comments_and_interfaces() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.utils import RawPcapNgReader

        reader = RawPcapNgReader(io.BytesIO(written([H1, R1], [SENT, GOT._replace(frame=b"xyz")])))
        read = list(reader)
    (frame, about), (other, about_other) = read
    assert (frame, other) == (SENT.frame, b"xyz")
    assert about.ifname == b"h1:ne0"
    assert about_other.ifname == b"r1:ne1"
    assert (about.tshigh << 32 | about.tslow, about.tsresol) == (SENT.time, 10**9)
    assert about.comments == [SENT.comment.encode()]
    assert about.direction == 2
    assert about_other.direction == 1
    assert about.linktype == 1


def test_scapy_writes_what_we_read(frames: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "scapy.pcapng"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.layers.l2 import Ether
        from scapy.utils import PcapNgWriter

        with PcapNgWriter(str(path)) as writer:
            for frame in frames.values():
                writer.write(Ether(frame))
    assert [packet.frame for packet in pcapng.read(path.read_bytes()).packets] == list(frames.values())


def test_big_endian_microseconds_and_second_section_read() -> None:
    big = section(">") + interface_block(">") + packet_block(1_000_001, b"abcde", ">")
    found = pcapng.read(big + section() + interface_block() + packet_block(2_000_000, b"xyz"))
    assert [packet.time for packet in found.packets] == [1_000_001_000, 2_000_000_000]
    assert [packet.interface for packet in found.packets] == [0, 1]
    assert found.packets[0].frame == b"abcde"


def test_resolution_in_powers_of_two_and_offset_read() -> None:
    options = struct.pack("<HHB3xHHqHH", 9, 1, 0x80 | 10, 14, 8, 5, 0, 0)
    found = pcapng.read(section() + interface_block(options=options) + packet_block(1536, b""))
    assert found.packets[0].time == 6_500_000_000


def test_unknown_blocks_and_options_are_skipped() -> None:
    options = struct.pack("<HH4sHH3sxHH", 2988, 4, b"what", 2, 3, b"ne0", 0, 0)
    data = section() + block(0x0BAD, b"1234") + interface_block(options=options) + block(5, bytes(12))
    assert pcapng.read(data).interfaces == (CaptureInterface("ne0", "", b"", ()),)


def test_simple_packet_is_cut_at_the_snapshot_length() -> None:
    data = section() + interface_block(snaplen=4) + block(3, struct.pack("<I", 9) + b"abcd")
    assert pcapng.read(data).packets == (CapturedPacket(0, 0, b"abcd", False, 0, ""),)


GOOD = section() + interface_block()


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        (b"", "not a pcapng file", 0),
        (b"GIF89a......", "not a pcapng file", 0),
        (b"\xd4\xc3\xb2\xa1" + bytes(20), "classic pcap", 0),
        (section()[:20], "ends inside", 0),
        (section()[:8] + b"\0\0\0\0" + section()[12:], "byte-order magic", 8),
        (section(major=2), "version 2", 12),
        (GOOD + b"\6\0\0\0", "ends inside a block", 48),
        (GOOD + struct.pack("<III", 6, 13, 13), "13 octets long", 52),
        (GOOD + struct.pack("<III", 9, 12, 16), "lengths differ", 56),
        (section() + interface_block(link=101), "link type 101", 36),
        (GOOD + packet_block(0, b"", interface=3), "interface 3", 56),
        (GOOD + block(6, struct.pack("<5I", 0, 0, 0, 99, 99)), "99 octets", 68),
        (GOOD + block(6, b"\0\0\0\0"), "too short", 60),
        (section() + interface_block(options=struct.pack("<HH", 2, 40)), "option 2", 44),
        (section() + interface_block(options=struct.pack("<HH4x", 6, 4)), "if_MACaddr has 6 octets, not 4", 48),
    ],
)
def test_broken_file_is_refused_with_reason_and_offset(data: bytes, reason: str, offset: int) -> None:
    with pytest.raises(PcapngError, match=reason) as caught:
        pcapng.read(data)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("interfaces", "packets", "reason"),
    [
        ([H1], [GOT], "interface 1; there are 1"),
        ([H1], [SENT._replace(time=-1)], "after 1970"),
        ([H1], [SENT._replace(packet_id=1 << 64)], "64 bits"),
        ([H1._replace(mac=b"12345")], [], "6 octets, not 5"),
        ([H1._replace(addresses=((b"", 64),))], [], "16 octets"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(
    interfaces: list[CaptureInterface], packets: list[CapturedPacket], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        pcapng.write(io.BytesIO(), interfaces, packets, application="kamelab")


def test_comment_too_long_for_an_option_is_cut_between_characters() -> None:
    found = pcapng.read(written([H1], [SENT._replace(comment="ä" * 40000)]))
    assert found.packets[0].comment == "ä" * 32767


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
interfaces = st.builds(
    CaptureInterface,
    texts,
    texts,
    st.one_of(st.just(b""), st.binary(min_size=6, max_size=6)),
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 128)), max_size=3).map(tuple),
)
packets = st.builds(
    CapturedPacket,
    st.just(0),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=80),
    st.booleans(),
    st.integers(0, 2**64 - 1),
    texts,
)


@given(st.lists(interfaces, min_size=1, max_size=3), st.lists(packets, max_size=4), texts)
def test_any_capture_reads_back_as_written(
    given_interfaces: list[CaptureInterface], given_packets: list[CapturedPacket], application: str
) -> None:
    found = pcapng.read(written(given_interfaces, given_packets, application))
    assert found == (application, tuple(given_interfaces), tuple(given_packets))


def refused_within(data: bytes) -> bool:
    """True if the file is read, or refused with an offset that lies in it."""
    try:
        pcapng.read(data)
    except PcapngError as error:
        return 0 <= error.offset <= len(data)
    return True


WHOLE = written([H1, R1], [SENT, GOT])


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0))
def test_hostile_bytes_raise_nothing_but_pcapng_error(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at] = value
    assert refused_within(bytes(data[: len(data) - cut % 20]))


@given(st.binary(max_size=200))
def test_any_body_after_the_header_raises_nothing_but_pcapng_error(tail: bytes) -> None:
    for prefix in (b"", section(), section(">"), GOOD):
        assert refused_within(prefix + tail)
