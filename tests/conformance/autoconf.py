"""Cases 3.2.2 to 3.2.5: addresses made of advertised prefixes, and their lifetimes (RFC 4862 5.5)."""

from __future__ import annotations

from typing import Any

from kamelab.wire import in6
from tests.conformance.dad import proves_assigned, proves_not_assigned
from tests.conformance.frames import prefix_option, slla
from tests.conformance.moves import b_prefix, boot
from tests.conformance.registry import case, cases
from tests.conformance.tester import Tester

HOUR = 3600
X = in6.pton("2001:db8:0:f::")
Y = in6.pton("2001:db8:ffff:f::")
INFINITY = 0xFFFFFFFF
TICK = 1
"""nd6_prune, seconds: KAME looks for what has expired so often."""


def announce(t: Tester, *options: bytes, **damage: Any) -> None:
    """TR1 announces prefixes; duplicate address detection of what they make is over."""
    t.tr1.answers = True
    t.tr1.ra(options=b"".join(options) + slla(t.tr1.mac), damage=damage)
    t.run(2.5)
    t.forget()


def option(valid: int, preferred: int | None = None, prefix: bytes = X, **more: Any) -> bytes:
    """A prefix option of X; lifetimes in seconds, the preferred one as the valid one unless given."""
    return prefix_option(prefix, valid=valid, preferred=valid if preferred is None else preferred, **more)


def made_of(t: Tester, prefix: bytes) -> bytes:
    """The address that the NUT makes of a prefix."""
    return prefix[:8] + t.ll[8:]


@case("3.2.2")
def lifetime_expires(t: Tester) -> None:
    """Deprecated an address still answers, after its valid lifetime it is gone (RFC 4862 5.5.4)."""
    boot(t)
    announce(t, option(30, 20))
    proves_assigned(t, made_of(t, X))
    t.run(20)
    proves_assigned(t, made_of(t, X))
    t.run(8 + TICK)
    proves_not_assigned(t, made_of(t, X))


@case("3.2.3")
def renumbering(t: Tester) -> None:
    """Two prefixes: new traffic leaves the deprecated address, old traffic may use it until it is gone (4.1, 5.5.4)."""
    boot(t)
    announce(t, option(60))
    announce(t, option(60), option(2 * HOUR, prefix=Y))
    old, new = made_of(t, X), made_of(t, Y)
    proves_assigned(t, old)
    proves_assigned(t, new)
    # TN2 is nearer to X: X is chosen while it is preferred.
    nearer = X[:8] + t.tn2.ll[8:]
    _expect_source(t, nearer, old)
    announce(t, option(30, 0), option(2 * HOUR, prefix=Y))
    _expect_source(t, nearer, new)
    t.tn2.echo(nearer, old, seq=4)
    t.expect("echo_reply", src=old, dst=nearer, seq=4)
    t.run(60)
    proves_not_assigned(t, old)
    proves_assigned(t, new)


def _expect_source(t: Tester, dst: bytes, source: bytes) -> None:
    """The NUT begins an exchange with an address of TN2, from the source that is to be chosen (RFC 6724 5)."""
    t.forget()
    t.tn2.answers = True
    t.tn2.more = (dst,)
    t.start(f"ping6 -n -c 1 {in6.ntop(dst)}")
    t.expect("echo_request", src=source, dst=dst, to_mac=t.tn2.mac)
    t.run(12)
    t.forget()


@case("3.2.4", "A")
def several_prefixes(t: Tester) -> None:
    """Every prefix option of an advertisement makes its address (RFC 4862 5.5.3)."""
    boot(t)
    announce(t, b_prefix(), option(HOUR), option(HOUR, prefix=Y))
    for addr in (t.glob, made_of(t, X), made_of(t, Y)):
        proves_assigned(t, addr)


IGNORED: dict[str, tuple[dict[str, Any]]] = {
    "B": ({"autonomous": False},),
    "D": ({"preferred": HOUR + 1},),
    "E": ({"plen": 129},),
    "F": ({"plen": 63},),
    "G": ({"plen": 65},),
    "H": ({"valid": 0},),
}


@cases("3.2.4", IGNORED)
def ignored_prefix(t: Tester, values: dict[str, Any]) -> None:
    """No address is made: A clear, preferred > valid, length not 128 less the identifier's, valid 0 (5.5.3 a to d)."""
    boot(t)
    announce(t, option(**{"valid": HOUR, **values}))
    proves_not_assigned(t, made_of(t, X))
    # The rest of the advertisement counts.
    announce(t, option(**{"valid": HOUR, **values}), option(HOUR, prefix=Y))
    proves_assigned(t, made_of(t, Y))
    proves_not_assigned(t, made_of(t, X))


@case("3.2.4", "C")
def link_local_prefix(t: Tester) -> None:
    """An option with the link-local prefix is ignored: the address outlives its lifetimes (RFC 4862 5.5.3 b)."""
    boot(t)
    announce(t, option(10, prefix=in6.LINKLOCAL_PREFIX))
    t.run(HOUR)
    proves_assigned(t, t.ll)


@case("3.2.4", "I")
def invalid_advertisement(t: Tester) -> None:
    """An advertisement that came through a router makes no address (RFC 4861 6.1.2)."""
    boot(t)
    announce(t, option(HOUR), hlim=254)
    proves_not_assigned(t, made_of(t, X))
    announce(t, option(HOUR))
    proves_assigned(t, made_of(t, X))


@case("3.2.4", "J")
def infinite(t: Tester) -> None:
    """A lifetime of all ones has no end (RFC 4861 4.6.2)."""
    boot(t)
    announce(t, option(INFINITY))
    t.run(400 * 24 * HOUR)
    proves_assigned(t, made_of(t, X))


# First lifetime, seconds; second one, sent 10 s later; when the address must still be there and when gone, from then.
@cases(
    "3.2.5",
    {
        "A": (30, 60, 55, 65),
        "B": (4 * HOUR, 3 * HOUR, 3 * HOUR - 10, 3 * HOUR + 10),
        "C": (HOUR, HOUR // 2, HOUR - 25, HOUR),
        "D": (4 * HOUR, HOUR, 2 * HOUR - 10, 2 * HOUR + 10),
    },
)
def lifetime_update(t: Tester, first: int, second: int, there: int, gone: int) -> None:
    """The two-hour rule (RFC 4862 5.5.3 e): longer than what is left or than 2 h is taken, else 2 h stay at least."""
    boot(t)
    announce(t, option(first))
    t.run(7.5)
    began = t.now
    announce(t, option(second))
    t.run(there - 2.5)
    proves_assigned(t, made_of(t, X))
    t.run(gone - (t.now - began) / 1e9)
    proves_not_assigned(t, made_of(t, X))
