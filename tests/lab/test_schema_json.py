"""The JSON Schema of lab files, judged by an independent validator."""

from __future__ import annotations

import datetime
import json
import tomllib
from typing import Any

import jsonschema
import pytest

from kamelab.lab.library import list_labs
from kamelab.lab.loader import load_lab
from kamelab.lab.schema import json_schema

FULL = """\
format = 1
title = "t"
summary = "s"
level = "advanced"
minutes = 3
references = ["RFC 4861"]
seed = 7
epoch = 2001-01-01T00:00:00Z
[links.lan]
kind = "ppp"
switch = false
latency = "1.5 ms"
bandwidth = "10Mbps"
queue = 5
loss = "10%"
jitter = "0"
duplicate = 0.5
reorder = 0
corrupt = "0.1"
mtu = 1280
up = false
[nodes.h1]
role = "manual"
startup = ["true"]
at = [0, 3]
interfaces.ne0 = { link = "lan", mac = "2:0:0:0:0:1", addresses = ["fe80::1/64"], mtu = 1400, up = true }
interfaces.ppp0 = { link = "lan", description = "to the other side" }
files."/etc/hosts" = "::1 localhost"
sysctl."net.inet6.ip6.hlim" = 3
[[tasks]]
title = "t"
text = "x"
hints = ["a", "b", "c"]
solution = ["h1: true"]
checks = [
  { kind = "neighbor", node = "h1", address = "fe80::1%ne0", state = "stale", lladdr = "2:0:0:0:0:1", router = true },
  { kind = "prefix", node = "h1", prefix = "2001:db8::/64", flags = "LA", preference = "low", advertised_by = "h1" },
  { kind = "router", node = "h1", router = "fe80::2%ne0", interface = "ne0", flags = "M" },
  { kind = "route", node = "h1", destination = "default", gateway = "fe80::1%ne0", flags = "UG", mtu = 1500 },
  { kind = "address", node = "h1", prefix = "2001:db8::/64", flags = "autoconf" },
  { kind = "address", node = "h1", address = "2001:db8::1", flags = ["autoconf", "!tentative"], at = "end" },
  { kind = "sysctl", node = "h1", name = "net.inet6.ip6.hlim", equals = 3 },
  { kind = "counter", node = "h1", name = "ip6.total", min = 1, max = 9 },
  { kind = "packet", filter = "icmpv6", link = "lan", min = 2, before = "5s", after = "udp", within = "1s" },
  { kind = "drop", reason = "FWD_HLIM", node = "h1", max = 3 },
  { kind = "command", line = "^ping6", status = 0 },
  { kind = "output", node = "h1", line = "ndp", matches = "R$", pass = "yes", fail = "no" },
  { kind = "not", checks = [{ kind = "any", checks = [{ kind = "all", checks = [] }] }] },
]
"""


def validate(text: str) -> None:
    """Raises jsonschema.ValidationError if the schema refuses the lab."""
    tree: Any = tomllib.loads(text)
    if isinstance(tree.get("epoch"), datetime.datetime):
        tree["epoch"] = tree["epoch"].isoformat()
    jsonschema.validate(tree, json_schema(), cls=jsonschema.Draft202012Validator)


def test_the_schema_is_itself_valid_and_is_json() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


def test_schema_and_loader_take_the_shipped_labs() -> None:
    labs = list_labs()
    assert labs
    for source in labs:
        validate(source.text)
        load_lab(source.text, source.path)


def test_schema_and_loader_take_a_lab_with_every_key() -> None:
    validate(FULL)
    lab = load_lab(FULL, "full.toml")
    assert len(lab.tasks[0].checks) == 13


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("minutes", "minuets"),
        ("fe80::1/64", "fe80::g/64"),
        ("fe80::1/64", "fe80::1"),
        ('"2:0:0:0:0:1", addresses', '"2:0:0:0:0", addresses'),
        ('"1.5 ms"', '"1.5 msec"'),
        ('"1.5 ms"', "15"),
        ('"manual"', '"manuel"'),
        ('"ppp"', '"pppp"'),
        ("format = 1", "format = 2"),
        ("format = 1", ""),
        ('"drop"', '"drops"'),
        ("[nodes.h1]", "[nodes.H1]"),
        ("[nodes.h1]", "[nodes.all]"),
        ("mtu = 1280", "mtu = 1279"),
        ('"!tentative"', '"!tentativ"'),
        ("duplicate = 0.5", "duplicate = 1.5"),
        ("queue = 5", "queue = 0"),
    ],
)
def test_the_schema_refuses_what_it_can(old: str, new: str) -> None:
    assert old in FULL
    with pytest.raises(jsonschema.ValidationError):
        validate(FULL.replace(old, new))
