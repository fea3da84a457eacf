"""Debian's attack tools, thc-ipv6 and ipv6toolkit, against a lab's nodes on a TAP device.

What the tools do to a host without protection is part of the lesson: routers disappear, neighbours are spoofed. What
may not happen: an exception, a table without a bound, a node that does not answer once it was switched off and on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tap_joint import Joint, need

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("tap")]

PROGRAMS = {"ip": "iproute2", "atk6-flood_router26": "thc-ipv6", "ra6": "ipv6toolkit"}
SECONDS = 1.5
"""How long each tool may work."""
NEIGHBORS_MAX = 2100
"""net.inet6.ip6.neighborgcthresh and what is exempt from it."""
R1, H1, R1_LL, H1_LL = "2001:db8:1::1", "2001:db8:1::ff:fe00:1101", "fe80::ff:fe00:101", "fe80::ff:fe00:1101"

LAB = """
format = 1
title = "Victims"
summary = "A router and a host."
level = "beginner"
minutes = 1
[links.lan1]
[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan1", up = true, mac = "02:00:00:00:11:01" }
[nodes.r1]
role = "router"
startup = ["rtadvd ne0"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"], mac = "02:00:00:00:01:01" }
"""

TOOLS = {
    "dos-new-ip6": "atk6-dos-new-ip6 kl0",
    "flood_router6": "atk6-flood_router6 kl0",
    "flood_router26": "atk6-flood_router26 kl0",
    "flood_advertise6": "atk6-flood_advertise6 kl0",
    "flood_solicitate6": "atk6-flood_solicitate6 kl0",
    "flood_rs6": "atk6-flood_rs6 kl0",
    "flood_mld6": "atk6-flood_mld6 kl0",
    "flood_redir6": "atk6-flood_redir6 kl0",
    "fake_router6": "atk6-fake_router6 kl0 2001:db8:66::/64",
    "fake_advertise6": f"atk6-fake_advertise6 kl0 {R1} {H1_LL}",
    "parasite6": "atk6-parasite6 kl0",
    "kill_router6": f"atk6-kill_router6 kl0 {R1_LL}",
    "ndpexhaust26": "atk6-ndpexhaust26 kl0 2001:db8:1::/64",
    "implementation6": f"atk6-implementation6 kl0 {R1}",
    "exploit6": f"atk6-exploit6 kl0 {R1}",
    "fragmentation6": f"atk6-fragmentation6 -p kl0 {R1}",
    "fuzz_ip6": f"atk6-fuzz_ip6 -1 -2 -3 -x kl0 {R1}",
    "denial6": f"atk6-denial6 kl0 {R1} 1",
    "smurf6": f"atk6-smurf6 kl0 {R1}",
    "na6": f"na6 -i kl0 -t {R1} -d {H1_LL} -F 100 -l -z 1",
    "ns6": f"ns6 -i kl0 -t {R1} -d {R1_LL} -F 100 -l -z 1",
    "rd6": f"rd6 -i kl0 -s {R1_LL} -d {H1} -R 2001:db8:1::/64 -t {R1_LL} -F 10 -l -z 1",
    "frag6": f"frag6 -i kl0 --flood-frags 100 -l -z 1 -d {R1}",
    "icmp6": f"icmp6 -i kl0 -d {R1} --icmp6-packet-too-big -l -z 1",
    "jumbo6": f"jumbo6 -i kl0 -d {R1} -l -z 1",
}
"""The tools that run, by their own names."""


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """A host and a router that anybody on the link can reach."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("victims"), LAB, "victims")
    try:
        joint.ready("2001:db8:1:")
        yield joint
    finally:
        joint.close()


@pytest.mark.parametrize("tool", TOOLS)
def test_an_attack_breaks_nothing(victims: Joint, tool: str) -> None:
    """The tool gets its frames out; tables stay bounded, nothing is dropped for an error of our own, all goes on."""
    before = frames(victims)
    words = ["timeout", "-k", "1", "-s", "INT", str(SECONDS), *TOOLS[tool].split()]
    attack = victims.start(*words)
    # Some tools only answer: the host has to ask who has an address.
    victims.node(f"h1: ndp -d {R1}")
    victims.node(f"h1: ping6 -c 1 {R1} &")
    attack.wait(30)
    assert frames(victims) > before
    for node in ("h1", "r1"):
        assert len(victims.node(f"{node}: ndp -an").output.splitlines()) < NEIGHBORS_MAX
        assert "internal error" not in victims.node(f"{node}: dmesg").output
    assert victims.node("trace reason == INTERNAL").output == "no packets\n"
    assert victims.lab.poll() is None


def test_the_nodes_answer_afterwards(victims: Joint) -> None:
    """Switched off and on, they are as new."""
    assert victims.node("reboot r1").status == 0
    assert victims.node("reboot h1").status == 0
    answer = victims.node(f"h1: ping6 -n -c 3 {R1}")
    assert answer.status == 0, answer.output
    assert "received, 0% packet loss" in victims.linux("ping", "-6", "-n", "-c", "2", "-i", "0.2", R1)


def frames(joint: Joint) -> int:
    """What the link has carried so far."""
    found = re.search(r"; (\d+) frames", joint.node("links").output)
    assert found is not None
    return int(found[1])
