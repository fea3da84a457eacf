"""The cases of the IPv6 Ready core protocols test specification: numbers, parts, roles, titles.

Cases 3.2.5 A to D are the second list of parts that stands under 3.2.4 where the two tests are printed as one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.conformance.base_cases import BASE

HOST: Final = "host"
ROUTER: Final = "router"


class Case(NamedTuple):
    """One numbered case."""

    number: str
    """``2.1.1``"""
    part: str
    """``A``, ``A1``, empty where the test has one part only."""
    title: str
    roles: tuple[str, ...]
    """Which kinds of node it is for."""

    @property
    def name(self) -> str:
        """``v6LC.2.1.1a``"""
        return f"v6LC.{self.number}{self.part.lower()}"


NOT_DERIVED: Final[dict[str, str]] = {}
"""Cases whose expected reaction does not follow from the text of the RFCs, each with why (`Case.name`)."""

SEED_WINS: Final[dict[str, str]] = {
    "v6LC.1.1.10h": "KAME's kernel forwards multicast for a multicast routing daemon only: nothing leaves",
    "v6LC.1.1.10k": "as 1.1.10h",
    "v6LC.1.2.7g": "a packet to a group of others is heard only where somebody listens to all groups: mld6d is started",
    "v6LC.1.2.10b": "KAME follows type 0; RFC 5095's way is net.inet6.ip6.rthdr0=0, with which the case is played",
    "v6LC.2.1.2a": "KAME holds one packet (nd6_maxqueuelen), the least that RFC 4861 7.2.2 allows",
    "v6LC.2.1.2b": "KAME holds one packet a neighbor (nd6_maxqueuelen), the least that RFC 4861 7.2.2 allows",
    "v6LC.2.1.14": "KAME answers for an anycast address at once, without the random delay that RFC 4861 7.2.7 asks for;"
    " the subnet-router anycast address is set by hand (KAME IMPLEMENTATION 1.15.2 (2001))",
    "v6LC.2.2.1": "the solicitations are rtsol's: KAME's kernel sends none",
    "v6LC.2.2.12a": "the closing control advertises the prefix too: KAME detaches a prefix whose routers are all"
    " unreachable while another router is there",
    "v6LC.4.1.6a": "KAME stores a path MTU below 1280 and puts a fragment header into every packet, as RFC 1981 wants;"
    " RFC 8201's way is net.inet6.ip6.pmtu_below_min=0, played too",
    "v6LC.4.1.6b": "as 4.1.6a",
    "v6LC.4.1.10": "KAME sends multicast at 1280 octets unless the program says otherwise, and heeds packet-too-big"
    " about it with net.inet6.ip6.mcast_pmtu=1 only; both are played",
    "v6LC.4.1.11": "as 4.1.10",
    "v6LC.5.1.2d": "all-routers is rtadvd's group: KAME's kernel does not join it",
    "v6LC.5.1.4b": "KAME's kernel forwards multicast for a multicast routing daemon only, so that there is nothing too"
    " big to report: neither packet nor error leaves",
    "v6LC.3.2.2": "KAME looks once a second (nd6_prune) for what has expired",
}
"""Cases where KAME has a way of its own within, or beside, what the RFC says; each with what it does."""

# A heading is ``number roles title``, roles ``-`` where parts follow, each ``roles part title``.
_TABLE: Final = """
2.1.1 - On-link Determination
  HR A Link-Local Address
  HR B Global Address, On-link Prefix covers TN1
  HR C Global Address, On-link Prefix does not cover TN2
2.1.2 - Resolution Wait Queue
  HR A Single Queue
  HR B Multiple Queues
2.1.3 H Prefix Information Option Processing, On-link Flag
2.1.4 - Host Prefix List
  H A Prefix Lifetime has not Expired
  H B Prefix Lifetime updated by Router Advertisement
2.1.5 - Neighbor Solicitation Origination, Address Resolution
  HR A Neighbor Solicitation Origination, Target Address Being Link-local
  HR B Neighbor Solicitation Origination, Target Address Being Global
2.1.6 - Neighbor Solicitation Origination, Reachability Confirmation
  HR A Neighbor Solicitation Origination, Link-local => Link-local
  HR B Neighbor Solicitation Origination, Global => Global
  HR C Neighbor Solicitation Origination, Link-local => Global
  HR D Neighbor Solicitation Origination, Global => Link-local
