"""PF_KEY version 2 messages: the octets that key daemons, setkey and a node's kernel exchange.

RFC 2367 with KAME's extensions (KAME net/pfkeyv2.h). Host order is little-endian on every node so that runs repeat;
SPIs and ports stand in network order as everywhere. Lengths in messages count 8-octet units. Socket addresses have
4.4BSD's layout (length, family, port, ...; AF_INET 2, AF_INET6 28); an IPv6 zone is the scope id, never embedded.

`Message` holds a message as values, `build` and `parse` go to octets and back. The length of a policy request counts
octets (KAME's quirk), its request id has 16 bits.

Left out: NAT traversal extensions, the contents of sensitivity extensions (kept as octets).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

PF_KEY_V2: Final = 2
HEADER_LEN: Final = 16

# Message types.
SADB_GETSPI: Final = 1
SADB_UPDATE: Final = 2
SADB_ADD: Final = 3
SADB_DELETE: Final = 4
SADB_GET: Final = 5
SADB_ACQUIRE: Final = 6
SADB_REGISTER: Final = 7
SADB_EXPIRE: Final = 8
SADB_FLUSH: Final = 9
SADB_DUMP: Final = 10
SADB_X_PROMISC: Final = 11
SADB_X_PCHANGE: Final = 12
SADB_X_SPDUPDATE: Final = 13
SADB_X_SPDADD: Final = 14
SADB_X_SPDDELETE: Final = 15
SADB_X_SPDGET: Final = 16
SADB_X_SPDACQUIRE: Final = 17
SADB_X_SPDDUMP: Final = 18
SADB_X_SPDFLUSH: Final = 19
SADB_X_SPDSETIDX: Final = 20
SADB_X_SPDEXPIRE: Final = 21
SADB_X_SPDDELETE2: Final = 22
SADB_MAX: Final = 22

TYPE_NAMES: Final = (
    "reserved",
    "getspi",
    "update",
    "add",
    "delete",
    "get",
    "acquire",
    "register",
    "expire",
    "flush",
    "dump",
    "x_promisc",
    "x_pchange",
    "x_spdupdate",
    "x_spdadd",
    "x_spddelete",
    "x_spdget",
    "x_spdacquire",
    "x_spddump",
    "x_spdflush",
    "x_spdsetidx",
    "x_spdexpire",
    "x_spddelete2",
)
"""By message type, as ``netstat -s -p pfkey`` names them."""

# Kinds of SA.
SADB_SATYPE_UNSPEC: Final = 0
SADB_SATYPE_AH: Final = 2
SADB_SATYPE_ESP: Final = 3
SADB_SATYPE_RSVP: Final = 5
SADB_SATYPE_OSPFV2: Final = 6
SADB_SATYPE_RIPV2: Final = 7
SADB_SATYPE_MIP: Final = 8
SADB_X_SATYPE_IPCOMP: Final = 9

IPPROTO_ESP: Final = 50
IPPROTO_AH: Final = 51
IPPROTO_IPCOMP: Final = 108
SATYPE_PROTO: Final = {
    SADB_SATYPE_AH: IPPROTO_AH,
    SADB_SATYPE_ESP: IPPROTO_ESP,
    SADB_X_SATYPE_IPCOMP: IPPROTO_IPCOMP,
}
PROTO_SATYPE: Final = {proto: satype for satype, proto in SATYPE_PROTO.items()}
IPSEC_ULPROTO_ANY: Final = 255
"""The upper protocol "any"."""

# Extensions.
SADB_EXT_SA: Final = 1
SADB_EXT_LIFETIME_CURRENT: Final = 2
SADB_EXT_LIFETIME_HARD: Final = 3
SADB_EXT_LIFETIME_SOFT: Final = 4
SADB_EXT_ADDRESS_SRC: Final = 5
SADB_EXT_ADDRESS_DST: Final = 6
SADB_EXT_ADDRESS_PROXY: Final = 7
SADB_EXT_KEY_AUTH: Final = 8
SADB_EXT_KEY_ENCRYPT: Final = 9
SADB_EXT_IDENTITY_SRC: Final = 10
SADB_EXT_IDENTITY_DST: Final = 11
SADB_EXT_SENSITIVITY: Final = 12
SADB_EXT_PROPOSAL: Final = 13
SADB_EXT_SUPPORTED_AUTH: Final = 14
SADB_EXT_SUPPORTED_ENCRYPT: Final = 15
SADB_EXT_SPIRANGE: Final = 16
SADB_X_EXT_KMPRIVATE: Final = 17
SADB_X_EXT_POLICY: Final = 18
SADB_X_EXT_SA2: Final = 19
SADB_X_EXT_TAG: Final = 20

# SA flags.
SADB_X_EXT_OLD: Final = 0x0001
SADB_X_EXT_IV4B: Final = 0x0010
SADB_X_EXT_DERIV: Final = 0x0020
SADB_X_EXT_CYCSEQ: Final = 0x0040
SADB_X_EXT_RAWCPI: Final = 0x0080
SADB_X_EXT_PMASK: Final = 0x0300
SADB_X_EXT_PSEQ: Final = 0x0000
SADB_X_EXT_PRAND: Final = 0x0100
SADB_X_EXT_PZERO: Final = 0x0200
SADB_X_EXT_ESN: Final = 0x0400
"""Beyond the seed: 64-bit sequence numbers (RFC 4304); the bit is ours."""

# SA states.
SADB_SASTATE_LARVAL: Final = 0
SADB_SASTATE_MATURE: Final = 1
SADB_SASTATE_DYING: Final = 2
SADB_SASTATE_DEAD: Final = 3
STATE_NAMES: Final = ("larval", "mature", "dying", "dead")

# Algorithms.
SADB_AALG_NONE: Final = 0
SADB_AALG_MD5HMAC: Final = 2
SADB_AALG_SHA1HMAC: Final = 3
SADB_X_AALG_SHA2_256: Final = 5
SADB_X_AALG_SHA2_384: Final = 6
SADB_X_AALG_SHA2_512: Final = 7
SADB_X_AALG_RIPEMD160HMAC: Final = 8
SADB_X_AALG_AES_XCBC_MAC: Final = 9
SADB_X_AALG_MD5: Final = 249
SADB_X_AALG_SHA: Final = 250
SADB_X_AALG_NULL: Final = 251
SADB_EALG_NONE: Final = 0
SADB_EALG_DESCBC: Final = 2
SADB_EALG_3DESCBC: Final = 3
SADB_X_EALG_RC5CBC: Final = 4
SADB_X_EALG_CAST128CBC: Final = 6
SADB_X_EALG_BLOWFISHCBC: Final = 7
SADB_EALG_NULL: Final = 11
SADB_X_EALG_AES: Final = 12
SADB_X_EALG_AESCTR: Final = 13
SADB_X_EALG_AES_GCM_16: Final = 20
"""Beyond the seed: RFC 4106."""
SADB_X_EALG_CHACHA20POLY1305: Final = 252
"""Beyond the seed: RFC 7634; the number is ours."""
SADB_X_EALG_TWOFISHCBC: Final = 253
SADB_X_CALG_NONE: Final = 0
SADB_X_CALG_OUI: Final = 1
SADB_X_CALG_DEFLATE: Final = 2
SADB_X_CALG_LZS: Final = 3

# Policies (KAME netinet6/ipsec.h).
IPSEC_POLICY_DISCARD: Final = 0
IPSEC_POLICY_NONE: Final = 1
IPSEC_POLICY_IPSEC: Final = 2
IPSEC_POLICY_ENTRUST: Final = 3
IPSEC_POLICY_BYPASS: Final = 4
POLICY_NAMES: Final = ("discard", "none", "ipsec", "entrust", "bypass")
IPSEC_DIR_ANY: Final = 0
IPSEC_DIR_INBOUND: Final = 1
IPSEC_DIR_OUTBOUND: Final = 2
DIR_NAMES: Final = ("any", "in", "out")
IPSEC_MODE_ANY: Final = 0
IPSEC_MODE_TRANSPORT: Final = 1
IPSEC_MODE_TUNNEL: Final = 2
MODE_NAMES: Final = ("any", "transport", "tunnel")
IPSEC_LEVEL_DEFAULT: Final = 0
IPSEC_LEVEL_USE: Final = 1
IPSEC_LEVEL_REQUIRE: Final = 2
IPSEC_LEVEL_UNIQUE: Final = 3
LEVEL_NAMES: Final = ("default", "use", "require", "unique")
IPSEC_MANUAL_REQID_MAX: Final = 0x3FFF
"""Request ids above are the kernel's to give."""

