"""Themes and the names of colours: what a protocol or an outcome looks like is decided here and nowhere else.

Colour is never the only sign of a meaning: every use of a token stands beside a word, a letter or a glyph. Panes use
the tokens in their CSS as ``$proto-nd`` and the like; they follow whichever theme is chosen, Textual's own included.
"""

from __future__ import annotations

from textual.color import Color
from textual.theme import Theme

DARK = "kamelab-dark"
LIGHT = "kamelab-light"
CONTRAST = "kamelab-contrast"
COLORBLIND = "kamelab-colorblind"

THEMES: tuple[Theme, ...] = (
    Theme(
        name=DARK,
        primary="#7aa2c8",
        secondary="#c4a15a",
        accent="#e0af68",
        foreground="#d4d7dc",
        background="#14171c",
        surface="#1a1e25",
        panel="#242a33",
        success="#8fbf7f",
        warning="#e0af68",
        error="#e67e80",
        dark=True,
        variables={"footer-key-foreground": "#e0af68", "block-cursor-blurred-background": "#2c3542"},
    ),
    Theme(
        name=LIGHT,
        primary="#1f5582",
        secondary="#7a5a12",
        accent="#8a5a00",
        foreground="#20242a",
        background="#fbfaf7",
        surface="#f3f1ec",
        panel="#e4e1d8",
        success="#2f6b2a",
        warning="#8a5a00",
        error="#a8232b",
        dark=False,
        variables={"footer-key-foreground": "#8a5a00", "block-cursor-blurred-background": "#d9dfe6"},
    ),
    Theme(
        name=CONTRAST,
        primary="#ffffff",
        secondary="#ffff00",
        accent="#ffff00",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#303030",
        success="#00ff00",
        warning="#ffff00",
        error="#ff6060",
        dark=True,
        variables={"footer-key-foreground": "#ffff00", "block-cursor-blurred-background": "#404040"},
    ),
    # Okabe and Ito's palette: told apart with every kind of colour vision.
    Theme(
        name=COLORBLIND,
        primary="#56b4e9",
        secondary="#f0e442",
        accent="#e69f00",
        foreground="#e8e8e8",
        background="#101214",
        surface="#181b1f",
        panel="#262b31",
        success="#56b4e9",
        warning="#f0e442",
        error="#d55e00",
        dark=True,
        variables={"footer-key-foreground": "#e69f00", "block-cursor-blurred-background": "#2c3542"},
    ),
)
"""Kamelab's own themes; Textual's are there too."""


def tokens(theme: Theme) -> dict[str, str]:
    """CSS variables (without the ``$``) for protocols, outcomes and marks, from a theme's semantic colours."""
    text = theme.foreground or ("#e0e0e0" if theme.dark else "#1e1e1e")
    primary = theme.primary
    secondary = theme.secondary or primary
    accent = theme.accent or primary
    success = theme.success or primary
    warning = theme.warning or accent
    error = theme.error or accent
    return {
        "dim": _dim(theme, text),
        "proto-nd": primary,
        "proto-ra": accent,
        "proto-mld": secondary,
        "proto-echo": success,
        "proto-error": error,
        "proto-udp": text,
        "proto-other": text,
        "outcome-deliver": success,
        "outcome-forward": primary,
        "outcome-hold": warning,
        "outcome-drop": error,
        "mark-new": success,
        "mark-changed": warning,
        "mark-gone": error,
    }


def _dim(theme: Theme, text: str) -> str:
    """A colour for what stands back. Textual's ``$text-muted`` finds its own contrast, which a part of a line can't."""
    ground = theme.background or ("#121212" if theme.dark else "#e0e0e0")
    if text.startswith("ansi") or ground.startswith("ansi"):
        return text
    return Color.parse(text).blend(Color.parse(ground), 0.38).hex