2.1.7 - Invalid Neighbor Solicitation Handling
  HR A Invalid Target Address
  HR B Invalid Destination Address
  HR C Invalid Source Link-layer Address Option
  HR D Invalid Hop Limit
  HR E Invalid Checksum
  HR F Invalid ICMP code
  HR G Invalid ICMP Length
  HR H Option of Length 0
2.1.8 - Neighbor Solicitation Processing, No NCE
  HR A Unicast Neighbor Solicitation
  HR B Multicast Neighbor Solicitation
  HR C Unicast Neighbor Solicitation without SLL
2.1.9 - Neighbor Solicitation Processing, NCE State INCOMPLETE
  HR A Unicast Neighbor Solicitation
  HR B Multicast Neighbor Solicitation
  HR C Unicast Neighbor Solicitation without SLL
2.1.10 - Neighbor Solicitation Processing, NCE State REACHABLE
  HR A Unicast Neighbor Solicitation with the same SLLA
  HR B Unicast Neighbor Solicitation with a different SLLA
  HR C Multicast Neighbor Solicitation with the same SLLA
  HR D Multicast Neighbor Solicitation with a different SLLA
2.1.11 - Neighbor Solicitation Processing, NCE State STALE
  HR A Unicast Neighbor Solicitation with the same SLLA
  HR B Unicast Neighbor Solicitation with a different SLLA
  HR C Multicast Neighbor Solicitation with the same SLLA
  HR D Multicast Neighbor Solicitation with a different SLLA
2.1.12 - Neighbor Solicitation Processing, NCE State PROBE
  HR A Unicast Neighbor Solicitation with the same SLLA
  HR B Unicast Neighbor Solicitation with a different SLLA
  HR C Multicast Neighbor Solicitation with the same SLLA
  HR D Multicast Neighbor Solicitation with a different SLLA
2.1.13 - Neighbor Solicitation Processing, IsRouterFlag
  H A Unicast Neighbor Solicitation without SLLA
  H B Unicast Neighbor Solicitation with a SLLA
  H C Multicast Neighbor Solicitation with a different SLLA
2.1.14 R Neighbor Solicitation Processing, Anycast
2.1.15 - Invalid Neighbor Advertisement Handling
  HR A NUT receives invalid NA (Solicited Flag ==1)
  HR B NUT receives invalid NA (Hop Limit == 254)
  HR C NUT receives invalid NA (Invalid Checksum)
  HR D NUT receives invalid NA (ICMP code != zero)
  HR E NUT receives invalid NA (ICMP length < 24 octets)
  HR F NUT receives invalid NA (target == multicast address)
  HR G NUT receives invalid NA (option length ==zero)
2.1.16 - Neighbor Advertisement Processing, No NCE
  HR A Receiving NA with S = 0, O = 0, and TLLA
  HR B Receiving NA with S = 0, O = 1, and TLLA
  HR C Receiving NA with S = 1, O = 0, and TLLA
  HR D Receiving NA with S = 1, O = 1, and TLLA
  HR E Receiving NA with S = 0, O = 0, and NO TLLA
  HR F Receiving NA with S = 0, O = 1, and NO TLLA
  HR G Receiving NA with S = 1, O = 0, and NO TLLA
  HR H Receiving NA with S = 1, O = 1, and NO TLLA
2.1.17 - Neighbor Advertisement Processing, NCE State INCOMPLETE
  HR A Receiving NA with S = 1 and O = 1
  HR B Receiving NA with S = 1 and O = 0
  HR C Receiving NA with S = 0 and O = 1
  HR D Receiving NA with S = 0 and O = 0
  HR E Receiving NA without Target Link-Layer Address Option
