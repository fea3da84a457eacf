"""`kamelab` alone: the chooser; without a terminal, the demo as text and the list of labs."""

from __future__ import annotations

import click

from kamelab.cli import list_cmd
from kamelab.cli.graph import supports_boxes
from kamelab.cli.options import err, open_lab, out
from kamelab.cli.play import STATUS_INTERRUPTED, Interrupts, Player
from kamelab.cli.terminal import on_terminal
from kamelab.cli.writer import TextWriter
from kamelab.lab.layout import draw

DEMO = "00-demo"

STORY: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Boot: the hosts make link-local addresses, check that nobody else has them, and ask for a router.",
        ("run 5s",),
    ),
    (
        "Each host has made an address from the prefix that r1 advertises on its link.",
        ("h1: ifconfig ne0", "h2: ifconfig ne0"),
    ),
    (
        "h1's default route leads to the router's link-local address.",
        ("h1: netstat -nr",),
    ),
    (
        "A ping to h2, across the router: the hop limit comes back one lower than the 64 that h2 sent.",
        ("h1: ping6 -c 3 2001:db8:2::ff:fe00:301",),
    ),
    (
        "The first echo on its way, interface by interface: > sent, < received.",
        ("trace icmpv6.echo.sequence_number == 0",),
    ),
    (
        "The path to h2: the first hop is the router.",
        ("h1: traceroute6 -n 2001:db8:2::ff:fe00:301",),
    ),
    (
        "The neighbours that h1 knows. St is the state: R reachable, S stale, D delay, P probe.",
        ("h1: ndp -an",),
    ),
    (
        "A minute in which nothing is heard from the router: its entry grows stale.",
        ("run 60s", "h1: ndp -an"),
    ),
    (
        "A packet makes h1 doubt: it waits 5 s for a sign of life (delay), then asks (probe).",
        ("h1: ping6 -c 1 2001:db8:2::ff:fe00:301", "h1: ndp -an", "run 6s", "h1: ndp -an"),
    ),
)
"""What the demo plays: a remark, and the console lines that show it."""

FAREWELL = """\
Next:
  kamelab open demo             this lab on the screen (on a terminal)
  kamelab sh demo               this lab line by line: help, run, step, back, trace, h1: ping6 ...
  kamelab open first-contact    the first lab with tasks
"""


def bare(ctx: click.Context) -> int:
    """The chooser on a terminal, else the demo; the exit status."""
    if on_terminal():
        from kamelab.ui.app import run_chooser

        return run_chooser()
    return play_demo(ctx)


def play_demo(ctx: click.Context) -> int:
    """Play the demo as text, then list the labs; the exit status."""
    session = open_lab(DEMO, None)
    player = Player(session, TextWriter(out, err))
    number = 0
    try:
        click.echo(f"kamelab: {session.lab.title}\n")
        for line in draw(session.lab, ascii_only=not supports_boxes()).lines:
            click.echo(f"  {line}".rstrip())
        with Interrupts() as interrupts:
            for remark, lines in STORY:
                click.echo(f"\n# {remark}")
                for line in lines:
                    number += 1
                    player.play(line, number, interrupts)
                    if interrupts.stopped:
                        return STATUS_INTERRUPTED
    finally:
        session.close()
    click.echo("\n# The labs that come with kamelab.\n")
    ctx.invoke(list_cmd.command, as_json=False)
    click.echo()
    out(FAREWELL)
    return player.finish()
