"""The demo played by `kamelab run`: what two hosts and a router do from boot on, word for word."""

from __future__ import annotations

import json

import pytest
from cli_transcripts import assert_golden, run

H2 = "2001:db8:2::ff:fe00:301"


def output_of(*lines: str) -> str:
    """What the last of the lines printed, its echo left away."""
    *_, last, _ = run(*lines, options=("--json",)).stdout.splitlines()
    text = json.loads(last)["output"]
    assert isinstance(text, str)
    return text


def statuses(*lines: str) -> list[int]:
    """Exit status of each line."""
    return [json.loads(row)["status"] for row in run(*lines, options=("--json",)).stdout.splitlines()[:-1]]


def neighbor(text: str, address: str) -> tuple[str, str, str]:
    """(expire, state, probes) of an `ndp` row."""
    (row,) = [line for line in text.splitlines() if line.startswith(f"{address} ")]
    _, _, _, expire, state, *rest = row.split()
    return expire, state, rest[-1] if rest and rest[-1].isdigit() else ""


def test_hosts_take_their_addresses_from_the_advertised_prefix() -> None:
    """RFC 4862 5.5.3: prefix of the router's advertisement, interface identifier of the MAC."""
    result = run("run 5s", "h1: ifconfig ne0", "h2: ifconfig ne0")
    assert result.exit_code == 0
    assert "inet6 2001:db8:1::ff:fe00:101 prefixlen 64 autoconf" in result.stdout
    assert f"inet6 {H2} prefixlen 64 autoconf" in result.stdout
    assert_golden("addresses", result.stdout)


def test_addresses_are_tentative_until_nobody_has_objected() -> None:
    """RFC 4862 5.4: an address can't be used while duplicate address detection runs, a second by default."""
    assert "tentative" in output_of("run 500ms", "h1: ifconfig ne0")
    assert "tentative" not in output_of("run 5s", "h1: ifconfig ne0")


def test_the_default_route_leads_to_the_routers_link_local_address() -> None:
    """RFC 4861 6.3.4: the source of the advertisement, a link-local address, is the router."""
    result = run("run 5s", "h1: netstat -nr")
    (default,) = [line.split() for line in result.stdout.splitlines() if line.startswith("default")]
    assert default == ["default", "fe80::ff:fe00:201%ne0", "UG", "ne0"]
    assert_golden("routes", result.stdout)


def test_a_ping_crosses_the_router_and_its_hop_limit_falls_by_one() -> None:
    result = run("run 5s", f"h1: ping6 -c 3 {H2}")
    assert result.exit_code == 0
    assert result.stdout.count("hlim=63") == 3
    assert "3 packets transmitted, 3 packets received, 0.0% packet loss" in result.stdout
    assert_golden("ping", result.stdout)
    # Both ways: what leaves h1 with 64 reaches h2 with 63.
    hops = output_of("run 5s", f"h1: ping6 -c 1 {H2}", "trace icmpv6.type == 128 && ipv6.hlim == 63")
    assert [line.split()[2] for line in hops.splitlines()] == ["r1:ne1", "h2:ne0"]


def test_traceroute_prints_the_routers_address() -> None:
    result = run("run 5s", f"h1: traceroute6 -n {H2}")
    first, second = result.stdout.splitlines()[-2:]
    assert first.split()[:2] == ["1", "2001:db8:1::1"]
    assert second.split()[:2] == ["2", H2]
    assert_golden("traceroute", result.stdout)


def test_ndp_shows_an_entry_go_through_its_states() -> None:
    """RFC 4861 7.3.2: REACHABLE, after 30 s or so STALE, DELAY on use, PROBE 5 s later, REACHABLE by an answer."""
    ping, ndp = "h1: ping6 -c 1 2001:db8:1::1", "h1: ndp -an"
    result = run("run 5s", ping, ndp, "run 60s", ndp, ping, ndp, "run 5s", ndp)
    states = [
        (row.split()[3:5]) for row in result.stdout.splitlines() if row.startswith("2001:db8:1::1 ") and "2:0:" in row
    ]
    assert [state for _, state in states] == ["R", "S", "D", "R"]
    assert_golden("neighbor-states", result.stdout)


def test_a_dead_neighbour_is_found_out_in_the_time_that_the_constants_give() -> None:
    """RFC 4861 10: DELAY_FIRST_PROBE_TIME 5 s, then MAX_UNICAST_SOLICIT 3 probes RETRANS_TIMER 1 s apart."""
    dying = ["run 5s", "h1: ping6 -c 1 2001:db8:1::1", "run 60s", "link lan1 down", "h1: ping6 -c 1 2001:db8:1::1 &"]
    ndp = "h1: ndp -an"
    for wait, state, probes in (("4900ms", "D", ""), ("5500ms", "P", "1"), ("6500ms", "P", "2"), ("7900ms", "P", "3")):
        found = neighbor(output_of(*dying, f"run {wait}", ndp), "2001:db8:1::1")
        assert found[1:] == (state, probes)
    assert "2001:db8:1::1 " not in output_of(*dying, "run 8100ms", ndp)
    assert_golden("dead-neighbor", run(*dying, "run 7900ms", ndp, "run 200ms", ndp).stdout)


def test_an_unanswered_resolution_is_given_up_after_three_seconds() -> None:
    """RFC 4861 7.2.2: MAX_MULTICAST_SOLICIT 3 solicitations RETRANS_TIMER 1 s apart, then address unreachable."""
    asking = ["run 5s", "h1: ping6 -c 1 2001:db8:1::99 &"]
    for wait, probes in (("500ms", "1"), ("1500ms", "2"), ("2900ms", "3")):
        assert neighbor(output_of(*asking, f"run {wait}", "h1: ndp -an"), "2001:db8:1::99")[1:] == ("I", probes)
    assert "::99 " not in output_of(*asking, "run 3100ms", "h1: ndp -an")
    assert "Destination Host Unreachable" in output_of(*asking, "run 3100ms")
    solicitations = output_of(*asking, "run 10s", 'trace icmpv6.nd.ns.target_address == 2001:db8:1::99 && dir == "out"')
    assert len(solicitations.splitlines()) == 3


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("h1: ping6 -c 1 nosuch", 1, "ping6: hostname nor servname provided, or not known"),
        ("h1: ping6 -c 1 2001:db8:2::77", 2, "64 bytes from 2001:db8:1::1: Destination Host Unreachable"),
        ("h1: ping6 -Y", 1, "ping6: illegal option -- Y"),
        ("h1: ndp -Y", 1, "ndp: illegal option -- Y"),
        ("h1: ndp -n 2001:db8:1::77", 1, "2001:db8:1::77 (2001:db8:1::77) -- no entry"),
        ("h1: frobnicate", 127, "sh: frobnicate: not found"),
    ],
)
def test_what_goes_wrong_is_said_in_the_bsds_words(line: str, status: int, said: str) -> None:
    assert said in output_of("run 5s", line).splitlines()
    assert statuses("run 5s", line) == [0, status]


def test_kernel_messages_stand_between_the_output_with_time_and_node() -> None:
    """A duplicate address is told on the console (KAME nd6_nbr.c)."""
    result = run("run 5s", "h1: ifconfig ne0 inet6 2001:db8:1::1 prefixlen 64", "run 2s")
    assert "] h1 console: " in result.stdout
    assert_golden("duplicate", result.stdout)
