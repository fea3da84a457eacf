"""tcpdump(1): the frames of an interface in lines, live or from a file, those that a filter takes.

Options and output are those of tcpdump 4.99 as far as `tcpdump_print` and `tcpdump_filter` go; the counts at the end
are BSD's, where "received by filter" counts what the filter refused too. Left out: compiled filters (-d), rotation of
files (-C -G -W -z), users (-Z), keys (-E -M), pcapng.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland import netdb, tcpdump_filter, tcpdump_pcap
from kamelab.userland.getopt import Fault, GetoptError, getopt
from kamelab.userland.proc import Signal
from kamelab.userland.tcpdump_filter import FilterError
from kamelab.userland.tcpdump_print import Printer, ascii_text, hex_lines

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE: Final = """\
usage: tcpdump [-AeKlLnNOpqStUvxX] [-B size] [-c count] [-D] [-F file]
               [-i interface] [-Q in|out|inout] [-r file] [-s snaplen]
               [-w file] [expression]
"""
_OPTIONS: Final = "AB:c:DeF:i:KlLnNOpqQ:r:s:StUvw:xX"
SNAPLEN: Final = 262144
_NS: Final = 1_000_000_000
_KEEP_EVERY: Final = 64
_DAY: Final = 86_400


@dataclass
class Options:
    """The command line."""

    interface: str = ""
    count: int = 0
    """Frames after which it ends; 0: without end."""
    snaplen: int = SNAPLEN
    stamp: int = 0
    """How often -t was given: 0 time of day, 1 none, 2 seconds since 1970, 3 since the line before, 4 date, 5 since
    the first."""
    hexdump: int = 0
    """1 for -x, 2 with the link-level header."""
    hexascii: int = 0
    ascii: bool = False
    numeric: bool = False
    promiscuous: bool = True
    buffer: int = 0
    direction: str = "inout"
    read: str = ""
    write: str = ""
    list: bool = False
    filter: str = ""


@dataclass
class Dump:
    """A run: where frames come from, how they are shown, how many came."""

    options: Options
    fd: int
    ifname: str
    mac: bytes
    """The interface's own address, to tell out from in; empty where it has none."""
    wall: int
    """Lab time at boot, ns since 1970."""
    printer: Printer
    captured: int = 0
    seen: int = 0
    first: int = 0
    """Time of the first line, ns since 1970; 0 before it."""
    last: int = 0
    text: list[str] = field(default_factory=list)


async def main(proc: Proc, argv: list[str]) -> int:
    """Capture or read. Status 0, 1 for an error."""
    dump = proc.state
    try:
        if not isinstance(dump, Dump):
            options = parse(proc, argv)
            if options.list:
                return _interfaces(proc)
            dump = _begin(proc, options)
        chosen = tcpdump_filter.parse(dump.options.filter, lambda name: _address(proc, name))
        if dump.options.read:
            return await _read(proc, dump, chosen)
    except (Fault, FilterError) as fault:
        proc.error(f"tcpdump: {fault}\n" + (USAGE if isinstance(fault, Fault) and fault.usage else ""))
        return 1
    try:
        await _capture(proc, dump, chosen)
    except Signal as signal:
        if signal.number not in (2, 15):
            raise
    _, dropped = proc.getsockopt(dump.fd, "BIOCGSTATS")
    for number, words in (
        (dump.captured, "captured"),
        (dump.seen, "received by filter"),
        (dropped, "dropped by kernel"),
    ):
        proc.error(f"{number} packet{'' if number == 1 else 's'} {words}\n")
    return 0


# -- the command line ----------------------------------------------------------------------------------------------


