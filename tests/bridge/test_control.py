"""The control socket: lines in, output and status out, one at a time, and `reboot` that returns when the node is up."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bridge_wall import Bench, Caller
from click.testing import CliRunner

from kamelab.bridge import control
from kamelab.bridge.client import ControlError, ask
from kamelab.bridge.port import BridgeError
from kamelab.cli.exec_cmd import command
from kamelab.core.clock import SECOND
from kamelab.stack import tables


def test_a_program_line_answers_with_its_output_and_status(caller: Caller) -> None:
    assert caller.ask("h1: echo hello") == {"output": "hello\n", "messages": "", "status": 0}
    assert caller.ask("h1: false")["status"] == 1


def test_a_ping_takes_its_time_on_the_wall(caller: Caller) -> None:
    """Three probes a second apart: the answer comes after two seconds of wall time, not before."""
    caller.bench.pass_time(5)
    before = caller.bench.wall.seconds
    answer = caller.ask("h1: ping6 -c 3 2001:db8:1::1")
    assert answer["status"] == 0
    assert "3 packets transmitted, 3 packets received, 0.0% packet loss" in answer["output"]
    assert caller.bench.wall.seconds - before == pytest.approx(2.0, abs=0.05)


def test_words_of_kamelab_are_messages(caller: Caller) -> None:
    answer = caller.ask("h7: true")
    assert answer["status"] == 2
    assert answer["output"] == ""
    assert answer["messages"].startswith("kamelab: no node is called 'h7'")


def test_console_lines_work_too(caller: Caller) -> None:
    """What looks, and what changes the network."""
    assert "r1" in caller.ask("nodes")["output"]
    assert caller.ask("link lan1 down")["status"] == 0
    assert not caller.bench.session.world.network.links["lan1"].up
    before = caller.bench.session.now
    assert caller.ask("run 3s")["status"] == 0
    assert caller.bench.session.now == pytest.approx(before + 3 * SECOND, abs=SECOND // 20)


@pytest.mark.parametrize("line", ["speed 10", "pause", "step"])
def test_nobody_steers_the_walls_clock(caller: Caller, line: str) -> None:
    answer = caller.ask(line)
    assert answer["status"] == 2
    assert "time follows the wall's clock here" in answer["messages"]


def test_output_of_another_node_belongs_to_nobody_who_asked(caller: Caller) -> None:
    """A job of r1 prints while h1's line runs: its text is shown by the lab, not given to h1's caller."""
    caller.bench.pass_time(3)
    assert caller.ask("r1: ping6 -c 2 2001:db8:1::1 &")["output"].startswith("[1] ")
    answer = caller.ask("h1: sleep 3; echo done")
    assert answer["output"] == "done\n"
    assert "icmp_seq=1" in "".join(chunk.text for chunk in caller.bench.shown)


def test_lines_wait_for_their_turn(caller: Caller) -> None:
    """A second program line waits for the first; each gets its own output."""
    other = Caller(caller.bench, caller.bench.loop.control.path)  # type: ignore[union-attr]
    caller.send("h1: sleep 2; echo first")
    answer = other.ask("r1: echo second")
    first = caller.answer()
    assert first == {"output": "first\n", "messages": "", "status": 0}
    assert answer == {"output": "second\n", "messages": "", "status": 0}
    other.sock.close()


def test_looking_does_not_wait(caller: Caller) -> None:
    """While a program runs, `nodes` and `link` answer at once."""
    other = Caller(caller.bench, caller.bench.loop.control.path)  # type: ignore[union-attr]
    caller.send("h1: sleep 5")
    before = caller.bench.wall.seconds
    assert "h1" in other.ask("nodes")["output"]
    assert other.ask("link lan1 loss=10%")["status"] == 0
    assert caller.bench.wall.seconds - before < 0.1
    assert caller.answer() is None
    other.sock.close()


def test_interrupt_by_line_ends_the_program(caller: Caller) -> None:
    """`h1: ^C` from another caller, journaled as always."""
    other = Caller(caller.bench, caller.bench.loop.control.path)  # type: ignore[union-attr]
    caller.bench.pass_time(5)
    caller.send("h1: ping6 2001:db8:1::1")
    caller.bench.pass_time(2.5)
    assert caller.answer() is None
    assert other.ask("h1: ^C") == {"output": "", "messages": "", "status": 0}
    caller.bench.pass_time(0.1)
    answer = caller.answer()
    assert answer is not None
    assert "3 packets transmitted" in answer["output"]
    other.sock.close()


def test_hanging_up_interrupts_the_line(caller: Caller) -> None:
    """Nobody waits for a ping without end any more: the console is free for the next."""
    other = Caller(caller.bench, caller.bench.loop.control.path)  # type: ignore[union-attr]
    caller.bench.pass_time(5)
    other.send("h1: ping6 2001:db8:1::1")
    caller.bench.pass_time(2)
    assert caller.bench.session.foreground is not None
    other.sock.close()
    assert caller.ask("h1: echo free")["output"] == "free\n"


def test_hanging_up_drops_lines_that_wait(caller: Caller) -> None:
    other = Caller(caller.bench, caller.bench.loop.control.path)  # type: ignore[union-attr]
    caller.send("h1: sleep 2")
    other.send("h1: hostname changed")
    other.sock.close()
    caller.bench.pass_time(3)
    assert caller.bench.session.world.network.nodes["h1"].hostname == "h1"


def test_a_program_that_reads_gets_an_end_of_file(caller: Caller) -> None:
    """Nobody types at a control socket."""
    assert caller.ask("h1: cat", 5)["status"] == 0


def test_a_line_that_takes_too_long_is_interrupted(caller: Caller) -> None:
    caller.bench.pass_time(5)
    caller.bench.session.timeout = 3 * SECOND
    answer = caller.ask("h1: ping6 2001:db8:1::1", 10)
    assert answer["status"] == 124
    assert "still running after 3s; interrupted" in answer["messages"]


def test_a_test_framework_configures_and_restarts_rtadvd(caller: Caller) -> None:
    """A here-document writes the configuration; the daemon is killed and started with it; MTU and routes by line."""
    caller.bench.pass_time(10)
    pid = next(line.split()[0] for line in caller.ask("r1: ps")["output"].splitlines() if "rtadvd" in line)
    assert caller.ask(f"r1: kill {pid}", 20)["status"] == 0
    caller.bench.pass_time(10)
    assert caller.ask("r1: cat > /etc/rtadvd.conf <<EOF\nne0:\\\n\t:mtu#1400:\nEOF")["status"] == 0
    assert caller.ask("r1: rtadvd ne0")["status"] == 0
    assert caller.ask("h1: rtsol ne0")["status"] == 0
    assert caller.bench.session.world.network.nodes["h1"].interfaces["ne0"].ipv6_mtu() == 1400
    assert caller.ask("r1: ifconfig ne0 mtu 1300")["status"] == 0
    assert caller.ask("r1: ifconfig ne0 inet6 2001:db8:7:: prefixlen 64 anycast")["status"] == 0
    assert caller.ask("h1: route add -inet6 2001:db8:9:: -prefixlen 64 2001:db8:1::1")["status"] == 0
    # Two probes: while the address is being resolved one packet is held, and the first is two fragments.
    assert caller.ask("h1: ping6 -c 2 -s 2000 2001:db8:1::1")["status"] == 0


# -- reboot --------------------------------------------------------------------------------------------------------


def test_reboot_returns_when_the_node_is_up(caller: Caller) -> None:
    """Startup lines have run, addresses are made and tested: nothing is tentative, the default router is known."""
    caller.bench.pass_time(10)
    h1 = caller.bench.session.world.network.nodes["h1"]
    caller.ask("h1: ping6 -c 1 2001:db8:1::1")
    caller.ask("h1: hostname other")
    assert caller.ask("reboot h1") == {"output": "", "messages": "", "status": 0}
    flags = [row.flags for row in tables.addresses(h1) if row.interface == "ne0"]
    assert len(flags) == 2
    assert not any("tentative" in row for row in flags)
    assert [row.interface for row in tables.routers(h1)] == ["ne0"]
    assert h1.hostname == "h1"
    assert not any(row.address.startswith("2001:db8:1::1") for row in tables.neighbors(h1))


def test_reboot_in_the_background_returns_at_once(caller: Caller) -> None:
    caller.bench.pass_time(10)
    before = caller.bench.wall.seconds
    assert caller.ask("reboot h1 &")["status"] == 0
    assert caller.bench.wall.seconds - before < 0.1
    h1 = caller.bench.session.world.network.nodes["h1"]
    assert any("tentative" in row.flags for row in tables.addresses(h1))


def test_reboot_of_a_node_whose_link_is_down_returns(caller: Caller) -> None:
    """Its addresses stay tentative until the link is back: nobody can wait for that."""
    caller.bench.pass_time(5)
    assert caller.ask("link lan1 down")["status"] == 0
    answer = caller.ask("reboot r1", 30)
    assert answer["status"] == 0


def test_reboot_that_never_ends_is_given_up(caller: Caller) -> None:
    """Without an answer from a router, startup may take longer than a line may."""
    caller.bench.pass_time(5)
    caller.bench.session.timeout = SECOND // 2
    answer = caller.ask("reboot h1", 30)
    assert answer["status"] == 124
    assert answer["messages"] == "reboot: h1 is not up after 0.5s\n"


def test_reboot_of_nobody_says_so(caller: Caller) -> None:
    answer = caller.ask("reboot h9")
    assert answer["status"] == 2
    assert "no node is called 'h9'" in answer["messages"]


# -- the socket ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"\n", b"nodes\n", b'{"lin": "x"}\n', b'{"line": 3}\n', b"\xff\xfe\n"])
def test_what_is_no_request_is_answered_with_a_message(caller: Caller, data: bytes) -> None:
    """And the connection goes on."""
    caller.raw(data)
    answer = caller.answer()
    assert answer is not None
    assert answer["status"] == 2
    assert 'expected {"line": "..."}' in answer["messages"]
    assert caller.ask("h1: true")["status"] == 0


def test_a_request_may_come_in_pieces_and_two_at_once(caller: Caller) -> None:
    request = json.dumps({"line": "h1: echo a"}).encode() + b"\n"
    for octet in request:
        caller.raw(bytes([octet]))
    answer = caller.answer()
    assert answer is not None
    assert answer["output"] == "a\n"
    caller.raw(request + request)
    assert [caller.answer(), caller.answer()] == [answer, answer]


def test_an_endless_request_is_cut_off(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LINE_MAX", 1000)
    caller.raw(b"x" * 2000)
    answer = caller.answer()
    assert answer is not None
    assert answer["status"] == 2
    assert caller.bench.loop.control is not None
    assert caller.bench.loop.control.clients == []


def test_a_long_answer_waits_for_a_slow_reader(caller: Caller) -> None:
    """More than a socket's buffer holds: it arrives whole."""
    caller.bench.session.world.systems["h1"].files["/tmp/long"] = "line\n" * 400_000
    answer = caller.ask("h1: cat /tmp/long")
    assert answer["output"] == "line\n" * 400_000


