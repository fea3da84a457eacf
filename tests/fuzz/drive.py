"""One chunk of fuzzing: a world of its own, frames into it, and the checks at intervals and at the end."""

from __future__ import annotations

import traceback
from collections import Counter
from hashlib import sha256
from random import Random
from typing import NamedTuple

from kamelab.capture.dissect import dissect
from kamelab.core.clock import MS, SECOND
from kamelab.core.drops import REASONS
from kamelab.stack.interface import Interface
from kamelab.wire.ether import multicast_mac
from kamelab.wire.summary import summarize
from tests.fuzz import checks
from tests.fuzz.acts import Acts
from tests.fuzz.answers import Answers
from tests.fuzz.checks import Found
from tests.fuzz.grammar import Grammar
from tests.fuzz.mutation import damaged
from tests.fuzz.world import STRANGER_MACS, Entry, World

CHECK_EVERY = 2000
LIBRARY = 256
"""Packets kept to be said again or spliced into others."""
REACH = 400
"""Of the frames that the nodes sent last, how many strangers look at."""


class Result(NamedTuple):
    """What became of a chunk."""

    number: int
    frames: int
    ended: dict[str, int]
    """How packets ended."""
    reasons: dict[str, int]
    """Drop reasons, by how often."""
    states: dict[str, int]
    """Transitions of the machines, by how often."""
    counters: dict[str, int]
    """Sums over both nodes."""
    fingerprint: str
    found: str
    """What went wrong, with its traceback; empty: nothing."""


