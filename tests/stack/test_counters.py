"""Every counter that ``netstat -s`` prints is raised by some story (KAME netstat/inet6.c, inet.c; RFC 2465, RFC 2466).

Counters that a drop reason feeds have the story of that reason, told and counted exactly in test_reasons. For the rest
stands here which story of the other tests raises them, or one of this file. What cannot happen on a node yet is named
in `NOT_HERE` with its cause; those rows are KAME's and stay 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

import pytest
import test_a_source_2000
import test_a_source_rules
import test_flows
import test_forward
import test_frag
import test_h_figures
import test_h_overlaps
import test_h_source_route
import test_i_errors
import test_ipsec_drops
import test_kprivacy
import test_mld
import test_ns_na
import test_redirect
import test_s_ancillary
import test_scope
import test_sockets
import test_tcp_attacks
import test_tcp_close
import test_tcp_corners
import test_tcp_loss
import test_tcp_open
import test_tcp_window
from test_reasons import STORIES, Story
from wires import ALLNODES, STRANGER, A, Wires, icmp6, na

from kamelab.core.drops import REASONS
from kamelab.stack import syscalls
from kamelab.stack.netinet import tcp_subr, tcp_var
from kamelab.userland import netstat_ifstats, netstat_stats
from kamelab.userland.netstat_stats import Codes, Histogram, Item, Mbufs, Rest, Rules, Scopes
from kamelab.wire import exthdr, ip6
from kamelab.wire import icmp6 as icmp

OWN = A("fe80::ff:fe00:1")


# -- stories of this file --------------------------------------------------------------------------------------------


def no_socket_for_a_group(wires: Wires) -> None:
    """A raw socket of one protocol is there, and a multicast packet of another comes."""
    h1 = wires.host()
    syscalls.socket(h1, 0, "raw6", 89)
    wires.inject(h1, ip6.build(STRANGER, ALLNODES, 90, b"data"))


def every_message_leaves(wires: Wires) -> None:
    """Programs send the messages that the kernel itself never does: queries, and what routers and hosts say."""
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "raw6", 58)
    for kind in (icmp.MLD_QUERY, icmp.ROUTER_SOLICIT, icmp.ROUTER_ADVERT):
        syscalls.sendmsg(h1, sid, bytes((kind,)) + bytes(23), ALLNODES, 0, 1)


def every_message_comes(wires: Wires) -> None:
    """One of each kind, sound or not: they are counted before they are judged."""
    h1 = wires.host()
    for kind, _ in netstat_ifstats.ICMP6:
        wires.inject(h1, icmp6(STRANGER, OWN, kind, bytes(60)))


def an_orphan_too_many(wires: Wires) -> None:
    """Connections without a program are counted out; the oldest goes."""
    limit = tcp_var.ORPHAN_LIMIT
    tcp_subr.ORPHAN_LIMIT = 0  # type: ignore[attr-defined]
    try:
        peer, sid = test_tcp_attacks.opened(wires)
        syscalls.close(peer.node, sid)
    finally:
        tcp_subr.ORPHAN_LIMIT = limit  # type: ignore[attr-defined]


def headers_too_long_for_the_first_fragment(wires: Wires) -> None:
    """RFC 7112's code is not in KAME's table: it counts as unknown."""
    STORIES["FRAG_CHAIN"](wires)


# -- the registry ----------------------------------------------------------------------------------------------------

BY_STORY: tuple[tuple[Story, str], ...] = (
    (test_forward.test_a_packet_goes_on_with_its_hop_limit_one_lower_and_nothing_else_changed,
     "ip6.total ip6.delivered ip6.localout ip6.forward ip6.forward_cachemiss ip6.nxthist"),
    (test_flows.test_flows_are_per_arrival_interface_and_neighbour, "ip6.forward_cachehit"),
    (test_frag.test_the_rest_is_waited_for_60_seconds_and_the_sender_is_told_if_the_first_came,
     "ip6.fragtimeout icmp6.error.3.1 icmp6.error icmp6.outhist"),
    (test_h_overlaps.test_a_lowered_limit_evicts_the_oldest_packets_at_the_next_tick, "ip6.fragoverflow"),
    (test_h_figures.test_fragments_both_ways, "ip6.fragments ip6.reassembled ip6.fragmented ip6.ofragments"),
    (test_ipsec_drops.everything_arrives_well,
     "ipsec6.in_success ipsec6.in_ahauthsucc ipsec6.in_ahhist ipsec6.in_esphist ipsec6.in_comphist"
     " ipsec6.out_success ipsec6.out_ahhist ipsec6.out_esphist ipsec6.out_comphist"),
    (test_ipsec_drops.a_tunnel_that_leads_nowhere, "ipsec6.out_noroute"),
    (test_ipsec_drops.a_daemon_asks,
     "pfkey.out_total pfkey.out_bytes pfkey.out_msgtype pfkey.in_total pfkey.in_bytes pfkey.in_msgtype pfkey.in_one"
     " pfkey.in_all pfkey.in_registered pfkey.invlen pfkey.invver pfkey.invmsgtype pfkey.tooshort pfkey.dupext"
     " pfkey.invexttype pfkey.invsatype pfkey.invaddr"),
    (test_redirect.test_the_sender_is_told_of_a_better_first_hop_after_its_packet_was_forwarded,
     "ip6.redirectsent icmp6.error.137.0"),
    (test_h_figures.test_lo0_passes_on_what_was_made_of_two_mbufs, "ip6.m1 ip6.m2m ip6.mext1 ip6.mext2m"),
    (test_a_source_2000.test_deprecated_ones_only_if_there_is_no_other_choice,
     "ip6.sources_deprecated ip6.sources_otherif ip6.sources_sameif ip6.sources_samescope"),
    (test_a_source_2000.test_without_an_address_of_that_scope_there_any_global_one, "ip6.sources_otherscope"),
    (test_a_source_rules.test_of_equals_the_first_stays_and_nothing_is_counted, "ip6.sources_rule.0"),
    (test_a_source_rules.test_the_loopback_address_stays_at_home, "ip6.sources_rule.1"),
    (test_a_source_rules.test_a_solicitation_says_nothing_of_its_source, "ip6.sources_rule.2"),
    (test_a_source_rules.test_deprecated_only_as_a_last_resort_and_scope_counts_more, "ip6.sources_rule.3"),
    (test_forward.test_extension_headers_but_hop_by_hop_are_not_looked_at, "ip6.sources_rule.5 icmp6.error.4.2"),
    (test_a_source_rules.test_a_label_counts_only_where_the_destination_has_one, "ip6.sources_rule.6"),
    (lambda wires: test_kprivacy.test_prefer_tempaddr_decides_between_it_and_the_public_one(wires, 1),
     "ip6.sources_rule.7"),
    (test_a_source_rules.test_alive_interfaces_then_preferred_ones,
     "ip6.sources_rule.8 ip6.sources_rule.9 ip6.sources_rule.14"),
    (test_forward.test_an_error_quotes_as_much_as_fits_into_1280_octets, "icmp6.error.1.0"),
    (test_scope.test_a_link_local_source_does_not_cross_a_router_and_is_told, "icmp6.error.1.2"),
    (test_forward.test_a_next_hop_that_does_not_answer_is_told_to_the_sender_after_3_seconds, "icmp6.error.1.3"),
    (test_i_errors.test_headers_stand_in_the_quote_as_they_came, "icmp6.error.1.4 udp6.ipackets"),
    (test_h_figures.test_a_router_s_figures_count_both_ways_of_forwarding, "icmp6.error.2.0"),
    (test_h_source_route.test_it_is_forwarded_by_the_rules_of_forwarding, "icmp6.error.3.0"),
    (test_h_source_route.test_without_rthdr0_type_0_is_as_unknown_as_any, "icmp6.error.4.0"),
    (test_sockets.test_raw_sockets_of_another_protocol, "icmp6.error.4.1 rip6.ipackets rip6.nosock rip6.delivered"),
    (headers_too_long_for_the_first_fragment, "icmp6.error.unknown"),
    (test_forward.test_a_packet_to_the_node_itself_needs_no_neighbour, "icmp6.inhist icmp6.reflect"),
    (test_ns_na.test_after_ten_options_reading_stops_and_what_was_read_is_used, "icmp6.nd_toomanyopt"),
    (test_forward.test_a_smaller_path_mtu_is_kept_in_a_host_route_for_ten_minutes, "icmp6.pmtuchg udp6.opackets"),
    (test_s_ancillary.test_the_kernel_sums_for_a_raw_socket, "rip6.isum rip6.badsum rip6.opackets"),
    (test_sockets.test_a_full_raw_socket_loses_messages_and_the_kernel_goes_on, "rip6.fullsock"),
    (no_socket_for_a_group, "rip6.nosockmcast"),
    # TCP
    (test_tcp_loss.test_a_conversation_under_loss_is_counted,
     "tcp.sndtotal tcp.sndpack tcp.sndbyte tcp.sndrexmitpack tcp.sndrexmitbyte tcp.fastrexmit tcp.newrenopartial "
     "tcp.sndacks tcp.sndctrl tcp.rcvtotal tcp.rcvackpack tcp.rcvackbyte tcp.rcvdupack tcp.rcvpack tcp.rcvbyte "
     "tcp.connattempt tcp.accepts tcp.connects tcp.sc_added tcp.sc_completed tcp.rttupdated tcp.segstimed"),
    (test_tcp_window.test_a_narrower_path_makes_smaller_segments, "tcp.mturesent"),
    (test_tcp_window.test_every_second_segment_is_acknowledged_at_once_and_one_alone_after_200_ms, "tcp.delack"),
    (test_tcp_window.test_a_probe_that_the_peer_takes_is_not_sent_twice, "tcp.sndprobe tcp.persisttimeo"),
    (test_tcp_corners.test_a_silent_peer_behind_a_closed_window_is_given_up, "tcp.persistdrop"),
    (test_tcp_window.test_a_probe_of_our_closed_window_is_answered, "tcp.rcvwinprobe tcp.sndwinup"),
    (test_tcp_window.test_the_sender_waits_for_a_window_worth_sending_into, "tcp.rcvwinupd"),
    (test_tcp_attacks.test_challenges_are_rationed, "tcp.ackwarlimited"),
    (test_tcp_window.test_out_of_order_data_waits_for_what_is_missing,
     "tcp.rcvdupbyte tcp.rcvoopack tcp.rcvoobyte"),
    (test_tcp_window.test_what_overlaps_is_cut, "tcp.rcvpartduppack tcp.rcvpartdupbyte"),
    (test_tcp_window.test_what_lies_beyond_the_window_is_cut_or_refused, "tcp.rcvbyteafterwin"),
    (test_tcp_window.test_urgent_data_stays_in_the_stream, "tcp.rcvurg"),
    (test_tcp_close.test_both_close_at_once, "tcp.closed"),
    (test_tcp_close.test_a_fin_nobody_answers_is_sent_again_and_given_up, "tcp.timeoutdrop tcp.rexmttimeo"),
    (test_tcp_close.test_silence_ends_a_connection_with_keepalive,
     "tcp.keeptimeo tcp.keepprobe tcp.keepdrops tcp.drops"),
    (test_tcp_open.test_a_port_that_nobody_listens_on_refuses, "tcp.conndrops"),
    (an_orphan_too_many, "tcp.orphandrops"),
    (test_tcp_attacks.test_bulk_data_takes_the_short_way, "tcp.predack tcp.preddat"),
    (test_tcp_open.test_the_answer_is_sent_again_until_it_is_acknowledged_or_given_up,
     "tcp.sc_retransmitted tcp.sc_timed_out"),
    (test_tcp_open.test_the_same_syn_again_is_answered_again, "tcp.sc_dupesyn"),
    (test_tcp_attacks.test_the_syn_queue_has_the_size_of_the_variable, "tcp.sc_bucketoverflow"),
    (test_tcp_attacks.test_a_half_open_connection_can_be_reset_and_only_exactly, "tcp.sc_reset"),
    (test_tcp_attacks.test_the_network_may_end_a_half_open_connection_that_it_quotes, "tcp.sc_unreach"),
    # an interface's own: netstat -s -I
    (test_h_figures.test_an_end_node_s_figures,
     "if.in_receive if.in_deliver if.in_hdrerr if.in_addrerr if.in_truncated if.in_protounknown"),
    (test_h_figures.test_a_router_s_figures_count_both_ways_of_forwarding,
     "if.in_toobig if.in_noroute if.out_forward"),
    (test_h_figures.test_fragments_both_ways,
     "if.out_fragok if.out_fragcreat if.reass_reqd if.reass_ok if.out_request"),
    (test_h_figures.test_what_did_not_leave, "if.out_discard if.out_fragfail"),
    (test_frag.test_nobody_is_told_without_the_first_fragment, "if.reass_fail"),
    (test_mld.test_the_filter_lets_in_joined_groups_only, "if.in_discard if.out_mcast"),
    (every_message_comes,
     "if.in.1 if.in.2 if.in.3 if.in.4 if.in.128 if.in.129 if.in.130 if.in.131 if.in.132 if.in.133 if.in.134 if.in.135 "
     "if.in.136 if.in.137"),
    (every_message_leaves, "if.out.130 if.out.133 if.out.134"),
    (test_mld.test_a_general_query_is_answered_for_each_group_within_its_delay, "if.in_mcast"),
    (test_mld.test_a_group_that_a_program_joins, "if.out.131 if.out.132"),
    (test_redirect.test_the_sender_is_told_of_a_better_first_hop_after_its_packet_was_forwarded, "if.out.137"),
    (test_forward.test_a_packet_to_the_node_itself_needs_no_neighbour, "if.out.128 if.out.129"),
    (test_frag.test_a_length_that_is_no_multiple_of_8_and_a_packet_too_large_are_told,
     "if.out.4 if.out.135 if.out.136"),
    (test_h_source_route.test_it_is_forwarded_by_the_rules_of_forwarding, "if.out.3"),
    (test_h_figures.test_a_router_s_figures_count_both_ways_of_forwarding, "if.out.1 if.out.2"),
)  # fmt: skip
"""Stories with the printed counters that they raise; a block that prints many counters needs one of them."""

NOT_HERE: dict[str, str] = {
    "ip6.rawout": "no socket brings its own IPv6 header (RFC 3542 3 has no IPV6_HDRINCL); KAME never counted it either",
    "ip6.sources_rule.4": "home addresses come with Mobile IPv6",
    "icmp6.error.1.1": "nothing forbids with a word: what an IPsec policy refuses ends in silence",
    **{f"ipsec6.{name}": "memory does not run out" for name in ("in_nomem", "out_nomem")},
    "ipsec6.in_badspi": "an SPI is always there to be read",
    "pfkey.nomem": "memory does not run out",
    **{item.key: "there is no PIM yet" for item in netstat_stats.PIM6 if isinstance(item, netstat_stats.Counter)},
    **{item.key: "nothing routes multicast yet" for item in netstat_stats.MRT6
       if isinstance(item, netstat_stats.Counter)},
}  # fmt: skip
"""Rows of KAME's that stay 0, and why."""