# What a refusal is called; the numbers are BSD's, as in core.errors.
EINVAL: Final = 22
EAFNOSUPPORT: Final = 47

AF_INET: Final = 2
AF_INET6: Final = 28
_SIN_LEN: Final = 16
_SIN6_LEN: Final = 28

_HEADER = struct.Struct("<BBBBHHII")
_EXT = struct.Struct("<HH")
_LIFETIME = struct.Struct("<IQQQ")
_COMB = struct.Struct("<BBHHHHHIIIQQQQQQ")
_ALG = struct.Struct("<BBHHxx")
_POLICY = struct.Struct("<HBBII")
_REQUEST = struct.Struct("<HHBBH")


class PfkeyError(ValueError):
    """Octets that are no PF_KEY message, or values that fit into none.

    `errno` is BSD's number; `cause` the counter of ``netstat -s -p pfkey`` that it feeds (KAME pfkeystat): tooshort,
    invlen, invver, invmsgtype, dupext, invexttype, invaddr; "request", which no counter counts, for a policy request.
    `header` is the message without extensions, where the 16 octets of the header were there.
    """

    def __init__(self, errno: int, cause: str, reason: str, header: Message | None = None) -> None:
        super().__init__(errno, cause, reason)
        self.errno = errno
        self.cause = cause
        self.reason = reason
        self.header = header

    def __str__(self) -> str:
        return self.reason


