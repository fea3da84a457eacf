"""nmap against a node on a TAP device: what it finds is right, and afterwards the node is as well as before.

Then the session of it all, scans and a TCP flow over a bad link, is replayed where there is no Linux kernel: to the
same digest, and with one end for every packet.

Needs root, /dev/net/tun, iproute2, nmap, curl.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tap_joint import ROOT, Joint, need, sha256, wait_for

from kamelab.lab.opening import open_session

sys.path.append(str(ROOT / "tests" / "stack"))

from wires import account

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("tap")]

PROGRAMS = {"curl": "curl", "ip": "iproute2", "nmap": "nmap", "ping": "iputils-ping"}
H1 = "2001:db8:1::11"

LAB = """
format = 1
title = "Scanned"
summary = "A link that a Linux kernel joins, and a host with servers."
level = "beginner"
minutes = 1
[links.lan1]
[nodes.h1]
role = "host"
startup = ["httpd", "inetd"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::11/64"], mac = "02:00:00:00:11:01" }
[nodes.r1]
role = "router"
startup = ["rtadvd ne0"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"], mac = "02:00:00:00:01:01" }
"""


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """A host with servers on Linux's link."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("scanned"), LAB, "scanned")
    try:
        joint.ready("2001:db8:1:")
        wait_for("h1 answers", lambda: joint.reaches(H1))
        yield joint
    finally:
        joint.close()


def scan(joint: Joint, *words: str) -> dict[str, str]:
    """nmap's findings: state by port, ``7/tcp``; the node must be well afterwards."""
    out = joint.linux("nmap", "-6", "-n", *words, H1)
    assert "Host is up" in out
    log = (joint.folder / "lab.log").read_text(errors="replace")
    assert joint.lab.poll() is None, log[-3000:]
    assert "Traceback" not in log
    assert "internal error" not in log
    wait_for("h1 answers", lambda: joint.reaches(H1))
    assert len(joint.linux("curl", "-6", "-g", "-sS", "-m", "10", "-f", f"http://[{H1}]/bytes/10")) == 10
    assert re.search(r"^ +\d+ .* httpd$", joint.node("h1: ps").output, re.MULTILINE)
    return dict(re.findall(r"^(\d+/\w+) +(\S+) ", out, re.MULTILINE))


def test_a_connect_scan(scanned: Joint) -> None:
    found = scan(scanned, "-Pn", "-sT", "-p", "7,9,13,19,22,80")
    assert found == {
        "7/tcp": "open", "9/tcp": "open", "13/tcp": "open", "19/tcp": "open", "22/tcp": "closed", "80/tcp": "open",
    }  # fmt: skip


def test_a_scan_with_syns(scanned: Joint) -> None:
    """Half-open connections of 1,024 ports; nmap asks for the neighbor itself first."""
    found = scan(scanned, "-sS", "-p", "1-1024")
    assert found == {f"{port}/tcp": "open" for port in (7, 9, 13, 19, 37, 80)}
    assert "SYN_RECEIVED" not in scanned.node("h1: netstat -an").output


@pytest.mark.parametrize("kind", ["-sN", "-sF", "-sX"])
def test_scans_with_odd_flags(scanned: Joint, kind: str) -> None:
    """No answer from an open port, RST from a closed one (RFC 9293 3.10.7.1, 3.10.7.2)."""
    assert scan(scanned, kind, "-p", "80,81") == {"80/tcp": "open|filtered", "81/tcp": "closed"}


@pytest.mark.parametrize(("kind", "state"), [("-sA", "unfiltered"), ("-sM", "closed")])
def test_scans_with_acks(scanned: Joint, kind: str, state: str) -> None:
    """RST from both, with a FIN beside the ACK too: what old BSD systems betray themselves by (nmap(1))."""
    assert scan(scanned, kind, "-p", "80,81") == {"80/tcp": state, "81/tcp": state}


def test_a_scan_of_udp_ports(scanned: Joint) -> None:
    """Answers from services, port unreachable from the rest."""
    found = scan(scanned, "-sU", "-p", "7,13,53,69,161")
    assert found == {
        "7/udp": "open", "13/udp": "open", "53/udp": "closed", "69/udp": "closed", "161/udp": "closed",
    }  # fmt: skip


def test_guesses_at_the_operating_system(scanned: Joint) -> None:
    """Eighteen odd packets, TCP, UDP, ICMPv6 with extension headers; and the way to it."""
    found = scan(scanned, "-O", "--traceroute", "-p", "7,22")
    assert found == {"7/tcp": "open", "22/tcp": "closed"}


def test_the_session_replays_to_the_same_end(scanned: Joint, tmp_path: Path) -> None:
    """A flow over a bad link, with lost and overtaken frames, is part of what is replayed here without the device.

    Opening a session fails where its replay ends in another digest than the one saved with it.
    """
    assert scanned.node("link lan1 loss=5% reorder=5%").status == 0
    got = scanned.folder / "got"
    head = scanned.linux(
        "curl", "-6", "-g", "-sS", "-m", "50", "-D", "-", "-o", str(got), f"http://[{H1}]/bytes/200000"
    )
    assert f"X-SHA256: {sha256(got)}" in head
    assert scanned.node("link lan1 loss=0 reorder=0").status == 0
    path = tmp_path / "scanned.session"
    assert scanned.node(f"save {path}").status == 0
    again = open_session(str(path))
    assert again.ports == ("lan1 kl0",)
    assert sum(entry.kind == "frame" for entry in again.journal) > 1000
    ends = account(again.world.network)
    assert sum(ends.values()) > 2000
    h1 = again.world.network.nodes["h1"]
    assert h1.counters()["tcp.sndrexmitpack"] > 0
    again.close()