FED = {name: reason.name for reason in REASONS.values() for name in reason.counters if reason.name != "INTERNAL"}
"""Counters that reasons feed, with one such reason."""


def printed(items: tuple[Item, ...]) -> Iterator[str]:
    """The counters of a block, by the names that this file gives them."""
    for item in items:
        if isinstance(item, Rules):
            yield from (f"{item.key}.{number}" for number in netstat_stats.RULE_NAMES)
        elif isinstance(item, Codes):
            yield from (f"{item.key}.{kind}.{code}" for kind, code, _ in netstat_stats.ERROR_CODES)
            yield f"{item.key}.unknown"
        elif isinstance(item, Mbufs):
            yield from ("ip6.m1", "ip6.m2m", "ip6.mext1", "ip6.mext2m")
        elif not isinstance(item, Rest):
            yield item.key


def every_printed() -> set[str]:
    """All counters that ``netstat -s``, ``-gs`` and ``-s -I`` print."""
    out = set(printed(netstat_stats.MRT6))
    for items in netstat_stats.PROTOCOLS.values():
        out |= set(printed(items))
    out |= {f"if.{name}" for name, _ in netstat_ifstats.IP6}
    return out | {f"if.{way}.{kind}" for way in ("in", "out") for kind, _ in netstat_ifstats.ICMP6}


