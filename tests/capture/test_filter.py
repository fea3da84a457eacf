"""Display filters: Wireshark's meaning of the operators, errors that point at the token, and no frame that raises."""

from __future__ import annotations

import pickle
from typing import NamedTuple

import pytest
from capture_frames import FRAMES
from hypothesis import given
from hypothesis import strategies as st

from kamelab.capture.dissect import dissect
from kamelab.capture.fields import ALIASES, FIELDS, TREE_FIELDS, Kind
from kamelab.capture.filter import FIELD_NAMES, FilterError, compile_filter
from kamelab.capture.filter_access import View, getter
from kamelab.capture.tree import values


class Seen(NamedTuple):
    """A frame as a node saw it."""

    frame: bytes
    node: str = "h1"
    interface: str = "ne0"
    link: str = "lan"
    time: int = 1_500_000_000
    outbound: bool = False
    reason: str = ""


def matching(text: str) -> set[str]:
    """Names of the frames that a filter takes."""
    compiled = compile_filter(text)
    return {name for name, frame in FRAMES.items() if compiled.matches(Seen(frame))}


def matches(text: str, name: str = "neighbor solicitation", **about: object) -> bool:
    return compile_filter(text).matches(Seen(FRAMES[name])._replace(**about))


QUOTING = {"unreachable", "too big", "time exceeded", "cut quotation", "parameter problem", "redirect"}
MLD = {"mld query", "mld report", "mld done", "mldv2 query", "mldv2 report"}
ROUTED = {"destination options", "routing header", "first fragment", "tunnel"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set(FRAMES)),
        ("eth && ipv6 && frame", set(FRAMES)),
        ("mld", MLD),
        ("ipv6.hopopts", MLD),
        ("udp", {"udp", *ROUTED, *QUOTING}),
        ("udp && !icmpv6", {"udp", *ROUTED}),
        ("tcp", {"tcp"}),
        ("ipv6.fragment", {"first fragment", "last fragment"}),
        ("ipv6.fraghdr.more == true", {"first fragment"}),
        ("ipv6.routing", {"routing header"}),
        ("icmpv6.type == 135", {"neighbor solicitation"}),
        ("icmpv6.type eq 0x87", {"neighbor solicitation"}),
        ("icmpv6.type == 135 && ipv6.dst == ff02::1", {"neighbor solicitation"}),
        ("icmpv6.type == 135 && ipv6.dst == ff02::2", set()),
        ("icmpv6.type in {133, 135..136}", {"router solicitation", "neighbor solicitation", "neighbor advertisement"}),
        ("icmpv6.type<5 and icmpv6.type>=3", {"time exceeded", "cut quotation", "parameter problem"}),
        ("icmpv6.nd.na.flag.s", {"neighbor advertisement"}),
        ("icmpv6.nd.na.flag.o == 0", {"neighbor advertisement"}),
        ("icmpv6.nd.na.flag.o == 1", set()),
        ("icmpv6.opt.prefix == 2001:db8::/32", {"router advertisement"}),
        ("icmpv6.opt.dnssl contains \"lab\"", {"router advertisement"}),
        ("icmpv6.opt.linkaddr == 2:0:0:0:0:2 && icmpv6.type > 135", {"neighbor advertisement", "redirect"}),
        ("icmpv6.checksum.status == 0", {"bad checksum"}),
        ("ipv6.src == 2001:db8::a", {"tunnel"}),
        ("data.data contains 78:78 && icmpv6", {"echo request"}),
        ("frame contains \"hello\" && tcp", {"tcp"}),
        ("tcp.port == 40001", {"tcp"}),
        ("tcp.flags.syn == 1 && tcp.flags.fin == 0", {"tcp"}),
        ("tcp.flags.fin", {"tcp"}),
        ("ipv6.hlim le 1", MLD),
        ("_ws.malformed", set()),
        ("not (icmpv6 or udp or tcp)", {"last fragment", "no next header"}),
    ],
)  # fmt: skip
def test_filter_takes_exactly_these_frames(text: str, names: set[str]) -> None:
    assert matching(text) == names


