"""A lab at wall speed, joined to the outside: the loop of `kamelab run --realtime`.

Virtual time follows the wall clock. Between two events the process sleeps in select() on the devices, the control
socket and the signals, until the next event is due: an idle lab costs next to nothing. What comes from outside becomes
a journal input at the present virtual time. Requests are in `requests`.

Frames that fall due together leave together, in order; the wall's resolution is that of select(), some 0.1 ms.
"""

from __future__ import annotations

import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any

from kamelab.bridge.control import Client, ControlServer
from kamelab.bridge.port import Attachment, BridgeError, Device, plug, tap_option
from kamelab.bridge.requests import Desk, Request
from kamelab.core.clock import SECOND
from kamelab.lab.session import Chunk, Goal, Session

SLICE = 0.01
"""Seconds of wall time that events may take before sockets get their turn."""
BATCH = 16
"""Events between two looks at the wall clock."""
LAG_MAX = 5.0
"""Seconds that virtual time may be late before it gives up catching up: the machine is slower than the lab."""
NAP_MAX = 3600.0
"""Longest sleep, seconds."""

Show = Callable[[Chunk], None]


class Pace:
    """The wall clock as virtual time."""

    def __init__(self, now: int, wall: Callable[[], float] = time.monotonic) -> None:
        self.wall = wall
        self.rebase(now)

    def rebase(self, now: int) -> None:
        """Virtual time ``now``, ns since boot, is this moment."""
        self._wall = self.wall()
        self._now = now

    def target(self) -> int:
        """What the virtual clock should show, ns since boot."""
        return self._now + int((self.wall() - self._wall) * SECOND)


class Realtime:
    """Runs one session at wall speed. `turn` sleeps until there is something to do, and does it."""

    def __init__(self, session: Session, show: Show, wall: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self.show = show
        # select() itself: it sleeps with a resolution of microseconds, epoll and poll of milliseconds.
        self.selector = selectors.SelectSelector()
        self.pace = Pace(session.now, wall)
        self.desk = Desk(session, show)
        self.attachments: list[Attachment] = []
        self.control: ControlServer | None = None
        self.turns = 0
        """Times that the loop woke up."""
        self.stopping = False
        self._world = session.world
        self._until: int | None = None

    # -- joining -----------------------------------------------------------------------------------------------------

    def attach(self, link: str, port: str, device: Device) -> Attachment:
        """Put a device on a port of the session."""
        attachment = Attachment(self.session, link, port, device)
        self.attachments.append(attachment)
        self.selector.register(device, selectors.EVENT_READ, lambda events: self._frames(attachment))
        return attachment

    def listen(self, path: str) -> None:
        """Open the control socket. Raises BridgeError."""
        self.control = ControlServer(path, self.selector, self._asked, self._left)

    def close(self) -> None:
        """Answer what is still open, and give everything back."""
        self.desk.end()
        if self.control is not None:
            self.control.close()
            self.control = None
        for attachment in list(self.attachments):
            self._detach(attachment)
        self.selector.close()

    # -- turning -----------------------------------------------------------------------------------------------------

    def run(self, until: int | None = None) -> None:
        """Turn until told to stop, or until virtual time is ``until``, ns since boot."""
        self._until = until
        while not self.stopping and (until is None or self.session.now < until):
            self.turn()

    def turn(self, longest: float = NAP_MAX) -> None:
        """Sleep until a socket, a device or an event wants something, at most ``longest`` wall seconds; then do it."""
        self.turns += 1
        ready = self.selector.select(min(self._nap(), longest))
        self._pass_time()
        for key, events in ready:
            if key.fd in self.selector.get_map():
                key.data(events)
        if ready:
            # What an input brought about at once shall not wait for another turn.
            self._pass_time()
        if self.desk.quit:
            self.stopping = True

    def _nap(self) -> float:
        """Seconds until something happens by itself."""
        session = self.session
        due = session.world.network.next_event_at()
        limits = [due, self._until, self.desk.deadline()]
        if session.goal is not None:
            limits += [session.goal.deadline, session.goal.time]
        if session.tail:
            entry = session.journal[session.cursor]
            if entry.events <= session.events:
                limits.append(entry.time)
        times = [one for one in limits if one is not None]
        if not times:
            return NAP_MAX
        return min(NAP_MAX, max(0.0, (min(times) - self.pace.target()) / SECOND))

    def _pass_time(self) -> None:
        """Let everything happen that is due by now, for at most a slice of wall time."""
        session = self.session
        if self._world is not session.world:
            # Gone back, or begun again: time goes on from where the lab stands.
            self._rejoin()
        began = self.pace.wall()
        target = self.pace.target()
        if self._until is not None:
            target = min(target, self._until)
        while True:
            if session.goal is None:
                session.goal = self._free_goal()
            before = session.events
            reached = session.advance(BATCH, max(target, session.now))
            session.feed_eof()
            self.desk.look()
            if self._world is not session.world:
                self._rejoin()
                return
            if not reached and session.events - before < BATCH:
                break
            if self.pace.wall() - began >= SLICE:
                if target - session.now > LAG_MAX * SECOND:
                    self.pace.rebase(session.now)
                break
        for attachment in self.attachments:
            attachment.keep()

    def _free_goal(self) -> Goal:
        """What time runs for: a foreground program that lost its goal, or nothing at all."""
        command = self.session.foreground
        if command is None:
            return Goal()
        return Goal(command=command, deadline=max(self.session.now, command.started) + self.session.timeout)

    def _rejoin(self) -> None:
        self._world = self.session.world
        self.pace.rebase(self.session.now)
        for attachment in self.attachments:
            attachment.keep()

    # -- what comes in -----------------------------------------------------------------------------------------------

    def _frames(self, attachment: Attachment) -> None:
        try:
            attachment.take_in()
        except BridgeError as error:
            self._detach(attachment)
            self.show(
                Chunk(self.session.now, "message", "", f"kamelab: {error}; {attachment.link} goes on without it\n")
            )

    def _detach(self, attachment: Attachment) -> None:
        self.selector.unregister(attachment.device)
        self.attachments.remove(attachment)
        attachment.close()

    def _asked(self, client: Client, line: str) -> None:
        self.desk.add(Request(line, client.answer, client))

    def _left(self, client: Client) -> None:
        self.desk.forget(client)

    def signalled(self, number: int) -> None:
        """A signal from the user: ^C goes to the foreground program first; everything else ends the lab."""
        if number == signal.SIGINT and self.session.foreground is not None and not self.desk.interrupted:
            self.desk.interrupted = True
            self.session.interrupt()
        else:
            self.stopping = True


class Signals:
    """SIGINT, SIGTERM and SIGHUP wake the loop while entered, in place of what they did before."""

    def __init__(self, loop: Realtime) -> None:
        self._loop = loop
        self._before: list[tuple[int, Any]] = []
        self._wakeup = -1
        self._ours, self._pythons = socket.socketpair()

    def __enter__(self) -> Signals:
        self._ours.setblocking(False)
        self._pythons.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._pythons.fileno(), warn_on_full_buffer=False)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                number = getattr(signal, name)
                self._before.append((number, signal.signal(number, self._handler)))
        self._loop.selector.register(self._ours, selectors.EVENT_READ, self._drain)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._loop.selector.unregister(self._ours)
        self._ours.close()
        self._pythons.close()

    def _handler(self, number: int, frame: FrameType | None) -> None:
        """Python calls it in the loop's thread; the wake-up socket has the number too."""

    def _drain(self, events: int) -> None:
        for number in self._ours.recv(256):
            self._loop.signalled(number)