class Sockaddr(NamedTuple):
    """A socket address. `addr` has 4 or 16 octets, or none: what a transport request carries (BSD ``sockaddr``)."""

    addr: bytes = b""
    port: int = 0
    scope: int = 0
    """The zone of an IPv6 address; 0 where none is meant."""


NO_ADDRESS: Final = Sockaddr()


class Sa(NamedTuple):
    """``sadb_sa``. The SPI in the order in which one reads it."""

    spi: int
    replay: int = 0
    """Octets of the replay window."""
    state: int = SADB_SASTATE_MATURE
    auth: int = 0
    encrypt: int = 0
    """Of IPComp the compression."""
    flags: int = 0


class Lifetime(NamedTuple):
    """``sadb_lifetime``; `kind` is the extension: current, hard or soft. Times are seconds; 0 is no limit."""

    kind: int
    allocations: int = 0
    octets: int = 0
    addtime: int = 0
    usetime: int = 0


class Address(NamedTuple):
    """``sadb_address``; `kind` is the extension: source, destination or proxy. `proto` is the upper protocol."""

    kind: int
    sockaddr: Sockaddr
    plen: int
    proto: int = IPSEC_ULPROTO_ANY


class Key(NamedTuple):
    """``sadb_key``; `kind` is the extension: authentication or encryption."""

    kind: int
    data: bytes

    @property
    def bits(self) -> int:
        return len(self.data) * 8


class Ident(NamedTuple):
    """``sadb_ident``; `kind` is the extension, `type` 1 prefix 2 fqdn 3 user-fqdn."""

    kind: int
    type: int
    id: int = 0
    name: bytes = b""


class Sensitivity(NamedTuple):
    """``sadb_sens``: kept as it came."""

    data: bytes


class Comb(NamedTuple):
    """``sadb_comb``: one way to make an SA. Key lengths in bits, times in seconds."""

    auth: int = 0
    encrypt: int = 0
    flags: int = 0
    auth_minbits: int = 0
    auth_maxbits: int = 0
    encrypt_minbits: int = 0
    encrypt_maxbits: int = 0
    reserved: int = 0
    soft_allocations: int = 0
    hard_allocations: int = 0
    soft_octets: int = 0
    hard_octets: int = 0
    soft_addtime: int = 0
    hard_addtime: int = 0
    soft_usetime: int = 0
    hard_usetime: int = 0


