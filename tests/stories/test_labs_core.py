"""The labs of the IPv6 core, 14 to 16 and 20 to 24: solved in other ways than the author's, and not by mistake."""

from __future__ import annotations

import pytest
from test_labs_nd import at_task, passed, played, said

from kamelab.lab.console import execute
from kamelab.lab.library import find_lab
from kamelab.lab.loader import load_lab
from kamelab.lab.session import Session

NAMES = (
    "what-travels-in-front",
    "a-hole-in-the-road",
    "return-to-sender",
    "a-conversation",
    "heavy-loads",
    "borrowed-addresses",
    "a-bad-line",
    "what-is-your-name",
)


def marks(session: Session) -> list[bool]:
    return [check.passed for check in session.tasks.active.checks]


@pytest.mark.parametrize("name", NAMES)
def test_a_lab_has_text_solutions_and_references_to_rfcs_and_kame(name: str) -> None:
    source = find_lab(name)
    lab = load_lab(source.text, source.path)
    assert all(task.checks and task.solution and task.text for task in lab.tasks)
    assert any(one.startswith("RFC") for one in lab.references)
    assert any(one.startswith("KAME") for one in lab.references)
    assert lab.minutes
    assert lab.summary


def test_what_travels_in_front_in_another_way() -> None:
    result = played(
        "what-travels-in-front",
        """
        run 1m
        h1: exttest -w 1 2001:db8:2::2 dst:0x3f=00
        h1: exttest -w 1 2001:db8:2::2 dst:0x7f
        h1: exttest -w 1 2001:db8:2::2 dst:0xff
        h1: exttest -w 1 ff02::1%ne0 dst:0xff
        h1: exttest -w 1 2001:db8:2::2 hbh:0xff
        h1: exttest -w 1 2001:db8:2::2 rt:0 hbh
        h1: exttest -w 1 2001:db8:2::2 253
        h1: exttest -w 1 2001:db8:2::2 'dst*60'
        h2: sysctl -w net.inet6.ip6.hdrnestlimit=5
        h1: exttest -w 1 2001:db8:2::2 dst dst dst
        h1: exttest -w 1 2001:db8:2::2 dst dst dst dst dst dst dst dst
        # By traceroute6, and the limit on one router after the other.
        h1: ping6 -c 1 2001:db8:f::b1 2001:db8:f::a1 2001:db8:2::2
        all: sysctl -w net.inet6.ip6.rthdr0=0
        h1: traceroute6 -n -m 3 -q 1 -g 2001:db8:f::b1 2001:db8:2::2
        h1: exttest -w 1 2001:db8:2::2 none
        h1: exttest -w 1 2001:db8:2::2 hbh dst rt:0 frag dst
        h1: exttest -w 1 2001:db8:2::2 frag
        h2: netstat -ss -p ip6
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_a_limit_that_refuses_everything_or_nothing_does_not_pass() -> None:
    session = at_task("what-travels-in-front", 3)
    for limit in (2, 0):
        execute(session, f"h2: sysctl -w net.inet6.ip6.hdrnestlimit={limit}")
        execute(session, "h1: exttest -w 1 2001:db8:2::2 'dst*3'")
        execute(session, "h1: exttest -w 1 2001:db8:2::2 'dst*8'")
    assert not session.tasks.active.passed
    assert marks(session)[0] is False


def test_a_hole_in_the_road_in_another_way() -> None:
    result = played(
        "a-hole-in-the-road",
        """
        run 1m
        h2: ping6 -m -c 4 -s 1452 2001:db8:1::1
        h1: ping6 -c 2 -s 9000 2001:db8:2::2
        link lan2 loss=50%
        h1: ping6 -c 30 -i 0.5 -s 2000 2001:db8:2::2
        link lan2 loss=0%
        run 2m
        link wan mtu=9000
        r1: ifconfig ne1 mtu 1500
        r2: ifconfig ne0 mtu 1500
        # Does not wait.
        h1: route delete -inet6 2001:db8:2::2
        h2: route delete -inet6 2001:db8:1::1
        h1: ping6 -m -c 2 -s 1440 2001:db8:2::2
        link wan mtu=1400
        r1: ifconfig ne1 mtu 1400; sysctl -w net.inet6.icmp6.errppslimit=0
        r2: ifconfig ne0 mtu 1400; sysctl -w net.inet6.icmp6.errppslimit=0
        h1: ping6 -m -c 1 -s 1440 2001:db8:2::2
        # The interfaces in place of the routes.
        h1: ifconfig ne0 mtu 1400
        h2: ifconfig ne0 mtu 1400
        h1: ping6 -m -c 1 -s 1440 2001:db8:2::2
        h1: ifconfig ne0 mtu 1500
        h2: ifconfig ne0 mtu 1500
        all: sysctl -w net.inet6.icmp6.errppslimit=100
        link wan mtu=1350
        h1: ping6 -m -c 2 -s 1320 2001:db8:2::2
        r2: ifconfig ne0 mtu 1350
        r1: ifconfig ne1 mtu 1350
        h2: ping6 -m -c 3 -s 1440 2001:db8:1::1
        h1: ping6 -m -c 3 -s 1440 2001:db8:2::2
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_small_packets_do_not_find_the_hole() -> None:
    session = at_task("a-hole-in-the-road", 4)
    for line in session.tasks.active.spec.solution[:5]:
        execute(session, line)
    execute(session, "h1: ping6 -c 5 2001:db8:2::2")
    execute(session, "h1: ping6 -c 2 -s 1440 2001:db8:2::2")
    assert marks(session) == [False, False]


def test_telling_the_routers_does_not_pass_before_the_hole_was_seen() -> None:
    session = at_task("a-hole-in-the-road", 5)
    for line in ("link wan mtu=1350", "r1: ifconfig ne1 mtu 1350", "r2: ifconfig ne0 mtu 1350"):
        execute(session, line)
    execute(session, "h1: ping6 -m -c 5 -s 1440 2001:db8:2::2")
    assert marks(session)[0] is False


def test_return_to_sender_in_another_way() -> None:
    result = played(
        "return-to-sender",
        """
        run 10s
        h1: traceroute6 -n -q 1 2001:db8:2::2
        h1: traceroute6 -n -q 1 -m 2 2001:db8:77::1
        h1: traceroute6 -n -q 1 -m 2 2001:db8:f::77
        h1: nc -u -z -w 1 -s fe80::260:97ff:fe00:1%ne0 2001:db8:f::b1 9
        h1: exttest -w 1 -I ne0 ff02::1 200
        h1: ifconfig ne0 inet6 2001:db8:7::1/64
        run 5s
        h1: echo hello | nc -u -w 1 -s 2001:db8:7::1 2001:db8:2::2 9
        r1: sysctl -w net.inet6.icmp6.errppslimit=1
        h1: ping6 -f -c 100 -i 0.01 2001:db8:9::1
        h1: ping6 -q -c 100 -l 100 2001:db8:9::1
        h1: traceroute6 -n 2001:db8:2::2
        r1: sysctl -w net.inet6.icmp6.errppslimit=-1
        r1: sysctl -w net.inet6.icmp6.errratelimit=95000
        h1: ping6 -c 20 -i 0.05 2001:db8:9::1
        r1: route add -inet6 2001:db8:9::/64 ::1 -reject
        h1: ping6 -m -c 1 -s 1300 2001:db8:9::1
        r1: route delete -inet6 2001:db8:9::/64
        r1: route add -inet6 2001:db8:9::/64 ::1 -blackhole
        h1: ping6 -m -c 1 -s 1300 2001:db8:9::1
        """,
    )
    assert passed(result) == ["passed"] * 4, result


def test_a_limit_without_bad_packets_shows_nothing() -> None:
    session = at_task("return-to-sender", 3)
    execute(session, "r1: sysctl -w net.inet6.icmp6.errratelimit=80000")
    execute(session, "h1: ping6 -c 20 -i 0.05 2001:db8:2::2")
    assert marks(session) == [False, False, False]


def test_a_conversation_in_another_way() -> None:
    result = played(
        "a-conversation",
        """
        run 10s
        h1: echo GET / | nc -N 2001:db8:2::5 80
        run 5s
        all: netstat -a
        h1: telnet 2001:db8:2::5 81
        # The line fails, not the server.
        link wan down
        h1: fetch -o /tmp/none -w 15 http://[2001:db8:2::5]/bytes/10
        link wan up
        run 10s
        h1: fetch -o /tmp/none http://[2001:db8:2::5]/bytes/10
        link wan loss=3%
        h1: fetch -q -o /tmp/big http://[2001:db8:2::5]:80/bytes/300000
        link wan loss=0%
        h1: cksum /tmp/big
        s1: netstat -s -p tcp
        s1: sysctl -w net.inet.tcp.initcwnd_segments=1
        link wan queue=4
        h1: fetch -o /tmp/mid http://[2001:db8:2::5]/bytes/20000
        h1: fetch -o /tmp/big http://[2001:db8:2::5]/bytes/300000
        link wan queue=0
        s1: nc -k -l 5000 > /tmp/got &
        h1: nc 2001:db8:2::5 5000 &
        run 2s
        h1: nc -N -w 300 2001:db8:2::5 5000 < /tmp/big &
        run 2m
        h1: kill %1
        run 2m
        s1: cksum /tmp/got
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_a_window_that_never_closes_is_not_one_that_opens_again() -> None:
    session = at_task("a-conversation", 5)
    for line in ("link wan queue=0", "s1: nc -l 5000 > /tmp/got &", "h1: nc -N 2001:db8:2::5 5000 < /tmp/big"):
        execute(session, line)
    execute(session, "s1: cksum /tmp/got")
    assert marks(session) == [False, False, True]


def test_heavy_loads_in_another_way() -> None:
    result = played(
        "heavy-loads",
        """
        run 10s
        r1: ping6 -c 1 2001:db8:1::1
        h1: ping6 -c 3 -b 100000 -s 65527 2001:db8:1::a1
        h1: ping6 -c 1 -b 100000 -s 65528 2001:db8:1::a1
        h1: ifconfig lo0 mtu 110000
        h1: ping6 -c 1 -b 200000 -s 100000 ::1
        h1: ping6 -c 1 -b 200000 -s 65527 ::1
        h1: ping6 -c 1 -b 200000 -s 100000 2001:db8:1::a1
        h1: netstat -ss -p ip6
        h1: ifconfig lo0 mtu 66000; ping6 -c 1 -b 70000 -s 65528 ::1
        h1: exttest -w 1 2001:db8:1::a1 hbh:0xc2=00
        h1: exttest -w 1 2001:db8:1::a1 hbh:0xc2=00020000
        h1: exttest -w 1 2001:db8:1::a1 dst:0xc2=00020000
        r1: netstat -s
        """,
    )
    assert passed(result) == ["passed"] * 4, result


def test_a_large_loopback_does_not_make_a_large_wire() -> None:
    session = at_task("heavy-loads", 2)
    execute(session, "h1: ifconfig lo0 mtu 70100")
    assert "Message too long" in said(session, "h1: ping6 -c 1 -b 70000 -s 68000 2001:db8:1::a1")
    assert marks(session) == [False, False]


def test_borrowed_addresses_in_another_way() -> None:
    result = played(
        "borrowed-addresses",
        """
        run 10s
        h1: ping6 -c 1 2002:c633:6401:1::2
        h1: ifconfig ne0 inet6 ::198.51.100.9/96
        h1: ifconfig ne0 inet6 2002:c000:201:1::1/64
        run 5s
        h1: traceroute6 -n -m 3 -q 1 2002:a01:203::1
        h1: ping6 -c 1 2002:a01:203::1
        # One by one in place of the file.
        r1: route add -inet6 2002:a00::/24 ::1 -reject; route add -inet6 2002:7f00::/24 ::1 -reject
        r1: route add -inet6 2002:e000::/20 ::1 -reject
        h1: traceroute6 -n -m 3 -q 1 2002:7f00:1::1
        h1: ping6 -c 2 2002:c633:6401:1::2
        h1: traceroute6 -n -m 2 -q 1 ::224.0.0.1
        h1: exttest -w 1 2001:db8:1::a1 rt:0,1,::
        h1: route add -inet6 2002:a00::/24 ::1 -reject
        h1: route add -inet6 2002:ac10::/28 ::1 -reject
        h1: ping6 -c 1 2002:aff:1::1
        h1: ping6 -c 1 2002:c633:6401:1::2
        """,
    )
    assert passed(result) == ["passed"] * 4, result


def test_refusing_all_of_6to4_is_too_much() -> None:
    session = at_task("borrowed-addresses", 4)
    execute(session, "h1: route add -inet6 2002::/16 ::1 -reject")
    execute(session, "h1: ping6 -c 1 2002:a00:1::1")
    execute(session, "h1: ping6 -c 1 2002:c633:6401:1::2")
    assert marks(session) == [False, True, False, False]


def test_a_bad_line_in_another_way() -> None:
    result = played(
        "a-bad-line",
        """
        run 30s
        spy: tcpdump -n -c 4 > /tmp/a &
        h1: ping6 -c 2 2001:db8:1::2
        spy: cat /tmp/a
        link lan switch=on
        h1: ping6 -c 1 2001:db8:1::2
        spy: tcpdump -n -c 2 'icmp6[0] = 135' > /tmp/b &
        h1: ndp -c; ping6 -c 1 2001:db8:1::2; ndp -c; ping6 -c 1 2001:db8:1::2
        spy: cat /tmp/b
        link lan duplicate=50%
        h1: ping6 -c 10 -i 0.2 2001:db8:1::2
        h1: fetch -q -o /tmp/f http://[2001:db8:1::2]/bytes/200000
        h1: sha256 /tmp/f
        h1: netstat -s -p tcp
        link lan duplicate=0% jitter=40ms
        h1: ping6 -c 30 -i 0.1 2001:db8:1::2
        link lan jitter=0s reorder=30%
        h1: fetch -q -o /tmp/f http://[2001:db8:1::2]/bytes/200000
        s1: netstat -s -p tcp
        h1: netstat -s -p tcp
        link lan reorder=0% corrupt=20%
        h1: ping6 -c 100 -i 0.01 2001:db8:1::2
        h1: fetch -o /tmp/f http://[2001:db8:1::2]/bytes/200000
        link lan corrupt=0%
        h1: cksum /tmp/f
        """,
    )
    assert passed(result) == ["passed"] * 4, result


def test_a_hub_does_not_pass_for_a_switch() -> None:
    session = at_task("a-bad-line", 1)
    execute(session, "run 15s")
    execute(session, "spy: tcpdump -n -c 8 > /tmp/heard &")
    for _ in range(2):
        execute(session, "h1: ndp -c")
        execute(session, "h1: ping6 -c 1 2001:db8:1::2")
    execute(session, "spy: cat /tmp/heard")
    assert marks(session) == [True, False]


def test_what_is_your_name_in_another_way() -> None:
    result = played(
        "what-is-your-name",
        """
        run 30s
        h1: ping6 -c 1 -w fe80::260:97ff:fe00:2%ne0
        h1: ping6 -c 1 -w fe80::260:97ff:fe00:3%ne0
        h1: ping6 -c 1 -w fe80::260:97ff:fe00:101%ne0
        h1: ping6 -c 1 -I ne0 -N -a ag kiwi
        h1: ping6 -c 1 -I ne0 -N -a ag r1
        kiwi: sysctl -w net.inet6.icmp6.nodeinfo=0
        mango: sysctl -w net.inet6.icmp6.nodeinfo=9
        h1: ping6 -c 1 -I ne0 -w fe80::260:97ff:fe00:2
        h1: ping6 -c 1 2001:db8:1::2
        stranger: ping6 -c 1 -w 2001:db8:1::3
        mango: sysctl -w net.inet6.icmp6.nodeinfo=3
        r1: ping6 -c 1 -I ne0 -N mango
        h1: ping6 -c 1 -I ne0 -a g -N mango
        h1: ping6 -c 1 -I ne0 -N banana
        """,
    )
    assert passed(result) == ["passed"] * 4, result


def test_telling_everybody_everything_does_not_pass() -> None:
    session = at_task("what-is-your-name", 3)
    execute(session, "all: sysctl -w net.inet6.icmp6.nodeinfo=15")
    for number in (2, 3):
        execute(session, f"stranger: ping6 -c 1 -w 2001:db8:1::{number}")
    assert marks(session) == [True, False, False, False]
