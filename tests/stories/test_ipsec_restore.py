"""Keys, windows, IVs and policies live through a checkpoint: what comes next is what would have come."""

from __future__ import annotations

import pytest
from playing import demo, play
from test_checkpoint import go_on

from kamelab.lab import checkpoint
from kamelab.lab.digest import digest
from kamelab.lab.session import Session

ENDS = ("2001:db8:1::ff:fe00:101", "2001:db8:2::ff:fe00:301")
KEYS = '-r 4 -lh 40 -ls 30 -E aes-cbc "sixteen octets !" -A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";'


def protected(*more: str) -> Session:
    """The demo, h1 and h2 with ESP between them, limits of 30 and 40 seconds, after a first ping."""
    session = demo()
    play(session, "run until idle")
    one, two = ENDS
    for name, (out, back) in (("h1", ("out", "in")), ("h2", ("in", "out"))):
        for line in (
            f"add {one} {two} esp 0x1000 {KEYS}",
            f"add {two} {one} esp 0x1001 {KEYS}",
            f"spdadd {one} {two} any -P {out} ipsec esp/transport//require;",
            f"spdadd {two} {one} any -P {back} ipsec esp/transport//require;",
        ):
            play(session, f"{name}: echo '{line}' | setkey -c")
    play(session, f"h1: ping6 -c 3 {two}", *more)
    assert session.world.network.nodes["h2"].counters()["ipsec6.in_success"] == 3
    return session


@pytest.mark.parametrize("more", [(), ("run 31s",), ("run 60s",)])
def test_a_restored_world_goes_on_with_the_same_keys(more: tuple[str, ...]) -> None:
    session = protected(*more)
    world = checkpoint.restore(checkpoint.take(session.world))
    assert digest(world) == session.digest()
    later = session.now + 100 * 10**9
    futures = [go_on(one, later) for one in (world, session.world)]
    assert futures[0] == futures[1]


def test_going_back_and_forward_ends_in_the_same_state() -> None:
    session = protected()
    end = session.digest()
    replayed = demo()
    replayed.journal = list(session.journal)
    replayed.back(session.events, session.now)
    assert replayed.digest() == end
