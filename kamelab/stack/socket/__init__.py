"""Sockets: the kernel's side of RFC 3493 and RFC 3542."""
