"""The sysctl tree: names, defaults, what a write may be (KAME in6_proto.c, icmp6.c, in6.h).

Only values that differ from their default are stored with a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kamelab.core.errors import EINVAL, ENOENT, EPERM, Errno
from kamelab.stack.netinet6.frag6 import frag6_limit
from kamelab.stack.netipsec import keysock
from kamelab.stack.socket import profiles

if TYPE_CHECKING:
    from kamelab.stack.node import Node

INT_MIN = -(2**31)
INT_MAX = 2**31 - 1


class Variable(NamedTuple):
    """One variable: signed 32 bits, or text where ``default`` is text."""

    default: int | str
    boolean: bool = False
    read_only: bool = False


def _table() -> dict[str, Variable]:
    ip6 = {
        "forwarding": Variable(0, boolean=True),
        "redirect": Variable(1, boolean=True),
        "hlim": Variable(64),
        "maxfragpackets": Variable(200),
        "maxfrags": Variable(200),
        "accept_rtadv": Variable(0, boolean=True),
        "keepfaith": Variable(0, boolean=True),
        "log_interval": Variable(5),
        "hdrnestlimit": Variable(50),
        "rthdr0": Variable(1, boolean=True),
        "frag_overlap": Variable(0, boolean=True),
        "frag_chain": Variable(0, boolean=True),
        "dad_count": Variable(1),
        "dad_enhanced": Variable(0, boolean=True),
        "auto_flowlabel": Variable(1, boolean=True),
        "defmcasthlim": Variable(1),
        "gifhlim": Variable(30),
        "kame_version": Variable("20010528/kamelab", read_only=True),
        "use_deprecated": Variable(1, boolean=True),
        "rr_prune": Variable(5),
        "v6only": Variable(0, boolean=True),
        "use_tempaddr": Variable(0, boolean=True),
        "temppltime": Variable(86400),
        "tempvltime": Variable(604800),
        "prefer_tempaddr": Variable(0, boolean=True),
        "srcsel_2000": Variable(0, boolean=True),
        "auto_linklocal": Variable(1, boolean=True),
        "use_defaultzone": Variable(0, boolean=True),
        "pmtu_expire": Variable(600),
        "mcast_pmtu": Variable(0, boolean=True),
        "pmtu_below_min": Variable(1, boolean=True),
        "rtexpire": Variable(3600),
        "rtminexpire": Variable(10),
        "rtmaxcache": Variable(128),
        "anonportmin": Variable(49152),
        "anonportmax": Variable(65535),
        "lowportmin": Variable(600),
        "lowportmax": Variable(1023),
    }
    icmp6 = {
        "rediraccept": Variable(1, boolean=True),
        "redirtimeout": Variable(600),
        "errratelimit": Variable(0),
        "errppslimit": Variable(200),
        "nd6_prune": Variable(1),
        "nd6_delay": Variable(5),
        "nd6_umaxtries": Variable(3),
        "nd6_mmaxtries": Variable(3),
        "nd6_useloopback": Variable(1, boolean=True),
        "nd6_maxnudhint": Variable(0),
        "nd6_debug": Variable(0, boolean=True),
        "nd6_maxqueuelen": Variable(1),
        "nodeinfo": Variable(3),
        "nodeinfo_refuse": Variable(0, boolean=True),
        "mldv2": Variable(0, boolean=True),
        "mldalwaysv2": Variable(0, boolean=True),
        "mldmaxsrcfilter": Variable(512),
        "mldsomaxsrc": Variable(128),
        "mtudisc_hiwat": Variable(1280),
        "mtudisc_lowat": Variable(256),
    }
    tcp = {
        "rfc1323": Variable(1, boolean=True),
        "rfc3042": Variable(1, boolean=True),
        "newreno": Variable(1, boolean=True),
        "initcwnd_segments": Variable(10),
        "v6mssdflt": Variable(1220),
        "sendspace": Variable(32768),
        "recvspace": Variable(57344),
        "msl": Variable(30000),
        "rto_min": Variable(1000),
        "delayed_ack": Variable(1, boolean=True),
        "delacktime": Variable(200),
        "keepinit": Variable(180000),
        "keepidle": Variable(7200000),
        "keepintvl": Variable(75000),
        "keepcnt": Variable(8),
        "always_keepalive": Variable(0, boolean=True),
        "icmp_may_rst": Variable(1, boolean=True),
        "syn_bucket_limit": Variable(128),
        "ack_war_cnt": Variable(5),
        "ack_war_timewindow": Variable(1000),
    }
    # The default of a level counts only as 1 (use) or 2 (require), of def_policy as 0 (discard) or not.
    ipsec = {
        "def_policy": Variable(1),
        "esp_trans_deflev": Variable(1),
        "esp_net_deflev": Variable(1),
        "ah_trans_deflev": Variable(1),
        "ah_net_deflev": Variable(1),
        "ecn": Variable(0),
        "debug": Variable(0, boolean=True),
        "esp_randpad": Variable(-1),
    }
    key = {
        "debug": Variable(0),
        "spi_trycnt": Variable(1000),
        "spi_minval": Variable(0x100),
        "spi_maxval": Variable(0x0FFFFFFF),
        "int_random": Variable(60),
        "larval_lifetime": Variable(30),
        "blockacq_count": Variable(10),
        "blockacq_lifetime": Variable(20),
        "esp_keymin": Variable(256),
        "esp_auth": Variable(0),
        "ah_keymin": Variable(128),
        "preferred_oldsa": Variable(1),
    }
    udp = {"maxdgram": Variable(9216), "recvspace": Variable(41600)}
    out = {"kern.hostname": Variable(""), "kern.ipc.somaxconn": Variable(128)}
    out.update({f"net.inet.udp.{name}": variable for name, variable in udp.items()})
    out.update({f"net.inet.tcp.{name}": variable for name, variable in tcp.items()})
    out.update({f"net.key.{name}": variable for name, variable in key.items()})
    out.update({f"net.inet6.ipsec6.{name}": variable for name, variable in ipsec.items()})
    out.update({f"net.inet6.ip6.{name}": variable for name, variable in ip6.items()})
    out.update({f"net.inet6.icmp6.{name}": variable for name, variable in icmp6.items()})
    return out


VARIABLES: dict[str, Variable] = _table()
"""Every variable by name."""

ALIASES: dict[str, str] = {
    "net.inet6.ip6.bindv6only": "net.inet6.ip6.v6only",
    "net.inet6.ip6.mapped_addr": "net.inet6.ip6.v6only",
    **{
        name.replace("net.inet6.ipsec6.", "net.inet.ipsec."): name
        for name in VARIABLES
        if name.startswith("net.inet6.ipsec6.")
    },
}
"""Names of other platforms for the same variable."""
INVERSE = "net.inet6.ip6.mapped_addr"
"""The one of them that says the opposite."""


_NUMBERS: dict[str, int] = {
    name: variable.default if isinstance(variable.default, int) else 0 for name, variable in VARIABLES.items()
}


class Sysctl(dict[str, int]):
    """A node's values: those set, and the defaults for the rest."""

    def __missing__(self, name: str) -> int:
        return _NUMBERS[name] if name in _NUMBERS else self[ALIASES[name]]


