"""Screens: the lab, the chooser, help."""
