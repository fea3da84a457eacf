"""Virtual time, timers, random streams, the trace and the table of drop reasons."""
