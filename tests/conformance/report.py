"""docs/CONFORMANCE.md, made of the list of cases and of what plays them."""

from __future__ import annotations

from typing import Final

from tests.conformance import registry
from tests.conformance.cases import CASES, HOST, NOT_DERIVED, ROUTER, SEED_WINS, Case

PATH: Final = "docs/CONFORMANCE.md"
COVERAGE: Final = "docs/COVERAGE.md"
MARK: Final = "<!-- Rows made by `python -m tests.conformance`; a test checks that they are up to date. -->\n"
"""Behind it COVERAGE.md has a row for each case, to its end."""

_HEAD: Final = """\
# Conformance

<!-- Made by `python -m tests.conformance`; a test checks that it is up to date. -->

`tests/conformance/` plays the cases of the IPv6 Ready core protocols test specification (phase 2) against a node of
kamelab, on virtual time: groups 1 (base specification), 2 (neighbor discovery), 3 (autoconfiguration and duplicate
address detection), 4 (path MTU discovery) and 5 (ICMPv6), each case for hosts, for routers, or for both. The node under
test stands alone among testers made of raw frames; what it sends is checked field by field, and a state of its neighbor
cache is judged from its packets, never from its tables. What is expected follows from RFC 8200, 4861, 4862, 8201 and
4443, and from KAME where it has a way of its own.

    pytest tests/conformance                        all of them, in a few seconds
    pytest tests/conformance -k 'v6LC.2.1.8'        one test
    python -m tests.conformance 2.1.8a host         one case, with every packet
    python -m tests.conformance                     writes this file

{cases} cases, {runs} runs: {host} for a host, {router} for a router. {left}

"""

_GROUPS: Final = {
    "1.1": "1.1 The IPv6 header",
    "1.2": "1.2 Extension headers",
    "1.3": "1.3 Fragments",
    "2.1": "2.1 Address resolution and neighbor unreachability detection",
    "2.2": "2.2 Router and prefix discovery",
    "2.3": "2.3 Redirect",
    "3.1": "3.1 Duplicate address detection",
    "3.2": "3.2 Address autoconfiguration",
    "4.1": "4.1 Path MTU discovery",
    "5.1": "5.1 ICMPv6",
}


def text() -> str:
    """The whole file."""
    runs = registry.runs()
    left = (
        f"{len(NOT_DERIVED)} cases are not played, since their reaction can't be derived from the RFCs."
        if NOT_DERIVED
        else "None is left out: the reaction of every case could be derived from the RFCs."
    )
    out = [
        _HEAD.format(
            cases=len(CASES),
            runs=len(runs),
            host=sum(role == HOST for _, role in runs),
            router=sum(role == ROUTER for _, role in runs),
            left=left,
        )
    ]
    for prefix, title in _GROUPS.items():
        out.append(f"## {title}\n\n| Case | Title | Host | Router | Expected, and from where it follows |\n")
        out.append("| --- | --- | --- | --- | --- |\n")
        out += [_row(one) for one in CASES if one.number.startswith(f"{prefix}.")]
        out.append("\n")
    out.append("## Where KAME has its own way\n\n| Case | KAME |\n| --- | --- |\n")
    out += [f"| {name} | {why} |\n" for name, why in SEED_WINS.items()]
    if NOT_DERIVED:
        out.append("\n## Not derived\n\n| Case | Why |\n| --- | --- |\n")
        out += [f"| {name} | {why} |\n" for name, why in NOT_DERIVED.items()]
    out.append(
        "\nCases 3.2.5 A to D are the second list of parts under 3.2.4 in lists that print the two tests as one.\n"
    )
    return "".join(out)


def coverage(present: str) -> str:
    """COVERAGE.md with its rows of cases made anew. Raises ValueError where the mark is missing."""
    at = present.index(MARK)
    rows = ["| Case | Host | Router |\n| --- | --- | --- |\n"]
    for one in CASES:
        word = "not derived" if one.name in NOT_DERIVED else "yes"
        cells = [word if role in one.roles else "–" for role in (HOST, ROUTER)]
        rows.append(f"| {one.name} | {cells[0]} | {cells[1]} |\n")
    return present[:at] + MARK + "\n" + "".join(rows)


def _row(one: Case) -> str:
    cells = [f"`{registry.test_id(one, role)}`" if role in one.roles else "–" for role in (HOST, ROUTER)]
    if one.name in NOT_DERIVED:
        cells = ["not derived" if role in one.roles else "–" for role in (HOST, ROUTER)]
        purpose = ""
    else:
        purpose = " ".join((registry.PLAYED[one.name].body.__doc__ or "").split())
    title = one.title.replace("|", "/")
    return f"| {one.name} | {title} | {cells[0]} | {cells[1]} | {purpose} |\n"
