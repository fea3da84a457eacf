"""What setkey shows: associations (``-D``), policies (``-DP``), the short table (``-lD``), messages (``-x``, ``-v``).

KAME `libipsec/pfkey_dump.c`, `setkey.c` (shortdump), `netkey/key_debug.c`. Times are lab time, UTC. Left out: the
words "[E]" of early 2000, which had no SPIDs, times or send sequence numbers.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final

from kamelab.stack.netipsec.algorithms import AUTHS, COMPS, ENCS
from kamelab.userland import ipsec_policy
from kamelab.userland.ipsec_policy import address_text
from kamelab.userland.setkey_commands import ICMPV6, PROTOCOLS
from kamelab.wire import pfkey
from kamelab.wire.pfkey import Message

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

SATYPES: Final = {
    pfkey.SADB_SATYPE_AH: "ah",
    pfkey.SADB_SATYPE_ESP: "esp",
    pfkey.SADB_X_SATYPE_IPCOMP: "ipcomp",
}
STATE_LETTERS: Final = "LMDd"
"""Larval, mature, dying, dead."""
SHORT_HEAD: Final = "time p s spi      ltime   src -> dst\n"
_NEVER: Final = " " * 20
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_AUTH_NAMES: Final = {
    **{row.number: row.name for row in AUTHS.values()},
    pfkey.SADB_X_AALG_MD5: "md5",
    pfkey.SADB_X_AALG_SHA: "sha",
}
"""The keyed digests had shorter names here than in commands."""
_ENC_NAMES: Final = {0: "none", **{row.number: row.name for row in ENCS.values()}}
_COMP_NAMES: Final = {0: "none", **{row.number: row.name for row in COMPS.values()}}
_NO_LIFETIME: Final = pfkey.Lifetime(0)


def time_text(seconds: int) -> str:
    """``Feb 14 10:00:00 2000`` of seconds since 1970; as many blanks for 0, never."""
    if not seconds:
        return _NEVER
    when = _EPOCH + datetime.timedelta(seconds=seconds)
    return f"{_MONTHS[when.month - 1]} {when.day:2} {when:%H:%M:%S} {when.year}"


def hexdump(data: bytes) -> str:
    """Groups of 4 octets behind a blank each; a new line after 32."""
    lines = (data[at : at + 32] for at in range(0, len(data), 32))
    return "\n".join("".join(f" {line[at : at + 4].hex()}" for at in range(0, len(line), 4)) for line in lines)


def _lifetime(message: Message, kind: int) -> pfkey.Lifetime:
    found = message.get(kind)
    return found if isinstance(found, pfkey.Lifetime) else _NO_LIFETIME


def _limits(message: Message) -> tuple[pfkey.Lifetime, pfkey.Lifetime]:
    return _lifetime(message, pfkey.SADB_EXT_LIFETIME_HARD), _lifetime(message, pfkey.SADB_EXT_LIFETIME_SOFT)


def _address(message: Message, kind: int) -> pfkey.Address | None:
    found = message.get(kind)
    return found if isinstance(found, pfkey.Address) else None


def _ends(proc: Proc, message: Message) -> tuple[str, str]:
    ends = (_address(message, kind) for kind in (pfkey.SADB_EXT_ADDRESS_SRC, pfkey.SADB_EXT_ADDRESS_DST))
    src, dst = ("" if end is None else address_text(proc, end.sockaddr) for end in ends)
    return src, dst


def _name(names: dict[int, str], number: int) -> str:
    return names.get(number, f"#{number}")


def _at(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else f"#{number}"


def sa_text(proc: Proc, message: Message) -> str:
    """The block of one association (KAME pfkey_sadump)."""
    sa = message.get(pfkey.SADB_EXT_SA)
    sa2 = message.get(pfkey.SADB_X_EXT_SA2)
    if not isinstance(sa, pfkey.Sa):
        return "no SA extension.\n"
    if not isinstance(sa2, pfkey.Sa2):
        sa2 = pfkey.Sa2(0)
    src, dst = _ends(proc, message)
    out = f"{src} {dst} \n\t{_name(SATYPES, message.satype)} mode={_at(pfkey.MODE_NAMES, sa2.mode)} "
    out += f"spi={sa.spi}(0x{sa.spi:08x}) reqid={sa2.reqid}(0x{sa2.reqid:08x})\n"
    if message.satype == pfkey.SADB_X_SATYPE_IPCOMP:
        out += f"\tC: {_name(_COMP_NAMES, sa.encrypt)} "
    elif message.satype == pfkey.SADB_SATYPE_ESP:
        out += f"\tE: {_name(_ENC_NAMES, sa.encrypt)} {_key(message, pfkey.SADB_EXT_KEY_ENCRYPT)}\n"
    if message.get(pfkey.SADB_EXT_KEY_AUTH) is not None:
        out += f"\tA: {_name(_AUTH_NAMES, sa.auth)} {_key(message, pfkey.SADB_EXT_KEY_AUTH)}\n"
    out += f"\tseq=0x{sa2.sequence:08x} replay={sa.replay} flags=0x{sa.flags:08x} "
    out += f"state={_at(pfkey.STATE_NAMES, sa.state)} \n"
    if message.get(pfkey.SADB_EXT_LIFETIME_CURRENT) is not None:
        out += _times(proc, message)
    return out + f"\tsadb_seq={message.seq} pid={message.pid} refcnt={message.reserved}\n"


def _key(message: Message, kind: int) -> str:
    key = message.get(kind)
    return hexdump(key.data) if isinstance(key, pfkey.Key) else ""


def _times(proc: Proc, message: Message) -> str:
    """The five lines of lifetimes: created, age, last use, octets, packets."""
    now = proc.wall() // 1_000_000_000
    spent = _lifetime(message, pfkey.SADB_EXT_LIFETIME_CURRENT)
    hard, soft = _limits(message)
    age = now - spent.addtime if spent.addtime else 0
    return (
        f"\tcreated: {time_text(spent.addtime)}\tcurrent: {time_text(now)}\n"
        f"\tdiff: {age}(s)\thard: {hard.addtime}(s)\tsoft: {soft.addtime}(s)\n"
        f"\tlast: {time_text(spent.usetime)}\thard: {hard.usetime}(s)\tsoft: {soft.usetime}(s)\n"
        f"\tcurrent: {spent.octets}(bytes)\thard: {hard.octets}(bytes)\tsoft: {soft.octets}(bytes)\n"
        f"\tallocated: {spent.allocations}\thard: {hard.allocations}\tsoft: {soft.allocations}\n"
    )


def short_text(proc: Proc, message: Message) -> str:
    """The line of one association in the short table: the seconds left of the hard limit, ``-`` without one."""
    sa = message.get(pfkey.SADB_EXT_SA)
    if not isinstance(sa, pfkey.Sa):
        return ""
    now = proc.wall() // 1_000_000_000
    hard, _soft = _limits(message)
    spent = _lifetime(message, pfkey.SADB_EXT_LIFETIME_CURRENT)
    left = str(max(spent.addtime + hard.addtime - now, 0)) if hard.addtime else "-"
    letter = _name(SATYPES, message.satype)[0]
    state = STATE_LETTERS[sa.state] if sa.state < len(STATE_LETTERS) else "?"
    src, dst = _ends(proc, message)
    return f"{now % 3600 // 60:02}{now % 60:02} {letter} {state} {sa.spi:08x} {left:<7} {src} -> {dst}\n"


def protocol_text(number: int) -> str:
    """An upper protocol's word in a policy's selector."""
    if number == pfkey.IPSEC_ULPROTO_ANY:
        return "any"
    return next((name for name, known in PROTOCOLS.items() if known == number), str(number))


def _range(proc: Proc, address: pfkey.Address) -> str:
    host = address.plen == 8 * len(address.sockaddr.addr)
    port = address.sockaddr.port if address.proto != ICMPV6 else 0
    plen = "" if host else f"/{address.plen}"
    return f"{address_text(proc, address.sockaddr)}{plen}[{port or 'any'}]"


def policy_text(proc: Proc, message: Message) -> str:
    """The block of one policy (KAME pfkey_spdump)."""
    policy = message.get(pfkey.SADB_X_EXT_POLICY)
    if not isinstance(policy, pfkey.Policy):
        return "no X_POLICY extension.\n"
    src = _address(message, pfkey.SADB_EXT_ADDRESS_SRC)
    dst = _address(message, pfkey.SADB_EXT_ADDRESS_DST)
    tag = message.get(pfkey.SADB_X_EXT_TAG)
    if isinstance(tag, pfkey.Tag):
        out = f'tagged "{tag.name.decode("utf-8", "surrogateescape")}"\n'
    elif src is None or dst is None:
        out = "(no selector, probably per-socket policy)\n"
    else:
        out = f"{_range(proc, src)} {_range(proc, dst)} {protocol_text(src.proto)}"
        if src.proto == ICMPV6 and (src.sockaddr.port or dst.sockaddr.port):
            out += f" {src.sockaddr.port},{dst.sockaddr.port}"
        out += "\n"
    out += f"\t{_at(pfkey.DIR_NAMES, policy.dir)} {_at(pfkey.POLICY_NAMES, policy.type)}\n"
    out += "".join(f"\t{request}\n" for request in ipsec_policy.requests(proc, policy))
    spent = _lifetime(message, pfkey.SADB_EXT_LIFETIME_CURRENT)
    if message.get(pfkey.SADB_EXT_LIFETIME_CURRENT) is not None:
        out += f"\tcreated: {time_text(spent.addtime)}  lastused: {time_text(spent.usetime)}\n"
    hard, _soft = _limits(message)
    if hard.addtime or hard.usetime:
        out += f"\tlifetime: {hard.addtime}(s) validtime: {hard.usetime}(s)\n"
    return out + f"\tspid={policy.id} seq={message.seq} pid={message.pid}\n\trefcnt={message.reserved}\n"


# -- messages ------------------------------------------------------------------------------------------------------


def message_text(proc: Proc, message: Message) -> str:
    """A message field by field (KAME kdebug_sadb). One that x_promisc wraps follows it."""
    out = f"sadb_msg{{ version={pfkey.PF_KEY_V2} type={message.type}({_at(pfkey.TYPE_NAMES, message.type)}) "
    out += f"errno={message.errno} satype={message.satype} seq={message.seq} pid={message.pid} }}\n"
    for extension in message.extensions:
        out += _extension(proc, extension)
    if message.payload:
        try:
            out += message_text(proc, pfkey.parse(message.payload))
        except pfkey.PfkeyError as error:
            out += f"  no message inside: {error}\n"
    return out


def _extension(proc: Proc, extension: pfkey.Extension) -> str:
    number = pfkey.exttype(extension)
    if isinstance(extension, pfkey.Address):
        word = _ADDRESSES.get(number, "address")
        text = f"{address_text(proc, extension.sockaddr)}/{extension.plen} port={extension.sockaddr.port} "
        return f"  sadb_{word}{{ {text}proto={extension.proto} }}\n"
    if isinstance(extension, pfkey.Key):
        word = "auth" if number == pfkey.SADB_EXT_KEY_AUTH else "encrypt"
        return f"  sadb_key_{word}{{ bits={extension.bits} key={extension.data.hex()} }}\n"
    if isinstance(extension, pfkey.Policy):
        lines = [f"{pfkey.DIR_NAMES[extension.dir]} {_at(pfkey.POLICY_NAMES, extension.type)} id={extension.id}"]
        return f"  sadb_x_policy{{ {' '.join(lines + ipsec_policy.requests(proc, extension))} }}\n"
    if isinstance(extension, pfkey.Supported):
        rows = " ".join(f"{alg.id}:{alg.minbits}-{alg.maxbits}" for alg in extension.algorithms)
        word = "auth" if number == pfkey.SADB_EXT_SUPPORTED_AUTH else "encrypt"
        return f"  sadb_supported_{word}{{ {rows} }}\n"
    if isinstance(extension, pfkey.Proposal):
        rows = "".join(f"    sadb_comb{{ {_fields(comb)} }}\n" for comb in extension.combs)
        return f"  sadb_prop{{ replay={extension.replay} }}\n{rows}"
    word = _LIFETIMES.get(number) or _PLAIN[type(extension)]
    return f"  sadb_{word}{{ {_fields(extension)} }}\n"


def _fields(values: pfkey.Extension | pfkey.Comb) -> str:
    """Name and value of each field; those of a proposal only where they say something."""
    shown = []
    for name, value in values._asdict().items():
        if name == "kind" or (isinstance(values, pfkey.Comb) and not value):
            continue
        if name in ("flags", "spi"):
            value = f"0x{value:08x}"
        shown.append(f"{name}={value.hex() if isinstance(value, bytes) else value}")
    return " ".join(shown)


_ADDRESSES: Final = {
    pfkey.SADB_EXT_ADDRESS_SRC: "address_src",
    pfkey.SADB_EXT_ADDRESS_DST: "address_dst",
    pfkey.SADB_EXT_ADDRESS_PROXY: "address_proxy",
}
_LIFETIMES: Final = {
    pfkey.SADB_EXT_LIFETIME_CURRENT: "lifetime_current",
    pfkey.SADB_EXT_LIFETIME_HARD: "lifetime_hard",
    pfkey.SADB_EXT_LIFETIME_SOFT: "lifetime_soft",
}
_PLAIN: Final[dict[type, str]] = {
    pfkey.Sa: "sa",
    pfkey.Ident: "ident",
    pfkey.Sensitivity: "sens",
    pfkey.SpiRange: "spirange",
    pfkey.Sa2: "x_sa2",
    pfkey.Tag: "x_tag",
}


def octets_text(data: bytes) -> str:
    """A message's octets, 16 a line, for ``-h``."""
    lines = (data[at : at + 16] for at in range(0, len(data), 16))
    return "".join(
        f"{number * 16:04x}:" + "".join(f" {line[at : at + 4].hex()}" for at in range(0, len(line), 4)) + "\n"
        for number, line in enumerate(lines)
    )
