"""``python -m tests.bench [--smoke]``: all benchmarks; --smoke only shows that they run."""

from __future__ import annotations

import sys

from tests.bench import echo, forwarding, paint


def main() -> int:
    """Print every figure; 0."""
    smoke = "--smoke" in sys.argv[1:]
    race = forwarding.contest(smoke)
    race.play()
    print("\n".join(race.report()), flush=True)
    print(echo.round_trips(smoke), flush=True)
    print(echo.idle_day(smoke), flush=True)
    print(echo.memory(smoke), flush=True)
    print("\n".join(paint.first_paint(smoke)), flush=True)
    if smoke:
        print("smoke run: these figures mean nothing, they only show that the benchmarks run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
