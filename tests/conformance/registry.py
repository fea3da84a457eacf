"""Which function plays which case. A function's docstring says its purpose and the RFC's text that it follows from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.conformance.cases import CASES, Case
from tests.conformance.tester import Tester

Body = Callable[..., None]


class Played(NamedTuple):
    """A case with what plays it."""

    body: Body
    args: tuple[Any, ...]


PLAYED: dict[str, Played] = {}
"""By `Case.name`."""

_KNOWN = {case.name for case in CASES}


def case(number: str, part: str = "", *args: Any) -> Callable[[Body], Body]:
    """Register a function for one case; it is called with the tester and ``args``."""

    def decorate(body: Body) -> Body:
        _add(number, part, body, args)
        return body

    return decorate


def cases(number: str, rows: Mapping[str, tuple[Any, ...]]) -> Callable[[Body], Body]:
    """Register a function for many parts, each with its arguments."""

    def decorate(body: Body) -> Body:
        for part, args in rows.items():
            _add(number, part, body, args)
        return body

    return decorate


def _add(number: str, part: str, body: Body, args: tuple[Any, ...]) -> None:
    name = f"v6LC.{number}{part.lower()}"
    if name not in _KNOWN:
        raise ValueError(f"{name} is no case of the specification")
    if name in PLAYED:
        raise ValueError(f"{name} is there twice")
    if not body.__doc__:
        raise ValueError(f"{name} does not say its purpose")
    PLAYED[name] = Played(body, args)


def play(one: Case, role: str, seed: int = 1) -> Tester:
    """Play a case on a fresh node; the tester, for its story. Raises `tester.Failure`."""
    body, args = PLAYED[one.name]
    tester = Tester(role, f"{one.name} {one.title}", seed)
    body(tester, *args)
    tester.sound()
    return tester


def runs() -> list[tuple[Case, str]]:
    """Every case that is played, for host and router."""
    return [(one, role) for one in CASES if one.name in PLAYED for role in one.roles]


def test_id(one: Case, role: str) -> str:
    """The parameter's name in the test suite: ``v6LC.2.1.1a[host]``."""
    return f"{one.name}[{role}]"
