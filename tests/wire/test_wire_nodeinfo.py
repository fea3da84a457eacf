"""Node information on the wire, and its lines (RFC 4620, draft-ietf-ipngwg-icmp-name-lookups-09, KAME ping6)."""

from __future__ import annotations

from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import icmp6, nodeinfo, rr, summary_info
from kamelab.wire.buffer import Truncated, WireError
from kamelab.wire.in6 import ntop, pton
from kamelab.wire.nodeinfo import NodeAddress, NodeInfo

NONCE = bytes(range(8))


def test_a_query_octet_by_octet() -> None:
    body = nodeinfo.query_body(nodeinfo.NODEADDR, NONCE, pton("2001:db8::1"), nodeinfo.GLOBAL | nodeinfo.ALL)
    assert body.hex() == "0003002200010203040506072001" + "0db8000000000000000000000001"
    assert NodeInfo.parse(body) == NodeInfo(3, 0x22, NONCE, pton("2001:db8::1"))
    with pytest.raises(Truncated):
        NodeInfo.parse(body[:11])
    with pytest.raises(WireError):
        nodeinfo.query_body(0, b"short", b"")
    with pytest.raises(WireError):
        nodeinfo.query_body(65536, NONCE, b"")


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("h1", b"\x02h1\0\0"),
        ("h1.example.org", b"\x02h1\x07example\x03org\0"),
        ("h1.example.org.", b"\x02h1\x07example\x03org\0"),
    ],
)
def test_names_as_labels(name: str, octets: bytes) -> None:
    assert nodeinfo.encode_name(name) == octets
    assert nodeinfo.decode_names(octets) == (name.rstrip("."),)


def test_several_names_in_one_answer() -> None:
    data = nodeinfo.encode_name("a.example.org") + nodeinfo.encode_name("b")
    assert nodeinfo.decode_names(data) == ("a.example.org", "b")


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(WireError):
        nodeinfo.encode_name(name)


@pytest.mark.parametrize("octets", [b"\x03ab", b"\x02ab", b"\xc0\x0c", b"\x01a\x40"])
def test_labels_that_cannot_be_read(octets: bytes) -> None:
    with pytest.raises(WireError):
        nodeinfo.decode_names(octets)


@given(st.binary(max_size=40))
def test_any_octets_are_names_or_an_error(octets: bytes) -> None:
    try:
        names = nodeinfo.decode_names(octets)
    except WireError:
        return
    assert sum(len(one) for one in names) <= len(octets)


def test_the_group_is_made_of_the_first_label_in_small_letters() -> None:
    digest = md5(b"\x02h1", usedforsecurity=False).digest()
    assert nodeinfo.name_group("h1") == pton("ff02::2:0:0")[:12] + digest[:4]
    assert ntop(nodeinfo.name_group("H1.Example.ORG")) == "ff02::2:3a67:896f"
    with pytest.raises(WireError):
        nodeinfo.name_group("")


def test_both_forms_of_a_name_reply() -> None:
    new, old = nodeinfo.name_data("h1.example.org", 60), nodeinfo.name_data("h1.example.org", old=True)
    assert nodeinfo.parse_name_data(new) == (60, ("h1.example.org",), False)
    assert old == bytes(4) + b"\x0eh1.example.org"
    assert nodeinfo.parse_name_data(old) == (0, ("h1.example.org",), True)
    with pytest.raises(Truncated):
        nodeinfo.parse_name_data(bytes(4))


def test_addresses_of_both_families() -> None:
    found = (NodeAddress(60, pton("2001:db8::1")), NodeAddress(0xFFFFFFFF, pton("fe80::1")))
    data = nodeinfo.address_data(found)
    assert nodeinfo.parse_addresses(data) == found
    with pytest.raises(Truncated):
        nodeinfo.parse_addresses(data[:-1])
    assert nodeinfo.parse_addresses(bytes((0, 0, 0, 5, 192, 0, 2, 1)), 4) == (NodeAddress(5, bytes((192, 0, 2, 1))),)


