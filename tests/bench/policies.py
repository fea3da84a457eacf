"""Cost of policy and association lookup a packet, with few and with many entries: it must not grow."""

from __future__ import annotations

from kamelab.stack.netipsec.key import KeyEngine
from kamelab.stack.netipsec.policy import Flow, Policy, Request
from kamelab.stack.netipsec.sadb import Sa
from kamelab.wire import in6
from tests.bench.timing import Contest

A = in6.pton("2001:db8::1")
FLOWS = 256


def _host(number: int) -> bytes:
    return in6.pton(f"2001:db8:1:{number >> 8:x}::{number & 0xFF:x}")


class Table:
    """A database of `policies` and `sas`, and flows that meet its last policies."""

    def __init__(self, policies: int, sas: int) -> None:
        self.keys = KeyEngine()
        for number in range(sas):
            self.keys.insert(Sa(50, 0x1000 + number, A, _host(number), ealg=12, ekey=bytes(16)))
        for number in range(policies):
            request = (Request(50, "transport", "require"),)
            policy = Policy("out", "ipsec", request)
            if number % 2:
                policy.select(A, 128, in6.pton(f"2001:db8:2:{number:x}::"), 64)
            else:
                policy.select(A, 128, _host(number), 128)
            self.keys.spd.add(policy, 0)
        last = policies - 1 - policies % 2
        self.flows = [Flow(A, _host(last - last % 2), 17, 1024 + port, 53) for port in range(FLOWS)]

    def known(self, count: int) -> None:
        """Packets of flows that have been seen before."""
        for number in range(count):
            self._packet(self.flows[number % FLOWS])

    def fresh(self, count: int) -> None:
        """Packets of flows that are new to the database."""
        cache = self.keys.spd.cache
        for number in range(count):
            cache.clear()
            self._packet(self.flows[number % FLOWS])

    def _packet(self, flow: Flow) -> None:
        keys = self.keys
        policy = keys.spd.byaddr("out", flow, keys.values, 1)
        if keys.checkrequest(policy.requests[0], policy, flow.src, flow.dst, 1) is None:
            raise AssertionError("no association")


def contest(smoke: bool) -> Contest:
    """10 policies and 100 associations beside 1,000 and 10,000."""
    race = Contest("policy and association for a packet to send", "µs", smoke)
    small, large = Table(10, 100), Table(1000, 10_000)
    race.add("10 policies, 100 associations, known flow", small.known, 100_000)
    race.add("1,000 policies, 10,000 associations, known flow", large.known, 100_000)
    race.add("10 policies, 100 associations, new flow", small.fresh, 20_000)
    race.add("1,000 policies, 10,000 associations, new flow", large.fresh, 20_000)
    return race
