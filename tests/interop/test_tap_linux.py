"""A Linux kernel on a TAP device in a network namespace, as one more machine on a lab's link.

Needs root, /dev/net/tun, iproute2, iputils' ping, radvd and ndisc6. What happens takes as long as it takes: both sides
run on the wall clock; nothing is timed but by its own deadline.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tap_joint import LINUX_ID, LINUX_LL, ROOT, Joint, need, wait_for

from kamelab.lab.opening import open_session

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("tap")]

PROGRAMS = {"ip": "iproute2", "ping": "iputils-ping", "radvd": "radvd", "ndisc6": "ndisc6", "rdisc6": "ndisc6"}

HERE = """
format = 1
title = "Routers here"
summary = "A link that a Linux kernel joins: two routers, a host, and a host behind the second router."
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
startup = ["rtadvd ne0", "route add -inet6 2001:db8:2:: -prefixlen 64 fe80::ff:fe00:201%ne0"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"], mac = "02:00:00:00:01:01" }
[nodes.r2]
role = "router"
startup = ["rtadvd ne1"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::2/64"], mac = "02:00:00:00:02:01" }
interfaces.ne1 = { link = "lan2", addresses = ["2001:db8:2::1/64"], mac = "02:00:00:00:02:02" }
[nodes.h2]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan2", up = true, mac = "02:00:00:00:22:01" }
"""

THERE = """
format = 1
title = "The router is there"
summary = "A host that a Linux router configures, and a router to which that one redirects."
level = "beginner"
minutes = 1
[links.lan1]
[links.lan2]
[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan1", up = true, mac = "02:00:00:00:11:01" }
[nodes.r2]
role = "router"
startup = ["route add -inet6 default fe80::ff:fe00:9999%ne0"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:5::2/64"], mac = "02:00:00:00:02:01" }
interfaces.ne1 = { link = "lan2", addresses = ["2001:db8:2::1/64"], mac = "02:00:00:00:02:02" }
"""

RADVD = """
interface kl0 {
  AdvSendAdvert on;
  MinRtrAdvInterval 3;
  MaxRtrAdvInterval 4;
  AdvDefaultLifetime 600;
  AdvCurHopLimit 61;
  AdvDefaultPreference high;
  prefix 2001:db8:5::/64 { AdvOnLink on; AdvAutonomous on; AdvValidLifetime 7200; AdvPreferredLifetime 3600; };
};
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """The routers are here; Linux is a host."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("here"), HERE, "here")
    try:
        joint.ready("2001:db8:1:")
        yield joint
    finally:
        joint.close()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joint]:
    """The router is there: Linux with radvd; a host and another router are here."""
    need(PROGRAMS)
    joint = Joint(tmp_path_factory.mktemp("there"), THERE, "there")
    try:
        joint.sysctl("conf/all/forwarding", 1)
        joint.linux("ip", "-6", "addr", "add", "2001:db8:5::1/64", "dev", "kl0")
        joint.linux("ip", "-6", "route", "add", "2001:db8:2::/64", "via", "fe80::ff:fe00:201", "dev", "kl0")
        joint.ready("2001:db8:5:")
        joint.ready("fe80:")
        joint.others.append(start_radvd(joint))
        yield joint
    finally:
        joint.close()


def start_radvd(joint: Joint) -> subprocess.Popen[str]:
    """radvd on the TAP device."""
    conf = joint.folder / "radvd.conf"
    conf.write_text(RADVD, encoding="utf-8")
    log = open(joint.folder / "radvd.log", "a")  # noqa: SIM115 - the child keeps it
    with log:
        return joint.start(
            "radvd", "-n", "-C", str(conf), "-p", str(joint.folder / "radvd.pid"), "-m", "stderr", "-d", "1",
            output=log,
        )  # fmt: skip


# -- routers here ----------------------------------------------------------------------------------------------------


def test_linux_configures_itself_from_our_rtadvd(here: Joint) -> None:
    """Address from the prefix and its own identifier, and r1's link-local address as its default router."""
    assert "dynamic" in here.addresses()[f"2001:db8:1::{LINUX_ID}"]
    assert here.defaults() == {"fe80::ff:fe00:101"}


def test_both_sides_resolve_and_ping(here: Joint) -> None:
    """Each side finds the other's link-layer address: ours is the lab file's, theirs is the host's own."""
    out = here.linux("ping", "-6", "-n", "-c", "3", "-i", "0.2", "2001:db8:1::ff:fe00:1101")
    assert "3 packets transmitted, 3 received, 0% packet loss" in out
    neighbors = here.linux("ip", "-6", "neigh", "show", "2001:db8:1::ff:fe00:1101", "dev", "kl0")
    assert "lladdr 02:00:00:00:11:01" in neighbors
    answer = here.node(f"h1: ping6 -n -c 3 2001:db8:1::{LINUX_ID}")
    assert answer.status == 0
    assert "3 packets transmitted, 3 packets received, 0.0% packet loss" in answer.output
    lines = here.node("h1: ndp -an").output.splitlines()
    assert any(LINUX_ID in line and "2:0:0:0:99:99" in line for line in lines)


def test_big_packets_are_cut_and_put_together_on_both_sides(here: Joint) -> None:
    out = here.linux("ping", "-6", "-n", "-c", "2", "-i", "0.2", "-s", "4000", "2001:db8:1::1")
    assert "2 packets transmitted, 2 received, 0% packet loss" in out
    answer = here.node(f"r1: ping6 -n -c 2 -s 4000 2001:db8:1::{LINUX_ID}")
    assert "2 packets transmitted, 2 packets received, 0.0% packet loss" in answer.output


def test_linux_detects_that_our_host_has_an_address(here: Joint) -> None:
    """It adds the address of h1 to its own interface: our defence makes it fail."""
    taken = "2001:db8:1::ff:fe00:1101"
    here.linux("ip", "-6", "addr", "add", f"{taken}/64", "dev", "kl0")
    wait_for("dadfailed", lambda: "dadfailed" in here.addresses().get(taken, []))
    here.linux("ip", "-6", "addr", "del", f"{taken}/64", "dev", "kl0")


def test_our_host_detects_that_linux_has_an_address(here: Joint) -> None:
    """Adding Linux's address marks it duplicated, with KAME's words in the log; it is not used."""
    here.linux("ip", "-6", "addr", "add", "2001:db8:1::77/64", "dev", "kl0")
    wait_for("Linux's address", lambda: here.addresses().get("2001:db8:1::77") == [])
    assert here.node("h1: ifconfig ne0 inet6 2001:db8:1::77 prefixlen 64").status == 0
    wait_for("duplicated", lambda: re.search("2001:db8:1::77 .*duplicated", here.node("h1: ifconfig ne0").output))
    assert "DAD detected duplicate IPv6 address" in here.node("h1: dmesg").output
    here.node("h1: ifconfig ne0 inet6 2001:db8:1::77 delete")
    here.linux("ip", "-6", "addr", "del", "2001:db8:1::77/64", "dev", "kl0")


def test_ndisc6_and_rdisc6_get_right_answers(here: Joint) -> None:
    """Debian's tools ask who has an address, and what the routers advertise."""
    out = here.linux("ndisc6", "-n", "-1", "2001:db8:1::1", "kl0")
    assert "Target link-layer address: 02:00:00:00:01:01" in out
    assert "from 2001:db8:1::1" in out
    assert here.linux("ndisc6", "-n", "-q", "fe80::ff:fe00:1101", "kl0").strip().lower() == "02:00:00:00:11:01"
    assert "Timed out" in here.linux("ndisc6", "-n", "-r", "1", "-w", "300", "2001:db8:1::dead", "kl0", check=False)
    out = here.linux("rdisc6", "-n", "-1", "kl0")
    assert re.search(r"Router lifetime +: +1800 ", out)
    assert re.search(r"Prefix +: 2001:db8:1::/64\n +On-link +: +Yes\n +Autonomous address conf.: +Yes", out)
    assert "Source link-layer address: 02:00:00:00:01:01" in out
    assert "from fe80::ff:fe00:101" in out


def test_linux_follows_our_redirect(here: Joint) -> None:
    """Its default router knows a better next hop on the link for 2001:db8:2::/64, and says so."""
    target = "2001:db8:2::ff:fe00:2201"
    wait_for("h2's address", lambda: target in here.node("h2: ifconfig ne0").output)
    out = here.linux("ping", "-6", "-n", "-c", "2", "-i", "0.3", target)
    assert "2 packets transmitted, 2 received" in out
    wait_for("the redirect", lambda: "via fe80::ff:fe00:201" in here.linux("ip", "-6", "route", "get", target))
    assert re.search(r"^\t[1-9]\d* redirects? sent$", here.node("r1: netstat -s -p ip6").output, re.MULTILINE)


def test_linux_loses_and_regains_its_router(here: Joint) -> None:
    """rtadvd's last advertisement takes the route away; a new rtadvd brings it back."""
    pid = re.search(r"^ *(\d+) .*rtadvd", here.node("r1: ps").output, re.MULTILINE)
    assert pid is not None
    assert here.node(f"r1: kill {pid[1]}").status == 0
    wait_for("no default router", lambda: not here.defaults())
    assert here.node("r1: rtadvd ne0").status == 0
    wait_for("the default router", lambda: here.defaults() == {"fe80::ff:fe00:101"}, 25)


def test_a_reboot_is_over_when_exec_returns(here: Joint) -> None:
    """As a test framework drives it: forgotten what a power cut forgets, up with tested addresses."""
    here.node("h1: ping6 -c 1 2001:db8:1::1")
    exec_line = [sys.executable, "-m", "kamelab", "exec", "--control", here.socket]
    done = subprocess.run([*exec_line, "reboot", "h1"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    said = here.node("h1: ifconfig ne0").output
    assert "2001:db8:1::ff:fe00:1101" in said
    assert "tentative" not in said
    assert "2001:db8:1::1 " not in here.node("h1: ndp -an").output
    out = here.linux("ping", "-6", "-n", "-c", "1", "2001:db8:1::ff:fe00:1101")
    assert "1 received" in out


def test_exec_costs_little_and_an_idle_lab_next_to_nothing(here: Joint) -> None:
    """Under 300 ms beyond the command itself; processor time of a quiet second far below a tenth of it."""
    spent = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "kamelab", "exec", "--control", here.socket, "h1: true"], cwd=ROOT, check=True
        )
        spent.append(time.monotonic() - began)
    assert min(spent) < 0.3
    before = processor_ticks(here.lab.pid)
    time.sleep(1)
    assert processor_ticks(here.lab.pid) - before <= os.sysconf("SC_CLK_TCK") // 10


def processor_ticks(pid: int) -> int:
    """User and system time of a process so far (proc(5) stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# -- the router there ------------------------------------------------------------------------------------------------


def test_our_host_configures_itself_from_radvd(there: Joint) -> None:
    """Address, lifetimes, hop limit and default router as radvd gives them."""
    own = "2001:db8:5::ff:fe00:1101"
    wait_for("h1's address", lambda: re.search(f"{own} prefixlen 64 autoconf", there.node("h1: ifconfig ne0").output))
    wait_for("its test", lambda: "tentative" not in there.node("h1: ifconfig ne0").output)
    routes = there.node("h1: netstat -rn").output
    assert re.search(rf"^default +{LINUX_LL}%ne0 ", routes, re.MULTILINE)
    assert "61" in there.node("h1: ndp -i ne0").output
    assert "2001:db8:5::/64" in there.node("h1: ndp -p").output
    assert there.node("h1: ping6 -n -c 2 2001:db8:5::1").status == 0
    assert "2 received" in there.linux("ping", "-6", "-n", "-c", "2", "-i", "0.2", own)


def test_our_host_follows_linuxs_redirect(there: Joint) -> None:
    """Linux is the default router and knows that r2 is the better next hop."""
    wait_for("h1's address", lambda: "2001:db8:5::ff:fe00:1101" in there.node("h1: ifconfig ne0").output)
    there.node("r2: route add -inet6 2001:db8:5:: -prefixlen 64 2001:db8:5::2")

    def redirected() -> bool:
        there.node("h1: ping6 -n -c 1 2001:db8:2::1")
        return (
            re.search(r"^2001:db8:2::1 +fe80::ff:fe00:201%ne0 +UGHD", there.node("h1: netstat -rn").output, re.M)
            is not None
        )

    wait_for("the route of the redirect", redirected)
    assert there.node("h1: ping6 -n -c 1 2001:db8:2::1").status == 0


def test_our_host_loses_and_regains_its_router(there: Joint) -> None:
    """radvd's last advertisement has a lifetime of 0."""

    def has_router() -> bool:
        return LINUX_LL in there.node("h1: ndp -r").output

    wait_for("the router", has_router)
    there.stop(there.others.pop())
    wait_for("no router", lambda: not has_router())
    there.others.append(start_radvd(there))
    wait_for("the router again", has_router)


def test_the_session_replays_without_the_device(there: Joint, tmp_path: Path) -> None:
    """Saved while it runs, it is opened here, where there is no Linux kernel, with every frame in its place."""
    path = tmp_path / "joint.session"
    assert there.node(f"save {path}").status == 0
    session = open_session(str(path))
    assert session.ports == ("lan1 kl0",)
    assert sum(entry.kind == "frame" for entry in session.journal) > 10
    session.close()


@pytest.mark.parametrize("pytun", [True, False])
def test_a_device_opens_with_pytun_and_without(pytun: bool) -> None:
    """python-pytun and the bare ioctl give the same device: a frame written is one that the kernel received."""
    need(PROGRAMS)
    name = f"kamelab-{os.getpid()}-dev"
    code = (
        "import sys; from pathlib import Path; from kamelab.bridge.tap import open_tap;"
        f"tap = open_tap('kl1', pytun={pytun});"
        "assert tap.write(bytes.fromhex('333300000001020000000001') + b'\\x86\\xdd' + bytes(46));"
        "print(Path('/sys/class/net/kl1/statistics/rx_packets').read_text().strip());"
        "tap.close(); print(Path('/sys/class/net/kl1').exists())"
    )
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        done = subprocess.run(
            ["ip", "netns", "exec", name, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        )
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
    assert (done.stdout, done.stderr) == ("1\nFalse\n", "")


def test_a_deleted_device_is_noticed() -> None:
    """`ip link del` while it is open: an error that says so, not a loop that reads nothing for ever."""
    need(PROGRAMS)
    name = f"kamelab-{os.getpid()}-gone"
    code = (
        "import select, subprocess; from kamelab.bridge.tap import open_tap; tap = open_tap('kl1');"
        "subprocess.run(['ip', 'link', 'del', 'kl1'], check=True); select.select([tap], [], [], 5);"
        "print(tap.write(bytes(60))); tap.read()"
    )
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        done = subprocess.run(
            ["ip", "netns", "exec", name, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        )
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
    assert done.stdout == "False\n"
    assert "BridgeError: kl1 is gone: File descriptor in bad state" in done.stderr


def test_a_busy_device_is_refused_in_one_sentence(here: Joint) -> None:
    """Two labs can't have one device."""
    done = here.linux(
        sys.executable, "-m", "kamelab", "run", str(here.lab_file), "--realtime", "--tap", "lan1=kl0", "--until", "1s",
        check=False,
    )  # fmt: skip
    assert done == ""
    code = "from kamelab.bridge.tap import open_tap\nopen_tap('kl0')"
    said = subprocess.run(
        ["ip", "netns", "exec", here.ns, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    ).stderr
    assert said.rstrip().endswith("BridgeError: kl0 is in use by another program")