@pytest.mark.parametrize(
    ("text", "about", "expected"),
    [
        ("node == h1", {}, True),
        ('node == "h1" and link == lan', {}, True),
        ("node in {r1, r2}", {}, False),
        ("link", {"link": ""}, False),
        ("interface == ne0", {}, True),
        ("dir == in", {}, True),
        ("dir == out", {"outbound": True}, True),
        ("reason", {}, False),
        ("reason contains nd6", {"reason": "nd6_hoplimit"}, True),
        ("reason == in", {"reason": "in"}, True),
        ("frame.len == 86", {}, True),
        ("frame.time >= 1.5", {}, True),
        ("frame.time > 1.5", {}, False),
        ("frame.time == 1500ms", {}, True),
        ("frame.time < 1.500000001", {}, True),
        ("frame.time in {1..2}", {}, True),
        ("frame.time < 1m", {}, True),
        ("eth.src == 02-00-00-00-00-02", {}, True),
        ("eth.src contains 00:02", {}, True),
        ("eth.src == icmpv6.opt.linkaddr", {}, True),
        ("ipv6.src == ipv6.dst", {}, False),
        ("ipv6.src != ipv6.dst", {}, True),
        ("ipv6.src in {fe80::/10, 2001:db8::1}", {}, True),
        ("ipv6.src in {fe80::1..fe80::f}", {}, True),
        ("ipv6.src < fe80::2", {}, True),
    ],
)
def test_packet_matches(text: str, about: dict[str, object], expected: bool) -> None:
    assert matches(text, **about) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ipv6.addr == ff02::1", True),
        ("ipv6.addr != ff02::1", False),
        ("ipv6.addr != ff02::9", True),
        ("ipv6.addr != fe80::/10", False),
        ("ipv6.addr ne 2001:db8::/32", True),
        ("!(ipv6.addr == ff02::1)", False),
        ("udp.port == 53", False),
        ("udp.port != 53", False),
        ("!(udp.port == 53)", True),
        ("udp.srcport != udp.dstport", False),
    ],
)
def test_not_equal_means_present_and_all_differ_as_in_wireshark_4(text: str, expected: bool) -> None:
    assert matches(text) is expected


def test_and_binds_tighter_than_or_and_not_tighter_than_both() -> None:
    assert matches("icmpv6 || udp && tcp")
    assert not matches("(icmpv6 || udp) && tcp")
    assert matches("!udp && icmpv6")
    assert not matches("not icmpv6.type == 135")
    assert matches("not not icmpv6")


def test_fields_of_a_quoted_packet_count_as_in_wireshark() -> None:
    assert matches("udp.dstport == 33434 && icmpv6.type == 1", "unreachable")
    assert matches("ipv6.hlim == 64", "unreachable")


def test_filter_remembers_its_text_and_fields() -> None:
    compiled = compile_filter("icmpv6.type == 1 && (node == h1 || icmpv6.type == 3)")
    assert compiled.fields() == ("icmpv6.type", "node")
    assert compiled.text == "icmpv6.type == 1 && (node == h1 || icmpv6.type == 3)"