2.1.18 - Neighbor Advertisement Processing, NCE State REACHABLE
  HR A Receiving Unicast NA with S = 0, O = 0 and no TLLA
  HR B Receiving Unicast NA with S = 0, O = 1 and no TLLA
  HR C Receiving Unicast NA with S = 1, O = 0 and no TLLA
  HR D Receiving Unicast NA with S = 1, O = 1 and no TLLA
  HR E Receiving Unicast NA with S = 0, O = 0 and the same TLLA
  HR F Receiving Unicast NA with S = 0, O = 1 and the same TLLA
  HR G Receiving Unicast NA with S = 1, O = 0 and the same TLLA
  HR H Receiving Unicast NA with S = 1, O = 1 and the same TLLA
  HR I Receiving Unicast NA with S = 0, O = 0 and a different TLLA
  HR J Receiving Unicast NA with S = 0, O = 1 and a different TLLA
  HR K Receiving Unicast NA with S = 1, O = 0 and a different TLLA
  HR L Receiving Unicast NA with S = 1, O = 1 and a different TLLA
  HR M Receiving Multicast NA with S = 0, O = 0 and the same TLLA
  HR N Receiving Multicast NA with S = 0, O = 1 and the same TLLA
  HR O Receiving Multicast NA with S = 0, O = 0 and a different TLLA
  HR P Receiving Multicast NA with S = 0, O = 1 and a different TLLA
  HR Q Receiving Multicast NA with S = 0, O = 0 and NO TLLA
  HR R Receiving Multicast NA with S = 0, O = 1 and NO TLLA
2.1.19 - Neighbor Advertisement Processing, NCE State STALE
  HR A Receiving Unicast NA with S = 0, O = 0 and no TLLA
  HR B Receiving Unicast NA with S = 0, O = 1 and no TLLA
  HR C Receiving Unicast NA with S = 1, O = 0 and no TLLA
  HR D Receiving Unicast NA with S = 1, O = 1 and no TLLA
  HR E Receiving Unicast NA with S = 0, O = 0 and the same TLLA
  HR F Receiving Unicast NA with S = 0, O = 1 and the same TLLA
  HR G Receiving Unicast NA with S = 1, O = 0 and the same TLLA
  HR H Receiving Unicast NA with S = 1, O = 1 and the same TLLA
  HR I Receiving Unicast NA with S = 0, O = 0 and a different TLLA
  HR J Receiving Unicast NA with S = 0, O = 1 and a different TLLA
  HR K Receiving Unicast NA with S = 1, O = 0 and a different TLLA
  HR L Receiving Unicast NA with S = 1, O = 1 and a different TLLA
  HR M Receiving Multicast NA with S = 0, O = 0 and the same TLLA
  HR N Receiving Multicast NA with S = 0, O = 1 and the same TLLA
  HR O Receiving Multicast NA with S = 0, O = 0 and a different TLLA
  HR P Receiving Multicast NA with S = 0, O = 1 and a different TLLA
  HR Q Receiving Multicast NA with S = 0, O = 0 and NO TLLA
  HR R Receiving Multicast NA with S = 0, O = 1 and NO TLLA
2.1.20 - Neighbor Advertisement Processing, NCE State PROBE
  HR A Receiving Unicast NA with S = 0, O = 0 and no TLLA
  HR B Receiving Unicast NA with S = 0, O = 1 and no TLLA
  HR C Receiving Unicast NA with S = 1, O = 0 and no TLLA
  HR D Receiving Unicast NA with S = 1, O = 1 and no TLLA
  HR E Receiving Unicast NA with S = 0, O = 0 and the same TLLA
  HR F Receiving Unicast NA with S = 0, O = 1 and the same TLLA
  HR G Receiving Unicast NA with S = 1, O = 0 and the same TLLA
  HR H Receiving Unicast NA with S = 1, O = 1 and the same TLLA
  HR I Receiving Unicast NA with S = 0, O = 0 and a different TLLA
  HR J Receiving Unicast NA with S = 0, O = 1 and a different TLLA
  HR K Receiving Unicast NA with S = 1, O = 0 and a different TLLA
  HR L Receiving Unicast NA with S = 1, O = 1 and a different TLLA
  HR M Receiving Multicast NA with S = 0, O = 0 and the same TLLA
  HR N Receiving Multicast NA with S = 0, O = 1 and the same TLLA
  HR O Receiving Multicast NA with S = 0, O = 0 and a different TLLA
  HR P Receiving Multicast NA with S = 0, O = 1 and a different TLLA
  HR Q Receiving Multicast NA with S = 0, O = 0 and NO TLLA
  HR R Receiving Multicast NA with S = 0, O = 1 and NO TLLA
