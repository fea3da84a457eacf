"""The advertisements that rtadvd builds, byte by byte, and what it thinks of those of others."""

from __future__ import annotations

import pytest

from kamelab.stack.socket.message import Message
from kamelab.userland import rtadvd_ra
from kamelab.userland.rtadvd_conf import Config, Prefix, config
from kamelab.wire import in6, nd, nd_options

NS = 1_000_000_000
MAC = bytes.fromhex("020000000001")
PREFIX = in6.pton("2001:db8:1::")
LL = in6.pton("fe80::2")


def parsed(message: bytes) -> tuple[nd.RouterAdvert, nd_options.NdOptions]:
    advert = nd.RouterAdvert.parse(message[4:])
    return advert, nd_options.parse(advert.options)


def received(data: bytes, addr: bytes = LL, hoplimit: int = 255) -> Message:
    return Message(data, addr, 0, 1, in6.ALLNODES, 1, hoplimit, 0, 0)


def test_layout_is_header_prefixes_mtu_link_layer_address() -> None:
    made = config("ne0", 'ne0:addr="2001:db8:1::":mtu#1500:raflags="oh":rtime#30000:retrans#1000:', 1500)
    message = rtadvd_ra.advertisement(made, MAC, 0, made.rltime)
    head = "86000000" + "40" + "48" + "0708" + "00007530" + "000003e8"
    prefix = "0304" + "40c0" + "00278d00" + "00093a80" + "00000000" + "20010db8000100000000000000000000"
    assert message.hex() == head + prefix + "0501" + "0000" + "000005dc" + "0101" + "020000000001"


def test_no_mtu_and_no_link_layer_option_unless_wanted() -> None:
    made = config("ne0", "ne0:nolladdr:", 1500)
    advert, options = parsed(rtadvd_ra.advertisement(made, MAC, 0, 1800))
    assert (advert.lifetime, options) == (1800, nd_options.NdOptions())
    assert parsed(rtadvd_ra.advertisement(config("ne0", "", 1500), b"", 0, 1800))[1].slla is None


def test_lifetime_zero_takes_the_preference_away() -> None:
    made = config("ne0", 'ne0:raflags="l":', 1500)
    assert parsed(rtadvd_ra.advertisement(made, MAC, 0, 1800))[0].preference == -1
    assert parsed(rtadvd_ra.advertisement(made, MAC, 0, 0))[0].preference == 0


def test_lifetimes_that_run_down_end_at_zero() -> None:
    one = Prefix(PREFIX, vltime=100, pltime=50, vltimedecr=True, pltimedecr=True, since=10 * NS)
    assert rtadvd_ra.lifetimes(one, 10 * NS) == (100, 50)
    assert rtadvd_ra.lifetimes(one, 70 * NS) == (40, 0)
    assert rtadvd_ra.lifetimes(one, 500 * NS) == (0, 0)


def test_a_prefix_that_is_gone_is_announced_with_lifetime_zero() -> None:
    made = Config("ne0", prefixes=[Prefix(PREFIX, gone_at=NS)])
    (info,) = parsed(rtadvd_ra.advertisement(made, MAC, 2 * NS, 1800))[1].prefixes
    assert (info.valid, info.preferred) == (0, 0)


def test_the_route_option_of_rfc4191() -> None:
    made = config("ne0", 'ne0:rtprefix="2001:db8:f::":rtplen#48:rtflags="h":rtltime#60:', 1500)
    (route,) = parsed(rtadvd_ra.advertisement(made, MAC, 0, 1800))[1].routes
    assert route == nd_options.RouteInfo(48, 1, 60, in6.pton("2001:db8:f::"))


SOLICIT = bytes((133, 0, 0, 0)) + nd.RouterSolicit().pack()
SOLICIT_FROM = bytes((133, 0, 0, 0)) + nd.RouterSolicit(nd_options.build_lladdr(1, MAC)).pack()


@pytest.mark.parametrize(
    ("message", "valid"),
    [
        (received(SOLICIT), True),
        (received(SOLICIT_FROM), True),
        (received(SOLICIT, in6.UNSPECIFIED), True),
        (received(SOLICIT_FROM, in6.UNSPECIFIED), False),
        (received(SOLICIT, hoplimit=254), False),
        (received(bytes((133, 1, 0, 0)) + bytes(4)), False),
        (received(SOLICIT[:7]), False),
        (received(SOLICIT + b"\x01\x00" + bytes(6)), False),
    ],
)
def test_solicitations_pass_rfc4861_6_1_1(message: Message, valid: bool) -> None:
    assert rtadvd_ra.valid_solicitation(message) is valid


def test_advertisements_pass_rfc4861_6_1_2() -> None:
    data = rtadvd_ra.advertisement(Config("ne0"), MAC, 0, 1800)
    assert rtadvd_ra.valid_advertisement(received(data)) is not None
    assert rtadvd_ra.valid_advertisement(received(data, in6.pton("2001:db8::1"))) is None
    assert rtadvd_ra.valid_advertisement(received(data, hoplimit=64)) is None
    assert rtadvd_ra.valid_advertisement(received(data[:15])) is None
    assert rtadvd_ra.valid_advertisement(received(data + b"\x05\x00" + bytes(6))) is None


def test_differences_are_named_with_both_values() -> None:
    ours = Config("ne0", chlim=64, mtu=1500, prefixes=[Prefix(PREFIX)])
    theirs = Config(
        "ne0", chlim=32, mtu=1400, managed=True, rtime=5000, prefixes=[Prefix(PREFIX, vltime=60, pltime=60)]
    )
    said = rtadvd_ra.differences(ours, *parsed(rtadvd_ra.advertisement(theirs, MAC, 0, 0)), 0)
    assert said == (
        "cur hop limit 32, ours is 64",
        "link MTU 1400, ours is 1500",
        "M flag on, ours is off",
        "valid lifetime 60 of 2001:db8:1::/64, ours is 2592000",
        "preferred lifetime 60 of 2001:db8:1::/64, ours is 604800",
    )
    assert rtadvd_ra.differences(ours, *parsed(rtadvd_ra.advertisement(ours, b"", 0, 0)), 0) == ()


def test_clock_skew_is_tolerated_where_lifetimes_run_down() -> None:
    def with_skew(skew: int) -> Config:
        one = Prefix(PREFIX, vltime=1000, pltime=1000, vltimedecr=True, pltimedecr=True)
        return Config("ne0", clockskew=skew, prefixes=[one])

    theirs = parsed(rtadvd_ra.advertisement(with_skew(0), MAC, 0, 0))
    assert len(rtadvd_ra.differences(with_skew(4), *theirs, 5 * NS)) == 2
    assert rtadvd_ra.differences(with_skew(5), *theirs, 5 * NS) == ()
