"""Family-independent parts of the kernel: routing table, media (BSD sys/net)."""
