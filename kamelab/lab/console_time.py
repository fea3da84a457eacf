"""Console commands that move time: run, pause, step, back, speed. None of them is an input."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.capture.filter import FilterError, compile_filter
from kamelab.core.clock import DAY
from kamelab.core.errors import KamelabError
from kamelab.lab.session import Goal, Session
from kamelab.lab.units import parse_duration

RUN_LIMIT = DAY
"""How long ``run until ...`` looks for what may never come, virtual time."""


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise KamelabError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise KamelabError(f"expected a number of events, not {text!r}")
    return int(text)


def _run(session: Session, words: list[str]) -> int:
    if not words or words == ["until", "idle"]:
        session.goal = Goal(idle=True, time=session.now + RUN_LIMIT)
    elif words[0] == "until":
        text = " ".join(words[1:])
        try:
            match = compile_filter(text)
        except FilterError as error:
            raise KamelabError(str(error)) from None
        session.goal = Goal(match=match, time=session.now + RUN_LIMIT)
    elif len(words) == 1:
        session.goal = Goal(time=session.now + _duration(words[0]))
    else:
        raise KamelabError(f"{words[1]!r} is one word too many")
    return 0


def _step(session: Session, words: list[str]) -> int:
    kind = "event"
    count = 1
    for word in words:
        if word in ("event", "packet", "timer"):
            kind = word
        else:
            count = _count(word)
    if kind == "event":
        session.goal = Goal(events=session.events + count)
        return 0
    if count != 1:
        raise KamelabError("a number goes with events only: step N, or step packet, or step timer")
    session.goal = Goal(kind=kind, time=session.now + RUN_LIMIT)
    return 0


def _back(session: Session, words: list[str]) -> int:
    if words[:1] == ["to"] and len(words) == 2:
        time = _duration(words[1])
        if time > session.now:
            raise KamelabError("that time is still to come: use run")
        session.back(session.events, time)
        return 0
    count = _count(words[0]) if words else 1
    if len(words) > 1:
        raise KamelabError(f"{words[1]!r} is one word too many")
    session.back(max(0, session.events - count))
    return 0


def _pause(session: Session, words: list[str]) -> int:
    if session.foreground is None:
        session.goal = None
    return 0


def _speed(session: Session, words: list[str]) -> int:
    if len(words) != 1:
        raise KamelabError("expected a factor: 1 is real time, 10 is ten times as fast, max as fast as can be")
    speed_factor(words[0])
    return 0


def speed_factor(text: str) -> float:
    """``2``, ``0.5``, ``x10``; 0 stands for ``max``. Raises KamelabError."""
    if text == "max":
        return 0.0
    try:
        factor = float(text.removeprefix("x"))
    except ValueError:
        factor = -1.0
    if not 0.001 <= factor <= 1_000_000:
        raise KamelabError(f"expected a factor from 0.001 to 1000000, or max, not {text!r}")
    return factor


COMMANDS: dict[str, tuple[str, str, Callable[[Session, list[str]], int]]] = {
    "run": ("run [DURATION | until FILTER | until idle]", "let time pass; alone: until nothing is to come", _run),
    "pause": ("pause", "stop the clock", _pause),
    "step": ("step [N] [event|packet|timer]", "let the next N events happen, or go to the next packet or timer", _step),
    "back": ("back [N | to T]", "take back N events, or go back to a time since boot", _back),
    "speed": ("speed X|max", "how fast time runs on the screen: 1 is real time", _speed),
}
