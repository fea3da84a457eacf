"""Figures over virtual time: noted while time runs, thinned out, cut by going back, drawn as sparklines."""

from __future__ import annotations

from pathlib import Path

from pane_app import demo, lab
from tcp_lab import SLOW, TRANSFER

from kamelab.core.clock import SECOND
from kamelab.lab.console import execute
from kamelab.ui.samples import LIMIT, Samples, levels, rates, spark


def test_a_counter_is_followed_from_the_first_look_on() -> None:
    session = demo("run 3s")
    samples = Samples(session)
    assert samples.since == 3 * SECOND
    before = session.world.network.nodes["h1"].counters()["ip6.total"]
    execute(session, "h1: ping6 -c 3 ff02::1%ne0")
    series = samples.all_series("h1")["ip6.total"]
    assert series[0] == (3 * SECOND, before)
    assert series[-1][1] == session.world.network.nodes["h1"].counters()["ip6.total"]
    assert [value for _, value in series] == sorted({value for _, value in series})
    grown = rates(series, 0, session.now, 6, samples.since)
    assert sum(grown) == series[-1][1] - before
    assert not any(grown[:2]), "what it stood at when somebody began to look did not grow then"


def test_going_back_takes_the_figures_back(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW)
    samples = Samples(session)
    for line in TRANSFER:
        execute(session, line)
    ahead = samples.all_series("h2")["tcp.sndbyte"]
    session.back(session.events // 3)
    now = session.now
    behind = samples.all_series("h2").get("tcp.sndbyte", [])
    assert all(time <= now for time, _ in behind)
    assert behind == [point for point in ahead if point[0] <= now][: len(behind)]
    assert len(behind) < len(ahead)


def test_a_long_run_keeps_no_more_than_a_short_one(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW)
    samples = Samples(session)
    for line in (*TRANSFER[:-1], "run 20s", TRANSFER[2], "run 20s", TRANSFER[2], "run 20s"):
        execute(session, line)
        assert len(samples.samples) <= LIMIT
    times = [sample.time for sample in samples.samples]
    assert times == sorted(times)
    series = samples.all_series("h2")["tcp.sndbyte"]
    assert series[-1][1] == session.world.network.nodes["h2"].counters()["tcp.sndbyte"]
    assert sum(rates(series, 0, session.now, 30)) == series[-1][1], "thinning out loses no growth"


def test_nothing_is_noted_any_more_once_it_is_closed() -> None:
    session = demo()
    samples = Samples(session)
    samples.close()
    samples.close()
    count = len(samples.samples)
    execute(session, "run 10s")
    assert len(samples.samples) == count
    assert not [one for one in session.watchers if getattr(one, "__self__", None) is samples]


def test_the_highest_is_a_full_cell_and_little_is_not_nothing() -> None:
    assert spark([0, 1, 4, 8, 1000]) == " ▁▁▁█"
    assert spark([0, 0]) == "  "
    assert spark([]) == ""
    assert spark([5, 5]) == "██"
    assert levels([(10, 3), (20, 7)], 0, 40, 4) == [3, 7, 7, 7]
    assert rates([(10, 3), (20, 7), (40, 8)], 0, 40, 4) == [0, 3, 4, 1]
