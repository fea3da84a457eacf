"""Capture files in the pcapng format, written and read.

Source: draft-ietf-opsawg-pcapng ("PCAP Next Generation Capture File Format"). The writer gives one little-endian
section with the Ethernet link type and one snapshot length throughout (libpcap refuses mixed ones), a name, link, MAC
and IPv6 addresses for each interface, nanosecond times, and for each packet its direction, an identifier shared by all
the places where the same frame was seen, and a comment. Nothing of the host goes in, so equal input gives equal bytes.

The reader takes files of either byte order, with several sections, and skips the blocks and options it doesn't know.
Left out: name resolution, statistics and decryption secrets; Simple Packet Blocks carry no time and read as time 0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

LINKTYPE_ETHERNET = 1
SNAPLEN = 262144
"""The snapshot length of every interface written, in octets: what Wireshark takes as its own maximum."""

_SHB = 0x0A0D0D0A
_IDB = 1
_SPB = 3
_EPB = 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_BYTE_ORDER_AT = 8

_OPT_END = 0
_OPT_COMMENT = 1
_SHB_USERAPPL = 4
_IF_NAME = 2
_IF_DESCRIPTION = 3
_IF_IPV6ADDR = 5
_IF_MACADDR = 6
_IF_TSRESOL = 9
_IF_TSOFFSET = 14
_EPB_FLAGS = 2
_EPB_PACKETID = 5

_INBOUND = 1
_OUTBOUND = 2
_DIRECTION_MASK = 3
_OPTION_MAX = 0xFFFF
_NANOSECONDS = 10**9
_DEFAULT_TSRESOL = 6
_CLASSIC_MAGICS = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")


class CaptureInterface(NamedTuple):
    """One place where frames were seen."""

    name: str
    """Node and interface, `h1:ne0`."""
    description: str
    """The link that the interface is on."""
    mac: bytes
    """Six octets, or empty when there is none."""
    addresses: tuple[tuple[bytes, int], ...]
    """IPv6 addresses (16 octets) with their prefix lengths (bits)."""


class CapturedPacket(NamedTuple):
    """One frame as it was seen at one interface."""

    interface: int
    """Index into the file's interfaces."""
    time: int
    """Nanoseconds since 1970-01-01T00:00:00Z."""
    frame: bytes
    """The frame from the Ethernet destination on, without a frame check sequence."""
    outbound: bool
    """Sent by the interface, rather than received."""
    packet_id: int
    """64 bits, equal for one frame wherever it was seen; 0 when unknown."""
    comment: str
    """Free text, empty for none."""


class PcapngFile(NamedTuple):
    """What a capture file holds; interfaces of several sections are numbered on."""

    application: str
    interfaces: tuple[CaptureInterface, ...]
    packets: tuple[CapturedPacket, ...]


class PcapngError(ValueError):
    """A file is not pcapng, is damaged, or holds what kamelab can't show.

    Attributes: `reason`, and `offset`, the octet of the file where it was noticed.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(f"{reason} (at octet {offset})")
        self.reason = reason
        self.offset = offset


# -- writing ---------------------------------------------------------------------------------------------------------


def write(
    out: BinaryIO,
    interfaces: Sequence[CaptureInterface],
    packets: Iterable[CapturedPacket],
    *,
    application: str,
) -> int:
    """Write a capture file to `out` and return the number of packets written.

    `application` names the writer (`shb_userappl`). Packets are taken one at a time and written in the order given.
    Raises ValueError for what the format can't hold: a packet of an unknown interface, a time before 1970 or beyond
    64 bits, a MAC that is not 6 octets, an address that is not 16.
    """
    out.write(
        _block(_SHB, struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, -1) + _options((_SHB_USERAPPL, _text(application))))
    )
    for interface in interfaces:
        out.write(_interface_block(interface))
    count = 0
    for packet in packets:
        if not 0 <= packet.interface < len(interfaces):
            raise ValueError(f"packet {count} is of interface {packet.interface}; there are {len(interfaces)}")
        out.write(_packet_block(packet))
        count += 1
    return count


def _interface_block(interface: CaptureInterface) -> bytes:
    if interface.mac and len(interface.mac) != 6:
        raise ValueError(f"{interface.name}: a MAC address has 6 octets, not {len(interface.mac)}")
    options = [(_IF_NAME, _text(interface.name)), (_IF_DESCRIPTION, _text(interface.description))]
    for address, plen in interface.addresses:
        if len(address) != 16 or not 0 <= plen <= 128:
            raise ValueError(f"{interface.name}: an IPv6 address has 16 octets and a prefix length up to 128")
        options.append((_IF_IPV6ADDR, address + bytes((plen,))))
    options.append((_IF_MACADDR, interface.mac))
    options.append((_IF_TSRESOL, b"\x09"))
    return _block(_IDB, struct.pack("<HHI", LINKTYPE_ETHERNET, 0, SNAPLEN) + _options(*options))


def _packet_block(packet: CapturedPacket) -> bytes:
    if not 0 <= packet.time < 1 << 64:
        raise ValueError(f"time {packet.time} ns doesn't fit 64 bits after 1970")
    if not 0 <= packet.packet_id < 1 << 64:
        raise ValueError(f"packet identifier {packet.packet_id} doesn't fit 64 bits")
    frame = packet.frame[:SNAPLEN]
    head = struct.pack(
        "<IIIII", packet.interface, packet.time >> 32, packet.time & 0xFFFFFFFF, len(frame), len(packet.frame)
    )
    options = _options(
        (_OPT_COMMENT, _text(packet.comment)),
        (_EPB_FLAGS, struct.pack("<I", _OUTBOUND if packet.outbound else _INBOUND)),
        (_EPB_PACKETID, struct.pack("<Q", packet.packet_id) if packet.packet_id else b""),
    )
    return _block(_EPB, head + _pad(frame) + options)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _options(*options: tuple[int, bytes]) -> bytes:
    """The options that have a value, closed by opt_endofopt; nothing when there are none."""
    parts = [struct.pack("<HH", code, len(value)) + _pad(value) for code, value in options if value]
    if parts:
        parts.append(struct.pack("<HH", _OPT_END, 0))
    return b"".join(parts)


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _text(text: str) -> bytes:
    """UTF-8, cut between characters to what an option's length field can say."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= _OPTION_MAX:
        return data
    return data[:_OPTION_MAX].decode("utf-8", "ignore").encode("utf-8")


