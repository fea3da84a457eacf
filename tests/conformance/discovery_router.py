"""Cases 2.2.4 to 2.2.10 and 2.2.15 B: router and prefix discovery, the router's side, which is rtadvd's in KAME."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from kamelab.wire import in6
from kamelab.wire.ether import multicast_mac
from kamelab.wire.nd_options import PrefixInfo
from tests.conformance.frames import ALLNODES, UNSPECIFIED, ZERO_OPTION, Seen, slla
from tests.conformance.moves import (
    OTHER,
    SAME,
    STATES,
    common,
    proves,
    proves_no_entry,
    proves_stale,
)
from tests.conformance.registry import case, cases
from tests.conformance.tester import LINK_B, NS, SLACK, Tester

MAX_INITIAL = 16
"""MAX_INITIAL_RTR_ADVERT_INTERVAL, seconds (RFC 4861 10)."""
MIN_DELAY = 3
"""MIN_DELAY_BETWEEN_RAS, seconds."""
MAX_DELAY = 0.5
"""MAX_RA_DELAY_TIME, seconds."""
RARELY = "maxinterval#1800:mininterval#1350:"


def advertise(t: Tester, conf: str = RARELY, names: str = "ne0") -> None:
    """Start rtadvd on link B."""
    t.system.files["/etc/rtadvd.conf"] = f"ne0:{conf}"
    t.start(f"rtadvd {names}")


def settle(t: Tester) -> None:
    """rtadvd rarely speaks, and its first three advertisements are over."""
    common(t)
    advertise(t)
    t.run(3 * MAX_INITIAL + MIN_DELAY + 1)
    t.forget()


def expect_ra(t: Tester, within: float, *, after: float = 0.0, **fields: Any) -> Seen:
    """An advertisement to all nodes (RFC 4861 4.2, 6.2.3)."""
    to = {"dst": ALLNODES, "to_mac": multicast_mac(ALLNODES)}
    return t.expect("ra", within, after=after, **{**to, "src": t.ll, "slla": t.mac, **fields})


@cases(
    "2.2.4",
    {
        "A": ({"hlim": 254},),
        "B": ({"bad_checksum": True},),
        "C": ({"code": 1},),
        "D": ({"cut": 6},),
        "E": ({"options": ZERO_OPTION},),
        "F": ({"src": UNSPECIFIED},),
    },
)
def invalid_solicitation(t: Tester, wrong: dict[str, Any]) -> None:
    """An invalid solicitation is discarded in silence: no answer, nothing learnt (RFC 4861 6.1.1)."""
    settle(t)
    t.tn2.rs(**{"options": slla(t.tn2.mac), **wrong})
    t.quiet("*", MIN_DELAY + MAX_DELAY + 1)
    proves_no_entry(t, t.tn2)
    t.run(4)
    t.forget()
    t.tn2.rs(options=slla(t.tn2.mac))
    expect_ra(t, MAX_DELAY + SLACK)


@case("2.2.5")
def advertises(t: Tester) -> None:
    """An advertisement carries what is configured, in every field (RFC 4861 4.2, 6.2.3)."""
    common(t)
    conf = (
        f'{RARELY}chlim#50:raflags="mo":rltime#4000:rtime#20000:retrans#2000:mtu#1400:'
        'addr="2001:db8:0:b::":prefixlen#64:vltime#7200:pltime#3600:pinfoflags="l":'
    )
    advertise(t, conf)
    t.tn2.rs(options=slla(t.tn2.mac))
    expect_ra(
        t,
        MAX_DELAY + SLACK,
        curhlim=50,
        M=1,
        other=1,
        lifetime=4000,
        reachable=20000,
        retrans=2000,
        mtu=1400,
        prefixes=(PrefixInfo(64, True, False, 7200, 3600, LINK_B),),
        tlla=None,
    )


@case("2.2.6", "A")
def no_advertising_interface(t: Tester) -> None:
    """A router without advertising interface sends no advertisement, asked or not (RFC 4861 6.2.2, 6.2.6)."""
    common(t)
    for _ in range(3):
        t.tn2.rs(options=slla(t.tn2.mac))
        t.quiet("ra", 20)
    t.quiet("ra", 2000)
    t.quiet("ra", 2000, port="C")
    # Silent, not dead.
    proves_no_entry(t, t.tn2)


@case("2.2.6", "B")
def other_interface(t: Tester) -> None:
    """An interface that does not advertise is silent while another one does (RFC 4861 6.2.2)."""
    common(t)
    advertise(t)
    expect_ra(t, MAX_INITIAL + SLACK)
    t.tn4.rs(options=slla(t.tn4.mac))
    t.quiet("ra", 2000, port="C")


def _times(t: Tester, count: int, most: float) -> list[float]:
    began = t.now
    return [(expect_ra(t, most + SLACK).at - began) / NS for _ in range(count)]


@case("2.2.7", "A")
def intervals(t: Tester) -> None:
    """Unsolicited advertisements: random between MinRtrAdvInterval and MaxRtrAdvInterval (RFC 4861 6.2.4)."""
    common(t)
    advertise(t, "maxinterval#40:mininterval#20:")
    gaps = [later - sooner for sooner, later in pairwise(_times(t, 23, 40)[2:])]
    if not all(20 - SLACK <= gap <= 40 + SLACK for gap in gaps) or len(set(gaps)) < len(gaps) // 2:
        raise t.failure(f"intervals were to be random from 20 to 40 s: {gaps}")


@case("2.2.7", "B")
def initial_intervals(t: Tester) -> None:
    """The first MAX_INITIAL_RTR_ADVERTISEMENTS at most MAX_INITIAL_RTR_ADVERT_INTERVAL apart (RFC 4861 6.2.4)."""
    common(t)
    advertise(t)
    for _ in range(3):
        expect_ra(t, MAX_INITIAL + SLACK)
    # The next is one of the long intervals.
    expect_ra(t, 1800 + SLACK, after=1350 - SLACK)


@case("2.2.7", "C")
def least_values(t: Tester) -> None:
    """The least that may be configured goes out as it is (RFC 4861 6.2.1)."""
    common(t)
    advertise(
        t,
        "maxinterval#4:mininterval#3:chlim#0:rltime#0:rtime#0:retrans#0:mtu#1280:"
        'addr="2001:db8:0:b::":prefixlen#64:vltime#0:pltime#0:pinfoflags#0:',
    )
    least = {"curhlim": 0, "M": 0, "other": 0, "lifetime": 0, "reachable": 0, "retrans": 0, "mtu": 1280}
    prefixes = (PrefixInfo(64, False, False, 0, 0, LINK_B),)
    expect_ra(t, 4 + SLACK, prefixes=prefixes, **least)
    for _ in range(5):
        expect_ra(t, 4 + SLACK, after=3 - SLACK, prefixes=prefixes, **least)


@case("2.2.7", "D")
def greatest_values(t: Tester) -> None:
    """The most that may be configured goes out as it is (RFC 4861 6.2.1)."""
    common(t)
    infinity = 0xFFFFFFFF
    advertise(
        t,
        f'{RARELY}chlim#255:raflags="mo":rltime#9000:rtime#3600000:retrans#{infinity}:mtu#1500:'
        f'addr="2001:db8:0:b::":prefixlen#64:vltime#{infinity}:pltime#{infinity}:pinfoflags="la":',
    )
    expect_ra(
        t,
        MAX_INITIAL + SLACK,
        curhlim=255,
        M=1,
        other=1,
        lifetime=9000,
        reachable=3600000,
        retrans=infinity,
        mtu=1500,
        prefixes=(PrefixInfo(64, True, True, infinity, infinity, LINK_B),),
    )


@cases("2.2.7", {"E": ("8000::",), "F": ("fec0:0:0:b::",)})
def other_prefixes(t: Tester, prefix: str) -> None:
    """A prefix that ends in zeros and a site-local one are announced as any other (RFC 4861 6.2.3, 4.6.2)."""
    common(t)
    advertise(t, f'{RARELY}addr="{prefix}":prefixlen#64:')
    expect_ra(t, MAX_INITIAL + SLACK, prefixes=(PrefixInfo(64, True, True, 2592000, 604800, in6.pton(prefix)),))


@case("2.2.8")
def ceases(t: Tester) -> None:
    """Ceasing to advertise: at most MAX_FINAL_RTR_ADVERTISEMENTS with Router Lifetime 0, then silence (6.2.5)."""
    settle(t)
    pid = t.shell("cat /var/run/rtadvd.pid").strip()
    t.shell(f"kill {pid}")
    expect_ra(t, MIN_DELAY + SLACK, lifetime=0)
    t.run(4 * MIN_DELAY)
    final = [seen for seen in t.inbox if seen.kind == "ra"]
    if len(final) > 2 or any(seen.fields["lifetime"] for seen in final):
        raise t.failure("at most three advertisements, all with lifetime 0, were expected")
    t.forget()
    t.tn2.rs(options=slla(t.tn2.mac))
    t.quiet("ra", 2000)


@case("2.2.9", "A")
def answers_soon(t: Tester) -> None:
    """A solicitation is answered within MAX_RA_DELAY_TIME, after a random delay (RFC 4861 6.2.6)."""
    settle(t)
    delays = []
    for _ in range(8):
        began = t.now
        t.tn2.rs(options=slla(t.tn2.mac))
        delays.append((expect_ra(t, MAX_DELAY + SLACK).at - began) / NS)
        t.run(2 * MIN_DELAY)
    if len(set(delays)) < 4:
        raise t.failure(f"delays were to be random: {delays}")


@case("2.2.9", "B")
def answers_seldom(t: Tester) -> None:
    """Advertisements to all nodes are at least MIN_DELAY_BETWEEN_RAS apart (RFC 4861 6.2.6)."""
    settle(t)
    t.tn2.rs(options=slla(t.tn2.mac))
    expect_ra(t, MAX_DELAY + SLACK)
    for _ in range(5):
        t.tn3.rs(options=slla(t.tn3.mac))
        expect_ra(t, MIN_DELAY + MAX_DELAY + SLACK, after=MIN_DELAY - SLACK)


@case("2.2.10", "A")
def rs_no_entry(t: Tester) -> None:
    """A solicitation with link-layer address makes a STALE entry (RFC 4861 6.2.6)."""
    settle(t)
    t.tn2.rs(options=slla(t.tn2.mac))
    expect_ra(t, MAX_DELAY + SLACK)
    proves_stale(t, t.tn2, t.tn2.mac)


@case("2.2.10", "B")
def rs_without_address(t: Tester) -> None:
    """Without link-layer address nothing is learnt; the answer is multicast all the same (RFC 4861 6.2.6)."""
    settle(t)
    t.tn2.rs()
    expect_ra(t, MAX_DELAY + SLACK)
    proves_no_entry(t, t.tn2)


@case("2.2.10", "C")
def rs_incomplete(t: Tester) -> None:
    """INCOMPLETE: the address is recorded, what waits is sent, the entry is STALE (RFC 4861 6.2.6, appendix C)."""
    settle(t)
    STATES["INCOMPLETE"](t, t.tn2)
    t.tn2.rs(options=slla(t.tn2.mac))
    t.expect("echo_reply", to_mac=t.tn2.mac, dst=t.tn2.ll)
    proves_stale(t, t.tn2, t.tn2.mac)


@cases(
    "2.2.10",
    {
        "D": ("REACHABLE", OTHER),
        "E": ("REACHABLE", SAME),
        "F": ("STALE", OTHER),
        "G": ("STALE", SAME),
        "H": ("PROBE", OTHER),
        "I": ("PROBE", SAME),
    },
)
def rs_known(t: Tester, state: str, lladdr: str) -> None:
    """Another link-layer address is taken and makes STALE, the same changes nothing (RFC 4861 6.2.6)."""
    settle(t)
    STATES[state](t, t.tn2)
    mac = t.tn2.other_mac if lladdr == OTHER else t.tn2.mac
    t.tn2.rs(options=slla(mac))
    t.run(0.01)
    proves(t, "STALE" if lladdr == OTHER else state, t.tn2, mac)


@case("2.2.15", "B")
def reachable_time_configured(t: Tester) -> None:
    """The configured Reachable Time is announced (RFC 4861 6.2.1, 6.2.3)."""
    common(t)
    advertise(t, f"{RARELY}rtime#10000:")
    expect_ra(t, MAX_INITIAL + SLACK, reachable=10000)
