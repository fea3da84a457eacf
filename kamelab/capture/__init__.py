"""pcapng in and out, the dissection tree, the display filter."""
