"""Two hosts with names and a router between them, and what the tests of the stream programs do with them."""

from __future__ import annotations

from hashlib import sha256

from real_nodes import Bench, routed

from kamelab.lab.digest import _node
from kamelab.userland.httpd_http import pattern
from kamelab.userland.octets import encoded


def named(seed: int = 1, *lines: str) -> Bench:
    """`routed`, the hosts known by name to each other; ``lines`` are typed on h2."""
    bench = routed(seed)
    bench.sh("h1", "echo 2001:db8:2::2 h2 >> /etc/hosts")
    bench.sh("h2", "echo 2001:db8:1::1 h1 >> /etc/hosts")
    for line in lines:
        assert bench.sh("h2", line).status == 0
    bench.run(0.1)
    bench.output("h2")
    return bench


def big(bench: Bench, name: str, path: str, size: int = 1_000_000) -> str:
    """Put a file of ``size`` octets on a node; its SHA-256."""
    data = pattern(0, size)
    bench.system(name).files[path] = data.decode()
    return sha256(data).hexdigest()


def hashed(bench: Bench, name: str, path: str) -> str:
    """The SHA-256 of a node's file."""
    return sha256(encoded(bench.system(name).files[path])).hexdigest()


def aside(bench: Bench, name: str, line: str, tty: str = "aside") -> int:
    """Start a line on another terminal of the node; the shell's process id."""
    return bench.system(name).shell(line, tty)


def pid_of(bench: Bench, name: str, program: str) -> int:
    """The process id of a program that runs once on a node."""
    (pid,) = [process.pid for process in bench.system(name).procs.values() if process.name == program]
    return pid


def states(bench: Bench, name: str) -> list[str]:
    """The states of a node's connections, listening ones left out."""
    lines = bench.sh(name, "netstat -an").lines
    return [line.split()[-1] for line in lines if line.startswith("tcp") and "LISTEN" not in line]


def logged(bench: Bench, name: str) -> list[str]:
    """The lines of a node's log, without the program's number."""
    return [text for _, text in bench.net.nodes[name].kernel_log]


def position(bench: Bench) -> list[object]:
    """Everything that can tell two runs apart: kernels, programs, events and records."""
    found: list[object] = [bench.net.clock.events, bench.net.clock.now, bench.net.trace.num]
    for name, node in bench.net.nodes.items():
        found += [repr(item) for item in _node(node)]
        found += list(bench.system(name).digest_items())
    return found
