"""`kamelab graph LAB`: a lab's network as a drawing. Text is built; mermaid, dot and svg are not yet."""

from __future__ import annotations

import sys

import click

from kamelab.lab.layout import BOX_CHARACTERS, draw
from kamelab.lab.library import find_lab
from kamelab.lab.loader import load_lab

FORMATS = ("text", "mermaid", "dot", "svg")


@click.command("graph")
@click.argument("lab")
@click.option(
    "--format", "form", envvar="KAMELAB_GRAPH_FORMAT", type=click.Choice(FORMATS), default="text", show_default=True
)
@click.option(
    "--ascii",
    "ascii_only",
    envvar="KAMELAB_GRAPH_ASCII",
    is_flag=True,
    help="Draw with - | + in place of line characters.",
)
@click.option("--compact", is_flag=True, help="Names without boxes.")
def command(lab: str, form: str, ascii_only: bool, compact: bool) -> None:
    """Draw the network of LAB."""
    source = find_lab(lab)
    loaded = load_lab(source.text, source.path)
    if form != "text":
        raise click.UsageError(f"the format {form!r} is not built yet; --format text is")
    for line in draw(loaded, ascii_only=ascii_only or not supports_boxes(), boxes=not compact).lines:
        click.echo(line)


def supports_boxes() -> bool:
    """Whether stdout can show line characters."""
    try:
        BOX_CHARACTERS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
