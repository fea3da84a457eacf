"""The outside world: TAP devices, datagram links, control sockets."""
