"""`kamelab lint LAB...`: a lab must load, fail unsolved, and pass with its own solution.

Exit status: 0 clean, 1 a lab's tasks or commands don't work, 3 only warnings, 4 an invalid lab file.
"""

from __future__ import annotations

import json
from typing import Any

import click

from kamelab.lab.console_show import clock_text
from kamelab.lab.library import find_lab
from kamelab.lab.lint import Report, lint
from kamelab.lab.reading import Problem

EXIT_FAILED = 1
EXIT_WARNINGS = 3
EXIT_INVALID = 4


@click.command("lint")
@click.argument("labs", nargs=-1, required=True, metavar="LAB...")
@click.option("--json", "as_json", envvar="KAMELAB_LINT_JSON", is_flag=True, help="An array of objects, one a lab.")
@click.pass_context
def command(ctx: click.Context, labs: tuple[str, ...], as_json: bool) -> None:
    """Check that each LAB loads, that its tasks fail unsolved, and that they pass with their own solutions."""
    sources = [find_lab(lab) for lab in labs]
    reports = []
    for source in sources:
        report = lint(source)
        reports.append(report)
        if not as_json:
            click.echo("\n".join(report_lines(report)))
    if as_json:
        click.echo(json.dumps([to_object(report) for report in reports], indent=2))
    ctx.exit(exit_status(reports))


def exit_status(reports: list[Report]) -> int:
    """The worst of all."""
    if any(report.errors for report in reports):
        return EXIT_INVALID
    if any(report.failures for report in reports):
        return EXIT_FAILED
    return EXIT_WARNINGS if any(report.warnings for report in reports) else 0


def report_lines(report: Report) -> list[str]:
    """The problems as ``file:line: key: ...``, then a line on the lab."""
    lines = [f"{problem}{_kind(report, problem)}" for problem in report.problems]
    if report.errors:
        return [*lines, f"{report.path}: invalid"]
    words = [f"{report.tasks} task{'s' * (report.tasks != 1)}"] if report.tasks else ["no tasks"]
    for count, noun in ((len(report.failures), "failure"), (len(report.warnings), "warning")):
        if count:
            words.append(f"{count} {noun}{'s' * (count != 1)}")
    if report.tasks and not report.failures:
        words.append(f"solved in {clock_text(report.time)} and {report.events} events")
    state = "failed" if report.failures else "ok"
    return [*lines, f"{report.path}: {state}: {', '.join(words)}"]


def _kind(report: Report, problem: Problem) -> str:
    if problem in report.warnings:
        return " (warning)"
    return " (note)" if problem in report.notes else ""


def to_object(report: Report) -> dict[str, Any]:
    """The report as JSON types; the time in nanoseconds."""
    return {
        "path": report.path,
        "status": "invalid" if report.errors else "failed" if report.failures else "ok",
        **{
            kind: [{"line": one.line, "key": one.key, "message": one.message} for one in getattr(report, kind)]
            for kind in ("errors", "failures", "warnings", "notes")
        },
        "tasks": report.tasks,
        "time": report.time,
        "events": report.events,
    }
