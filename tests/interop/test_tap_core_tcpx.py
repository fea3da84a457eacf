"""TCP between a Linux kernel and a node: large transfers over a bad link, the small services, windows, orderly ends.

Needs root, /dev/net/tun, iproute2 with ss(8), curl, OpenBSD's nc, telnet. Each side computes its own SHA-256 or CRC-32
of what went through, so that what is compared are data and not counts.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tap_joint import LINUX_ID, Joint, crc32, need, sha256, wait_for

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("tap")]

PROGRAMS = {
    "curl": "curl",
    "ip": "iproute2",
    "nc": "netcat-openbsd",
    "ping": "iputils-ping",
    "ss": "iproute2",
    "telnet": "telnet",
}
H1 = "2001:db8:1::11"
LINUX = f"2001:db8:1::{LINUX_ID}"
BAD = "loss=2% reorder=2%"
SIZE, LESS = 10_000_000, 3_000_000
CURL = ("curl", "-6", "-g", "-sS", "-m", "140")

LAB = """
format = 1
title = "Servers"
summary = "A link that a Linux kernel joins, and a host with servers."
level = "beginner"
minutes = 1
[links.lan1]
[nodes.h1]
role = "host"
startup = ["httpd", "inetd"]
files = { "/var/www/index.html" = "<html><body>It works.</body></html>\\n" }
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::11/64"], mac = "02:00:00:00:11:01" }
[nodes.r1]
role = "router"
startup = ["rtadvd ne0"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"], mac = "02:00:00:00:01:01" }
"""

STALLED = """
import hashlib, os, selectors, socket, sys, time
one = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
one.connect((sys.argv[1], 7))
one.setblocking(False)
data, sent, got = os.urandom(400_000), 0, bytearray()
still = time.monotonic()
reading = False
while len(got) < len(data):
    try:
        count = one.send(data[sent : sent + 8192])
        sent += count
        if count:
            still = time.monotonic()
    except BlockingIOError:
        pass
    if not reading and time.monotonic() - still > 7:
        reading = True
        print("full after", sent, flush=True)
    try:
        got += one.recv(65536) if reading else b""
    except BlockingIOError:
        pass
    if sent == len(data) or not reading:
        time.sleep(0.002)
print("same" if got == data else "different", reading)
"""
"""Sends to an echo server without reading, until nothing has gone out for 7 s; then reads everything."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """A host with httpd and inetd on Linux's link."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("servers"), LAB, "servers")
    try:
        joint.linux("sysctl","-w","net.ipv4.tcp_congestion_control=cubic")
        joint.ready("2001:db8:1:")
        wait_for("h1 answers", lambda: joint.reaches(H1))
        yield joint
    finally:
        joint.close()


@contextmanager
def bad_link(joint: Joint) -> Iterator[None]:
    """Every fiftieth delivery is lost, and every fiftieth overtaken by later ones; repaired afterwards."""
    assert joint.node(f"link lan1 {BAD}").status == 0
    lost = frames_lost(joint)
    yield
    assert joint.node("link lan1 loss=0 reorder=0").status == 0
    assert frames_lost(joint) > lost


def frames_lost(joint: Joint) -> int:
    found = re.search(r"^lan1\b.* (\d+) lost;", joint.node("links").output, re.MULTILINE)
    assert found is not None
    return int(found[1])


def digest(joint: Joint, path: str) -> str:
    """SHA-256 of a file of h1."""
    answer = joint.node(f"h1: sha256 {path}")
    found = re.search(r"[0-9a-f]{64}", answer.output)
    assert found is not None, answer
    return found[0]


def connections(joint: Joint, state: str = "") -> list[str]:
    """The lines of h1's connections to Linux, of a state or of any."""
    lines = joint.node("h1: netstat -anl").output.splitlines()
    return [line for line in lines if line.startswith("tcp") and f" {LINUX}." in line and line.endswith(state)]


# -- ten million octets over a bad link -----------------------------------------------------------------------------


def test_curl_gets_a_large_body(servers: Joint) -> None:
    got = servers.folder / "got"
    with bad_link(servers):
        head = servers.linux(*CURL, "-D", "-", "-o", str(got), f"http://[{H1}]/bytes/{SIZE}")
    assert got.stat().st_size == SIZE
    assert f"X-SHA256: {sha256(got)}" in head
    assert servers.counter("h1", "tcp", "data segments? sent again") > 0


def test_curl_puts_a_large_body(servers: Joint) -> None:
    sent = servers.random_file("sent", SIZE)
    with bad_link(servers):
        said = servers.linux(*CURL, "-T", str(sent), f"http://[{H1}]/sink")
    assert said == f"{SIZE} octets, crc32 {crc32(sent)}\n"
    assert servers.counter("h1", "tcp", "segments? received out of order") > 0


def test_fetch_gets_a_large_file_from_linux(servers: Joint) -> None:
    source = servers.random_file("source", SIZE)
    words = ("-m", "http.server", "--bind", "::", "--directory", str(servers.folder), "8080")
    server = servers.start(sys.executable, *words)
    servers.others.append(server)
    wait_for("the server", lambda: ":8080" in servers.linux("ss", "-6tnlH"))
    with bad_link(servers):
        answer = servers.node(f"h1: fetch -o /tmp/source http://[{LINUX}]:8080/source")
    assert answer.status == 0
    assert digest(servers, "/tmp/source") == sha256(source)
    servers.node("h1: rm /tmp/source")


def test_nc_sends_both_ways(servers: Joint) -> None:
    """h1's nc listens and Linux's sends; then the other way round, the same octets back."""
    sent, got = servers.random_file("nc.in", LESS), servers.folder / "nc.out"
    assert servers.node("h1: nc -l 9001 > /tmp/nc &").status == 0
    with bad_link(servers):
        servers.linux("sh", "-c", f"nc -6 -N {H1} 9001 < {sent}")
    assert digest(servers, "/tmp/nc") == sha256(sent)
    with open(got, "wb") as file:
        listener = subprocess.Popen(["ip", "netns", "exec", servers.ns, "nc", "-6", "-l", "9000"], stdout=file)
    wait_for("nc on Linux", lambda: ":9000" in servers.linux("ss", "-6tnlH"))
    with bad_link(servers):
        assert servers.node(f"h1: nc -N {LINUX} 9000 < /tmp/nc").status == 0
    assert listener.wait(30) == 0
    assert sha256(got) == sha256(sent)
    servers.node("h1: rm /tmp/nc")


# -- the services ----------------------------------------------------------------------------------------------------


def test_curl_asks_httpd(servers: Joint) -> None:
    out = servers.linux(*CURL, "-i", f"http://[{H1}]/", f"http://[{H1}]/nothing")
    assert out.startswith("HTTP/1.1 200 OK")
    assert "It works." in out
    assert "HTTP/1.1 404 Not Found" in out
    assert "It works." in servers.linux(*CURL, "http://[fe80::ff:fe00:1101%kl0]/")


def test_nc_talks_to_inetds_services(servers: Joint) -> None:
    shell = ("sh", "-c")
    assert servers.linux(*shell, f"echo hello | nc -6 -N {H1} 7") == "hello\n"
    assert re.fullmatch(r"\w{3} \w{3} +\d+ [\d:]{8} 2000\n", servers.linux("nc", "-6", "-d", H1, "13"))
    assert servers.linux(*shell, f"head -c 300000 /dev/zero | nc -6 -N {H1} 9") == ""
    lines = servers.linux(*shell, f"nc -6 -d {H1} 19 | head -n 20000").splitlines()
    assert (len(lines), {len(line) for line in lines}) == (20000, {72})
    assert servers.linux(*shell, f"echo hello | nc -6 -u -w 1 {H1} 7") == "hello\n"
    assert re.search("2000", servers.linux(*shell, f"echo | nc -6 -u -w 1 {H1} 13"))


def test_telnet_holds_a_dialogue(servers: Joint) -> None:
    """It speaks the TELNET protocol only to port 23; elsewhere it is a line to type on."""
    out = servers.linux(
        "sh", "-c", f"(sleep 0.5; echo one; sleep 0.3; echo two; sleep 0.5) | telnet {H1} 7", check=False
    )
    assert "Connected to" in out
    assert out.endswith("one\ntwo\n")


def test_a_closed_port_refuses_at_once(servers: Joint) -> None:
    """RST both ways."""
    done = subprocess.run(
        ["ip", "netns", "exec", servers.ns, "nc", "-6", "-v", "-w", "10", H1, "99"], capture_output=True, text=True
    )
    assert "Connection refused" in done.stderr
    answer = servers.node(f"h1: nc -v -w 10 {LINUX} 99")
    assert answer.status == 1
    assert "Connection refused" in answer.output


# -- what both kernels think of a connection -----------------------------------------------------------------------


def test_both_kernels_show_the_connection_and_its_options(servers: Joint) -> None:
    """Established here and there, with timestamps and window scaling; it ends in order, Linux's end first."""
    servers.node("h1: sysctl -w net.inet.tcp.recvspace=200000")
    listener = servers.node("h1: nc -l 9002 > /dev/null &")
    assert listener.status == 0
    client = subprocess.Popen(
        ["ip", "netns", "exec", servers.ns, "nc", "-6", "-N", H1, "9002"], stdin=subprocess.PIPE, text=True
    )
    assert client.stdin is not None
    wait_for("a connection", lambda: connections(servers, "ESTABLISHED"))
    seen = servers.linux("ss", "-6tinoHO", f"dst [{H1}] and dport = 9002")
    assert seen.startswith("ESTAB")
    assert re.search(r"\bts\b", seen)
    # Ours first: 200,000 octets need a shift of 2.
    assert re.search(r"\bwscale:2,\d+\b", seen)
    client.stdin.close()
    assert client.wait(10) == 0
    wait_for("no connection", lambda: not connections(servers, "ESTABLISHED"))
    assert "TIME-WAIT" in servers.linux("ss", "-6tanHO", f"dst [{H1}] and dport = 9002")
    assert not [line for line in connections(servers) if f"{H1}.9002 " in line]
    servers.node("h1: sysctl -w net.inet.tcp.recvspace=57344")


def test_our_end_first_waits_for_late_segments(servers: Joint) -> None:
    """daytime closes first: TIME_WAIT is here."""
    servers.linux("nc", "-6", "-d", H1, "13")
    assert [line for line in connections(servers, "TIME_WAIT") if f"{H1}.13 " in line]


def test_a_reset_from_linux_ends_the_connection(servers: Joint) -> None:
    """SO_LINGER 0: RST in place of FIN."""
    code = (
        "import socket, struct, sys; one = socket.create_connection((sys.argv[1], 7));"
        "one.send(b'x'); assert one.recv(1) == b'x';"
        "one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0));"
        "print(one.getsockname()[1]); one.close()"
    )
    port = servers.linux(sys.executable, "-c", code, H1).strip()
    wait_for("no connection", lambda: not [line for line in connections(servers) if f"{LINUX}.{port} " in line])


def test_windows_close_and_open_again(servers: Joint) -> None:
    """Linux sends to the echo service and does not read: all four buffers fill; when it reads, nothing is missing.

    Meanwhile both ask whether the window has opened: h1 after 5 s (BSD's TCPTV_PERSMIN).
    """
    before = servers.counter("h1", "tcp", "window probes? sent")
    out = servers.linux(sys.executable, "-c", STALLED, H1)
    assert out.splitlines()[-1] == "same True"
    assert servers.counter("h1", "tcp", "window probes? sent") > before
    asked = re.search(r"TcpExtTCPWinProbe +(\d+)", servers.linux("nstat", "-asz", "TcpExtTCPWinProbe"))
    assert asked is not None
    assert int(asked[1]) > 0
