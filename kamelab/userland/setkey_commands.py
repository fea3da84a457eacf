"""From setkey's commands to PF_KEY messages (RFC 2367, KAME `setkey/parse.y`, `libipsec/pfkey.c`).

Here names become addresses, ports and protocol numbers, and keys are measured against the list of algorithms that the
kernel gave (ipsec_check_keylen(3)). What only the kernel can judge is left to it: its answer is told by line.

Left out: a name service; services and protocols are those of the tables here, hosts those of /etc/hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland import ipsec_policy, netdb
from kamelab.userland.netdb import GaiError
from kamelab.userland.setkey_grammar import Alg, Command, Range, Sa, SyntaxFault, Word, number
from kamelab.wire import pfkey
from kamelab.wire.pfkey import Message, Sockaddr

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

PROTOCOLS: Final = {
    "icmp": 1,
    "igmp": 2,
    "ip4": 4,
    "ipencap": 4,
    "tcp": 6,
    "egp": 8,
    "udp": 17,
    "ipv6": 41,
    "ipv6-route": 43,
    "ipv6-frag": 44,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmp6": 58,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ospf": 89,
    "etherip": 97,
    "pim": 103,
    "ipcomp": 108,
    "vrrp": 112,
    "sctp": 132,
}
"""/etc/protocols; ``ip4`` and ``icmp6`` are setkey's own words. The first name of a number is the one that is shown."""
ICMPV6: Final = 58

SERVICES: Final = {
    "echo": 7,
    "discard": 9,
    "daytime": 13,
    "chargen": 19,
    "ftp-data": 20,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "domain": 53,
    "tftp": 69,
    "finger": 79,
    "http": 80,
    "pop3": 110,
    "sunrpc": 111,
    "auth": 113,
    "nntp": 119,
    "ntp": 123,
    "imap": 143,
    "snmp": 161,
    "bgp": 179,
    "https": 443,
    "isakmp": 500,
    "syslog": 514,
    "ripng": 521,
    "dhcpv6-client": 546,
    "dhcpv6-server": 547,
}
"""/etc/services."""

MODES: Final = {name: code for code, name in enumerate(pfkey.MODE_NAMES)}
NO_SERVICE: Final = "servname not supported for ai_socktype"

Supported = dict[tuple[int, int], pfkey.Alg]
"""What SADB_REGISTER told: (SADB_EXT_SUPPORTED_..., number) to key lengths."""


def supported(answers: Iterable[Message]) -> Supported:
    """The algorithms that answers to SADB_REGISTER list."""
    return {
        (part.kind, alg.id): alg
        for answer in answers
        for part in answer.extensions
        if isinstance(part, pfkey.Supported)
        for alg in part.algorithms
    }


def messages(proc: Proc, command: Command, algorithms: Supported) -> list[Message]:
    """The messages of a command, one for each pair of addresses. Raises SyntaxFault for what the library refuses."""
    make = _MAKERS[command.kind]
    return [message._replace(pid=proc.pid) for message in make(proc, command, algorithms)]


def check_keylen(alg: Alg, kind: int, algorithms: Supported) -> None:
    """ipsec_check_keylen(3). Raises SyntaxFault that points at the key."""
    if not algorithms:
        raise alg.word.fault(ipsec_policy.DO_GET_SUPP_LIST)
    known = algorithms.get((kind, alg.number))
    if known is None:
        raise alg.name.fault(ipsec_policy.NOT_SUPPORTED)
    if not known.minbits <= 8 * len(alg.key) <= known.maxbits:
        raise alg.word.fault(ipsec_policy.INVAL_KEYLEN)


# -- addresses -----------------------------------------------------------------------------------------------------


def resolve(proc: Proc, word: Word, aiflags: str = "") -> list[Sockaddr]:
    """All addresses of a name in the order of /etc/hosts, or the one in numbers. Raises SyntaxFault.

    ``aiflags``: 4 and 6 keep one family (the last one given), n refuses names.
    """
    try:
        found = _addresses(proc, word.text, "n" in aiflags)
    except (GaiError, Errno) as error:
        raise word.fault(str(error)) from None
    family = next((letter for letter in reversed(aiflags) if letter in "46"), "")
    kept = [one for one in found if not family or len(one.addr) == (4 if family == "4" else 16)]
    if not kept:
        raise word.fault(str(GaiError()))
    return kept


