"""`kamelab schema`: the JSON Schema of lab files, for editors."""

from __future__ import annotations

import json

import click

from kamelab.lab.schema import json_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of lab files.

    Save it, and name it in the first line of a lab file for editors: #:schema ./kamelab.schema.json
    """
    click.echo(json.dumps(json_schema(), indent=2))
