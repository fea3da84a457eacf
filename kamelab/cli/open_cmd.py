"""`kamelab open LAB`: the screen; without a terminal, `kamelab run LAB`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamelab.cli.terminal import on_terminal

if TYPE_CHECKING:
    from kamelab.lab.session import Session


@click.command("open")
@click.argument("lab")
@click.option("--seed", type=int, metavar="N", help="Seed in place of the lab's.")
@click.pass_context
def command(ctx: click.Context, lab: str, seed: int | None) -> None:
    """Open LAB on the screen.

    LAB is a lab file, the name of a lab that comes with kamelab, or a session file. Without a terminal the lab boots
    and runs until nothing is to come any more, as with `kamelab run LAB`.
    """
    if not on_terminal():
        from kamelab.cli.run import play_lab

        ctx.exit(play_lab(lab, seed=seed))
    from kamelab.ui.app import run_app

    def opener() -> Session:
        # The engine is loaded behind the first picture.
        from kamelab.cli.options import open_lab

        return open_lab(lab, seed)

    ctx.exit(run_app(opener))