REGISTRY: dict[str, Story] = {name: story for story, names in BY_STORY for name in names.split()}
HERE = sorted(every_printed() - set(NOT_HERE) - set(FED))


def test_every_printed_counter_has_a_story_or_a_cause_to_stay_0() -> None:
    known = set(REGISTRY) | set(NOT_HERE) | {name for name, reason in FED.items() if reason in STORIES}
    assert every_printed() - known == set(), "printed by netstat, raised by nobody"
    assert known - every_printed() == set(), "counted for nobody to see"
    assert not set(REGISTRY) & set(NOT_HERE)
    assert len(REGISTRY) == sum(len(names.split()) for _, names in BY_STORY), "a counter with two stories"


@cache
def raised_by(story: Callable[[Wires], None]) -> dict[str, int]:
    """What the story's nodes have counted at its end, all together."""
    wires = Wires()
    story(wires)
    out: Counter[str] = Counter()
    for node in wires.net.nodes.values():
        out.update(node.counters())
        for row in syscalls.rows(node, "in6_ifstat"):
            for name, number in row.counters:
                name = name.replace("icmp6_in.", "in.").replace("icmp6_out.", "out.")
                out[f"if.{name}"] += number
    return dict(out)


def value_of(counters: dict[str, int], name: str) -> int:
    """A counter, or a block's sum."""
    if name in counters:
        return counters[name]
    if name == "icmp6.error.unknown":
        known = sum(counters.get(f"icmp6.error.{kind}.{code}", 0) for kind, code, _ in netstat_stats.ERROR_CODES)
        return sum(number for key, number in counters.items() if key.startswith("icmp6.error.")) - known
    return sum(number for key, number in counters.items() if key.startswith(name + "."))


