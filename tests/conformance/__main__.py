"""``python -m tests.conformance`` writes docs/CONFORMANCE.md and the rows in docs/COVERAGE.md.

With a case and a role it plays it and shows every packet.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conformance import groups, registry, report
from tests.conformance.tester import Failure


def main(argv: list[str]) -> int:
    """0; 1 when the case fails; 2 for a case that is not there."""
    if not argv:
        top = Path(__file__).parents[2]
        (top / report.PATH).write_text(report.text(), encoding="utf-8")
        path = top / report.COVERAGE
        path.write_text(report.coverage(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(report.PATH, report.COVERAGE)
        return 0
    name = argv[0] if argv[0].startswith("v6LC.") else f"v6LC.{argv[0]}"
    found = [(one, role) for one, role in groups.runs() if one.name == name and role in (argv[1:] or one.roles)]
    if not found:
        print(f"no case {' '.join(argv)}: a number and a part such as 2.1.8a, and host or router", file=sys.stderr)
        return 2
    status = 0
    for one, role in found:
        print(f"{registry.test_id(one, role)}: {one.title}\n{registry.PLAYED[one.name].body.__doc__}\n")
        try:
            print("\n".join(registry.play(one, role).story), end="\n\n")
        except Failure as failure:
            print(failure)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