2.1.21 - Neighbor Advertisement Processing, R-bit Change
  H A Receiving NA with R = 0, S = 1 and O = 1 and NO TLLA
  H B Receiving NA with R = 0, S = 0 and O = 0 and NO TLLA
  H C Receiving NA with R = 0, S = 0 and O = 1 and NO TLLA
  H D Receiving NA with R = 0, S = 1 and O = 0 and NO TLLA
  H E Receiving NA with R = 0, S = 1 and O = 1 and TLLA
  H F Receiving NA with R = 0, S = 0 and O = 0 and TLLA
  H G Receiving NA with R = 0, S = 0 and O = 1 and TLLA
  H H Receiving NA with R = 0, S = 1 and O = 0 and TLLA
2.2.1 H Router Solicitations
2.2.2 - Router Solicitations, Solicited Router Advertisement
  H A Valid Router Advertisement, No Source Link-layer Address Option
  H B Valid Router Advertisement, Source Link-layer Address Option
  H C Invalid Router Advertisement, Global Source Address
  H D Invalid Router Advertisement, Bad Hop Limit
  H E Invalid Router Advertisement, Bad ICMP Checksum
  H F Invalid Router Advertisement, Bad ICMP Code
2.2.3 - Host Ignores Router Solicitations
  H A All-Router Multicast Destination
  H B All-Nodes Multicast Destination
  H C Link-local Unicast Destination
2.2.4 - Router Ignores Invalid Router Solicitations
  R A Hop Limit is not 255
  R B ICMPv6 checksum is not valid
  R C ICMPv6 code is not 0
  R D ICMPv6 length is less than 8 Octets
  R E Option has length 0
  R F Unspecified IP source address and a source link-layer address option
2.2.5 R Router Sends Valid Router Advertisement
2.2.6 - Router Does Not Send Router Advertisements on Non-advertising Interface
  R A No advertising interfaces
  R B Advertising interface
2.2.7 - Sending Unsolicited Router Advertisements
  R A Sending Unsolicited RA (MinRtrAdvInterval and MaxRtrAdvInterval)
  R B Sending Unsolicited RA (MAX_INITIAL_RTR_ADVERT_INTERVAL)
  R C Sending Unsolicited RA (Min Values)
  R D Sending Unsolicited RA (Max Values)
  R E Sending Unsolicited RA (Global Unicast Address - prefix end with zero-value fields)
  R F Sending Unsolicited RA (Site-Local prefix)
2.2.8 R Ceasing to Be An Advertising Interface
2.2.9 - Processing Router Solicitations
  R A MAX_RA_DELAY_TIME
  R B MIN_DELAY_BETWEEN_RAS
2.2.10 - Router Solicitation Processing, Neighbor Cache
  R A RS processing with SLL, no NCE
  R B RS processing without SLL, no NCE
  R C RS processing, NCE INCOMPLETE
  R D RS with SLLA changed, NCE REACHABLE
  R E RS with SLLA unchanged, NCE REACHABLE
  R F RS with SLLA changed, NCE STALE
  R G RS with SLLA unchanged, NCE STALE
  R H RS with SLLA changed, NCE PROBE
  R I RA with SLLA unchanged, NCE PROBE
2.2.11 H Default Router Switch
2.2.12 - Router Advertisement Processing, Validity
  H A Global Source Address
  H B Hop Limit less than 255
  H C Invalid Checksum
  H D Invalid ICMP Code
  H E Invalid ICMP Length
  H F Option of Length 0
2.2.13 - Router Advertisement Processing, Cur Hop Limit
  HR A Unspecified
  HR B Non-Zero
2.2.14 - Router Advertisement Processing, Router Lifetime
  H A Router Lifetime Updated with Same Lifetime
  H B Router Lifetime Set to Zero
  H C Router Lifetime Set to Five; Allowed to Expire
2.2.15 - Router Advertisement Processing, Reachable Time
  H A1 RA Processing - Reachable Time
  H A2 RA Processing - Reachable Time
  R B Reachable Time Configuration
2.2.16 - Router Advertisement Processing, Neighbor Cache
  H A RA processing, no NCE
  H B RA processing, NCE INCOMPLETE
  H C RA with SLLA changed, NCE REACHABLE
  H D RA with SLLA unchanged, NCE REACHABLE
  H E RA without SLLA, NCE REACHABLE
  H F RA with SLLA changed, NCE PROBE
  H G RA with SLLA unchanged, NCE PROBE
  H H RA without SLLA, NCE PROBE
  H I RA with SLLA changed, NCE STALE
  H J RA with SLLA unchanged, NCE STALE
  H K RA without SLLA, NCE STALE