@pytest.mark.parametrize(
    ("flags", "data", "types"),
    [
        (0, "0000000f", (0, 1, 2, 3)),
        (0, "00000001" + "80000000", (0, 63)),
        (0, "", ()),
        (nodeinfo.COMPRESS, "00010000" + "0000000f", (0, 1, 2, 3)),
        (nodeinfo.COMPRESS, "00010002" + "00000001" + "00010000" + "00000002", (0, 97)),
    ],
)
def test_supported_types(flags: int, data: str, types: tuple[int, ...]) -> None:
    assert nodeinfo.parse_suptypes(flags, bytes.fromhex(data)) == types


@pytest.mark.parametrize(("flags", "data"), [(0, "00"), (1, "0002000000000001"), (1, "0001ffff00000001"), (1, "00")])
def test_bitmaps_that_cannot_be_read(flags: int, data: str) -> None:
    with pytest.raises(WireError):
        nodeinfo.parse_suptypes(flags, bytes.fromhex(data))


def test_flags_in_letters() -> None:
    assert nodeinfo.flag_letters(nodeinfo.ALL | nodeinfo.GLOBAL | nodeinfo.TRUNCATE) == "A G T"
    assert nodeinfo.flag_letters(nodeinfo.ANYCAST) == "anycast"


@pytest.mark.parametrize(
    ("kind", "code", "body", "line"),
    [
        (139, 0, NodeInfo(2, 0, NONCE, pton("fe80::1")), "node information query name of fe80::1"),
        (139, 1, NodeInfo(3, 0, NONCE, b"\x02h1\0\0"), "node information query addresses of h1"),
        (139, 1, NodeInfo(3, 0, NONCE, b"\x09h1"), "node information query addresses of a name that can't be read"),
        (139, 1, NodeInfo(77, 0, NONCE), "node information query qtype 77"),
        (140, 0, NodeInfo(2, 0, NONCE, bytes(4) + b"\x02h1\0\0"), "node information reply name h1"),
        (140, 1, NodeInfo(3, 0, NONCE), "node information reply addresses refused"),
        (140, 2, NodeInfo(4, 0, NONCE), "node information reply IPv4 addresses unknown qtype"),
        (140, 0, NodeInfo(3, 0, NONCE), "node information reply addresses none"),
        (140, 0, NodeInfo(3, 1, NONCE, bytes(19) + b"\1"), "node information reply addresses ::1 truncated"),
        (140, 0, NodeInfo(1, 0, NONCE, bytes(4)), "node information reply supported qtypes"),
    ],
)
def test_lines_of_node_information(kind: int, code: int, body: NodeInfo, line: str) -> None:
    assert summary_info.node_information(kind, code, body.pack()) == line


def test_a_line_shows_three_addresses_at_most() -> None:
    data = nodeinfo.address_data(tuple(NodeAddress(0, bytes(15) + bytes((n,))) for n in range(1, 6)))
    line = summary_info.node_information(icmp6.NI_REPLY, 0, NodeInfo(3, 0, NONCE, data).pack())
    assert line == "node information reply addresses ::1 ::2 ::3 ..."


def test_lines_of_router_renumbering() -> None:
    operation = rr.Operation(rr.CHANGE, 1, 48, 0, 128, pton("2001:db8::"))
    command = rr.Command(7, 0, rr.TEST, 0, (operation,))
    line = summary_info.router_renumbering
    assert line(rr.COMMAND, command.pack()) == "router renumbering command seq 7 test change 2001:db8::/48"
    report = rr.Report(False, False, 1, 48, 1, pton("2001:db8::"))
    assert line(rr.RESULT, rr.Result(7, 2, 0, 0, (report,)).pack()) == (
        "router renumbering result seq 7 segment 2 1 matches"
    )
    assert line(rr.SEQNUM_RESET, rr.Command(9, 0, 0, 0).pack()) == "router renumbering reset seq 9"
    assert line(9, b"") == "router renumbering code 9"
