"""``python -m tests.fuzz [--count N] [--seed N] [--jobs N] [--chunk N] [--only CHUNK] [--list]``: fuzz two kernels.

Frames go in by chunks, each into a world of its own, so that any chunk can be played again alone: ``--only 17``. The
same seed is the same run, whatever the number of jobs. Status 1 when something was found.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from time import perf_counter

from kamelab.core.drops import REASONS
from tests.fuzz.drive import Result, chunk

CHUNK = 20_000
PROVOKABLE = len(REASONS) - 1
"""All reasons but INTERNAL."""


def _sizes(count: int, size: int) -> list[int]:
    return [min(size, count - at) for at in range(0, count, size)]


def _report(results: list[Result], seconds: float, options: argparse.Namespace) -> int:
    """Print what happened; the exit status."""
    ended: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    frames = 0
    for one in results:
        ended.update(one.ended)
        reasons.update(one.reasons)
        frames += one.frames
        if one.found:
            print(f"FOUND in {one.found}", flush=True)
    if options.list:
        counters: Counter[str] = Counter()
        states: Counter[str] = Counter()
        for one in results:
            counters.update(one.counters)
            states.update(one.states)
        for title, table in (("reasons", reasons), ("counters", counters), ("states", states)):
            print(title)
            for name, number in sorted(table.items()):
                print(f"  {number:9,} {name}")
        print("never: " + " ".join(name for name in REASONS if name not in reasons))
    total = sha256("".join(one.fingerprint for one in results).encode()).hexdigest()[:16]
    print(
        f"{frames:,} generated and mutated packets into a host and a router, seed {options.seed}: "
        f"{frames / seconds:,.0f}/s with {options.jobs} job{'s' * (options.jobs != 1)}, {seconds:.0f} s"
    )
    print(
        f"taken in {ended['rx']:,}: delivered {ended['deliver']:,}, dropped {ended['drop']:,}, forwarded "
        f"{ended['forward']:,}; sent {ended['tx']:,}"
    )
    print(
        f"{sum(1 for name in reasons if name in REASONS)} of {PROVOKABLE} drop reasons; every packet has one end, "
        f"every counter its sum; fingerprint {total}"
    )
    bad = sum(1 for one in results if one.found)
    print("nothing found" if not bad else f"{bad} of {len(results)} chunks failed")
    return 1 if bad else 0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--chunk", type=int, default=CHUNK)
    parser.add_argument("--only", type=int, default=-1, help="this chunk alone")
    parser.add_argument("--list", action="store_true", help="what was reached, and how often")
    options = parser.parse_args(argv)
    work = list(enumerate(_sizes(options.count, options.chunk)))
    if options.only >= 0:
        work = work[options.only : options.only + 1]
    start = perf_counter()
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            results = list(pool.map(chunk, *zip(*((options.seed, number, size) for number, size in work), strict=True)))
    else:
        results = []
        for number, size in work:
            results.append(chunk(options.seed, number, size))
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {len(work)}", end="\r", file=sys.stderr, flush=True)
    return _report(results, perf_counter() - start, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
