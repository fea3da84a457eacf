"""Fragments, path MTU and traceroute between a Linux kernel and a lab of hosts and routers, both ways.

Needs root, /dev/net/tun, iproute2, iputils' ping and tracepath, traceroute, curl.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tap_joint import LINUX_ID, Joint, crc32, need, sha256, wait_for

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("tap")]

PROGRAMS = {
    "curl": "curl",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "tracepath": "iputils-tracepath",
    "traceroute": "traceroute",
}
LINUX = f"2001:db8:1::{LINUX_ID}"
H1, H4, H5 = "2001:db8:1::11", "2001:db8:4::44", "2001:db8:4::55"
ROUTERS = ("2001:db8:1::1", "2001:db8:2::2", "2001:db8:3::2")
"""As a packet from Linux to h4 meets them."""

CHAIN = """
format = 1
title = "Three routers"
summary = "A link that a Linux kernel joins, and three routers to a link behind a narrow one."
level = "beginner"
minutes = 1
[links.lan1]
[links.lan2]
[links.narrow]
mtu = 1280
[links.lan4]
[nodes.h1]
role = "host"
startup = ["inetd"]
sysctl = { "net.inet.udp.maxdgram" = 65535, "net.inet.udp.recvspace" = 131072 }
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::11/64"], mac = "02:00:00:00:11:01" }
[nodes.r1]
role = "router"
startup = ["rtadvd ne0", "route add -inet6 2001:db8:3:: -prefixlen 64 2001:db8:2::2",
  "route add -inet6 2001:db8:4:: -prefixlen 64 2001:db8:2::2"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"], mac = "02:00:00:00:01:01" }
interfaces.ne1 = { link = "lan2", addresses = ["2001:db8:2::1/64"], mac = "02:00:00:00:01:02" }
[nodes.r2]
role = "router"
startup = ["route add -inet6 default 2001:db8:2::1", "route add -inet6 2001:db8:4:: -prefixlen 64 2001:db8:3::2"]
interfaces.ne0 = { link = "lan2", addresses = ["2001:db8:2::2/64"], mac = "02:00:00:00:02:01" }
interfaces.ne1 = { link = "narrow", addresses = ["2001:db8:3::1/64"], mac = "02:00:00:00:02:02" }
[nodes.r3]
role = "router"
startup = ["route add -inet6 default 2001:db8:3::1"]
interfaces.ne0 = { link = "narrow", addresses = ["2001:db8:3::2/64"], mac = "02:00:00:00:03:01" }
interfaces.ne1 = { link = "lan4", addresses = ["2001:db8:4::1/64"], mac = "02:00:00:00:03:02" }
[nodes.h4]
role = "host"
startup = ["route add -inet6 default 2001:db8:4::1", "inetd"]
sysctl = { "net.inet.udp.maxdgram" = 65535, "net.inet.udp.recvspace" = 131072 }
interfaces.ne0 = { link = "lan4", addresses = ["2001:db8:4::44/64"], mac = "02:00:00:00:44:01" }
[nodes.h5]
role = "host"
startup = ["route add -inet6 default 2001:db8:4::1", "httpd"]
interfaces.ne0 = { link = "lan4", addresses = ["2001:db8:4::55/64"], mac = "02:00:00:00:55:01" }
"""

BEHIND = """
format = 1
title = "Behind Linux"
summary = "A host whose router is a Linux kernel with a narrow link on its other side."
level = "beginner"
minutes = 1
[links.lan1]
[nodes.h1]
role = "host"
startup = ["route add -inet6 default fe80::ff:fe00:9999%ne0"]
files = { "/tmp/data" = '''
DATA''' }
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:5::11/64"], mac = "02:00:00:00:11:01" }
"""
DATA = "".join(f"line {number:09d}\n" for number in range(30_000))

NARROW = 1300
FAR = "2001:db8:7::2"
"""A machine behind the Linux router's narrow link."""

ECHOED = """
import os, socket, sys
one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
    one.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
one.settimeout(2)
one.connect((sys.argv[1], 7))
for size in (int(word) for word in sys.argv[2:]):
    data = os.urandom(size)
    for attempt in range(5):
        # A datagram may be lost while neighbours and path MTU are still to be learnt.
        try:
            one.send(data)
            answer = one.recv(70000)
        except (TimeoutError, OSError) as error:
            print(size, "again:", error)
            continue
        print(size, "same" if answer == data else "different")
        break
"""
"""Datagrams of random octets to a node's echo port, each compared with what comes back."""

SINK = """
import hashlib, socket, sys
one = socket.create_server(("::", 9000), family=socket.AF_INET6)
print("ready", flush=True)
peer, _ = one.accept()
digest, count = hashlib.sha256(), 0
while data := peer.recv(1 << 16):
    digest.update(data)
    count += len(data)
print(count, digest.hexdigest())
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """Linux is a host on the first link of the chain of routers."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("chain"), CHAIN, "chain")
    try:
        joint.ready("2001:db8:1:")
        # Neighbours on the way are known from here on: a queue of one packet for each is all that KAME has.
        for address in (H1, H4, H5):
            wait_for(f"{address} answers", lambda address=address: joint.reaches(address))
        yield joint
    finally:
        joint.close()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """Linux is the router of a host here; a second namespace is the far machine, over a pair of narrow devices."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("behind"), BEHIND.replace("DATA", DATA), "behind")
    far = f"{joint.ns}-far"
    subprocess.run(["ip", "netns", "add", far], check=True)
    try:
        joint.sysctl("conf/all/forwarding", 1)
        joint.linux("ip", "-6", "addr", "add", "2001:db8:5::1/64", "dev", "kl0")
        joint.linux("ip", "link", "add", "kv0", "mtu", str(NARROW), "type", "veth", "peer", "name", "kv1", "netns", far)
        joint.linux("ip", "-6", "addr", "add", "2001:db8:7::1/64", "dev", "kv0", "nodad")
        joint.linux("ip", "link", "set", "kv0", "up")
        for line in (
            "ip link set lo up",
            f"ip link set kv1 mtu {NARROW} up",
            f"ip -6 addr add {FAR}/64 dev kv1 nodad",
            # It offers segments that only the host's own link would carry.
            "ip -6 route add default via 2001:db8:7::1 advmss 1440",
        ):
            subprocess.run(["ip", "netns", "exec", far, *line.split()], check=True)
        joint.ready("2001:db8:5:")
        wait_for("the far machine answers", lambda: joint.node(f"h1: ping6 -n -c 1 {FAR}").status == 0)
        yield joint
    finally:
        joint.close()
        subprocess.run(["ip", "netns", "del", far], check=False)


def host_route_mtu(joint: Joint, node: str, address: str) -> int:
    """The MTU of a node's host route, 0 where there is none."""
    found = re.search(rf"^{re.escape(address)} .* (\d{{4,5}}) +ne0 ", joint.node(f"{node}: netstat -rnl").output, re.M)
    return int(found[1]) if found else 0


# -- fragments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1452, 1453, 4000, 65487, 65527])
def test_a_node_answers_linuxs_fragments(chain: Joint, size: int) -> None:
    """From the largest packet that is still whole, over one of 65,535 octets, to the largest payload there is."""
    out = chain.linux("ping", "-6", "-n", "-c", "3", "-i", "0.3", "-s", str(size), H1)
    assert "3 packets transmitted, 3 received, 0% packet loss" in out
    assert f"{size + 8} bytes from {H1}" in out


@pytest.mark.parametrize("size", [1452, 1453, 4000, 65487, 65527])
def test_linux_answers_a_node_s_fragments(chain: Joint, size: int) -> None:
    """Cut for the link (-m), not for 1280. ping6 compares the data that come back with those it sent."""
    answer = chain.node(f"h1: ping6 -m -n -c 3 -i 0.3 -b 200000 -s {size} {LINUX}")
    assert "3 packets transmitted, 3 packets received, 0.0% packet loss" in answer.output
    assert f"{size + 8} bytes from {LINUX}" in answer.output
    assert "wrong data" not in answer.output


@pytest.mark.parametrize("address", [H1, H4], ids=["on the link", "behind the narrow link"])
def test_datagrams_of_any_size_come_back_as_they_were(chain: Joint, address: str) -> None:
    """UDP to inetd's echo and back, up to 65,527 octets of data: the most that a datagram holds."""
    sizes = ["0", "1", "1452", "1453", "20000", "65526", "65527"]
    out = chain.linux(sys.executable, "-c", ECHOED, address, *sizes)
    assert [line for line in out.splitlines() if "again" not in line] == [f"{size} same" for size in sizes]


# -- path MTU --------------------------------------------------------------------------------------------------------


def test_linux_learns_our_path_mtu(chain: Joint) -> None:
    """r2 says that the packet is too big; fragments that fit follow, to the very largest packet."""
    wait_for("the way", lambda: "mtu 1280" in big_ping(chain))
    assert "mtu 1280" in chain.linux("ip", "-6", "route", "show", "cache")
    out = chain.linux("ping", "-6", "-n", "-c", "2", "-i", "0.3", "-s", "65527", H4)
    assert "2 packets transmitted, 2 received" in out


def big_ping(joint: Joint) -> str:
    """A ping as large as the first link carries; what Linux thinks of the way afterwards."""
    joint.linux("ping", "-6", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1452", H4, check=False)
    return joint.linux("ip", "-6", "route", "get", H4)


def test_our_host_learns_the_way_back_to_linux(chain: Joint) -> None:
    """h4's own link is wide; r3 tells it, and its host route keeps 1280."""
    wait_for("answers", lambda: chain.node(f"h4: ping6 -m -n -c 3 -i 0.3 -s 1452 {LINUX}").status == 0)
    assert host_route_mtu(chain, "h4", LINUX) == 1280
    answer = chain.node(f"h4: ping6 -m -n -c 2 -i 0.3 -b 200000 -s 65527 {LINUX}")
    assert "2 packets transmitted, 2 packets received" in answer.output


def test_tcp_finds_the_narrow_link_from_both_ends(chain: Joint) -> None:
    """Neither end of this connection knew: both offer segments for 1500 octets, both learn of 1280 on the way."""
    curl = ("curl", "-6", "-g", "-sS", "-m", "50")
    got = chain.folder / "got"
    head = chain.linux(*curl, "-D", "-", "-o", str(got), f"http://[{H5}]/bytes/300000")
    assert f"X-SHA256: {sha256(got)}" in head
    assert host_route_mtu(chain, "h5", LINUX) == 1280
    sent = chain.random_file("sent", 300_000)
    said = chain.linux(*curl, "-T", str(sent), f"http://[{H5}]/sink")
    assert said == f"300000 octets, crc32 {crc32(sent)}\n"
    assert "mtu 1280" in chain.linux("ip", "-6", "route", "get", H5)


def test_our_host_learns_the_path_mtu_of_a_linux_router(behind: Joint) -> None:
    """Linux's packet too big makes a host route, and packets of every size pass."""
    wait_for("answers", lambda: behind.node(f"h1: ping6 -m -n -c 3 -i 0.3 -s 1452 {FAR}").status == 0)
    assert host_route_mtu(behind, "h1", FAR) == NARROW
    for size in (1252, 1253, 65527):
        answer = behind.node(f"h1: ping6 -m -n -c 2 -i 0.3 -b 200000 -s {size} {FAR}")
        assert "2 packets transmitted, 2 packets received" in answer.output
    assert re.search(r"^\t[1-9]\d* path MTUs? lowered$", behind.node("h1: netstat -s -p icmp6").output, re.MULTILINE)


def test_our_tcp_learns_the_path_mtu_of_a_linux_router(behind: Joint) -> None:
    """The far machine takes segments of 1440 octets; ours must be smaller for the way to carry them."""
    behind.node(f"h1: route delete -inet6 {FAR}")
    assert host_route_mtu(behind, "h1", FAR) == 0
    sink = subprocess.Popen(
        ["ip", "netns", "exec", f"{behind.ns}-far", sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True
    )
    behind.others.append(sink)
    assert sink.stdout is not None
    with sink.stdout as said:
        assert said.readline() == "ready\n"
        assert behind.node(f"h1: nc -N {FAR} 9000 < /tmp/data").status == 0
        assert said.read().split() == [str(len(DATA)), hashlib.sha256(DATA.encode()).hexdigest()]
    assert host_route_mtu(behind, "h1", FAR) == NARROW


# -- traceroute ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [(), ("-I",), ("-T", "-p", "7"), ("-T", "-p", "22"), ("-U", "-p", "7")],
    ids=["udp", "icmp", "syn to an open port", "syn to a closed port", "udp to an open port"],
)
def test_traceroute_sees_the_three_routers(chain: Joint, words: tuple[str, ...]) -> None:
    out = chain.linux("traceroute", "-6", "-n", "-q", "1", "-w", "5", *words, H4)
    assert re.findall(r"^ *\d+ +(\S+) ", out, re.MULTILINE) == [*ROUTERS, H4]


def test_traceroute_says_that_nobody_is_there(chain: Joint) -> None:
    """r3 asks for the neighbor three times, and answers for it then."""
    out = chain.linux("traceroute", "-6", "-n", "-q", "1", "-m", "4", "-w", "5", "2001:db8:4::99")
    assert re.findall(r"^ *\d+ +(\S+) ", out, re.MULTILINE) == [*ROUTERS, ROUTERS[-1]]
    assert out.rstrip().endswith("!H")


def test_tracepath_finds_routers_and_path_mtu(chain: Joint) -> None:
    out = chain.linux("tracepath", "-6", "-n", H4)
    assert re.findall(r"^ *(\d): +(\S+) ", out, re.MULTILINE)[-4:] == [
        ("1", ROUTERS[0]), ("2", ROUTERS[1]), ("3", ROUTERS[2]), ("4", H4)
    ]  # fmt: skip
    assert re.search("Resume: pmtu 1280 hops 4 back 4", out)


def test_our_traceroute_goes_through_linux(behind: Joint) -> None:
    answer = behind.node(f"h1: traceroute6 -n -q 1 {FAR}")
    assert re.findall(r"^ *\d+ +(\S+) ", answer.output, re.MULTILINE) == ["2001:db8:5::1", FAR]
