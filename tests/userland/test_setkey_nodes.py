"""setkey on real nodes: associations and policies by hand, and packets that they protect (KAME USAGE, IPsec).

Stories are told from the shell: what one types, and what a stranger on the wire can read.
"""

from __future__ import annotations

import pytest
from real_nodes import Bench, routed, small

from kamelab.stack import syscalls

SAS = """\
add 2001:db8:1::1 2001:db8:1::2 esp 0x1000 -E aes-cbc "sixteen octets !" -A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";
add 2001:db8:1::2 2001:db8:1::1 esp 0x1001 -E aes-cbc "sixteen octets !" -A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";
"""
PING = """\
spdadd 2001:db8:1::1 2001:db8:1::2 icmp6 128,0 -P {} ipsec esp/transport//require;
spdadd 2001:db8:1::2 2001:db8:1::1 icmp6 129,0 -P {} ipsec esp/transport//require;
"""
PING1, PING2 = PING.format("out", "in"), PING.format("in", "out")


def setkey(bench: Bench, name: str, text: str) -> str:
    """Lines for setkey's standard input; what it says."""
    return bench.sh(name, f"echo '{text}' | setkey -c").output


def wire(bench: Bench, name: str) -> list[bytes]:
    """The packets that a node has put on its links."""
    return [row[12][14:] for row in bench.net.trace.packets if row[2] == name and row[6] == "tx"]


def protos(bench: Bench, name: str) -> list[int]:
    """The first next header of packets from a node that hold a pattern or are ESP or AH."""
    return [packet[6] for packet in wire(bench, name) if packet[6] in (50, 51, 108) or b"SECRET" in packet]


def account(bench: Bench) -> None:
    """Nobody's engine had an internal error."""
    for node in bench.net.nodes.values():
        assert not [text for _, text in node.kernel_log if "internal error" in text]


def test_what_was_added_is_listed_and_can_be_flushed() -> None:
    bench = small()
    assert setkey(bench, "h1", SAS + PING1) == ""
    listed = bench.sh("h1", "setkey -D").output
    assert "esp mode=any spi=4096(0x00001000) reqid=0(0x00000000)" in listed
    assert "state=mature" in listed
    assert "\tout ipsec\n\tesp/transport//require\n" in bench.sh("h1", "setkey -DP").output
    assert "File exists" in setkey(bench, "h1", SAS)
    bench.sh("h1", "setkey -FP; setkey -F")
    assert bench.sh("h1", "setkey -D; setkey -DP").output == "No SAD entries.\nNo SPD entries.\n"


def test_nobody_can_read_pings_between_two_nodes_with_the_same_keys() -> None:
    bench = small()
    setkey(bench, "h1", SAS + PING1)
    setkey(bench, "h2", SAS + PING2)
    assert "2 packets received" in bench.sh("h1", "ping6 -c 2 -p 534543524554 -s 64 2001:db8:1::2").output
    assert protos(bench, "h1") == [50, 50]
    assert protos(bench, "h2") == [50, 50]
    assert "in_success" not in (shown := bench.sh("h2", "netstat -s -p ipsec6").output)
    assert "\t2 inbound packets processed well\n" in shown
    assert "rijndael-cbc: 2" in shown
    account(bench)


def test_without_the_policy_on_the_other_side_pings_are_answered_in_clear_and_refused_here() -> None:
    bench = small()
    setkey(bench, "h1", SAS + PING1)
    setkey(bench, "h2", SAS)
    assert " 0 packets received" in bench.sh("h1", "ping6 -c 1 2001:db8:1::2").output
    assert bench.net.nodes["h1"].counters()["ipsec6.in_polvio"] == 1


def test_without_association_require_is_silence_and_use_goes_in_clear() -> None:
    bench = small()
    setkey(bench, "h1", PING1.splitlines()[0])
    assert " 0 packets received" in bench.sh("h1", "ping6 -c 1 2001:db8:1::2").output
    assert bench.net.nodes["h1"].counters()["ipsec6.out_nosa"] == 1
    setkey(bench, "h1", "spdflush;" + PING1.splitlines()[0].replace("require", "use"))
    assert " 1 packets received" in bench.sh("h1", "ping6 -c 1 2001:db8:1::2").output


def test_a_large_ping_is_protected_whole_and_then_cut() -> None:
    bench = small()
    setkey(bench, "h1", SAS + PING1)
    setkey(bench, "h2", SAS + PING2)
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    assert " 1 packets received" in bench.sh("h1", "ping6 -c 1 -s 3000 2001:db8:1::2").output
    counters = bench.net.nodes["h2"].counters()
    assert (counters["ipsec6.in_success"], counters["ip6.reassembled"]) == (2, 1)


