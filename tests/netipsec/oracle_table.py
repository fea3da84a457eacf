"""What of our IPsec scapy has read and written, as data: the rows are run by test_ipsec_scapy.py.

``PYTHONPATH=.:tests/netipsec python -m oracle_table > docs/ipsec-oracles.md`` writes the table anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from ipsec_packets import AUTH_KEYS, ENC_KEYS, TEXT, A, B, C, D, ah, datagram, esp, octets
from scapy.layers import ipsec
from scapy.layers.inet6 import IPv6

from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec.ah import ah_input, ah_output
from kamelab.stack.netipsec.encap import decapsulate, encapsulate
from kamelab.stack.netipsec.esp import esp_input, esp_output
from kamelab.stack.netipsec.sadb import Sa
from kamelab.wire import exthdr, ip6
from kamelab.wire.in6 import ntop

ENC_NAMES = {
    alg.EALG_DESCBC: "DES",
    alg.EALG_3DESCBC: "3DES",
    alg.X_EALG_CAST128CBC: "CAST",
    alg.X_EALG_BLOWFISHCBC: "Blowfish",
    alg.EALG_NULL: "NULL",
    alg.X_EALG_AESCBC: "AES-CBC",
    alg.X_EALG_AESCTR: "AES-CTR",
    alg.X_EALG_AESGCM16: "AES-GCM",
    alg.X_EALG_CHACHA20POLY1305: "CHACHA20-POLY1305",
}
AUTH_NAMES = {
    0: "NULL",
    alg.X_AALG_NULL: "NULL",
    alg.AALG_MD5HMAC: "HMAC-MD5-96",
    alg.AALG_SHA1HMAC: "HMAC-SHA1-96",
    alg.X_AALG_SHA2_256: "SHA2-256-96",
    alg.X_AALG_SHA2_384: "SHA2-384-96",
    alg.X_AALG_SHA2_512: "SHA2-512-96",
}
DRAFT_HASHES = {"SHA2-256-96": hashes.SHA256, "SHA2-384-96": hashes.SHA384, "SHA2-512-96": hashes.SHA512}
"""The 96-bit values of KAME's draft: scapy computes them with its own machinery once it is told the length."""

HEADERS = "hop-by-hop options, destination options, a routing header with two hops, destination options"

UNKNOWN = [
    ("keyed-md5, keyed-sha1", "made by hand from RFC 1828 (test_mac_vectors.py, test_ah_transform.py)"),
    ("hmac-ripemd160", "RFC 2286 (test_mac_vectors.py)"),
    ("aes-xcbc-mac", "RFC 3566 (test_mac_vectors.py)"),
    (
        "ah-old, esp-old, des-32iv, des-deriv",
        "made by hand from RFC 1828, 1829 (test_ah_transform.py and test_esp_transform.py)",
    ),
    ("ipcomp", "RFC 1951 by zlib (test_ipcomp_transform.py)"),
]


WORDS = {True: "yes", False: "no", None: "scapy can't send it"}


class Row(NamedTuple):
    """One association: `ealg` 0 for AH; `shape` is the packet; `esn` for 64-bit sequence numbers."""

    ealg: int
    aalg: int
    mode: str = "transport"
    esn: bool = False
    shape: str = ""

    @property
    def text(self) -> str:
        """The row's first cells."""
        proto = "esp" if self.ealg else "ah"
        names = [alg.ENCS[self.ealg].name] if self.ealg else []
        names += [alg.AUTHS[self.aalg].name] if self.aalg else []
        more = [text for text in ("64-bit sequence numbers" if self.esn else "", self.shape) if text]
        return f"| {proto} | {' + '.join(names)} | {self.mode} | {', '.join(more)} |"