@pytest.mark.parametrize("name", HERE)
def test_it_is_raised(name: str) -> None:
    assert value_of(raised_by(REGISTRY[name]), name) > 0


@pytest.mark.parametrize("name", sorted(NOT_HERE))
def test_it_stays_0_and_nobody_raises_it_in_secret(name: str) -> None:
    """When one of them begins to count, it wants a story."""
    for story in {story for story, _ in BY_STORY}:
        assert not raised_by(story).get(name)


def test_what_is_printed_is_what_was_counted(wires: Wires) -> None:
    """A row for each counter, with its number before the phrase."""
    test_tcp_close.test_both_close_at_once(wires)
    (node, *_) = wires.net.nodes.values()
    counters = node.counters()
    for protocol, items in netstat_stats.PROTOCOLS.items():
        lines = netstat_stats.statistics_lines(protocol, counters)
        for item in items:
            if isinstance(item, netstat_stats.Counter):
                assert any(line.startswith(f"\t{counters.get(item.key, 0)} ") for line in lines), item.key
            elif isinstance(item, Histogram | Scopes) and any(name.startswith(item.key + ".") for name in counters):
                assert f"\t{item.title}" in lines


# -- sums ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", [test_tcp_loss.test_a_conversation_under_loss_is_counted,
                                   test_i_errors.test_the_histograms])  # fmt: skip
