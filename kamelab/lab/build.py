"""From a lab file to a running network: what boot does at time 0 (design: boot).

In file order each node gets its sysctls, files, interfaces and addresses; then every node's startup lines run as its
own background shell, all nodes at once. Startup lines that block hold up only their own node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kamelab.core.errors import Errno
from kamelab.lab import schema
from kamelab.sim.faults import Faults, install
from kamelab.sim.loop import run_ready, settle
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.socket import profiles
from kamelab.stack.views import INFINITE
from kamelab.userland.system import CONSOLE, System

ROLES = {"host": (1, 0), "router": (0, 1), "manual": (0, 0)}
"""Role to (accept_rtadv, forwarding) (KAME IMPLEMENTATION 1.4.2 (2001))."""


class World(NamedTuple):
    """A network with the userland of its nodes."""

    network: Network
    systems: dict[str, System]

    def close(self) -> None:
        """End every program without a word."""
        for system in self.systems.values():
            system.close()


def build(lab: schema.Lab, seed: int, ports: Iterable[str] = ()) -> World:
    """Make nodes and links, and boot them; the clock stands at 0 afterwards.

    ``ports``, each ``LINK PORT``, are where links end in the outside world.
    """
    network = Network(seed, lab.epoch)
    systems: dict[str, System] = {}
    for name, link in lab.links.items():
        network.add_link(
            name,
            kind=link.kind,
            latency=link.latency,
            bandwidth=link.bandwidth or 0,
            loss=link.loss,
            mtu=link.mtu,
            up=link.up,
            switch=link.switch,
            jitter=link.jitter,
            duplicate=link.duplicate,
            reorder=link.reorder,
            corrupt=link.corrupt,
            queue=link.queue or 0,
        )
    for text in ports:
        link_name, port = text.split()
        network.links[link_name].port(port)
    for name, spec in lab.nodes.items():
        node = network.add_node(name)
        for ifname, interface in spec.interfaces.items():
            wire = network.links[interface.link]
            iface = network.add_interface(node, ifname, interface.lladdr(), wire, interface.mtu or 0)
            install(iface, Faults(interface.late(), "loops" in interface.faults))
            iface.refuses_own, iface.multicast = interface.simplex, interface.multicast
            if interface.mac_late and iface.mac:
                iface.mac, iface.late_mac = b"", iface.mac
        system = systems[name] = System(node, network.clock, network.trace, network.streams)
        node.userland = system
        configure(node, spec)
    for name, spec in lab.nodes.items():
        start(systems[name], spec)
    run_ready(network)
    settle(network)
    return World(network, systems)


def configure(node: Node, spec: schema.Node) -> None:
    """Sysctls, interfaces and addresses of one node, as at boot."""
    profiles.assign(node, spec.platform)
    accept_rtadv, forwarding = ROLES[spec.role]
    syscalls.sysctl_set(node, "net.inet6.ip6.accept_rtadv", accept_rtadv)
    syscalls.sysctl_set(node, "net.inet6.ip6.forwarding", forwarding)
    for variable, value in spec.sysctl.items():
        try:
            syscalls.sysctl_set(node, variable, int(value))
        except Errno as error:
            node.console(f"sysctl: {variable}: {error}")
    syscalls.ioctl(node, "SIOCSIFFLAGS", "lo0", up=True)
    for ifname, interface in spec.interfaces.items():
        for addr, plen in interface.prefixes():
            syscalls.ioctl(node, "SIOCAIFADDR_IN6", ifname, address=addr, plen=plen, vltime=INFINITE, pltime=INFINITE)
        if interface.up:
            syscalls.ioctl(node, "SIOCSIFFLAGS", ifname, up=True)


def start(system: System, spec: schema.Node, cause: int = 0) -> None:
    """Files, and the startup lines as one background shell; ``cause`` is the record of what made the node boot."""
    system.files.update(spec.files)
    if spec.startup:
        system.shell("\n".join(spec.startup), CONSOLE, background=True, cause=cause)