def rows() -> list[Row]:
    """All that scapy knows."""
    found = []
    for mode in ("transport", "tunnel"):
        for ealg in ENC_NAMES:
            if ealg in alg.AEADS:
                found += [Row(ealg, 0, mode), Row(ealg, 0, mode, True)]
            else:
                found += [Row(ealg, aalg, mode) for aalg in AUTH_NAMES if aalg != alg.X_AALG_NULL]
        found.append(Row(alg.X_EALG_AESCBC, alg.X_AALG_SHA2_256, mode, True))
        macs = [aalg for aalg in AUTH_NAMES if aalg not in (0, alg.X_AALG_NULL)]
        found += [Row(0, aalg, mode) for aalg in macs]
    found += [Row(0, aalg, "transport", False, HEADERS) for aalg in (alg.AALG_SHA1HMAC, alg.X_AALG_SHA2_256)]
    found.append(Row(alg.X_EALG_AESCBC, alg.AALG_SHA1HMAC, "transport", False, HEADERS))
    return found


def packet(row: Row) -> bytes:
    """What is to be protected."""
    if row.mode == "tunnel":
        return ip6.build(C, D, 17, datagram()[40:], hlim=63)
    if row.shape:
        opts = exthdr.option(0x3E, b"from") + exthdr.option(0x1E, b"stay")
        hop = exthdr.hop_by_hop(ip6.IPPROTO_DSTOPTS, opts)
        first = exthdr.destination_options(ip6.IPPROTO_ROUTING, opts)
        routing = exthdr.build_routing0(ip6.IPPROTO_DSTOPTS, 2, (D, B))
        last = exthdr.destination_options(ip6.IPPROTO_UDP, opts)
        plain = datagram(headers=hop + first + routing + last, first=ip6.IPPROTO_HOPOPTS)
        return plain[:24] + C + plain[40:]
    return datagram(TEXT)


def travel(row: Row, sent: bytes) -> bytes:
    """What arrives: the routers of the routing header, C and D, have changed addresses and hop limit on the way."""
    if not row.shape:
        return sent
    at = 40 + 2 * (8 + 8 * sent[41])
    routing = sent[at : at + 3] + b"\0" + sent[at + 4 : at + 8] + C + D
    return sent[:7] + bytes((sent[7] - 2,)) + sent[8:24] + B + sent[40:at] + routing + sent[at + 40 :]


def ours(row: Row) -> tuple[Sa, Sa]:
    """Both ends of our association."""
    given = {"mode": row.mode, "esn": row.esn}
    return esp(row.ealg, row.aalg, **given) if row.ealg else ah(row.aalg, **given)


def theirs(row: Row) -> Any:
    """The same in scapy."""
    for name, digest in DRAFT_HASHES.items():
        if name not in ipsec.AUTH_ALGOS:
            ipsec.AUTH_ALGOS[name] = ipsec.AuthAlgo(name, mac=HMAC, digestmod=digest, icv_size=12)
    given: dict[str, Any] = {"spi": 0x1000}
    if row.aalg:
        given |= {"auth_algo": AUTH_NAMES[row.aalg], "auth_key": AUTH_KEYS[row.aalg]}
    if row.ealg:
        given |= {"crypt_algo": ENC_NAMES[row.ealg], "crypt_key": ENC_KEYS[row.ealg]}
    if row.mode == "tunnel":
        given["tunnel_header"] = IPv6(src=ntop(A), dst=ntop(B), hlim=64)
    if row.esn:
        given |= {"esn_en": True, "esn": 0}
    return ipsec.SecurityAssociation(ipsec.ESP if row.ealg else ipsec.AH, **given)


def protect(row: Row, sa: Sa, plain: bytes) -> bytes:
    """We send."""
    if row.mode == "tunnel":
        plain = encapsulate(plain, A, B)
    return esp_output(sa, plain, octets()) if row.ealg else ah_output(sa, plain)