def run(
    session: Session,
    taps: Sequence[str] = (),
    udps: Sequence[str] = (),
    control: str | None = None,
    *,
    lines: Iterable[str] = (),
    until: int | None = None,
    show: Show | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Run a lab at wall speed until a signal, ``quit``, or virtual time ``until`` (ns since boot).

    ``taps`` as ``LINK=DEV``, ``udps`` as ``LINK=HOST:PORT,HOST:PORT``; ``control`` the path of a control socket.
    ``lines`` are console lines to run first, one after another. ``show`` gets what there is to show, ``say`` our own
    words (without: stdout and stderr). The exit status: 0, or 1 where one of ``lines`` failed.

    Raises `kamelab.bridge.port.BridgeError`, before time runs, with one sentence on what is wrong or missing.
    """
    # Here, for who uses neither: they bring ioctls and name lookup.
    from kamelab.bridge.tap import open_tap
    from kamelab.bridge.udp import open_udp, udp_option

    show = _print if show is None else show
    say = _complain if say is None else say
    loop = Realtime(session, show)
    failed: list[int] = []

    def answered(output: str, messages: str, status: int) -> None:
        if status:
            failed.append(status)

    try:
        wires = {f"udp-{number}": udp_option(one) for number, one in enumerate(udps)}
        ends = [tap_option(one) for one in taps]
        plug(session, [*((one.link, one.device) for one in ends), *((wires[name].link, name) for name in wires)])
        for end in ends:
            loop.attach(end.link, end.device, open_tap(end.device))
        for name, wire in wires.items():
            loop.attach(wire.link, name, open_udp(wire.here, wire.there))
        if control is not None:
            loop.listen(control)
        joined = ", ".join(f"{one.link} on {one.port}" for one in loop.attachments) or "nothing outside"
        where = f"; control socket {control}" if control is not None else ""
        with Signals(loop):
            # Said when all is in place: who hears it may ask, or end us, at once.
            say(f"kamelab: {session.name} runs at wall speed, joined to {joined}{where}; ^C ends it\n")
            loop.pace.rebase(session.now)
            for line in lines:
                loop.desk.add(Request(line, answered, None))
            loop.run(until)
        if lost := sum(one.lost for one in loop.attachments):
            say(f"kamelab: {lost} frames found no taker outside\n")
    finally:
        loop.close()
    return 1 if failed else 0


def _print(chunk: Chunk) -> None:
    text = f"{chunk.node} console: {chunk.text}" if chunk.kind == "console" else chunk.text
    stream = sys.stderr if chunk.kind == "message" else sys.stdout
    stream.write(text)
    stream.flush()


def _complain(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
