"""Debian's attack tools, thc-ipv6 and ipv6toolkit, against a router and a host on a TAP device.

Everything happens in a network namespace of the test's own, whose only device is the TAP: nothing else can be reached.
Each tool has a number of packets to send, or at most some seconds, and is ended then.

What the tools do to a network without protection is the lesson: routers vanish, neighbours are spoofed. What must not
happen: an exception, a table without a bound, a node that stays silent once the tool is gone. ``docs/interop.md`` keeps
the tools that ran and what the counters said; ``KAMELAB_INTEROP_REPORT=FILE make interop`` writes that table anew.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tap_joint import LINUX_ID, ROOT, Joint, need, wait_for

from kamelab.stack.netinet6.in6 import ADDRESS_LIMIT
from kamelab.stack.netinet6.nd6 import NEIGHBOR_LIMIT
from kamelab.stack.netinet6.nd6_defrouter import ROUTER_LIMIT
from kamelab.stack.netinet6.nd6_prefix import PREFIX_LIMIT
from kamelab.stack.netinet6.redirect6 import ROUTE_LIMIT

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("tap")]

PROGRAMS = {
    "ip": "iproute2",
    "ping": "iputils-ping",
    "timeout": "coreutils",
    "atk6-flood_router26": "thc-ipv6",
    "ra6": "ipv6toolkit",
}
BRIEF, LONGEST = 0.7, 3.0
"""Seconds for a tool that would go on for ever, and for one that ends by itself."""
NODES = ("r1", "h1")
R1, H1, H2 = "2001:db8:1::1", "2001:db8:1::ff:fe00:1101", "2001:db8:2::ff:fe00:2201"
LINUX = f"2001:db8:1::{LINUX_ID}"
R1_LL, H1_LL = "fe80::ff:fe00:101", "fe80::ff:fe00:1101"
WRONG_MAC = "02:00:00:00:66:66"

LAB = """
format = 1
title = "Victims"
summary = "A host and a router on a wire with somebody bad, and a host behind the router."
level = "beginner"
minutes = 1
[links.lan1]
[links.lan2]
[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan1", up = true, mac = "02:00:00:00:11:01" }
[nodes.r1]
role = "router"
startup = ["rtadvd ne0 ne1"]
files = { "/etc/rtadvd.conf" = "ne0:retrans#1000:rtime#30000:" }
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"], mac = "02:00:00:00:01:01" }
interfaces.ne1 = { link = "lan2", addresses = ["2001:db8:2::1/64"], mac = "02:00:00:00:01:02" }
[nodes.h2]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan2", up = true, mac = "02:00:00:00:22:01" }
"""


class Attack(NamedTuple):
    """A tool with its words, and the seconds after which it is ended."""

    line: str
    seconds: float = LONGEST
    while_: tuple[str, ...] = ()
    """Console lines that give it something to work on."""
    leaves: tuple[str, str] = ("", "")
    """A console line, and what in its output shows that the attack worked: a pattern."""


ATTACKS = (
    # One thing each, while the network is whole: what the lesson shows.
    Attack(
        f"atk6-redir6 kl0 {H1} {H2} {R1_LL} fe80::66 {WRONG_MAC}",
        leaves=("h1: netstat -rn", rf"^{H2} +fe80::66%ne0 +UGHD"),
    ),
    Attack(f"atk6-toobig6 kl0 {H1} {LINUX} 1280", leaves=("h1: netstat -s -p icmp6", r"[1-9]\d* path MTU")),
    Attack(
        f"atk6-fake_advertise6 -n 2 -w 1 kl0 {R1} {H1_LL} {WRONG_MAC}",
        while_=(f"h1: ping6 -c 1 {R1}",),
        leaves=("h1: ndp -an", rf"^{R1} +2:0:0:0:66:66 "),
    ),
    Attack("atk6-parasite6 -lR kl0 02:00:00:00:66:66", 2.0, ("h1: ndp -c", f"h1: ping6 -c 1 {R1}")),
    Attack(
        "atk6-dos-new-ip6 kl0",
        4.0,
        ("h1: ifconfig ne0 inet6 2001:db8:1::77/64 alias", "h1: sleep 2"),
        ("h1: ifconfig ne0", r"2001:db8:1::77 .*duplicated"),
    ),
    Attack(
        "atk6-dos-new-ip6 -S kl0",
        4.0,
        ("h1: ifconfig ne0 inet6 2001:db8:1::78/64 alias", "h1: sleep 2"),
        ("h1: ifconfig ne0", r"2001:db8:1::78 .*duplicated"),
    ),
    Attack("atk6-fake_router6 kl0 2001:db8:66::/64", BRIEF, leaves=("h1: ifconfig ne0", "2001:db8:66::.* autoconf")),
    Attack(
        "atk6-fake_router26 -A 2001:db8:67::/64 -R 2001:db8:99::/48 -M 1280 -n 3 -i 0 kl0",
        leaves=("h1: ndp -r", rf"^fe80::{LINUX_ID}%ne0.*high"),
    ),
    # False routers, prefixes and parameters.
    Attack("atk6-fake_router26 -E D -A 2001:db8:68::/64 -n 3 -i 0 kl0"),
    Attack("atk6-fake_router26 -E O -A 2001:db8:69::/64 -n 3 -i 0 kl0"),
    Attack("atk6-flood_router6 kl0", BRIEF),
    Attack("atk6-flood_router26 kl0", BRIEF),
    Attack("atk6-flood_router26 -A -s kl0", BRIEF),
    Attack(f"atk6-kill_router6 kl0 {R1_LL}", BRIEF),
    Attack(f"ra6 -i kl0 -d {H1_LL} -e -t 0 -c 1 -P 2001:db8:1::/64#LA#1#1"),
    Attack(f"ra6 -i kl0 -d {H1_LL} -F 100 -f 10 -w 5 -e", BRIEF),
    # Neighbours: spoofed, made up, asked for.
    Attack(f"atk6-fake_solicitate6 kl0 {R1} {H1_LL} {WRONG_MAC} {LINUX}", BRIEF),
    Attack("atk6-flood_advertise6 kl0", BRIEF),
    Attack(f"atk6-flood_solicitate6 kl0 {R1} {R1}", BRIEF),
    Attack("atk6-flood_solicitate6 -a kl0", BRIEF),
    Attack("atk6-ndpexhaust6 kl0 2001:db8:2::/64", BRIEF),
    Attack("atk6-ndpexhaust26 -p -r kl0 2001:db8:2::/64", BRIEF),
    Attack("atk6-ndpexhaust26 -p kl0 2001:db8:1::/64", BRIEF),
    Attack(f"na6 -i kl0 -s {R1_LL} -d {H1_LL} -t {R1} -E {WRONG_MAC} -o -c"),
    Attack(f"na6 -i kl0 -d {H1_LL} -t 2001:db8:1::/64 -F 10 -T 50 -e -o", BRIEF),
    Attack(f"ns6 -i kl0 -s fe80::/64 -d {R1_LL} -t {R1} -F 1000 -e", BRIEF),
    Attack(f"ns6 -i kl0 -s 2001:db8:1::/64 -d {R1} -t {R1} -F 1000 -e -y 24", BRIEF),
    Attack("atk6-inverse_lookup6 kl0 02:00:00:00:01:01", BRIEF),
    # Solicitations of routers.
    Attack("atk6-flood_rs6 -sS kl0", BRIEF),
    Attack(f"rs6 -i kl0 -s fe80::/64 -d {R1_LL} -F 1000 -e", BRIEF),
    Attack(f"atk6-dump_router6 kl0 {R1_LL}", LONGEST),
    # Redirects and path MTU.
    Attack("atk6-flood_redir6 kl0", BRIEF),
    Attack(f"atk6-flood_redir6 kl0 {H1} {R1_LL}", BRIEF),
    Attack(f"rd6 -i kl0 -s {R1_LL} -d {H1} -r 2001:db8:77::/64 -t fe80::66 -R 200 -x {H1} -e", BRIEF),
    Attack(f"atk6-toobig6 -u kl0 {H1} {H2} 68"),
    Attack(f"icmp6 -i kl0 -s {R1} -d {H1} -E -m 1280 -r {H1} -x {H2}"),
    Attack(f"icmp6 -i kl0 -s {R1} -d {H1} -t 4:2 -O 6 -r {H1} -x {H2}"),
    Attack(f"atk6-flood_unreach6 -R kl0 {H1}", BRIEF),
    # Groups.
    Attack("atk6-flood_mld6 kl0", BRIEF),
    Attack("atk6-flood_mld26 kl0", BRIEF),
    Attack("atk6-flood_mldrouter6 kl0", BRIEF),
    Attack("atk6-fake_mld6 kl0 query", BRIEF),
    Attack("atk6-fake_mldrouter6 kl0 advertise", BRIEF),
    Attack("atk6-fake_pim6 kl0 hello", BRIEF),
    # Headers, fragments, sizes.
    Attack(f"atk6-fragmentation6 -p -n 1 kl0 {R1}"),
    Attack(f"atk6-implementation6 -p kl0 {R1}"),
    Attack(f"atk6-exploit6 kl0 {R1}"),
    # Its other cases send nothing on a TAP device (3.8).
    Attack(f"atk6-denial6 kl0 {R1} 2", BRIEF),
    Attack(f"frag6 -i kl0 -d {R1} -p"),
    Attack(f"frag6 -i kl0 -d {H1} -W"),
    Attack(f"frag6 -i kl0 -d {R1} -X"),
    Attack(f"jumbo6 -i kl0 -d {R1} -Q 100000 -P 1000", BRIEF),
    Attack(f"jumbo6 -i kl0 -d {R1} -q 0 -Q 100 -P 100", BRIEF),
    Attack(f"atk6-thcping6 -a -D 5:4:00 -H 201:8:00 -n 20 kl0 x {R1}"),
    # Everything that fuzzing tries.
    Attack(f"atk6-fuzz_ip6 -a -1 -I -F -S -D -H -J kl0 {R1}"),
    *(Attack(f"atk6-fuzz_ip6 -a -{kind} kl0 {R1}", BRIEF) for kind in (2, 3, 4, 5, 6, 7, 8, 9, 0)),
    Attack("atk6-fuzz_ip6 -a -x -4 kl0 ff02::1", BRIEF),
    Attack(f"atk6-randicmp6 -p kl0 {H1}"),
    Attack(f"atk6-node_query6 kl0 {H1}", BRIEF),
    Attack(f"ni6 -i kl0 -d {H1} -x 200 -o 2", BRIEF),
    # Scans and floods of echoes, TCP and UDP.
    Attack(f"atk6-smurf6 kl0 {H1}", BRIEF),
    Attack(f"atk6-rsmurf6 kl0 {H1}", BRIEF),
    Attack("atk6-alive6 kl0", LONGEST),
    Attack("atk6-alive6 -p -s 80 -u 53 -e dst kl0 2001:db8:2::0-ff", LONGEST),
    Attack(f"atk6-detect_sniffer6 kl0 {H1_LL}", LONGEST),
    Attack(f"atk6-trace6 kl0 {H2}", LONGEST),
    Attack(f"atk6-thcsyn6 -R kl0 {R1} x", BRIEF),
    Attack("scan6 -i kl0 -L", LONGEST),
    Attack("scan6 -i kl0 -d 2001:db8:2::0-1ff -r 2000pps -x 0", LONGEST),
    Attack(f"tcp6 -i kl0 -d {R1} -s 2001:db8:1::/64 -a 80 -X S -F 500", BRIEF),
    Attack(f"udp6 -i kl0 -d {R1} -s 2001:db8:1::/64 -a 53 -F 500 -P 64", BRIEF),
    Attack(f"flow6 -i kl0 -d {R1} -P udp -p 33434 -W", BRIEF),
    Attack(f"path6 -i kl0 -d {H2}", LONGEST),
    # These fill the reassembly queues for a minute.
    Attack(f"frag6 -i kl0 -d {R1} -F 300", BRIEF),
    Attack("atk6-flood_router26 -F kl0", BRIEF),
)


def ident(attack: Attack) -> str:
    """A name for the test: the tool, and its place in the list."""
    return f"{ATTACKS.index(attack):02}-{attack.line.split()[0].removeprefix('atk6-')}"


class Outcome(NamedTuple):
    """What came of an attack."""

    line: str
    frames: int
    """Frames of the tool, and answers, that the link carried meanwhile."""
    counters: dict[str, dict[str, int]]
    """By node, what `netstat -s` says more than before."""
    tables: dict[str, dict[str, int]]
    """By node, rows of each table afterwards."""


class Victims:
    """The lab in its namespace, and what has been done to it."""

    def __init__(self, folder: Path) -> None:
        self.joint = Joint(folder, LAB, "attacked")
        self.outcomes: list[Outcome] = []
        self.untouched: dict[str, int] = {}
        """The host's tables before anything happened; without neighbours, whose number is chance."""

    def attack(self, attack: Attack) -> Outcome:
        """Let the tool work; never longer than it may."""
        joint = self.joint
        before, counted = self.frames(), self.counters()
        with open(joint.folder / "tool.log", "w") as log:
            tool = joint.start(
                "timeout", "-k", "1", "-s", "INT", str(attack.seconds), *attack.line.split(), output=log
            )  # fmt: skip
        if attack.while_:
            # The tools that wait for something say nothing when they are ready.
            time.sleep(0.5)
        for line in attack.while_:
            joint.node(line)
        tool.wait(attack.seconds + 5)
        now = self.counters()
        grown = {node: {key: now[node][key] - counted[node].get(key, 0) for key in now[node]} for node in NODES}
        outcome = Outcome(attack.line, self.frames() - before, grown, {node: self.tables(node) for node in NODES})
        self.outcomes.append(outcome)
        return outcome

    def mend(self, spare: int = 10) -> None:
        """What forged messages have left in the host would last for hours: it is switched off and on.

        Not where it is little, no more than ``spare`` rows of a table, and it answers.
        """
        rows = self.tables("h1") | {"neighbors": 0}
        if any(rows[name] - number > spare for name, number in self.untouched.items()) or not self.answers(H1):
            assert self.joint.node("reboot h1").status == 0
        wait_for(f"{H1} answers", lambda: self.answers(H1), 20)

    def said(self) -> str:
        """What the tool printed."""
        return (self.joint.folder / "tool.log").read_text(errors="replace")

    def frames(self) -> int:
        """What lan1 has carried so far."""
        found = re.search(r"^lan1\b.*; (\d+) frames", self.joint.node("links").output, re.MULTILINE)
        assert found is not None, self.joint.node("links").output
        return int(found[1])

    def counters(self) -> dict[str, dict[str, int]]:
        """The plain rows of `netstat -s` of each node; not the histograms."""
        return {
            node: {phrase: int(number) for number, phrase in re.findall(r"^\t(\d+) (\D.*)$", said, re.MULTILINE)}
            for node, said in ((node, self.joint.node(f"{node}: netstat -s").output) for node in NODES)
        }

    def tables(self, node: str) -> dict[str, int]:
        """How many rows each table of a node has."""
        ask = self.joint.node
        return {
            "neighbors": len(ask(f"{node}: ndp -an").output.splitlines()) - 1,
            "prefixes": len(re.findall(r"^\S+/\d+ ", ask(f"{node}: ndp -p").output, re.MULTILINE)),
            "routers": len(ask(f"{node}: ndp -r").output.splitlines()),
            "addresses": ask(f"{node}: ifconfig ne0").output.count("inet6 "),
            "routes": len(re.findall(r"^(?:default|[0-9a-f:]+\S*) ", ask(f"{node}: netstat -rn").output, re.MULTILINE)),
        }

    def answers(self, address: str) -> bool:
        """Whether a ping from the Linux kernel comes back."""
        return "1 received" in self.joint.linux("ping", "-6", "-n", "-c", "1", "-W", "1", address, check=False)

    def log(self) -> str:
        """All that kernels and programs of the lab have said."""
        return (self.joint.folder / "lab.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    """A router and a host in reach of the namespace's only device."""
    need(PROGRAMS)
    victims = Victims(tmp_path_factory.mktemp("attacked"))
    joint = victims.joint
    try:
        joint.ready("2001:db8:1:")
        devices = re.findall(r"^\d+: (\w+)", joint.linux("ip", "link"), re.MULTILINE)
        # Tools that flood must not have any other way out.
        assert devices == ["lo", "kl0"]
        wait_for("h1's address", lambda: victims.answers(H1))
        victims.untouched = victims.tables("h1") | {"neighbors": 0}
        yield victims
    finally:
        joint.close()
        joint.pcapng.unlink(missing_ok=True)


def limits(node: str) -> dict[str, int]:
    """The most rows that a node may have: what the kernel's limits allow, and its own addresses."""
    interfaces = 2 if node == "r1" else 1
    own = ADDRESS_LIMIT * interfaces + 2
    return {
        "neighbors": NEIGHBOR_LIMIT * interfaces + own,
        "prefixes": PREFIX_LIMIT * interfaces + 1,
        "routers": ROUTER_LIMIT,
        "addresses": ADDRESS_LIMIT,
        "routes": ROUTE_LIMIT + NEIGHBOR_LIMIT * interfaces + PREFIX_LIMIT * interfaces + own + 20,
    }


@pytest.mark.parametrize("attack", ATTACKS, ids=ident)
def test_an_attack_breaks_nothing(victims: Victims, attack: Attack) -> None:
    """It reaches the lab; no exception, no table beyond its limit, and afterwards both nodes answer by themselves.

    The host at its link-local address: false routers and prefixes last as long as they said, so it is mended then.
    """
    outcome = victims.attack(attack)
    assert outcome.frames > 0, victims.said()
    if attack.leaves[0]:
        shown = victims.joint.node(attack.leaves[0]).output
        assert re.search(attack.leaves[1], shown, re.MULTILINE), shown + victims.said()
    if "duplicated" in attack.leaves[1]:
        # Kernel messages do come into the log: an internal error would be one.
        assert re.search(r"h1 console: .*DAD", victims.log())
    assert victims.joint.lab.poll() is None, victims.log()[-3000:]
    assert "internal error" not in victims.log()
    assert "Traceback" not in victims.log()
    for node in NODES:
        most = limits(node)
        assert {table: rows for table, rows in outcome.tables[node].items() if rows > most[table]} == {}
    # A spoofed neighbour is found out by unreachability detection: 5 s of delay, 3 s of probes (RFC 4861 10).
    wait_for(f"{R1} answers", lambda: victims.answers(R1), 20)
    wait_for(f"{H1_LL} answers", lambda: victims.answers(f"{H1_LL}%kl0"), 20)
    victims.mend()


def test_the_network_is_whole_afterwards(victims: Victims) -> None:
    """The router has been on all the time. Both sides of it are reached from everywhere."""
    joint = victims.joint
    victims.mend(0)
    for address in (R1, H1, H2):
        out = joint.linux("ping", "-6", "-n", "-c", "3", "-i", "0.2", address)
        assert "3 packets transmitted, 3 received" in out
    answer = joint.node(f"h1: ping6 -n -c 3 {H2}")
    assert "3 packets transmitted, 3 packets received" in answer.output
    status = Path(f"/proc/{joint.lab.pid}/status").read_text()
    held = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert held is not None
    # The journal of a session keeps every frame from outside; all else that grows has a limit.
    assert int(held[1]) < 4_000_000


def test_false_routers_and_prefixes_are_cleared_by_hand(victims: Victims) -> None:
    """Once the bad machine is silent, the host forgets what it was told, and asks anew; no reboot is needed.

    A false RetransTimer of hours, with which no address would get through DAD, is overwritten by the router's own: it
    says one (rtadvd.conf, retrans), as a router that says 0 leaves the parameter alone (RFC 4861 6.3.4).
    """
    joint = victims.joint
    outcome = victims.attack(Attack("atk6-flood_router6 kl0", BRIEF))
    victims.outcomes.pop()
    assert outcome.tables["h1"]["routers"] == ROUTER_LIMIT
    for line in ("ndp -R", "ndp -P", "rtsol ne0"):
        assert joint.node(f"h1: {line}").status == 0
    wait_for(f"{H1} answers", lambda: victims.answers(H1), 20)
    assert joint.node("h1: ndp -r").output.startswith(f"{R1_LL}%ne0")
    rows = victims.tables("h1")
    for name in ("routers", "prefixes", "addresses"):
        assert rows[name] == victims.untouched[name]


DOC = ROOT / "docs" / "interop.md"
HEAD = ("Tool", "Frames", "Counters of r1", "Counters of h1", "Fullest table")
DULL = {
    "packets received", "packets for this node", "packets originated here", "packets forwarded", "replies made",
    "datagrams received", "fragments received", "messages processed", "packet for this node", "packet received",
    "error messages asked for", "packets put together from fragments",
}  # fmt: skip


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as a table in Markdown: for each node the counters that grew most."""
    lines = [" | ".join(("", *HEAD, "")).strip(), "|---" * len(HEAD) + "|"]
    for one in outcomes:
        cells = [f"`{one.line}`", str(one.frames)]
        for node in NODES:
            grown = {key: number for key, number in one.counters[node].items() if number and key not in DULL}
            most = sorted(grown, key=lambda key: -grown[key])[:3]
            cells.append("; ".join(f"{grown[key]} {key}" for key in most) or "-")
        full = max(
            (rows / limits(node)[name], f"{node} {name} {rows}")
            for node in NODES
            for name, rows in one.tables[node].items()
        )
        cells.append(full[1])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_list_of_what_ran_is_kept(victims: Victims, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, written to KAMELAB_INTEROP_REPORT where that is set; docs/interop.md has a row for each tool."""
    report = table(victims.outcomes)
    with capsys.disabled():
        print(f"\n{report}")
    if os.environ.get("KAMELAB_INTEROP_REPORT"):
        Path(os.environ["KAMELAB_INTEROP_REPORT"]).write_text(report, encoding="utf-8")
    kept = set(re.findall(r"^\| `([^`]+)` \|", DOC.read_text(encoding="utf-8"), re.MULTILINE))
    assert {one.line for one in victims.outcomes} <= kept
    assert kept == {attack.line for attack in ATTACKS}
