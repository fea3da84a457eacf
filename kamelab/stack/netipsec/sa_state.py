"""The life of a security association: larval, mature, dying, dead, and what leads from one to the next.

KAME netkey/key.c (key_timehandler, key_mature, key_sa_chgstate). Whatever changes the state of an association goes
through `move` and the table below; diagrams are drawn from it. Events:

===========  ==========================================================================
getspi       SADB_GETSPI reserves an SPI: there are no keys yet
add          SADB_ADD brings everything at once
update       SADB_UPDATE brings the keys of an SPI that getspi gave
larval       net.key.larval_lifetime passed and no update came
soft         the soft limit passed and it has been used
soft_unused  the soft limit passed and it has never been used
hard         the hard limit passed
delete       SADB_DELETE, SADB_FLUSH
superseded   a newer one took its place (net.key.preferred_oldsa 0)
===========  ==========================================================================

A dead one is never used again; it stays while a policy's request still holds it.
"""

from __future__ import annotations

from typing import Final

from kamelab.stack.netipsec.sadb import DEAD, DYING, LARVAL, MATURE, Sa

NONE: Final = ""

STATES: Final = (LARVAL, MATURE, DYING, DEAD)
EVENTS: Final = ("getspi", "add", "update", "larval", "soft", "soft_unused", "hard", "delete", "superseded")

TRANSITIONS: Final[dict[tuple[str, str], tuple[str, str]]] = {
    (NONE, "getspi"): (LARVAL, "RFC 2367 3.1.1"),
    (NONE, "add"): (MATURE, "RFC 2367 3.1.3"),
    (LARVAL, "update"): (MATURE, "RFC 2367 3.1.2"),
    (LARVAL, "larval"): (DEAD, "KAME key.c key_timehandler"),
    (LARVAL, "delete"): (DEAD, "RFC 2367 3.1.4"),
    (MATURE, "soft"): (DYING, "RFC 2367 2.2"),
    (MATURE, "soft_unused"): (DEAD, "KAME key.c key_timehandler"),
    (MATURE, "delete"): (DEAD, "RFC 2367 3.1.4"),
    (MATURE, "superseded"): (DEAD, "KAME key.c key_do_allocsa_policy"),
    (DYING, "hard"): (DEAD, "RFC 2367 2.2"),
    (DYING, "delete"): (DEAD, "RFC 2367 3.1.4"),
    (DYING, "superseded"): (DEAD, "KAME key.c key_do_allocsa_policy"),
}
"""(state, event) -> (new state, rule). What is not here does not happen."""

NUMBERS: Final = {LARVAL: 0, MATURE: 1, DYING: 2, DEAD: 3}
"""``sadb_sa_state``."""

LETTERS: Final = {LARVAL: "L", MATURE: "M", DYING: "D", DEAD: "d"}
"""``setkey -lD``."""


def move(sa: Sa, event: str) -> bool:
    """Take `event`; True when the table has a transition for it."""
    step = TRANSITIONS.get((sa.state, event))
    if step is None:
        return False
    sa.state = step[0]
    return True


def first(event: str) -> str:
    """The state in which `event` (getspi or add) makes an association."""
    return TRANSITIONS[NONE, event][0]
