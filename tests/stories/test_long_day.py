"""A day in the life of twenty nodes: lifetimes that run, a site that renumbers, routers that go and come back."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playing import from_text, play, position, run_to

from kamelab.core.clock import DAY, HOUR, MINUTE
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.stack import tables

HOSTS = 9
"""On each of the two wires at the edge; two routers stand between those and the wire in the middle."""
OLD, NEW, EAST = "2001:db8:1:", "2001:db8:1001:", "2001:db8:2:"
CONF = "/etc/rtadvd.conf"

WIRES = """format = 1
title = "A site"
seed = 7

[links.core]
kind = "ethernet"
latency = "100us"

[links.west]
kind = "ethernet"
latency = "100us"

[links.east]
kind = "ethernet"
latency = "100us"

[nodes.r1]
role = "router"
startup = ["route add -inet6 2001:db8:2::/64 2001:db8::2", "rtadvd ne1"]
interfaces.ne0 = { link = "core", addresses = ["2001:db8::1/64"] }
interfaces.ne1 = { link = "west", addresses = ["2001:db8:1::1/64"] }
files."/etc/rtadvd.conf" = 'ne1:maxinterval#600:rltime#1800:addr="2001:db8:1::":vltime#14400:pltime#7200:'

[nodes.r2]
role = "router"
startup = ["route add -inet6 2001:db8:1::/64 2001:db8::1", "rtadvd ne1"]
interfaces.ne0 = { link = "core", addresses = ["2001:db8::2/64"] }
interfaces.ne1 = { link = "east", addresses = ["2001:db8:2::1/64"] }
files."/etc/rtadvd.conf" = 'ne1:maxinterval#600:rltime#1800:addr="2001:db8:2::":vltime#14400:pltime#7200:'
"""
"""Hosts are added by `site`."""

# Both prefixes for four hours: the old one's lifetimes run down from the daemon's start (KAME rtadvd.conf, vltimedecr).
BOTH = (
    'ne1:maxinterval#600:rltime#1800:addr0="2001:db8:1::":vltime0#14400:pltime0#3600:vltimedecr0:pltimedecr0:'
    'addr1="2001:db8:1001::":vltime1#14400:pltime1#7200:'
)
ONLY_NEW = 'ne1:maxinterval#600:rltime#1800:addr="2001:db8:1001::":vltime#14400:pltime#7200:'
PRIVACY = (
    'sysctl = { "net.inet6.ip6.use_tempaddr" = 1, "net.inet6.ip6.temppltime" = 10800,'
    ' "net.inet6.ip6.tempvltime" = 21600 }'
)
"""Temporary addresses of hosts: a new one every three hours, less a random part (RFC 3041 3.4)."""

END = DAY + HOUR
# Full hours, and times scattered over the day: multiples of the golden section.
STOPS = sorted([hour * HOUR for hour in range(1, 26)] + [turn * 55_623_058_987_490 % END for turn in range(1, 16)])


def site() -> Session:
    """Twenty nodes: two routers on a wire in the middle, each with a wire of nine hosts."""
    text = WIRES
    for number in range(1, 2 * HOSTS + 1):
        wire = "west" if number <= HOSTS else "east"
        text += (
            f'[nodes.h{number}]\nrole = "host"\nstartup = ["rtsol ne0"]\n'
            f'interfaces.ne0 = {{ link = "{wire}", up = true }}\n{PRIVACY}\n'
        )
    return from_text(text)


def kill(node: str, signal: str = "TERM") -> str:
    """The line that ends a router's rtadvd, once `Day.at` has filled in its process id."""
    return f"{node}: kill -{signal} PID"


def rtadvd(session: Session, node: str) -> int:
    """The process id of a node's rtadvd."""
    (pid,) = [process.pid for process in session.world.systems[node].procs.values() if process.name == "rtadvd"]
    return pid