def _addresses(proc: Proc, text: str, numeric: bool) -> list[Sockaddr]:
    address = ipsec_policy.numeric(proc, text)
    if address is not None:
        return [address]
    if numeric:
        raise GaiError
    name, zone = netdb.split_zone(text)
    found: list[Sockaddr] = []
    for line in proc.read_file(netdb.HOSTS).splitlines() if proc.exists(netdb.HOSTS) else ():
        words = line.partition("#")[0].split()
        if name.lower() not in [one.lower() for one in words[1:]]:
            continue
        host = words[0] if not zone or "%" in words[0] else f"{words[0]}%{zone}"
        address = ipsec_policy.numeric(proc, host)
        if address is not None and address not in found:
            found.append(address)
    return found


def _pairs(proc: Proc, command: Command) -> list[tuple[Sockaddr, Sockaddr]]:
    """Each source with each destination of its family."""
    assert command.src is not None
    assert command.dst is not None
    sources = resolve(proc, command.src, command.aiflags)
    targets = resolve(proc, command.dst, command.aiflags)
    pairs = [(src, dst) for src in sources for dst in targets if len(src.addr) == len(dst.addr)]
    if not pairs:
        raise command.dst.fault(ipsec_policy.FAMILY_MISMATCH)
    return pairs


def _host(kind: int, address: Sockaddr) -> pfkey.Address:
    return pfkey.Address(kind, address, 8 * len(address.addr), pfkey.IPSEC_ULPROTO_ANY)


def _ends(src: Sockaddr, dst: Sockaddr) -> tuple[pfkey.Address, pfkey.Address]:
    return _host(pfkey.SADB_EXT_ADDRESS_SRC, src), _host(pfkey.SADB_EXT_ADDRESS_DST, dst)


# -- associations --------------------------------------------------------------------------------------------------


def _satype(command: Command) -> int:
    return pfkey.PROTO_SATYPE[command.protocol.proto] if command.protocol else pfkey.SADB_SATYPE_UNSPEC


def _add(proc: Proc, command: Command, algorithms: Supported) -> list[Message]:
    sa = command.sa
    assert sa is not None
    keys: list[pfkey.Extension] = []
    for alg, kind, listed in (
        (sa.auth, pfkey.SADB_EXT_KEY_AUTH, pfkey.SADB_EXT_SUPPORTED_AUTH),
        (sa.enc, pfkey.SADB_EXT_KEY_ENCRYPT, pfkey.SADB_EXT_SUPPORTED_ENCRYPT),
    ):
        if alg is None:
            continue
        check_keylen(alg, listed, algorithms)
        keys.append(pfkey.Key(kind, alg.key))  # null's may be empty, but the kernel wants to see one
    rest = (*_lifetimes(sa), *keys)
    base = _sa(command, sa), pfkey.Sa2(MODES[sa.mode], 0, sa.reqid)
    return [
        Message(pfkey.SADB_ADD, _satype(command), extensions=(*base, *_ends(src, dst), *rest))
        for src, dst in _pairs(proc, command)
    ]


def _sa(command: Command, sa: Sa) -> pfkey.Sa:
    transform = sa.comp or sa.enc
    return pfkey.Sa(
        command.spi,
        sa.replay,
        pfkey.SADB_SASTATE_LARVAL,
        sa.auth.number if sa.auth else 0,
        transform.number if transform else 0,
        sa.flags | (pfkey.SADB_X_EXT_ESN if sa.esn else 0),
    )


def _lifetimes(sa: Sa) -> list[pfkey.Extension]:
    """A limit that is 0 is not sent; the kernel refuses one without the other."""
    limits = ((pfkey.SADB_EXT_LIFETIME_HARD, sa.hard), (pfkey.SADB_EXT_LIFETIME_SOFT, sa.soft))
    return [pfkey.Lifetime(kind, addtime=seconds) for kind, seconds in limits if seconds]


def _by_spi(proc: Proc, command: Command, algorithms: Supported) -> list[Message]:
    """get and delete; deleteall has no SPI."""
    kind = pfkey.SADB_GET if command.kind == "get" else pfkey.SADB_DELETE
    sa = () if command.kind == "deleteall" else (pfkey.Sa(command.spi, state=pfkey.SADB_SASTATE_LARVAL),)
    pairs = _pairs(proc, command)
    return [Message(kind, _satype(command), extensions=(*sa, *_ends(src, dst))) for src, dst in pairs]


def _short(proc: Proc, command: Command, algorithms: Supported) -> list[Message]:
    """Messages without extensions."""
    return [Message(_SHORT[command.kind], _satype(command))]


