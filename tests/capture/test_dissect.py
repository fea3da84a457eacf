"""The decode tree: every message shows its fields where they are, checksums are judged, nothing raises."""

from __future__ import annotations

import subprocess
import sys

import pytest
from capture_frames import FRAMES
from hypothesis import given
from hypothesis import strategies as st

from kamelab.capture.dissect import dissect
from kamelab.capture.fields import TREE_FIELDS, Kind
from kamelab.capture.scapy_view import inspect_with_scapy
from kamelab.capture.tree import Field, hexdump, hexdump_columns, values, walk
from kamelab.wire.in6 import pton

TYPES: dict[Kind, type] = {
    Kind.UINT: int,
    Kind.BOOL: bool,
    Kind.IPV6: bytes,
    Kind.ETHER: bytes,
    Kind.BYTES: bytes,
    Kind.STRING: str,
    Kind.PROTOCOL: str,
}


def names(frame: bytes) -> list[str]:
    return [field.name for field in dissect(frame)]


def one(frame: bytes, name: str) -> int | bytes | str | bool:
    (value,) = values(dissect(frame))[name]
    return value


def labels(frame: bytes) -> list[str]:
    return [field.label for field in walk(dissect(frame))]


@pytest.mark.parametrize(
    ("name", "protocols"),
    [
        ("neighbor solicitation", ["eth", "ipv6", "icmpv6"]),
        ("mld report", ["eth", "ipv6", "ipv6.hopopts", "icmpv6"]),
        ("udp", ["eth", "ipv6", "udp", "data"]),
        ("tcp", ["eth", "ipv6", "tcp", "data"]),
        ("destination options", ["eth", "ipv6", "ipv6.dstopts", "udp", "data"]),
        ("routing header", ["eth", "ipv6", "ipv6.routing", "udp", "data"]),
        ("last fragment", ["eth", "ipv6", "ipv6.fraghdr", "data"]),
        ("first fragment", ["eth", "ipv6", "ipv6.fraghdr", "udp", "data"]),
        ("tunnel", ["eth", "ipv6", "ipv6", "udp", "data"]),
        ("no next header", ["eth", "ipv6"]),
    ],
)
def test_top_of_the_tree_lists_the_protocols(frames: dict[str, bytes], name: str, protocols: list[str]) -> None:
    assert names(frames[name]) == protocols


def test_no_sound_frame_is_called_malformed(frames: dict[str, bytes]) -> None:
    assert {name for name, frame in frames.items() if "_ws.malformed" in names(frame)} == set()


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("echo request", "ipv6.tclass", 0xB9),
        ("echo request", "ipv6.tclass.dscp", 46),
        ("echo request", "ipv6.tclass.ecn", 1),
        ("echo request", "ipv6.flow", 0x12345),
        ("echo request", "icmpv6.echo.sequence_number", 2),
        ("echo request", "data.len", 56),
        ("neighbor solicitation", "icmpv6.nd.ns.target_address", pton("2001:db8::1")),
        ("neighbor solicitation", "icmpv6.opt.src_linkaddr", b"\2\0\0\0\0\2"),
        ("neighbor advertisement", "icmpv6.nd.na.flag.s", True),
        ("neighbor advertisement", "icmpv6.nd.na.flag.o", False),
        ("neighbor advertisement", "icmpv6.opt.target_linkaddr", b"\2\0\0\0\0\2"),
        ("router advertisement", "icmpv6.nd.ra.flag.m", True),
        ("router advertisement", "icmpv6.nd.ra.flag.prf", 3),
        ("router advertisement", "icmpv6.nd.ra.reachable_time", 30000),
        ("router advertisement", "icmpv6.opt.mtu", 1280),
        ("router advertisement", "icmpv6.opt.prefix.valid_lifetime", 3600),
        ("router advertisement", "icmpv6.opt.rdnss", pton("2001:db8::53")),
        ("redirect", "icmpv6.rd.na.destination_address", pton("2001:db8::9")),
        ("too big", "icmpv6.mtu", 1280),
        ("parameter problem", "icmpv6.pointer", 40),
        ("mld query", "icmpv6.mld.maximum_response_delay", 10000),
        ("mld report", "icmpv6.mld.multicast_address", pton("ff02::1:ff00:1")),
        ("mld report", "ipv6.opt.router_alert", 0),
        ("mldv2 query", "icmpv6.mld.flag.qrv", 2),
        ("last fragment", "ipv6.fraghdr.offset", 185),
        ("last fragment", "ipv6.fraghdr.more", False),
        ("tcp", "tcp.hdr_len", 40),
        ("tcp", "tcp.flags.syn", True),
        ("tcp", "tcp.flags.fin", False),
    ],
)
def test_field_has_the_value_that_was_built(
    frames: dict[str, bytes], name: str, field: str, value: int | bytes | bool
) -> None:
    assert one(frames[name], field) == value


