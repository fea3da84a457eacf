"""The nearest known word to a mistyped one, for every "did you mean ...?" of kamelab."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `word`, or None if none is like it; letter case is ignored.

    Deterministic: of equally good candidates the one that sorts first wins.
    """
    by_fold: dict[str, str] = {}
    for candidate in sorted(candidates):
        by_fold.setdefault(candidate.casefold(), candidate)
    found = difflib.get_close_matches(word.casefold(), sorted(by_fold), n=1, cutoff=0.6)
    return by_fold[found[0]] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """` (did you mean 'X'?)` with the nearest candidate, or an empty text: made to end a message."""
    found = nearest(word, candidates)
    return f" (did you mean {found!r}?)" if found is not None else ""
