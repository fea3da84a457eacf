"""Widgets of the lab screen that are no panes: clock line, map, drawer, prompt, key line."""
