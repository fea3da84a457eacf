"""The lab file as typed values, and its JSON Schema.

A lab is data: nothing here runs code or builds a network. The structs hold a lab *after* reading:
durations are nanoseconds, rates bits per second, probabilities 0.0 .. 1.0, addresses and MACs in canonical
text. The JSON Schema describes the *file*, where the same values are written as `50us`, `10Mbps`, `10%`.
`loader` turns the one into the other and finds what a schema can't.

Left out: what a lab's commands do, and whether a sysctl or counter of that name exists.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from kamelab.lab.units import DURATION_PATTERN, PROBABILITY_PATTERN, RATE_PATTERN, parse_duration
from kamelab.wire import ether, in6

FORMAT = 1
"""The lab file format that this version reads."""

DEFAULT_EPOCH = 950_522_400_000_000_000
"""2000-02-14T10:00:00Z in nanoseconds since 1970: lab time at the start of a lab that names no `epoch`."""

NODE_PATTERN = r"^[a-z][a-z0-9-]*$"
INTERFACE_PATTERN = r"^[a-z]+[0-9]+$"
MIN_MTU = 1280
MAX_MTU = 65535

Level = Literal["beginner", "intermediate", "advanced"]
Role = Literal["host", "router", "manual"]
Platform = Literal["bsdi3", "freebsd2", "freebsd3", "freebsd4", "netbsd", "bsdi4", "openbsd"]
LinkKind = Literal["ethernet", "ppp"]
NeighborState = Literal["nostate", "incomplete", "reachable", "stale", "delay", "probe"]
Preference = Literal["high", "medium", "low"]
AddressFlag = Literal["tentative", "duplicated", "deprecated", "detached", "temporary", "anycast", "autoconf"]

LEVELS: tuple[str, ...] = get_args(Level)
ROLES: tuple[str, ...] = get_args(Role)
PLATFORMS: tuple[str, ...] = get_args(Platform)
LINK_KINDS: tuple[str, ...] = get_args(LinkKind)
NEIGHBOR_STATES: tuple[str, ...] = get_args(NeighborState)
PREFERENCES: tuple[str, ...] = get_args(Preference)
ADDRESS_FLAGS: tuple[str, ...] = get_args(AddressFlag)


def _written(**schema: Any) -> Meta:
    """What the file has in place of a value of the model; `json_schema` puts it there."""
    return Meta(extra_json_schema={_IN_FILE: schema})


_IN_FILE = "in-file"

Duration = Annotated[
    int,
    _written(
        type="string",
        pattern=DURATION_PATTERN,
        description="A duration: ns us ms s m h d, decimals allowed.",
        examples=["50us", "1.5s"],
    ),
]
"""Nanoseconds; `1.5s` in the file."""
Rate = Annotated[
    int,
    _written(type="string", pattern=RATE_PATTERN, description="A rate: bps kbps Mbps Gbps.", examples=["10Mbps"]),
]
"""Bits per second; `10Mbps` in the file."""
Probability = Annotated[
    float,
    _written(
        type=["string", "number"],
        pattern=PROBABILITY_PATTERN,
        minimum=0,
        maximum=1,
        description="A probability: 10% or 0.1.",
        examples=["10%", 0.1],
    ),
]
"""0.0 .. 1.0; `10%` or `0.1` in the file."""
Epoch = Annotated[
    int,
    _written(
        type="string",
        format="date-time",
        description="Lab time at boot, with its zone.",
        examples=["2000-02-14T10:00:00Z"],
    ),
]
"""Nanoseconds since 1970-01-01T00:00:00Z; a date and time with zone in the file."""
Moment = Annotated[
    int | str,
    _written(type="string", description="A duration since boot (5s) or a display filter.", examples=["5s"]),
]
"""Nanoseconds since boot, or the text of a display filter."""
_FLAG_SCHEMA: dict[str, Any] = {"type": "string", "pattern": "^!?(" + "|".join(ADDRESS_FLAGS) + ")$"}

NodeName = Annotated[str, Meta(pattern=NODE_PATTERN, extra_json_schema={"not": {"const": "all"}})]
LinkName = Annotated[str, Meta(pattern=NODE_PATTERN)]
InterfaceName = Annotated[str, Meta(pattern=INTERFACE_PATTERN)]
Mac = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}$"})]
Prefix = Annotated[str, Meta(extra_json_schema={"pattern": r"^[0-9A-Fa-f:.]+/[0-9]{1,3}$"})]
Address = Annotated[str, Meta(extra_json_schema={"pattern": r"^[0-9A-Fa-f:.]+(%[a-z]+[0-9]+)?$"})]
AddressFlags = Annotated[
    tuple[str, ...],
    _written(anyOf=[_FLAG_SCHEMA, {"type": "array", "items": _FLAG_SCHEMA}]),
]
Fault = Annotated[str, Meta(extra_json_schema={"pattern": r"^(loops|late: ?[0-9]+(\.[0-9]+)? ?(ns|us|ms|s|m|h|d))$"})]
"""`loops`, or `late:` and a duration."""
Mtu = Annotated[int, Meta(ge=MIN_MTU, le=MAX_MTU)]
Count = Annotated[int, Meta(ge=0)]


class Interface(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network interface of a node."""

    link: LinkName
    """Name of the link that it is plugged into."""
    mac: Mac = ""
    """Six octets with two digits each; the loader fills in 02:00:00:00:NN:II where the file has none."""
    addresses: tuple[Prefix, ...] = ()
    """Canonical `address/prefixlen` texts; an address brings the interface up at boot."""
    mtu: Mtu | None = None
    """Octets; None takes the link's."""
    up: bool = False
    """Up at boot even without an address."""
    faults: tuple[Fault, ...] = ()
    """Of its driver. `late:3s`: nothing goes out for 3 s after coming up; `loops`: its own multicast comes back."""
    simplex: bool = False
    """The driver refuses frames that carry the interface's own MAC as their source."""
    multicast: bool = True
    """False: neither group nor link-local address nor duplicate address detection."""
    mac_late: bool = False
    """The driver finds the MAC only after the first `up`: it is there from the next `down` and `up` on."""
    description: str = ""
    """One line for people."""

    def lladdr(self) -> bytes:
        """The MAC as 6 octets."""
        return ether.mac_pton(self.mac)

    def late(self) -> int:
        """How late its driver is, ns."""
        return max((parse_duration(fault[5:].strip()) for fault in self.faults if fault.startswith("late:")), default=0)

    def prefixes(self) -> tuple[tuple[bytes, int], ...]:
        """The addresses as (16 octets with the host part, prefix length in bits)."""
        pairs = (text.split("/") for text in self.addresses)
        return tuple((in6.pton(address), int(plen)) for address, plen in pairs)


