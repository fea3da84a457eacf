"""TCP: connections end (RFC 9293 3.6, 3.10.4, 3.10.5, 3.10.7; RFC 2525 2.17)."""

from __future__ import annotations

import pytest
from streams import H2, PORT, TCP, Peer, alone, listening, open_to, pair, row, segments, server, state, two
from wires import Wires

from kamelab.core.errors import ECONNRESET, EINVAL, ENOTCONN, EPIPE, ETIMEDOUT, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet.tcp_var import ORPHAN_LIMIT
from kamelab.stack.node import Node


def moves(wires: Wires, node: Node, since: float = 0) -> list[str]:
    """States that a node's connections went into."""
    return [text.split(" > ")[1] for _, text in wires.states(node, "tcp", since)]


def test_one_closes_after_the_other(wires: Wires) -> None:
    """RFC 9293 3.6 figure 12."""
    h1, h2, sid, taken = pair(wires)
    start = wires.now
    syscalls.close(h1, sid)
    wires.run(1)
    assert state(h1, sid) == "FIN-WAIT-2"
    assert syscalls.recv(h2, taken) == b""
    assert state(h2, taken) == "CLOSE-WAIT"
    syscalls.close(h2, taken)
    wires.run(0)
    wires.run(1)
    assert moves(wires, h1, start) == ["FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
    assert moves(wires, h2, start) == ["CLOSE-WAIT", "LAST-ACK", "CLOSED"]
    assert (h1.sockets[sid].pid, taken in h2.sockets) == (0, False)
    wires.run(58)
    assert state(h1, sid) == "TIME-WAIT"
    wires.run(2)
    assert not h1.sockets
    assert not h1.tcp_conns
    assert not h1.tcp_ports
    assert not h1.tcp_orphans
    wires.account()


def test_both_close_at_once(wires: Wires) -> None:
    """RFC 9293 3.6 figure 13."""
    h1, h2, sid, taken = pair(wires, latency=10_000_000)
    start = wires.now
    syscalls.close(h1, sid)
    syscalls.close(h2, taken)
    wires.run(1)
    for node in (h1, h2):
        assert moves(wires, node, start) == ["FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
    wires.run(61)
    assert not h1.tcp_conns
    assert not h2.tcp_conns
    wires.account()


def test_half_a_connection_goes_on(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    syscalls.send(h1, sid, b"question")
    syscalls.shutdown(h1, sid, "wr")
    wires.run(1)
    assert [syscalls.recv(h2, taken) for _ in range(2)] == [b"question", b""]
    with pytest.raises(Errno) as caught:
        syscalls.send(h1, sid, b"more")
    assert caught.value.number == EPIPE
    syscalls.send(h2, taken, b"answer")
    wires.run(1)
    assert syscalls.recv(h1, sid) == b"answer"
    assert syscalls.recv(h1, sid) is None
    syscalls.close(h2, taken)
    wires.run(1)
    assert syscalls.recv(h1, sid) == b""
    assert state(h1, sid) == "TIME-WAIT"


def test_data_still_queued_leaves_after_the_program(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires, latency=50_000_000)
    data = bytes(range(256)) * 120
    assert syscalls.send(h1, sid, data) == len(data)
    syscalls.close(h1, sid)
    got = b""
    while len(got) < len(data):
        wires.run(0.05)
        got += syscalls.recv(h2, taken) or b""
    wires.run(1)
    assert got == data
    assert syscalls.recv(h2, taken) == b""


def test_reading_nothing_more_is_told_by_a_reset(wires: Wires) -> None:
    """Data that nobody read is lost, and the peer must know (RFC 2525 2.17)."""
    h1, h2, sid, taken = pair(wires)
    syscalls.send(h1, sid, b"unread")
    wires.run(1)
    syscalls.close(h2, taken)
    wires.run(1)
    assert segments(wires, h2)[-1].flags == "R."
    assert taken not in h2.sockets
    with pytest.raises(Errno) as caught:
        syscalls.recv(h1, sid)
    assert caught.value.number == ECONNRESET
    assert syscalls.recv(h1, sid) == b""
    with pytest.raises(Errno) as caught:
        syscalls.send(h1, sid, b"x")
    assert caught.value.number == EPIPE


def test_linger_of_no_time_resets(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    syscalls.setsockopt(h1, sid, "SO_LINGER", 0)
    assert syscalls.getsockopt(h1, sid, "SO_LINGER") == 0
    syscalls.close(h1, sid)
    wires.run(1)
    assert segments(wires, h1)[-1].flags == "R."
    assert syscalls.getsockopt(h2, taken, "SO_ERROR") == ECONNRESET
    assert not h1.tcp_conns
    assert not h2.tcp_conns


def test_what_came_before_a_reset_can_be_read(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    peer.send("P.", b"last words")
    peer.send("R")
    assert syscalls.readable(h1, sid)
    assert syscalls.recv(h1, sid) == b"last words"
    with pytest.raises(Errno) as caught:
        syscalls.recv(h1, sid)
    assert caught.value.number == ECONNRESET


def test_data_for_a_program_that_is_gone_is_answered_by_a_reset(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    syscalls.close(h1, sid)
    (fin,) = peer.heard()[-1:]
    peer.ack = fin.seq + 1
    peer.send(".")
    assert state(h1, sid) == "FIN-WAIT-2"
    (reset,) = peer.send("P.", b"too late")
    assert reset.flags == "R."
    assert h1.counters()["tcp.rcvafterclose"] == 1
    assert sid not in h1.sockets
    wires.account()


def test_a_fin_nobody_answers_is_sent_again_and_given_up(wires: Wires) -> None:
    h1, _h2, sid, _ = pair(wires)
    wires.net.set_link("lan", False)
    syscalls.close(h1, sid)
    wires.run(3600)
    fins = [one for one in segments(wires, h1) if "F" in one.flags]
    assert len(fins) == 13
    assert h1.counters()["tcp.timeoutdrop"] == 1
    assert not h1.sockets


def test_fin_wait_2_without_a_program_ends(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    syscalls.close(h1, sid)
    wires.run(599)
    assert state(h1, sid) == "FIN-WAIT-2"
    wires.run(2)
    assert not h1.sockets
    assert state(h2, taken) == "CLOSE-WAIT"


def test_a_fin_again_begins_time_wait_anew(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    syscalls.close(h1, sid)
    peer.ack = peer.heard()[-1].seq + 1
    (ack,) = peer.send("F.")
    assert (ack.flags, state(h1, sid)) == (".", "TIME-WAIT")
    wires.run(50)
    (again,) = peer.send("F.", seq=1001)
    assert again.ack == ack.ack
    wires.run(50)
    assert state(h1, sid) == "TIME-WAIT"
    wires.run(11)
    assert sid not in h1.sockets


def test_msl_is_a_variable(wires: Wires) -> None:
    h1 = alone(wires)
    syscalls.sysctl_set(h1, TCP + "msl", 1000)
    peer = Peer(wires, h1)
    sid = peer.open()
    syscalls.close(h1, sid)
    peer.ack = peer.heard()[-1].seq + 1
    peer.send("F.")
    wires.run(2.1)
    assert sid not in h1.sockets


def test_a_new_syn_may_take_the_place_of_time_wait(wires: Wires) -> None:
    """RFC 9293 3.6.1: one whose number is beyond everything of the old connection."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    syscalls.close(h1, sid)
    peer.ack = peer.heard()[-1].seq + 1
    peer.send("F.")
    assert [one.flags for one in peer.send("S", seq=1)] == ["."]
    assert state(h1, sid) == "TIME-WAIT"
    (answer,) = peer.send("S", seq=900_000)
    assert answer.flags == "S."
    assert sid not in h1.sockets


def test_a_server_can_be_started_anew_with_reuseaddr(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    syscalls.close(h2, taken)
    wires.run(1)
    syscalls.close(h1, sid)
    wires.run(1)
    assert state(h2, taken) == "TIME-WAIT"
    syscalls.close(h2, listening(h2))
    with pytest.raises(Errno):
        server(wires, h2)
    server(wires, h2, SO_REUSEADDR=True)
    wires.run(61)
    assert open_to(wires, h1, h2)


def test_orphans_are_bounded() -> None:
    wires = Wires()
    h1 = alone(wires)
    for number in range(ORPHAN_LIMIT + 10):
        peer = Peer(wires, h1, 10_000 + number)
        peer.heard = list  # type: ignore[method-assign]
        peer.send("S")
        entry = next(iter(h1.sockets[1].tcb.syn.values()))  # type: ignore[union-attr]
        peer.ack = entry.iss + 1
        peer.send(".")
        syscalls.close(h1, syscalls.accept(h1, 1))
        wires.net.trace.packets.clear()
    assert len(h1.tcp_orphans) == ORPHAN_LIMIT
    assert len(h1.tcp_conns) == ORPHAN_LIMIT
    assert h1.counters()["tcp.orphandrops"] == 10


def test_a_power_cut_forgets_everything(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    syscalls.send(h1, sid, b"x" * 5000)
    h1.power_off()
    assert not h1.sockets
    assert not h1.tcp_conns
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.address(h1, "2001:db8:1::1")
    wires.run(3)
    syscalls.send(h2, taken, b"still there?")
    wires.run(5)
    # Three full segments were on their way; the rest waited for an acknowledgement.
    assert syscalls.recv(h2, taken) == b"x" * 4284
    with pytest.raises(Errno) as caught:
        syscalls.recv(h2, taken)
    assert caught.value.number == ECONNRESET
    assert "TCP_NOPORT" in wires.drops(h1)


def test_what_shutdown_and_a_socket_without_peer_answer(wires: Wires) -> None:
    h1, _, sid, _ = pair(wires)
    fresh = syscalls.socket(h1, 0, "tcp6", 0)
    for call, number in (
        (lambda: syscalls.shutdown(h1, fresh, "wr"), ENOTCONN),
        (lambda: syscalls.shutdown(h1, sid, "both"), EINVAL),
        (lambda: syscalls.send(h1, fresh, b"x"), ENOTCONN),
        (lambda: syscalls.recv(h1, fresh), ENOTCONN),
        (lambda: syscalls.getpeername(h1, fresh), ENOTCONN),
    ):
        with pytest.raises(Errno) as caught:
            call()
        assert caught.value.number == number
    syscalls.close(h1, fresh)
    assert fresh not in h1.sockets


def test_a_reader_who_shuts_down_reads_the_end(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    syscalls.shutdown(h2, taken, "rd")
    assert syscalls.readable(h2, taken)
    assert syscalls.recv(h2, taken) == b""
    syscalls.send(h1, sid, b"into the void")
    wires.run(1)
    assert syscalls.recv(h2, taken) == b""
    assert row(h1, sid).send_q == 0


def test_closing_before_the_connection_is_there(wires: Wires) -> None:
    h1, _h2 = two(wires)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.connect_stream(h1, sid, H2, PORT)
    syscalls.close(h1, sid)
    assert not h1.sockets
    assert not h1.tcp_conns
    wires.run(200)
    assert [one.flags for one in segments(wires, h1)] == ["S"]


def test_silence_ends_a_connection_with_keepalive(wires: Wires) -> None:
    """RFC 9293 3.8.4: off unless asked for; two hours, then a probe every 75 s (BSD)."""
    h1, h2, sid, taken = pair(wires)
    start = wires.now
    syscalls.setsockopt(h1, sid, "SO_KEEPALIVE", True)
    wires.run(7300)
    probes = segments(wires, h1, start)
    assert [(one.flags, one.data) for one in probes] == [(".", b"")]
    assert "TCP_KEEPALIVE" in wires.drops(h2)
    assert state(h1, sid) == "ESTABLISHED"
    wires.net.set_link("lan", False)
    wires.run(7200 + 9 * 75)
    assert state(h1, sid) == "CLOSED"
    with pytest.raises(Errno) as caught:
        syscalls.recv(h1, sid)
    assert caught.value.number == ETIMEDOUT
    counters = h1.counters()
    assert counters["tcp.keepdrops"] == counters["tcp.drops"] == 1
    assert counters["tcp.keepprobe"] == 9
    assert state(h2, taken) == "ESTABLISHED"


def test_keepalive_follows_its_variables(wires: Wires) -> None:
    h1 = alone(wires)
    for name, value in (("always_keepalive", 1), ("keepidle", 10_000), ("keepintvl", 1000), ("keepcnt", 3)):
        syscalls.sysctl_set(h1, TCP + name, value)
    peer = Peer(wires, h1)
    sid = peer.open()
    opened = wires.now
    wires.run(20)
    times = [round(one.at - opened) for one in peer.heard()]
    assert times == [10, 11, 12, 13]
    assert state(h1, sid) == "CLOSED"
