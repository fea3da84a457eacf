"""Settings of links: from the lab file, from the console, shown, replayed, and kept in a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamelab.lab import checkpoint
from kamelab.lab.api import Lab
from kamelab.lab.digest import digest
from kamelab.lab.loader import load_lab
from kamelab.lab.reading import LabError

LAB = """
format = 1
title = "t"
[links.lan]
switch = true
latency = "1ms"
bandwidth = "1Mbps"
queue = 20
jitter = "2ms"
duplicate = "10%"
reorder = "5%"
corrupt = "0.1%"
[links.line]
kind = "ppp"
[nodes.h1]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }
interfaces.ppp0 = { link = "line", up = true }
[nodes.h2]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::2/64"] }
[nodes.h3]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::3/64"] }
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    path = tmp_path / "wires.toml"
    path.write_text(LAB)
    lab = Lab.load(path)
    lab.run(5)
    return lab


def test_a_lab_file_sets_all_of_it(lab: Lab) -> None:
    link = lab.session.world.network.links["lan"]
    assert (link.queue, link.jitter, link.latency) == (20, 2_000_000, 1_000_000)
    assert [part / 1e9 for part in (link.duplicate, link.reorder, link.corrupt, link.loss)] == [0.1, 0.05, 0.001, 0]
    assert link.switch is not None
    assert lab.session.world.network.links["line"].switch is None


def test_links_shows_the_settings_and_what_the_switch_has_learned(lab: Lab) -> None:
    text = lab.console("links").output
    first, *learned, line = text.splitlines()
    assert (
        "latency 1ms, bandwidth 1000000 bps, switch, queue 20, jitter 2ms, duplicate 10%, reorder 5%, corrupt 0.1%"
        in first
    )
    assert sorted(words.split(", heard")[0] for words in learned) == [
        f"  02:00:00:00:0{n}:01 behind h{n}:ne0" for n in (1, 2, 3)
    ]
    assert line.startswith("line ")


def test_the_console_changes_all_of_it(lab: Lab) -> None:
    done = lab.console("link lan jitter=0 duplicate=0 reorder=0 corrupt=0 switch=off queue=0 loss=1%")
    assert done.status == 0
    text = lab.console("links").output.splitlines()[0]
    assert "bandwidth 1000000 bps, loss 1%;" in text
    assert lab.console("link lan switch=on corrupt=0.1").status == 0
    text = lab.console("links").output.splitlines()[0]
    assert "switch, loss 1%, corrupt 10%;" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lan switch=yes", "expected switch=on or switch=off, not 'yes'"),
        ("lan queue=many", "expected a number of frames, 0 for any number, not 'many'"),
        ("lan jitter=5", "expected a duration"),
        ("lan reorder=120%", "expected a probability"),
        ("line switch=on", "line is a ppp line: it has two ends and no switch"),
        ("lan colour=red", "jitter=..., duplicate=..., reorder=..., corrupt=..., switch=..."),
    ],
)
def test_wrong_words_change_nothing(lab: Lab, words: str, said: str) -> None:
    before = lab.digest()
    done = lab.console(f"link {words}")
    assert done.status == 2
    assert said in done.output
    assert lab.digest() == before


def test_a_line_between_two_has_no_switch() -> None:
    with pytest.raises(LabError, match=r"links\.line\.switch: expected an ethernet link"):
        load_lab(LAB.replace('kind = "ppp"', 'kind = "ppp"\nswitch = true'), "wires.toml")


def test_a_queue_of_none_is_refused() -> None:
    with pytest.raises(LabError, match=r"links\.lan\.queue"):
        load_lab(LAB.replace("queue = 20", "queue = 0"), "wires.toml")


def test_a_restored_world_goes_on_as_the_one_that_was_saved(lab: Lab) -> None:
    lab.console("h1: ping6 -c 3 2001:db8:1::2")
    world = lab.session.world
    twin = checkpoint.restore(checkpoint.take(world))
    assert digest(twin) == digest(world)
    link, other = world.network.links["lan"], twin.network.links["lan"]
    assert other.state() == link.state()
    assert other.switch is not None
    assert [entry[0] for entry in other.switch.table.values()] == [
        twin.network.nodes[name].interfaces["ne0"] for name in (row[1][:2] for row in other.switch.rows(0))
    ]


def test_going_back_replays_every_draw(lab: Lab) -> None:
    before = lab.digest()
    count = lab.session.events
    lab.console("link lan loss=30%")
    lab.console("h1: ping6 -c 3 2001:db8:1::3")
    after = lab.digest()
    lab.back(lab.session.events - count)
    assert lab.digest() == before
    lab.console("link lan loss=30%")
    lab.console("h1: ping6 -c 3 2001:db8:1::3")
    assert lab.digest() == after


@pytest.mark.parametrize(
    "change",
    ["switch=off", "queue=3", "jitter=1ms", "duplicate=1%", "reorder=1%", "corrupt=1%"],
)
def test_every_setting_is_in_the_digest(lab: Lab, change: str) -> None:
    before = lab.digest()
    lab.console(f"link lan {change}")
    assert lab.digest() != before


def test_why_tells_what_the_wire_did(lab: Lab) -> None:
    lab.console("link lan corrupt=100% duplicate=0 reorder=0 jitter=0")
    lab.console("h1: ping6 -c 1 2001:db8:1::2")
    sent = next(
        row for row in lab.session.world.network.trace.packets if row[6] == "tx" and row[1] > 5e9 and row[2] == "h1"
    )
    text = lab.console(f"why {sent[0]}").output
    assert "frame corrupted" in text
