"""`kamelab sh LAB`: line mode. The same console lines as on the screen, from standard input; text out.

On a terminal there is a prompt with history and completion, and virtual time follows the wall's clock while a line
runs (`speed` sets how fast); between lines it stands. From a pipe, lines are echoed and run as fast as possible.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from kamelab.cli.main import EXIT_FAULT
from kamelab.cli.options import duration, err, open_lab, out
from kamelab.cli.play import STATUS_INTERRUPTED, Interrupts, Live, Player
from kamelab.cli.script import STDIN, check_line
from kamelab.cli.terminal import on_terminal
from kamelab.cli.writer import TextWriter
from kamelab.lab.console_time import speed_factor
from kamelab.lab.script import Gatherer
from kamelab.lab.session import Session

HISTORY = 1000
"""Lines of history that are kept."""


@click.command("sh")
@click.argument("lab")
@click.option("--seed", type=int, metavar="N", help="Seed in place of the lab's.")
@click.option(
    "--timeout",
    callback=duration,
    default="1h",
    show_default=True,
    metavar="T",
    help="Virtual time that a line may take; its program is then interrupted.",
)
@click.pass_context
def command(ctx: click.Context, lab: str, seed: int | None, timeout: int) -> None:
    """Take console lines for LAB from standard input.

    LAB is a lab file, the name of a lab that comes with kamelab, or a session file. `help` lists what can be typed;
    `quit` or the end of input leaves.
    """
    session = open_lab(lab, seed, timeout)
    try:
        status = interactive(session) if on_terminal() else piped(session)
    finally:
        session.close()
    ctx.exit(status)


def piped(session: Session) -> int:
    """Lines from a pipe or file, each run when it is whole; the exit status is that of `run`."""
    player = Player(session, TextWriter(out, err))
    player.opened()
    gatherer = Gatherer()
    interrupts = Interrupts()
    try:
        # readline, not iteration: a line is played as soon as it is there.
        for source in iter(sys.stdin.readline, ""):
            line = gatherer.feed(source.removesuffix("\n").removesuffix("\r"))
            if line is None:
                continue
            player.writer.place = f"{STDIN}:{line.number}: "
            with interrupts:
                done = player.play(line.text, line.number, interrupts)
            if interrupts.stopped:
                return STATUS_INTERRUPTED
            if done.action == "quit":
                return player.finish()
    except KeyboardInterrupt:
        # While it waited for a line.
        return STATUS_INTERRUPTED
    if (unended := gatherer.rest()) is not None:
        err(f"{check_line(session, unended, STDIN)}\n")
        player.failed.append((unended.number, 2))
    return player.finish()


def interactive(session: Session) -> int:
    """A prompt on a terminal. Failing lines are the user's to see: the exit status is 0, or 70 for kamelab's fault."""
    live = Live()
    player = Player(session, TextWriter(out, err, echo=False), live)
    player.opened()
    gatherer = Gatherer()
    click.echo(f"{session.lab.title}. Type help for what can be typed, quit or ^D to leave.")
    with line_editing(session):
        while True:
            try:
                if not _turn(player, live, gatherer):
                    break
            except EOFError:
                click.echo()
                break
            except KeyboardInterrupt:
                # At the prompt, or between it and the program.
                click.echo()
                gatherer.rest()
                # After `back` a program may hold the console while time stands.
                session.interrupt()
                player.show()
    status = player.finish()
    return status if status == EXIT_FAULT else 0


def _turn(player: Player, live: Live, gatherer: Gatherer) -> bool:
    """Ask for a line, and play it if it is whole; False if the user wants to be out.

    Raises EOFError and KeyboardInterrupt from the prompt.
    """
    line = gatherer.feed(input("> " if gatherer.open else f"{player.session.selected}# "))
    if line is None:
        return True
    with Interrupts() as interrupts:
        done = player.play(line.text, line.number, interrupts)
    if done.action.startswith("speed "):
        live.factor = speed_factor(done.action.removeprefix("speed "))
    return done.action != "quit" and interrupts.seen < 2


@contextlib.contextmanager
def line_editing(session: Session) -> Iterator[None]:
    """History and completion by readline, where Python has it."""
    try:
        import readline
    except ImportError:
        yield
        return
    import platformdirs

    from kamelab.cli.complete import DELIMITERS, Completer

    history = Path(platformdirs.user_state_dir("kamelab")) / "sh_history"
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    readline.set_history_length(HISTORY)
    readline.set_completer_delims(DELIMITERS)
    readline.set_completer(Completer(session, readline.get_line_buffer, readline.get_endidx))
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
    try:
        yield
    finally:
        readline.set_completer(None)
        with contextlib.suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(history)