def uncover(row: Row, sa: Sa, sealed: bytes) -> bytes:
    """We receive."""
    off = 40
    nxt = sealed[6]
    while nxt not in (50, 51):
        nxt, off = sealed[off], off + 8 + 8 * sealed[off + 1]
    opened = (esp_input if row.ealg else ah_input)(sa, sealed, off)
    return decapsulate(opened.packet, 40) if row.mode == "tunnel" else opened.packet


def we_send(row: Row) -> bool:
    """Whether scapy opens three packets of ours and finds what went in."""
    sender, _ = ours(row)
    peer, plain = theirs(row), packet(row)
    arrived = travel(row, plain)
    return all(bytes(peer.decrypt(IPv6(travel(row, protect(row, sender, plain))))) == arrived for _ in range(3))


def we_receive(row: Row) -> bool:
    """Whether we open three packets of scapy's and find what went in."""
    _, receiver = ours(row)
    peer, plain = theirs(row), packet(row)
    arrived = travel(row, plain)
    return all(uncover(row, receiver, travel(row, bytes(peer.encrypt(IPv6(plain))))) == arrived for _ in range(3))


def nested(inner: Row, outer: Row) -> tuple[bool, bool | None]:
    """The packet of `inner` within that of `outer`: whether scapy opens both of ours, and we both of scapy's.

    None where scapy can't send it: the value of an AH around an ESP it writes to the end of the ESP.
    """
    (inner_from, inner_to), (outer_from, outer_to) = ours(inner), ours(outer)
    plain = packet(inner)
    there = IPv6(protect(outer, outer_from, protect(inner, inner_from, plain)))
    sent = bytes(theirs(inner).decrypt(IPv6(bytes(theirs(outer).decrypt(there))))) == plain
    if inner.ealg and not outer.ealg:
        return sent, None
    back = bytes(theirs(outer).encrypt(IPv6(bytes(theirs(inner).encrypt(IPv6(plain))))))
    return sent, uncover(inner, inner_to, uncover(outer, outer_to, back)) == plain


NESTED = [
    (Row(alg.X_EALG_AESCBC, 0), Row(0, alg.AALG_SHA1HMAC)),
    (Row(alg.X_EALG_AESCBC, alg.AALG_MD5HMAC), Row(0, alg.X_AALG_SHA2_256)),
    (Row(0, alg.AALG_SHA1HMAC), Row(alg.X_EALG_AESGCM16, 0)),
    (Row(0, alg.AALG_SHA1HMAC), Row(alg.EALG_3DESCBC, alg.AALG_SHA1HMAC)),
    (Row(alg.X_EALG_AESCTR, alg.AALG_SHA1HMAC), Row(alg.EALG_DESCBC, alg.AALG_MD5HMAC)),
]
"""Pairs of transport associations, the inner one first."""


def table() -> str:
    """The document, made by running every row."""
    lines = [
        "# Who else has read our IPsec",
        "",
        "Each row: three packets of ours opened by scapy's `SecurityAssociation`, and three of scapy's by us; what",
        "came out was the same octet by octet. HMAC-SHA2 has the 96 bits of KAME's draft, which scapy had to be told.",
        "This table is written by `tests/netipsec/oracle_table.py` and held by `tests/netipsec/test_ipsec_scapy.py`.",
        "",
        "| protocol | algorithms | mode | besides | scapy reads ours | we read scapy's |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows():
        lines.append(f"{row.text} {'yes' if we_send(row) else 'no'} | {'yes' if we_receive(row) else 'no'} |")
    for inner, outer in NESTED:
        sent, received = (WORDS[right] for right in nested(inner, outer))
        first, second = (row.text.split(" | ")[:2] for row in (outer, inner))
        cells = [f"{one} ({two})" for one, two in zip(first, (cell.strip("| ") for cell in second), strict=True)]
        lines.append(f"{' | '.join(cells)} | transport | nested | {sent} | {received} |")
    lines += ["", "What scapy does not know was checked otherwise:", "", "| what | by |", "| --- | --- |"]
    lines += [f"| {what} | {by} |" for what, by in UNKNOWN]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
