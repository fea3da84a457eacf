"""A session: a lab, its journal, and a position in time. Front ends drive it; it knows none of them.

What comes from outside is an *input*: it is journaled, counts as one event, and is applied between two events. Running
means letting events happen until a goal is reached. Going back means building the lab anew and replaying the journal,
from boot or from a checkpoint (`history`); its tail is kept and plays again when time goes forward, until the first new
input cuts it off.

A front end calls `submit` with a line and then `advance` until it says that the goal is reached (or `finish`, which
does that at full speed), and reads `take_output`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kamelab import __version__
from kamelab.capture.packets import view
from kamelab.core.clock import HOUR
from kamelab.core.errors import KamelabError
from kamelab.lab import schema
from kamelab.lab.build import World, build, configure, start
from kamelab.lab.digest import digest
from kamelab.lab.goal import Chunk, Command, Goal
from kamelab.lab.history import History
from kamelab.lab.journal import SESSION_FORMAT, Entry, Head, Tail, dump
from kamelab.lab.link_settings import LINK_SETTINGS, link_setting
from kamelab.lab.suggest import did_you_mean
from kamelab.lab.units import format_duration
from kamelab.sim.loop import run_event, run_ready, settle
from kamelab.userland.proc import SIGINT, SIGKILL
from kamelab.userland.system import CONSOLE, System

__all__ = ["LINK_SETTINGS", "Chunk", "Command", "Goal", "Session", "link_setting"]

TTY = "tty"
"""The one terminal a node has for console lines."""
TIMEOUT = HOUR
"""Virtual time that a foreground line may take before it is interrupted."""
INSTANT_LIMIT = 200_000
"""Events that may happen at one instant of virtual time."""
STATUS_TIMEOUT = 124
OVERDUE = "timeout"
"""Why a signal was journaled: the command took longer than it may."""
SIGNAL_TEXTS = (str(SIGINT), f"{SIGINT} {OVERDUE}", f"{SIGKILL} {OVERDUE}")
"""What a signal's journal entry may say."""


