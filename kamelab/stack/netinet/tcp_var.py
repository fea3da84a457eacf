"""The TCP control block (BSD tcp_var.h): all that a connection remembers, as plain values.

Sequence numbers are kept as integers that never wrap: `wire` of a segment is their low 32 bits, and what a segment
says is brought near to what is known by `near`. So they compare as numbers do. Times are in ns, sizes in octets.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from kamelab.core.timers import Timer
from kamelab.stack.netinet.tcp_state import CLOSED

if TYPE_CHECKING:
    from kamelab.stack.node import Node
    from kamelab.stack.socket.sockets import Socket

WIRE: Final = 0xFFFFFFFF
"""Mask of a sequence number on the wire."""
MAX_WINDOW: Final = 65535
MAX_SCALE: Final = 14
"""Greatest shift of a window (RFC 7323 2.3)."""
MIN_MSS: Final = 216
"""Least segment size taken from a peer (BSD tcp_minmss), against floods of tiny segments."""
MAX_MSS: Final = 65535 - 20
REASS_LIMIT: Final = 256
"""Pieces that the out-of-order queue of a connection holds."""
ORPHAN_LIMIT: Final = 1024
"""Connections without a program, TIME-WAIT included, that a node keeps."""


def near(value: int, known: int) -> int:
    """The number whose low 32 bits are ``value`` and that lies nearest to ``known`` (RFC 9293 3.4)."""
    return known + ((value - known + 0x80000000) & WIRE) - 0x80000000


class SynEntry:
    """A half-open connection of a listening socket: what is needed to answer, and to make the connection of it."""

    __slots__ = (
        "at", "faddr", "flow", "fport", "irs", "iss", "key", "laddr", "lport", "mss", "offered", "own_scale",
        "retries", "scale", "since", "stamp", "stamps", "started", "state", "ts_recent", "window",
    )  # fmt: skip

    def __init__(self, key: bytes, laddr: bytes, lport: int, faddr: bytes, fport: int, state: str) -> None:
        self.key = key
        self.laddr = laddr
        self.lport = lport
        self.faddr = faddr
        self.fport = fport
        self.state = state
        self.since = 0
        self.started = 0
        """When the SYN came."""
        self.at = 0
        """When the answer is sent again."""
        self.retries = 0
        self.iss = 0
        self.irs = 0
        self.mss = 0
        """The peer's option; 0: none."""
        self.window = 0
        self.scale = -1
        """The peer's window shift; -1: it offered none."""
        self.own_scale = 0
        self.offered = 0
        """What our own option says."""
        self.stamps = False
        self.stamp = 0
        """Offset of our timestamps."""
        self.ts_recent = 0
        self.flow = 0