# -- reading ---------------------------------------------------------------------------------------------------------


def read(data: bytes) -> PcapngFile:
    """Read a whole capture file.

    Raises PcapngError, and nothing else, for bytes that are not a sound pcapng file with Ethernet frames.
    """
    if data[:4] in _CLASSIC_MAGICS:
        raise PcapngError("a classic pcap file, not pcapng; `editcap -F pcapng OLD NEW` converts it")
    if len(data) < 12 or data[:4] != struct.pack("<I", _SHB):
        raise PcapngError("not a pcapng file: no section header block")
    reader = _Reader(data)
    reader.run()
    return PcapngFile(reader.application, tuple(reader.interfaces), tuple(reader.packets))


class _Clock(NamedTuple):
    """How an interface's time stamps read: units a second, and an offset in seconds."""

    snaplen: int
    units: int
    offset: int

    def nanoseconds(self, stamp: int) -> int:
        return stamp * _NANOSECONDS // self.units + self.offset * _NANOSECONDS


class _Reader:
    """Walks the blocks of one file; `order` and `clocks` belong to the section that is being read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<"
        self.application = ""
        self.interfaces: list[CaptureInterface] = []
        self.packets: list[CapturedPacket] = []
        self.clocks: list[_Clock] = []

    def run(self) -> None:
        at = 0
        while at < len(self.data):
            at = self.block(at)

    def block(self, at: int) -> int:
        """Read the block at `at` and return where the next one begins."""
        if at + 12 > len(self.data):
            raise PcapngError("the file ends inside a block", at)
        section = self.data[at : at + 4] == struct.pack("<I", _SHB)
        if section:
            self.byte_order(at + _BYTE_ORDER_AT)
        kind: int
        length: int
        kind, length = struct.unpack_from(self.order + "II", self.data, at)
        if length < 12 or length % 4:
            raise PcapngError(f"a block can't be {length} octets long", at + 4)
        end = at + length
        if end > len(self.data):
            raise PcapngError(f"the file ends inside a block of {length} octets", at)
        if self.number("I", end - 4, end) != length:
            raise PcapngError("a block's two lengths differ", end - 4)
        body, end_body = at + 8, end - 4
        if section:
            self.section(body, end_body)
        elif kind == _IDB:
            self.interface(body, end_body)
        elif kind == _EPB:
            self.enhanced_packet(body, end_body)
        elif kind == _SPB:
            self.simple_packet(body, end_body)
        return end

    def byte_order(self, at: int) -> None:
        magic = self.data[at : at + 4]
        if magic == struct.pack("<I", _BYTE_ORDER_MAGIC):
            self.order = "<"
        elif magic == struct.pack(">I", _BYTE_ORDER_MAGIC):
            self.order = ">"
        else:
            raise PcapngError("no byte-order magic in the section header", at)

    def section(self, at: int, end: int) -> None:
        major = self.number("H", at + 4, end)
        if major != 1:
            raise PcapngError(f"pcapng version {major}; only version 1 is known", at + 4)
        self.clocks = []
        for code, value, _ in self.options(at + 16, end):
            if code == _SHB_USERAPPL and not self.application:
                self.application = _decode(value)

    def interface(self, at: int, end: int) -> None:
        link, snaplen = self.number("H", at, end), self.number("I", at + 4, end)
        if link != LINKTYPE_ETHERNET:
            raise PcapngError(f"link type {link}; only Ethernet (1) can be read", at)
        name = description = ""
        mac = b""
        addresses: list[tuple[bytes, int]] = []
        units, offset = 10**_DEFAULT_TSRESOL, 0
        for code, value, where in self.options(at + 8, end):
            if code == _IF_NAME:
                name = _decode(value)
            elif code == _IF_DESCRIPTION:
                description = _decode(value)
            elif code == _IF_MACADDR:
                mac = self.sized(value, 6, "if_MACaddr", where)
            elif code == _IF_IPV6ADDR:
                address = self.sized(value, 17, "if_IPv6addr", where)
                if address[16] > 128:
                    raise PcapngError(f"prefix length {address[16]} in if_IPv6addr", where)
                addresses.append((address[:16], address[16]))
            elif code == _IF_TSRESOL:
                resolution = self.sized(value, 1, "if_tsresol", where)[0]
                units = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
            elif code == _IF_TSOFFSET:
                offset = struct.unpack(self.order + "q", self.sized(value, 8, "if_tsoffset", where))[0]
        self.interfaces.append(CaptureInterface(name, description, mac, tuple(addresses)))
        self.clocks.append(_Clock(snaplen, units, offset))

    def enhanced_packet(self, at: int, end: int) -> None:
        interface = self.number("I", at, end)
        clock = self.clock(interface, at)
        stamp = self.number("I", at + 4, end) << 32 | self.number("I", at + 8, end)
        captured = self.number("I", at + 12, end)
        start = at + 20
        if start + captured > end:
            raise PcapngError(f"{captured} octets of packet don't fit the block", at + 12)
        frame = self.data[start : start + captured]
        comments: list[str] = []
        outbound, packet_id = False, 0
        for code, value, where in self.options(start + captured + -captured % 4, end):
            if code == _OPT_COMMENT:
                comments.append(_decode(value))
            elif code == _EPB_FLAGS:
                flags = struct.unpack(self.order + "I", self.sized(value, 4, "epb_flags", where))[0]
                outbound = flags & _DIRECTION_MASK == _OUTBOUND
            elif code == _EPB_PACKETID:
                packet_id = struct.unpack(self.order + "Q", self.sized(value, 8, "epb_packetid", where))[0]
        number = len(self.interfaces) - len(self.clocks) + interface
        time = clock.nanoseconds(stamp)
        self.packets.append(CapturedPacket(number, time, frame, outbound, packet_id, "\n".join(comments)))

    def simple_packet(self, at: int, end: int) -> None:
        clock = self.clock(0, at)
        length = self.number("I", at, end)
        captured = min(length, clock.snaplen) if clock.snaplen else length
        if at + 4 + captured > end:
            raise PcapngError(f"{captured} octets of packet don't fit the block", at)
        number = len(self.interfaces) - len(self.clocks)
        self.packets.append(CapturedPacket(number, 0, self.data[at + 4 : at + 4 + captured], False, 0, ""))

    def clock(self, interface: int, at: int) -> _Clock:
        if interface >= len(self.clocks):
            raise PcapngError(f"a packet of interface {interface}, which the section doesn't describe", at)
        return self.clocks[interface]

    def options(self, at: int, end: int) -> list[tuple[int, bytes, int]]:
        """(code, value, offset of the value) of each option up to opt_endofopt or the end of the block."""
        found: list[tuple[int, bytes, int]] = []
        while at + 4 <= end:
            code, length = struct.unpack_from(self.order + "HH", self.data, at)
            if code == _OPT_END:
                break
            if at + 4 + length > end:
                raise PcapngError(f"option {code} of {length} octets runs past its block", at)
            found.append((code, self.data[at + 4 : at + 4 + length], at + 4))
            at += 4 + length + -length % 4
        return found

    def number(self, form: str, at: int, end: int) -> int:
        if at + struct.calcsize("<" + form) > end:
            raise PcapngError("a block is too short for its fixed part", at)
        return int(struct.unpack_from(self.order + form, self.data, at)[0])

    @staticmethod
    def sized(value: bytes, size: int, name: str, at: int) -> bytes:
        if len(value) != size:
            raise PcapngError(f"{name} has {size} octets, not {len(value)}", at)
        return value


def _decode(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")