def test_every_field_of_the_table_shows_in_some_frame(frames: dict[str, bytes]) -> None:
    shown = {field.name for frame in frames.values() for field in walk(dissect(frame))}
    elsewhere = {
        "_ws.malformed",
        "eth.len",
        "eth.padding",
        "eth.trailer",
        "icmpv6.data",
        *(name for name in TREE_FIELDS if name.partition(".")[0] in ("ah", "esp", "ipcomp")),  # test_dissect_ipsec
        "icmpv6.mldr.mar.auxiliary_data",
        "icmpv6.opt.nonce",
        "icmpv6.unknown_data",
        "ipv6.opt.jumbo",
        "ipv6.opt.pad1",
        "ipv6.opt.unknown",
        "ipv6.routing.unknown_data",
    }
    assert set(TREE_FIELDS) - shown - elsewhere == set()


def test_prefixes_and_search_domains_show_in_order(frames: dict[str, bytes]) -> None:
    found = values(dissect(frames["router advertisement"]))
    assert found["icmpv6.opt.prefix"] == [pton("2001:db8::"), pton("2001:db8:2::")]
    assert found["icmpv6.opt.prefix.length"] == [64, 48]
    assert found["icmpv6.opt.dnssl"] == ["example.org", "lab.example.org"]
    assert "Option: Prefix information (3): 2001:db8::/64" in labels(frames["router advertisement"])


def test_error_shows_the_packet_it_quotes_as_its_children(frames: dict[str, bytes]) -> None:
    icmp = dissect(frames["unreachable"])[2]
    quoted = {field.name: field for field in icmp.children}
    assert {"ipv6", "udp", "data"} <= set(quoted)
    assert {field.name: field.value for field in quoted["udp"].children}["udp.dstport"] == 33434
    assert "Code: port unreachable (4)" in labels(frames["unreachable"])


def test_quotation_that_ends_inside_a_header_is_not_malformed(frames: dict[str, bytes]) -> None:
    assert "[The quoted packet ends here]" in labels(frames["cut quotation"])
    assert one(frames["cut quotation"], "udp.dstport") == 33434


def test_redirected_packet_is_read_under_its_option(frames: dict[str, bytes]) -> None:
    options = [field for field in walk(dissect(frames["redirect"])) if field.name == "icmpv6.opt.redirected_packet"]
    assert [field.name for field in options[0].children] == ["ipv6", "udp"]


@pytest.mark.parametrize("name", ["echo request", "router advertisement", "mld report", "mldv2 report"])
def test_icmp_checksum_is_good_until_an_octet_changes(frames: dict[str, bytes], name: str) -> None:
    frame = frames[name]
    assert one(frame, "icmpv6.checksum.status") == 1
    assert one(frame[:-1] + bytes((frame[-1] ^ 1,)), "icmpv6.checksum.status") == 0


@pytest.mark.parametrize("name", ["udp", "tcp", "routing header"])
def test_transport_checksum_is_good_until_an_octet_changes(frames: dict[str, bytes], name: str) -> None:
    frame = frames[name]
    field = "tcp.checksum.status" if name == "tcp" else "udp.checksum.status"
    assert one(frame, field) == 1
    assert one(frame[:-1] + bytes((frame[-1] ^ 1,)), field) == 0


def test_checksum_that_cannot_be_verified_is_neither_good_nor_bad(frames: dict[str, bytes]) -> None:
    assert one(frames["first fragment"], "udp.checksum.status") == 2
    assert one(frames["redirect"], "udp.checksum.status") == 2


def test_checksum_of_a_packet_quoted_whole_is_verified(frames: dict[str, bytes]) -> None:
    assert one(frames["unreachable"], "udp.checksum.status") == 1


def test_udp_without_checksum_is_bad_over_ipv6(frames: dict[str, bytes]) -> None:
    frame = frames["udp"]
    assert one(frame[:60] + b"\0\0" + frame[62:], "udp.checksum.status") == 0


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("echo request", lambda f: f[:9], "Source needs 6 octets, 3 are there"),
        ("echo request", lambda f: f[:30], "Source needs 16 octets, 8 are there"),
        ("echo request", lambda f: f[:14] + b"\x45" + f[15:], "IP version 4, not 6"),
        ("neighbor solicitation", lambda f: f[:79] + b"\0" + f[80:], "option of length 0"),
        ("neighbor solicitation", lambda f: f[:79] + b"\2" + f[80:], "option 1 of 16 octets runs past"),
        ("udp", lambda f: f[:58] + b"\0\7" + f[60:], "a UDP length of 7"),
        ("tcp", lambda f: f[:66] + b"\x42" + f[67:], "a TCP header length of 16"),
        ("mld report", lambda f: f[:55] + b"\x40" + f[56:], "extension header of 520 octets runs past"),
        ("mld report", lambda f: f[:57] + b"\x0a" + f[58:], "option 0x05 of 10 octets runs past"),
    ],
)
def test_malformed_frame_shows_what_could_be_read_and_says_why(
    frames: dict[str, bytes], name: str, change: object, reason: str
) -> None:
    assert callable(change)
    frame = change(frames[name])
    *before, last = dissect(frame)
    assert last.name == "_ws.malformed"
    assert reason in last.label
    assert before[0].name == "eth"