class Link(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One virtual wire; by default it is perfect: no delay, no loss, no limit of speed."""

    kind: LinkKind = "ethernet"
    switch: bool = False
    """False: a hub, everybody hears everything; True: a learning switch."""
    latency: Duration = 0
    """One way, sender to each receiver, nanoseconds."""
    bandwidth: Rate | None = None
    """Bits per second; None is without limit."""
    loss: Probability = 0.0
    queue: Annotated[int, Meta(ge=1)] | None = None
    """Frames that may wait for a limited bandwidth, the one on the wire among them; None: any number."""
    jitter: Duration = 0
    """Greatest extra delay, nanoseconds; it changes no order."""
    duplicate: Probability = 0.0
    reorder: Probability = 0.0
    """Of being held back so that later frames overtake."""
    corrupt: Probability = 0.0
    """Of one wrong bit."""
    mtu: Mtu = 1500
    """Octets of IPv6 packet that a frame may carry."""
    up: bool = True


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One machine: kernel, programs, files."""

    role: Role = "manual"
    """host: accept_rtadv 1, forwarding 0; router: 0, 1; manual: 0, 0. `sysctl` overrides it."""
    platform: Platform = "freebsd4"
    """The BSD under KAME: decides what sockets do about IPv4-mapped addresses (KAME IMPLEMENTATION 1.12)."""
    startup: tuple[str, ...] = ()
    """Program lines run at boot in a background shell of the node, without `NODE:`."""
    at: tuple[Count, Count] | None = None
    """Column and row on the map; None leaves the place to the layout."""
    interfaces: dict[InterfaceName, Interface] = {}
    files: dict[str, str] = {}
    """Absolute path to contents."""
    sysctl: dict[str, int | str] = {}
    """Full name (`net.inet6.ip6.dad_count`) to value, set first thing at boot."""


class CheckBase(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", rename={"pass_": "pass"}
):
    """What every kind of check has; a check without `at` latches at the first event after which it is true."""

    pass_: str | None = None
    """Shown when it has become true; `pass` in the file."""
    fail: str | None = None
    """Shown while it is not true."""
    at: Literal["end"] | None = None
    """"end": judged once, when the script or the learner says done."""


class NeighborCheck(CheckBase, frozen=True, kw_only=True, tag="neighbor"):
    """An entry of a node's neighbour cache, as `ndp -an` prints it."""

    node: NodeName
    address: Address
    state: NeighborState | None = None
    lladdr: Mac | None = None
    router: bool | None = None
    """The entry's R flag."""
    interface: InterfaceName | None = None


class PrefixCheck(CheckBase, frozen=True, kw_only=True, tag="prefix"):
    """An entry of a node's prefix list, as `ndp -p` prints it."""

    node: NodeName
    prefix: Prefix
    interface: InterfaceName | None = None
    flags: str | None = None
    """Letters that must all be there: `LAO`."""
    preference: Preference | None = None
    advertised_by: str | None = None
    """A router's node name or link-local address."""


class RouterCheck(CheckBase, frozen=True, kw_only=True, tag="router"):
    """An entry of a node's default router list, as `ndp -r` prints it."""

    node: NodeName
    router: str
    """A router's node name or link-local address."""
    interface: InterfaceName | None = None
    flags: str | None = None
    """Letters that must all be there: `MO`."""
    preference: Preference | None = None
    advertised_by: str | None = None


class RouteCheck(CheckBase, frozen=True, kw_only=True, tag="route"):
    """An entry of a node's routing table, as `netstat -rn` prints it."""

    node: NodeName
    destination: str
    """`default`, a prefix or an address, in canonical text."""
    gateway: str | None = None
    """An address, a MAC, `link#N` or a node's name."""
    flags: str | None = None
    """Letters that must all be there: `UG`."""
    interface: InterfaceName | None = None
    mtu: Count | None = None


class AddressCheck(CheckBase, frozen=True, kw_only=True, tag="address"):
    """An address of a node, as `ifconfig` prints it: by `address`, or any one under `prefix`."""

    node: NodeName
    address: Address | None = None
    prefix: Prefix | None = None
    interface: InterfaceName | None = None
    flags: AddressFlags = ()
    """Flags that must be set; `!tentative` must not be. The file takes one word or an array."""


class SaCheck(CheckBase, frozen=True, kw_only=True, tag="sa"):
    """A security association, as `setkey -D` prints it. `algorithm` is one of its two; `state` as `mature`."""

    node: NodeName
    src: str | None = None
    dst: str | None = None
    protocol: str | None = None
    spi: int | None = None
    mode: str | None = None
    state: str | None = None
    algorithm: str | None = None


class PolicyCheck(CheckBase, frozen=True, kw_only=True, tag="policy"):
    """A security policy, as `setkey -DP` prints it. `action` is discard, none or ipsec; `request` is one of its
    requests as programs write it, `esp/transport//require`. Of an address without `/length` any range that begins
    there will do.
    """

    node: NodeName
    src: str | None = None
    dst: str | None = None
    protocol: str | None = None
    mode: str | None = None
    direction: Literal["in", "out"] | None = None
    action: str | None = None
    request: str | None = None


class SysctlCheck(CheckBase, frozen=True, kw_only=True, tag="sysctl"):
    """A variable of a node's sysctl tree."""

    node: NodeName
    name: str
    equals: int | str | None = None
    min: int | None = None
    max: int | None = None


class CounterCheck(CheckBase, frozen=True, kw_only=True, tag="counter"):
    """A statistics counter of a node, as `netstat -s` prints it."""

    node: NodeName
    name: str
    equals: int | str | None = None
    min: int | None = None
    max: int | None = None


class PacketCheck(CheckBase, frozen=True, kw_only=True, tag="packet"):
    """Packets seen since the task's start that a display filter takes."""

    filter: str
    node: NodeName | None = None
    link: LinkName | None = None
    min: Count = 1
    max: Count | None = None
    before: Moment | None = None
    """Nanoseconds since boot, or a filter: only packets before then count. `5s` or a filter in the file.

    The filter is asked of what the check looks at, the packets at its `node` or on its `link`, each as that place saw
    it: a packet dropped elsewhere has no `reason` here. A border of another place wants a check without `node`.
    """
    after: Moment | None = None
    """As `before`: only packets after then count."""
    within: Duration | None = None
    """Greatest distance, nanoseconds, between the first and the last of `min` packets."""


class DropCheck(CheckBase, frozen=True, kw_only=True, tag="drop"):
    """Packets dropped since the task's start for one reason of the drop table."""

    reason: str
    node: NodeName | None = None
    min: Count = 1
    max: Count | None = None


class CommandCheck(CheckBase, frozen=True, kw_only=True, tag="command"):
    """A command that the learner has given since the task's start."""

    line: str
    """Regular expression, searched in the command line without its `NODE:`."""
    node: NodeName | None = None
    matches: str | None = None
    """Regular expression, searched in the command's output, `^` and `$` at each line."""
    status: Annotated[int, Meta(ge=0, le=255)] | None = None


class OutputCheck(CheckBase, frozen=True, kw_only=True, tag="output"):
    """The output of a command that the learner has given since the task's start.

    What a background job prints after its prompt has come back is no command's output: a lab has it write to a file,
    and asks for the line that reads the file.
    """

    line: str
    node: NodeName | None = None
    matches: str | None = None
    status: Annotated[int, Meta(ge=0, le=255)] | None = None


class NotCheck(CheckBase, frozen=True, kw_only=True, tag="not"):
    """None of the checks may ever hold from the task's start to its end."""

    checks: tuple[Check, ...]


class AllCheck(CheckBase, frozen=True, kw_only=True, tag="all"):
    """All of the checks."""

    checks: tuple[Check, ...]


class AnyCheck(CheckBase, frozen=True, kw_only=True, tag="any"):
    """One of the checks at least."""

    checks: tuple[Check, ...]


Check = (
    NeighborCheck
    | PrefixCheck
    | RouterCheck
    | RouteCheck
    | AddressCheck
    | SaCheck
    | PolicyCheck
    | SysctlCheck
    | CounterCheck
    | PacketCheck
    | DropCheck
    | CommandCheck
    | OutputCheck
    | NotCheck
    | AllCheck
    | AnyCheck
)

CHECK_TYPES: dict[str, type[CheckBase]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Check) if issubclass(kind, CheckBase)
}
"""Check kind, as the file names it, to its struct; in the order of the documentation."""


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of an exercise; it is done when all its checks hold."""

    title: str
    text: str = ""
    """Markdown."""
    hints: tuple[str, ...] = ()
    """From a nudge to nearly the answer."""
    solution: tuple[str, ...] = ()
    """Console lines that pass the task."""
    checks: tuple[Check, ...] = ()


class Lab(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole lab file."""

    format: Literal[1]
    title: str
    summary: str = ""
    level: Level = "beginner"
    minutes: Count | None = None
    """How long a learner needs, roughly."""
    references: tuple[str, ...] = ()
    seed: Count = 1
    """Every random choice derives from it."""
    epoch: Epoch = DEFAULT_EPOCH
    links: dict[LinkName, Link] = {}
    """In file order, as `nodes`, `interfaces` and `tasks` are."""
    nodes: dict[NodeName, Node]
    tasks: tuple[Task, ...] = ()