2.2.17 - Router Advertisement Processing, IsRouter flag
  H A RA without Source Link-layer option
  H B RA with same Source Link-layer option as cached
  H C RA with different Source Link-layer option as cached
2.2.18 H Next-hop Determination
2.2.19 H Router Advertisement Processing, On-link determination
2.3.1 - Redirected On-link: Valid
  H A dst=global, w/o TLL, w/o Redirected Header
  H B dst=global, w/o TLL, w/ Redirected Header
  H C dst=global, w/ TLL, w/o Redirected Header
  H D dst=global, w/ TLL, w/ Redirected Header
2.3.2 - Redirected On-link: Suspicious
  H A Option Unrecognized
  H B Reserved Field is Non-zero
  H C Target Address not Covered by On-link Prefix
2.3.3 - Redirected On-link: Invalid
  H A Redirect Source Address is Global
  H B Redirect Source Address is not the current first-hop router
  H C Hop Limit is not 255
  H D ICMPv6 Code is not 0
  H E ICMPv6 Checksum is invalid
  H F ICMPv6 Destination Address is Multicast
  H G Target Address is Multicast
  H H ICMPv6 length is less than 40 Octets
  H I Option has Length Zero
2.3.4 - Redirected to Alternate Router: Valid
  H A dst=global, w/o TLL, w/o Redirected Header
  H B dst=global, w/o TLL, w/ Redirected Header
  H C dst=global, w/ TLL, w/o Redirected Header
  H D dst=global, w/ TLL, w/ Redirected Header
2.3.5 - Redirected to Alternate Router: Suspicious
  H A Option Unrecognized
  H B Reserved Field is Non-zero
2.3.6 - Redirected to Alternate Router: Invalid
  H A Redirect Source Address is Global
  H B Redirect Source Address is not the current first-hop router
  H C Hop Limit is not 255
  H D ICMPv6 Code is not 0
  H E ICMPv6 Checksum is invalid
  H F ICMPv6 Destination Address is Multicast
  H G Target Address is Multicast
  H H ICMPv6 length is less than 40 Octets
  H I Option has Length Zero
2.3.7 H Redirected Twice
2.3.8 - Invalid Option
  H A Path MTU Option
  H B Prefix Information Option
  H C Source Link-layer Address Option
2.3.9 H No Destination Cache Entry
2.3.10 - Neighbor Cache Updated, No Neighbor Cache Entry
  H A No TLLA Option, No Redirected Packet Option, Link-layer Address Unchanged
  H B TLLA Option, No Redirected Packet Option, Link-layer Address Updated
  H C TLLA Option, Redirected Packet Option, Link-layer Address Updated
  H D TLLA Option, Oversized Redirected Packet Option, Link-layer Address Updated
2.3.11 - Neighbor Cache Updated from State INCOMPLETE
  H A No TLLA Option, No Redirected Packet Option, Link-layer Address Unchanged
  H B TLLA Option, No Redirected Packet Option, Link-layer Address Updated
  H C TLLA Option, Redirected Packet Option, Link-layer Address Updated
  H D TLLA Option, Oversized Redirected Packet Option, Link-layer Address Updated
2.3.12 - Neighbor Cache Updated from State REACHABLE
  H A No TLLA Option, No Redirected Packet Option, Link-layer Address Unchanged
  H B TLLA Option, No Redirected Packet Option, Link-layer Address Unchanged
  H C TLLA Option, No Redirected Packet Option, Link-layer Address Updated
  H D TLLA Option, Redirected Packet Option, Link-layer Address Updated
  H E TLLA Option, Oversized Redirected Packet Option, Link-layer Address Updated
2.3.13 - Neighbor Cache Updated from State STALE
  H A No TLLA Option, No Redirected Packet Option, Link-layer Address Unchanged
  H B TLLA Option, No Redirected Packet Option, Link-layer Address Unchanged
  H C TLLA Option, No Redirected Packet Option, Link-layer Address Updated
  H D TLLA Option, Redirected Packet Option, Link-layer Address Updated
  H E TLLA Option, Oversized Redirected Packet Option, Link-layer Address Updated