class Proposal(NamedTuple):
    """``sadb_prop``: what an acquire asks for, best first."""

    combs: tuple[Comb, ...]
    replay: int = 0


class Alg(NamedTuple):
    """``sadb_alg``: key lengths in bits, IV in octets."""

    id: int
    ivlen: int
    minbits: int
    maxbits: int


class Supported(NamedTuple):
    """``sadb_supported``; `kind` is the extension: authentication or encryption."""

    kind: int
    algorithms: tuple[Alg, ...]


class SpiRange(NamedTuple):
    """``sadb_spirange``: both ends belong to it."""

    min: int
    max: int


class Request(NamedTuple):
    """``sadb_x_ipsecrequest``: one transform that a policy asks for. Levels and modes by number; not checked here."""

    proto: int
    mode: int
    level: int
    reqid: int = 0
    src: Sockaddr = NO_ADDRESS
    dst: Sockaddr = NO_ADDRESS


class Policy(NamedTuple):
    """``sadb_x_policy`` with its requests, first the innermost."""

    type: int
    dir: int
    id: int = 0
    requests: tuple[Request, ...] = ()


class Sa2(NamedTuple):
    """``sadb_x_sa2``: mode, present sequence number, request id."""

    mode: int
    sequence: int = 0
    reqid: int = 0


class Tag(NamedTuple):
    """``sadb_x_tag``: the packet filter's tag that a policy goes by."""

    name: bytes


Extension: TypeAlias = (
    Sa | Lifetime | Address | Key | Ident | Sensitivity | Proposal | Supported | SpiRange | Policy | Sa2 | Tag
)


class Message(NamedTuple):
    """One message. `reserved` carries the reference count in answers to get and dump (KAME key_setdumpsa)."""

    type: int
    satype: int = SADB_SATYPE_UNSPEC
    seq: int = 0
    pid: int = 0
    errno: int = 0
    extensions: tuple[Extension, ...] = ()
    reserved: int = 0
    payload: bytes = b""
    """What a x_promisc message wraps: a whole message."""

    def get(self, kind: int) -> Extension | None:
        """The extension of that number, if the message has it."""
        for extension in self.extensions:
            if exttype(extension) == kind:
                return extension
        return None


def exttype(extension: Extension) -> int:
    """The number of an extension (``SADB_EXT_...``)."""
    if isinstance(extension, (Lifetime, Address, Key, Ident, Supported)):
        return extension.kind
    return _FIXED[type(extension)]


_FIXED: Final[dict[type, int]] = {
    Sa: SADB_EXT_SA,
    Sensitivity: SADB_EXT_SENSITIVITY,
    Proposal: SADB_EXT_PROPOSAL,
    SpiRange: SADB_EXT_SPIRANGE,
    Policy: SADB_X_EXT_POLICY,
    Sa2: SADB_X_EXT_SA2,
    Tag: SADB_X_EXT_TAG,
}


def build(message: Message) -> bytes:
    """The octets of a message. PfkeyError (EINVAL, invlen): a value does not fit its field."""
    try:
        body = message.payload + b"".join(build_extension(extension) for extension in message.extensions)
        return (
            _HEADER.pack(
                PF_KEY_V2,
                message.type,
                message.errno,
                message.satype,
                (HEADER_LEN + len(body)) // 8,
                message.reserved,
                message.seq,
                message.pid,
            )
            + body
        )
    except struct.error as error:
        raise PfkeyError(EINVAL, "invlen", f"a value does not fit its field: {error}") from None


