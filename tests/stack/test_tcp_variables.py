"""Every variable and counter of TCP has a story somewhere in the files beside this one."""

from __future__ import annotations

from pathlib import Path

import pytest
from wires import Wires

from kamelab.core.errors import EINVAL, Errno
from kamelab.stack import syscalls
from kamelab.stack.sysctl import VARIABLES

TCP = "net.inet.tcp."
HERE = Path(__file__).parent
TOLD = "".join(path.read_text() for path in sorted(HERE.glob("test_tcp_*.py")) if path != Path(__file__))


@pytest.mark.parametrize("name", [name for name in VARIABLES if name.startswith(TCP)])
def test_a_story_sets_the_variable(name: str) -> None:
    short = name.removeprefix(TCP)
    assert f'"{short}"' in TOLD
    assert TOLD.count(short) >= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("msl", 0), ("sendspace", 0), ("recvspace", -1), ("keepidle", 0), ("v6mssdflt", 0), ("ack_war_cnt", -1)],
)
def test_values_without_sense_are_refused(wires: Wires, name: str, value: int) -> None:
    node = wires.net.add_node("h1")
    with pytest.raises(Errno) as caught:
        syscalls.sysctl_set(node, TCP + name, value)
    assert caught.value.number == EINVAL
