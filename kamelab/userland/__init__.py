"""Processes, the small shell and the programs."""