class Day:
    """A site that is played live. Digests are taken down at full hours, at times between, and before each input."""

    def __init__(self) -> None:
        self.session = site()
        self.digests: dict[int, str] = {}
        """By time, ns since boot."""
        self.places: dict[int, tuple[int, str]] = {}
        """Time of an input to the events before it, and the digest."""

    def until(self, time: int) -> None:
        """Play to a time, stopping on the way to take down digests."""
        for stop in STOPS:
            if self.session.now < stop <= time:
                run_to(self.session, stop)
                self.digests[stop] = self.session.digest()
        run_to(self.session, time)

    def at(self, time: int, *lines: str) -> None:
        """Give console lines at a time."""
        self.until(time)
        self.places[time] = (self.session.events, self.session.digest())
        for line in lines:
            node = line.partition(":")[0]
            if line.endswith(" PID"):
                line = line.removesuffix("PID") + str(rtadvd(self.session, node))
            (said,) = play(self.session, line)
            assert said.status == 0, said


def whole_day() -> Day:
    """Renumbering in the morning, a router lost at noon and found again, a host rebooted, a router's goodbye."""
    day = Day()
    # Six o'clock: the western wire gets a second prefix, and the first one's days are numbered.
    day.at(
        6 * HOUR + MINUTE,
        "r1: ifconfig ne1 inet6 2001:db8:1001::1/64 alias",
        "r2: route add -inet6 2001:db8:1001::/64 2001:db8::1",
        f"r1: echo '{BOTH}' > {CONF}",
        kill("r1"),
    )
    day.at(6 * HOUR + 2 * MINUTE, "r1: rtadvd ne1")
    # Eleven: the old prefix is no longer spoken of; it has been dead for half an hour.
    day.at(
        11 * HOUR + MINUTE,
        f"r1: echo '{ONLY_NEW}' > {CONF}",
        kill("r1", "KILL"),
        "r1: rtadvd ne1",
        "r1: ifconfig ne1 inet6 2001:db8:1::1 -alias",
    )
    # Noon: the eastern router's daemon dies without a word, for two hours.
    day.at(12 * HOUR + MINUTE, kill("r2", "KILL"))
    day.at(14 * HOUR + MINUTE, "r2: rtadvd ne1")
    day.at(16 * HOUR + MINUTE, "reboot h3")
    # Eight in the evening: it says goodbye, and is not heard of again. Prefixes outlive it by four hours.
    day.at(20 * HOUR + MINUTE, kill("r2"))
    day.until(END)
    return day


@pytest.fixture(scope="module")
def played() -> tuple[Day, float]:
    """The day, and the processor's seconds that it took."""
    began = time.process_time()
    day = whole_day()
    return day, time.process_time() - began


def hosts(session: Session, wire: str) -> list[str]:
    first = 1 if wire == "west" else HOSTS + 1
    return [f"h{number}" for number in range(first, first + HOSTS)]


def marks(session: Session, node: str, prefix: str) -> tuple[str, ...] | None:
    """The marks of a host's address in a prefix; None where it has none."""
    rows = tables.addresses(session.world.network.nodes[node])
    found = [row.flags for row in rows if row.address.startswith(prefix) and "temporary" not in row.flags]
    assert len(found) <= 1
    return found[0] if found else None


def default(session: Session, node: str) -> bool:
    rows = tables.routes(session.world.network.nodes[node])
    return any(row.destination == "default" for row in rows)


def all_marks(session: Session, wire: str, prefix: str) -> set[tuple[str, ...] | None]:
    return {marks(session, node, prefix) for node in hosts(session, wire)}


def stand_at(day: Day, hours: float) -> Session:
    """Go back to a time of the day, or on to one: the journal ahead plays itself."""
    time = round(hours * HOUR)
    session = day.session
    if time < session.now:
        play(session, f"back to {time}ns")
    else:
        run_to(session, time)
    assert session.now == time
    return session


