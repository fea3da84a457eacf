"""The platform of a node in a lab file (KAME IMPLEMENTATION 1.12 (2001))."""

from __future__ import annotations

from typing import get_args

import pytest

from kamelab.lab.build import build
from kamelab.lab.checkpoint import restore, take
from kamelab.lab.console import execute
from kamelab.lab.digest import digest
from kamelab.lab.library import LabSource
from kamelab.lab.loader import LabError, load_lab
from kamelab.lab.opening import open_source
from kamelab.lab.schema import Platform
from kamelab.stack import syscalls
from kamelab.stack.socket import profiles

LAB = """\
format = 1
title = "Houses"
seed = 1
[links.lan]
[nodes.h1]
interfaces.ne0 = { link = "lan" }
[nodes.h2]
platform = "netbsd"
interfaces.ne0 = { link = "lan" }
[nodes.h3]
platform = "openbsd"
sysctl = { "net.inet6.ip6.v6only" = 0 }
"""
V6ONLY = "net.inet6.ip6.v6only"


def test_the_file_knows_the_platforms_that_the_kernel_knows() -> None:
    assert get_args(Platform) == tuple(profiles.PLATFORMS)


def test_nodes_are_built_on_their_platform() -> None:
    world = build(load_lab(LAB, "x.toml"), 1)
    nodes = world.network.nodes
    assert [node.platform for node in nodes.values()] == ["freebsd4", "netbsd", "openbsd"]
    assert [syscalls.sysctl(node, V6ONLY) for node in nodes.values()] == [0, 1, 1]
    assert [text for _, text in nodes["h3"].kernel_log] == [f"sysctl: {V6ONLY}: Operation not permitted"]


def test_a_platform_outlives_a_reboot_and_a_checkpoint() -> None:
    session = open_source(LabSource("x", "x.toml", LAB))
    execute(session, "h2: sysctl -w net.inet6.ip6.v6only=0")
    execute(session, "reboot h2")
    node = session.world.network.nodes["h2"]
    assert (node.platform, syscalls.sysctl(node, V6ONLY)) == ("netbsd", 1)
    again = restore(take(session.world))
    assert again.network.nodes["h2"].platform == "netbsd"
    assert digest(again) == digest(session.world)


def test_the_platform_is_part_of_the_state() -> None:
    one = build(load_lab(LAB, "x.toml"), 1)
    other = build(load_lab(LAB.replace('"netbsd"', '"bsdi3"'), "x.toml"), 1)
    assert digest(one) != digest(other)


def test_an_unknown_platform_is_told_with_what_was_meant() -> None:
    with pytest.raises(LabError) as problem:
        load_lab(LAB.replace('"netbsd"', '"netbds"'), "x.toml")
    assert [str(one) for one in problem.value.problems] == [
        "x.toml:8: nodes.h2.platform: expected a platform, one of bsdi3, freebsd2, freebsd3, freebsd4, netbsd, bsdi4, "
        "openbsd, not 'netbds' (did you mean 'netbsd'?)"
    ]
