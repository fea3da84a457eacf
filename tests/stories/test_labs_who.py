"""The lab of source addresses, 18: solved in another way than the author's, and what can't be passed by mistake."""

from __future__ import annotations

from test_labs_nd import at_task, passed, played, said

from kamelab.lab.console import execute

NAME = "who-am-i"


def test_who_am_i_in_another_way() -> None:
    result = played(
        NAME,
        """
        run 1m
        h1: ping6 -c 2 2001:db8:7fff::5
        h1: ping6 -c 1 2001:db8:1fff::5
        h1: ping6 -c 1 -I ne0 fe80::260:97ff:fe00:101
        # A preferred lifetime that runs out by itself.
        h1: ifconfig ne0 inet6 2001:db8:1000::1 prefixlen 64 pltime 10 vltime 3600
        run 1m
        h1: ping6 -c 1 2001:db8:1fff::5
        s1: ping6 -c 1 2001:db8:1000::1
        h1: ping6 -c 1 2003:0:9::5
        # Line by line instead of the file.
        h1: ip6addrctl add 2002::/16 30 2; ip6addrctl add ::/0 40 1
        h1: ping6 -c 1 2003:0:9::5
        h1: ip6addrctl show
        h1: ping6 -c 1 server
        # The others are lowered.
        h1: ip6addrctl delete ::/0; ip6addrctl add ::/0 20 1
        h1: ping6 -c 1 server
        r1: ndp -i ne1 prefer_source
        r1: ping6 -c 1 2001:db8:5::9
        r1: ndp -i ne1 -- -prefer_source
        r1: ifconfig ne1 down
        r1: ping6 -c 1 2001:db8:5::9
        r1: ndp -i ne0 prefer_source
        r1: ping6 -c 1 2001:db8:5::9
        r1: ifconfig ne1 up
        run 10s
        h1: sysctl -w net.inet6.ip6.srcsel_2000=1; ping6 -c 1 2003:0:9::5; netstat -s -p ip6
        h1: sysctl -w net.inet6.ip6.srcsel_2000=0
        """,
    )
    assert passed(result) == ["passed"] * 6, result


def test_naming_the_source_is_not_enough() -> None:
    session = at_task(NAME, 2)
    execute(session, "h1: ping6 -c 1 -S 2001:db8:7000::1 2001:db8:1fff::5")
    execute(session, "s1: ping6 -c 1 2001:db8:1000::1")
    assert not session.tasks.active.passed, "nothing is deprecated yet"


def test_with_nothing_but_deprecated_addresses_use_deprecated_decides() -> None:
    session = at_task(NAME, 3)
    execute(session, "h1: ifconfig ne0 inet6 2001:db8:7000::1 -alias")
    execute(session, "h1: ifconfig ne0 inet6 2002:c000:201::1 -alias")
    assert "2001:db8:1000::1 -->" in said(session, "h1: ping6 -c 1 2003:0:9::5")
    execute(session, "h1: sysctl -w net.inet6.ip6.use_deprecated=0")
    assert "2001:db8:1000::1 -->" not in said(session, "h1: ping6 -c 1 2003:0:9::5")