def build_extension(extension: Extension) -> bytes:
    """The octets of one extension with its header: the form of socket options too (``sadb_x_policy``)."""
    body = _body(extension)
    body += bytes(-(4 + len(body)) % 8)
    return _EXT.pack((4 + len(body)) // 8, exttype(extension)) + body


def parse(data: bytes) -> Message:
    """A message's values. PfkeyError: see there; checks come in KAME's order (key_output, key_parse, key_align)."""
    if len(data) < HEADER_LEN:
        raise PfkeyError(EINVAL, "tooshort", f"{len(data)} octets are no message")
    version, kind, errno, satype, length, reserved, seq, pid = _HEADER.unpack_from(data)
    header = Message(kind, satype, seq, pid, errno, (), reserved)
    if length * 8 != len(data):
        raise PfkeyError(EINVAL, "invlen", f"length {length * 8} in a message of {len(data)} octets", header)
    if version != PF_KEY_V2:
        raise PfkeyError(EINVAL, "invver", f"version {version}", header)
    if kind > SADB_MAX:
        raise PfkeyError(EINVAL, "invmsgtype", f"message type {kind}", header)
    if kind == SADB_X_PROMISC:
        return header._replace(payload=data[HEADER_LEN:])
    pieces = _split(data, header)
    extensions: list[Extension] = []
    for number, body in pieces:
        try:
            extensions.append(_PARSERS[number](number, body))
        except PfkeyError as error:
            error.header = header
            raise
    return header._replace(extensions=tuple(extensions))


def _split(data: bytes, header: Message) -> list[tuple[int, bytes]]:
    """The extensions' numbers and bodies, lengths checked."""
    pieces: list[tuple[int, bytes]] = []
    seen: set[int] = set()
    offset = HEADER_LEN
    end = len(data)
    while offset < end:
        length, number = _EXT.unpack_from(data, offset)
        size = length * 8
        if number in seen:
            raise PfkeyError(EINVAL, "dupext", f"extension {number} twice", header)
        if number not in _PARSERS:
            raise PfkeyError(EINVAL, "invexttype", f"extension type {number}", header)
        least, most = _SIZES[number]
        if size < least or (most and size > most) or offset + size > end:
            raise PfkeyError(EINVAL, "invlen", f"extension {number} of {size} octets", header)
        seen.add(number)
        pieces.append((number, data[offset + 4 : offset + size]))
        offset += size
    return pieces


def parse_policy(data: bytes) -> Policy:
    """A bare ``sadb_x_policy`` as socket options carry it (KAME ipsec_set_policy(3)). PfkeyError if it is none."""
    if len(data) < 16:
        raise PfkeyError(EINVAL, "tooshort", f"{len(data)} octets are no policy")
    length, number = _EXT.unpack_from(data)
    if number != SADB_X_EXT_POLICY or length * 8 != len(data):
        raise PfkeyError(EINVAL, "invlen", f"extension {number}, length {length * 8} in {len(data)} octets")
    return _parse_policy(number, data[4:])


# -- extensions to octets ------------------------------------------------------------------------------------------


def build_sockaddr(address: Sockaddr) -> bytes:
    """4.4BSD's ``sockaddr_in``, ``sockaddr_in6``, or two zero octets for no address; not padded."""
    addr = address.addr
    if len(addr) == 16:
        return b"".join(
            (
                bytes((_SIN6_LEN, AF_INET6)),
                address.port.to_bytes(2, "big"),
                bytes(4),
                addr,
                struct.pack("<I", address.scope),
            )
        )
    if len(addr) == 4:
        return bytes((_SIN_LEN, AF_INET)) + address.port.to_bytes(2, "big") + addr + bytes(8)
    if not addr:
        return bytes(2)
    raise PfkeyError(EAFNOSUPPORT, "invaddr", f"an address of {len(addr)} octets")


def _body(extension: Extension) -> bytes:
    if isinstance(extension, Sa):
        return extension.spi.to_bytes(4, "big") + struct.pack(
            "<BBBBI", extension.replay, extension.state, extension.auth, extension.encrypt, extension.flags
        )
    if isinstance(extension, Lifetime):
        return _LIFETIME.pack(*extension[1:])
    if isinstance(extension, Address):
        return struct.pack("<BBxx", extension.proto, extension.plen) + build_sockaddr(extension.sockaddr)
    if isinstance(extension, Key):
        return struct.pack("<Hxx", len(extension.data) * 8) + extension.data
    if isinstance(extension, Ident):
        name = extension.name + b"\0" if extension.name else b""
        return struct.pack("<HxxQ", extension.type, extension.id) + name
    if isinstance(extension, Sensitivity):
        return extension.data
    if isinstance(extension, Proposal):
        return struct.pack("<Bxxx", extension.replay) + b"".join(_COMB.pack(*comb) for comb in extension.combs)
    if isinstance(extension, Supported):
        return bytes(4) + b"".join(_ALG.pack(*alg) for alg in extension.algorithms)
    if isinstance(extension, SpiRange):
        return struct.pack("<IIxxxx", extension.min, extension.max)
    if isinstance(extension, Policy):
        requests = b"".join(_request(request) for request in extension.requests)
        return _POLICY.pack(extension.type, extension.dir, 0, extension.id, 0) + requests
    if isinstance(extension, Sa2):
        return struct.pack("<BxxxII", extension.mode, extension.sequence, extension.reqid)
    return extension.name[:63].ljust(64, b"\0")


def _request(request: Request) -> bytes:
    addresses = b""
    if request.src.addr or request.dst.addr:
        addresses = build_sockaddr(request.src) + build_sockaddr(request.dst)
        addresses += bytes(-len(addresses) % 8)
    size = _REQUEST.size + len(addresses)
    return _REQUEST.pack(size, request.proto, request.mode, request.level, request.reqid) + addresses


# -- octets to extensions ------------------------------------------------------------------------------------------


def _sockaddr(data: bytes) -> tuple[Sockaddr, int]:
    """A socket address at the beginning of `data`, and the octets that it takes."""
    size, family = data[0], data[1]
    if family == AF_INET6:
        if size != _SIN6_LEN or len(data) < size:
            raise PfkeyError(EINVAL, "invaddr", f"an IPv6 socket address of {size} octets")
        return (
            Sockaddr(data[8:24], int.from_bytes(data[2:4], "big"), int.from_bytes(data[24:28], "little")),
            size,
        )
    if family == AF_INET:
        if size != _SIN_LEN or len(data) < size:
            raise PfkeyError(EINVAL, "invaddr", f"an IPv4 socket address of {size} octets")
        return Sockaddr(data[4:8], int.from_bytes(data[2:4], "big")), size
    raise PfkeyError(EAFNOSUPPORT, "invaddr", f"address family {family}")


def _parse_sa(number: int, body: bytes) -> Sa:
    return Sa(int.from_bytes(body[:4], "big"), *struct.unpack_from("<BBBBI", body, 4))


def _parse_lifetime(number: int, body: bytes) -> Lifetime:
    return Lifetime(number, *_LIFETIME.unpack(body))


def _parse_address(number: int, body: bytes) -> Address:
    proto, plen = body[0], body[1]
    if len(body) - 4 != body[4] + -(8 + body[4]) % 8:
        raise PfkeyError(EINVAL, "invlen", f"a socket address of {body[4]} octets in an extension of {len(body) + 4}")
    return Address(number, _sockaddr(body[4:])[0], plen, proto)


def _parse_key(number: int, body: bytes) -> Key:
    size = (int.from_bytes(body[:2], "little") + 7) // 8
    if size > len(body) - 4:
        raise PfkeyError(EINVAL, "invlen", f"a key of {size} octets in {len(body) - 4}")
    return Key(number, body[4 : 4 + size])


def _parse_ident(number: int, body: bytes) -> Ident:
    kind, number_ = struct.unpack_from("<HxxQ", body)
    return Ident(number, kind, number_, body[12:].split(b"\0", 1)[0])


def _parse_sensitivity(number: int, body: bytes) -> Sensitivity:
    return Sensitivity(body)


def _parse_proposal(number: int, body: bytes) -> Proposal:
    if (len(body) - 4) % _COMB.size:
        raise PfkeyError(EINVAL, "invlen", f"a proposal of {len(body) - 4} octets")
    return Proposal(tuple(Comb(*fields) for fields in _COMB.iter_unpack(body[4:])), body[0])


def _parse_supported(number: int, body: bytes) -> Supported:
    return Supported(number, tuple(Alg(*fields) for fields in _ALG.iter_unpack(body[4:])))


def _parse_spirange(number: int, body: bytes) -> SpiRange:
    return SpiRange(*struct.unpack_from("<II", body))


def _parse_policy(number: int, body: bytes) -> Policy:
    kind, direction, _reserved, ident, _priority = _POLICY.unpack_from(body)
    requests: list[Request] = []
    offset = _POLICY.size
    while offset < len(body):
        if len(body) - offset < _REQUEST.size:
            raise PfkeyError(EINVAL, "request", "a policy request cut off")
        size, proto, mode, level, reqid = _REQUEST.unpack_from(body, offset)
        if size < _REQUEST.size or size % 8 or offset + size > len(body):
            raise PfkeyError(EINVAL, "request", f"a policy request of {size} octets")
        src = dst = NO_ADDRESS
        rest = body[offset + _REQUEST.size : offset + size]
        if rest and rest[0]:
            src, used = _sockaddr(rest)
            if len(rest) < used + 2:
                raise PfkeyError(EINVAL, "request", "a policy request with one address")
            dst, _used = _sockaddr(rest[used:])
        requests.append(Request(proto, mode, level, reqid, src, dst))
        offset += size
    return Policy(kind, direction, ident, tuple(requests))


def _parse_sa2(number: int, body: bytes) -> Sa2:
    return Sa2(*struct.unpack_from("<BxxxII", body))


def _parse_tag(number: int, body: bytes) -> Tag:
    return Tag(body.split(b"\0", 1)[0])


_PARSERS: Final[dict[int, Callable[[int, bytes], Extension]]] = {
    SADB_EXT_SA: _parse_sa,
    SADB_EXT_LIFETIME_CURRENT: _parse_lifetime,
    SADB_EXT_LIFETIME_HARD: _parse_lifetime,
    SADB_EXT_LIFETIME_SOFT: _parse_lifetime,
    SADB_EXT_ADDRESS_SRC: _parse_address,
    SADB_EXT_ADDRESS_DST: _parse_address,
    SADB_EXT_ADDRESS_PROXY: _parse_address,
    SADB_EXT_KEY_AUTH: _parse_key,
    SADB_EXT_KEY_ENCRYPT: _parse_key,
    SADB_EXT_IDENTITY_SRC: _parse_ident,
    SADB_EXT_IDENTITY_DST: _parse_ident,
    SADB_EXT_SENSITIVITY: _parse_sensitivity,
    SADB_EXT_PROPOSAL: _parse_proposal,
    SADB_EXT_SUPPORTED_AUTH: _parse_supported,
    SADB_EXT_SUPPORTED_ENCRYPT: _parse_supported,
    SADB_EXT_SPIRANGE: _parse_spirange,
    SADB_X_EXT_POLICY: _parse_policy,
    SADB_X_EXT_SA2: _parse_sa2,
    SADB_X_EXT_TAG: _parse_tag,
}

_SIZES: Final[dict[int, tuple[int, int]]] = {
    SADB_EXT_SA: (16, 16),
    SADB_EXT_LIFETIME_CURRENT: (32, 32),
    SADB_EXT_LIFETIME_HARD: (32, 32),
    SADB_EXT_LIFETIME_SOFT: (32, 32),
    SADB_EXT_ADDRESS_SRC: (16, 0),
    SADB_EXT_ADDRESS_DST: (16, 0),
    SADB_EXT_ADDRESS_PROXY: (16, 0),
    SADB_EXT_KEY_AUTH: (8, 0),
    SADB_EXT_KEY_ENCRYPT: (8, 0),
    SADB_EXT_IDENTITY_SRC: (16, 0),
    SADB_EXT_IDENTITY_DST: (16, 0),
    SADB_EXT_SENSITIVITY: (16, 0),
    SADB_EXT_PROPOSAL: (8, 0),
    SADB_EXT_SUPPORTED_AUTH: (8, 0),
    SADB_EXT_SUPPORTED_ENCRYPT: (8, 0),
    SADB_EXT_SPIRANGE: (16, 16),
    SADB_X_EXT_POLICY: (16, 0),
    SADB_X_EXT_SA2: (16, 16),
    SADB_X_EXT_TAG: (72, 72),
}
"""Least and most octets of an extension with its header; 0: no limit but the message (KAME key.c minsize, maxsize)."""