class Driver:
    """Feeds one world."""

    def __init__(self, seed: int, number: int) -> None:
        self.random = random = Random(f"kamelab {seed} {number}")
        self.world = World(seed * 1_000_003 + number, random)
        self.grammar = Grammar(self.world, random)
        self.answers = Answers(self.grammar, random)
        self.acts = Acts(self.world, self.grammar, random)
        self.library: list[tuple[Entry, bytes]] = []
        self.places = {(one.iface.node.name, one.iface.name): one for one in self.world.entries}
        self.seen = len(self.world.net.trace.packets)
        self.frames = 0
        self.last = b""

    def run(self, count: int) -> None:
        """Inject ``count`` frames and look whether all is well; raises whatever goes wrong."""
        self.feed(count)
        self.finish()

    def feed(self, count: int) -> None:
        """Inject ``count`` frames, with a look at the tables now and then."""
        check = CHECK_EVERY
        while self.frames < count:
            self.turn()
            if self.frames >= check:
                check += CHECK_EVERY
                checks.bounded(self.world)
                checks.no_faults(self.world)

    def finish(self) -> None:
        """The last look; then the nodes are switched off."""
        checks.bounded(self.world)
        checks.no_faults(self.world)
        checks.accounted(self.world)
        checks.true_sums(self.world)
        # And whatever waits ends when the power does.
        for node in self.world.nodes:
            node.power_off()
        if checks.accounted(self.world).get("held"):
            raise Found("a packet is still held by nobody")

    def turn(self) -> None:
        """A few frames, then some time."""
        random = self.random
        world = self.world
        dice = random.random()
        if dice < 0.09:
            self.acts.one()
        elif dice < 0.1:
            entry = world.entries[4]
            self.put(entry, self.grammar.jumbogram(entry))
        elif dice < 0.52 and (answers := self.respond()):
            for entry, packet in answers:
                self.put(entry, packet if random.random() < 0.93 else damaged(random, packet, self.other()))
        elif dice < 0.57 and self.library:
            entry, packet = random.choice(self.library)
            self.put(entry, packet if random.random() < 0.5 else damaged(random, packet, self.other()))
        else:
            entry = random.choices(world.entries, (30, 30, 20, 10, 10))[0]
            for packet in self.grammar.packets(entry):
                if random.random() < 0.35:
                    packet = damaged(random, packet, self.other())
                self.put(entry, packet)
                if len(self.library) < LIBRARY:
                    self.library.append((entry, packet))
                else:
                    self.library[random.randrange(LIBRARY)] = (entry, packet)
        pause = random.choices((0, random.randrange(MS), random.randrange(300 * MS), random.randrange(30 * SECOND)),
                               (600, 300, 97, 3))[0]  # fmt: skip
        world.run(pause)
        for system in world.systems:
            system.output.clear()

    def other(self) -> bytes:
        """A packet to splice with."""
        return self.random.choice(self.library)[1] if self.library else bytes(40)

    def respond(self) -> list[tuple[Entry, bytes]]:
        """What strangers say to what the nodes have sent since they last looked."""
        packets = self.world.net.trace.packets
        fresh = packets[max(self.seen, len(packets) - REACH) :]
        self.seen = len(packets)
        out = []
        for row in fresh:
            if row[6] != "tx":
                continue
            entry = self.places.get((row[2], row[3]))
            if entry is None or row[12][:6] in (b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"):
                continue
            out += [(entry, packet) for packet in self.answers.to(entry, row[12][14:])]
            if len(out) > 30:
                break
        return out

    def put(self, entry: Entry, packet: bytes) -> None:
        """Put a packet before an interface, in a frame that its filter mostly lets pass."""
        random = self.random
        iface = entry.iface
        looped = iface.loopback
        header = self.header(iface, packet)
        frame = header + packet
        if random.random() < 0.003:
            frame = frame[: random.randrange(20)]
        if not looped and len(frame) > 1600 and random.random() < 0.9:
            frame = frame[:1514]
        self.last = frame
        self.frames += 1
        if self.frames % 64 == 0:
            # People look at it, too.
            dissect(frame)
            summarize(frame)
        if not looped and not iface.node.accepts(iface, frame, False):
            # A frame that the filter refuses is not one that the node got.
            self.frames -= 1
            return
        self.world.net.clock.send(self.world.net.clock.now, iface, frame, 0, looped)

    def header(self, iface: Interface, packet: bytes) -> bytes:
        """The Ethernet header."""
        random = self.random
        kind = b"\x86\xdd" if random.random() < 0.997 else random.randbytes(2)
        if not iface.mac:
            return bytes(12) + kind
        mac = iface.mac
        if random.random() < 0.003:
            mac = b"\x33\x33\0\0\0\x01"
        elif packet[24:25] == b"\xff":
            mac = multicast_mac(packet[24:40].ljust(16, b"\0"))
            if mac not in iface.filter:
                mac = b"\x33\x33\0\0\0\x01"
        return mac + random.choice(STRANGER_MACS) + kind


def fingerprint(world: World) -> str:
    """What happened, in one number: two runs from one seed are the same run."""
    digest = sha256()
    for row in world.net.trace.all():
        digest.update(f"{row.num} {row.time} {row.node} {row.packet} {row.event} {row.reason}\n".encode())
    for node in world.nodes:
        digest.update(repr(sorted(node.counters().items())).encode())
    return digest.hexdigest()[:16]


def chunk(seed: int, number: int, count: int) -> Result:
    """Fuzz one world with ``count`` frames."""
    driver = Driver(seed, number)
    found = ""
    try:
        driver.run(count)
    except Found as error:
        found = str(error)
    except Exception:
        found = traceback.format_exc()
    if found:
        found = f"chunk {number}, frame {driver.frames}, {driver.last[:200].hex()}\n{found}"
    world = driver.world
    reasons: Counter[str] = Counter()
    states: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for record in world.net.trace.all():
        if record.reason in REASONS:
            reasons[record.reason] += 1
        elif record.event == "state":
            states[f"{record.stage} {record.reason}"[:60]] += 1
        if record.event in ("rx", "deliver", "drop", "forward", "tx"):
            ended[record.event] += 1
    counters: Counter[str] = Counter()
    for node in world.nodes:
        counters.update(node.counters())
    return Result(
        number, driver.frames, dict(ended), dict(reasons), dict(states.most_common(500)), dict(counters),
        fingerprint(world), found,
    )  # fmt: skip
