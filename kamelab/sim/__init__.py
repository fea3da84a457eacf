"""Links, media, topology and the event loop."""
