"""`kamelab exec --control SOCKET LINE`: one console line in a lab that runs elsewhere. Loads nothing of the engine."""

from __future__ import annotations

import click

from kamelab.bridge.client import ControlError, ask


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("--control", required=True, metavar="SOCKET", help="The socket of `kamelab run --control`.")
@click.argument("line", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, control: str, line: tuple[str, ...]) -> None:
    """Run LINE in the lab behind SOCKET, print its output, and exit with its status.

    LINE is what the prompt takes: `h1: ndp -an`, `link lan1 down`, `reboot h1`. Several words are put together with
    a space between them. `reboot NODE` returns when the node's startup lines have run and its addresses are ready,
    `reboot NODE &` at once. ^C here interrupts the line there.

    \b
    Exit codes: the line's own; 2 too where no lab answers.
    """
    try:
        answer = ask(control, " ".join(line))
    except ControlError as error:
        click.echo(f"kamelab: {error}", err=True)
        ctx.exit(2)
    except KeyboardInterrupt:
        ctx.exit(130)
    click.echo(answer.output, nl=False)
    click.echo(answer.messages, nl=False, err=True)
    ctx.exit(answer.status)