class Session:
    """One lab at one position in time."""

    def __init__(self, lab: schema.Lab, text: str, name: str, seed: int | None = None) -> None:
        self.lab = lab
        self.text = text
        self.name = name
        self.seed = lab.seed if seed is None else seed
        self.journal: list[Entry] = []
        self.cursor = 0
        """Entries of the journal that have been applied."""
        self.selected = next(iter(lab.nodes))
        self.timeout = TIMEOUT
        self.goal: Goal | None = None
        self.replaying = False
        self.watchers: list[Callable[[Session], None]] = []
        """Called after every event; task checking hangs here."""
        self.rebuilt: list[Callable[[Session], None]] = []
        """Called after the world was built anew, before anything is replayed."""
        self.tasks: Any = None
        """The lesson, a `kamelab.lab.tasks.Tasks`; `open_session` puts it there."""
        self.commands: list[Command] = []
        self.history = History()
        self._out: list[Chunk] = []
        self._foreground: Command | None = None
        self._instant = (0, 0)
        self._unattended = False
        self.ports: tuple[str, ...] = ()
        """Where links end in the outside world, each ``LINK PORT``; see `plug`."""
        self.world: World = build(lab, self.seed)
        self._collect()

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Virtual time, ns since boot."""
        return self.world.network.clock.now

    @property
    def events(self) -> int:
        """Events done since boot."""
        return self.world.network.clock.events

    @property
    def foreground(self) -> Command | None:
        """The command that holds the console."""
        command = self._foreground
        return command if command is not None and command.status is None else None

    @property
    def tail(self) -> int:
        """Journal entries that lie ahead, after going back."""
        return len(self.journal) - self.cursor

    def idle(self) -> bool:
        """Nothing is in flight, nothing runs, nothing is to come but ageing (design: idle)."""
        clock = self.world.network.clock
        if clock.flight or clock.busy or clock.ready or self.tail:
            return False
        return all(system.idle() for system in self.world.systems.values())

    def reading_nodes(self) -> list[str]:
        """The nodes whose foreground program waits for what is typed."""
        command = self.foreground
        if command is None:
            return []
        return [node for node in command.nodes if self.world.systems[node].reading(TTY)]

    def typing_awaited(self) -> bool:
        """A program waits for what is typed, and nothing is on its way that it could hear of instead.

        Time that runs as fast as it can has to wait then: it would leap past somebody who is about to type.
        """
        nodes = self.reading_nodes()
        clock = self.world.network.clock
        if clock.flight and any(self.world.systems[node].listening(TTY) for node in nodes):
            return False
        return bool(nodes)

    def digest(self) -> str:
        """The state digest at this position."""
        return digest(self.world)

    def take_output(self) -> list[Chunk]:
        """What there is to show since the last call."""
        out, self._out = self._out, []
        return out

    def say(self, kind: str, text: str, node: str = "") -> None:
        """Queue something to show."""
        if not self.replaying:
            self._out.append(Chunk(self.now, kind, node, text))

    # -- inputs ------------------------------------------------------------------------------------------------------

    def start(self, nodes: tuple[str, ...], line: str) -> Command:
        """Give a program line to nodes; the command runs as time does. One of a node's lines at a time."""
        if self.foreground is not None:
            raise KamelabError("a command still runs: wait for it, or interrupt it with ^C")
        target = "all" if len(nodes) > 1 and nodes == tuple(self.lab.nodes) else " ".join(nodes)
        self.input(Entry(self.now, self.events, "line", target, line))
        command = self.commands[-1]
        if command.status is None:
            self.goal = Goal(command=command, deadline=self.now + self.timeout)
        return command

    def interrupt(self) -> bool:
        """^C to the foreground command; whether there was one."""
        return self._signal(SIGINT, "")

    def _signal(self, number: int, why: str) -> bool:
        """A signal to what runs in the foreground of every node of the command; ``why`` is journaled with it."""
        command = self.foreground
        if command is None:
            return False
        for node in command.nodes:
            self.input(Entry(self.now, self.events, "signal", node, f"{number} {why}".strip()))
        return True

    def type_text(self, node: str, text: str) -> None:
        """Type at a node's terminal."""
        self.input(Entry(self.now, self.events, "input", node, text))

    def end_of_file(self, node: str) -> None:
        """^D at a node's terminal."""
        self.input(Entry(self.now, self.events, "eof", node))

    def input(self, entry: Entry) -> None:
        """Journal a new input and apply it; it cuts off what lay ahead."""
        del self.journal[self.cursor :]
        self.history.forget(self.events)
        self.journal.append(entry)
        self._apply(entry)

    def plug(self, ports: tuple[str, ...]) -> None:
        """Boot again with links that end in the outside world; each of ``ports`` is ``LINK PORT``.

        Ports are part of what is booted, like the seed: they hear what nodes say at time 0. Without a device a port
        swallows. Raises KamelabError: the lab has begun to run, no such link, no Ethernet, a name used twice.
        """
        if ports == self.ports:
            return
        if self.events or self.journal:
            raise KamelabError("a lab can be joined to the outside only before it has run")
        seen = set[str]()
        for text in ports:
            link, _, name = text.partition(" ")
            if link not in self.lab.links:
                raise KamelabError(f"no link is called {link!r}{did_you_mean(link, self.lab.links)}")
            if self.lab.links[link].kind == "ppp":
                raise KamelabError(f"{link} is a ppp line: only Ethernet links can be joined to the outside")
            if not name or len(name.split()) != 1 or name in seen:
                raise KamelabError(f"expected a name for each port, and each its own, not {name!r}")
            seen.add(name)
        self.ports = ports
        self.rebuild()

    def _apply(self, entry: Entry) -> None:
        """Let one journal entry happen: one event."""
        network = self.world.network
        clock, trace = network.clock, network.trace
        self._pass_time(entry.time)
        clock.events += 1
        self.cursor += 1
        trace.also = 0
        what = f"{entry.node}: {entry.text}" if entry.node else entry.text
        note = what if entry.kind in ("line", "console") else f"{entry.kind} {what}"
        if entry.kind == "frame":
            link, port, octets = entry.text.split()
            note = f"frame of {len(octets) // 2} octets from {port} outside, on {link}"
        node = entry.node if entry.node in network.nodes else ""
        trace.cause = trace.record(clock.now, node, "", "console", 0, "command", note=note, cause=0, also=0)
        systems = self.world.systems
        if entry.kind == "line":
            self._start(entry, trace.cause)
        elif entry.kind == "signal":
            self._apply_signal(systems[entry.node], entry.text)
        elif entry.kind == "input":
            systems[entry.node].input(TTY, entry.text)
        elif entry.kind == "eof":
            systems[entry.node].eof(TTY)
        elif entry.kind == "frame":
            link, port, octets = entry.text.split()
            network.links[link].transmit(network.links[link].port(port), bytes.fromhex(octets), trace.cause)
        else:
            self._change(entry.text.split())
        run_ready(network)
        settle(network)
        self._after()

    def _pass_time(self, time: int) -> None:
        """Let the clock stand at ``time`` at least; no event lies before that."""
        network = self.world.network
        network.clock.now = max(network.clock.now, time)
        settle(network)

    def _apply_signal(self, system: System, text: str) -> None:
        number, _, why = text.partition(" ")
        command = self._foreground
        if why == OVERDUE and command is not None:
            command.interrupted = True
        if number != str(SIGKILL):
            system.interrupt(TTY)
            return
        for pid in [process.pid for process in system.procs.values() if process.foreground and process.tty == TTY]:
            if pid in system.procs:
                system.kill(pid, SIGKILL)

    def _start(self, entry: Entry, cause: int) -> None:
        nodes = tuple(self.lab.nodes) if entry.node == "all" else tuple(entry.node.split())
        command = Command(entry.text, nodes, self.now, self.events)
        self.commands.append(command)
        for node in nodes:
            command.pids[node] = self.world.systems[node].shell(entry.text, TTY, cause=cause)
        self._foreground = command

    def _change(self, words: list[str]) -> None:
        """A console command that changes the lab: already checked when it was typed."""
        network = self.world.network
        if words[0] == "link":
            link = network.links[words[1]]
            for word in words[2:]:
                if word in ("up", "down"):
                    network.set_link(link.name, word == "up")
                    continue
                key, value = link_setting(word)
                link.set(key, value)
        elif words[0] == "reboot":
            self._reboot(words[1])

    def _reboot(self, name: str) -> None:
        """Power off, then boot anew at this moment: kernel state and files are as at boot."""
        system = self.world.systems[name]
        system.close()
        node = system.node
        plugged = list(node.interfaces.values())
        node.power_off()
        for iface in plugged:
            self.world.network.clock.forget(iface)
        spec = self.lab.nodes[name]
        fresh = type(system)(node, system.clock, system.trace, system.streams)
        self.world.systems[name] = fresh
        node.userland = fresh
        configure(node, spec)
        start(fresh, spec, fresh.trace.cause)

    # -- running -----------------------------------------------------------------------------------------------------

    def advance(self, limit: int, until: int | None = None) -> bool:
        """Let at most ``limit`` events happen towards the goal, none later than ``until`` (ns since boot).

        True when the goal is reached, or there was none; the clock then stands at its end. With ``until`` time passes
        up to there even if nothing happens.
        """
        goal = self.goal
        if goal is None:
            return True
        clock = self.world.network.clock
        for _ in range(limit):
            if self._unattended:
                self.feed_eof()
            if self._reached(goal):
                self.goal = None
                return True
            bound = goal.time if until is None else until if goal.time is None else min(until, goal.time)
            if goal.deadline is not None:
                bound = goal.deadline if bound is None else min(bound, goal.deadline)
            if self._next(bound):
                if self.goal is not goal:
                    # Stopped: see `_loops`.
                    self.goal = None
                    return True
                continue
            if goal.deadline is not None and bound == goal.deadline and (until is None or until >= goal.deadline):
                self._pass_time(goal.deadline)
                self._overdue(goal)
                continue
            if bound is not None:
                self._pass_time(bound)
                if goal.time is not None and clock.now >= goal.time:
                    self.goal = None
                    return True
                return False
            # Nothing will ever happen again.
            self.goal = None
            return True
        if self._reached(goal):
            self.goal = None
            return True
        return False

    def _reached(self, goal: Goal) -> bool:
        if goal.command is not None:
            return goal.command.status is not None
        clock = self.world.network.clock
        if goal.events is not None and clock.events >= goal.events:
            return True
        if goal.idle and self.idle():
            return True
        return goal.found

    def _overdue(self, goal: Goal) -> None:
        """A foreground command took too long: ^C, and if it does not heed that, its end."""
        command = goal.command
        if command is None or command.status is not None:
            return
        goal.deadline = self.now + self.timeout
        if command.interrupted:
            self._signal(SIGKILL, OVERDUE)
            return
        name = (command.line.split() or [""])[0]
        self.say("message", f"{name}: still running after {format_duration(self.timeout)}; interrupted\n")
        self._signal(SIGINT, OVERDUE)

    def finish(self, limit: int | None = None) -> bool:
        """Run to the goal at full speed. A program that waits for what is typed gets an end of file at once.

        False where more than ``limit`` events since boot were not enough.
        """
        self._unattended = True
        try:
            while not self.advance(1000):
                if limit is not None and self.events > limit:
                    return False
            return True
        finally:
            self._unattended = False

    def feed_eof(self) -> None:
        """End of file for the foreground program that reads the terminal, where nobody is there to type.

        What lies ahead in the journal is left to happen as it did.
        """
        command = self.foreground
        if command is None or self.tail:
            return
        for node in command.nodes:
            if self.world.systems[node].reading(TTY):
                self.end_of_file(node)

    def _next(self, until: int | None) -> bool:
        """The next thing that happens: an entry of the journal's tail, or an event."""
        clock = self.world.network.clock
        if self.cursor < len(self.journal):
            entry = self.journal[self.cursor]
            if entry.events <= clock.events:
                if until is not None and entry.time > until:
                    return False
                self._apply(entry)
                return True
        goal = self.goal
        row = len(self.world.network.trace.packets)
        before = self.world.network.trace.num
        events = clock.events
        if not run_event(self.world.network, until):
            return False
        if clock.events == events:
            return True
        instant, count = self._instant
        self._instant = (clock.now, count + 1 if clock.now == instant else 1)
        self._after()
        if self._instant[1] >= INSTANT_LIMIT:
            self._loops()
        elif goal is not None and (goal.match is not None or goal.kind):
            self._watch(goal, row, before)
        return True

    def _loops(self) -> None:
        """Too many events at one instant: ^C to the foreground, and time stops; a replay has the ^C in its journal."""
        self._instant = (self.now, 0)
        if self.replaying or self.tail:
            return
        self.say("message", f"{INSTANT_LIMIT} events at one instant: something loops; stopped\n")
        self.interrupt()
        self.goal = None

    def _watch(self, goal: Goal, row: int, before: int) -> None:
        """Whether the event just done is what the goal waits for."""
        trace = self.world.network.trace
        if goal.kind == "packet":
            goal.found = any(one[6] == "rx" for one in trace.packets[row:])
        elif goal.kind == "timer":
            record = trace.get(before + 1)
            goal.found = record is not None and record.event == "timer"
        elif goal.match is not None:
            network = self.world.network
            goal.found = any(goal.match.matches(view(network, one)) for one in trace.packets[row:])

    def _after(self) -> None:
        """After every event: gather output, see whether the foreground command ended, tell the watchers."""
        self._collect()
        command = self._foreground
        if command is not None and command.status is None:
            systems = self.world.systems
            statuses = [systems[node].status(pid) for node, pid in command.pids.items()]
            if all(status is not None for status in statuses):
                command.status = next((status for status in statuses if status), 0)
                if command.interrupted:
                    command.status = STATUS_TIMEOUT
                if len(command.nodes) > 1:
                    for node, text in command.output.items():
                        if text:
                            self.say("text", text, node)
        for watcher in self.watchers:
            watcher(self)
        if self.history.on:
            self.history.leave(self)

    def _collect(self) -> None:
        """Move what programs printed to their command and to the reader."""
        for name, system in self.world.systems.items():
            if not system.output:
                continue
            chunks, system.output = system.output, []
            for time, tty, text in chunks:
                if tty == CONSOLE:
                    for line in text.splitlines():
                        if (time, line) in system.node.kernel_log[-50:] and not self.replaying:
                            self._out.append(Chunk(time, "console", name, line + "\n"))
                    continue
                command = self._foreground
                if command is not None and command.status is None and name in command.output:
                    command.output[name] += text
                    if len(command.nodes) > 1:
                        continue
                if not self.replaying:
                    self._out.append(Chunk(time, "text", name, text))

    # -- time travel -------------------------------------------------------------------------------------------------

    def back(self, events: int, time: int | None = None) -> None:
        """Stand where ``events`` events were done and, if given, where the clock showed ``time`` (ns since boot).

        By replay from the nearest checkpoint or from boot. The rest of the journal lies ahead and happens again as time
        goes on, until a new input cuts it off.
        """
        found = self.history.nearest(self, events, time)
        if found is None:
            self.rebuild()
        else:
            self._resume(*found)
        self.history.on = True
        self.replaying = True
        try:
            while self.events < events:
                if not self._next(time):
                    break
            if time is not None:
                self._pass_time(time)
            elif self.tail and self.journal[self.cursor].events == self.events:
                # What comes next is an input: stand where it was given, not where the event before it left the clock.
                self._pass_time(self.journal[self.cursor].time)
        finally:
            self.replaying = False
            self.goal = None

    def beside(self) -> Any:
        """What belongs to a position beside the world: commands, and the lesson's state."""
        return self.commands, self._foreground, self._instant, self.tasks.state() if self.tasks is not None else None

    def _resume(self, world: World, beside: Any, cursor: int) -> None:
        """Stand at a checkpoint."""
        self.world.close()
        self.world = world
        self.goal = None
        self.cursor = cursor
        self.commands, self._foreground, self._instant, lesson = beside
        self.replaying = True
        for hook in self.rebuilt:
            hook(self)
        if self.tasks is not None:
            self.tasks.resume(lesson)
        self.replaying = False

    def rebuild(self) -> None:
        """The lab as booted, the whole journal ahead."""
        self.history.forget()
        self.world.close()
        self.goal = None
        self.cursor = 0
        self.commands = []
        self._foreground = None
        self._instant = (0, 0)
        self.replaying = True
        self.world = build(self.lab, self.seed, self.ports)
        self._collect()
        self.replaying = False
        for hook in self.rebuilt:
            hook(self)

    def reset(self) -> None:
        """Begin again: boot, with an empty journal."""
        self.journal = []
        self.rebuild()

    # -- files -------------------------------------------------------------------------------------------------------

    def save(self) -> bytes:
        """The session file up to this position."""
        head = Head(__version__, SESSION_FORMAT, self.name, self.seed, self.text, self.ports)
        return dump(head, self.journal[: self.cursor], Tail(self.events, self.now, self.digest()))

    def close(self) -> None:
        """End all programs."""
        self.world.close()
