"""Benchmarks: kamelab beside its peers, interleaved in one process (`make bench`)."""
