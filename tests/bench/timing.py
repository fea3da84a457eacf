"""Interleaved timing: all contestants take turns, so that a noisy machine is noisy for everybody."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter

from kamelab.sim.topology import Network

ROUNDS = 7


def forget(network: Network) -> None:
    """Empty the trace between rounds, so that memory stays small."""
    trace = network.trace
    trace.packets.clear()
    trace.records.clear()
    trace.octets = 0


class Contest:
    """Contestants on one task; each is a function that does it ``count`` times."""

    def __init__(self, title: str, unit: str, smoke: bool) -> None:
        self.title = title
        self.unit = unit
        self.smoke = smoke
        self.entries: list[tuple[str, Callable[[int], None], int]] = []
        self.results: dict[str, float] = {}

    def add(self, name: str, run: Callable[[int], None], count: int) -> None:
        """Enter a contestant with the number of repetitions in a round."""
        self.entries.append((name, run, max(1, count // 20) if self.smoke else count))

    def play(self) -> None:
        """All rounds; the median of each contestant, in microseconds a repetition."""
        times: dict[str, list[float]] = {name: [] for name, _, _ in self.entries}
        for _ in range(1 if self.smoke else ROUNDS):
            for name, run, count in self.entries:
                gc.collect()
                start = perf_counter()
                run(count)
                times[name].append((perf_counter() - start) / count * 1e6)
        self.results = {name: median(values) for name, values in times.items()}

    def report(self) -> list[str]:
        """A table: every contestant, and how many times the first one's time it takes."""
        first = next(iter(self.results.values()))
        width = max(len(name) for name in self.results)
        lines = [self.title]
        for name, value in self.results.items():
            lines.append(f"  {name:<{width}}  {value:10.2f} {self.unit}  {value / first:7.1f}x")
        return lines
