"""Console lines: whose they are, what they answer when they can't be run, and which of them are inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamelab.core.errors import KamelabError
from kamelab.lab.console import COMMANDS, UNBUILT, execute, names, prompt, split, submit
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session


@pytest.fixture
def session() -> Session:
    session = open_session("demo")
    execute(session, "run until idle")
    session.take_output()
    return session


def said(session: Session, kind: str = "message") -> str:
    return "".join(chunk.text for chunk in session.take_output() if chunk.kind == kind)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("h2: ndp -an", (("h2",), "ndp -an", "")),
        ("  r1 :ndp -an", (("r1",), "ndp -an", "")),
        ("all: ifconfig", (("h1", "r1", "h2"), "ifconfig", "")),
        ("ndp -an", (("h1",), "ndp -an", "")),
        ("run 5s", ((), "", "run 5s")),
        ("h1: link lan1 down", (("h1",), "link lan1 down", "")),
        ("man ping6", ((), "", "man ping6")),
        ("h1: man ping6", (("h1",), "man ping6", "")),
        ("", ((), "", "")),
        ("   # nothing", ((), "", "")),
        ("why drop", ((), "", "why drop")),
        ("h1: cat <<EOF\nline\nEOF", (("h1",), "cat <<EOF\nline\nEOF", "")),
        ("ping6 -c 1 ::1", (("h1",), "ping6 -c 1 ::1", "")),
    ],
)
def test_a_line_is_split_into_addressee_and_command(
    session: Session, line: str, expected: tuple[tuple[str, ...], str, str]
) -> None:
    assert split(session, line) == expected


def test_a_line_without_node_goes_to_the_selected_one(session: Session) -> None:
    assert execute(session, "hostname") == 0
    assert execute(session, "select r1") == 0
    assert execute(session, "hostname") == 0
    assert said(session, "text") == "h1\nr1\n"
    assert prompt(session, "hostname") == "r1# hostname"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("h2: ndp -an", "h2# ndp -an"),
        ("all: ifconfig", "all# ifconfig"),
        ("run 5s", "kamelab# run 5s"),
        ("pingg", "kamelab# pingg"),
        ("h7: ndp", "kamelab# h7: ndp"),
    ],
)
def test_the_echo_names_the_addressee(session: Session, line: str, expected: str) -> None:
    assert prompt(session, line) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("h7: ndp -an", "kamelab: no node is called 'h7'\n"),
        ("pingg6 ::1", "kamelab: pingg6: no such console command or program (did you mean 'ping6'?)\n"),
        ("spead 5", "kamelab: spead: no such console command or program (did you mean 'speed'?)\n"),
        ("select h9", "select: no node is called 'h9'\nusage: select NODE\n"),
        ("reboot", "reboot: expected a node's name\nusage: reboot NODE\n"),
        ("step many", "step: expected a number of events, not 'many'\n"),
        ("step 2 packet", "step: a number goes with events only"),
        ("back 0", "back: expected a number of events, not '0'\n"),
        ("back 1 2", "back: '2' is one word too many\n"),
        ("back to 5h", "back: that time is still to come: use run\n"),
        ("run 5 parsecs", "run: "),
        ("run until icmpv7", "run: "),
        ("trace icmpv6.tipe == 1", "trace: "),
        ("show x", "show: expected a packet's number, as trace prints it\n"),
        ("show 999999", "show: no captured packet has the number 999999\n"),
        ("speed fast", "speed: expected a factor from 0.001 to 1000000, or max, not 'fast'\n"),
        ("link lan9 up", "link: no link is called 'lan9' (did you mean "),
        ("link lan1", "link: expected a link's name and what to change\n"),
        ("link lan1 mtu=60", "link: expected an MTU of 1280 to 65535 octets, not '60'\n"),
        ("link lan1 up colour=red", "link: expected up, down, latency=..., bandwidth=..., loss=..., mtu=..."),
        ("save", "save: expected a file name\n"),
        ("save /nowhere/at/all", "save: /nowhere/at/all: No such file or directory\n"),
        ("export capture.pcap", "export: expected a file name that ends in .pcapng\n"),
        ("man pinging", "man: no manual page for 'pinging'"),
        ("help pinging", "help: nothing is known about 'pinging'"),
    ],
)
def test_a_line_that_cannot_be_run_says_what_was_expected_and_changes_nothing(
    session: Session, line: str, message: str
) -> None:
    before = session.events, session.now, session.digest()
    assert execute(session, line) == 2
    assert said(session).startswith(message)
    assert (session.events, session.now, session.digest()) == before
    assert session.journal == []


@pytest.mark.parametrize("name", UNBUILT)
def test_what_is_not_built_yet_says_so(session: Session, name: str) -> None:
    assert execute(session, f"{name} something") == 2
    assert said(session) == f"{name}: not built yet\n"


def test_every_console_command_is_listed_and_explained(session: Session) -> None:
    assert execute(session, "help") == 0
    listed = said(session, "text")
    assert all(f"  {COMMANDS[name].usage}" in listed for name in names())
    for name in names():
        assert execute(session, f"help {name}") == 0
        assert said(session, "text").startswith(COMMANDS[name].usage)


def test_frames_that_a_link_lost_are_found_by_their_reason(session: Session) -> None:
    for line in ("link lan1 loss=100%", "h1: ping6 -c 1 -m ff02::1%ne0"):
        execute(session, line)
    session.take_output()
    execute(session, 'trace reason == "LINK_LOST" && icmpv6.type == 128')
    (row,) = said(session, "text").splitlines()
    assert " h1:ne0 " in row
    assert row.endswith("[LINK_LOST]")
    execute(session, f"show {row.split()[0]}")
    assert "ended: drop LINK_LOST: " in said(session, "text")
    execute(session, 'ladder reason == "LINK_LOST" && icmpv6.type == 128')
    assert "LINK_LOST at" in said(session, "text")


def test_help_fits_a_terminal_of_100_columns(session: Session) -> None:
    for line in ("help", *(f"help {name}" for name in names())):
        assert execute(session, line) == 0
        assert max(map(len, said(session, "text").splitlines())) <= 100


def test_only_what_changes_the_lab_is_an_input(session: Session, tmp_path: Path) -> None:
    packet = session.world.network.trace.packets[-1][0]
    for line in (
        "nodes",
        "links",
        "trace",
        "timers",
        f"show {packet}",
        "select h2",
        "speed 2",
        "help",
        "man ndp",
        "pause",
    ):
        assert execute(session, line) == 0, line
    execute(session, f"export {tmp_path}/x.pcapng")
    execute(session, f"save {tmp_path}/x")
    execute(session, "step 3")
    assert session.journal == []
    for line in ("h1: true", "link lan1 loss=1%", "reboot h2", "all: true"):
        assert execute(session, line) == 0
    assert [(entry.kind, entry.node, entry.text) for entry in session.journal] == [
        ("line", "h1", "true"),
        ("console", "", "link lan1 loss=1%"),
        ("console", "", "reboot h2"),
        ("line", "all", "true"),
    ]


def test_run_and_step_and_back_are_silent(session: Session) -> None:
    for line in ("run 1s", "step 2", "step packet", "step timer", "back 2", "run until icmpv6.type == 134"):
        assert execute(session, line) == 0
        assert session.take_output() == []


def test_step_goes_to_the_next_packet_or_timer(session: Session) -> None:
    network = session.world.network
    execute(session, "h1: ping6 -c 3 2001:db8:2::1 > /dev/null &")
    execute(session, "step packet")
    assert network.trace.packets[-1][1] == session.now
    execute(session, "step timer")
    assert network.trace.get(network.trace.num) is not None
    timers = [record for record in network.trace.all() if record.event == "timer"]
    assert timers[-1].time == session.now
    execute(session, "run until icmpv6.type == 129 && node == h1 && dir == in")
    last = network.trace.packets[-1]
    assert (last[2], last[6], last[12][54]) == ("h1", "rx", 129)


def test_output_of_all_comes_node_after_node(session: Session) -> None:
    assert execute(session, "all: sleep 1; hostname") == 0
    assert [(chunk.node, chunk.text) for chunk in session.take_output()] == [
        ("h1", "h1\n"),
        ("r1", "r1\n"),
        ("h2", "h2\n"),
    ]


def test_the_status_of_all_is_that_of_the_first_node_that_fails(session: Session) -> None:
    assert execute(session, "all: hostname | grep r1") == 1
    assert session.commands[-1].text == "r1\n"
    assert execute(session, "all: true") == 0


def test_a_job_returns_at_once_and_its_output_comes_in_time(session: Session) -> None:
    now = session.now
    assert execute(session, "h1: sleep 2; echo late &") == 0
    assert execute(session, "h2: echo early &") == 0
    assert session.now == now + 2 * 10**9, "the list's first command is not in the background"
    session.take_output()
    execute(session, "h1: ping6 -i 2 -c 2 2001:db8:2::1 | grep seq=1 &")
    started = session.now
    session.take_output()
    execute(session, "run 5s")
    (chunk,) = [chunk for chunk in session.take_output() if chunk.text.strip()]
    assert chunk.node == "h1"
    assert "icmp_seq=1" in chunk.text
    assert started + 2 * 10**9 < chunk.time < started + 3 * 10**9


def test_submit_leaves_running_to_the_caller(session: Session) -> None:
    outcome = submit(session, "h1: sleep 3")
    assert outcome.status is None
    assert session.goal is not None
    began = session.now
    assert not session.advance(1000, began + 10**9)
    assert session.now == began + 10**9
    assert session.advance(1000, began + 10**10)
    assert session.now == began + 3 * 10**9
    assert outcome.command is not None
    assert outcome.command.status == 0
    with pytest.raises(KamelabError, match="no node is called"):
        split(session, "h5: true")


def test_interrupting_needs_something_in_the_foreground(session: Session) -> None:
    assert execute(session, "h1: ^C") == 1
    assert said(session) == "kamelab: nothing runs in the foreground\n"
    submit(session, "h1: ping6 2001:db8:2::1")
    session.advance(20, session.now + 5 * 10**9)
    assert execute(session, "h1: ^C") == 0
    assert "packets transmitted" in session.commands[-1].text
    assert session.commands[-1].status not in (None, 124)


def test_typed_text_reaches_the_program_that_reads(session: Session) -> None:
    submit(session, "h1: cat")
    session.type_text("h1", "hello\n")
    session.end_of_file("h1")
    assert session.advance(1)
    assert said(session, "text") == "hello\n"
    assert session.foreground is None
    assert [entry.kind for entry in session.journal] == ["line", "input", "eof"]
