"""What many cases begin with, and how a neighbor cache entry's state shows on the wire.

A state is never read from the node's tables, only from its packets (RFC 4861 7.3.3 and appendix C):

* no entry: a packet to the neighbor makes a multicast solicitation, nothing goes to the neighbor before an answer
* INCOMPLETE: the multicast solicitation is repeated after RETRANS_TIMER
* REACHABLE: the packet goes at once, and no solicitation follows
* STALE: the packet goes at once, and a unicast solicitation follows DELAY_FIRST_PROBE_TIME later
* PROBE: the unicast solicitation is repeated after RETRANS_TIMER
"""

from __future__ import annotations

from kamelab.wire import in6
from kamelab.wire.ether import multicast_mac
from tests.conformance.frames import prefix_option, slla, tlla
from tests.conformance.tester import DELAY, ELSEWHERE, LINK_B, REACHABLE_MAX, RETRANS, SLACK, OneOf, Station, Tester

MONTH = 2592000
WEEK = 604800

NONE, SAME, OTHER = "none", "same", "other"
"""Link-layer address option: absent, as cached, another."""


def boot(t: Tester) -> None:
    """The NUT's interfaces come up, and duplicate address detection is over."""
    t.up()
    if t.is_router:
        t.up(t.iface_c)
        t.shell(f"ifconfig ne0 inet6 {in6.ntop(t.glob)} prefixlen 64 alias")
        t.shell("ifconfig ne1 inet6 2001:db8:0:c::1 prefixlen 64 alias")
    t.run(3)
    t.forget()


def b_prefix(*, valid: int = MONTH, preferred: int = WEEK, onlink: bool = True, autonomous: bool = True) -> bytes:
    """The prefix information option of link B."""
    return prefix_option(LINK_B, valid=valid, preferred=preferred, onlink=onlink, autonomous=autonomous)


def common(t: Tester) -> None:
    """The common set-up: TR1 is the default router, link B's prefix is on-link, the NUT has its global address.

    TR1 answers solicitations; a host learns all this from its advertisement, a router is configured.
    """
    boot(t)
    t.tr1.answers = True
    if t.is_router:
        t.shell(f"route add -inet6 default {in6.ntop(t.tr1.ll)}%ne0")
    else:
        t.tr1.ra(options=b_prefix() + slla(t.tr1.mac))
        t.run(3)
    t.forget()


# -- states ----------------------------------------------------------------------------------------------------------


def incomplete(t: Tester, st: Station, src: bytes | None = None, dst: bytes | None = None) -> None:
    """Bring the NUT's entry for a station (its link-local address unless given) to INCOMPLETE; an echo reply waits."""
    src = src or st.ll
    st.echo(src, dst)
    t.expect("ns", target=src, dst=in6.solicited_node(src), to_mac=multicast_mac(in6.solicited_node(src)), slla=t.mac)


def reachable(t: Tester, st: Station, src: bytes | None = None, dst: bytes | None = None) -> None:
    """To REACHABLE: the solicitation is answered."""
    incomplete(t, st, src, dst)
    flags = "RSO" if st.router else "SO"
    st.na(flags, target=src or st.ll, src=src or st.ll, dst=dst or t.ll, options=tlla(st.mac))
    t.expect("echo_reply", to_mac=st.mac, dst=src or st.ll, src=dst or t.ll)


def stale(t: Tester, st: Station, src: bytes | None = None, dst: bytes | None = None) -> None:
    """To STALE: the longest reachable time passes."""
    reachable(t, st, src, dst)
    t.run(REACHABLE_MAX + 1)
    t.forget()


def probe(t: Tester, st: Station, src: bytes | None = None, dst: bytes | None = None) -> None:
    """To PROBE: a packet, the delay, and the first unicast solicitation, which nobody answers."""
    stale(t, st, src, dst)
    proves_stale(t, st, st.mac, src, dst)


STATES = {"INCOMPLETE": incomplete, "REACHABLE": reachable, "STALE": stale, "PROBE": probe}


# -- proofs ----------------------------------------------------------------------------------------------------------


def proves_no_entry(t: Tester, st: Station, src: bytes | None = None, dst: bytes | None = None) -> None:
    """Nothing is known of the station's link-layer address: a packet to it makes the NUT resolve it."""
    t.forget()
    incomplete(t, st, src, dst)
    t.quiet("echo_reply", RETRANS / 2)
    t.forget()


def proves_incomplete(t: Tester, st: Station) -> None:
    """Resolution goes on: the next multicast solicitation comes, and what waits still waits."""
    group = in6.solicited_node(st.ll)
    t.expect("ns", within=RETRANS + SLACK, target=st.ll, dst=group, to_mac=multicast_mac(group), slla=t.mac)
    t.quiet("echo_reply", RETRANS / 2)


def proves_reachable(t: Tester, st: Station, mac: bytes, src: bytes | None = None, dst: bytes | None = None) -> None:
    """A packet goes to ``mac``, and no solicitation follows in the time of delay and probes."""
    t.forget()
    st.echo(src, dst, seq=77)
    t.expect("echo_reply", to_mac=mac, dst=src or st.ll, src=dst or t.ll, seq=77)
    t.quiet("ns", DELAY + 3 * RETRANS, why=f"the entry of {st.name} was to be REACHABLE")


def proves_stale(t: Tester, st: Station, mac: bytes, src: bytes | None = None, dst: bytes | None = None) -> None:
    """A packet goes to ``mac``, and after the delay a unicast solicitation to ``mac``."""
    t.forget()
    st.echo(src, dst, seq=78)
    t.expect("echo_reply", to_mac=mac, dst=src or st.ll, src=dst or t.ll, seq=78)
    proves_probing(t, mac, src or st.ll, after=DELAY - 5 * SLACK, within=DELAY + SLACK)


def proves_probe(t: Tester, st: Station, mac: bytes) -> None:
    """The next unicast solicitation comes when the retransmission timer says."""
    t.forget()
    proves_probing(t, mac, st.ll, within=RETRANS + SLACK)


def proves_probing(t: Tester, mac: bytes, addr: bytes, *, within: float, after: float = 0) -> None:
    """A unicast solicitation for ``addr`` comes."""
    source = OneOf(t.ll, t.glob)
    t.expect("ns", within=within, after=after, target=addr, dst=addr, to_mac=mac, src=source, slla=t.mac)


PROOFS = {"REACHABLE": proves_reachable, "STALE": proves_stale, "PROBE": proves_probe}


def proves(t: Tester, state: str, st: Station, mac: bytes) -> None:
    """The entry of the station's link-local address is in ``state`` with link-layer address ``mac``."""
    PROOFS[state](t, st, mac)


# -- off-link traffic ------------------------------------------------------------------------------------------------


def from_tn1(t: Tester, seq: int = 1) -> None:
    """TN1's echo request to the NUT's global address, brought by TR1."""
    t.tr1.echo(t.tn1, t.glob, seq=seq, hlim=63)


def proves_first_hop(t: Tester, mac: bytes, seq: int = 5) -> None:
    """What goes to TN1 goes to ``mac``."""
    t.forget()
    from_tn1(t, seq)
    t.expect("echo_reply", to_mac=mac, src=t.glob, dst=t.tn1, seq=seq)
    t.forget()


def far(number: int = 1) -> bytes:
    """An address that no prefix here covers."""
    return ELSEWHERE[:15] + bytes((number,))
