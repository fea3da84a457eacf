"""The `kamelab` command: options of the whole, subcommands by name, exit codes.

A subcommand's module is imported only when it is called, so that `kamelab --version` and `--help` load neither
the screen nor the engine. Every option can be given as `KAMELAB_COMMAND_OPTION` too.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

import click

from kamelab import __version__

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_WARNINGS = 3
EXIT_INVALID = 4
EXIT_FAULT = 70
FAULT_WORDS = "kamelab: this is a fault of kamelab's own; please report it with the lines above"


class Subcommand(NamedTuple):
    """Where a subcommand is and what it does, known without importing it."""

    module: str
    """Holds the click command as `command`."""
    summary: str


SUBCOMMANDS: dict[str, Subcommand] = {
    "open": Subcommand("kamelab.cli.open_cmd", "Open a lab on the screen."),
    "sh": Subcommand("kamelab.cli.sh", "Take console lines for a lab from standard input."),
    "run": Subcommand("kamelab.cli.run", "Play a script of console lines on a lab."),
    "exec": Subcommand("kamelab.cli.exec_cmd", "Run a console line in a lab that runs elsewhere."),
    "check": Subcommand("kamelab.cli.check", "Grade a script or session against a lab's tasks."),
    "lint": Subcommand("kamelab.cli.lint", "Check that labs load, fail unsolved and pass solved."),
    "list": Subcommand("kamelab.cli.list_cmd", "List the labs that come with kamelab."),
    "show": Subcommand("kamelab.cli.show", "Show what a lab is about: network and tasks."),
    "schema": Subcommand("kamelab.cli.schema", "Print the JSON Schema of lab files."),
    "graph": Subcommand("kamelab.cli.graph", "Draw a lab's network."),
    "completion": Subcommand("kamelab.cli.completion", "Print what a shell needs to complete all this."),
}
"""In the order of `kamelab --help`."""

UNBUILT = ("grade", "new", "serve", "doctor")
"""Subcommands of the design that a later version brings."""


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is called, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand; None for an unknown name."""
        found = SUBCOMMANDS.get(cmd_name)
        if found is None:
            return None
        command: click.Command = importlib.import_module(found.module).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest name proposed for an unknown one."""
        if ctx.resilient_parsing:
            # Completion: what is typed is half a name.
            return super().resolve_command(ctx, args)
        if args and args[0] in UNBUILT:
            ctx.fail(f"{args[0]!r} is not built yet.")
        if args and not args[0].startswith("-") and args[0] not in SUBCOMMANDS:
            from kamelab.lab.suggest import did_you_mean

            ctx.fail(f"No such command {args[0]!r}{did_you_mean(args[0], SUBCOMMANDS)}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of subcommands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in SUBCOMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand: 4 for an invalid lab, 2 for one that isn't there, 70 for a fault of kamelab's own."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            raise  # click ends quietly then.
        except Exception as error:
            ctx.exit(_report(ctx, error))


def _report(ctx: click.Context, error: Exception) -> int:
    """Say on stderr what went wrong; the exit code."""
    from kamelab.lab.library import LabNotFound
    from kamelab.lab.reading import LabError

    if isinstance(error, LabError):
        click.echo(str(error), err=True)
        return EXIT_INVALID
    if isinstance(error, LabNotFound):
        click.echo(f"kamelab: {error}", err=True)
        return EXIT_USAGE
    if isinstance(error, OSError) and error.filename is not None:
        click.echo(f"kamelab: {error.filename}: {error.strerror}", err=True)
        return EXIT_USAGE
    import traceback

    traceback.print_exception(error, file=sys.stderr)
    click.echo(FAULT_WORDS, err=True)
    return EXIT_FAULT


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"kamelab {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "KAMELAB"},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """A terminal laboratory for IPv6 and IPsec: KAME-style nodes, virtual links, a clock that also runs backwards.

    Without a command: choose a lab on the screen; without a terminal, a demonstration as text and the list of labs.
    """
    if ctx.invoked_subcommand is None:
        from kamelab.cli import bare

        ctx.exit(bare.bare(ctx))
