"""Multicast listener discovery with a Linux kernel: its bridge snoops and asks, and its sockets listen.

Needs root, /dev/net/tun, iproute2 with bridge(8).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from tap_joint import LINUX_LL, Joint, need, wait_for

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("tap")]

PROGRAMS = {"ip": "iproute2", "bridge": "iproute2"}

BRIDGE = """
ip link add br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_mld_version 1
  mcast_query_interval 200 mcast_startup_query_interval 100 mcast_query_response_interval 50
  mcast_last_member_interval 30 mcast_membership_interval 600
"""
"""Times in hundredths of a second."""

LAB = """
format = 1
title = "Listeners"
summary = "A link that a Linux kernel joins: a router, and a host."
level = "beginner"
minutes = 1
[links.lan1]
[nodes.h1]
role = "host"
interfaces.ne0 = { link = "lan1", up = true, mac = "02:00:00:00:11:01" }
[nodes.r1]
role = "router"
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"], mac = "02:00:00:00:01:01" }
"""

LISTENER = """
import socket, struct, sys, time
index = socket.if_nametoindex("kl0")
one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(10, "ff05::88") + struct.pack("@I", index))
def storage(text):
    return struct.pack("@HHI", 10, 0, 0) + socket.inet_pton(10, text) + bytes(104)
for source in sys.argv[1:]:
    two = struct.pack("@I4x", index) + storage("ff05::99") + storage(source)
    one.setsockopt(socket.IPPROTO_IPV6, 46, two)  # MCAST_JOIN_SOURCE_GROUP
time.sleep(600)
"""


@pytest.fixture(scope="module")
def snooping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """The TAP device is a port of a Linux bridge that snoops, and is the link's querier, a query every 2 s."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("snooping"), LAB, "snooping")
    try:
        joint.linux(*BRIDGE.split())
        joint.linux("ip", "link", "set", "kl0", "master", "br0")
        joint.linux("ip", "link", "set", "br0", "up")
        yield joint
    finally:
        joint.close()


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """The TAP device is an interface of a Linux host."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("listening"), LAB, "listening")
    try:
        joint.ready("fe80:")
        yield joint
    finally:
        joint.close()


def version(joint: Joint, number: int) -> None:
    """What the bridge asks with, and what h1 would like to speak."""
    joint.linux("ip", "link", "set", "br0", "type", "bridge", "mcast_mld_version", str(number))
    joint.node(f"h1: sysctl -w net.inet6.icmp6.mldv2={number - 1}")


def mdb(joint: Joint, group: str) -> str:
    """The bridge's entry of a group behind the TAP device, "" where it has none."""
    lines = joint.linux("bridge", "-d", "mdb", "show", "dev", "br0").splitlines()
    return "\n".join(line for line in lines if f"grp {group} " in f"{line} " and "port kl0" in line)


def seconds_left(joint: Joint, group: str) -> float:
    """How long the bridge's entry holds yet."""
    lines = joint.linux("bridge", "-d", "-s", "mdb", "show", "dev", "br0").splitlines()
    line = next(line for line in lines if f"grp {group} " in line and "port kl0" in line)
    return max(float(found) for found in re.findall(r" (\d+\.\d+)", line))


def process(joint: Joint, node: str, name: str) -> str:
    """The number of a node's process."""
    found = re.search(rf"^ *(\d+) .*{name}", joint.node(f"{node}: ps").output, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("number", [1, 2])
def test_the_bridge_sees_our_joining_and_leaving(snooping: Joint, number: int) -> None:
    version(snooping, number)
    group = f"ff05::7{number}"
    assert snooping.node(f"h1: mcastread -i ne0 {group} 5000 &").status == 0
    wait_for("the bridge's entry", lambda: mdb(snooping, group))
    snooping.node(f"h1: kill {process(snooping, 'h1', f'mcastread -i ne0 {group}')}")
    wait_for("no entry", lambda: not mdb(snooping, group))


@pytest.mark.parametrize("number", [1, 2])
def test_our_listener_answers_the_bridge_s_queries(snooping: Joint, number: int) -> None:
    """A report holds for 6 s; each query's answer, 2 s later, begins them anew."""
    version(snooping, number)
    group = f"ff05::8{number}"
    snooping.node(f"h1: mcastread -i ne0 {group} 5000 &")
    wait_for("the bridge's entry", lambda: mdb(snooping, group))
    for _ in range(2):
        before = wait_for("less time", lambda: (left := seconds_left(snooping, group)) < 4.5 and left)
        wait_for("more time again", lambda before=before: seconds_left(snooping, group) > before + 1)


def test_the_bridge_sees_the_sources_that_we_want(snooping: Joint) -> None:
    version(snooping, 2)
    assert snooping.node("h1: mcastread -i ne0 -s 2001:db8:9::1 ff05::79 5000 &").status == 0
    entry = wait_for("the bridge's entry", lambda: mdb(snooping, "ff05::79"))
    assert "2001:db8:9::1" in entry


def test_our_querier_knows_linuxs_listeners(listening: Joint) -> None:
    """Linux begins in version 2 and falls back when it hears our query (RFC 3810 8.2.1)."""
    assert listening.node("r1: mld6d -q 10 -w 1000 -i ne0").status == 0
    program = listening.start(sys.executable, "-c", LISTENER)
    wait_for("Linux's report", lambda: "ff05::88" in dump(listening))
    assert re.search(rf"ff05::88 since .*last reporter {LINUX_LL}, version 1 listeners", dump(listening))
    listening.stop(program)
    wait_for("its done", lambda: "ff05::88" not in dump(listening))
    listening.node(f"r1: kill {process(listening, 'r1', 'mld6d')}")


def test_our_querier_knows_linuxs_sources(listening: Joint) -> None:
    listening.sysctl("conf/kl0/force_mld_version", 2)
    assert listening.node("r1: mld6d -2 -q 10 -w 1000 -i ne0").status == 0
    program = listening.start(sys.executable, "-c", LISTENER, "2001:db8:9::1", "2001:db8:9::2")
    wait_for("Linux's sources", lambda: "from 2001:db8:9::2" in dump(listening))
    shown = dump(listening)
    assert re.search(r"ff05::88 since .*, for another", shown)
    assert re.search(r"ff05::99 since .*\n    from 2001:db8:9::1, .*\n    from 2001:db8:9::2, ", shown)
    wait_for("answers to queries", lambda: re.search("queries sent [3-9]", dump(listening)), 25)
    assert "from 2001:db8:9::1" in dump(listening)
    listening.stop(program)
    wait_for("both gone", lambda: not re.search("ff05::88|ff05::99", dump(listening)))
    listening.node(f"r1: kill {process(listening, 'r1', 'mld6d')}")


def dump(joint: Joint) -> str:
    """What mld6d on r1 knows."""
    joint.node(f"r1: kill -USR1 {process(joint, 'r1', 'mld6d')}")
    answer = joint.node("r1: cat /var/run/mld6d.dump")
    return str(answer.output)
