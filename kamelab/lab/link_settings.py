"""What can be changed of a link by ``link NAME KEY=VALUE``, and what ``links`` tells of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.lab.units import format_duration, parse_duration, parse_probability, parse_rate
from kamelab.wire import ether

if TYPE_CHECKING:
    from kamelab.sim.link import Link


def link_setting(word: str) -> tuple[str, int | float]:
    """``loss=10%`` as (key, value). Raises ValueError saying what was expected."""
    key, equals, text = word.partition("=")
    reader = LINK_SETTINGS.get(key)
    if reader is None or not equals:
        raise ValueError(f"expected up, down, {', '.join(f'{name}=...' for name in LINK_SETTINGS)}, not {word!r}")
    return key, reader(text)


def _mtu(text: str) -> int:
    if not text.isdigit() or not 1280 <= int(text) <= 65535:
        raise ValueError(f"expected an MTU of 1280 to 65535 octets, not {text!r}")
    return int(text)


def _queue(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"expected a number of frames, 0 for any number, not {text!r}")
    return int(text)


def _switch(text: str) -> int:
    if text not in ("on", "off"):
        raise ValueError(f"expected switch=on or switch=off, not {text!r}")
    return int(text == "on")


LINK_SETTINGS: dict[str, Callable[[str], int | float]] = {
    "latency": parse_duration,
    "bandwidth": parse_rate,
    "loss": parse_probability,
    "mtu": _mtu,
    "queue": _queue,
    "jitter": parse_duration,
    "duplicate": parse_probability,
    "reorder": parse_probability,
    "corrupt": parse_probability,
    "switch": _switch,
}


def faults_text(link: Link) -> list[str]:
    """``switch``, ``queue 50``, ``jitter 5ms``, ``loss 10%`` ...: what is not as on a perfect wire."""
    facts = ["switch"] if link.switch is not None else []
    if link.queue:
        facts.append(f"queue {link.queue}")
    if link.jitter:
        facts.append(f"jitter {format_duration(link.jitter)}")
    for what in ("loss", "duplicate", "reorder", "corrupt"):
        if parts := getattr(link, what):
            facts.append(f"{what} {parts / 10_000_000:g}%")
    return facts


def switch_lines(link: Link, now: int) -> list[str]:
    """What a switch has learned, a line an address: station, and how many seconds ago it was heard."""
    if link.switch is None:
        return []
    rows = link.switch.rows(now)
    return [f"  {ether.mac_text(mac)} behind {plug}, heard {age // SECOND} s ago" for mac, plug, age in rows]