def parse(proc: Proc, argv: list[str]) -> Options:
    """Read the command line. Raises Fault."""
    try:
        pairs, rest = getopt(argv, _OPTIONS)
    except GetoptError as error:
        raise Fault(str(error), usage=True) from None
    out = Options(filter=" ".join(rest))
    for flag, value in pairs:
        match flag:
            case "-A":
                out.ascii = True
            case "-B":
                out.buffer = _number(value, 1, "invalid packet buffer size") * 1024
            case "-c":
                out.count = _number(value, 1, "invalid packet count")
            case "-D":
                out.list = True
            case "-F":
                try:
                    out.filter = proc.read_file(value).replace("\n", " ")
                except Errno as error:
                    raise Fault(f"can't open {value}: {error}") from None
            case "-i":
                out.interface = value
            case "-n":
                out.numeric = True
            case "-p":
                out.promiscuous = False
            case "-Q":
                if value not in ("in", "out", "inout"):
                    raise Fault(f"unknown capture direction `{value}'")
                out.direction = value
            case "-r":
                out.read = value
            case "-s":
                out.snaplen = _number(value, 0, "invalid snaplen") or SNAPLEN
            case "-t":
                out.stamp += 1
            case "-w":
                out.write = value
            case "-x":
                out.hexdump += 1
            case "-X":
                out.hexascii += 1
    if out.stamp > 5:
        raise Fault("only -t, -tt, -ttt, -tttt, and -ttttt are supported")
    return out


