"""The real tcpdump beside ours: the same lines for the same frames, the same frames for the same expression."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.stack import syscalls
from kamelab.userland import tcpdump_filter, tcpdump_pcap
from kamelab.userland.tcpdump_print import Printer
from kamelab.wire import in6
from tests.capture.capture_frames import FRAMES

sys.path.append(str(Path(__file__).parents[1] / "stack"))
from streams import pair, transfer
from wires import Wires

pytestmark = pytest.mark.interop

H2 = "2001:db8:2::ff:fe00:301"
SCRIPT = (
    "run until idle",
    f"h1: ping6 -c 2 {H2}",
    f"h1: ping6 -s 2000 -c 1 {H2}",
    f"h1: traceroute6 -n {H2}",
    "h1: ping6 -c 2 -I ne0 ff02::1",
    "h1: ping6 -c 1 2001:db8:2::99",
    "h1: ping6 -c 1 2001:db8:77::1",
    "reboot h2",
    "run 20s",
)
EXPRESSIONS = (
    "icmp6", "tcp", "udp", "ip6", "host 2001:db8::1", "src host 2001:db8::1", "dst 2001:db8:1::2", "net 2001:db8::/48",
    "port 33434", "tcp port 40000", "udp dst port 33434", "portrange 1-40000", "not icmp6", "tcp or udp and port 1",
    "ip6[6]=58 and ip6[40]=1", "ip6 multicast", "ether multicast", "less 80", "greater 100", "len > 100",
    "ether src 02:00:00:00:00:02", "ip6 proto 17", "ip6 protochain 17", "icmp6[0]=135", "ip6[0:4] & 0xfffff != 0",
    "icmp6[icmp6type]=icmp6-neighborsolicit", "ip6[4:2]+40 > 100", "ether[0] & 1 != 0", "! tcp && !udp",
    "src and dst net 2001:db8::/32", "host 2001:db8::1 or fe80::1", "not (tcp or udp)", "ip6[7] = 255",
)  # fmt: skip


def real(path: Path, *words: str) -> list[str]:
    done = subprocess.run(["tcpdump", "-n", "-r", str(path), *words], capture_output=True, text=True, check=True)
    text = done.stdout
    # tcpdump 4.99 forgets the blank behind the name of an MLD message.
    for name in ("query", "report", "done"):
        text = text.replace(f"listener {name}max resp", f"listener {name} max resp")
    # A renumbering command without operations is whole all the same.
    text = re.sub(r"(router renumbering, command, seq=.*?) \[\|icmp6\]", r"\1", text)
    return text.splitlines()


def ours(path: Path, printer: Printer) -> list[str]:
    _, frames = tcpdump_pcap.read(path.read_bytes())
    return "\n".join(printer.line(frame.data, frame.length) for frame in frames).splitlines()


def store(path: Path, frames: list[bytes]) -> Path:
    rows = [tcpdump_pcap.row(number * 10**9, frame, 262144) for number, frame in enumerate(frames)]
    path.write_bytes(tcpdump_pcap.head(262144) + b"".join(rows))
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store(tmp_path_factory.mktemp("tcpdump") / "samples.pcap", list(FRAMES.values()))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a tap on each of the demo's interfaces would have: every frame that left one."""
    session = open_session("demo")
    for line in SCRIPT:
        execute(session, line)
    frames = [row[12] for row in session.world.network.trace.packets if row[6] == "tx"]
    assert len(frames) > 60
    return store(tmp_path_factory.mktemp("tcpdump") / "demo.pcap", frames)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TCP connection over a link that loses: opened, 200 kB each way, closed, and one that is refused."""
    wires = Wires()
    h1, h2, sid, taken = pair(wires)
    wires.net.links["lan"].set("loss", 0.05)
    for src, out, dst, to in ((h1, sid, h2, taken), (h2, taken, h1, sid)):
        assert len(transfer(wires, src, out, dst, to, bytes(200_000))) == 200_000
    syscalls.close(h1, sid)
    wires.run(10)
    syscalls.close(h2, taken)
    wires.run(200)
    refused = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.connect_stream(h1, refused, in6.pton("2001:db8:1::2"), 81)
    wires.run(10)
    frames = [row[12] for row in wires.net.trace.packets if row[6] == "tx"]
    assert len(frames) > 300
    return store(tmp_path_factory.mktemp("tcpdump") / "streams.pcap", frames)


MANNERS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    ((), {}),
    (("-v",), {"verbose": 1}),
    (("-vv",), {"verbose": 2}),
    (("-e",), {"link": True}),
    (("-q",), {"quiet": True}),
    (("-S",), {"absolute": True}),
]
NAMES = [" ".join(words) or "plain" for words, _ in MANNERS]


@pytest.mark.parametrize(("words", "manner"), MANNERS, ids=NAMES)
def test_a_played_lab_has_the_same_lines(demo: Path, words: tuple[str, ...], manner: dict[str, Any]) -> None:
    assert ours(demo, Printer(**manner)) == real(demo, "-t", *words)


@pytest.mark.parametrize(("words", "manner"), MANNERS, ids=NAMES)
def test_tcp_with_losses_has_the_same_lines(streams: Path, words: tuple[str, ...], manner: dict[str, Any]) -> None:
    assert ours(streams, Printer(**manner)) == real(streams, "-t", *words)


@pytest.mark.parametrize(("words", "manner"), MANNERS, ids=NAMES)
def test_one_of_every_message_has_the_same_line(samples: Path, words: tuple[str, ...], manner: dict[str, Any]) -> None:
    expected, got = real(samples, "-t", *words), ours(samples, Printer(**manner))
    if manner.get("verbose"):
        # What it dumps of a redirected header begins eight octets too early.
        expected = [line for line in expected if not line.startswith("\t    0x")]
        got = [line for line in got if not line.startswith("\t    0x")]
    assert got == expected


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_takes_the_same_frames(samples: Path, text: str) -> None:
    node = tcpdump_filter.parse(text, lambda name: b"")
    _, frames = tcpdump_pcap.read(samples.read_bytes())
    taken = [frame.time // 10**9 for frame in frames if tcpdump_filter.matches(node, frame.data, frame.length)]
    stamps = [line.split(".")[0] for line in real(samples, "-tt", text)]
    assert [str(number) for number in taken] == stamps


def test_a_node_writes_a_file_that_the_real_one_reads(tmp_path: Path) -> None:
    session = open_session("demo")
    for line in ("run until idle", "h1: tcpdump -w /tmp/cap &", f"h1: ping6 -c 2 {H2}", "h1: tcpdump -nr /tmp/cap"):
        execute(session, line)
    path = tmp_path / "cap"
    path.write_bytes(tcpdump_pcap.to_octets(session.world.systems["h1"].files["/tmp/cap"]))
    lines = real(path, "-tttt")
    assert sum("ICMP6, echo" in line for line in lines) == 4
    assert all(line.startswith("20") for line in lines)
