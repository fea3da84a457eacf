"""A checkpoint amid TCP: inetd with open connections, a download and a terminal go on as if nothing had been."""

from __future__ import annotations

import pytest
from playing import demo, play
from test_checkpoint import HOST, go_on

from kamelab.lab import checkpoint
from kamelab.lab.digest import digest
from kamelab.lab.session import Session


def amid_connections(seconds: float) -> Session:
    """h2 serves; h1 echoes, downloads and listens to chargen, over a line that loses."""
    session = demo()
    for line in (
        "run until idle",
        "h2: httpd",
        "h2: inetd -l",
        "h2: echo hello > /tmp/hello",
        f"h1: nc -i 1 {HOST} 7 < /etc/services > /tmp/back &",
        f"h1: nc {HOST} 19 | head -c 300000 > /tmp/chars &",
    ):
        play(session, line)
    session.start(("h1",), f"fetch -o /tmp/got http://[{HOST}]/bytes/400000")
    session.advance(2_000, session.now + round(seconds * 10**9))
    session.take_output()
    return session


@pytest.mark.parametrize("seconds", [0.0, 0.0003, 0.002, 0.01, 1.2])
def test_inside_several_connections(seconds: float) -> None:
    session = amid_connections(seconds)
    world = checkpoint.restore(checkpoint.take(session.world))
    assert digest(world) == session.digest()
    replayed = demo()
    replayed.journal = list(session.journal)
    replayed.back(session.events, session.now)
    assert replayed.digest() == session.digest()
    later = session.now + 100 * 10**9
    futures = [go_on(one, later) for one in (world, session.world)]
    assert futures[0] == futures[1]
    files = world.systems["h1"].files
    assert len(files["/tmp/got"]) == 400_000
    assert len(files["/tmp/chars"]) == 300_000
    assert files["/tmp/back"] == files["/etc/services"]
