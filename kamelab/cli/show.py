"""`kamelab show LAB`: what a lab is about, without giving its solutions away."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

from kamelab.cli.graph import supports_boxes
from kamelab.lab.layout import draw, members
from kamelab.lab.library import find_lab
from kamelab.lab.loader import load_lab
from kamelab.lab.schema import Lab, Link
from kamelab.lab.units import format_duration, format_rate


@click.command("show")
@click.argument("lab")
@click.option(
    "--json",
    "as_json",
    envvar="KAMELAB_SHOW_JSON",
    is_flag=True,
    help="An object in place of text; durations in nanoseconds.",
)
def command(lab: str, as_json: bool) -> None:
    """Show what LAB is about: its network and the titles of its tasks."""
    source = find_lab(lab)
    loaded = load_lab(source.text, source.path)
    if as_json:
        click.echo(json.dumps(_object(source.name, loaded), indent=2))
        return
    click.echo(f"{source.name}: {loaded.title}")
    if loaded.summary:
        click.echo(loaded.summary)
    minutes = f", {loaded.minutes} minutes" if loaded.minutes is not None else ""
    click.echo(f"Level: {loaded.level}{minutes}")
    click.echo()
    for line in draw(loaded, ascii_only=not supports_boxes()).lines:
        click.echo(line)
    click.echo()
    for line in links_table(loaded):
        click.echo(line)
    click.echo()
    for name, node in loaded.nodes.items():
        click.echo(f"{name}  {node.role}")
        for interface_name, interface in node.interfaces.items():
            addresses = "".join(f"  {address}" for address in interface.addresses)
            click.echo(f"    {interface_name}  {interface.link}  {interface.mac}{addresses}")
    if loaded.tasks:
        click.echo()
        click.echo("Tasks")
        for number, task in enumerate(loaded.tasks, 1):
            click.echo(f"  {number:2}  {task.title}")
    if loaded.references:
        click.echo()
        click.echo("References")
        for reference in loaded.references:
            click.echo(f"  {reference}")


def links_table(lab: Lab) -> list[str]:
    """A line for each link: its name, what it is like and the interfaces on it."""
    rows = [
        (name, _nature(link), " ".join(f"{node}:{interface}" for node, interface in members(lab)[name]))
        for name, link in lab.links.items()
    ]
    names, natures = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return [f"{name:{names}}  {nature:{natures}}  {ends or '(nothing is plugged in)'}" for name, nature, ends in rows]


def _nature(link: Link) -> str:
    """`ethernet 500us loss 10%`: the kind and whatever is not the default."""
    words: list[str] = [link.kind]
    if link.switch:
        words.append("switch")
    if link.latency:
        words.append(format_duration(link.latency))
    if link.bandwidth is not None:
        words.append(format_rate(link.bandwidth))
    if link.queue is not None:
        words.append(f"queue {link.queue}")
    if link.jitter:
        words.append(f"jitter {format_duration(link.jitter)}")
    for what in ("loss", "duplicate", "reorder", "corrupt"):
        if probability := getattr(link, what):
            words.append(f"{what} {probability * 100:g}%")
    if link.mtu != Link().mtu:
        words.append(f"mtu {link.mtu}")
    if not link.up:
        words.append("down")
    return " ".join(words)


def _object(name: str, lab: Lab) -> dict[str, Any]:
    """The lab as JSON types; of the tasks only what a learner may see beforehand."""
    tree: dict[str, Any] = {"name": name, **msgspec.to_builtins(lab)}
    tree["tasks"] = [{"title": task.title, "hints": len(task.hints), "checks": len(task.checks)} for task in lab.tasks]
    return tree