def test_ah_vouches_for_a_packet_and_anybody_can_read_it() -> None:
    bench = small()
    lines = (
        'add 2001:db8:1::1 2001:db8:1::2 ah 0x2000 -A hmac-md5 "KAMEKAMEKAMEKAME";'
        " spdadd 2001:db8:1::1 2001:db8:1::2 icmp6 128,0 -P {} ipsec ah/transport//require;"
    )
    setkey(bench, "h1", lines.format("out"))
    setkey(bench, "h2", lines.format("in"))
    assert " 1 packets received" in bench.sh("h1", "ping6 -c 1 -p 534543524554 -s 64 2001:db8:1::2").output
    assert protos(bench, "h1") == [51]
    assert b"SECRET" in wire(bench, "h1")[-1]
    assert bench.net.nodes["h2"].counters()["ipsec6.in_ahauthsucc"] == 1


def test_ping6_brings_its_own_policy() -> None:
    bench = small()
    for name in ("h1", "h2"):
        setkey(bench, name, SAS)
    line = 'ping6 -c 1 -P "out ipsec esp/transport//require" -p 534543524554 -s 64 2001:db8:1::2'
    assert " 1 packets received" in bench.sh("h1", line).output
    assert protos(bench, "h1") == [50]
    assert protos(bench, "h2") == [58], "the answer needs no protection"
    assert bench.sh("h1", "setkey -DP").output == "No SPD entries.\n", "it went with the socket"
    assert "libipsec: " in bench.sh("h1", "ping6 -P ipsec 2001:db8:1::2").output


def test_tcp_leaves_room_for_its_protection() -> None:
    bench = small()
    for name, ways in (("h1", ("out", "in")), ("h2", ("in", "out"))):
        setkey(
            bench, name, SAS
            + f"spdadd 2001:db8:1::1 2001:db8:1::2 tcp -P {ways[0]} ipsec esp/transport//require;"
            + f"spdadd 2001:db8:1::2 2001:db8:1::1 tcp -P {ways[1]} ipsec esp/transport//require;"
        )  # fmt: skip
    h1, h2 = (bench.net.nodes[name] for name in ("h1", "h2"))
    server = syscalls.socket(h2, 0, "tcp6", 0)
    syscalls.bind(h2, server, bytes(16), 4000, 0)
    syscalls.listen(h2, server)
    client = syscalls.socket(h1, 0, "tcp6", 0)
    addr = bytes.fromhex("20010db8000100000000000000000002")
    syscalls.connect_stream(h1, client, addr, 4000)
    bench.run(1)
    assert syscalls.connect_stream(h1, client, addr, 4000)
    taken = syscalls.accept(h2, server)
    syscalls.push(h1, client, b"SECRET" * 1000)
    bench.run(5)
    got = b""
    while data := syscalls.recv(h2, taken):
        got += data
    assert got == b"SECRET" * 1000
    assert h1.counters().get("ip6.fragmented", 0) == 0
    assert not [packet for packet in wire(bench, "h1") if b"SECRET" in packet]


TUNNEL = """\
add 2001:db8:1::1 2001:db8:2::2 esp 0x1000 -m tunnel -E aes-cbc "sixteen octets !" -A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";
add 2001:db8:2::2 2001:db8:1::1 esp 0x1001 -m tunnel -E aes-cbc "sixteen octets !" -A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";
spdadd 2001:db8:1::1 2001:db8:2::2 any -P {} ipsec esp/tunnel/2001:db8:1::1-2001:db8:2::2/require;
spdadd 2001:db8:2::2 2001:db8:1::1 any -P {} ipsec esp/tunnel/2001:db8:2::2-2001:db8:1::1/require;
"""


def test_a_tunnel_between_two_hosts_hides_the_whole_packet() -> None:
    bench = routed()
    setkey(bench, "h1", TUNNEL.format("out", "in"))
    setkey(bench, "h2", TUNNEL.format("in", "out"))
    assert " 2 packets received" in bench.sh("h1", "ping6 -c 2 -p 534543524554 -s 64 2001:db8:2::2").output
    assert set(protos(bench, "r1")) == {50}
    account(bench)


GATEWAYS = """\
add 2001:db8:9::1 2001:db8:9::2 esp 0x1000 -m tunnel -E aes-cbc "sixteen octets !" -A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";
add 2001:db8:9::2 2001:db8:9::1 esp 0x1001 -m tunnel -E aes-cbc "sixteen octets !" -A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";
spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P {} ipsec esp/tunnel/2001:db8:9::1-2001:db8:9::2/require;
spdadd 2001:db8:2::/64 2001:db8:1::/64 any -P {} ipsec esp/tunnel/2001:db8:9::2-2001:db8:9::1/require;
"""