2.3.14 - Neighbor Cache Updated from State PROBE
  H A No TLLA Option, No Redirected Packet Option, Link-layer Address Unchanged
  H B TLLA Option, No Redirected Packet Option, Link-layer Address Unchanged
  H C TLLA Option, No Redirected Packet Option, Link-layer Address Updated
  H D TLLA Option, Redirected Packet Option, Link-layer Address Updated
  H E TLLA Option, Oversized Redirected Packet Option, Link-layer Address Updated
2.3.15 - Invalid Redirect does not Update Neighbor Cache
  H A Redirect Source Address is Global
  H B Redirect Source Address is not the current first-hop router
  H C Hop Limit is not 255
  H D ICMPv6 Code is not 0
  H E ICMPv6 Checksum is invalid
  H F ICMPv6 Destination Address is Multicast
  H G Target Address is Multicast
  H H ICMPv6 length is less than 40 Octets
  H I Option has Length Zero
2.3.16 - Redirect - Transmit
  R A Send Redirect
  R B Send Redirect to Alternate Router
  R C Source not neighbor
  R D Destination Multicast
2.3.17 R Redirect - Receive
3.1.1 HR Address Autoconfiguration and Duplicate Address Detection
3.1.2 - Receiving DAD Neighbor Solicitations and Advertisements
  HR A NUT receives DAD NS (target != NUT)
  HR B NUT receives DAD NS (target == NUT)
  HR C NUT receives DAD NA (target != NUT)
  HR D NUT receives DAD NA (target == NUT)