def test_what_is_counted_by_kind_adds_up(story: Story) -> None:
    """Next headers, buffers, errors by type and code: each the same packets, told apart."""
    counters = raised_by(story)
    total = counters["ip6.total"]
    assert total >= 3
    assert sum(counters.get(f"ip6.{name}", 0) for name in ("m1", "mext1", "mext2m", "m2m.lo0")) == total
    assert value_of(counters, "ip6.nxthist") == total
    # Redirects are in the block of errors, and are none.
    redirects = counters.get("icmp6.error.137.0", 0)
    by_kind = sum(number for name, number in counters.items() if name.startswith("icmp6.error."))
    assert by_kind - redirects == counters.get("icmp6.error", 0)


def test_after_many_mishaps_the_reasons_add_up(wires: Wires) -> None:
    """What reasons feed is the sum over the records, the pieces of a packet and whatever else counted beside (promise:
    one counter, one truth); the fuzzer proves the same after a million frames.
    """
    h1 = wires.host()
    for packet in (
        icmp6(STRANGER, OWN, icmp.ECHO_REQUEST, bytes(8), code=9),
        ip6.build(STRANGER, OWN, 60, b"\x3b\0\x41\x04" + bytes(4)),
        ip6.build(STRANGER, OWN, 60, b"\x3b\0\x81\x04" + bytes(4)),
        ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(17, 0, True, 1) + bytes(9)),
        ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(17, 0, True, 2) + bytes(16)),
        ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(17, 8, True, 2) + bytes(16)),
        na(A("ff02::1"), OWN, "SO", src=STRANGER),
        ip6.build(STRANGER, OWN, 17, bytes(4)),
        ip6.build(STRANGER, OWN, 6, bytes(20)),
        ip6.build(A("ff02::1"), OWN, 59, b""),
        ip6.build(STRANGER, A("2001:db8:1::77"), 59, b""),
    ):
        for _ in range(3):
            wires.inject(h1, packet, dmac=b"\x02\0\0\0\0\x01")
    expected: Counter[str] = Counter()
    for record in wires.net.trace.all():
        if record.reason in REASONS:
            expected.update(REASONS[record.reason].counters)
    counters = h1.counters()
    assert len(expected) >= 8
    assert {name: counters.get(name, 0) for name in FED} == {name: expected[name] for name in FED}