@pytest.mark.parametrize(
    ("text", "position", "reason", "suggestion"),
    [
        ("icmp6.type == 1", 0, "unknown field 'icmp6.type'", "icmpv6.type"),
        ("udp || icmpv6.tpye == 1", 7, "unknown field", "icmpv6.type"),
        ("ip.src == ::1", 0, "unknown field", "ipv6.src"),
        ("ICMPv6", 0, "unknown field", "icmpv6"),
        ("nd", 0, "unknown field", "icmpv6.type in {133..137}"),
        ("frobnicate", 0, "unknown field 'frobnicate'", ""),
        ("ipv6.src == ipv6.hlim", 12, "an IPv6 address or prefix, which ipv6.hlim hasn't", ""),
        ("icmpv6.type = 135", 12, "'=' is not expected", "=="),
        ("icmpv6.type == 135 & udp", 19, "'&' is not expected", "&&"),
        ("ipv6.src matches x", 9, "'matches' is not expected", "contains"),
        ("icmpv6.type ==", 14, "ends too early, expected a value", ""),
        ("icmpv6 &&", 9, "ends too early, expected a field name", ""),
        ("(icmpv6", 7, "ends too early", ""),
        ("icmpv6)", 6, "')' is not expected", ""),
        ("icmpv6 udp", 7, "'udp' is not expected here, but an operator", ""),
        ("icmpv6 $ udp", 7, "'$' is not expected", ""),
        ("icmpv6.type in {}", 16, "'}' is not expected here, but a value", ""),
        ("icmpv6.type in {1 2}", 18, "expected here, but , or }", ""),
        ("icmpv6.type in {5..1}", 16, "the range 5..1 is empty", ""),
        ("icmpv6.type == 256", 15, "takes at most 255", ""),
        ("icmpv6.type == 010", 15, "leading zeros; write 10", ""),
        ("icmpv6.type == echo", 15, "icmpv6.type takes a number", ""),
        ('icmpv6.type == "135"', 15, "takes a number, not a string", ""),
        ("ipv6.src == fe80::1%ne0", 12, "no zone", ""),
        ("ipv6.src == fe80::1::2", 12, "more than one '::'", ""),
        ("ipv6.src == fe80::/129", 12, "0 to 128", ""),
        ("ipv6.src < fe80::/10", 9, "only == and != take a prefix", ""),
        ("ipv6.src in {::1..fe80::/10}", 13, "not between prefixes", ""),
        ("eth.src == 1:2:3", 11, "six groups", ""),
        ("icmpv6.nd.na.flag.s == maybe", 23, "takes true or false", ""),
        ("icmpv6.nd.na.flag.s > 0", 20, "only == and !=", ""),
        ("ipv6.hlim contains 3", 10, "contains looks into strings and octets", ""),
        ("data.data == zz", 13, "takes octets", ""),
        ("frame.time > soon", 13, "a time in seconds", ""),
        ("frame.time == 1.0000000001", 14, "finer than a nanosecond", ""),
        ("icmpv6 == 1", 7, "icmpv6 is a protocol", ""),
        ("icmpv6 in {1}", 0, "icmpv6 is a protocol", ""),
        ('node == "h1', 8, "without its closing quote", ""),
        ('"h1" == node', 0, "is not expected here, but a field name", ""),
        ("(" * 60 + "udp" + ")" * 60 + " x", 124, "'x' is not expected", ""),
        ("!" * 60 + "udp", 63, "nested more than 50 deep", ""),
        ("x" * 5000, 4096, "longer than 4096", ""),
    ],
)
def test_wrong_filter_points_at_the_token(text: str, position: int, reason: str, suggestion: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    assert caught.value.position == position
    assert reason in str(caught.value)
    assert caught.value.suggestion == suggestion


def test_error_marks_the_token_under_the_line() -> None:
    with pytest.raises(
        FilterError, match=r"filter, column 8: unknown field 'icmp6'; did you mean 'icmpv6'\?"
    ) as caught:
        compile_filter("udp or\ticmp6")
    assert caught.value.pointer() == "udp or icmp6\n       ^^^^^"


def test_string_takes_escaped_quotes() -> None:
    assert matches(r'reason == "a\"b\\c"', reason='a"b\\c')


def test_completion_lists_every_field_in_order() -> None:
    assert list(FIELD_NAMES) == sorted(FIELD_NAMES)
    assert {"icmpv6.type", "ipv6.addr", "node", "frame.time", "mld"} <= set(FIELD_NAMES)


mutated = st.tuples(
    st.sampled_from(sorted(FRAMES)),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    st.integers(0, 60),
)


def mutate(name: str, changes: list[tuple[int, int]], cut: int) -> bytes:
    frame = bytearray(FRAMES[name])
    for at, value in changes:
        frame[at % len(frame)] = value
    return bytes(frame[: len(frame) - cut] if cut % 2 else frame)


def agrees_with_the_tree(frame: bytes) -> bool:
    """True if reading at fixed places gives, for every field, what the decode tree holds."""
    tree = values(dissect(frame))
    view = View(Seen(frame))
    for name, spec in TREE_FIELDS.items():
        found = getter(name)(view)
        expected = tree.get(name, [])
        if bool(found) != bool(expected) or (spec.kind is not Kind.PROTOCOL and list(found) != expected):
            return False
    return all(
        sorted(map(repr, getter(alias)(view))) == sorted(repr(value) for part in parts for value in getter(part)(view))
        for alias, parts in ALIASES.items()
    )


@given(mutated)
def test_short_cuts_give_what_the_decode_tree_gives(change: tuple[str, list[tuple[int, int]], int]) -> None:
    assert agrees_with_the_tree(mutate(*change))


def test_short_cuts_give_what_the_decode_tree_gives_for_every_cut() -> None:
    for frame in FRAMES.values():
        for end in range(len(frame)):
            assert agrees_with_the_tree(frame[:end])


SAMPLES = {
    Kind.UINT: "1",
    Kind.BOOL: "true",
    Kind.IPV6: "fe80::1",
    Kind.ETHER: "2:0:0:0:0:2",
    Kind.BYTES: "00:02",
    Kind.STRING: "h1",
    Kind.TIME: "1.5",
}


def every_comparison() -> list[str]:
    texts = []
    for name, spec in FIELDS.items():
        texts.append(name)
        if spec.kind is not Kind.PROTOCOL:
            signs = ("==", "!=") if spec.kind is Kind.BOOL else ("==", "!=", "<", "<=", ">", ">=")
            texts += [f"{name} {sign} {SAMPLES[spec.kind]}" for sign in signs]
            texts.append(f"{name} in {{{SAMPLES[spec.kind]}, {SAMPLES[spec.kind]}..{SAMPLES[spec.kind]}}}")
    return texts


COMPARISONS = [compile_filter(text) for text in every_comparison()]


@given(mutated)
def test_no_comparison_raises_for_any_frame(change: tuple[str, list[tuple[int, int]], int]) -> None:
    seen = Seen(mutate(*change))
    assert all(compiled.matches(seen) in (True, False) for compiled in COMPARISONS)


WORDS = ["icmpv6", "icmpv6.type", "==", "135", "&&", "||", "!", "(", ")", "in", "{", "}", ",", "..", "1", "fe80::/10"]


@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    try:
        compiled = compile_filter(text)
    except FilterError as error:
        position = error.position
    else:
        position = 0
        assert compiled.matches(Seen(FRAMES["udp"])) in (True, False)
    assert 0 <= position <= len(text)


def test_copies_of_a_filter_judge_alike() -> None:
    copied = pickle.loads(pickle.dumps(compile_filter("icmpv6.type == 135")))
    assert copied.matches(Seen(FRAMES["neighbor solicitation"]))
    assert not copied.matches(Seen(FRAMES["udp"]))


def test_word_beside_a_string_field_may_look_like_a_protocol() -> None:
    assert matches("node == udp", node="udp")
    assert matches('node == "link"', node="link")
    assert matches("node == link", node="lan")
