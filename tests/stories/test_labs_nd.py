"""The neighbor discovery labs, 04 to 12: solved in other ways than the author's, and what can't be passed by mistake.

That every shipped lab lints clean, passes by its solutions with any seed and fails without is in `test_labs`.
"""

from __future__ import annotations

import pytest

from kamelab.lab.console import execute
from kamelab.lab.console_tasks import solution_statements
from kamelab.lab.grading import Grade, grade
from kamelab.lab.library import LabSource, find_lab
from kamelab.lab.loader import load_lab
from kamelab.lab.opening import open_source
from kamelab.lab.session import Session

NAMES = (
    "taken-already",
    "are-you-still-there",
    "which-way-out",
    "not-this-way",
    "new-numbers",
    "which-street",
    "many-faces",
    "in-its-name",
    "a-stranger-on-the-wire",
)


def played(name: str, text: str) -> Grade:
    return grade(find_lab(name), LabSource("script", "script", text))


def passed(result: Grade) -> list[str]:
    return [task.status for task in result.tasks]


def at_task(name: str, number: int) -> Session:
    """A session in which the tasks before have been passed by their solutions."""
    session = open_source(find_lab(name))
    for task in session.tasks.states[: number - 1]:
        for statement in solution_statements(task):
            execute(session, statement)
    assert session.tasks.active.number == number
    return session


def said(session: Session, line: str) -> str:
    session.take_output()
    execute(session, line)
    return "".join(chunk.text for chunk in session.take_output())


@pytest.mark.parametrize("name", NAMES)
def test_a_lab_has_four_tasks_or_more_with_text_hints_and_references(name: str) -> None:
    source = find_lab(name)
    lab = load_lab(source.text, source.path)
    assert len(lab.tasks) >= 4
    assert [len(task.hints) for task in lab.tasks] == [3] * len(lab.tasks)
    assert all(task.checks and task.solution and task.text for task in lab.tasks)
    assert any(one.startswith("RFC") for one in lab.references)
    assert any(one.startswith("KAME") for one in lab.references)
    assert lab.minutes
    assert lab.summary


def test_taken_already_in_another_way() -> None:
    result = played(
        "taken-already",
        """
        run 1m
        h1: ifconfig ne0 inet6 2001:db8:1::2/64
        run 10s
        h1: ifconfig ne0 down; ifconfig ne0 up
        run 10s
        h1: ifconfig ne0 inet6 2001:db8:1::21/64
        run 5s
        h1: ifconfig ne0 inet6 2001:db8:1::2 -alias
        h1: ifconfig -a
        # h3 first, and less than the link's delay apart.
        h3: ifconfig ne0 inet6 2001:db8:1::40/64
        run 500us
        h1: ifconfig ne0 inet6 2001:db8:1::40/64
        run 5s
        h4: ifconfig ne0 up
        run 1m
        h4: dmesg
        h1: ping6 -c 1 -I ne0 fe80::260:97ff:fe00:4
        # Leaves the address to h2, and takes another one.
        h4: ifconfig ne0 inet6 fe80::4 prefixlen 64 alias
        h4: ifconfig ne0 inet6 fe80::260:97ff:fe00:4%ne0 delete
        h4: ndp -i ne0 -- -disabled
        run 5s
        h4: ping6 -c 1 fe80::260:97ff:fe00:1%ne0
        h3: sysctl -w net.inet6.ip6.dad_count=0
        h3: ifconfig ne0 inet6 2001:db8:1::1/64
        h2: ping6 -c 2 2001:db8:1::1
        h3: ifconfig ne0 inet6 2001:db8:1::1 delete
        h3: sysctl -w net.inet6.ip6.dad_count=2
        # Does not delete the entry: detection finds that h3 is no longer there.
        run 1m
        h2: ping6 -c 15 2001:db8:1::1
        """,
    )
    assert passed(result) == ["passed"] * 6, result


@pytest.mark.parametrize("pause", ["500ms", "2s"])
def test_who_asks_later_does_not_find_both_refused(pause: str) -> None:
    session = at_task("taken-already", 3)
    execute(session, "h1: ifconfig ne0 inet6 2001:db8:1::40 prefixlen 64 alias")
    execute(session, f"run {pause}")
    execute(session, "h3: ifconfig ne0 inet6 2001:db8:1::40 prefixlen 64 alias")
    execute(session, "run 5s")
    assert [check.passed for check in session.tasks.active.checks] == [False, False]