3.1.3 - Validation of DAD Neighbor Solicitations
  HR A NUT receives invalid DAD NS (ICMP length < 24 octets)
  HR B NUT receives invalid DAD NS (HopLimit !=255)
  HR C NUT receives invalid DAD NS (Dst = NUT's tentative address)
  HR D NUT receives invalid DAD NS (Dst = allnode)
  HR E NUT receives invalid DAD NS (ICMP code!= zero)
  HR F NUT receives invalid DAD NS (Invalid Checksum)
  HR G NUT receives invalid DAD NS (target == multicast address)
  HR H NUT receives invalid DAD NS (contains SLL)
  HR I NUT receives valid DAD NS (Reserved Field)
  HR J NUT receives valid DAD NS (contains TLL)
3.1.4 - Validation of DAD Neighbor Advertisements
  HR A NUT receives invalid DAD NA (ICMP length < 24 octets)
  HR B NUT receives invalid DAD NA (HopLimit != 255)
  HR C NUT receives invalid DAD NA (ICMP code!= zero)
  HR D NUT receives invalid DAD NA (Invalid Checksum)
  HR E NUT receives invalid DAD NA (SolicitedFlag ==1)
  HR F NUT receives invalid DAD NA (target == multicast address)
  HR G NUT receives invalid DAD NA (option length ==zero)
  HR H NUT receives valid DAD NA (Reserved Field)
  HR I NUT receives valid DAD NA (contains SLL)
3.1.5 - Receiving Neighbor Solicitations for Address Resolution
  HR A NUT receives NS (src == unicast)
  HR B NUT receives NS (Src == unicast && Dst == NUT's tentative address)
3.2.1 - Global Address Autoconfiguration and DAD
  HR A Unicast Autoconfigured Address - Global
  HR B Unicast Autoconfigured Address Prefix ending in zero valued fields
  HR C Unicast Autoconfigured Address Site-Local
3.2.2 H Address Lifetime Expiry
3.2.3 H Multiple Prefixes and Network Renumbering
3.2.4 - Prefix-Information Option Processing
  H A Router Advertisement with multiple Prefix Options
  H B Autonomous Flag not set
  H C prefix is set to link-local prefix
  H D preferred lifetime > valid lifetime
  H E prefix length > 128 bits
  H F prefix length < 64 bits
  H G (64 bits < prefix length < 128 bits)
  H H Valid Lifetime is zero
  H I Invalid RA with Hop Limit 254
  H J Valid Lifetime is 0xffffffff
3.2.5 - Prefix-Information Option Processing, Lifetime
  H A Prefix Lifetime greater than Stored Lifetime
  H B Prefix Lifetime greater than 2 hours
  H C Prefix Lifetime less than the Stored Lifetime and the Stored Lifetime is less than 2 hours
  H D Prefix Lifetime less than 2 hours and the Stored Lifetime is greater than 2 hours
4.1.1 - Confirm Ping
  HR A ICMPv6 Echo Request 64 octets
  HR B ICMPv6 Echo Request 1280 octets
  HR C ICMPv6 Echo Request 1500 octets
4.1.2 HR Stored PMTU
4.1.3 HR Non-zero ICMPv6 Code
4.1.4 HR Reduce PMTU On-link
4.1.5 HR Reduce PMTU Off-link
4.1.6 - Receiving MTU Below IPv6 Minimum Link MTU
  HR A MTU equal to 56
  HR B MTU equal to 1279
4.1.7 - Increase Estimate
  HR A MTU increase
  HR B MTU equal to 0x1FFFFFFF
4.1.8 H Router Advertisement with MTU Option
4.1.9 HR Checking For Increase in PMTU
4.1.10 HR Multicast Destination, One Router
4.1.11 HR Multicast Destination, Two Routers
5.1.1 HR Transmitting Echo Requests
5.1.2 - Replying to Echo Requests
  HR A Request sent to Link-Local address
  HR B Request sent to global address
  HR C Request sent to multicast address, All Nodes Addresses
  R D Request sent to multicast address, All Routers Addresses
  HR E Request sent to unspecified address
  HR F Request sent to loopback address
  HR G Request sent to Site-Local address
5.1.3 - Destination Unreachable Message Generation
  R A Route Unreachable
  R B Address Unreachable
  HR C Port Unreachable, Link-Local Address
  HR D Port Unreachable, Global Address
  R E Beyond Scope of Source Address
5.1.4 - Packet Too Big Message Generation
  R A Unicast Destination
  R B Multicast Destination
5.1.5 - Hop Limit Exceeded, Time Exceeded Generation
  R A Receive Hop Limit 0
  R B Decrement Hop Limit to 0
5.1.6 HR Erroneous Header Field, Parameter Problem Generation
5.1.7 HR Unrecognized Next Header, Parameter Problem Generation
5.1.8 HR Unknown Informational Message Type
5.1.9 - Error Condition With ICMPv6 Error Message
  R A Reception of Flawed Destination Unreachable Code 0 with Address Unreachable
  R B Reception of Flawed Destination Unreachable Code 3 with Hop Limit = 0
  R C Reception of Flawed Time Exceeded Code 0 with No Route To Destination
  R D Reception of Flawed Time Exceeded Code 1 with No Route To Destination
  R E Reception of Flawed Packet Too Big with Address Unreachable
  R F Reception of Flawed Parameter Problem with Hop Limit = 0
5.1.10 - Error Condition With Multicast Destination
  HR A UDP Port Unreachable
  HR B Echo Request Reassembly Timeout
5.1.11 - Error Condition With Non-Unique Source, Unspecified
  HR A UDP Port Unreachable
  R B Echo Request Too Big
  HR C Echo Request Reassembly Timeout
  HR D Echo Request with Unknown Option in Destination Options
5.1.12 - Error Condition With Non-Unique Source, Multicast
  HR A UDP Port Unreachable
  R B Echo Request Too Big
  HR C Echo Request Reassembly Timeout
  HR D Echo Request with Unknown Option in Destination Options
5.1.13 - Error Condition With Non-Unique Source, Anycast
  R A UDP Port Unreachable
  R B Echo Request Too Big
  R C Echo Request Reassembly Timeout
  R D Echo Request with Unknown Option in Destination Options
"""


def _read(table: str) -> tuple[Case, ...]:
    out = []
    number = heading = ""
    for line in table.strip().splitlines():
        first, second, title = line.split(None, 2)
        if line.startswith(" "):
            out.append(Case(number, second, f"{heading}: {title}", _roles(first)))
            continue
        number, heading = first, title
        if second != "-":
            out.append(Case(number, "", title, _roles(second)))
    return tuple(out)


def _roles(letters: str) -> tuple[str, ...]:
    return tuple(role for letter, role in (("H", HOST), ("R", ROUTER)) if letter in letters)


CASES: Final = (*_read(BASE), *_read(_TABLE))
