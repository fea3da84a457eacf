"""The panes of the lab's screen. `STATE_PANES` are those with a tab each, in the order of their digits."""

from __future__ import annotations

from kamelab.ui.panes.base import Pane, TablePane
from kamelab.ui.panes.inside import InsidePane
from kamelab.ui.panes.neighbors import NeighborsPane
from kamelab.ui.panes.packets import PacketList
from kamelab.ui.panes.tables import InterfacesPane, PrefixesPane, RoutersPane, RoutesPane, SocketsPane, TimersPane
from kamelab.ui.panes.task import TaskPane

STATE_PANES: tuple[type[TablePane], ...] = (
    NeighborsPane,
    RoutesPane,
    PrefixesPane,
    InterfacesPane,
    RoutersPane,
    SocketsPane,
    TimersPane,
)

__all__ = [
    "STATE_PANES",
    "InsidePane",
    "InterfacesPane",
    "NeighborsPane",
    "PacketList",
    "Pane",
    "PrefixesPane",
    "RoutersPane",
    "RoutesPane",
    "SocketsPane",
    "TablePane",
    "TaskPane",
    "TimersPane",
]