def gateways() -> Bench:
    """h1 - r1 - r2 - h2: what goes between the two houses is in a tunnel from router to router."""
    bench = Bench()
    for link in ("left", "middle", "right"):
        bench.link(link)
    bench.node("h1", "left")
    bench.node("r1", "left", "middle", forwarding=1)
    bench.node("r2", "middle", "right", forwarding=1)
    bench.node("h2", "right")
    bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::ff alias; ifconfig ne1 inet6 2001:db8:9::1 alias")
    bench.sh("r2", "ifconfig ne1 inet6 2001:db8:2::ff alias; ifconfig ne0 inet6 2001:db8:9::2 alias")
    bench.sh("r1", "route add -inet6 2001:db8:2:: -prefixlen 64 2001:db8:9::2")
    bench.sh("r2", "route add -inet6 2001:db8:1:: -prefixlen 64 2001:db8:9::1")
    for number, name in enumerate(("h1", "h2"), 1):
        bench.sh(name, f"ifconfig ne0 inet6 2001:db8:{number}::{number} alias")
        bench.sh(name, f"route add -inet6 default 2001:db8:{number}::ff")
    bench.run(3)
    setkey(bench, "r1", GATEWAYS.format("out", "in"))
    setkey(bench, "r2", GATEWAYS.format("in", "out"))
    return bench


def test_two_gateways_protect_what_their_hosts_send_in_clear() -> None:
    bench = gateways()
    said = bench.sh("h1", "ping6 -c 2 -p 534543524554 -s 64 2001:db8:2::2").output
    assert " 2 packets received" in said
    assert "hlim=62" in said, "two routers, whatever the tunnel"
    between = [
        row[12][14:] for row in bench.net.trace.packets
        if row[2] in ("r1", "r2") and row[6] == "tx" and row[12][20] == 50
    ]  # fmt: skip
    assert len(between) == 4
    assert not [packet for packet in between if b"SECRET" in packet]
    account(bench)


def test_a_gateway_tells_of_the_room_that_its_tunnel_leaves() -> None:
    bench = gateways()
    bench.sh("h1", "ping6 -c 1 2001:db8:2::2")
    for _ in ("the request is too big", "and its answer"):
        assert " 0 packets received" in bench.sh("h1", "ping6 -c 1 -mm -s 1400 2001:db8:2::2").output
    assert " 1 packets received" in bench.sh("h1", "ping6 -c 1 -mm -s 1400 2001:db8:2::2").output
    # 40 of the outer header, 8 of ESP, 16 of the IV, at most 17 of padding, 12 of the check value.
    assert [
        row.mtu for row in syscalls.rows(bench.net.nodes["h1"], "routes") if row.destination == "2001:db8:2::2"
    ] == [1500 - 93]
    account(bench)


def test_a_gateway_refuses_what_comes_past_the_tunnel() -> None:
    bench = gateways()
    bench.sh("r1", "setkey -FP")
    assert " 0 packets received" in bench.sh("h1", "ping6 -c 1 2001:db8:2::2").output
    assert bench.net.nodes["r2"].counters()["ipsec6.in_polvio"] == 1


def test_a_dead_association_goes_by_itself_and_listeners_hear_of_it() -> None:
    bench = small()
    watcher = bench.start("h1", "setkey -x >/tmp/heard")
    setkey(bench, "h1", SAS.splitlines()[0].replace("0x1000", "0x1000 -lh 20 -ls 10"))
    assert "state=mature" in bench.sh("h1", "setkey -D").output
    bench.run(25)
    assert bench.sh("h1", "setkey -D").output == "No SAD entries.\n"
    heard = bench.sh("h1", "cat /tmp/heard").output
    assert "type=3(add)" in heard
    assert watcher


def test_a_node_that_is_switched_off_forgets_keys() -> None:
    bench = small()
    setkey(bench, "h1", SAS + PING1)
    node = bench.net.nodes["h1"]
    node.power_off()
    assert syscalls.rows(node, "sas") == syscalls.rows(node, "policies") == ()
    assert not node.ipsec


@pytest.mark.parametrize("value", [0, 1])
def test_the_default_policy_may_be_to_discard(value: int) -> None:
    bench = small()
    bench.sh("h1", f"sysctl -w net.inet6.ipsec6.def_policy={value}")
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    assert bench.net.nodes["h1"].counters().get("ipsec6.out_polvio", 0) == (0 if value else 1)


def test_the_search_for_a_policy_is_in_the_trace() -> None:
    bench = small()
    setkey(bench, "h1", SAS + PING1)
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    notes = [record.note for record in bench.net.trace.all() if record.reason == "policy out ipsec"]
    assert notes == ["spid 1: matches"]
