"""The panes of the lab's screen. `STATE_PANES` are those with a tab each, in the order of their digits."""

from __future__ import annotations

from kamelab.ui.panes.addresses import AddressesPane
from kamelab.ui.panes.base import Pane, TablePane
from kamelab.ui.panes.inside import InsidePane
from kamelab.ui.panes.neighbors import NeighborsPane
from kamelab.ui.panes.packets import PacketList
from kamelab.ui.panes.prefixes import PrefixesPane
from kamelab.ui.panes.routers import RoutersPane
from kamelab.ui.panes.tables import InterfacesPane, RoutesPane, SocketsPane, TimersPane
from kamelab.ui.panes.task import TaskPane

STATE_PANES: tuple[type[TablePane], ...] = (
    NeighborsPane,
    RoutesPane,
    PrefixesPane,
    InterfacesPane,
    RoutersPane,
    SocketsPane,
    TimersPane,
    AddressesPane,
)

__all__ = [
    "STATE_PANES",
    "AddressesPane",
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