def test_only_the_owner_may_use_the_socket(caller: Caller) -> None:
    path = caller.bench.loop.control.path  # type: ignore[union-attr]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_the_socket_goes_with_the_lab(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "control"
    bench.loop.listen(str(path))
    bench.loop.close()
    assert not path.exists()
    with pytest.raises(ControlError, match="no such control socket: start a lab with"):
        ask(str(path), "nodes")


def test_a_dead_socket_is_replaced_and_a_living_one_is_not(bench: Bench, tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(path)
    dead.close()
    with pytest.raises(ControlError, match="nobody answers there"):
        ask(path, "nodes")
    bench.loop.listen(path)
    other = Bench()
    with pytest.raises(BridgeError, match="another lab listens there"):
        other.loop.listen(path)
    other.close()


def test_a_file_in_the_way_is_left_alone(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(BridgeError, match="something that is no socket"):
        bench.loop.listen(str(path))
    assert path.read_text() == "mine"


def test_the_end_of_the_lab_is_an_answer_too(caller: Caller) -> None:
    caller.send("h1: sleep 100")
    caller.bench.loop.close()
    answer = caller.answer()
    assert answer == {"output": "", "messages": "kamelab: the lab was ended\n", "status": 143}


def test_quit_ends_the_lab(caller: Caller) -> None:
    assert caller.ask("quit")["status"] == 0
    assert caller.bench.loop.stopping


# -- kamelab exec ----------------------------------------------------------------------------------------------------


def exec_in(bench: Bench, path: str, *words: str) -> tuple[int, str, str]:
    """`kamelab exec` in another thread while the lab runs here: status, stdout, stderr."""
    results = []
    thread = threading.Thread(
        target=lambda: results.append(CliRunner().invoke(command, ["--control", path, *words])), daemon=True
    )
    thread.start()
    while thread.is_alive():
        bench.wall.seconds += 0.01
        bench.loop.turn(0.001)
    thread.join()
    return results[0].exit_code, results[0].stdout, results[0].stderr


def test_exec_prints_output_and_exits_with_the_status(caller: Caller) -> None:
    bench, path = caller.bench, caller.bench.loop.control.path  # type: ignore[union-attr]
    assert exec_in(bench, path, "h1: echo hello; false") == (1, "hello\n", "")
    assert exec_in(bench, path, "h1:", "echo", "-n", "two", "words") == (0, "two words", "")
    status, out, err = exec_in(bench, path, "nosuch")
    assert (status, out) == (2, "")
    assert err.startswith("kamelab: nosuch: no such console command or program")


def test_exec_without_a_lab_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--control", str(tmp_path / "none"), "nodes"])
    assert result.exit_code == 2
    assert "no such control socket" in result.stderr


def test_exec_loads_nothing_of_the_engine() -> None:
    """It has to answer within 300 ms: neither nodes nor msgspec nor the screen are loaded for it."""
    probe = (
        "import sys, kamelab.cli.exec_cmd;"
        "print([name for name in sys.modules if name.startswith(('kamelab.lab', 'kamelab.stack', 'textual', 'msgspec',"
        " 'asyncio', 'lark'))])"
    )
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
