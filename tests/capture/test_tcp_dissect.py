"""TCP options in the decode tree and in the summary line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.capture import dissect, tree
from kamelab.wire import ether, in6, ip6, summary, tcp
from kamelab.wire.checksum import in6_cksum

SRC, DST = in6.pton("2001:db8::1"), in6.pton("2001:db8::2")


def frame(options: bytes, flags: int = tcp.SYN) -> bytes:
    octets = tcp.build(49152, 80, 1, 0, flags, 65535, options, b"data")
    octets = octets[:16] + in6_cksum(SRC, DST, 6, octets).to_bytes(2, "big") + octets[18:]
    return ether.header(bytes(6), bytes(6)) + ip6.build(SRC, DST, 6, octets)


def test_options_have_fields_under_wiresharks_names() -> None:
    found = tree.values(dissect.dissect(frame(tcp.build_options(1440, 3, 5, 6))))
    names = ("mss_val", "wscale.shift", "timestamp.tsval", "timestamp.tsecr")
    assert [found[f"tcp.options.{name}"] for name in names] == [[1440], [3], [5], [6]]
    assert found["tcp.payload"] == [b"data"]


def test_the_summary_of_a_syn_tells_its_options() -> None:
    line = summary.info(frame(tcp.build_options(1440, 3)))
    assert line == "TCP 49152 > 80 [S] seq 1 win 65535 <mss 1440,nop,wscale 3> length 4"
    assert "<" not in summary.info(frame(tcp.build_options(-1, -1, 5, 6), tcp.ACK))


@given(st.binary(max_size=40).map(lambda octets: octets[: len(octets) // 4 * 4]))
def test_any_octets_can_stand_for_options(octets: bytes) -> None:
    found = tree.values(dissect.dissect(frame(octets)))
    assert found["tcp.payload"] == [b"data"]
    assert not octets or found["tcp.options"] == [octets]


@pytest.mark.parametrize("options", [b"\x02\x00\x05\xb4", b"\x02\x28\x05\xb4", b"\x01\x01\x01\x02"])
def test_malformed_options_are_said_to_be(options: bytes) -> None:
    labels = [field.label for field in tree.walk(dissect.dissect(frame(options)))]
    assert "Malformed option" in labels