def test_a_day_is_played_in_less_than_ten_seconds_and_twelve_thousand_events(played: tuple[Day, float]) -> None:
    day, seconds = played
    session = stand_at(day, 25)
    assert seconds < 10
    # rtadvd speaks every 200 to 600 s on each of two wires, to 9 hosts and itself: 25 h make at most 450 turns a wire
    # of a timer and 9 deliveries. A temporary address costs less than ten events, as nobody listens to its group, and
    # a host makes ten of them or so. The rest (boot, expiry of some hundred lifetimes) is about a thousand.
    assert session.events < 2 * 450 * (HOSTS + 1) + 2 * HOSTS * 10 * 10 + 1000
    # Timers armed: each host's lifetimes are one timer, each advertising interface has one.
    assert len(session.world.network.clock.heap) <= 3 * 20


def test_renumbering_as_the_hosts_see_it(played: tuple[Day, float]) -> None:
    """RFC 4862 5.5.3 and 5.5.4: both prefixes side by side, the old one deprecated after an hour, gone after four."""
    day, _ = played
    session = stand_at(day, 5.9)
    assert all_marks(session, "west", OLD) == {("autoconf",)}
    assert all_marks(session, "west", NEW) == {None}
    session = stand_at(day, 6.9)
    assert all_marks(session, "west", OLD) == {("autoconf",)}
    assert all_marks(session, "west", NEW) == {("autoconf",)}
    session = stand_at(day, 7.3)
    assert all_marks(session, "west", OLD) == {("deprecated", "autoconf")}
    assert all_marks(session, "west", NEW) == {("autoconf",)}
    # The two-hour rule (5.5.3 e) lets the last two hours run down in silence; the end is where the daemon put it.
    session = stand_at(day, 9.9)
    assert all_marks(session, "west", OLD) == {("deprecated", "autoconf")}
    session = stand_at(day, 12.2)
    assert all_marks(session, "west", OLD) == {None}
    assert all_marks(session, "west", NEW) == {("autoconf",)}
    assert all_marks(session, "east", EAST) == {("autoconf",)}


def temporary(session: Session, node: str, prefix: str) -> list[tuple[str, bool]]:
    """A host's temporary addresses in a prefix, and whether each is still preferred."""
    rows = tables.addresses(session.world.network.nodes[node])
    return [
        (row.address, "deprecated" not in row.flags)
        for row in rows
        if row.address.startswith(prefix) and "temporary" in row.flags
    ]


def test_privacy_addresses_change_with_the_hours(played: tuple[Day, float]) -> None:
    """RFC 3041 3.4 and 3.5: one is preferred at any time, old ones stay for a while, and none comes back."""
    day, _ = played
    seen: dict[str, list[str]] = {}
    for hours in (0.5, 3.5, 6.5, 9.5, 12.6, 15.6, 19):
        session = stand_at(day, hours)
        for node in hosts(session, "east"):
            found = temporary(session, node, EAST)
            assert 1 <= len(found) <= 3, (hours, node, found)
            (preferred,) = [address for address, good in found if good]
            seen.setdefault(node, []).append(preferred)
    # Nobody meets an address again three hours later, at the same host or at another.
    everything = [address for addresses in seen.values() for address in addresses]
    assert len(set(everything)) == len(everything) == 7 * HOSTS
    # Renumbering takes them along.
    session = stand_at(day, 12.2)
    for node in hosts(session, "west"):
        assert temporary(session, node, OLD) == []
        assert temporary(session, node, NEW) != []


def test_hosts_reach_one_another_by_the_prefix_of_the_hour(played: tuple[Day, float]) -> None:
    """A new connection is made from the address that is not deprecated (RFC 6724 rule 3)."""
    day, _ = played
    for hours, source in ((5.9, OLD), (7.3, NEW), (12.2, NEW)):
        # A day of its own: a ping is an input, and would cut off what lies ahead.
        session = from_text_at(day, hours)
        rows = tables.addresses(session.world.network.nodes["h12"])
        target = next(row.address for row in rows if row.address.startswith(EAST))
        (said,) = play(session, f"h2: ping6 -c 2 {target}")
        assert said.status == 0, said.text
        assert re.search(rf"{source}\S* --> {target}", said.text), said.text


