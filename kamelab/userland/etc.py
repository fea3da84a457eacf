"""What stands in /etc at boot: hosts, services, inetd.conf, and the policies of address selection for ip6addrctl.

The policies are RFC 3484 2.1's, as KAME's ip6addrctl.conf has them; nothing installs them by itself
(KAME IMPLEMENTATION 1.6.1 (2001)).
"""

from __future__ import annotations

SERVICES = """\
echo\t\t7/tcp
echo\t\t7/udp
discard\t\t9/tcp\t\tsink null
discard\t\t9/udp\t\tsink null
systat\t\t11/tcp\t\tusers
daytime\t\t13/tcp
daytime\t\t13/udp
netstat\t\t15/tcp
chargen\t\t19/tcp\t\tttytst source
chargen\t\t19/udp\t\tttytst source
ftp\t\t21/tcp
ssh\t\t22/tcp
telnet\t\t23/tcp
smtp\t\t25/tcp\t\tmail
time\t\t37/tcp
time\t\t37/udp
domain\t\t53/tcp
domain\t\t53/udp
http\t\t80/tcp\t\twww
ntp\t\t123/udp
syslog\t\t514/udp
ripng\t\t521/udp
dhcpv6-client\t546/udp
dhcpv6-server\t547/udp
"""

IP6ADDRCTL = """\
# Format:
# Prefix\t\t\tPrecedence\tLabel
::1/128\t\t\t\t50\t\t0
::/0\t\t\t\t40\t\t1
2002::/16\t\t\t30\t\t2
::/96\t\t\t\t20\t\t3
::ffff:0.0.0.0/96\t\t10\t\t4
"""

INETD = """\
# /etc/inetd.conf: what inetd(8) serves. Kill it with HUP when this file has changed.
#
# service  type    protocol  wait    user    program   arguments
echo       stream  tcp6      nowait  root    internal
echo       dgram   udp6      wait    root    internal
discard    stream  tcp6      nowait  root    internal
discard    dgram   udp6      wait    root    internal
daytime    stream  tcp6      nowait  root    internal
daytime    dgram   udp6      wait    root    internal
chargen    stream  tcp6      nowait  root    internal
chargen    dgram   udp6      wait    root    internal
time       stream  tcp6      nowait  root    internal
time       dgram   udp6      wait    root    internal
#
# A program gets the connection as its standard input and output.
#systat    stream  tcp6      nowait  nobody  /bin/ps           ps
#netstat   stream  tcp6      nowait  nobody  /usr/bin/netstat  netstat -rn
#
# A line that begins with #@ gives an IPsec policy to the services below it.
"""


def default_files(name: str) -> dict[str, str]:
    """The files of a node called ``name``, before the lab file's."""
    return {
        "/etc/inetd.conf": INETD,
        "/etc/hosts": f"::1\t\t\tlocalhost {name}\n",
        "/etc/ip6addrctl.conf": IP6ADDRCTL,
        "/etc/services": SERVICES,
    }
