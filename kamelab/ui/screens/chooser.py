"""stub"""
from __future__ import annotations
from textual.screen import Screen
class ChooserScreen(Screen[None]):
    pass
