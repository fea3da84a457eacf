"""The same seed and script give the same octets under any hash seed of the interpreter; another seed other delays."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from hashlib import sha256

import pytest
from playing import Said, demo, pcapng, play, position

from kamelab.lab.digest import trace_hash
from kamelab.lab.session import Session

SCRIPT = (
    "run until idle",
    "h1: ifconfig ne0",
    "h1: ping6 -c 3 2001:db8:2::1",
    "h1: ping6 -i 0.5 -c 20 2001:db8:2::ff:fe00:301 &",
    "link lan2 loss=20%",
    "run 6s",
    "link lan2 loss=0% bandwidth=1Mbps",
    "h2: traceroute6 -n 2001:db8:1::ff:fe00:101",
    "h1: ping6 -s 2000 -c 2 2001:db8:2::1",
    "h2: ping6 -c 2 2001:db8:1::99",
    "reboot h1",
    "run 20s",
    "all: netstat -s",
    "all: ndp -an",
    "h1: cat /etc/hosts | grep localhost",
    "run 30m",
    "all: netstat -rn",
)
CHILD = """
import sys
sys.path[:0] = sys.argv[1:]
from test_determinism import fingerprint
print(*fingerprint(), sep="\\n")
"""


def scripted(seed: int | None = None) -> tuple[Session, list[Said]]:
    session = demo(seed)
    return session, play(session, *SCRIPT)


def fingerprint() -> tuple[str, str, str, str]:
    """Hash of the capture file, hash of all output, digest, hash of the trace."""
    session, said = scripted()
    return (
        sha256(pcapng(session)).hexdigest(),
        sha256(repr(said).encode()).hexdigest(),
        session.digest(),
        trace_hash(session.world),
    )


def test_two_runs_are_equal_to_the_octet() -> None:
    (one, said_one), (two, said_two) = scripted(), scripted()
    assert pcapng(one) == pcapng(two)
    assert said_one == said_two
    assert position(one) == position(two)
    assert one.save() == two.save()


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_interpreters_hash_seed_changes_nothing(hash_seed: str) -> None:
    here = os.path.dirname(__file__)
    root = os.path.dirname(os.path.dirname(here))
    child = subprocess.run(
        [sys.executable, "-c", CHILD, here, root],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert tuple(child.stdout.split()) == fingerprint()


def test_another_seed_changes_delays_but_no_result() -> None:
    quiet = (
        "run until idle",
        "h1: ifconfig ne0",
        "h1: ping6 -c 3 2001:db8:2::ff:fe00:301",
        "h2: traceroute6 -n 2001:db8:1::ff:fe00:101",
        "h1: ping6 -s 2000 -c 2 2001:db8:2::1",
        "h2: ping6 -c 2 2001:db8:2::99",
        "h1: ndp -rn",
        "h1: ping6 nobody",
    )
    sessions = [demo(seed) for seed in (1, 2, 3)]
    results = []
    for session in sessions:
        said = play(session, *quiet)
        results.append([(one.status, re.sub(r"\d{9,} |expire=\w+", "", one.text)) for one in said])
    assert results[0] == results[1] == results[2]
    assert len({pcapng(session) for session in sessions}) == 3
    assert len({session.digest() for session in sessions}) == 3
    asked = [next(row[1] for row in session.world.network.trace.packets if row[1]) for session in sessions]
    assert len(set(asked)) == 3, "the random delays at boot"
    for field in ("addresses", "routers", "prefixes", "groups"):
        tables = [
            {key: [row[:3] for row in rows] for key, rows in position(session).tables.items() if key.endswith(field)}
            for session in sessions
        ]
        assert tables[0] == tables[1] == tables[2]


def test_looking_changes_nothing() -> None:
    looked, plain = demo(), demo()
    for line in SCRIPT:
        play(looked, line)
        play(looked, "trace", "timers", "nodes", "links", "show 5", "trace icmpv6.type == 135")
        position(looked)
        pcapng(looked)
        looked.world.network.next_event_at()
        play(plain, line)
    assert position(looked) == position(plain)
    assert looked.save() == plain.save()


def test_tracing_decides_only_what_is_kept() -> None:
    silent, plain = demo(), demo()
    silent.world.network.trace.keep = False
    for session in (silent, plain):
        play(session, *SCRIPT[:6])
    assert silent.digest() == plain.digest()
    assert silent.world.network.trace.num == plain.world.network.trace.num
    assert silent.world.network.trace.packets == plain.world.network.trace.packets
    assert len(silent.world.network.trace.records) < len(plain.world.network.trace.records)
