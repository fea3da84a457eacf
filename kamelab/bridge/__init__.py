"""The outside: TAP devices, UDP wires, the control socket, and the loop that lets time follow the wall clock."""
