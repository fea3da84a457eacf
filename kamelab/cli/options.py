"""What subcommands share: durations as option values, opening a lab, and where text goes."""

from __future__ import annotations

import click

from kamelab.lab.journal import is_session
from kamelab.lab.library import find_lab
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.lab.units import parse_duration


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """An option's callback: ``1.5s`` as ns. Raises BadParameter saying what was expected."""
    if value is None:
        return None
    try:
        ns = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    if not ns:
        raise click.BadParameter("expected more than no time at all", ctx, param)
    return ns


def open_lab(lab: str, seed: int | None, timeout: int | None = None) -> Session:
    """A session on a lab or session file.

    Raises UsageError for a seed beside a session file, else what `open_session` does.
    """
    if seed is not None and is_session(find_lab(lab).text):
        raise click.UsageError(f"--seed is for labs: the session {lab!r} has the seed that it was played with")
    session = open_session(lab, seed)
    if timeout is not None:
        session.timeout = timeout
    return session


def out(text: str) -> None:
    """Data, as it comes."""
    click.echo(text, nl=False)


def err(text: str) -> None:
    """Kamelab's own words."""
    click.echo(text, nl=False, err=True)