class Tcb:
    """One TCP socket's protocol state (BSD ``struct tcpcb``). Addresses carry embedded zones; b"" is the wildcard."""

    __slots__ = (
        "accept_queue",
        "ack_now",
        "ack_war",
        "ack_war_at",
        "backlog",
        "connecting",
        "cwnd",
        "delack",
        "delayed",
        "dupacks",
        "faddr",
        "fin_rcvd",
        "flow",
        "force",
        "fport",
        "grown",
        "idle_at",
        "irs",
        "iss",
        "keep",
        "keep_probes",
        "key",
        "laddr",
        "last_ack_sent",
        "listener",
        "lport",
        "max_sndwnd",
        "mss",
        "no_more",
        "nodelay",
        "offered",
        "peer_mss",
        "persist",
        "persist_shift",
        "queue",
        "rcv_adv",
        "rcv_buf",
        "rcv_nxt",
        "rcv_scale",
        "rcv_shut",
        "recover",
        "recovering",
        "rexmt",
        "rexmt_shift",
        "rto",
        "rtt_at",
        "rtt_seq",
        "rttvar",
        "scaling",
        "sent_at",
        "sid",
        "since",
        "snd_base",
        "snd_buf",
        "snd_max",
        "snd_nxt",
        "snd_scale",
        "snd_una",
        "snd_wl1",
        "snd_wl2",
        "snd_wnd",
        "so",
        "soft_error",
        "srtt",
        "ssthresh",
        "stamp",
        "stamps",
        "state",
        "syn",
        "syn_timer",
        "ts_recent",
        "ts_recent_at",
        "twomsl",
        "want_close",
    )

    def __init__(self, node: Node, so: Socket) -> None:
        sid = so.sid
        self.so = so
        self.sid = sid
        self.state = CLOSED
        self.since = node.clock.now
        """When the present state began, ns since boot."""
        self.key = b""
        """What finds it among the connections: local and foreign address, foreign and local port as on the wire."""
        self.laddr = b""
        self.lport = 0
        self.faddr = b""
        self.fport = 0
        self.flow = 0
        # sending
        self.iss = 0
        self.snd_una = 0
        self.snd_nxt = 0
        self.snd_max = 0
        """The highest number sent, where ``snd_nxt`` goes back to send again."""
        self.snd_wnd = 0
        """The peer's window, scaled."""
        self.snd_wl1 = 0
        self.snd_wl2 = 0
        self.max_sndwnd = 0
        self.snd_buf = bytearray()
        """Octets from ``snd_base`` on: sent and not acknowledged, then not sent."""
        self.snd_base = 0
        self.connecting = False
        """connect(2) was begun, and its result not told."""
        self.no_more = False
        """The user has closed the sending side."""
        self.want_close = False
        """Closed before the connection was there: the FIN waits for that."""
        self.nodelay = False
        self.force = False
        """Send at least an octet, whatever the window: the persist timer's probe."""
        # receiving
        self.irs = 0
        self.rcv_nxt = 0
        self.rcv_adv = 0
        """The end of the window that was advertised."""
        self.rcv_buf = bytearray()
        self.rcv_shut = False
        """The user reads no more."""
        self.fin_rcvd = False
        self.queue: list[tuple[int, bytes, bool]] = []
        """Out of order: (sequence number, octets, FIN behind them), by number."""
        self.last_ack_sent = 0
        self.ack_now = False
        self.delayed = 0
        """Segments received and not acknowledged yet."""
        self.ack_war = 0
        """Challenge acknowledgements in the present window of time (RFC 5961 7)."""
        self.ack_war_at = 0
        # segment size
        self.mss = node.sysctl["net.inet.tcp.v6mssdflt"]
        """Octets of data in a full segment, options deducted."""
        self.peer_mss = 0
        """What the peer's option said; 0: nothing."""
        self.offered = 0
        """What our option said."""
        # RFC 7323
        self.scaling = False
        self.snd_scale = 0
        self.rcv_scale = 0
        self.stamps = False
        self.stamp = 0
        self.ts_recent = 0
        self.ts_recent_at = 0
        # round-trip time (RFC 6298)
        self.srtt = 0
        """Smoothed, ns; 0: not measured."""
        self.rttvar = 0
        self.rto = 0
        self.rtt_seq = -1
        """The number whose acknowledgement ends the measurement; -1: none runs."""
        self.rtt_at = 0
        self.rexmt_shift = 0
        self.persist_shift = 0
        self.sent_at = 0
        """When data was last sent."""
        self.idle_at = 0
        """When the peer was last heard."""
        self.keep_probes = 0
        # congestion (RFC 5681, RFC 6582)
        self.cwnd = 0
        self.ssthresh = 1 << 30
        self.grown = 0
        """Octets acknowledged since the window last grew, in congestion avoidance."""
        self.dupacks = 0
        self.recover = 0
        self.recovering = False
        # errors and the listening side
        self.soft_error = 0
        self.listener = 0
        """The listening socket that made it; 0: none."""
        self.backlog = 0
        self.accept_queue: deque[int] = deque()
        self.syn: dict[bytes, SynEntry] = {}
        self.syn_timer: Timer | None = None
        self.rexmt = _timer(node, sid, "rexmt")
        self.persist = _timer(node, sid, "persist")
        """Probes of a zero window."""
        self.keep = _timer(node, sid, "keep")
        """Establishment, then keep-alive."""
        self.twomsl = _timer(node, sid, "2msl")
        """TIME-WAIT, and the end of FIN-WAIT-2 without a program."""
        self.delack = _timer(node, sid, "delack")
        """Delayed acknowledgement."""

    @property
    def timers(self) -> tuple[tuple[str, Timer], ...]:
        """The timers by name."""
        return (
            ("rexmt", self.rexmt),
            ("persist", self.persist),
            ("keep", self.keep),
            ("2msl", self.twomsl),
            ("delack", self.delack),
        )


def _timer(node: Node, sid: int, which: str) -> Timer:
    """Waiting for a window, for life or for old segments to die out is no work to come."""
    return Timer(node.clock, node, "tcp_timer", (sid, which), ageing=which in ("persist", "keep", "2msl"))
