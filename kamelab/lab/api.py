"""The Python interface: ``kamelab.Lab`` (design: Python)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kamelab import __version__
from kamelab.capture.export import export
from kamelab.capture.filter import compile_filter
from kamelab.capture.packets import PacketView, select
from kamelab.core.clock import SECOND
from kamelab.core.errors import KamelabError
from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Goal, Session
from kamelab.stack import tables
from kamelab.stack.node import Node
from kamelab.stack.views import (
    AddressRow,
    GroupRow,
    InterfaceRow,
    NeighborRow,
    PrefixRow,
    RouteRow,
    RouterRow,
    SocketRow,
)


class Result(NamedTuple):
    """What a console line printed, and its exit status."""

    output: str
    status: int


class NodeView:
    """Reading one node: frozen rows, the ones that its commands print."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.name = node.name

    def interfaces(self) -> tuple[InterfaceRow, ...]:
        """``ifconfig``, ``netstat -i``."""
        return tables.interfaces(self._node)

    def addresses(self) -> tuple[AddressRow, ...]:
        """``ifconfig``."""
        return tables.addresses(self._node)

    def neighbors(self) -> tuple[NeighborRow, ...]:
        """``ndp -a``."""
        return tables.neighbors(self._node)

    def prefixes(self) -> tuple[PrefixRow, ...]:
        """``ndp -p``."""
        return tables.prefixes(self._node)

    def routers(self) -> tuple[RouterRow, ...]:
        """``ndp -r``."""
        return tables.routers(self._node)

    def routes(self) -> tuple[RouteRow, ...]:
        """``netstat -nr``."""
        return tables.routes(self._node)

    def groups(self) -> tuple[GroupRow, ...]:
        """``ifmcstat``."""
        return tables.groups(self._node)

    def sockets(self) -> tuple[SocketRow, ...]:
        """``netstat -an``."""
        return tables.sockets(self._node)

    def counters(self) -> dict[str, int]:
        """``netstat -s``."""
        return self._node.counters()

    def sysctl(self, name: str) -> int | str:
        """A sysctl variable. Raises `kamelab.core.errors.Errno` for an unknown one."""
        from kamelab.stack.sysctl import sysctl_get

        return sysctl_get(self._node, name)

    def log(self) -> tuple[tuple[int, str], ...]:
        """``dmesg``: (ns since boot, line)."""
        return tuple(self._node.kernel_log)


class Lab:
    """A lab being played, without a screen."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @classmethod
    def load(cls, path_or_name: str | Path, seed: int | None = None) -> Lab:
        """Open a lab file, a shipped lab or a session file; the lab stands booted at time 0.

        Raises FileNotFoundError or `kamelab.lab.reading.LabError`.
        """
        return cls(open_session(str(path_or_name), seed))

    @property
    def now(self) -> int:
        """Virtual time, ns since boot."""
        return self.session.now

    @property
    def nodes(self) -> dict[str, NodeView]:
        """The nodes by name."""
        return {name: NodeView(node) for name, node in self.session.world.network.nodes.items()}

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._to(Goal(time=self.session.now + round(seconds * SECOND)))

    def run_until_idle(self, limit: float = 3600.0) -> None:
        """Run until nothing is to come. Raises KamelabError where ``limit`` virtual seconds are not enough."""
        self._to(Goal(idle=True, time=self.session.now + round(limit * SECOND)))
        if not self.session.idle():
            raise KamelabError(f"the lab is not idle after {limit} virtual seconds")

    def step(self, n: int = 1) -> None:
        """Let ``n`` events happen."""
        self._to(Goal(events=self.session.events + n))

    def _to(self, goal: Goal) -> None:
        self.session.goal = goal
        self.session.finish()

    def console(self, line: str) -> Result:
        """One console line, run to its end."""
        self.session.take_output()
        status = execute(self.session, line)
        text = "".join(chunk.text for chunk in self.session.take_output() if chunk.kind in ("text", "message"))
        return Result(text, status)

    def trace(self, filter: str | None = None) -> list[PacketView]:  # noqa: A002 - the public name
        """Captured frames, those that the display filter takes. Raises `kamelab.capture.filter.FilterError`."""
        chosen = compile_filter(filter) if filter else None
        return list(select(self.session.world.network, chosen))

    def capture(self, path: str | Path) -> int:
        """Write a pcapng file; how many frames had to be let go before."""
        with open(path, "wb") as out:
            return export(self.session.world.network, out, f"kamelab {__version__}")

    def save(self, path: str | Path) -> None:
        """Write a session file."""
        Path(path).write_bytes(self.session.save())

    def back(self, n: int = 1) -> None:
        """Take back ``n`` events."""
        self.session.back(max(0, self.session.events - n))

    def digest(self) -> str:
        """The state digest."""
        return self.session.digest()

    def rows(self, node: str, table: str) -> tuple[Any, ...]:
        """A table of a node by name (`kamelab.stack.tables.TABLES`)."""
        return tables.rows(self.session.world.network.nodes[node], table)
