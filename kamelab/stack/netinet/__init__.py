"""What BSD keeps under netinet and IPv6 shares: TCP."""
