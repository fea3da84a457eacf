"""IPv6 proper: input, output, forwarding, neighbour discovery, ICMPv6, MLD (KAME sys/netinet6)."""
