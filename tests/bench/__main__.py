"""``python -m tests.bench [--smoke]``: all benchmarks; --smoke only shows that they run."""

from __future__ import annotations

import sys

from tests.bench import echo, forwarding, ipsec, paint, policies, reassembly, tcp_bulk, tcp_segments, udp_rate
from tests.bench.timing import Contest


def _play(race: Contest) -> Contest:
    """Play it and print its table."""
    race.play()
    print("\n".join(race.report()), flush=True)
    return race


def main() -> int:
    """Print every figure; 0."""
    smoke = "--smoke" in sys.argv[1:]
    _play(forwarding.contest(smoke))
    race = _play(udp_rate.contest(smoke))
    print(udp_rate.rate(race), flush=True)
    for octets in (2_800, 60_000):
        race = _play(reassembly.contest(octets, smoke))
        print(reassembly.rate(race, octets), flush=True)
    _play(tcp_segments.contest(smoke))
    print(tcp_bulk.report(smoke), flush=True)
    for race in ipsec.contests(smoke):
        _play(race)
    _play(policies.contest(smoke))
    print(echo.round_trips(smoke), flush=True)
    print(echo.idle_day(smoke), flush=True)
    print(echo.memory(smoke), flush=True)
    print("\n".join(paint.first_paint(smoke)), flush=True)
    if smoke:
        print("smoke run: these figures mean nothing, they only show that the benchmarks run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