def test_an_interface_with_a_duplicated_hardware_address_sends_nothing_until_it_is_mended() -> None:
    session = at_task("taken-already", 5)
    assert "disabled" in said(session, "h4: ndp -i ne0")
    assert "Can't assign requested address" in said(session, "h4: ping6 -c 1 -I ne0 ff02::1")


def test_are_you_still_there_in_another_way() -> None:
    result = played(
        "are-you-still-there",
        """
        run 20s
        h1: traceroute6 -n 2001:db8:2::2
        run 2m
        # The link fails, not the host.
        link lan2 down
        h1: ping6 -c 40 2001:db8:2::2
        link lan2 up
        r1: sysctl -w net.inet6.icmp6.nd6_delay=2
        r1: ndp -i ne1 retrans=100
        r1: ndp -i ne1 basereachable=2000
        h1: ping6 -c 12 2001:db8:2::2
        link lan2 loss=100%
        h1: ping6 -c 12 2001:db8:2::2
        link lan2 loss=0%
        h1: ping6 -c 2 2001:db8:2::2
        h2: ifconfig ne0 down
        h3: ifconfig ne0 inet6 2001:db8:2::2/64
        run 10s
        h1: ping6 -c 10 2001:db8:2::2
        h3: ifconfig ne0 inet6 2001:db8:2::2 delete
        h2: ifconfig ne0 up
        run 30s
        r1: ndp -s 2001:db8:2::2 0:60:97:0:0:20
        h1: ping6 -c 1 2001:db8:2::2
        r1: ndp -c
        r1: ndp -d 2001:db8:2::2
        h1: ping6 -c 1 2001:db8:2::2
        r1: ndp -i ne1 -- -nud
        link lan2 down
        h1: ping6 -c 30 2001:db8:2::2
        r1: ndp -i ne1 nud
        h1: ping6 -c 30 2001:db8:2::2
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_with_detection_on_nobody_stays_silent_for_ten_pings() -> None:
    session = at_task("are-you-still-there", 5)
    execute(session, "h2: ifconfig ne0 down")
    execute(session, "h1: ping6 -c 20 2001:db8:2::2")
    assert [check.passed for check in session.tasks.active.checks] == [False, False, True]


def test_which_way_out_in_another_way() -> None:
    result = played(
        "which-way-out",
        """
        r1: rtadvd ne0 ne1
        run 1m
        r2: rtadvd ne0
        run 1m
        r2: echo 'ne0: :raflags="h":maxinterval#30:' > /etc/rtadvd.conf
        r2: kill -9 2
        r2: rtadvd ne0
        run 1m
        h1: ping6 -c 1 2001:db8:2::2
        # Without a wait: the pings themselves last until r2 is no longer REACHABLE, and longer.
        r2: ifconfig ne0 down
        h1: ping6 -c 60 2001:db8:2::2
        r2: ifconfig ne0 up
        run 1m
        r2: kill 8
        run 1m
        h1: ndp -r
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_a_router_that_is_killed_hard_takes_no_leave() -> None:
    session = at_task("which-way-out", 5)
    execute(session, "r2: kill -9 8")
    execute(session, "run 5m")
    execute(session, "h1: ndp -rn")
    assert [check.passed for check in session.tasks.active.checks] == [False, False, False]


def test_not_this_way_in_another_way() -> None:
    result = played(
        "not-this-way",
        """
        run 1m
        h1: traceroute6 -n 2001:db8:2::2
        h1: ping6 -c 1 2001:db8:2::2
        h1: sysctl -w net.inet6.icmp6.redirtimeout=10
        h1: route delete -inet6 2001:db8:2::2
        h1: ping6 -c 1 2001:db8:2::2
        h1: sysctl -w net.inet6.icmp6.rediraccept=0
        run 1m
        h1: ping6 -c 10 2001:db8:2::2
        r1: sysctl -w net.inet6.ip6.redirect=0
        h1: ping6 -c 10 2001:db8:2::2
        h1: sysctl -w net.inet6.icmp6.rediraccept=1
        r1: sysctl -w net.inet6.ip6.redirect=1
        h2: ping6 -c 3 2001:db8:1:0:260:97ff:fe00:1
        h1: ping6 -c 3 2001:db8:f::2
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_a_learned_route_goes_on_although_redirects_are_refused() -> None:
    session = at_task("not-this-way", 3)
    execute(session, "h1: sysctl -w net.inet6.icmp6.rediraccept=0")
    execute(session, "h1: ping6 -c 5 2001:db8:2::2")
    assert [check.passed for check in session.tasks.active.checks] == [True, False, True]


def test_new_numbers_in_another_way() -> None:
    result = played(
        "new-numbers",
        """
        r1: rtadvd -c /etc/short.conf ne0
        run 2m
        all: ifconfig -L ne0
        r1: ifconfig ne0 down
        run 8m
        r1: ifconfig ne0 up
        r1: kill -9 2
        run 20s
        h1: ping6 -c 1 2001:db8:1::a1
        run 10m
        h1: ifconfig ne0
        r1: rtadvd -c /etc/old.conf ne0
        run 1m
        r1: kill -9 12
        r1: ifconfig ne0 inet6 2001:db8:2::a1 prefixlen 64 alias
        r1: rtadvd -c /etc/both.conf ne0
        run 1m
        h1: ping6 -c 1 2001:db8:1::a1
        r1: kill -9 18
        r1: rtadvd -c /etc/kill.conf ne0
        run 5m
        h1: ifconfig -L
        run 3h
        h1: ifconfig ne0
        r1: kill -9 22
        r1: rtadvd -c /etc/apart.conf ne0
        run 10m
        h2: ping6 -c 1 2001:db8:3:0:260:97ff:fe00:1
        # A route does as well as an address.
        r1: route add -inet6 2001:db8:3::/64 -interface ne0
        h1: ping6 -c 2 2001:db8:3:0:260:97ff:fe00:2
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_an_address_survives_a_lifetime_of_zero_for_two_hours_and_no_longer() -> None:
    session = at_task("new-numbers", 4)
    execute(session, "r1: kill -9 16")
    execute(session, "r1: rtadvd -c /etc/kill.conf ne0")
    execute(session, "run 1h")
    assert "2001:db8:1:0:260:97ff:fe00:1" in said(session, "h1: ifconfig ne0")
    execute(session, "run 61m")
    assert "2001:db8:1:0:260:97ff:fe00:1" not in said(session, "h1: ifconfig ne0")


def test_which_street_in_another_way() -> None:
    result = played(
        "which-street",
        """
        run 10s
        h1: ping6 -c 1 -n fe80::2
        h1: ping6 -c 2 -I ne1 fe80::2
        h1: ping6 -c 2 fe80::2%1
        h1: ndp -I ne0
        h1: sysctl -w net.inet6.ip6.use_defaultzone=1
        h1: ping6 -c 1 fe80::2
        h1: ndp -I ne1
        h1: ping6 -c 1 fe80::2
        h1: ndp -I delete
        h1: ndp -I
        h1: route change -inet6 default fe80::a1%ne0
        h1: route delete -inet6 default
        h1: route add -inet6 default fe80::a1@ne0
        h1: ping6 -c 3 2001:db8:3::5
        h1: ping6 -c 1 -S fe80::260:97ff:fe00:1%ne0 2001:db8:3::5
        h1: ping6 -c 1 fe80:2::2
        h1: route delete -inet6 default
        h1: route add -inet6 default fe80:1::a1
        h1: netstat -rn | grep default
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_many_faces_in_another_way() -> None:
    result = played(
        "many-faces",
        """
        h1: rtsol ne0
        run 10s
        h1: traceroute6 -n 2001:db8:2::5
        h1: ping6 -c 2 2001:db8:2::5
        h1: sysctl -w net.inet6.ip6.prefer_tempaddr=1
        h1: sysctl -w net.inet6.ip6.use_tempaddr=1
        h1: ifconfig ne0 inet6 2001:db8:1:0:260:97ff:fe00:1 delete
        h1: rtsol ne0
        run 10s
        h1: ping6 -c 1 2001:db8:2::5
        h1: sysctl -w net.inet6.ip6.temppltime=800
        run 1d
        h1: ifconfig ne0
        h1: sysctl -w net.inet6.ip6.prefer_tempaddr=0
        h1: sysctl -w net.inet6.ip6.use_tempaddr=0
        run 8d
        h1: ifconfig
        h1: ping6 -c 1 2001:db8:2::5
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_the_switch_alone_makes_no_temporary_address() -> None:
    session = at_task("many-faces", 2)
    execute(session, "h1: sysctl -w net.inet6.ip6.use_tempaddr=1")
    execute(session, "run 1m")
    assert "temporary" not in said(session, "h1: ifconfig ne0")


def test_in_its_name_in_another_way() -> None:
    result = played(
        "in-its-name",
        """
        run 10s
        # h2 is the first to ask.
        r1: ndp -s 2001:db8:1::9 0:60:97:0:1:1 proxy
        h2: ping6 -c 1 2001:db8:1::9
        h1: ping6 -c 1 2001:db8:1::9
        r1: route add -inet6 -host 2001:db8:1::9 -interface ne1
        h9: ping6 -c 3 2001:db8:1::2
        h1: ping6 -c 3 2001:db8:1::9
        h2: ifconfig ne0 inet6 2001:db8:1::9/64
        run 10s
        h2: ifconfig ne0 inet6 2001:db8:1::9 delete
        h1: ndp -c
        h2: sysctl -w net.inet6.ip6.dad_count=0
        h2: ifconfig ne0 inet6 2001:db8:1::9/64
        h1: ping6 -c 1 2001:db8:1::9
        h2: ifconfig ne0 inet6 2001:db8:1::9 delete
        r1: route delete -inet6 -host 2001:db8:1::9
        r1: ndp -d 2001:db8:1::9
        r1: ndp -s 2001:db8:ffff::1 0:60:97:0:1:1 proxy
        r1: ifmcstat
        run 1m
        h1: ping6 -c 20 2001:db8:1::9
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_a_proxy_without_a_route_answers_for_h9_but_carries_nothing() -> None:
    session = at_task("in-its-name", 2)
    assert "100.0% packet loss" in said(session, "h1: ping6 -c 2 2001:db8:1::9")
    assert session.tasks.active.number == 2


def test_a_stranger_on_the_wire_in_another_way() -> None:
    result = played(
        "a-stranger-on-the-wire",
        """
        mallory: rtadvd -c /etc/better.conf ne0
        run 5m
        v1: ping6 -c 3 2001:db8:2::5
        v1: ndp -i ne0 -- -accept_rtadv
        v1: ndp -P
        v1: ndp -R
        v1: route add -inet6 default fe80::260:97ff:fe00:101%ne0
        v1: ifconfig ne0 inet6 2001:db8:1::10/64
        run 15m
        v1: ping6 -c 1 2001:db8:2::5
        mallory: kill 4
        run 20s
        mallory: ifconfig ne0 inet6 fe80::260:97ff:fe00:101/64
        mallory: ifconfig ne0 inet6 fe80::260:97ff:fe00:6666%ne0 delete
        mallory: rtadvd -c /etc/farewell.conf ne0
        run 17s
        v2: ping6 -c 1 2001:db8:2::5
        v1: ping6 -c 1 2001:db8:2::5
        mallory: ifconfig ne0 inet6 2001:db8:1::20/64
        v1: ping6 -c 5 2001:db8:1::20
        v1: ndp -s fe80::260:97ff:fe00:101%ne0 0:60:97:0:1:1
        v1: ndp -s 2001:db8:1::20 0:60:97:0:0:2
        mallory: ping6 -c 1 -S 2001:db8:1::20 2001:db8:1::10
        v1: ping6 -c 1 2001:db8:1::20
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_forgetting_without_closing_the_ears_brings_mallory_back() -> None:
    session = at_task("a-stranger-on-the-wire", 2)
    execute(session, "v1: ndp -R")
    execute(session, "v1: ndp -P")
    execute(session, "run 15m")
    assert "6666" in said(session, "v1: ndp -rn")
    assert session.tasks.active.number == 2
