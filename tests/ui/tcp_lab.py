"""A lab with two hosts on a slow link, and a large transfer between them."""

from __future__ import annotations

from pathlib import Path

SLOW = """
format = 1
title = "A slow link"
[links.lan]
latency = "20ms"
bandwidth = "2Mbps"
[nodes.h1]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }
[nodes.h2]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::2/64"] }
"""
FETCH = "h1: fetch -o /dev/null http://[2001:db8:1::2]/bytes/400000 &"
SERVED = ("run 3s", "h2: httpd -f &")
"""Addresses are valid, and somebody serves."""
TRANSFER = (*SERVED, FETCH, "run 1s")
"""A transfer half way."""
LOSSY = (*TRANSFER, "link lan loss=2%", "run 950ms")
"""The same, in fast recovery."""


def slow(folder: Path) -> str:
    """The lab's file."""
    path = folder / "slow.toml"
    path.write_text(SLOW)
    return str(path)
