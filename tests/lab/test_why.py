"""``why``: every answer leads back to what was typed, tells the rule, and asking changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kamelab.core.errors import KamelabError
from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.lab.why import explain
from kamelab.lab.why_text import Explanation
from kamelab.lab.why_words import EVENTS, TIMERS, rule_of, sentence, state_sentence
from kamelab.stack.netinet6.nd6_state import TRANSITIONS

H1, H2 = "2001:db8:1::ff:fe00:101", "2001:db8:2::ff:fe00:301"
ROUTER = "fe80::ff:fe00:201%ne0"
PING = f"ping6 -c 1 {H2}"
TWO_ROUTERS = """
format = 1
title = "Two routers on a wire"
[links.lan]
latency = "500us"
[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan", up = true }
[nodes.r1]
role = "router"
startup = ["rtadvd ne0"]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }
[nodes.r2]
role = "router"
startup = ["rtadvd ne0"]
files."/etc/rtadvd.conf" = "ne0:\\\\\\n\\t:raflags#24:\\n"
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:2::1/64"] }
"""


def after(*lines: str) -> Session:
    """The demo, settled, after these lines."""
    session = open_session("demo")
    for line in ("run 6s", *lines):
        execute(session, line)
    session.take_output()
    return session


def lab(folder: Path, text: str, *lines: str) -> Session:
    path = folder / "lab.toml"
    path.write_text(text)
    session = open_session(str(path))
    for line in lines:
        execute(session, line)
    return session


def ask(session: Session, question: str) -> Explanation:
    return explain(session, question.split())


def section(about: Explanation, heading: str) -> str:
    """The lines of the section whose heading begins so."""
    return "\n".join(line for name, lines in about.sections if name.startswith(heading) for line in lines)


def last(session: Session, node: str, event: str, kind: int) -> int:
    """Number of the last captured ICMPv6 message of a type at a node."""
    rows = session.world.network.trace.packets
    return int(next(r[0] for r in reversed(rows) if r[2] == node and r[6] == event and r[12][54] == kind))


@pytest.fixture(scope="module")
def pinged() -> Session:
    return after(f"h1: {PING}")


# -- packets ---------------------------------------------------------------------------------------------------------


def test_a_reply_leads_back_over_all_nodes_to_the_line_that_was_typed(pinged: Session) -> None:
    about = ask(pinged, str(last(pinged, "h1", "rx", 129)))
    told = section(about, "because of").splitlines()
    assert told[0].endswith(f"typed: h1: {PING}")
    assert [line.split()[2] for line in told if "received" in line] == ["r1:ne0", "h2:ne0", "r1:ne1", "h1:ne0"]
    assert "held: waits for the link-layer address" in section(about, "because of")
    assert "taken in by icmp6_input" in section(about, "ended")


def test_what_set_a_held_packet_free_stands_beside_its_cause(pinged: Session) -> None:
    told = section(ask(pinged, str(last(pinged, "h1", "rx", 129))), "because of")
    assert re.search(r"just then because of \d+ at r1:ne1: taken in by nd6_na_input \(RFC 4861 7\.2\.5\)", told)


def test_an_advertisement_tells_what_it_changed_and_what_it_set_off(pinged: Session) -> None:
    about = ask(pinged, str(last(pinged, "h1", "rx", 134)))
    changed = section(about, "changed")
    assert f"router {ROUTER} enters the default router list (RFC 4861 6.3.4)" in changed
    assert f"neighbour {ROUTER} no entry > STALE" in changed
    effects = section(about, "set off")
    assert f"address {H1} DAD unique" in effects
    assert "typed" not in effects


def test_a_sent_packet_tells_who_took_it_and_how_it_ended_there(pinged: Session) -> None:
    arrived = section(ask(pinged, str(last(pinged, "h2", "tx", 129))), "arrived")
    assert "r1:ne1 received it: held: waits for the link-layer address" in arrived
    assert "forwarded out of ne0 (RFC 8200 3)" in arrived


def test_a_sent_packet_that_nobody_listens_to_says_so(pinged: Session) -> None:
    probe = next(r[0] for r in pinged.world.network.trace.packets if r[6] == "tx" and r[12][54] == 135)
    assert "no interface took it" in section(ask(pinged, str(probe)), "arrived")


def test_a_packet_on_its_way_is_said_to_be_there() -> None:
    session = after(f"h1: {PING} &", "step", "step")
    rows = session.world.network.trace.packets
    flying = {entry[4] for entry in session.world.network.clock.heap if len(entry) > 4}
    num = next(row[0] for row in reversed(rows) if row[0] in flying)
    assert "on its way to " in section(ask(session, str(num)), "arrived")


def test_the_last_drop_tells_reason_packet_and_cause() -> None:
    session = after(f"h1: ping6 -c 1 -h 1 {H2}")
    about = ask(session, "drop")
    assert "FWD_HLIM: The hop limit ran out. (RFC 8200 3)" in section(about, "ended")
    assert "echo request" in section(about, "packet")
    assert f"typed: h1: ping6 -c 1 -h 1 {H2}" in section(about, "because of")
    assert "time exceeded" in section(about, "set off")
    assert ask(session, "drop r1").text() == ask(session, "r1 drop").text() == about.text()
    assert ask(session, "drop h2").title == "nothing was dropped on h2 so far"


def test_a_frame_lost_by_its_link_is_found_by_its_drop() -> None:
    session = after("link lan1 loss=100%", f"h1: {PING}")
    about = ask(session, "drop")
    assert "LINK_LOST" in about.title
    assert "> " in section(about, "packet")
    assert f"typed: h1: {PING}" in section(about, "because of")


def test_effects_do_not_run_on_into_the_next_packets_of_a_program() -> None:
    session = after(f"h1: ping6 -c 5 {H2}")
    rows = session.world.network.trace.packets
    first = next(r[0] for r in rows if r[2] == "h1" and r[6] == "tx" and r[12][54] == 128)
    effects = section(ask(session, str(first)), "set off")
    assert "echo request id" in effects
    assert "seq 1" not in effects


def test_every_line_of_the_trace_has_a_sentence_and_what_follows_from_a_protocol_has_its_rule(pinged: Session) -> None:
    for record in pinged.world.network.trace.all():
        assert sentence(record)
        if record.event != "command" and not (record.event == "timer" and record.stage == "timeout"):
            assert re.match(r"(RFC \d+|KAME)", rule_of(record)), record


# -- neighbours ------------------------------------------------------------------------------------------------------


def test_a_neighbour_tells_its_states_with_rules_and_causes(pinged: Session) -> None:
    about = ask(pinged, f"r1 {H2}")
    assert about.title.endswith("a neighbour on ne1, REACHABLE")
    history = section(about, "history")
    assert f"neighbour {H2} no entry > INCOMPLETE: a packet was to be sent to it (RFC 4861 7.2.2)" in history
    assert f"neighbour {H2} INCOMPLETE > REACHABLE: it answered a solicitation (RFC 4861 7.2.5)" in history
    assert "because of" in history
    assert f"typed: h1: {PING}" in section(about, "the last change came from")
    assert re.search(r"STALE in \d+s \(RFC 4861 7\.3\.3\)", section(about, "state"))


def test_a_zone_may_be_left_out_where_only_one_link_can_be_meant(pinged: Session) -> None:
    assert ask(pinged, "h1 fe80::ff:fe00:201").text() == ask(pinged, f"h1 {ROUTER}").text()
    with pytest.raises(KamelabError, match="add the interface"):
        ask(pinged, "r1 fe80::1:2:3")


def test_a_neighbour_set_by_hand_names_the_command() -> None:
    session = after("h1: ndp -s 2001:db8:1::9 2:0:0:0:9:9")
    about = ask(session, "2001:db8:1::9")
    assert "set by hand for good" in section(about, "state")
    assert "typed: h1: ndp -s 2001:db8:1::9" in section(about, "the last change came from")


def test_an_address_that_nobody_answered_for_tells_what_was_tried() -> None:
    session = after("h1: ping6 -c 1 2001:db8:1::77", "run 5s")
    about = ask(session, "h1 2001:db8:1::77")
    past = section(about, "what it was before")
    assert past.count("stays INCOMPLETE") == 2
    assert "INCOMPLETE > gone: no answer to the last solicitation (RFC 4861 7.2.2)" in past
    assert "2001:db8:1::/64: all of its 64 bits fit" in section(about, "why this one")


def test_every_event_of_the_machine_has_words() -> None:
    assert {event for _, event in TRANSITIONS} <= set(EVENTS)
    assert set(TIMERS) >= {"nd6_timer", "dad_timer", "mld6_timer", "frag_timer", "expire_timer"}


# -- addresses -------------------------------------------------------------------------------------------------------


def test_an_autoconfigured_address_names_its_advertisement_and_lifetimes(pinged: Session) -> None:
    about = ask(pinged, f"h1 {H1}")
    came = section(about, "came from")
    assert "(RFC 4862 5.5.3)" in came
    assert "heard from fe80::ff:fe00:201: valid 30d0h0m0s, preferred 7d0h0m0s, flags LA" in came
    assert "then deprecated" in section(about, "state")
    assert f"address {H1} DAD unique" in section(about, "history")
    assert "program started: rtadvd ne0 ne1" in section(about, "the last change came from")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("r1 2001:db8:1::1", "the lab file: set at boot"),
        ("h1 fe80::ff:fe00:101", "made from its MAC when the interface came up (RFC 4862 5.3"),
        ("h1 ::1", "the loopback interface has it"),
    ],
)
def test_addresses_of_boot_say_so(pinged: Session, question: str, words: str) -> None:
    assert words in section(ask(pinged, question), "came from")


def test_a_duplicate_set_by_hand_names_the_command_and_who_has_it() -> None:
    session = after("h1: ifconfig ne0 inet6 2001:db8:1::1 prefixlen 64 alias", "run 3s")
    about = ask(session, "2001:db8:1::1")
    assert about.title.endswith("duplicated")
    assert "ifconfig ne0 inet6 2001:db8:1::1 prefixlen 64 alias" in section(about, "came from")
    assert "somebody else has it" in section(about, "state")
    assert "NA 2001:db8:1::1 is at 2:0:0:0:2:1" in section(about, "history")


def test_an_address_made_of_a_prefix_and_the_mac_finds_its_command() -> None:
    session = after("h1: ifconfig ne0 inet6 2001:db8:9:: prefixlen 64 eui64 alias", "run 3s")
    assert "prefixlen 64 eui64 alias" in section(ask(session, "2001:db8:9::ff:fe00:101"), "came from")


def test_a_group_tells_who_listens(pinged: Session) -> None:
    assert "h1 listens to it on ne0" in section(ask(pinged, "h1 ff02::1%ne0"), "membership")
    assert "h1 has not joined it" in section(ask(pinged, "h1 ff02::2%ne0"), "membership")


# -- routes ----------------------------------------------------------------------------------------------------------


def test_the_default_route_names_the_advertisement_and_why_that_router(tmp_path: Path) -> None:
    session = lab(tmp_path, TWO_ROUTERS, "run 20s")
    about = ask(session, "h1 default")
    assert "RA lifetime" in section(about, "came from")
    first, second = section(about, "default routers").splitlines()
    assert "preference medium" in first
    assert ": used: it is " in first
    assert "preference low" in second
    assert "not used: another of higher preference is reachable (RFC 4861 6.3.6, RFC 4191 3.2)" in second


def test_longest_match_is_told_against_the_alternatives() -> None:
    session = after(f"h1: route add -inet6 2001:db8:7::/64 {ROUTER}")
    about = ask(session, "h1 2001:db8:7::1")
    why = section(about, "why this one").splitlines()
    assert why[0] == "2001:db8:7::/64: all of its 64 bits fit, the longest match (RFC 4861 5.2)"
    assert why[1].startswith("default: fits too, but 0 bits are less specific")
    assert why[2].startswith("2001:db8:1::/64: does not fit, 45 of 64 bits are the same")
    assert "program started: route add -inet6 2001:db8:7::/64" in section(about, "the route came from")
    assert f"{ROUTER} on ne0" in section(about, "next hop")


def test_without_a_route_it_says_that_and_what_does_not_fit() -> None:
    session = after("r1: ping6 -c 1 2001:db8:77::1")
    about = ask(session, "r1 2001:db8:77::1")
    assert "OUT_NOROUTE" in section(about, "route")
    assert "does not fit" in section(about, "routes that do not fit")


def test_a_prefix_tells_its_advertisement_and_its_end(pinged: Session) -> None:
    about = ask(pinged, "h1 2001:db8:1::/64")
    assert "heard in a router advertisement (RFC 4861 6.3.4)" in section(about, "came from")
    assert "then off the list, and its route with it (RFC 4861 6.3.5)" in section(about, "prefix list")
    assert ask(pinged, "h1 fe80::%ne0/64").title == "route fe80::%ne0/64 on h1"
    assert ask(pinged, "h1 2001:db8:5::/64").title.endswith(": there is none")


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("why", "why: expected a packet's number, drop, an address"),
        ("why 999999", "why: the trace has no record 999999"),
        ("why drop h7", "why: no node is called 'h7'"),
        ("why drop h1 h2", "why: 'h2' is one word too many"),
        ("why h1", "why: expected an address"),
        ("why h1 nonsense", "why: expected a packet's number, drop, an address, a prefix, or default, not 'nonsense'"),
        ("why fe80::1%ne7", "why: h1 has no interface 'ne7'"),
        ("why 2001:db8::/129", "why: expected a prefix length of 0 to 128"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_was_expected(pinged: Session, line: str, message: str) -> None:
    pinged.take_output()
    assert execute(pinged, line) == 2
    assert "".join(chunk.text for chunk in pinged.take_output()).startswith(message)


def test_asking_changes_nothing_and_is_no_input(pinged: Session) -> None:
    before = pinged.events, pinged.now, pinged.digest(), len(pinged.journal), pinged.world.network.trace.num
    for words in ("drop", "default", H1, H2, f"r1 {H2}", ROUTER, "2001:db8:1::/64", str(before[4])):
        assert execute(pinged, f"why {words}") == 0
    assert (pinged.events, pinged.now, pinged.digest(), len(pinged.journal), pinged.world.network.trace.num) == before
    assert {chunk.kind for chunk in pinged.take_output()} == {"text"}


def test_a_row_explained_before_going_back_and_after_coming_again_reads_the_same() -> None:
    session = after(f"h1: {PING}")
    events = session.events
    told = ask(session, f"r1 {H2}").text()
    execute(session, "back 10")
    assert ask(session, f"r1 {H2}").text() != told
    execute(session, f"step {events - session.events}")
    assert ask(session, f"r1 {H2}").text() == told


def test_a_fragment_leads_back_to_the_packet_that_was_cut() -> None:
    session = after("h1: ping6 -c 1 -m -s 3000 2001:db8:2::99")
    told = section(ask(session, "drop"), "because of")
    assert "sent cut into 3 fragments (RFC 8200 4.5)" in told
    assert "? > ?" not in told


def test_state_records_of_every_machine_have_a_sentence(tmp_path: Path) -> None:
    session = lab(tmp_path, TWO_ROUTERS, "run 20s", "link lan down", "run 3h", "link lan up", "run 30s")
    records = [record for record in session.world.network.trace.all() if record.event == "state"]
    stages = {record.stage for record in records}
    assert {"nd6_nud", "nd6_dad", "nd6_rtr", "in6_if"} <= stages
    assert all(state_sentence(record) for record in records)
    assert any("gone: lifetime over" in state_sentence(record) for record in records)


def test_an_interface_without_detection_goes_back_from_delay() -> None:
    session = after("h1: ndp -i ne0 -nud", f"h1: {PING}")
    state = section(ask(session, ROUTER), "state")
    assert state.startswith("DELAY since ")
    assert "; STALE in " in state


CONVERSATION = """
format = 1
title = "A page over TCP"
[links.lan]
latency = "1ms"
[nodes.h1]
startup = ["httpd"]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }
[nodes.h2]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::2/64"] }
"""


def test_a_long_conversation_is_told_by_its_beginning_and_by_what_lies_just_before(tmp_path: Path) -> None:
    session = lab(tmp_path, CONVERSATION, "run 5s", "h2: fetch -o /tmp/page http://[2001:db8:1::1]/bytes/300000")
    trace = session.world.network.trace
    last = max(row[0] for row in trace.packets if row[6] == "tx" and row[2] == "h1" and len(row[12]) > 1000)
    told = explain(session, [str(last)]).text().splitlines()
    chain = told[told.index("because of, the first cause first:") + 1 :]
    assert "typed: h2: fetch" in chain[0]
    assert any("TCP" in text and "[S]" in text for text in chain[:6])
    assert any(re.fullmatch(r" +\d+ causes more", text) for text in chain)
    assert sum("its source" in text for text in chain) == 1


def test_steps_of_a_connection_and_of_a_group_are_sentences(tmp_path: Path) -> None:
    session = lab(tmp_path, CONVERSATION, "run 5s", "h2: fetch -o /tmp/page http://[2001:db8:1::1]/", "run 2m")
    records = [record for record in session.world.network.trace.all() if record.stage in ("tcp", "mld6")]
    told = [sentence(record) for record in records]
    assert any("SYN-SENT > ESTABLISHED: the answer to our SYN came" in text for text in told)
    assert any("TIME-WAIT > CLOSED: twice the life of a segment is over" in text for text in told)
    assert any("delaying > idle: the report was sent" in text for text in told)
    assert all(": " in text and "_" not in text.rpartition(": ")[2] for text in told)
