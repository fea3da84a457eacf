"""getopt(3) over the standard library's, with BSD's error wording, and what programs raise for other mistakes."""

from __future__ import annotations

import getopt as _getopt


class GetoptError(Exception):
    """``illegal option -- z`` or ``option requires an argument -- i``; a program puts ``NAME: `` before it."""


class Fault(Exception):
    """Why a program can't begin or go on; it prints the text behind its name, and with ``usage`` how it is used.

    An empty text: the usage says it all.
    """

    def __init__(self, text: str = "", *, usage: bool = False) -> None:
        super().__init__(text)
        self.usage = usage


def getopt(argv: list[str], options: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Options of ``argv[1:]`` as (``-x``, argument) pairs in their order, and the words behind them.

    ``options`` is getopt(3)'s string: a colon behind a letter that takes an argument. Stops at the first word that is
    no option, and behind ``--``. Raises `GetoptError`.
    """
    try:
        return _getopt.getopt(argv[1:], options)
    except _getopt.GetoptError as error:
        letter = "-" if error.msg.startswith("option --") else error.opt[:1]
        if letter != ":" and f"{letter}:" in options:
            raise GetoptError(f"option requires an argument -- {letter}") from None
        raise GetoptError(f"illegal option -- {letter}") from None