def from_text_at(day: Day, hours: float) -> Session:
    """The same day in a session of its own, at a time."""
    session = site()
    session.journal = list(day.session.journal)
    session.back(day.session.events, round(hours * HOUR))
    del session.journal[session.cursor :]
    return session


def test_a_router_that_dies_is_believed_for_its_lifetime_and_one_that_says_goodbye_is_not(
    played: tuple[Day, float],
) -> None:
    """RFC 4861 6.3.4 and 6.3.5: 1800 seconds from the last word, or at once when the lifetime is 0."""
    day, _ = played
    east = hosts(day.session, "east")
    alive, dead = (11.9, 12.3, 14.2, 19.9), (12.6, 13.9, 20.2, 24.9)
    for hours in sorted(alive + dead):
        session = stand_at(day, hours)
        assert {default(session, node) for node in east} == {hours in alive}, hours
        assert {default(session, node) for node in hosts(session, "west")} == {True}, hours


def test_addresses_outlive_their_router_by_their_own_lifetimes(played: tuple[Day, float]) -> None:
    """Preferred two hours, valid four from the last advertisement: 20:01 at the latest."""
    day, _ = played
    assert None not in all_marks(stand_at(day, 22.3), "east", EAST)
    assert {"deprecated" in (found or ()) for found in all_marks(stand_at(day, 22.3), "east", EAST)} == {True}
    assert all_marks(stand_at(day, 24.3), "east", EAST) == {None}


def test_a_rebooted_host_has_only_what_is_still_advertised(played: tuple[Day, float]) -> None:
    day, _ = played
    session = stand_at(day, 16.2)
    assert marks(session, "h3", NEW) == ("autoconf",)
    assert marks(session, "h3", OLD) is None


def test_no_table_of_any_node_grows_with_the_day(played: tuple[Day, float]) -> None:
    day, _ = played
    session = stand_at(day, 1.0)
    early = sizes(session)
    session = stand_at(day, 19.9)
    late = sizes(session)
    # A second prefix and a second address came with renumbering, and the first went.
    assert {key: (early[key], late[key]) for key in early if late[key] > early[key] + 2} == {}


def sizes(session: Session) -> dict[tuple[str, str], int]:
    nodes = session.world.network.nodes.items()
    return {(name, table): len(tables.rows(node, table)) for name, node in nodes for table in tables.TABLES}


def test_back_to_any_time_restores_the_digest(played: tuple[Day, float]) -> None:
    """In an order that goes both ways through the day; what was taken down is from when it was played first."""
    day, _ = played
    assert sorted(day.digests) == STOPS
    for place in range(len(STOPS)):
        at = STOPS[place * 17 % len(STOPS)]
        if at < day.session.now:
            assert play(day.session, f"back to {at}ns")[0].status == 0
        else:
            run_to(day.session, at)
        assert (day.session.now, day.session.digest()) == (at, day.digests[at])


def test_back_to_just_before_each_input_restores_the_digest(played: tuple[Day, float]) -> None:
    day, _ = played
    assert len(day.places) == 7
    for at, (events, digest) in day.places.items():
        session = stand_at(day, 25)
        play(session, f"back {session.events - events}")
        assert (session.events, session.now, session.digest()) == (events, at, digest)


def test_a_saved_day_opens_with_everything_in_its_place(played: tuple[Day, float], tmp_path: Path) -> None:
    day, _ = played
    session = stand_at(day, 25)
    path = tmp_path / "day.session"
    path.write_bytes(session.save())
    one, two = position(open_session(str(path))), position(session)
    assert [field for field in one._fields if getattr(one, field) != getattr(two, field)] == []