def sysctl_get(node: Node, name: str) -> int | str:
    """A variable's value. ENOENT: unknown."""
    if name == INVERSE:
        return int(not node.sysctl[ALIASES[name]])
    name = ALIASES.get(name, name)
    if name == "kern.hostname":
        return node.hostname
    variable = VARIABLES.get(name)
    if variable is None:
        raise Errno(ENOENT)
    if isinstance(variable.default, str):
        return variable.default
    return node.sysctl[name]


def sysctl_set(node: Node, name: str, value: int) -> int | str:
    """Write a variable; the old value. ENOENT: unknown, EPERM: read only, EINVAL: out of range."""
    if name == INVERSE:
        return int(not sysctl_set(node, ALIASES[name], int(not value)))
    name = ALIASES.get(name, name)
    old = sysctl_get(node, name)
    variable = VARIABLES[name]
    if variable.read_only or isinstance(variable.default, str):
        raise Errno(EPERM)
    if name == profiles.V6ONLY and profiles.of(node).fixed:
        raise Errno(EPERM)
    if not INT_MIN <= value <= INT_MAX:
        raise Errno(EINVAL)
    short = name.rsplit(".", 1)[1]
    if short == "pmtu_expire" and value != 0 and value < 300:
        raise Errno(EINVAL)
    if short == "temppltime" and value < 600 + 5:
        raise Errno(EINVAL)
    if short == "tempvltime" and value < node.sysctl["net.inet6.ip6.temppltime"]:
        raise Errno(EINVAL)
    if short in ("hlim", "defmcasthlim", "gifhlim") and not 0 <= value <= 255:
        raise Errno(EINVAL)
    if short in ("anonportmin", "anonportmax", "lowportmin", "lowportmax") and not 0 < value <= 65535:
        raise Errno(EINVAL)
    if short in ("dad_count", "nd6_delay", "nd6_umaxtries", "nd6_mmaxtries", "hdrnestlimit") and value < 0:
        raise Errno(EINVAL)
    if name.startswith("net.inet.tcp.") and value < 0:
        raise Errno(EINVAL)
    if short in ("v6mssdflt", "sendspace", "recvspace", "msl", "delacktime", "keepinit", "keepidle") and value < 1:
        raise Errno(EINVAL)
    if short == "maxdgram" and value < 1:
        raise Errno(EINVAL)
    node.sysctl[name] = value
    node.generation += 1
    if short == "def_policy":
        keysock.changed(node)
    if short == "maxfragpackets":
        frag6_limit(node)
    return old


def sysctl_names() -> tuple[str, ...]:
    """All names in order."""
    return tuple(sorted(VARIABLES))
