"""`kamelab run LAB [SCRIPT]`: plays console lines without a screen, and writes down what happened.

With `--realtime` it runs at wall speed, joined to the outside world (`kamelab.bridge`).
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

import click
import msgspec

from kamelab import __version__
from kamelab.capture.export import export
from kamelab.cli.main import EXIT_USAGE
from kamelab.cli.options import duration, err, open_lab, out
from kamelab.cli.play import STATUS_INTERRUPTED, Interrupts, Player
from kamelab.cli.script import load_script, read_script
from kamelab.cli.writer import JsonWriter, TextWriter, Writer
from kamelab.core.trace import Record
from kamelab.lab.script import ScriptLine
from kamelab.lab.session import TIMEOUT, Chunk, Goal, Session
from kamelab.lab.units import format_duration

NAMED = 8
"""Failed lines that a message names."""


class Files(NamedTuple):
    """What a run leaves behind, opened before it starts: a bad path must not cost a long run."""

    pcapng: BinaryIO | None
    trace: BinaryIO | None


class Joined(NamedTuple):
    """To what a lab at wall speed is joined, as the options say it."""

    taps: tuple[str, ...]
    udps: tuple[str, ...]
    control: str | None


@click.command("run")
@click.argument("lab")
@click.argument("script", required=False)
@click.option(
    "--until", callback=duration, metavar="T", help="Run on to this virtual time since boot, after the script."
)
@click.option("--seed", type=int, metavar="N", help="Seed in place of the lab's.")
@click.option(
    "--timeout",
    callback=duration,
    default="1h",
    show_default=True,
    metavar="T",
    help="Virtual time that a line may take; its program is then interrupted.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that fails.")
@click.option("--pcapng", envvar="KAMELAB_RUN_PCAPNG", metavar="FILE", help="Write all frames for Wireshark.")
@click.option("--trace", envvar="KAMELAB_RUN_TRACE", metavar="FILE", help="Write every trace record as a JSON line.")
@click.option("--json", "as_json", envvar="KAMELAB_RUN_JSON", is_flag=True, help="One JSON object a line.")
@click.option("--quiet", is_flag=True, help="Programs' output without the echo of lines.")
@click.option("--realtime", is_flag=True, help="Run at wall speed until ^C, or until --until.")
@click.option("--tap", multiple=True, metavar="LINK=DEV", help="Join a link to a TAP device (with --realtime).")
@click.option(
    "--udp",
    multiple=True,
    metavar="LINK=HOST:PORT,HOST:PORT",
    help="Join a link to another program, one frame a datagram: our end, its end (with --realtime).",
)
@click.option("--control", metavar="SOCKET", help="Take lines from `kamelab exec` there (with --realtime).")
@click.pass_context
def command(
    ctx: click.Context,
    lab: str,
    script: str | None,
    until: int | None,
    seed: int | None,
    timeout: int,
    strict: bool,
    pcapng: str | None,
    trace: str | None,
    as_json: bool,
    quiet: bool,
    realtime: bool,
    tap: tuple[str, ...],
    udp: tuple[str, ...],
    control: str | None,
) -> None:
    """Play the console lines of SCRIPT (- is standard input) on LAB, as fast as possible.

    LAB is a lab file, the name of a lab that comes with kamelab, or a session file. Without SCRIPT and --until the
    lab boots and runs until nothing is to come any more.

    \b
    Exit codes: 0 all well, 1 a line failed, 2 wrong usage, 3 only warnings,
    4 the lab, script or session is invalid, 70 a fault of kamelab's own.
    """
    joined = Joined(tap, udp, control) if realtime else None
    if joined is None and (tap or udp or control):
        raise click.UsageError("--tap, --udp and --control need --realtime")
    if joined is not None and (strict or as_json):
        raise click.UsageError("--strict and --json do not go with --realtime")
    ctx.exit(
        play_lab(
            lab,
            script=script,
            until=until,
            seed=seed,
            timeout=timeout,
            strict=strict,
            pcapng=pcapng,
            trace=trace,
            as_json=as_json,
            quiet=quiet,
            joined=joined,
        )
    )


def play_lab(
    lab: str,
    *,
    script: str | None = None,
    until: int | None = None,
    seed: int | None = None,
    timeout: int = TIMEOUT,
    strict: bool = False,
    pcapng: str | None = None,
    trace: str | None = None,
    as_json: bool = False,
    quiet: bool = False,
    joined: Joined | None = None,
) -> int:
    """What `kamelab run` does; times in ns. The exit status.

    Raises LabError, LabNotFound, OSError, and UsageError for a seed beside a session file.
    """
    session = open_lab(lab, seed, timeout)
    try:
        name, lines = "", list[ScriptLine]()
        if script is not None:
            name, text = load_script(script)
            lines = read_script(session, text, name)
        files = Files(_create(pcapng), _create(trace))
        writer: Writer = JsonWriter(out, err) if as_json else TextWriter(out, err, echo=not quiet)
        player = Player(session, writer)
        player.opened()
        if joined is not None:
            status = play_live(player, lines, until, joined, echo=not quiet)
            for system in session.world.systems.values():
                player.faults.update(dict.fromkeys(system.faults))
            _write(session, files, player)
            return status if status and not player.faults else player.finish()
        with Interrupts() as interrupts:
            whole = play_script(player, lines, name, strict, interrupts)
            if whole and until is not None:
                run_until(player, until, interrupts)
            elif whole and script is None:
                run_until_idle(player, timeout, interrupts)
        _write(session, files, player)
        if player.failed and name and not strict:
            err(f"kamelab: {name}: failed: {failures(player.failed)}\n")
        status = player.finish()
        if interrupts.stopped:
            status = STATUS_INTERRUPTED
        writer.finish(session, status)
        return status
    finally:
        session.close()


def play_script(player: Player, lines: list[ScriptLine], name: str, strict: bool, interrupts: Interrupts) -> bool:
    """Play lines in order; False if it ended before the last one."""
    for line in lines:
        player.writer.place = f"{name}:{line.number}: "
        done = player.play(line.text, line.number, interrupts)
        if interrupts.stopped:
            return False
        if strict and done.failed:
            err(f"{name}:{line.number}: status {done.status}: stopped there (--strict)\n")
            return False
        if done.action == "quit":
            return False
    player.writer.place = ""
    return True


def play_live(player: Player, lines: list[ScriptLine], until: int | None, joined: Joined, *, echo: bool) -> int:
    """Run at wall speed, the lines first; the exit status."""
    from kamelab.bridge.port import BridgeError
    from kamelab.bridge.realtime import run

    def show(chunk: Chunk) -> None:
        if echo or chunk.kind != "echo":
            player.writer.chunk(chunk)

    texts = [line.text for line in lines]
    try:
        return run(
            player.session, joined.taps, joined.udps, joined.control, lines=texts, until=until, show=show, say=err
        )
    except BridgeError as error:
        err(f"kamelab: {error}\n")
        return EXIT_USAGE


def run_until(player: Player, until: int, interrupts: Interrupts) -> None:
    """Let time pass to a moment since boot; nothing if it is past."""
    session = player.session
    if until > session.now:
        session.goal = Goal(time=until)
        player.pass_time(f"run {format_duration(until - session.now)}", interrupts)


def run_until_idle(player: Player, limit: int, interrupts: Interrupts) -> None:
    """Let time pass until nothing is to come, at most ``limit`` ns; a warning if that was not enough."""
    session = player.session
    session.goal = Goal(idle=True, time=session.now + limit)
    player.pass_time("run until idle", interrupts)
    if not session.idle() and not interrupts.stopped:
        err(f"kamelab: not idle after {format_duration(limit)}, so stopped there; --until T runs to a given time\n")
        player.warned = True


def _create(path: str | None) -> BinaryIO | None:
    return None if path is None else open(path, "wb")


def _write(session: Session, files: Files, player: Player) -> None:
    """Fill the files; warnings where they are not complete."""
    trace = session.world.network.trace
    if files.pcapng is not None:
        with files.pcapng as target:
            lost = export(session.world.network, target, f"kamelab {__version__}")
        if lost:
            err(f"kamelab: {target.name}: the {lost} oldest frames had to be let go: the capture is not complete\n")
            player.warned = True
    if files.trace is not None:
        encode = msgspec.json.encode
        with files.trace as target:
            kept = 0
            for record in trace.all():
                target.write(encode(record_object(record)) + b"\n")
                kept += 1
        if kept < trace.num:
            err(f"kamelab: {target.name}: {trace.num - kept} old records had to be let go: the trace is not complete\n")
            player.warned = True


def record_object(record: Record) -> dict[str, Any]:
    """A trace record as JSON types: the fields of `Record` by name, its frame in hexadecimal."""
    return {**record._asdict(), "frame": record.frame.hex()}


def failures(failed: list[tuple[int, int]]) -> str:
    """``line 3 (status 1), line 7 (status 124)``; of many the first ones."""
    named = ", ".join(f"line {number} (status {status})" for number, status in failed[:NAMED])
    more = len(failed) - NAMED
    return f"{named} and {more} more" if more > 0 else named
