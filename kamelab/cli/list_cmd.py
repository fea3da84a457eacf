"""`kamelab list`: the labs that come with kamelab."""

from __future__ import annotations

import json

import click

from kamelab.lab.library import list_labs
from kamelab.lab.loader import load_lab


@click.command("list")
@click.option(
    "--json", "as_json", envvar="KAMELAB_LIST_JSON", is_flag=True, help="An array of objects in place of the table."
)
def command(as_json: bool) -> None:
    """List the labs that come with kamelab."""
    labs = [(source, load_lab(source.text, source.path)) for source in list_labs()]
    if as_json:
        rows = [
            {
                "name": source.name,
                "title": lab.title,
                "summary": lab.summary,
                "level": lab.level,
                "minutes": lab.minutes,
                "nodes": len(lab.nodes),
                "tasks": len(lab.tasks),
            }
            for source, lab in labs
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    table = [("Name", "Level", "Min", "Tasks", "Title")]
    for source, lab in labs:
        minutes = "-" if lab.minutes is None else str(lab.minutes)
        table.append((source.name, lab.level, minutes, str(len(lab.tasks)), lab.title))
    name, level, least, tasks, _ = (max(map(len, column)) for column in zip(*table, strict=True))
    for row in table:
        click.echo(f"{row[0]:{name}}  {row[1]:{level}}  {row[2]:>{least}}  {row[3]:>{tasks}}  {row[4]}")
