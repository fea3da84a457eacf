"""`kamelab completion SHELL`: the script that lets a shell complete kamelab's subcommands and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete kamelab's subcommands and options.

    \b
    bash: eval "$(kamelab completion bash)"
    zsh:  eval "$(kamelab completion zsh)"
    fish: kamelab completion fish | source
    """
    complete = SHELLS[shell](ctx.find_root().command, {}, "kamelab", "_KAMELAB_COMPLETE")
    # The base class's: that of bash would run a bash to ask for its version.
    click.echo(ShellComplete.source(complete))