def test_payload_length_beyond_the_frame_is_said(frames: dict[str, bytes]) -> None:
    frame = frames["echo request"][:-10]
    assert "[Payload length is more than the 54 octets that are there]" in labels(frame)
    assert one(frame, "icmpv6.checksum.status") == 2


def test_octets_after_the_packet_are_padding_or_trailer(frames: dict[str, bytes]) -> None:
    assert one(frames["no next header"] + bytes(6), "eth.padding") == bytes(6)
    assert one(frames["udp"] + b"tail", "eth.trailer") == b"tail"
    assert names(frames["udp"] + b"tail") == names(frames["udp"])


def test_unknown_protocols_and_lengths_show_as_data(frames: dict[str, bytes]) -> None:
    frame = frames["udp"]
    assert names(frame[:20] + b"\xfd" + frame[21:]) == ["eth", "ipv6", "data"]
    assert names(frame[:12] + b"\x08\x06" + frame[14:]) == ["eth", "data"]
    assert one(frame[:12] + b"\x00\x40" + frame[14:], "eth.len") == 64


def test_packets_inside_packets_end_at_a_depth(frames: dict[str, bytes]) -> None:
    header = b"\x60\0\0\0\xff\xff\x29\x40" + bytes(32)
    assert names(frames["udp"][:14] + header * 1500)[-1] == "_ws.malformed"


def within(fields: tuple[Field, ...], frame: bytes) -> bool:
    """Every field lies in the frame, has a name of the table or none, and a value of its kind."""
    for field in walk(fields):
        in_frame = field.offset >= 0 and field.length >= 0 and field.offset + field.length <= len(frame)
        known = not field.name or type(field.value) is TYPES[TREE_FIELDS[field.name].kind]
        if not (in_frame and known and field.label):
            return False
    return True


@given(st.binary(max_size=200))
def test_any_octets_have_a_tree_inside_the_frame(frame: bytes) -> None:
    assert within(dissect(frame), frame)


mutated = st.tuples(
    st.sampled_from(sorted(FRAMES)),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 120),
)


def mutate(name: str, changes: list[tuple[int, int]], cut: int) -> bytes:
    frame = bytearray(FRAMES[name])
    for at, value in changes:
        frame[at % len(frame)] = value
    return bytes(frame[: len(frame) - cut] if cut % 2 else frame)


@given(mutated)
def test_any_mutated_frame_has_a_tree_inside_the_frame(change: tuple[str, list[tuple[int, int]], int]) -> None:
    frame = mutate(*change)
    assert within(dissect(frame), frame)


def test_every_cut_of_every_message_has_a_tree_inside_the_frame(frames: dict[str, bytes]) -> None:
    for frame in frames.values():
        for end in range(len(frame)):
            assert within(dissect(frame[:end]), frame[:end])


def test_hex_dump_shows_offset_octets_and_characters() -> None:
    assert hexdump(bytes(range(0x3A, 0x4C))) == [
        "0000  3a 3b 3c 3d 3e 3f 40 41  42 43 44 45 46 47 48 49  :;<=>?@ABCDEFGHI",
        "0010  4a 4b                                             JK",
    ]
    assert hexdump(b"\0\x7f ") == ["0000  00 7f 20" + " " * 42 + ".. "]


def test_hex_dump_columns_point_at_the_octet() -> None:
    data = bytes(range(0x41, 0x41 + 20))
    for index, octet in enumerate(data):
        line = hexdump(data)[index // 16]
        digits, character = hexdump_columns(index)
        assert line[digits : digits + 2] == f"{octet:02x}"
        assert line[character] == chr(octet)


@pytest.mark.filterwarnings("ignore")
def test_scapy_lists_a_frame(frames: dict[str, bytes]) -> None:
    lines = inspect_with_scapy(frames["udp"])
    assert any("UDP" in line for line in lines)
    assert any("sport" in line and "40000" in line for line in lines)


def test_without_scapy_the_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, frames: dict[str, bytes]) -> None:
    monkeypatch.setitem(sys.modules, "scapy.layers.l2", None)
    assert inspect_with_scapy(frames["udp"]) == [
        "scapy is not installed; `pip install 'kamelab[inspect]'` adds it",
    ]


def test_dissecting_and_filtering_load_no_scapy() -> None:
    program = "import sys, kamelab.capture.filter, kamelab.capture.scapy_view; print('scapy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
