"""The clock line: which lab, whether time runs, how far it is, how fast it goes, what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from kamelab.lab.console_show import clock_text

if TYPE_CHECKING:
    from kamelab.ui.runner import Runner

TIMERS_LIMIT = 2000
"""Above so many entries in the event heap the next timer is not looked up by name."""


class ClockLine(Widget):
    """One line; the state and the speed can be clicked."""

    DEFAULT_CSS = """
    ClockLine {
        height: 1;
        background: $panel;
        color: $foreground;
        link-style: none;
        link-color: $foreground;
        link-background: transparent;
        link-style-hover: underline;
        link-color-hover: $foreground;
        link-background-hover: transparent;
    }
    """

    facts: reactive[tuple[str, ...]] = reactive(())
    """title, state, clock, events, ahead, speed, what comes next (long), when (short)"""

    def read(self, runner: Runner) -> None:
        """Take the position from the session."""
        session = runner.session
        network = session.world.network
        state = "running" if runner.running else "paused"
        ahead = f"+{session.tail} ahead" if session.tail else ""
        due, what = network.next_event_at(), ""
        if due is not None and len(network.clock.heap) <= TIMERS_LIMIT:
            rows = network.timer_rows()
            flight = network.clock.flight
            if flight:
                what = f"{flight} frame{'s' if flight > 1 else ''} in flight"
            elif rows:
                due, what = rows[0].at, f"{rows[0].node} {rows[0].what}"
        when = "nothing to come" if due is None else f"next {_short(max(0, due - session.now))}"
        self.facts = (
            session.lab.title,
            state,
            clock_text(session.now),
            f"{session.events} event{'' if session.events == 1 else 's'}",
            ahead,
            runner.speed_text,
            what,
            when,
        )

    def render(self) -> Content:
        """The facts, as many as there is room for; the title gives way first."""
        if not self.facts:
            return Content("")
        title, state, clock, events, ahead, speed, what, when = self.facts
        width = self.size.width
        sign = "►" if state == "running" else "‖"
        style = "$text-success" if state == "running" else "$text-warning"
        parts = [
            Content.from_markup(
                f"[@click=screen.toggle_run][b {style}]{sign} {state:<7}[/][/] [b]$clock[/b]", clock=clock
            ),
            Content(events),
            Content.from_markup("[@click=screen.next_speed]$speed[/]", speed=speed),
        ]
        if ahead:
            parts.insert(2, Content.styled(ahead, "$text-warning"))
        parts.append(Content(when))
        long = [*parts[:-1], Content(f"{when}: {what}")] if what else parts
        # What gives way, in this order: what comes next, the program's name, the end of the title.
        for chosen, name in ((long, " kamelab  "), (parts, " kamelab  "), (parts, " "), (parts[:-1], " ")):
            line = Content("  ").join(chosen)
            room = width - len(name) - line.cell_length - 3
            if len(title) <= room:
                break
        shown = title if len(title) <= room else title[: max(0, room - 1)] + "…"
        left = Content.styled(name, "bold") + Content(shown)
        gap = max(2, width - left.cell_length - line.cell_length - 1)
        return left + Content(" " * gap) + line


def _short(time: int) -> str:
    """A duration, ns, in few letters: ``340ms``, ``5.2s``, ``4m12s``, ``23h59m``."""
    if time < 1_000_000:
        return "<1ms" if time else "0s"
    if time < 1_000_000_000:
        return f"{time // 1_000_000}ms"
    tenths = time // 100_000_000
    if tenths < 600:
        return f"{tenths // 10}.{tenths % 10}s"
    minutes, seconds = divmod(tenths // 10, 60)
    return f"{minutes}m{seconds:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"
