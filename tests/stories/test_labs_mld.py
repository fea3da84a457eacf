"""The lab of listeners, 17: solved in another way than the author's, and what can't be passed by mistake."""

from __future__ import annotations

from test_labs_nd import at_task, passed, played

from kamelab.lab.console import execute

NAME = "who-is-listening"


def test_who_is_listening_in_another_way() -> None:
    result = played(
        NAME,
        """
        run 1m
        h1: mcastread ff02::77%ne0 5000 &
        run 1m
        h1: ifmcstat -v
        h2: mcastsend ff02::77%ne0 5000 hello
        # As a daemon, with other times.
        r1: mld6d -q 30 -w 5000
        run 1m
        r1: ps
        r1: kill -USR1 2
        r1: cat /var/run/mld6d.dump
        h2: mcastread -i ne0 ff02::77 5001 &
        run 1m
        r1: mld6query -D 1000 ne0 ff02::77
        # The other one first.
        h2: kill %1
        run 1m
        h1: kill %1
        run 1m
        r1: kill -s USR1 2
        r1: cat /var/run/mld6d.dump
        # An orderly end is as good as a sudden one.
        r2: mld6d -f -q 30 -w 5000 &
        run 5m
        r2: kill %1
        run 10m
        r1: kill 2
        r1: mld6d -2 -i ne0
        h1: sysctl -w net.inet6.icmp6.mldv2=1
        h1: mcastread -i ne0 -s fe80::260:97ff:fe00:2 ff05::77 5000 &
        r1: mcastsend -i ne0 ff05::77 5000
        h2: mcastsend -i ne0 ff05::77 5000
        run 5s
        """,
    )
    assert passed(result) == ["passed"] * 5, result


def test_a_group_that_still_has_a_listener_is_not_given_up() -> None:
    session = at_task(NAME, 3)
    for line in ("h1: kill %1", "run 10s", "r1: kill -USR1 %1", "r1: cat /var/run/mld6d.dump"):
        execute(session, line)
    assert not session.tasks.active.passed
    assert session.tasks.active.number == 3


def test_while_a_querier_of_version_1_asks_nobody_speaks_version_2() -> None:
    session = at_task(NAME, 5)
    for line in (
        "h1: sysctl -w net.inet6.icmp6.mldv2=1",
        "run 5m",
        "h1: mcastread -i ne0 -s fe80::260:97ff:fe00:2 ff05::77 5000 &",
        "h2: mcastsend -i ne0 ff05::77 5000",
        "r1: mcastsend -i ne0 ff05::77 5000",
        "run 5s",
    ):
        execute(session, line)
    assert [state.mark for state in session.tasks.active.checks] == [" ", "x", "x"]
