"""Text, kinds, scopes and prefixes of IPv6 addresses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import in6
from kamelab.wire.in6 import ntop, pton

ADDRESS = st.one_of(
    st.binary(min_size=16, max_size=16),
    # Runs of zero groups are what the text rules are about.
    st.lists(st.sampled_from([0, 0, 0, 1, 0xABCD, 0xFFFF]), min_size=8, max_size=8).map(
        lambda words: b"".join(w.to_bytes(2, "big") for w in words)
    ),
)


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"),  # RFC 5952 1, 4.2.3
        ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),  # 4.2.1: as much as possible
        ("2001:db8::0:1", "2001:db8::1"),  # 4.2.1
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),  # 4.2.2: not a single group
        ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),  # 4.2.2
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),  # 4.2.3: the longest run
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),  # 4.2.3: else the first
        ("2001:0DB8:AAAA:bbbb:CcCc:dddd:eeee:000f", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:f"),  # 4.1, 4.3
        ("0:0:0:0:0:ffff:192.0.2.1", "::ffff:192.0.2.1"),  # 5
        ("::ffff:c000:201", "::ffff:192.0.2.1"),  # 5
        ("0:0:0:0:0:0:0:0", "::"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("1:0:0:0:0:0:0:0", "1::"),
        ("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"),
        ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("::13.1.68.3", "::d01:4403"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ],
)
def test_text_becomes_the_recommended_text(given_text: str, canonical: str) -> None:
    assert ntop(pton(given_text)) == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not 8 groups"),
        (":", "lone colon"),
        (":::", "more than one"),
        ("1::2::3", "more than one"),
        ("1:2:3:4:5:6:7", "not 8 groups"),
        ("1:2:3:4:5:6:7:8:9", "not 8 groups"),
        ("1:2:3:4::5:6:7:8", "no group"),
        ("1:2:3:4:5:6:7::8", "no group"),
        (":1:2:3:4:5:6:7", "lone colon"),
        ("1:2:3:4:5:6:7:", "lone colon"),
        ("::1:", "lone colon"),
        (":1::", "lone colon"),
        ("12345::", "12345"),
        ("g::", "'g'"),
        ("+1::", "'\\+1'"),
        ("::\u0661", "no group of 1 to 4 hex"),
        (" ::1", "' '"),
        ("0x1::", "0x1"),
        ("::1.2.3", "dotted quad"),
        ("::1.2.3.256", "dotted quad"),
        ("::01.2.3.4", "dotted quad"),
        ("::1.2.3.4.5", "dotted quad"),
        ("::1.2.3.4:5", "only come last"),
        ("1.2.3.4::", "only come last"),
        ("1:2:3:4:5:6:7:1.2.3.4", "not 8 groups"),
        ("fe80::1%ne0", "no zone"),
        ("2001:db8::/32", "no prefix length"),
    ],
)
def test_bad_text_is_refused_with_the_text_and_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        pton(text)
    assert repr(text) in str(caught.value)


@given(ADDRESS)
def test_text_and_back(addr: bytes) -> None:
    assert pton(ntop(addr)) == addr


@given(ADDRESS)
def test_text_is_that_of_the_standard_library(addr: bytes) -> None:
    if not in6.is_v4mapped(addr):
        assert ntop(addr) == str(ipaddress.IPv6Address(addr))


@given(st.text(alphabet="0123456789abcdefG:.%/ ", max_size=40))
def test_pton_accepts_what_the_standard_library_accepts(text: str) -> None:
    try:
        expected: bytes | None = ipaddress.IPv6Address(text).packed
    except ValueError:
        expected = None
    if "%" in text:
        expected = None
    try:
        got: bytes | None = pton(text)
    except ValueError:
        got = None
    assert got == expected


def test_ntop_wants_16_octets() -> None:
    with pytest.raises(ValueError, match="16 octets, not 4"):
        ntop(bytes(4))


def test_constants() -> None:
    assert ntop(in6.UNSPECIFIED) == "::"
    assert ntop(in6.LOOPBACK) == "::1"
    assert ntop(in6.ALLNODES) == "ff02::1"
    assert ntop(in6.ALLROUTERS) == "ff02::2"
    assert ntop(in6.IFLOCAL_ALLNODES) == "ff01::1"
    assert ntop(in6.LINKLOCAL_PREFIX) == "fe80::"


@pytest.mark.parametrize(
    ("text", "kinds", "scope"),
    [
        ("::", {"unspecified"}, 14),
        ("::1", {"loopback"}, 2),
        ("::2", {"v4compat"}, 14),
        ("::192.0.2.1", {"v4compat"}, 14),
        ("::ffff:192.0.2.1", {"v4mapped"}, 14),
        ("fe80::1", {"linklocal"}, 2),
        ("febf:ffff::1", {"linklocal"}, 2),
        ("fec0::1", {"sitelocal"}, 5),
        ("feff::1", {"sitelocal"}, 5),
        ("fe7f::1", set(), 14),
        ("fd00::1", set(), 14),
        ("2001:db8::1", set(), 14),
        ("ff01::1", {"multicast"}, 1),
        ("ff02::1", {"multicast"}, 2),
        ("ff05::2", {"multicast"}, 5),
        ("ff08::1", {"multicast"}, 8),
        ("ff3e::1", {"multicast"}, 14),
        ("ff0f::1", {"multicast"}, 15),
    ],
)
def test_kinds_and_scopes(text: str, kinds: set[str], scope: int) -> None:
    addr = pton(text)
    tests = {
        "unspecified": in6.is_unspecified,
        "loopback": in6.is_loopback,
        "multicast": in6.is_multicast,
        "linklocal": in6.is_linklocal,
        "sitelocal": in6.is_sitelocal,
        "v4mapped": in6.is_v4mapped,
        "v4compat": in6.is_v4compat,
    }
    assert {name for name, test in tests.items() if test(addr)} == kinds
    assert in6.scope(addr) == scope


def test_solicited_node_group_takes_the_last_24_bits() -> None:
    # The example of RFC 4291 2.7.1.
    assert ntop(in6.solicited_node(pton("4037::01:800:200e:8c6c"))) == "ff02::1:ff0e:8c6c"


def test_eui64_inserts_fffe_and_inverts_the_u_bit() -> None:
    # The example of RFC 2464 4, then one the other way.
    assert in6.eui64(bytes.fromhex("3456789abcde")) == bytes.fromhex("365678fffe9abcde")
    assert in6.eui64(bytes.fromhex("020000000001")) == bytes.fromhex("000000fffe000001")
    assert in6.eui64(bytes.fromhex("0011223344556677")) == bytes.fromhex("0211223344556677")


@pytest.mark.parametrize("size", [0, 5, 7, 9])
def test_eui64_refuses_other_lengths(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        in6.eui64(bytes(size))


@given(ADDRESS, st.integers(0, 128))
def test_mask_is_that_of_the_standard_library(addr: bytes, plen: int) -> None:
    network = ipaddress.IPv6Network((addr, plen), strict=False)
    assert in6.mask(addr, plen) == network.network_address.packed
    assert in6.in_prefix(addr, network.network_address.packed, plen)


@given(ADDRESS, ADDRESS)
def test_common_prefix_len_is_the_longest_prefix_that_both_are_in(a: bytes, b: bytes) -> None:
    size = in6.common_prefix_len(a, b)
    assert in6.in_prefix(a, b, size)
    assert (size == 128) == (a == b)
    if size < 128:
        assert not in6.in_prefix(a, b, size + 1)


@pytest.mark.parametrize("plen", [-1, 129])
def test_prefix_lengths_outside_0_to_128_are_refused(plen: int) -> None:
    with pytest.raises(ValueError, match="0 to 128"):
        in6.mask(bytes(16), plen)
    with pytest.raises(ValueError, match="0 to 128"):
        in6.in_prefix(bytes(16), bytes(16), plen)


def test_parse_prefix() -> None:
    assert in6.parse_prefix("2001:db8::/32") == (pton("2001:db8::"), 32)
    assert in6.parse_prefix("::/0") == (bytes(16), 0)
    assert in6.parse_prefix("2001:db8::1/128") == (pton("2001:db8::1"), 128)


@pytest.mark.parametrize("text", ["2001:db8::", "2001:db8::/", "::/129", "::/-1", "::/1x", "::/1/2", "/64", "g::/64"])
def test_bad_prefixes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="bad IPv6"):
        in6.parse_prefix(text)
