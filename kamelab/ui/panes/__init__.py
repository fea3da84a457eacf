"""The panes of the lab's screen. `STATE_PANES` are those with a tab each, in the order of their digits."""

from __future__ import annotations

from kamelab.ui.panes.addresses import AddressesPane
from kamelab.ui.panes.base import Pane, TablePane
from kamelab.ui.panes.groups import GroupsPane
from kamelab.ui.panes.inside import InsidePane
from kamelab.ui.panes.neighbors import NeighborsPane
from kamelab.ui.panes.packets import PacketList
from kamelab.ui.panes.prefixes import PrefixesPane
from kamelab.ui.panes.routers import RoutersPane
from kamelab.ui.panes.sizes import SizesPane
from kamelab.ui.panes.sockets import SocketsPane
from kamelab.ui.panes.statistics import StatisticsPane
from kamelab.ui.panes.tables import InterfacesPane, RoutesPane, TimersPane
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
    GroupsPane,
    SizesPane,
    StatisticsPane,
)

__all__ = [
    "STATE_PANES",
    "AddressesPane",
    "GroupsPane",
    "InsidePane",
    "InterfacesPane",
    "NeighborsPane",
    "PacketList",
    "Pane",
    "PrefixesPane",
    "RoutersPane",
    "RoutesPane",
    "SizesPane",
    "SocketsPane",
    "StatisticsPane",
    "TablePane",
    "TaskPane",
    "TimersPane",
]
