"""Neighbour discovery and multicast listener discovery: layouts, round trips, bad option blocks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import mld, nd, nd_options
from kamelab.wire.buffer import Truncated, WireError
from kamelab.wire.in6 import pton
from kamelab.wire.nd_options import NdOptions, PrefixInfo, RouteInfo

ADDRESS = st.binary(min_size=16, max_size=16)
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
OPTIONS = st.binary(max_size=40)
MAC1, MAC2 = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
P1 = PrefixInfo(64, True, True, 2592000, 604800, pton("2001:db8:1::"))
P2 = PrefixInfo(48, False, True, nd_options.INFINITE, 0, pton("2001:db8:2::"))


@given(st.builds(nd.RouterSolicit, OPTIONS))
def test_router_solicit_roundtrip(message: nd.RouterSolicit) -> None:
    assert nd.RouterSolicit.parse(message.pack()) == message


@given(
    st.builds(
        nd.RouterAdvert,
        st.integers(0, 255),
        st.booleans(),
        st.booleans(),
        st.sampled_from([-1, 0, 1]),
        U16,
        U32,
        U32,
        OPTIONS,
    )
)
def test_router_advert_roundtrip(message: nd.RouterAdvert) -> None:
    assert nd.RouterAdvert.parse(message.pack()) == message


@given(st.builds(nd.NeighborSolicit, ADDRESS, OPTIONS))
def test_neighbor_solicit_roundtrip(message: nd.NeighborSolicit) -> None:
    assert nd.NeighborSolicit.parse(message.pack()) == message


@given(st.builds(nd.NeighborAdvert, st.booleans(), st.booleans(), st.booleans(), ADDRESS, OPTIONS))
def test_neighbor_advert_roundtrip(message: nd.NeighborAdvert) -> None:
    assert nd.NeighborAdvert.parse(message.pack()) == message


@given(st.builds(nd.Redirect, ADDRESS, ADDRESS, OPTIONS))
def test_redirect_roundtrip(message: nd.Redirect) -> None:
    assert nd.Redirect.parse(message.pack()) == message


@given(st.builds(mld.Mld, U16, ADDRESS))
def test_mld_roundtrip(message: mld.Mld) -> None:
    assert len(message.pack()) == mld.BODY_LEN
    assert mld.Mld.parse(message.pack()) == message


def test_router_advert_layout() -> None:
    body = nd.RouterAdvert(64, True, False, -1, 1800, 30000, 1000, b"options!").pack()
    assert body.hex() == "4098070800007530000003e8" + b"options!".hex()


@pytest.mark.parametrize(("flags", "preference"), [(0x08, 1), (0x00, 0), (0x18, -1), (0x10, 0), (0xE7, 0)])
def test_the_reserved_preference_of_a_router_reads_as_medium(flags: int, preference: int) -> None:
    assert nd.RouterAdvert.parse(bytes((64, flags)) + bytes(10)).preference == preference


def test_neighbor_advert_flags_are_the_first_three_bits() -> None:
    target = pton("fe80::1")
    assert nd.NeighborAdvert(True, False, False, target).pack()[:4] == b"\x80\x00\x00\x00"
    assert nd.NeighborAdvert(False, True, False, target).pack()[:4] == b"\x40\x00\x00\x00"
    assert nd.NeighborAdvert(False, False, True, target).pack()[:4] == b"\x20\x00\x00\x00"
    assert nd.NeighborAdvert.parse(b"\x1f\xff\xff\xff" + target)[:3] == (False, False, False)


@pytest.mark.parametrize(
    ("reader", "size"),
    [
        (nd.RouterSolicit.parse, 4),
        (nd.RouterAdvert.parse, 12),
        (nd.NeighborSolicit.parse, 20),
        (nd.NeighborAdvert.parse, 20),
        (nd.Redirect.parse, 36),
        (mld.Mld.parse, 20),
    ],
)
def test_a_body_one_octet_short_is_truncated(reader: Callable[[bytes], object], size: int) -> None:
    reader(bytes(size))
    with pytest.raises(Truncated, match=f"{size - 1} of {size} octets"):
        reader(bytes(size - 1))


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(WireError, match="preference 2"):
        nd.RouterAdvert(64, False, False, 2, 0, 0, 0).pack()
    with pytest.raises(WireError):
        nd.RouterAdvert(64, False, False, 0, 65536, 0, 0).pack()
    with pytest.raises(WireError, match="16 octets"):
        nd.NeighborSolicit(b"short").pack()
    with pytest.raises(WireError):
        mld.Mld(65536, bytes(16)).pack()
    with pytest.raises(WireError):
        nd_options.build_prefix(PrefixInfo(256, True, True, 0, 0, bytes(16)))
    with pytest.raises(WireError):
        nd_options.build_route(RouteInfo(64, 2, 0, bytes(16)))
    with pytest.raises(WireError, match="doesn't fit"):
        nd_options.build_redirected(bytes(2040))


def test_no_options() -> None:
    assert nd_options.parse(b"") == NdOptions()


def test_every_option_is_read_back() -> None:
    routes = (
        RouteInfo(0, 1, 600, bytes(16)),
        RouteInfo(48, 0, nd_options.INFINITE, pton("2001:db8:9::")),
        RouteInfo(128, -1, 0, pton("2001:db8::7")),
    )
    servers = nd_options.Rdnss(600, (pton("2001:db8::53"), pton("fe80::53")))
    block = b"".join(
        [
            nd_options.build_lladdr(nd_options.SLLA, MAC1),
            nd_options.build_lladdr(nd_options.TLLA, MAC2),
            nd_options.build_prefix(P1),
            nd_options.build_mtu(1400),
            nd_options.build_redirected(b"packet"),
            nd_options.build_nonce(b"nonce!"),
            *[nd_options.build_route(r) for r in routes],
            nd_options.build_rdnss(servers),
        ]
    )
    assert len(block) % 8 == 0
    assert nd_options.parse(block, limit=99) == NdOptions(
        slla=MAC1,
        tlla=MAC2,
        mtu=1400,
        prefixes=(P1,),
        redirected=b"packet\x00\x00",
        routes=routes,
        nonce=b"nonce!",
        rdnss=(servers,),
    )


def test_option_layouts() -> None:
    assert nd_options.build_lladdr(nd_options.SLLA, MAC1).hex() == "0101020000000001"
    assert nd_options.build_lladdr(nd_options.TLLA, bytes(range(8))).hex() == "02020001020304050607" + "00" * 6
    assert nd_options.build_mtu(1500).hex() == "05010000000005dc"
    assert nd_options.build_prefix(P1).hex() == "030440c000278d0000093a8000000000" + P1.prefix.hex()
    assert nd_options.build_route(RouteInfo(0, -1, 1, bytes(16))).hex() == "1801001800000001"
    assert [len(nd_options.build_route(RouteInfo(n, 0, 1, bytes(16)))) for n in (0, 1, 64, 65, 128)] == [
        8,
        16,
        16,
        24,
        24,
    ]


@given(
    st.builds(PrefixInfo, st.integers(0, 255), st.booleans(), st.booleans(), U32, U32, ADDRESS),
)
def test_prefix_information_roundtrip(info: PrefixInfo) -> None:
    assert nd_options.parse(nd_options.build_prefix(info)).prefixes == (info,)


def test_the_first_of_a_repeated_kind_wins_and_prefixes_add_up() -> None:
    block = b"".join(
        [
            nd_options.build_lladdr(nd_options.SLLA, MAC1),
            nd_options.build_prefix(P1),
            nd_options.build_lladdr(nd_options.SLLA, MAC2),
            nd_options.build_prefix(P2),
            nd_options.build_mtu(1280),
            nd_options.build_mtu(1500),
        ]
    )
    found = nd_options.parse(block)
    assert found.slla == MAC1
    assert found.prefixes == (P1, P2)
    assert found.mtu == 1280
    assert found.duplicates == (nd_options.SLLA, nd_options.MTU)


def test_unknown_kinds_are_skipped() -> None:
    found = nd_options.parse(b"\xfd\x01" + bytes(6) + nd_options.build_mtu(1400) + b"\x08\x02" + bytes(14))
    assert found.mtu == 1400
    assert found.unknown == (253, 8)


def test_after_ten_options_reading_stops_with_what_is_there() -> None:
    ten = nd_options.build_mtu(1400) + (b"\xfd\x01" + bytes(6)) * 9
    assert not nd_options.parse(ten).toomany
    found = nd_options.parse(ten + nd_options.build_lladdr(nd_options.SLLA, MAC1))
    assert found.toomany
    assert found.mtu == 1400
    assert found.slla is None
    # What is beyond is not even looked at.
    assert nd_options.parse(ten + b"\x01\x00").toomany


@pytest.mark.parametrize("units", [1, 3, 5])
def test_a_prefix_option_of_another_length_is_passed_over(units: int) -> None:
    block = bytes((nd_options.PREFIX, units)) + bytes(8 * units - 2) + nd_options.build_mtu(1400)
    found = nd_options.parse(block)
    assert found.bad_prefix == 1
    assert found.prefixes == ()
    assert found.mtu == 1400


@pytest.mark.parametrize(
    "option",
    [
        bytes((nd_options.MTU, 2)) + bytes(14),
        bytes((nd_options.ROUTE_INFO, 1, 64, 0)) + bytes(4),  # the prefix is longer than its field
        bytes((nd_options.ROUTE_INFO, 2, 65, 0)) + bytes(12),
        bytes((nd_options.ROUTE_INFO, 3, 129, 0)) + bytes(20),
        bytes((nd_options.ROUTE_INFO, 3, 64, 0x10)) + bytes(20),  # the reserved preference
        bytes((nd_options.RDNSS, 2)) + bytes(14),
        bytes((nd_options.RDNSS, 4)) + bytes(30),
        bytes((nd_options.DNSSL, 1)) + bytes(6),
    ],
)
def test_options_that_break_their_own_rules_are_noted_and_passed_over(option: bytes) -> None:
    found = nd_options.parse(option)
    assert found == NdOptions(malformed=(option[0],))


def test_zero_length_spoils_the_block() -> None:
    with pytest.raises(WireError, match="zero length") as caught:
        nd_options.parse(nd_options.build_mtu(1400) + b"\x01\x00" + bytes(6))
    assert caught.value.offset == 8
    assert not isinstance(caught.value, Truncated)


@pytest.mark.parametrize("data", [b"\x01", b"\x01\x01", b"\x01\x02" + bytes(13), b"\xfd\xff"])
def test_an_overrun_spoils_the_block(data: bytes) -> None:
    with pytest.raises(Truncated) as caught:
        nd_options.parse(nd_options.build_mtu(1400) + data)
    assert caught.value.offset == 8


def test_mldv2_report_records() -> None:
    g1, g2, s1 = pton("ff05::1"), pton("ff02::1:ff00:1"), pton("2001:db8::1")
    body = b"\x00\x00\x00\x02" + b"\x04\x00\x00\x00" + g1 + b"\x03\x01\x00\x01" + g2 + s1 + b"aux!"
    assert mld.parse_v2_report(body) == (mld.Record(4, g1, ()), mld.Record(3, g2, (s1,)))
    for cut in (3, 5, 23, 43, len(body) - 1):
        with pytest.raises(Truncated):
            mld.parse_v2_report(body[:cut])
