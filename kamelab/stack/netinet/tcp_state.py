"""The TCP state machine: every transition of RFC 9293 3.3.2, with what resets, time-outs and errors add.

Rule 1: whatever changes a connection's state goes through `move` and the table below; the state diagram of the screen
and of the docs is drawn from this table.
Rule 2: the table says where to; what is sent or armed with a step is said where the step is taken.

A user who closes in SYN-RECEIVED waits for ESTABLISHED. A FIN that acknowledges ours in one segment makes two steps.

Events:

===============  ===============================================================
open_passive     listen(2)
open_active      connect(2): a SYN is sent
rcv_syn          a SYN without acknowledgement of ours
rcv_syn_ack      a SYN that acknowledges ours
rcv_ack_of_syn   our SYN is acknowledged
close            the user will send no more: a FIN is to be sent
rcv_fin          the peer's FIN, in order
rcv_ack_of_fin   our FIN is acknowledged
rcv_rst          an acceptable reset
reused           a new SYN for a connection in TIME-WAIT
abort            the user gives up: a reset is sent
timeout          the timer of the state ran out (2 MSL, SYN, R2, keep-alive)
error            the network says that it can't be
===============  ===============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from kamelab.stack.node import Node

CLOSED: Final = "CLOSED"
LISTEN: Final = "LISTEN"
SYN_SENT: Final = "SYN-SENT"
SYN_RECEIVED: Final = "SYN-RECEIVED"
ESTABLISHED: Final = "ESTABLISHED"
CLOSE_WAIT: Final = "CLOSE-WAIT"
FIN_WAIT_1: Final = "FIN-WAIT-1"
CLOSING: Final = "CLOSING"
LAST_ACK: Final = "LAST-ACK"
FIN_WAIT_2: Final = "FIN-WAIT-2"
TIME_WAIT: Final = "TIME-WAIT"

STATES: Final = (
    CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK, FIN_WAIT_2,
    TIME_WAIT,
)  # fmt: skip

NETSTAT: Final = {
    CLOSED: "CLOSED",
    LISTEN: "LISTEN",
    SYN_SENT: "SYN_SENT",
    SYN_RECEIVED: "SYN_RCVD",
    ESTABLISHED: "ESTABLISHED",
    CLOSE_WAIT: "CLOSE_WAIT",
    FIN_WAIT_1: "FIN_WAIT_1",
    CLOSING: "CLOSING",
    LAST_ACK: "LAST_ACK",
    FIN_WAIT_2: "FIN_WAIT_2",
    TIME_WAIT: "TIME_WAIT",
}
"""The words of BSD's netstat (tcp_fsm.h)."""

TRANSITIONS: dict[tuple[str, str], tuple[str, str]] = {
    (CLOSED, "open_passive"): (LISTEN, "RFC 9293 3.10.1"),
    (CLOSED, "open_active"): (SYN_SENT, "RFC 9293 3.10.1"),
    (LISTEN, "rcv_syn"): (SYN_RECEIVED, "RFC 9293 3.10.7.2"),
    (LISTEN, "close"): (CLOSED, "RFC 9293 3.10.4"),
    (LISTEN, "abort"): (CLOSED, "RFC 9293 3.10.5"),
    (SYN_SENT, "rcv_syn"): (SYN_RECEIVED, "RFC 9293 3.10.7.3"),
    (SYN_SENT, "rcv_syn_ack"): (ESTABLISHED, "RFC 9293 3.10.7.3"),
    (SYN_SENT, "close"): (CLOSED, "RFC 9293 3.10.4"),
    (SYN_RECEIVED, "rcv_ack_of_syn"): (ESTABLISHED, "RFC 9293 3.10.7.4"),
    (ESTABLISHED, "close"): (FIN_WAIT_1, "RFC 9293 3.10.4"),
    (ESTABLISHED, "rcv_fin"): (CLOSE_WAIT, "RFC 9293 3.10.7.4"),
    (CLOSE_WAIT, "close"): (LAST_ACK, "RFC 9293 3.10.4"),
    (FIN_WAIT_1, "rcv_ack_of_fin"): (FIN_WAIT_2, "RFC 9293 3.10.7.4"),
    (FIN_WAIT_1, "rcv_fin"): (CLOSING, "RFC 9293 3.10.7.4"),
    (FIN_WAIT_2, "rcv_fin"): (TIME_WAIT, "RFC 9293 3.10.7.4"),
    (FIN_WAIT_2, "timeout"): (CLOSED, "BSD tcp_timer.c"),
    (CLOSING, "rcv_ack_of_fin"): (TIME_WAIT, "RFC 9293 3.10.7.4"),
    (LAST_ACK, "rcv_ack_of_fin"): (CLOSED, "RFC 9293 3.10.7.4"),
    (TIME_WAIT, "timeout"): (CLOSED, "RFC 9293 3.4.2"),
    (TIME_WAIT, "reused"): (CLOSED, "RFC 9293 3.10.7.4"),
    (SYN_SENT, "rcv_rst"): (CLOSED, "RFC 9293 3.10.7.3"),
    (TIME_WAIT, "rcv_rst"): (CLOSED, "RFC 9293 3.10.7.4"),
    (TIME_WAIT, "abort"): (CLOSED, "RFC 9293 3.10.5"),
}
for _state in (SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK, FIN_WAIT_2):
    TRANSITIONS[(_state, "rcv_rst")] = (CLOSED, "RFC 9293 3.10.7.4")
for _state in (SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK, FIN_WAIT_2):
    TRANSITIONS[(_state, "abort")] = (CLOSED, "RFC 9293 3.10.5")
for _state in (SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK):
    TRANSITIONS[(_state, "timeout")] = (CLOSED, "RFC 9293 3.8.3")
for _state in (SYN_SENT, SYN_RECEIVED):
    TRANSITIONS[(_state, "error")] = (CLOSED, "RFC 5461 4.1")


class Machine(Protocol):
    """What has a state: a control block, or an entry of a SYN queue."""

    state: str
    since: int
    laddr: bytes
    lport: int
    faddr: bytes
    fport: int


def move(node: Node, machine: Machine, event: str) -> bool:
    """Take ``event``; True when the table has a transition for it. The state record names cause and rule."""
    step = TRANSITIONS.get((machine.state, event))
    if step is None:
        return False
    new, rule = step
    old, machine.state = machine.state, new
    machine.since = node.clock.now
    node.trace.record(
        node.clock.now, node.name, "", "tcp", 0, "state", f"{old} > {new}", rule, f"{names(node, machine)} {event}"
    )
    return True


def names(node: Node, machine: Machine) -> str:
    """``local.port foreign.port`` of a connection, for records."""
    return f"{endpoint(node, machine.laddr, machine.lport)} {endpoint(node, machine.faddr, machine.fport)}"


def endpoint(node: Node, addr: bytes, port: int) -> str:
    """``addr.port`` in the manner of BSD; ``*`` for what is open."""
    return f"{node.text(addr) if addr else '*'}.{port or '*'}"