def _number(text: str, least: int, words: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < least:
        raise Fault(f"{words} {text}")
    return int(text)


def _printer(proc: Proc, argv: list[str], options: Options) -> Printer:
    flags = [flag for flag, _ in getopt(argv, _OPTIONS)[0]]
    out = Printer(
        verbose=flags.count("-v"), link="-e" in flags, quiet="-q" in flags, absolute="-S" in flags,
        numeric=options.numeric, check="-K" not in flags,
    )  # fmt: skip
    if not options.numeric:
        for host in netdb.hosts(proc):
            name = host.names[0]
            out.names.setdefault(host.addr, name.partition(".")[0] if "-N" in flags else name)
    return out


def _address(proc: Proc, name: str) -> bytes:
    try:
        return netdb.getaddrinfo(proc, name)[0]
    except (netdb.GaiError, Errno):
        raise FilterError(f"unknown host '{name}'") from None


def _interfaces(proc: Proc) -> int:
    for number, row in enumerate(proc.rows("interfaces"), 1):
        words = [word for bit, word in ((0x1, "Up"), (0x40, "Running"), (0x8, "Loopback")) if row.flags & bit]
        proc.print(f"{number}.{row.name} [{', '.join(words) or 'none'}]")
    return 0


# -- setting up ----------------------------------------------------------------------------------------------------


def _begin(proc: Proc, options: Options) -> Dump:
    """Open the device and say what is listened on; nothing is opened for a file. Raises Fault."""
    printer = _printer(proc, proc.argv, options)
    wall = proc.wall() - proc.time()
    if options.read:
        return Dump(options, -1, "", b"", wall, printer)
    rows = proc.rows("interfaces")
    name = options.interface
    if not name:
        up = [row.name for row in rows if row.flags & 0x1]
        if not up:
            raise Fault("no suitable device found")
        name = up[0]
    elif name.isdigit() and 1 <= int(name) <= len(rows):
        name = rows[int(name) - 1].name
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        raise Fault(f"{name}: No such device exists\n(BIOCSETIF failed: Device not configured)")
    # The filter is read before anything is opened, so that a wrong one leaves nothing behind.
    tcpdump_filter.parse(options.filter, lambda host: _address(proc, host))
    fd = proc.socket("bpf")
    if options.buffer:
        proc.setsockopt(fd, "BIOCSBLEN", options.buffer)
    proc.setsockopt(fd, "BIOCSETIF", name)
    if options.promiscuous:
        proc.setsockopt(fd, "BIOCPROMISC", True)
    if options.write and options.write != "-":
        _store(proc, options.write, tcpdump_pcap.head(options.snaplen), append=False)
    elif options.write:
        proc.write(tcpdump_pcap.to_text(tcpdump_pcap.head(options.snaplen)))
    elif not printer.verbose:
        proc.error("tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n")
    lead = "tcpdump: " if printer.verbose or options.write else ""
    proc.error(f"{lead}listening on {name}, link-type EN10MB (Ethernet), snapshot length {options.snaplen} bytes\n")
    mac = bytes(int(part, 16) for part in row.lladdr.split(":")) if row.lladdr else b""
    return Dump(options, fd, name, mac, wall, printer)


def _store(proc: Proc, path: str, data: bytes, *, append: bool) -> None:
    try:
        proc.write_file(path, tcpdump_pcap.to_text(data), append=append)
    except Errno as error:
        raise Fault(f"{path}: {error}") from None


# -- the run -------------------------------------------------------------------------------------------------------


async def _capture(proc: Proc, dump: Dump, chosen: tcpdump_filter.Node | None) -> None:
    options = dump.options
    while not options.count or dump.captured < options.count:
        if dump.seen % _KEEP_EVERY == 0:
            proc.keep(dump)
        message = await proc.recvmsg(dump.fd)
        if message is None:
            continue
        dump.seen += 1
        frame = message.data
        outbound = bool(dump.mac) and frame[6:12] == dump.mac
        if options.direction != "inout" and outbound != (options.direction == "out"):
            continue
        kept = frame[: options.snaplen]
        if not tcpdump_filter.matches(chosen, kept, len(frame)):
            continue
        dump.captured += 1
        time = dump.wall + message.time
        if options.write == "-":
            proc.write(tcpdump_pcap.to_text(tcpdump_pcap.row(time, frame, options.snaplen)))
        elif options.write:
            _store(proc, options.write, tcpdump_pcap.row(time, frame, options.snaplen), append=True)
        else:
            proc.write("\n".join(lines(dump, time, kept, len(frame))) + "\n")


async def _read(proc: Proc, dump: Dump, chosen: tcpdump_filter.Node | None) -> int:
    """-r: the frames of a file, or of standard input for ``-``."""
    options = dump.options
    path = options.read
    try:
        text = await proc.read() if path == "-" else proc.read_file(path)
        snaplen, frames = tcpdump_pcap.read(tcpdump_pcap.to_octets(text))
    except Errno as error:
        raise Fault(f"{path}: {error}") from None
    except tcpdump_pcap.PcapError as error:
        raise Fault(str(error)) from None
    proc.error(f"reading from file {path}, link-type EN10MB (Ethernet), snapshot length {snaplen}\n")
    out = tcpdump_pcap.head(snaplen)
    for frame in frames:
        if options.count and dump.captured >= options.count:
            break
        if not tcpdump_filter.matches(chosen, frame.data, frame.length):
            continue
        dump.captured += 1
        if options.write:
            out += tcpdump_pcap.row(frame.time, frame.data, snaplen)
        else:
            proc.write("\n".join(lines(dump, frame.time, frame.data, frame.length)) + "\n")
    if options.write == "-":
        proc.write(tcpdump_pcap.to_text(out))
    elif options.write:
        _store(proc, options.write, out, append=False)
    return 0


def lines(dump: Dump, time: int, frame: bytes, length: int) -> list[str]:
    """A frame's line, the lines of -v below it, and the dumps of -x, -X and -A. ``time``: ns since 1970."""
    options = dump.options
    stamp = stamp_text(options.stamp, time, dump.first or time, dump.last or time)
    dump.first = dump.first or time
    dump.last = time
    out = [stamp + dump.printer.line(frame, length)]
    if options.hexdump or options.hexascii:
        whole = max(options.hexdump, options.hexascii) > 1
        out += hex_lines(frame if whole else _without_padding(frame), bool(options.hexascii))
    if options.ascii:
        out.append(ascii_text(_without_padding(frame)))
    return out


def _without_padding(frame: bytes) -> bytes:
    """The packet of a frame without the link's padding."""
    packet = frame[14:]
    if frame[12:14] == b"\x86\xdd" and len(packet) >= 40 and (plen := int.from_bytes(packet[4:6], "big")):
        return packet[: 40 + plen]
    return packet


def stamp_text(kind: int, time: int, first: int, last: int) -> str:
    """The time before a line, with the blank behind it; times in ns since 1970, `Options.stamp` says which form."""
    micro = time // 1000
    seconds, part = divmod(micro, 1_000_000)
    if kind == 1:
        return ""
    if kind == 2:
        return f"{seconds}.{part:06d} "
    if kind in (3, 5):
        return f" {_clock(*divmod(micro - (last if kind == 3 else first) // 1000, 1_000_000))} "
    clock = _clock(seconds % _DAY, part)
    return f"{_date(seconds // _DAY)} {clock} " if kind == 4 else f"{clock} "


def _clock(seconds: int, part: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{part:06d}"


def _date(day: int) -> str:
    """Days since 1970 as year, month and day (the civil calendar, eras of 400 years)."""
    day += 719_468
    era, of_era = divmod(day, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return f"{year + era * 400 + (month <= 2):04d}-{month:02d}-{of_year - (153 * shifted + 2) // 5 + 1:02d}"
