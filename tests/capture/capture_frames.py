"""Frames made by scapy, an independent builder: one of every message that the decode tree knows."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from scapy.layers import inet6 as s6
    from scapy.layers.inet import TCP, UDP
    from scapy.layers.l2 import Ether
    from scapy.packet import Packet, Raw

from kamelab.wire import rr
from kamelab.wire.nodeinfo import NodeInfo as NI
from kamelab.wire.nodeinfo import encode_name

MAC = "02:00:00:00:00:02"
NAME = encode_name("h1.example.org")
NONCE = b"ABCDEFGH"


def _frames() -> dict[str, Packet]:
    eth = Ether(dst="33:33:00:00:00:01", src=MAC)
    ll = eth / s6.IPv6(src="fe80::1", dst="ff02::1", hlim=255)
    mld = eth / s6.IPv6(src="fe80::1", dst="ff02::16", hlim=1)
    mld /= s6.IPv6ExtHdrHopByHop(options=[s6.RouterAlert(), s6.PadN(optdata=b"")])
    glob = eth / s6.IPv6(src="2001:db8::1", dst="2001:db8:1::2", tc=0xB9, fl=0x12345)
    udp = UDP(sport=40000, dport=33434)
    quote = s6.IPv6(src="2001:db8::1", dst="2001:db8:1::2") / udp / Raw(b"hello")
    slla = s6.ICMPv6NDOptSrcLLAddr(lladdr=MAC)
    tlla = s6.ICMPv6NDOptDstLLAddr(lladdr=MAC)
    ra = s6.ICMPv6ND_RA(M=1, O=1, prf=3, routerlifetime=1800, reachabletime=30000, retranstimer=1000) / slla
    ra /= s6.ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64, L=1, A=1, validlifetime=3600)
    ra /= s6.ICMPv6NDOptMTU(mtu=1280)
    ra /= s6.ICMPv6NDOptRouteInfo(plen=48, len=2, prefix="2001:db8:2::", prf=1, rtlifetime=600)
    ra /= s6.ICMPv6NDOptRDNSS(dns=["2001:db8::53"], lifetime=60)
    ra /= s6.ICMPv6NDOptDNSSL(searchlist=["example.org", "lab.example.org"], lifetime=60)
    record = s6.ICMPv6MLDMultAddrRec
    records = [record(rtype=4, dst="ff02::1:ff00:1"), record(rtype=1, dst="ff05::2", sources=["2001:db8::1"])]
    fragment = s6.IPv6ExtHdrFragment(id=0xDEADBEEF, nh=17)
    return {
        "router solicitation": ll / s6.ICMPv6ND_RS() / slla,
        "router advertisement": ll / ra,
        "neighbor solicitation": ll / s6.ICMPv6ND_NS(tgt="2001:db8::1") / slla,
        "neighbor advertisement": ll / s6.ICMPv6ND_NA(tgt="2001:db8::1", R=1, S=1, O=0) / tlla,
        "redirect": ll
        / s6.ICMPv6ND_Redirect(tgt="fe80::2", dst="2001:db8::9")
        / tlla
        / s6.ICMPv6NDOptRedirectedHdr(pkt=quote),
        "echo request": glob / s6.ICMPv6EchoRequest(id=1, seq=2, data=b"x" * 56),
        "echo reply": glob / s6.ICMPv6EchoReply(id=1, seq=2),
        "bad checksum": glob / s6.ICMPv6EchoRequest(id=1, seq=2, cksum=1),
        "unreachable": glob / s6.ICMPv6DestUnreach(code=4) / quote,
        "too big": glob / s6.ICMPv6PacketTooBig(mtu=1280) / quote,
        "time exceeded": glob / s6.ICMPv6TimeExceeded(code=0) / quote,
        "cut quotation": glob / s6.ICMPv6TimeExceeded(code=0) / Raw(bytes(quote)[:44]),
        "parameter problem": glob / s6.ICMPv6ParamProblem(code=1, ptr=40) / quote,
        "mld query": mld / s6.ICMPv6MLQuery(mrd=10000),
        "mld report": mld / s6.ICMPv6MLReport(mladdr="ff02::1:ff00:1"),
        "mld done": mld / s6.ICMPv6MLDone(mladdr="ff02::1:ff00:1"),
        "mldv2 query": mld / s6.ICMPv6MLQuery2(mladdr="ff05::1", sources=["2001:db8::1"], QRV=2, QQIC=125),
        "mldv2 report": mld / s6.ICMPv6MLReport2(records=records),
        "ni query": ll / s6.ICMPv6Unknown(type=139, code=1, msgbody=NI(2, 0, NONCE, NAME).pack()),
        "ni query by address": ll / s6.ICMPv6Unknown(type=139, msgbody=NI(3, 0x2A, NONCE, bytes(15) + b"\1").pack()),
        "ni name": ll / s6.ICMPv6Unknown(type=140, msgbody=NI(2, 0, NONCE, bytes(4) + NAME).pack()),
        "ni addresses": ll / s6.ICMPv6Unknown(type=140, msgbody=NI(3, 0x21, NONCE, bytes(19) + b"\1").pack()),
        "router renumbering": ll / s6.ICMPv6Unknown(type=138, msgbody=rr.Command(7, 1, 0xA8, 300).pack()),
        "udp": glob / udp / Raw(b"hello"),
        "tcp": glob
        / TCP(
            sport=40000,
            dport=40001,
            flags="SA",
            seq=1,
            ack=2,
            options=[("MSS", 1440), ("WScale", 3), ("Timestamp", (5, 6))],
        )
        / Raw(b"hello"),
        "destination options": glob / s6.IPv6ExtHdrDestOpt(options=[s6.PadN(optdata=bytes(4))]) / udp / Raw(b"hi"),
        "routing header": glob
        / s6.IPv6ExtHdrRouting(addresses=["2001:db8::5", "2001:db8::6"], segleft=2)
        / udp
        / Raw(b"hi"),
        "first fragment": glob / fragment.copy() / UDP(sport=1, dport=33434, len=1480, chksum=0x1234) / Raw(bytes(32)),
        "last fragment": glob / s6.IPv6ExtHdrFragment(id=0xDEADBEEF, nh=17, offset=185) / Raw(b"x" * 30),
        "tunnel": glob / s6.IPv6(src="2001:db8::a", dst="2001:db8::b") / udp / Raw(b"hi"),
        "no next header": eth / s6.IPv6(src="2001:db8::1", dst="2001:db8:1::2", nh=59),
    }


def _build() -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packets = _frames()
        packets["first fragment"][s6.IPv6ExtHdrFragment].m = 1
        return {name: bytes(packet) for name, packet in packets.items()}


FRAMES = _build()
