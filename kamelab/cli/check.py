"""`kamelab check LAB SCRIPT_OR_SESSION`: grade one submission.

Exit status: 0 all tasks passed, 1 some did not, 4 an invalid lab, script or session file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click

from kamelab.core.clock import SECOND
from kamelab.lab.console_show import clock_text
from kamelab.lab.grading import Grade, TaskResult, grade
from kamelab.lab.library import LabSource, find_lab
from kamelab.lab.reading import LabError, Problem

EXIT_FAILED = 1


@click.command("check")
@click.argument("lab")
@click.argument("submission", metavar="SCRIPT_OR_SESSION")
@click.option("--json", "as_json", envvar="KAMELAB_CHECK_JSON", is_flag=True, help="An object in place of the table.")
@click.option(
    "--junit",
    envvar="KAMELAB_CHECK_JUNIT",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write a JUnit report too: a test case for each task.",
)
@click.pass_context
def command(ctx: click.Context, lab: str, submission: str, as_json: bool, junit: str | None) -> None:
    """Grade a script of console lines (`-`: standard input), or a session file, against the tasks of LAB."""
    result = grade(find_lab(lab), _read(submission))
    for note in result.notes:
        click.echo(note, err=True)
    click.echo(json.dumps(to_object(result), indent=2) if as_json else "\n".join(table(result)))
    if junit is not None:
        Path(junit).write_bytes(to_junit(result))
    if not result.complete:
        ctx.exit(EXIT_FAILED)


def _read(path: str) -> LabSource:
    """The submission's text. Raises OSError, or LabError where it is no UTF-8."""
    name = "<stdin>" if path == "-" else path
    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    try:
        return LabSource(Path(name).stem, name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"expected text in UTF-8, the octet 0x{data[error.start]:02x} here is none"
        raise LabError([Problem(name, line, "syntax", message)]) from None


def table(result: Grade) -> list[str]:
    """A line for each task, and under one that was on at the end what its checks saw."""
    lines = [f"{result.lab}: {result.title}", ""]
    for task in result.tasks:
        when = clock_text(task.passed_at) if task.passed_at is not None else "-"
        lines.append(f"{task.number:>3}  {task.status:<11}  {when:<15}  {task.title}")
        if task.status == "failed":
            for check in task.checks:
                lines.append(f"     [{'x' if check.passed else ' '}] {check.text}")
                if check.seen and not check.passed:
                    lines.append(f"           seen: {check.seen}")
    lines += ["", f"{result.passed} of {len(result.tasks)} tasks passed"]
    return lines


def to_object(result: Grade) -> dict[str, Any]:
    """The grade as JSON types; times in nanoseconds since boot."""
    return {
        "lab": result.lab,
        "title": result.title,
        "submission": result.submission,
        "passed": result.passed,
        "complete": result.complete,
        "tasks": [{**task._asdict(), "checks": [check._asdict() for check in task.checks]} for task in result.tasks],
        "notes": list(result.notes),
        "time": result.time,
        "events": result.events,
        "digest": result.digest,
    }


def to_junit(result: Grade) -> bytes:
    """The grade as JUnit XML: a suite for the lab, a case for each task; times are virtual seconds."""
    suite = ElementTree.Element(
        "testsuite",
        name=result.lab,
        tests=str(len(result.tasks)),
        failures=str(sum(task.status == "failed" for task in result.tasks)),
        errors="0",
        skipped=str(sum(task.status == "not reached" for task in result.tasks)),
        time=_seconds(result.time),
    )
    for task in result.tasks:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=result.lab,
            name=f"{task.number} {task.title}",
            time=_seconds(_taken(result, task)),
        )
        if task.status == "failed":
            wrong = [check for check in task.checks if not check.passed]
            first = wrong[0].text if wrong else "the learner did not say done"
            failure = ElementTree.SubElement(case, "failure", message=first)
            failure.text = "\n".join(f"{check.text} (seen: {check.seen or 'nothing'})" for check in wrong)
        elif task.status == "not reached":
            ElementTree.SubElement(case, "skipped", message="an earlier task has not passed")
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    text: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _taken(result: Grade, task: TaskResult) -> int:
    if task.started_at is None:
        return 0
    return (result.time if task.passed_at is None else task.passed_at) - task.started_at


def _seconds(time: int) -> str:
    return f"{time // SECOND}.{time % SECOND // 1_000_000:03}"