def keys(struct: type[Struct]) -> dict[str, bool]:
    """The keys that a table of the file may have, each with whether it must be there; `kind` of a check included."""
    tag = struct.__struct_config__.tag_field
    found = {tag: True} if tag is not None else {}
    found.update({field.encode_name: field.required for field in msgspec.structs.fields(struct)})
    return found


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a lab file, for editors; it refuses no file that `load_lab` takes.

    JSON has no dates: a reader that gives `epoch` as one must write it as text first.
    """
    schema = _as_in_file(msgspec.json.schema(Lab))
    schema["$defs"]["Lab"]["properties"]["nodes"]["minProperties"] = 1
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kamelab lab file",
        "description": "A network and the exercise on it, written in TOML.",
        **schema,
    }


def _as_in_file(schema: Any) -> Any:
    """The schema of the model turned into that of the file: other types for some values, and never null."""
    if isinstance(schema, list | tuple):
        return [_as_in_file(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if _IN_FILE in schema:
        return schema[_IN_FILE]
    choices = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    if len(choices) == 1:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        schema = {**choices[0], **rest}
        return _as_in_file(schema)
    if choices:
        schema = {**schema, "anyOf": choices}
    absent = (None, "") if "pattern" in schema else (None,)
    return {key: _as_in_file(value) for key, value in schema.items() if not (key == "default" and value in absent)}
