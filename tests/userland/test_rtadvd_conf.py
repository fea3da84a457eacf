"""rtadvd.conf: termcap's form, the defaults and limits of RFC 4861 6.2.1, and what is said about each mistake."""

from __future__ import annotations

import pytest

from kamelab.stack.views import INFINITE
from kamelab.userland import rtadvd_conf
from kamelab.userland.rtadvd_conf import ConfError, config
from kamelab.wire import in6


def test_no_entry_gives_the_defaults() -> None:
    made = config("ne0", "", 1500)
    assert (made.maxinterval, made.mininterval, made.chlim, made.rltime) == (600, 200, 64, 1800)
    assert (made.managed, made.other, made.preference, made.rtime, made.retrans, made.mtu) == (False, False, 0, 0, 0, 0)
    assert made.lladdr
    assert made.prefixes == []
    assert (made.pattern.vltime, made.pattern.pltime) == (2592000, 604800)
    assert made.pattern.onlink
    assert made.pattern.autonomous


def test_an_entry_over_several_lines_with_an_included_one() -> None:
    text = (
        "# the router of the lab\n"
        "default:\\\n"
        '\t:chlim#32:raflags="mo":rltime#900:\\\n'
        "\t:maxinterval#300:\n"
        "\n"
        "ne0|ef0:\\\n"
        '\t:addr="2001:db8:1::1":prefixlen#64:vltime#0x10:pltime#010:\\\n'
        "\t:chlim#255:nolladdr:tc=default:\n"
    )
    for name in ("ne0", "ef0"):
        made = config(name, text, 1500)
        assert made.chlim == 255, "what stands nearer counts"
        assert (made.managed, made.other, made.rltime, made.maxinterval, made.mininterval) == (
            True,
            True,
            900,
            300,
            100,
        )
        assert not made.lladdr
        (prefix,) = made.prefixes
        assert (in6.ntop(prefix.prefix), prefix.plen, prefix.vltime, prefix.pltime) == ("2001:db8:1::", 64, 16, 8)


def test_numbered_prefixes_keep_their_own_terms() -> None:
    text = (
        'ne0:addr="2001:db8:a::":addr0="2001:db8:b::":prefixlen0#48:pinfoflags0="l":vltime0#60:pltime0#30:'
        'addr12="2001:db8:c::":pinfoflags12#0x40:vltimedecr12:vltime12#0xffffffff:addrs#3:'
    )
    first, second, third = config("ne0", text, 1500).prefixes
    assert (in6.ntop(first.prefix), first.plen, first.onlink, first.autonomous) == ("2001:db8:a::", 64, True, True)
    assert (second.plen, second.onlink, second.autonomous, second.vltime, second.pltime) == (48, True, False, 60, 30)
    assert (third.onlink, third.autonomous, third.vltime, third.vltimedecr) == (False, True, INFINITE, True)


def test_preference_routes_and_mtu() -> None:
    made = config("ne0", 'ne0:raflags="h":mtu="auto":rtprefix="2001:db8:f::":rtplen#48:rtrflags#0x18:', 1400)
    assert (made.preference, made.mtu) == (1, 1400)
    (route,) = made.routes
    assert (in6.ntop(route.prefix), route.plen, route.preference, route.lifetime) == ("2001:db8:f::", 48, -1, 1800)


def test_at_sign_takes_a_key_back() -> None:
    assert config("ne0", "base:chlim#1:\nne0:chlim@:tc=base:", 1500).chlim == 64


def test_intervals_follow_maxinterval() -> None:
    made = config("ne0", "ne0:maxinterval#4:", 1500)
    assert (made.mininterval, made.rltime) == (3, 12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ne0:maxinterval#3:", "/etc/rtadvd.conf:1: maxinterval: 3 must be between 4 and 1800 (on ne0)"),
        ("ne0:maxinterval#1801:", "must be between 4 and 1800"),
        (
            "\n\nne0:\\\n:chlim#64:\\\n:mininterval#451:",
            "/etc/rtadvd.conf:5: mininterval: 451 must be between 3 and 450",
        ),
        ("ne0:chlim#256:", "chlim: 256 must be between 0 and 255"),
        ("ne0:rltime#599:", "rltime: 599 must be 0 or between 600 (maxinterval) and 9000"),
        ("ne0:rltime#9001:", "rltime: 9001 must be between 0 and 9000"),
        ("ne0:rtime#3600001:", "rtime: 3600001 must be between 0 and 3600000"),
        ("ne0:raflags#0x10:", "raflags: 0x10 alone is a reserved preference"),
        ('ne0:raflags="mx":', "raflags: 'x' is none of the letters m o h l"),
        ("ne0:mtu#1279:", "mtu: 1279 must be between 1280 and 1500"),
        ("ne0:mtu#1501:", "mtu: 1501 must be between 1280 and 1500"),
        ('ne0:mtu="big":', "mtu: 'big' must be a number or \"auto\""),
        ('ne0:addr="2001:db8::":prefixlen#129:', "prefixlen: 129 must be between 0 and 128"),
        ('ne0:addr="2001:db8::":vltime#5:pltime#6:', "pltime: 6 must not be greater than vltime, 5"),
        ("ne0:addr=2001:db8:1:::", "addr: an address must stand in quotes"),
        ('ne0:addr="fe80::":', "addr: fe80:: can't be advertised"),
        ('ne0:addr="2001:db8:::":', "/etc/rtadvd.conf:1: addr: "),
        ("ne0:chlim:", "chlim: must be a number, chlim#N"),
        ("ne0:chlim#many:", "/etc/rtadvd.conf:1: chlim: 'many' is no number"),
        ("ne0:nolladdr#1:", "nolladdr: is a flag and takes no value"),
        ("ne0:maxintervall#600:", "maxintervall: unknown key; did you mean maxinterval?"),
        ("ne0:hatime#5:", "hatime: this key is not built yet"),
        ("ne0:tc=other:", "/etc/rtadvd.conf:1: tc: there is no entry other"),
        ("ne0:tc=ne0:", "include each other without end"),
        ('ne0:\\\n:addr="2001:db8::', "/etc/rtadvd.conf:2: a quoted text is not ended"),
        ("ne0:chlim#64:\n\t:rltime#0:", "/etc/rtadvd.conf:2: an entry begins with its name"),
        ('ne0:addr100="2001:db8::":', "addr100: numbers go from 0 to 99"),
    ],
)
def test_each_mistake_is_told_with_line_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfError) as caught:
        config("ne0", text, 1500)
    message = str(caught.value)
    assert said in message
    assert message.startswith(rtadvd_conf.PATH)


def test_a_mistake_in_another_interfaces_values_is_not_ours() -> None:
    assert config("ne0", "ne1:maxinterval#1:\nne0:chlim#7:", 1500).chlim == 7
