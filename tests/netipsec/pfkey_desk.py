"""A desk for talking PF_KEY with a key engine: short words for messages, and a clock in seconds."""

from __future__ import annotations

from kamelab.core.clock import SECOND
from kamelab.core.errors import Errno
from kamelab.stack.netipsec.key import KeyEngine, key_parse
from kamelab.wire import in6, pfkey

A = "2001:db8::1"
B = "2001:db8::2"
AES = bytes(range(16))
SHA1 = bytes(range(20))


def sockaddr(text: str, port: int = 0) -> pfkey.Sockaddr:
    host, _, zone = text.partition("%")
    if "." in host and ":" not in host:
        return pfkey.Sockaddr(bytes(int(part) for part in host.split(".")), port)
    return pfkey.Sockaddr(in6.pton(host), port, int(zone or 0))


def ends(src: str = A, dst: str = B, proto: int = 255, sport: int = 0, dport: int = 0) -> tuple[pfkey.Address, ...]:
    """Both addresses; "ADDRESS/LENGTH" is a prefix."""
    out = []
    for kind, text, port in ((5, src, sport), (6, dst, dport)):
        host, _, plen = text.partition("/")
        address = sockaddr(host, port)
        out.append(pfkey.Address(kind, address, int(plen) if plen else len(address.addr) * 8, proto))
    return tuple(out)


def esp(spi: int = 0x1000, src: str = A, dst: str = B, *more: pfkey.Extension, **sa: int) -> pfkey.Message:
    """SADB_ADD of an ESP association with aes-cbc."""
    values = {"encrypt": pfkey.SADB_X_EALG_AES, **sa}
    return pfkey.Message(
        pfkey.SADB_ADD,
        pfkey.SADB_SATYPE_ESP,
        1,
        100,
        0,
        (pfkey.Sa(spi, **values), *ends(src, dst), pfkey.Key(pfkey.SADB_EXT_KEY_ENCRYPT, AES), *more),
    )


def ah(spi: int = 0x2000, src: str = A, dst: str = B, *more: pfkey.Extension, **sa: int) -> pfkey.Message:
    """SADB_ADD of an AH association with hmac-sha1."""
    values = {"auth": pfkey.SADB_AALG_SHA1HMAC, **sa}
    return pfkey.Message(
        pfkey.SADB_ADD,
        pfkey.SADB_SATYPE_AH,
        2,
        100,
        0,
        (pfkey.Sa(spi, **values), *ends(src, dst), pfkey.Key(pfkey.SADB_EXT_KEY_AUTH, SHA1), *more),
    )


def lifetimes(hard: int, soft: int, hard_octets: int = 0, soft_octets: int = 0) -> tuple[pfkey.Lifetime, ...]:
    return (
        pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_HARD, 0, hard_octets, hard),
        pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_SOFT, 0, soft_octets, soft),
    )


TRANSPORT = pfkey.Request(pfkey.IPPROTO_ESP, pfkey.IPSEC_MODE_TRANSPORT, pfkey.IPSEC_LEVEL_REQUIRE)


def spd(
    src: str,
    dst: str,
    *requests: pfkey.Request,
    direction: int = pfkey.IPSEC_DIR_OUTBOUND,
    action: int = pfkey.IPSEC_POLICY_IPSEC,
    proto: int = 255,
    sport: int = 0,
    dport: int = 0,
    kind: int = pfkey.SADB_X_SPDADD,
    more: tuple[pfkey.Extension, ...] = (),
) -> pfkey.Message:
    """SADB_X_SPDADD; an "ipsec" policy without requests gets one."""
    if action == pfkey.IPSEC_POLICY_IPSEC and not requests and kind == pfkey.SADB_X_SPDADD:
        requests = (TRANSPORT,)
    policy = pfkey.Policy(action, direction, 0, requests)
    return pfkey.Message(kind, 0, 3, 100, 0, (policy, *ends(src, dst, proto, sport, dport), *more))


class Desk:
    """One engine, and a socket (number 100) that talks to it."""

    def __init__(self) -> None:
        self.keys = KeyEngine()
        self.now = 0
        self.count = 0

    def octets(self, count: int) -> bytes:
        self.count += 1
        return (self.count * 0x01234567 & 0xFFFFFFFF).to_bytes(4, "big")[:count]

    def ask(self, message: pfkey.Message, socket: int = 100) -> list[tuple[str, pfkey.Message]]:
        """What comes of a message: (to whom, message)."""
        answers = key_parse(self.keys, socket, pfkey.build(message), self.now, self.octets)
        return [(target, pfkey.parse(data)) for target, data in answers]

    def done(self, message: pfkey.Message) -> pfkey.Message:
        """The one answer, which must be no refusal."""
        ((_, answer),) = self.ask(message)
        assert answer.errno == 0, answer
        return answer

    def errno(self, message: pfkey.Message) -> int:
        """The number of the refusal."""
        ((target, answer),) = self.ask(message)
        assert target == "one"
        return answer.errno

    def raw(self, data: bytes) -> int:
        """The number with which the write itself fails, else that of the answer."""
        try:
            answers = key_parse(self.keys, 100, data, self.now, self.octets)
        except Errno as error:
            return -error.number
        return answers[0][1][2]

    def at(self, second: float) -> list[pfkey.Message]:
        """Let time pass to `second`, waking the engine when it wants; what it says to registered sockets."""
        said: list[pfkey.Message] = []
        end = int(second * SECOND)
        while (wake := self.keys.deadline()) is not None and wake <= end:
            self.now = max(self.now, wake)
            answers = self.keys.timehandler(self.now)
            assert all(target == "registered" for target, _ in answers)
            said += [pfkey.parse(data) for _, data in answers]
        self.now = end
        return said

    def states(self) -> list[tuple[int, str]]:
        """(SPI, state) in the order of a dump."""
        return [(sa.spi, sa.state) for sa in self.keys.sad]

    def dump(self, kind: int = pfkey.SADB_DUMP, satype: int = 0) -> list[pfkey.Message]:
        return [message for _, message in self.ask(pfkey.Message(kind, satype, 9, 77))]
