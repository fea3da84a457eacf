"""tshark as the second reader: its field names and types, its tree, its filters, and the files we write."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import pytest
from capture_frames import FRAMES

from kamelab.capture import pcapng
from kamelab.capture.dissect import dissect
from kamelab.capture.fields import FIELDS, KAMELAB_FIELDS, TREE_FIELDS, Kind
from kamelab.capture.filter import compile_filter
from kamelab.capture.tree import Field, walk
from kamelab.wire.in6 import ntop

pytestmark = pytest.mark.interop

EPOCH = 950522400 * 10**9
INTERFACE = pcapng.CaptureInterface("h1:ne0", "lan", b"\2\0\0\0\0\2", ((bytes.fromhex("fe80" + "00" * 13 + "01"), 64),))
TYPES = {
    Kind.UINT: ("FT_UINT8", "FT_UINT16", "FT_UINT24", "FT_UINT32", "FT_UINT64", "FT_INT32"),
    Kind.BOOL: ("FT_BOOLEAN",),
    Kind.IPV6: ("FT_IPv6",),
    Kind.ETHER: ("FT_ETHER",),
    Kind.BYTES: ("FT_BYTES",),
    Kind.STRING: ("FT_STRING",),
    Kind.PROTOCOL: ("FT_NONE", "FT_FRAMENUM", "PROTOCOL"),
}
OPTIONS = ["-o", "ipv6.defragment:FALSE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]


class Seen(NamedTuple):
    """A frame as it is in the file."""

    frame: bytes
    node: str = "h1"
    interface: str = "ne0"
    link: str = "lan"
    time: int = 0
    outbound: bool = True
    reason: str = ""


def tshark(*arguments: str) -> str:
    return subprocess.run(["tshark", *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample frames in a file of ours, a microsecond apart, each with its name as the comment."""
    path = tmp_path_factory.mktemp("capture") / "sample.pcapng"
    packets = [
        pcapng.CapturedPacket(0, EPOCH + number * 1000 + 1, frame, True, number + 1, name)
        for number, (name, frame) in enumerate(FRAMES.items())
    ]
    with path.open("wb") as out:
        pcapng.write(out, [INTERFACE], packets, application="kamelab")
    return path


def test_every_field_name_is_wiresharks_and_of_its_type() -> None:
    types: dict[str, str] = {}
    for line in tshark("-G", "fields").splitlines():
        parts = line.split("\t")
        types[parts[2]] = "PROTOCOL" if parts[0] == "P" else parts[3]
    checked = {name: spec for name, spec in FIELDS.items() if name not in KAMELAB_FIELDS}
    del checked["frame"], checked["frame.time"]  # octets and lab time here, a protocol and wall time there
    wrong = {name: types.get(name) for name, spec in checked.items() if types.get(name) not in TYPES[spec.kind]}
    assert wrong == {}
    assert not set(KAMELAB_FIELDS) & set(types)


def test_capture_file_reads_with_names_times_directions_and_comments(capture: Path) -> None:
    fields = ("frame.interface_name", "frame.interface_description", "frame.packet_flags_direction", "frame.comment")
    columns = [part for field in (*fields, "frame.packet_id", "frame.time_epoch") for part in ("-e", field)]
    rows = [line.split("\t") for line in tshark("-r", str(capture), "-T", "fields", *columns).splitlines()]
    assert [row[3] for row in rows] == list(FRAMES)
    assert {tuple(row[:3]) for row in rows} == {("h1:ne0", "lan", "0x00000002")}
    assert [int(row[4], 0) for row in rows] == list(range(1, len(FRAMES) + 1))
    assert rows[3][5] == "950522400.000003001"


def test_no_frame_is_malformed_to_tshark(capture: Path) -> None:
    assert tshark("-r", str(capture), "-Y", "_ws.malformed", *OPTIONS) == ""


def shown(field: Field) -> str | int | bool:
    """A value of ours in the form that PDML values are brought to."""
    value = field.value
    if isinstance(value, bytes):
        return ntop(value) if TREE_FIELDS[field.name].kind is Kind.IPV6 else value.hex()
    return value


def pdml_value(field: Field, show: str) -> str | int | bool:
    match TREE_FIELDS[field.name].kind:
        case Kind.UINT:
            return int(show, 0)
        case Kind.BOOL:
            return show in ("1", "True")
        case Kind.IPV6:
            return show
        case Kind.STRING:
            return show
        case _:
            return show.replace(":", "")


def test_every_field_of_our_tree_stands_in_tsharks_with_place_and_value(capture: Path) -> None:
    root = ET.fromstring(tshark("-r", str(capture), "-T", "pdml", *OPTIONS))
    wrong = []
    for (name, frame), packet in zip(FRAMES.items(), root.iter("packet"), strict=True):
        theirs: dict[tuple[str, int, int], list[str]] = {}
        for item in packet.iter("field"):
            place = (item.get("name", ""), int(item.get("pos", "0")), int(item.get("size", "0")))
            theirs.setdefault(place, []).append(item.get("show", ""))
        for field in walk(dissect(frame)):
            if not field.name or TREE_FIELDS[field.name].kind is Kind.PROTOCOL:
                continue
            # Generated fields have no octets in Wireshark; ours point at the checksum they speak of.
            length = 0 if field.name.endswith(".status") else field.length
            said = theirs.get((field.name, field.offset, length), [])
            if shown(field) not in [pdml_value(field, show) for show in said]:
                wrong.append((name, field.name, field.offset, field.length, shown(field), said))
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        "icmpv6",
        "udp",
        "ipv6.hopopts",
        "ipv6.fraghdr",
        "icmpv6.type == 135",
        "icmpv6.type != 135",
        "icmpv6.type in {1, 133..136}",
        "ipv6.src == fe80::/10",
        "ipv6.addr == 2001:db8::/32",
        "ipv6.addr != 2001:db8::/32",
        "!(ipv6.addr == 2001:db8::/32)",
        "ipv6.dst != ff02::1",
        "udp.port != 33434",
        "!udp.port == 33434",
        "udp.srcport > 100 && ipv6.hlim < 65",
        "icmpv6 || udp && tcp",
        "icmpv6.nd.na.flag.s == 1",
        "icmpv6.nd.na.flag.o == 0",
        "icmpv6.opt.linkaddr == 02:00:00:00:00:02",
        "icmpv6.opt.prefix == 2001:db8::",
        'icmpv6.opt.dnssl contains "lab"',
        "data.data contains 68:65:6c",
        'frame contains "hello"',
        "eth.addr == 02:00:00:00:00:02",
        "ipv6.src == ipv6.dst",
        "ipv6.tclass.dscp == 46",
        "icmpv6.checksum.status == 0",
        "not icmpv6 and not (udp or tcp)",
        "frame.len >= 100",
        "tcp.flags.fin",
        "data",
    ],
)
def test_filter_takes_the_frames_that_tshark_takes(capture: Path, text: str) -> None:
    found = tshark("-r", str(capture), "-Y", text, "-T", "fields", "-e", "frame.comment", *OPTIONS).splitlines()
    compiled = compile_filter(text)
    assert [name for name, frame in FRAMES.items() if compiled.matches(Seen(frame))] == found