_SHORT: Final = {
    "flush": pfkey.SADB_FLUSH,
    "dump": pfkey.SADB_DUMP,
    "spdflush": pfkey.SADB_X_SPDFLUSH,
    "spddump": pfkey.SADB_X_SPDDUMP,
}


# -- policies ------------------------------------------------------------------------------------------------------


def _policy(proc: Proc, command: Command, bare: bool) -> pfkey.Policy:
    """The text behind ``-P``; a mistake in it points at its token's own line."""
    word = command.policy
    assert word is not None
    try:
        return ipsec_policy.parse(proc, word.text, bare)
    except ipsec_policy.PolicyError as error:
        line = word.line + word.text[: error.at].count("\n")
        raise PolicyFault(line, error) from None


class PolicyFault(SyntaxFault):
    """A mistake in a policy: libipsec's line comes before setkey's own."""

    def __init__(self, line: int, error: ipsec_policy.PolicyError) -> None:
        super().__init__(line, error.message, error.token)
        self.library = str(error)


def _selector(proc: Proc, command: Command) -> tuple[pfkey.Address, pfkey.Address]:
    assert command.ranges is not None
    first, second = command.ranges
    proto = _upper(command.upper)
    src, dst = (_range(proc, one, command.aiflags) for one in (first, second))
    if command.misc is not None:
        kind, code = _misc(command.misc, proto)
        src, dst = (src[0]._replace(port=kind), src[1]), (dst[0]._replace(port=code), dst[1])
    return (
        pfkey.Address(pfkey.SADB_EXT_ADDRESS_SRC, *src, proto),
        pfkey.Address(pfkey.SADB_EXT_ADDRESS_DST, *dst, proto),
    )


def _range(proc: Proc, one: Range, aiflags: str) -> tuple[Sockaddr, int]:
    """Address with port, and prefix length."""
    found = resolve(proc, one.address, aiflags)
    if len(found) > 1:
        raise one.address.fault("multiple address specified")
    plen = 8 * len(found[0].addr) if one.plen is None else number(one.plen, 0xFF, ipsec_policy.INVAL_PREFIXLEN)
    return found[0]._replace(port=_port(one.port)), plen


def _port(word: Word | None) -> int:
    """0 for any."""
    if word is None or word.text == "any":
        return 0
    if word.text.isdecimal():
        return number(word, 0xFFFF, NO_SERVICE)
    if word.text not in SERVICES:
        raise word.fault(NO_SERVICE)
    return SERVICES[word.text]


def _upper(word: Word | None) -> int:
    assert word is not None
    text = word.text
    if text == "any":
        return pfkey.IPSEC_ULPROTO_ANY
    if text.isdecimal():
        return number(word, 0xFF, "invalid upper layer protocol")
    if text not in PROTOCOLS:
        raise word.fault("invalid upper layer protocol")
    return PROTOCOLS[text]


def _misc(word: Word, proto: int) -> tuple[int, int]:
    """ICMPv6 type and code."""
    if proto != ICMPV6:
        raise word.fault("syntax error")
    kind, comma, code = word.text.partition(",")
    values = [int(text) if text.isdecimal() and len(text) < 9 else -1 for text in (kind, code)]
    if not comma or not all(0 <= value <= 0xFF for value in values):
        raise word.fault("invalid upper layer protocol")
    return values[0], values[1]


def _spd(proc: Proc, command: Command, algorithms: Supported) -> list[Message]:
    """spdadd and spddelete; deleting needs no more of the policy than its direction."""
    delete = command.kind == "spddelete"
    ends = _selector(proc, command)
    policy = _policy(proc, command, delete)
    kind = pfkey.SADB_X_SPDDELETE if delete else pfkey.SADB_X_SPDADD
    return [Message(kind, extensions=(policy, *ends))]


def _spdtagged(proc: Proc, command: Command, algorithms: Supported) -> list[Message]:
    assert command.tag is not None
    tag = pfkey.Tag(command.tag.text[1:-1].encode("utf-8", "surrogateescape"))
    return [Message(pfkey.SADB_X_SPDADD, extensions=(_policy(proc, command, False), tag))]


_MAKERS: Final[dict[str, Callable[[Proc, Command, Supported], list[Message]]]] = {
    "add": _add,
    "delete": _by_spi,
    "get": _by_spi,
    "deleteall": _by_spi,
    "spdadd": _spd,
    "spddelete": _spd,
    "spdtagged": _spdtagged,
    **dict.fromkeys(_SHORT, _short),
}
