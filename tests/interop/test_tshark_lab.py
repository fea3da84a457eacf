"""A played lab's capture in tshark: nothing malformed, no unintended expert error, good checksums, our metadata."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from kamelab.capture.filter import compile_filter
from kamelab.capture.packets import select
from kamelab.core.clock import DEFAULT_EPOCH
from kamelab.core.trace import Record
from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session

pytestmark = pytest.mark.interop

H1, H2 = "2001:db8:1::ff:fe00:101", "2001:db8:2::ff:fe00:301"
SCRIPT = (
    "run until idle",
    f"h1: ping6 -c 3 {H2}",
    f"h1: ping6 -s 2000 -c 2 {H2}",
    f"h2: ping6 -s 1452 -c 1 {H1}",
    f"h1: traceroute6 -n {H2}",
    "h1: ping6 -c 2 -I ne0 ff02::1",
    "h1: ping6 -c 2 2001:db8:1::99",
    "h1: ping6 -c 2 2001:db8:2::99",
    "h1: ping6 -c 1 2001:db8:77::1",
    f"h1: ping6 -h 1 -c 1 {H2}",
    "h2: ifconfig ne0 inet6 2001:db8:2::1/64 alias",
    "run 5s",
    "h2: ifconfig ne0 inet6 2001:db8:2::1 -alias",
    "h1: ifconfig ne0 inet6 2001:db8:1::7/64 alias",
    "run 5s",
    "h1: ifconfig ne0 inet6 2001:db8:1::7 -alias",
    "link lan2 mtu=1280",
    "link lan2 mtu=1500",
    "reboot h2",
    "run 20s",
    f"h1: ping6 -c 2 {H2}",
    "r1: kill -TERM 2",
    "run 20m",
)
CHECKSUMS = ["-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
# Severities of Wireshark's expert information (epan/proto.h): 0x00800000 is an error, 0x00600000 a warning.
ERROR, WARN = 8388608, 6291456


def tool(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def tshark(path: Path, *words: str) -> list[str]:
    return tool("tshark", "-r", str(path), *CHECKSUMS, *words).splitlines()


def fields(path: Path, *names: str, only: str = "frame") -> list[list[str]]:
    options = [part for name in names for part in ("-e", name)]
    return [line.split("\t") for line in tshark(path, "-Y", only, "-T", "fields", *options)]


@pytest.fixture(scope="module")
def played() -> Session:
    session = open_session("demo")
    for line in SCRIPT:
        execute(session, line)
    return session


@pytest.fixture(scope="module")
def capture(played: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("capture") / "demo.pcapng"
    assert execute(played, f"export {path}") == 0
    return path


def test_the_script_made_what_is_to_be_read(capture: Path) -> None:
    kinds = Counter(row[0] for row in fields(capture, "icmpv6.type", only="icmpv6"))
    # Unreachable, time exceeded, echo, router and neighbour discovery, MLD.
    assert {"128", "129", "131", "132", "133", "134", "135", "136"} <= set(kinds)
    errors = {kind.split(",")[0] for kind in kinds}
    assert {"1", "3"} <= errors
    assert len(fields(capture, "frame.number", only="ipv6.fraghdr")) >= 8
    assert len(fields(capture, "frame.number", only="udp")) >= 6


def test_nothing_is_malformed(capture: Path) -> None:
    assert tshark(capture, "-Y", "_ws.malformed") == []
    assert tshark(capture, "-Y", "_ws.short || _ws.unreassembled") == []


def test_no_expert_error(capture: Path) -> None:
    assert fields(capture, "frame.number", "_ws.expert.message", only=f"_ws.expert.severity >= {ERROR}") == []


def test_the_only_warnings_are_those_that_the_script_earns(capture: Path) -> None:
    # Two passes, so that tshark looks for answers. It warns of every request that it sees at more than one interface,
    # because the answer is counted once, and of those that got none.
    unanswered = tshark(capture, "-2", "-Y", '_ws.expert.message contains "No response seen"')
    assert unanswered
    others = f'_ws.expert.severity >= {WARN} && !(_ws.expert.message contains "No response seen")'
    assert tshark(capture, "-2", "-Y", others) == []


def test_every_checksum_is_good(capture: Path) -> None:
    # 1 is good; a fragment has none of its own, and the head of a datagram in an error can't be checked.
    for field, layer in (("icmpv6.checksum.status", "icmpv6"), ("udp.checksum.status", "udp")):
        rows = fields(capture, field, only=f"{layer} && !icmpv6.type in {{1, 2, 3, 4}}")
        assert rows
        assert {status for row in rows for status in row[0].split(",")} == {"1"}
    outer = fields(capture, "icmpv6.checksum.status", only="icmpv6.type in {1, 3}")
    assert outer
    assert {row[0].split(",")[0] for row in outer} == {"1"}


def test_fragments_come_together_to_the_echo_that_was_sent(capture: Path) -> None:
    whole = fields(capture, "ipv6.reassembled.length", "icmpv6.type", only="ipv6.reassembled.length")
    assert whole
    # Eight octets of ICMPv6 header more than ping6 -s says; ping6 keeps to 1280 octets a packet.
    assert {row[0] for row in whole} == {"2008", "1460"}


def test_every_frame_has_interface_direction_time_number_and_reason(played: Session, capture: Path) -> None:
    network = played.world.network
    names = ("frame.interface_name", "frame.interface_description", "frame.packet_flags_direction", "frame.time_epoch")
    rows = fields(capture, *names, "frame.packet_id", "frame.comment", "frame.len")
    assert len(rows) == len(network.trace.packets)
    for row, stored in zip(rows, network.trace.packets, strict=True):
        record = Record._make(stored)
        link = network.nodes[record.node].interfaces[record.interface].link.name
        at = DEFAULT_EPOCH + record.time
        outbound = record.event == "tx"
        # tshark shows the pair of numbers that binds a frame's two ends as the packet id.
        assert row[0] == f"{record.node}:{record.interface}"
        assert row[1] == link
        assert int(row[2], 0) == (2 if outbound else 1)
        assert row[3] == f"{at // 10**9}.{at % 10**9:09d}"
        assert int(row[4], 0) == (record.num if outbound else record.cause)
        assert int(row[6]) == len(record.frame)
        end = None if outbound else network.trace.outcome(stored)
        if end is not None and end.event == "drop":
            assert row[5].startswith(f"drop {end.reason}: ")
        elif end is not None:
            assert row[5].startswith(end.event)


def test_no_node_is_called_as_the_machine_and_no_clock_is_its_own(capture: Path) -> None:
    text = tool("capinfos", "-M", str(capture))
    assert "2000-02-14" in text
    octets = capture.read_bytes()
    for word in (Path.home().name, str(capture.parent)):
        assert len(word) < 5 or word.encode() not in octets


def test_capinfos_counts_what_was_captured(played: Session, capture: Path) -> None:
    lines = tool("capinfos", "-M", str(capture)).splitlines()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {key.strip(): value.strip() for key, value in facts.items()}
    assert found["Number of packets"] == str(len(played.world.network.trace.packets))
    assert found["File encapsulation"] == "ether"
    assert found["File timestamp precision"] == "nanoseconds (9)"
    interfaces = sum(len(node.interfaces) for node in played.world.network.nodes.values())
    assert found["Number of interfaces in file"] == str(interfaces)
    assert "kamelab" in found.get("Capture application", "")


@pytest.mark.skipif(
    shutil.which("tcpdump") is None, reason="tcpdump is not installed; tshark reads the same file above"
)
def test_tcpdump_reads_it_too(played: Session, capture: Path) -> None:
    assert len(tool("tcpdump", "-n", "-r", str(capture)).splitlines()) == len(played.world.network.trace.packets)


def test_the_same_filter_finds_the_same_frames_here_and_there(played: Session, capture: Path) -> None:
    rows = [row[0] for row in played.world.network.trace.packets]
    for text in (
        "icmpv6.type == 135 && ipv6.dst == ff02::1:ff00:101",
        "icmpv6.nd.na.flag.s == 1",
        "ipv6.hlim < 64 && icmpv6.type == 129",
        "udp",
        "ipv6.src == 2001:db8::/32",
    ):
        ours = [rows.index(one.num) + 1 for one in select(played.world.network, compile_filter(text))]
        # Our fields are those of each frame as it is: nothing is reassembled.
        found = tshark(capture, "-o", "ipv6.defragment:FALSE", "-Y", text, "-T", "fields", "-e", "frame.number")
        assert ours
        assert ours == [int(number) for number in found]
